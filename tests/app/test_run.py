"""One run's page: what it reached, its curves, files, facts, and Python that really loads its weights."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import app
from analysis.figures.run_curves import panel_info, plot_panel, quantities
from analysis.runs import metric_roles
from app.run import data
from app.shared import store, ui
from tracking import schema
from tracking.reader import open_reader
from tracking.writer import NewRun, Writer

HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example) :red[r]"
START = 1_700_000_000_000


@pytest.fixture
def opened(uri: str, client: Any, visit: Any) -> Any:
    """`opened(run, about="Files")`: the page on the real store, run once."""

    def page(run: str | None, **address: str) -> Any:
        return visit("run", **({"run": run} if run else {}), **address)

    return page


@pytest.fixture(scope="module")
def trained_store(store_template: Path, make_rows: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store with a run of ours that was really trained, stored as the service stores it: the path and the run."""
    from sweeps.training.train import train
    from tracking.schema import Outcome

    folder = tmp_path_factory.mktemp("trained")
    path = folder / "mlflow.db"
    shutil.copy(store_template, path)
    configuration = {
        "model": {"name": "mlp", "hidden_sizes": [5, 4], "activation": "tanh"},
        "data": {"name": "iris", "batch_size": 32, "train_size": None},
        "optimizer": {"name": "adam", "lr": 0.01}, "trainer": {"max_epochs": 2, "device": "cpu"}, "keep": "best",
        "objective": {"metric": "val/loss", "direction": "minimize", "at": "last"},
        "seeds": {"data": 3, "init": 1, "order": 2},
    }  # fmt: skip
    reports: list[tuple[str, dict[str, Any]]] = []
    result = train(configuration, lambda kind, content: reports.append((kind, content)), scratch=folder)
    assert result.outcome == Outcome.OK
    params = {
        f"{section}.{key}": value if isinstance(value, str) else json.dumps(value)
        for section, fields in configuration.items()
        if isinstance(fields, dict)
        for key, value in fields.items()
    }
    rows = make_rows(f"sqlite:///{path}")
    experiment = rows.create_experiment("e", (folder / "artifacts").as_uri())
    rows.close()
    ids: dict[str, str] = {}
    writer = Writer(f"sqlite:///{path}", ids.__setitem__, lambda *_: None, interval=0.02)
    writer.start()
    tags = {schema.KIND: schema.RUN_KIND, schema.MACHINE: "a machine", schema.COMMIT: "abc123"}
    writer.start_run("r", NewRun(experiment, "trained", tags, params, START, None))
    for kind, content in reports:
        if kind == "metrics":
            writer.log_metrics("r", content["metrics"], content["step"], START + content["step"])
        elif kind == "file":
            writer.log_file("r", Path(content["path"]), content["artifact"])
    writer.end("r", Outcome.OK, {}, START + 5000)
    assert writer.close(60)
    return path, ids["r"]


@pytest.fixture
def trained(trained_store: tuple[Path, str], uri: str) -> str:
    """The trained run, in a copy of its store."""
    path, run = trained_store
    shutil.copy(path, uri.removeprefix("sqlite:///"))
    return run


def text_of(at: Any) -> str:
    return "\n".join(
        element.value for element in [*at.title, *at.markdown, *at.caption, *at.error, *at.warning, *at.info]
    )


def test_the_page_of_a_trained_run(trained: str, opened: Any) -> None:
    at = opened(trained)
    assert at.title[0].value == ui.text("trained") and "green-badge[ok]" in text_of(at)
    assert "Last val/loss" in text_of(at).replace("\\", "") and "lower is better" in text_of(at)
    figures = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    drawn = [[trace["name"] for trace in figure["data"]] for figure in figures]
    assert {"val/loss", "train/loss", "train_eval/loss"} <= set(drawn[0]), "validation beside training"
    table = next(frame.value for frame in at.dataframe if "what it is" in frame.value).set_index("metric")
    assert table.loc["val/loss", "lowest"] == table.loc["val/loss", "best"] <= table.loc["val/loss", "highest"]
    assert table["what it says"].all(), "each metric that we log is explained"
    facts = opened(trained, about="System").table[0].value.to_string()
    assert "a machine" in facts and "abc123" in facts and "5.0 s" in facts.replace("\\", "")


@pytest.mark.parametrize("where", ["here", pytest.param("in a fresh Python", marks=pytest.mark.slow)])
def test_the_snippet_loads_the_best_weights(trained: str, uri: str, opened: Any, where: str) -> None:
    at = opened(trained, about="Weights")
    code = at.code[0].value
    run = data.read_run(open_reader(uri), trained)
    assert run is not None and code == (data.snippet(run, uri) or "").strip() and "weights_only=True" in code
    # What it builds is what was trained: its loss on the validation data is the best one that was logged.
    check = """
import torch
part = data.parts.validation
with torch.no_grad():
    loss = float(torch.nn.functional.cross_entropy(model(part.inputs), part.targets))
"""
    if where == "here":
        names: dict[str, Any] = {}
        exec(f"{code}\n{check}", names)
        loss = names["loss"]
    else:
        root, command = Path(app.__file__).parent.parent, [sys.executable, "-c", f"{code}\n{check}\nprint(loss)"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
        assert done.returncode == 0, done.stderr
        loss = float(done.stdout)
    logged = open_reader(uri).histories([trained], ["val/loss"])["value"]
    assert loss == pytest.approx(logged.min(), rel=1e-4)


def test_the_snippet_of_a_replicated_run_builds_its_own_training_set(trained: str, uri: str) -> None:
    run = data.read_run(open_reader(uri), trained)
    assert run is not None
    sets = {"replicate.datasets": "4", "replicate.inits": "2", "seeds.data": "3", "seeds.order": "7"}
    code = data.snippet(replace(run, params=run.params | sets), uri) or ""
    scope: dict[str, Any] = {}
    exec(code.partition("weights = ")[0], scope)
    assert scope["data"].disjoint == (3, 4) and scope["data"].seed_order == 7


def test_files_are_listed_and_downloaded(trained: str, opened: Any) -> None:
    at = opened(trained, about="Files")
    table = next(frame.value for frame in at.dataframe if "file" in frame.value)
    assert schema.WEIGHTS_FILE in table["file"].tolist()
    at.session_state[f"run-files-{trained}"] = {"selection": {"rows": [0], "columns": []}}
    at.run()
    assert not at.exception and any("Download" in button.label for button in at.get("download_button"))
    assert store.artifact(trained, schema.WEIGHTS_FILE)[:2] == b"PK", "torch's file is a zip archive"


def test_an_error_is_said_and_its_traceback_folded(rows: Any, opened: Any, tmp_path: Path) -> None:
    experiment = rows.create_experiment("x", (tmp_path / "a").as_uri())
    tags = {schema.KIND: schema.RUN_KIND, schema.ERROR: HOSTILE, schema.OUTCOME: "crashed"}
    run = rows.create_run(experiment, tags=tags, run_name="crash")
    (rows.artifacts(run) / schema.TRACEBACK_FILE).write_text("Traceback: <b>here</b>")
    at = opened(run, about="Events")
    assert at.error[0].value == ui.text(HOSTILE)
    assert at.expander[0].label == "Where it was raised" and at.code[0].value == "Traceback: <b>here</b>"


@pytest.mark.parametrize("about", ["Metrics", "Params", "Files", "System", "Events", "Weights", "Tags"])
def test_a_strangers_run_without_anything(rows: Any, opened: Any, about: str) -> None:
    run = rows.create_run("0", run_name=HOSTILE)
    at = opened(run, about=about)
    assert at.title[0].value == ui.text(HOSTILE, 120) and "last heard of" in text_of(at)
    assert "It logged no metric" in text_of(at).replace("\\", "") and not at.get("plotly_chart")


def test_a_strangers_run_with_everything_odd(rows: Any, opened: Any) -> None:
    values = [1.0, 2.0, math.nan, math.inf]
    run = rows.log_run("0", "odd", {"config": "{'a': {'b': HOSTILE}}"}, {"val loss: x": values})
    rows.delete_run(run)
    at = opened(run)
    assert "gray-badge[deleted]" in text_of(at) and "is no number" in text_of(at)
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert sum(trace.get("marker", {}).get("symbol") == "x-thin" for trace in figure["data"]) == 1
    assert [button.label for button in at.button if button.key == "restore"] == ["Restore"]


def test_no_run_and_an_unknown_one(opened: Any, uri: str) -> None:
    assert "No run is chosen" in text_of(opened(None))
    at = opened("<b>nothing</b>")
    assert ui.text("<b>nothing</b>", 60) in text_of(at) and "There is no run" in text_of(at)


def test_hundreds_of_metrics_draw_a_few(rows: Any, opened: Any) -> None:
    run = rows.log_run("0", "many", metrics={f"system/gpu_{k}": [k, k + 1] for k in range(300)}, status=None)
    at = opened(run)
    assert 0 < len(at.get("plotly_chart")) <= 8 and len(at.multiselect(key="run-curves").options) == 300


def test_metrics_of_one_quantity_share_a_panel() -> None:
    names = ["val/loss", "train/loss", "trainLoss", "test_loss", "opt/lr", "time/train_s"]
    panels = quantities(metric_roles.roles(names))
    assert panels["loss"] == ["val/loss", "test_loss", "train/loss"]
    assert sorted(name for group in panels.values() for name in group) == sorted(names), "each is in one panel"
    assert panels["opt/lr"] == ["opt/lr"] and panels["time/train_s"] == ["time/train_s"]


def test_what_is_no_number_is_marked_and_not_drawn() -> None:
    values = [1.0, math.nan, 3.0, math.inf, -math.inf]
    rows = [("m", step, 1000 * step, value) for step, value in enumerate(values)]
    histories = pd.DataFrame(rows, columns=["key", "step", "time", "value"])
    panel = panel_info("m", ["m", "gone"], histories, {"m": metric_roles.Role(), "gone": metric_roles.Role()})
    (trace,) = panel.traces
    assert trace.values.tolist() == [1.0, 3.0] and trace.seconds.tolist() == [0.0, 2.0]
    assert trace.values[trace.broken].tolist() == [1.0, 3.0]
    for dark in (False, True):
        figure = plot_panel(panel, dark=dark, log=True, x="seconds")
        assert np.asarray(figure.data[0].y).tolist() == [1.0, 3.0] and figure.data[1].marker.symbol == "x-thin"
