"""Runs as strangers log them, each kind odd in one way: every page answers, and says what they are."""

from __future__ import annotations

import base64
import json
import math
import time
from typing import Any

import numpy as np
import pytest

PAGES = ("runs", "compare", "bias_variance", "optimizers", "regularization", "quality", "run")
"""Those that show runs that no sweep of ours has trained."""


@pytest.fixture
def logged(rows: Any, client: Any) -> Any:
    """`logged(params, metrics)` stores one run after the other in one experiment and returns its id."""
    experiment = rows.create_experiment("odd")
    clock = iter(range(1, 10_000))

    def log(params: Any, metrics: Any) -> str:
        start = 1000 * next(clock)
        return str(rows.log_run(experiment, f"run {start}", params, metrics, start=start))

    log.experiment = experiment  # type: ignore[attr-defined]
    return log


def opened(visit: Any, page: str, experiment: str, runs: list[str]) -> Any:
    """A page on these runs."""
    address = {"runs": {"experiment": experiment}, "run": {"run": runs[-1]}}
    return visit(page, **address.get(page, {"runs": ",".join(runs)}))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("end", [math.inf, math.nan])
def test_a_loss_that_became_no_number_is_no_result_on_any_page(
    logged: Any, visit: Any, words: Any, page: str, end: float
) -> None:
    """MLflow stores infinity as the largest number, which is no result."""
    runs = [
        logged(
            {"lr": lr, "optimizer": method, "seed": str(seed)},
            {key: [1.0, 0.5, last + seed / 100] for key in ("train_loss", "val_loss")},
        )
        for method, lr, last in (("sgd", "0.1", 0.4), ("adam", "10.0", end))
        for seed in range(3)
    ]
    text = words(opened(visit, page, logged.experiment, runs))
    assert "e+30" not in text and "e308" not in text
    if page in ("compare", "optimizers"):
        assert "diverged in 3 of 3 runs" in text
    if page == "optimizers":
        assert "3 of 6 runs diverged" in text


# Names that steer the text around them

STEERING = ("\u202e", "\u2066", "\u200b", "\u200f", "\u2028", "\x1b[")


def sent(at: Any) -> str:
    """Everything that a page sends to the browser: texts, options, tables, figures."""
    nodes = [node for block in (at.main, at.sidebar) for node in block if getattr(node, "proto", None) is not None]
    return "\n".join(node.proto.SerializeToString().decode("utf-8", "ignore") for node in nodes)


@pytest.fixture
def steering(rows: Any, client: Any) -> list[str]:
    """The ids of runs whose names, keys, values, notes and files hold characters that steer text."""
    experiment = rows.create_experiment("\u2066experiment")
    runs = []
    for method in ("adam\u200b", "adam"):
        for seed in range(3):
            params = {"opt.\u2066name": method, "seed": str(seed), "te\u200fxt": "\x1b[31mred"}
            curve = [1.0, 0.5, 0.4 + seed / 100 + len(method) / 50]
            metrics = {"val_loss\u202e": curve, "train_loss": curve}
            tags = {"ta\u202eg": "a\u2028b", "mlflow.note.content": "no\u202ete", "error": "\u202eerror"}
            runs.append(rows.log_run(experiment, f"\u202eevil {seed}", params, metrics, tags, start=1000))
    file = rows.artifacts(runs[-1]) / "no\u200bte.txt"
    file.write_text("\u202etext")
    return runs


@pytest.mark.parametrize("page", PAGES)
def test_a_name_steers_no_text_on_any_page(steering: list[str], visit: Any, page: str) -> None:
    shown = sent(opened(visit, page, "", steering))
    for text in STEERING:
        assert text not in shown and json.dumps(text)[1:-1] not in shown
    if page in ("runs", "run"):
        assert "[U+202E]evil" in shown.replace("\\", "")
    if page in ("runs", "compare", "optimizers", "regularization"):
        assert "adam[U+200B]" in shown, "two names that differ stay two"


def test_what_has_such_a_name_is_found_by_it(steering: list[str], visit: Any) -> None:
    at = visit("run", run=steering[-1])
    assert any("val_loss[U+202E]" in chart.proto.spec for chart in at.get("plotly_chart")), "the curve was read"
    at = visit("run", run=steering[-1], about="Files")
    assert at.dataframe[0].value["file"].tolist() == ["no[U+200B]te.txt"]


# Steps and times that mislead


@pytest.fixture
def at_steps(rows: Any, logged: Any) -> Any:
    """`at_steps(name, [(step, time, value), ...])` stores a run that began now and returns its id; times are in ms."""

    def log(name: str, points: Any, seed: int = 0) -> str:
        now = int(time.time() * 1000)
        run = rows.create_run(logged.experiment, run_name=name, start_time=now)
        with rows.at_once():
            rows.log_param(run, "seed", str(seed))
            rows.log_param(run, "optimizer", "adam" if seed % 2 else "sgd")
            for step, when, value in points(now):
                rows.log_metric(run, "val_loss", value, timestamp=when, step=step)
            rows.set_terminated(run, end_time=now + 60_000)
        return str(run)

    return log


def resumed(now: int) -> list[tuple[int, int, float]]:
    """The steps of a run: ten, and then those from 5 to 14, as of a job that was resumed."""
    first = [(step, now + 1000 * step, 1 / (step + 1)) for step in range(10)]
    return first + [(step, now + 1000 * (step + 10), 0.5 - step / 50) for step in range(5, 15)]


@pytest.mark.parametrize("page", ["compare", "bias_variance", "optimizers", "regularization", "run"])
def test_steps_that_were_logged_twice_are_said_once(at_steps: Any, visit: Any, words: Any, page: str) -> None:
    runs = [at_steps(f"job {seed}", resumed, seed) for seed in range(2)]
    text = words(opened(visit, page, "", runs)).replace("\\", "")
    whose = "val_loss" if page == "run" else "job 0 and job 1"
    assert text.count(f"Steps 5 to 9 of {whose} were logged twice: the latest value of each step is shown") == 1


@pytest.mark.parametrize("page", ["compare", "optimizers"])
def test_epochs_beside_batches_on_one_axis_are_said(at_steps: Any, visit: Any, words: Any, page: str) -> None:
    def epochs(now: int) -> list[tuple[int, int, float]]:
        return [(step, now + step, 1 / (step + 1)) for step in range(20)]

    def batches(now: int) -> list[tuple[int, int, float]]:
        return [(469 * (step + 1), now + step, 1 / (step + 2)) for step in range(20)]

    runs = [at_steps("ours", epochs), at_steps("theirs", batches, 1)]
    text = words(opened(visit, page, "", runs)).replace("\\", "")
    assert text.count("These steps may not count the same thing") == 1
    assert "ours has one value per step, up to step 19; theirs has one value per 469 steps, up to step 9,380" in text
    alike = words(opened(visit, page, "", [at_steps("ours", epochs, 2), at_steps("longer", resumed, 3)]))
    assert "may not count the same thing" not in alike


def in_seconds(now: int) -> list[tuple[int, int, float]]:
    """The ten steps of a run, with seconds since 1970 where milliseconds belong."""
    return [(step, now // 1000 + step, 1 / (step + 1)) for step in range(10)]


def numbers(values: Any) -> list[float]:
    """What plotly holds as a list or packed, without what is missing."""
    if isinstance(values, dict):
        return [float(value) for value in np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])]
    return [float(value) for value in values if value is not None]


@pytest.mark.parametrize("page", ["compare", "optimizers", "run"])
def test_a_time_that_is_none_is_said_and_its_curve_is_not_drawn(
    at_steps: Any, visit: Any, words: Any, page: str
) -> None:
    right, wrong = at_steps("right", resumed), at_steps("wrong", in_seconds, 1)
    address = {"compare": {"x": "time"}, "run": {"run-x": "time"}}.get(page, {})
    at = visit(page, **address, **({"run": wrong} if page == "run" else {"runs": f"{right},{wrong}"}))
    name = "val_loss" if page == "run" else "wrong"
    assert f"{name} is not drawn over time: its values have times such as 1970-" in words(at).replace("\\", "")
    figures = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    over_time = [figure for figure in figures if "seconds" in str(figure["layout"]["xaxis"].get("title"))]
    places = [place for figure in over_time for trace in figure["data"] for place in numbers(trace["x"])]
    assert all(0 <= place <= 60 for place in places) and bool(places) == (page != "run")


def test_a_run_that_ended_before_it_began_has_no_duration(rows: Any, logged: Any, visit: Any, words: Any) -> None:
    now = int(time.time() * 1000)
    run = rows.create_run(logged.experiment, run_name="backwards", start_time=now)
    rows.log_metric(run, "loss", 0.5, timestamp=now, step=0)
    rows.set_terminated(run, end_time=now - 5000)
    assert "took" not in words(visit("run", run=run))
    assert visit("runs", experiment="odd").dataframe[-1].value["duration"].isna().all()
