"""The figures of a search on the sweep's page: only the open one is read and drawn, each says how to read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.shared import store, ui
from app.sweep import search

LRS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3]
TRIALS: dict[tuple[str, float], list[str]] = {(name, lr): ["ok", "ok"] for name in ("adam", "sgd") for lr in LRS}
TRIALS[("sgd", 1.0)] = ["diverged", "ok"]
TRIALS[("adam", 1.0)] = ["pruned"]


def chart(at: Any, key: str) -> Any:
    """The data of a figure by its key."""
    figures = [
        json.loads(element.proto.spec) for element in at.get("plotly_chart") if element.proto.id.endswith(f"-{key}")
    ]
    assert len(figures) == 1, [element.proto.id for element in at.get("plotly_chart")]
    return figures[0]


def traces(figure: Any) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure["data"] if trace.get("name")}


def caption(at: Any, text: str) -> bool:
    return any(ui.text(text) in element.value for element in at.caption)


def test_history_marks_what_was_pruned_and_what_diverged(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", TRIALS)
    at = open_page("sweep", sweep="s", part="History")
    drawn = traces(chart(at, "history"))
    assert drawn["diverged"]["x"] == [12]
    assert drawn["pruned"]["x"] == [13] and drawn["pruned"]["y"] == [0.2], "its last value, where it was judged"
    assert caption(at, "The best of 12 trials is number 0 of 0 to 13: adam, lr 0.001; 1 was pruned; 1 diverged.")


def test_importance_is_of_trials_and_warns_of_few(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", TRIALS)
    at = open_page("sweep", sweep="s", part="Importance")
    assert caption(at, "PED-ANOVA over 13 trials, 1 without a value left out") and caption(at, "it is rough")
    at.segmented_control(key="evaluator").set_value("fANOVA").run()
    assert not at.exception and caption(at, "fANOVA over 12 trials")


def test_importance_of_too_few_trials_is_a_sentence(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"] * 3})
    at = open_page("sweep", sweep="s", part="Importance")
    assert caption(at, "Importance needs at least 10 trials with a result; there are 1.")


def test_slices_are_one_a_key_and_warn_of_the_edge(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", TRIALS)
    at = open_page("sweep", sweep="s", part="Slices")
    rates = chart(at, "slice-optimizer.lr")
    assert rates["layout"]["xaxis"]["type"] == "log"
    assert chart(at, "slice-optimizer.name")["layout"]["xaxis"]["ticktext"] == ["adam", "sgd"]
    assert ui.text("The best trial has the lowest optimizer.lr tried (0.001)") in words(at)


def test_a_contour_is_of_any_two_keys(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", TRIALS)
    at = open_page("sweep", sweep="s", part="Contour")
    (heat, *_) = chart(at, "contour")["data"]
    assert heat["type"] == "heatmap" and len(heat["x"]) == 7 and len(heat["y"]) == 2
    at.selectbox(key="up").set_value("optimizer.lr").run()
    assert caption(at, "Choose two different keys.")


def test_the_timeline_is_of_all_runs(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", TRIALS)
    at = open_page("sweep", sweep="s", part="Timeline")
    assert sum(len(trace["x"]) for trace in chart(at, "timeline")["data"]) == 27
    assert caption(at, "runs at one time")


@pytest.mark.parametrize("part", list(search.FIGURES))
@pytest.mark.parametrize("trials", [{}, {("a", 1.0): ["crashed"]}])
def test_nothing_yet_is_a_sentence(fake: Any, open_page: Any, part: str, trials: Any) -> None:
    fake.add("s", "queued", trials)
    at = open_page("sweep", sweep="s", part=part)
    assert not at.exception and not at.error


def test_only_the_open_figure_is_drawn(fake: Any, open_page: Any, monkeypatch: Any) -> None:
    fake.add("s", "finished", TRIALS)
    drawn: list[str] = []
    for name, draw in search.FIGURES.items():
        monkeypatch.setitem(
            search.FIGURES, name, lambda search, name=name, draw=draw: drawn.append(name) or draw(search)
        )
    open_page("sweep", sweep="s")
    assert drawn == []
    open_page("sweep", sweep="s", part="Slices")
    assert set(drawn) == {"Slices"}


def test_what_pruning_saved_is_said_and_pruned_trials_come_last(fake: Any, open_page: Any, words: Any) -> None:
    fake.add(
        "s",
        "running",
        {("a", 1.0): ["pruned"], ("b", 1.0): ["ok"] * 3, ("c", 1.0): ["running"], ("d", 1.0): ["diverged"]},
    )
    at = open_page("sweep", sweep="s")
    assert "pruning saved about 4 seconds of training: 1 run ended early and 2 runs not begun" in words(at)
    frame = next(element.value for element in at.dataframe if "remarks" in element.value)
    assert frame["optimizer.name"].tolist() == ["b", "d", "c", "a"]
    assert frame["remarks"].tolist()[-1] == "pruned" and frame["rank"].tolist()[-2:] == ["–", "–"]
    assert "1 was pruned and has no rank" in words(at)


def test_a_pruned_curve_ends_with_a_bar(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["pruned"], ("b", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s")
    figure = chart(at, "curves")
    (bar,) = [trace for trace in figure["data"] if trace.get("marker", {}).get("symbol") == "line-ns"]
    assert (bar["x"], bar["y"]) == ([5.0], [0.2])
    assert caption(at, "a bar is where the pruner ended a run")


def test_pruned_runs_are_read_for_the_open_figure_alone(fake: Any, open_page: Any, monkeypatch: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["pruned"], ("b", 1.0): ["ok"]})
    reads: list[tuple[str, ...]] = []
    histories = store.histories
    monkeypatch.setattr(store, "histories", lambda ids, metric: reads.append(ids) or histories(ids, metric))
    open_page("sweep", sweep="s", part="Timeline")
    assert ("s-0-0",) not in reads
    open_page("sweep", sweep="s", part="History")
    assert ("s-0-0",) in reads
