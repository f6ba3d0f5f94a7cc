"""The Regularization page: the answer, every tab over rich and poor sweeps, what is missing is said, names are text."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from app.shared import store, ui
from tracking import schema
from tracking.frames import Records

L2, LR, DROPOUT, NORM = "regularization.l2", "optimizer.lr", "model.dropout", "model.norm"
PATIENCE = "regularization.early_stopping_patience"
TABS = ["Strength", "Against none", "Path", "Weights", "Early stopping", "Training mode", "Factorial", "Regions"]
EPOCHS = 12
HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example) :red[r] $x$ " + "W" * 60


def saved(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def layers(scale: float) -> bytes:
    edges = np.linspace(-1, 1, 42)
    weights = np.random.default_rng(0).normal(0, scale, 400)
    counts, _ = np.histogram(np.clip(weights, -1, 1), edges)
    return saved(
        {
            "names": np.array(["hidden", "output"]), "epochs": np.array([1, EPOCHS], dtype=np.int32),
            "weight_norm": np.full((2, 2), scale, dtype=np.float32), "near_zero": np.array([0.1, 0.2]),
            "effective_rank": np.array([4.0, 2.0]), "histogram": np.stack([counts, counts]), "edges": edges,
        }
    )  # fmt: skip


def regions(slope: float) -> bytes:
    grid = np.linspace(-1, 1, 12)
    p = np.broadcast_to(1 / (1 + np.exp(-slope * grid)), (12, 12))
    return saved(
        {
            "x": grid, "y": grid, "probabilities": np.stack([1 - p, p], axis=2).astype(np.float16),
            "points": np.array([[0.5, 0.5]], dtype=np.float32), "labels": np.array([1], dtype=np.int32),
            "classes": np.array(["no", "yes"]),
        }
    )  # fmt: skip


class Swept:
    """A sweep by hand: params -> what became of each seed; its curves and files follow from the values."""

    def __init__(self, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake = fake
        self.runs: list[dict[str, Any]] = []
        self.metrics = [schema.VAL_ERROR, schema.VAL_LOSS, schema.TRAIN_EVAL_ERROR, schema.TRAIN_EVAL_LOSS,
                        schema.TRAIN_LOSS]  # fmt: skip
        self.files: dict[tuple[str, str], bytes] = {}
        for name in ("records", "histories", "artifact"):
            monkeypatch.setattr(store, name, getattr(self, name))

    def add(self, trials: dict[tuple[Any, ...], list[str]], keys: list[str], *, files: bool = True) -> None:
        self.fake.add("s", "finished", {}, searched=keys, metric=schema.VAL_ERROR)
        for trial, (values, seeds) in enumerate(trials.items()):
            for seed, outcome in enumerate(seeds):
                run = f"s-{trial}-{seed}"
                result = 0.4 - 0.1 * trial + 0.01 * seed if outcome == "ok" else math.nan
                outcome = "ok" if outcome == "nan" else outcome  # ended well, without a number
                record = {"run": run, "trial": trial, "seed": seed, "outcome": outcome, "result": result}
                self.runs.append(record | {"params": dict(zip(keys, values, strict=True))})
                if files and outcome == "ok":
                    self.files[run, schema.LAYERS_FILE] = layers(0.2 / (1 + trial))
                    self.files[run, schema.REGIONS_FILE] = regions(1.0 + trial + seed)

    def records(self, *chosen: Any) -> Records:
        rows, params, tags, metrics = [], [], [], []
        for record in self.runs:
            run, start = record["run"], self.fake.now - 60_000
            status = "RUNNING" if record["outcome"] == "running" else "FINISHED"
            rows.append((run, run, "1", status, start, start + 2000, "s"))
            params += [(run, key, json.dumps(value) if value is not None else "None")
                       for key, value in record["params"].items()]  # fmt: skip
            about = {"kind": "run", "trial": record["trial"], "seed": record["seed"], "group": f"g{record['trial']}",
                     "phase": "search"}  # fmt: skip
            about |= {} if record["outcome"] == "running" else {"outcome": record["outcome"]}
            tags += [(run, key, str(value)) for key, value in about.items()]
            if math.isfinite(record["result"]):
                metrics += [(run, key, record["result"], EPOCHS, start) for key in (*self.metrics, schema.OBJECTIVE)]
            if record["outcome"] == "diverged":  # with what it measured before
                metrics += [(run, key, 0.9, 3, start) for key in self.metrics]
        columns = ["run_id", "name", "experiment_id", "status", "start_time", "end_time", "parent"]
        long = ["run_id", "key", "value"]
        return Records(
            pd.DataFrame(rows, columns=columns), pd.DataFrame(params, columns=long), pd.DataFrame(tags, columns=long),
            pd.DataFrame(metrics, columns=[*long, "step", "time"]),
        )  # fmt: skip

    def histories(self, run_ids: tuple[str, ...], metric: str) -> pd.DataFrame:
        rows = []
        for record in self.runs:
            if (
                record["run"] not in run_ids
                or metric not in self.metrics
                or record["outcome"] in ("running", "crashed")
            ):
                continue
            for step in range(1, EPOCHS + 1):
                value = 1 / step + abs(step - 6) / 20 + 0.01 * record["seed"]
                value = math.nan if record["outcome"] == "diverged" and step > 3 else value
                rows.append((record["run"], metric, step, self.fake.now, value))
        return pd.DataFrame(rows, columns=["run_id", "key", "step", "time", "value"])

    def artifact(self, run_id: str, path: str) -> bytes:
        if (run_id, path) not in self.files:
            raise OSError("there is no such file")
        return self.files[run_id, path]


@pytest.fixture
def swept(fake: Any, monkeypatch: pytest.MonkeyPatch) -> Swept:
    """A store that holds one sweep by hand."""
    st.cache_resource.clear()
    return Swept(fake, monkeypatch)


def charts(at: Any) -> list[Any]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


EIGHT = ["ok"] * 8


def test_without_a_selection_it_offers_its_sweeps(fake: Any, open_page: Any, words: Any) -> None:
    fake.labs = {"l2": {"text": "x", "name": "l2", "question": "How strong?", "trials": 4, "runs": 12}}
    at = open_page("regularization")
    assert "Which restraint" in words(at) and at.button(key="offer-l2").label == "Launch"


def test_the_best_against_none_is_the_headline(swept: Swept, open_page: Any, words: Any) -> None:
    swept.add({(0.0,): EIGHT, (0.01,): EIGHT, (0.1,): EIGHT}, [L2])
    at = open_page("regularization", sweep="s")
    text = words(at)
    assert f"## {ui.text('l2 0.1 is better than l2 0: val/error 0.2 lower')}" in text
    assert ui.text("Holm's correction for 2 pairs") in text
    assert ui.text("the highest tried: a wider range may hold a better one") in text
    assert at.selectbox(key="axis").value == L2 and len(charts(at)) == 1


def test_a_claims_verdict_and_that_of_the_best_that_was_found_are_told_apart(
    swept: Swept, open_page: Any, words: Any, fake: Any
) -> None:
    fake.spec = """
name: s
model: {name: mlp}
data: {name: digits}
optimizer: {name: adam}
search: {regularization.l2: {values: [0.0, 0.01, 0.1]}}
seeds: 8
objective: {metric: val/error}
claim: {text: It helps., better: {regularization.l2: 0.1}, than: {regularization.l2: 0.0}}
"""
    swept.add({(0.0,): EIGHT, (0.01,): EIGHT, (0.1,): EIGHT}, [L2])
    text = words(open_page("regularization", sweep="s"))
    assert "This was found by looking at the runs, so it is corrected for 2 comparisons" in text.replace("\\", "")
    assert "Supported" in text and ui.text("It helps.") in text


RICH = {(l2, lr): EIGHT for l2 in (0.0, 0.01, 0.1) for lr in (0.1, 0.01)}


def each_tab(at: Any) -> Any:
    """The page with one tab after the other open."""
    for tab in TABS:
        if at.session_state["look"] != tab:
            at.session_state["look"] = tab
            at.run()
        assert not at.exception and not at.error, tab
        yield tab


def test_every_tab_draws_a_rich_sweep(swept: Swept, open_page: Any) -> None:
    swept.add(RICH, [L2, LR])
    at = open_page("regularization", sweep="s")
    panels = {"Training mode": 3, "Regions": 3, "Early stopping": 2}
    for tab in each_tab(at):
        drawn = charts(at)
        assert len(drawn) == panels.get(tab, 1), tab
        assert all(any(len(trace.get("x", [])) or "z" in trace for trace in figure["data"]) for figure in drawn), tab


@pytest.mark.parametrize(
    "trials",
    [
        {(0.0, 0.1): ["ok"]},
        {(0.0, 0.1): ["ok"] * 2, (0.1, 0.1): ["ok"] * 2},
        {(0.0, 0.1): ["diverged"] * 3, (0.1, 0.1): ["diverged"] * 3},
        {(0.0, 0.1): ["running"], (0.1, 0.1): ["crashed"]},
        {(0.0, 0.1): ["ok", "diverged", "ok"], (0.1, 0.1): ["diverged"] * 3, (1.0, 0.1): ["ok", "crashed", "running"]},
        {(0.0, 0.1): ["nan", "ok", "nan"], (0.1, 0.1): ["ok", "nan", "ok"]},
    ],
    ids=["one run", "two seeds", "all diverged", "no result", "mixed", "without numbers"],
)
def test_poor_sweeps_draw_or_say_what_is_missing(swept: Swept, open_page: Any, words: Any, trials: Any) -> None:
    swept.add(trials, [L2, LR])
    at = open_page("regularization", sweep="s")
    if "no metric that could be taken" in words(at):
        assert not any(math.isfinite(run["result"]) for run in swept.runs)
        return
    for tab in each_tab(at):
        empty = (
            "No run",
            "None of these runs",
            "do not differ",
            "diverged",
            "not fully crossed",
            "taken apart",
            "No seed",
        )
        assert charts(at) or any(ui.text(sentence) in words(at) for sentence in empty), tab


def test_runs_that_left_no_files_say_so(swept: Swept, open_page: Any, words: Any) -> None:
    swept.add({(0.0,): EIGHT, (0.1,): EIGHT}, [L2], files=False)
    at = open_page("regularization", sweep="s")
    files = {"Path": "layers.npz", "Weights": "layers.npz", "Regions": "regions.npz"}
    for tab in each_tab(at):
        assert tab not in files or (ui.text(files[tab]) in words(at) and not charts(at))


def test_several_regularizers_are_answered_by_the_forest(swept: Swept, open_page: Any, words: Any) -> None:
    swept.add({(0.0, 0.0): EIGHT, (0.1, 0.0): EIGHT, (0.0, 0.5): EIGHT}, [L2, DROPOUT])
    text = words(open_page("regularization", sweep="s"))
    assert f"## {ui.text('Better than none: dropout 0.5 and L2 0.1.')}" in text
    assert ui.text("l2 0.1 is") in text or ui.text("l2 0") in text, "the strength has its own sentence in its tab"


def test_another_param_can_be_held_fast(swept: Swept, open_page: Any, words: Any) -> None:
    swept.add({(0.0, 0.1): EIGHT, (0.1, 0.1): EIGHT, (0.0, 0.01): EIGHT, (0.1, 0.01): EIGHT}, [L2, LR])
    at = open_page("regularization", sweep="s")
    assert ui.text("Each strength stands at its best configuration") in words(at)
    at.selectbox(key=f"hold-{LR}-along-{L2}").set_value("0.1").run()
    assert not at.exception and ui.text("Each strength stands at its best") not in words(at)
    assert ui.text("val/error 0.1 lower") in words(at)


def test_other_regularizers_are_off_so_that_none_is_none(swept: Swept, open_page: Any, words: Any) -> None:
    # The best of all has both, the worst of all is none: with the other at its best, none would look good.
    swept.add({(0.0, 0.0): EIGHT, (0.1, 0.0): EIGHT, (0.0, 0.5): EIGHT, (0.1, 0.5): EIGHT}, [L2, DROPOUT])
    at = open_page("regularization", sweep="s")
    assert at.selectbox(key=f"hold-{DROPOUT}-along-{L2}").value == "0"
    assert ui.text("l2 0.1 is better than l2 0: val/error 0.1 lower") in words(at)
    at.selectbox(key=f"hold-{DROPOUT}-along-{L2}").set_value("its best").run()
    assert ui.text("at its best stands l2 0 with dropout 0.5 and l2 0.1 with dropout 0.5") in words(at)


def test_another_network_is_no_weaker_strength(swept: Swept, open_page: Any) -> None:
    swept.add(
        {(0.0, 0.0, 128): EIGHT, (0.1, 0.0, 128): EIGHT, (0.0, 0.0, 256): EIGHT, (0.0, 0.5, 256): EIGHT},
        [L2, DROPOUT, "data.train_size"],
    )
    at = open_page("regularization", sweep="s")
    assert at.selectbox(key=f"hold-data.train_size-along-{L2}").value == "128"
    assert charts(at)[0]["layout"]["xaxis"]["ticktext"] == ["0", "0.1"]
    at.selectbox(key="axis").set_value(DROPOUT).run()
    assert at.selectbox(key=f"hold-data.train_size-along-{DROPOUT}").value == "256"
    assert charts(at)[0]["layout"]["xaxis"]["ticktext"] == ["0", "0.5"], "what was usual along the other one is left"


def test_an_argument_of_one_optimizer_is_no_strength(swept: Swept, open_page: Any, words: Any) -> None:
    names = ["optimizer.name", "optimizer.momentum", "optimizer.beta1"]
    swept.add({("sgd", None, None): EIGHT, ("momentum", 0.9, None): EIGHT, ("adam", None, 0.9): EIGHT}, names)
    at = open_page("regularization", sweep="s")
    assert charts(at)[0]["layout"]["xaxis"]["ticktext"] == ["sgd", "momentum", "adam"]
    assert ui.text("beta1 not set") not in words(at)


def test_words_are_strengths_too(swept: Swept, open_page: Any, words: Any) -> None:
    swept.add({("none",): EIGHT, ("batch",): EIGHT}, [NORM])
    at = open_page("regularization", sweep="s")
    assert ui.text("norm batch is better than norm none") in words(at)
    assert charts(at)[0]["layout"]["xaxis"]["ticktext"] == ["none", "batch"]


def test_a_patience_is_simulated_and_its_partner_known(swept: Swept, open_page: Any, words: Any) -> None:
    swept.add({(0,): EIGHT, (2,): EIGHT}, [PATIENCE])
    at = open_page("regularization", sweep="s", look="Early stopping")
    assert at.selectbox(key="stopped").value.endswith("patience 0"), "the whole curves come first"
    at.slider(key=f"patience-{EPOCHS - 1}").set_value(3).run()
    # The curve of every seed falls to epoch 5 or 6 and rises from there.
    assert ui.text("Patience 3 would have chosen epoch") in words(at) and ui.text("n=8") in words(at)
    assert len(charts(at)) == 2


def test_one_seeds_regions_can_be_asked_for(swept: Swept, open_page: Any, words: Any) -> None:
    swept.add({(0.0,): ["ok"] * 3, (0.5,): ["ok"] * 3}, [DROPOUT])
    at = open_page("regularization", sweep="s", look="Regions")
    at.selectbox(key="region-seed").set_value("2").run()
    assert not at.exception and ui.text("the probabilities of seed 2") in words(at) and len(charts(at)) == 2


@pytest.mark.parametrize(("tab", "key"), [("Training mode", "modes"), ("Regions", "regions")])
def test_panels_are_taken_along_as_one_figure(swept: Swept, open_page: Any, tab: str, key: str) -> None:
    swept.add({(l2,): ["ok"] * 3 for l2 in (0.0, 0.01, 0.1)}, [L2])
    at = open_page("regularization", sweep="s", look=tab)
    at.button(key=f"image-{key}").click().run()
    assert not at.exception
    whole = charts(at)[-1]
    assert {"xaxis", "xaxis2", "xaxis3"} <= set(whole["layout"]) and len(charts(at)) == 4


def test_names_are_text(swept: Swept, open_page: Any) -> None:
    swept.add({(HOSTILE,): EIGHT, ("none",): EIGHT}, ["model.kind"])
    at = open_page("regularization", sweep="s")
    for _ in each_tab(at):
        for chart in at.get("plotly_chart"):
            assert "<img" not in chart.proto.spec
        for element in [*at.markdown, *at.caption]:
            assert "<img" not in element.value.replace("\\<", "") and "](http" not in element.value
