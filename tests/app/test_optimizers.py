"""The Optimizers page: verdict and protocol are shown whatever is missing, every tab draws, names are text."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.shared import store, ui

HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example) :red[r] " + "W" * 300
TABS = ["Curves", "Learning rate", "Budget", "Target", "Inside"]
RATES = (0.001, 0.01, 0.1)


def compared(fake: Any, seeds: int = 8, names: tuple[str, ...] = ("adam", "sgd"), **more: Any) -> None:
    """Methods at three rates each; the fake's results lie 0.1 apart from trial to trial."""
    order = [(name, lr) for lr in (0.01, 0.001, 0.1) for name in names]
    fake.add("s", "finished", {key: ["ok"] * seeds for key in order}, **more)


def layers() -> bytes:
    """The file that a run leaves of its layers."""
    buffer = io.BytesIO()
    np.savez(
        buffer, names=np.array(["a", "b"]), epochs=np.array([1, 2], dtype=np.int32), grad_norm=np.ones((2, 2)),
        activation_std=np.ones(2), condition=np.array([10.0, math.inf]),
    )  # fmt: skip
    return buffer.getvalue()


def charts(at: Any) -> list[Any]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def test_without_a_selection_it_offers_sweeps_and_the_explorers(fake: Any, open_page: Any, words: Any) -> None:
    lab = {"text": "x", "name": "optimizers-on-digits", "question": "Which?", "trials": 4, "runs": 12}
    fake.labs = {"optimizers-on-digits": lab}
    at = open_page("optimizers")
    assert "Which way of descending" in words(at)
    assert at.button(key="offer-optimizers-on-digits").label == "Launch"
    for name in ("Surface", "Averages", "Momentum"):
        at.button_group(key="explore").set_value([name]).run()
        assert not at.exception and charts(at), name


def test_the_verdict_the_choice_and_the_protocol_are_shown(fake: Any, open_page: Any, words: Any) -> None:
    compared(fake)
    text = words(open_page("optimizers", sweep="s"))
    assert ui.text("adam is better than sgd: val/loss 0.1 lower") in text
    assert ui.text("chosen by the same runs that judge it") in text
    assert ui.text("At their best: adam, lr 0.01; sgd, lr 0.01.") in text
    assert ui.text("Every method had as many trials") in text and ui.text("3 trials each.") in text
    assert ":red[" in text and ui.text("None is retrained: a sweep with a confirm section does that.") in text


def test_explorers_of_formulas_have_no_protocol(fake: Any, open_page: Any, words: Any) -> None:
    compared(fake)
    assert "Protocol" in words(open_page("optimizers", sweep="s", look="Inside"))
    at = open_page("optimizers", sweep="s", look="Explore")
    assert charts(at) and "Protocol" not in words(at)


def test_a_rate_that_all_runs_share_is_said(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", {(name, 0.03): ["ok"] * 3 for name in ("adam", "sgd")}, searched=["optimizer.name"])
    text = words(open_page("optimizers", sweep="s", look="Learning rate"))
    assert ui.text("optimizer.lr was the same, 0.03, in all runs: search it") in text


def test_a_search_space_is_that_of_the_methods_own_sweeps(fake: Any, open_page: Any, monkeypatch: Any) -> None:
    spec = "name: {}\nmodel: {{name: mlp}}\ndata: {{name: spirals}}\nsearch:\n"
    spec += "  optimizer.name: {{values: [{}, rmsprop]}}\n"
    spec += "  optimizer.lr: {{low: 0.001, high: {}, log: true, steps: 3}}\n"
    specs = {"s": spec.format("s", "adam", 0.1), "t": spec.format("t", "sgd", 0.9)}
    monkeypatch.setattr(store, "spec_text", lambda sweep: specs[sweep])
    fake.add("s", "finished", {(name, lr): ["ok"] * 3 for name in ("adam", "rmsprop") for lr in RATES})
    fake.add("t", "finished", {(name, lr): ["ok"] * 3 for name in ("sgd", "rmsprop") for lr in (0.1, 0.9)})
    (table,) = [frame.value for frame in open_page("optimizers", sweep="s,t").dataframe if "trials" in frame.value]
    spaces = dict(zip(table["method"], table["optimizer.lr"], strict=True))
    assert spaces["adam"] == "0.001 to 0.1, logarithmic, 3 steps"
    assert spaces["sgd"] == "0.001 to 0.9, logarithmic, 3 steps"
    assert spaces["rmsprop"] == "0.001, 0.01, 0.1, 0.9", "its sweeps differ: what it tried"


def test_unequal_budgets_are_red_in_the_protocol_and_above_the_figure(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", {("adam", 0.1): ["ok"] * 3, ("adam", 1.0): ["ok"] * 3, ("adam", 10.0): ["ok"] * 3,
                               ("sgd", 0.1): ["ok"] * 3, ("sgd", 1.0): ["ok"] * 3})  # fmt: skip
    text = words(open_page("optimizers", sweep="s", look="Budget"))
    assert f":red[{ui.text('Unequal budgets (adam 3, sgd 2 trials): compared up to 2 only.')}]" in text
    assert f":red[{ui.text('Every method had as many trials')}: no.]" in text


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize(
    "outcomes",
    [
        {("adam", 0.01): ["ok"]},
        {("adam", 0.01): ["ok", "ok"], ("sgd", 0.01): ["ok", "ok"], ("sgd", 0.1): ["ok", "diverged"]},
        {("adam", lr): ["diverged"] * 3 for lr in RATES},
        {("adam", 0.01): ["running"], ("sgd", 0.01): ["crashed"]},
        {(name, lr): ["ok"] * 4 for name in ("adam", "sgd") for lr in RATES},
    ],
    ids=["one run", "two seeds", "all diverged", "no result", "plenty"],
)
def test_every_tab_draws_or_says_what_is_missing(
    fake: Any, open_page: Any, words: Any, tab: str, outcomes: Any
) -> None:
    fake.add("s", "finished", outcomes)
    at = open_page("optimizers", sweep="s", look=tab)
    assert not at.error
    text = words(at)
    empty = (
        "was not logged", "logged no", "No run", "No trial", "one trial only", "with one optimizer", "was the same",
        "left",
    )  # fmt: skip
    assert charts(at) or any(ui.text(sentence) in text for sentence in empty)


@pytest.mark.parametrize("look", ["Gradient by layer", "Before training"])
def test_layers_are_read_from_the_runs_files(fake: Any, open_page: Any, monkeypatch: Any, look: str) -> None:
    read = []

    def artifact(run: str, path: str) -> bytes:
        read.append(run)
        if run.endswith("-1"):
            raise OSError("gone")
        return layers()

    monkeypatch.setattr(store, "artifact", artifact)
    compared(fake, seeds=4)
    at = open_page("optimizers", sweep="s", look="Inside", inside=look)
    assert len(charts(at)) == 2
    assert {run.partition("-")[2][0] for run in read} == {"0", "1"}, "of the best trial of each method alone"


def test_everything_that_is_set_lives_in_the_url(fake: Any, open_page: Any, words: Any) -> None:
    compared(fake)
    at = open_page("optimizers", sweep="s", look="Budget", trials="2", method="optimizer.lr")
    assert at.slider(key="trials").value == 2 and at.selectbox(key="method").value == "optimizer.lr"
    assert ui.text("With 2 trials lr 0.01 is expected to reach") in words(at)
    at = open_page("optimizers", sweep="s", look="Target", goal="0.3", clock="seconds")
    assert at.number_input(key="goal").value == 0.3 and at.button_group(key="clock").value == "seconds"
    assert ui.text("val/loss 0.3 is reached first by") in words(at)


def test_the_two_curves_share_their_scale_and_the_target(fake: Any, open_page: Any) -> None:
    compared(fake)
    left, right = charts(open_page("optimizers", sweep="s", **{"goal-line": "true"}))[:2]
    assert left["layout"]["yaxis"]["range"] == right["layout"]["yaxis"]["range"]
    assert left["layout"]["shapes"][0]["y0"] == right["layout"]["shapes"][0]["y0"] == 0.2
    assert left["layout"]["xaxis"]["title"]["text"] != right["layout"]["xaxis"]["title"]["text"]


def test_a_range_test_is_drawn_and_judges_nothing(fake: Any, open_page: Any, words: Any, monkeypatch: Any) -> None:
    fake.add("s", "finished", {("adam", 0.01): ["ok"] * 3})
    whole = fake.records

    def records(*args: Any, **kwargs: Any) -> Any:
        frames = whole(*args, **kwargs)
        rows = [(run, "schedule.name", "range_test") for run in frames.runs["run_id"]]
        more = pd.DataFrame(rows, columns=["run_id", "key", "value"])
        return type(frames)(frames.runs, pd.concat([frames.params, more]), frames.tags, frames.metrics)

    def histories(run_ids: Any, metric: str) -> pd.DataFrame:
        value = {"opt/lr": lambda step: 1e-4 * 10.0**step, "train/loss": lambda step: abs(step - 4) + 1.0}
        rows = [(run, metric, step, 0, value[metric](step)) for run in run_ids for step in range(1, 8)]
        return pd.DataFrame(rows, columns=["run_id", "key", "step", "time", "value"])

    monkeypatch.setattr(store, "records", records)
    monkeypatch.setattr(store, "histories", histories)
    at = open_page("optimizers", sweep="s", look="Learning rate")
    text = words(at)
    assert "range test" in text and ui.text("turns at 1 (1 to 1)") in text and "Protocol" not in text
    assert len(charts(at)) == 1


def test_confirm_runs_judge(fake: Any, open_page: Any, words: Any) -> None:
    compared(fake, seeds=3)
    runs = fake.runs_of["s"]
    best = runs[runs["trial"].isin([0, 1])]
    fresh = pd.concat([best.assign(seed=best["seed"] + 100 * k, run_id=best["run_id"] + f"-{k}") for k in (1, 2, 3, 4)])
    fresh = fresh.assign(phase="confirm", group="c" + fresh["group"], objective=fresh["objective"] + 0.5)
    fake.runs_of["s"] = pd.concat([runs, fresh], ignore_index=True)
    text = words(open_page("optimizers", sweep="s"))
    assert ui.text("from their confirm runs") in text and ui.text("judged by fresh seeds") in text
    assert ui.text("12 fresh seeds each.") in text


def test_a_stranger_with_other_names_is_served(fake: Any, open_page: Any, words: Any, monkeypatch: Any) -> None:
    compared(fake, seeds=8)
    whole = fake.records

    def records(*args: Any, **kwargs: Any) -> Any:
        frames = whole(*args, **kwargs)
        names = {"optimizer.name": "opt", "optimizer.lr": "learning_rate"}
        params = frames.params.assign(key=frames.params["key"].map(names))
        seeds = frames.tags[frames.tags["key"] == "seed"]
        metrics = frames.metrics[frames.metrics["key"] == "val/loss"].assign(
            key="val_acc", value=lambda f: 1 - f["value"]
        )
        runs = frames.runs.assign(parent="")
        return type(frames)(runs, pd.concat([params, seeds]), frames.tags[:0], metrics)

    monkeypatch.setattr(store, "records", records)
    at = open_page("optimizers", runs=",".join(fake.runs_of["s"]["run_id"]), look="Learning rate")
    assert not at.error
    text = words(at)
    assert ui.text("adam is better than sgd: 1 − val_acc 0.1 lower") in text
    assert ui.text("Best learning_rate") in text
    for tab in TABS:
        at = open_page("optimizers", runs=",".join(fake.runs_of["s"]["run_id"]), look=tab)
        assert not at.error


def test_names_are_text(fake: Any, open_page: Any, bare: Any) -> None:
    compared(fake, seeds=3, names=(HOSTILE, "sgd"))
    for tab in TABS:
        at = open_page("optimizers", sweep="s", look=tab)
        bare([element.value for element in [*at.markdown, *at.caption]])
        for chart in charts(at):
            assert "<img" not in json.dumps(chart).replace("\\u003c", "<")


def test_a_sweep_of_500_runs_has_few_reads(fake: Any, open_page: Any, monkeypatch: Any) -> None:
    """Only the judged runs' curves are read, one query a metric."""
    counts = []
    whole = fake.histories
    monkeypatch.setattr(store, "histories", lambda ids, metric: counts.append(len(ids)) or whole(ids, metric))
    fake.add("s", "finished", {(name, 10.0**-k): ["ok"] * 5 for name in "abcde" for k in range(20)})
    open_page("optimizers", sweep="s")
    assert max(counts) == 25 and len(counts) <= 8


def test_without_a_method_the_answer_is_a_sentence_all_the_same(
    fake: Any, open_page: Any, words: Any, monkeypatch: Any
) -> None:
    fake.add("s", "finished", {("adam", 0.1): ["ok"] * 3})
    frames = store.records(("s",), ())
    renamed = frames.params[frames.params["key"] == "optimizer.lr"].assign(key="hparams/eta")
    other = type(frames)(frames.runs, renamed, frames.tags, frames.metrics)
    monkeypatch.setattr(store, "records", lambda *chosen: other)
    text = words(open_page("optimizers", sweep="s"))
    assert "Only all runs" not in text
    assert "No param tells methods apart\\: the runs of the best configuration reach val/loss" in text
