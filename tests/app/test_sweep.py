"""A sweep's page: its answer, its numbers, its buttons, in every state."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import streamlit as st

from analysis.figures.curves import Curve, CurvesInfo, Line
from app.shared import ui
from app.sweep import curves

HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example) :red[r] " + "W" * 300


def table(at: Any, column: str) -> Any:
    """The table that has this column."""
    return next(frame.value for frame in at.dataframe if column in frame.value)


def labels(at: Any) -> set[str]:
    """The buttons and the links that there are."""
    return {button.label for button in at.button} | {link.value for link in at.page_link}


def test_a_running_sweep_answers_so_far(fake: Any, open_page: Any, words: Any) -> None:
    fake.add(
        "s",
        "running",
        {("adam", 0.01): ["ok", "ok", "ok"], ("sgd", 0.1): ["ok", "running"], ("sgd", 1.0): ["diverged"]},
        question="Which one?",
    )
    at = open_page("sweep", sweep="s")
    text = words(at)
    assert at.title[0].value == ui.text("Which one?")
    assert (
        ui.text("adam, lr 0.01 leads 3 configurations so far with val/loss 0.110 ± 0.025 (95% t-interval, n=3)") in text
    )
    assert ui.text("Too few seeds: at least 4 more make a verdict possible, as exact tests of 3 pairs") in text
    assert "5 of 9 runs · about" in text and "left" in text
    assert "**4** ok" in text and ":red[**1** diverged]" in text and "**3** waiting" in text
    assert {"Pause", "Stop", "Duplicate"} <= labels(at) and not {"Resume", "Retry crashed"} & labels(at)


def test_the_ranking_puts_the_diverged_last_and_says_of_how_many(fake: Any, open_page: Any) -> None:
    fake.add(
        "s", "finished", {("a", 1.0): ["diverged"] * 3, ("b", 1.0): ["ok", "ok", "diverged"], ("c", 1.0): ["ok"] * 3}
    )
    frame = table(open_page("sweep", sweep="s"), "remarks")
    assert frame["optimizer.name"].tolist() == ["c", "b", "a"]
    assert frame["seeds"].tolist() == ["3 of 3", "2 of 3", "0 of 3"]
    assert frame["±"].notna().tolist() == [True, False, False], "two finite seeds carry no interval"


def test_errors_of_zero_are_drawn_on_a_linear_scale() -> None:
    def info(values: list[float]) -> Any:
        steps = np.arange(len(values))
        line = Line("run", 0, "ok", steps, np.array(values))
        return CurvesInfo("val/loss", [Curve(cast(Any, SimpleNamespace(diverged=0)), [line], steps, [])])

    most, few = info([0.0, 0.0, 0.5]), info([0.0, 0.2, 0.5])
    assert curves.mostly_zero(most) and not curves.mostly_zero(few)
    assert "the scale is linear" in curves.axis_reading(most, log=False, wanted=True)
    assert "linear" not in curves.axis_reading(most, log=False, wanted=False)
    assert "1 value at or below zero cannot be shown" in curves.axis_reading(few, log=True, wanted=True)


def test_all_diverged(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["diverged"] * 3, ("b", 1.0): ["diverged"] * 3})
    at = open_page("sweep", sweep="s")
    assert ui.text("All 6 runs diverged.") in words(at) and "verdict" not in words(at)
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert sum(trace.get("marker", {}).get("symbol") == "x-thin" for trace in figure["data"]) == 6


def test_nothing_has_happened_yet(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "queued", {})
    at = open_page("sweep", sweep="s")
    assert "No result yet" in words(at) and "appears with the first epoch" in words(at)
    assert not at.get("plotly_chart")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("queued", {"Pause", "Stop"}), ("running", {"Pause", "Stop", "Retry crashed"}), ("pausing", {"Resume", "Stop"}),
        ("paused", {"Resume", "Stop", "Retry crashed"}), ("stopping", set()), ("stopped", {"Resume", "Retry crashed"}),
        ("finished", {"Retry crashed"}), ("failed", {"Resume", "Retry crashed"}),
    ],
)  # fmt: skip
def test_the_buttons_fit_the_state(fake: Any, open_page: Any, state: str, expected: set[str]) -> None:
    fake.add("s", state, {("a", 1.0): ["ok", "crashed"]})
    at = open_page("sweep", sweep="s")
    assert labels(at) & {"Pause", "Stop", "Resume", "Retry crashed"} == expected
    for label in expected:
        name = label.split()[0].lower()
        at.button(key=f"do-{name}").click().run()
        assert fake.client.commands[-1] == (name, "s")


def test_the_buttons_are_the_commands_that_the_service_obeys() -> None:
    from app.sweep.actions import ABOUT
    from sweeps.client import Client
    from tracking.schema import COMMANDS

    assert set(ABOUT) == set(COMMANDS)
    assert all(callable(getattr(Client, name)) for name in COMMANDS)


def test_a_refused_command_is_said(fake: Any, open_page: Any) -> None:
    from sweeps.client import CommandError

    fake.add("s", "running", {("a", 1.0): ["ok"]})
    fake.client.fails = CommandError("it has *just* finished")
    at = open_page("sweep", sweep="s")
    at.button(key="do-pause").click().run()
    assert [error.value for error in at.error] == [ui.text("it has *just* finished")]


def test_one_run_can_be_stopped_alone(fake: Any, open_page: Any) -> None:
    fake.add("s", "running", {("a", 1.0): ["ok", "running"], ("b", 1.0): ["running"]})
    at = open_page("sweep", sweep="s")
    frame = table(at, "outcome")
    assert frame["stop"].fillna("").tolist() == ["Stop", "Stop", ""]
    from app.sweep import tables

    assert tables.stoppable(fake.runs("s"))[1].tolist()[:2] == ["s-1-0", "s-0-1"], "newest first, as in the table"


def test_errors_and_superseded_runs_are_shown(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok", "crashed"]})
    fake.runs_of["s"].loc[1, "counts"] = False
    frame = table(open_page("sweep", sweep="s"), "outcome")
    assert "crashed, superseded" in frame["outcome"].tolist()
    assert "ValueError: <b>broken</b>" in frame["error"].tolist(), "a cell of a table is text"


def test_names_are_text(fake: Any, open_page: Any, bare: Any) -> None:
    fake.add("s", "finished", {(HOSTILE, 1.0): ["ok"] * 3, ("b", 1.0): ["ok"]}, name=HOSTILE, question=HOSTILE)
    at = open_page("sweep", sweep="s")
    bare([element.value for element in [*at.title, *at.markdown, *at.caption]])
    assert "<img" not in at.get("plotly_chart")[0].proto.spec


def test_what_is_chosen_lives_in_the_url(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", {(name, 1.0): ["ok"] * 3 for name in "abcdefgh"})
    at = open_page("sweep", sweep="s", metric="val/error", scale="linear", best="3")
    assert at.selectbox(key="metric").value == "val/error"
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert "val/error" in figure["layout"]["yaxis"]["title"]["text"]
    assert figure["layout"]["yaxis"].get("type") != "log"
    assert sum(trace.get("fill") == "toself" for trace in figure["data"]) == 3
    at.multiselect(key="groups").set_value(["h, lr 1"]).run()
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert {trace["name"] for trace in figure["data"] if trace.get("showlegend") is not False} == {"h, lr 1"}


@pytest.mark.parametrize("page", ["overview", "sweep"])
@pytest.mark.parametrize(
    ("state", "live"), [("queued", True), ("running", True), ("paused", False), ("finished", False)]
)
def test_pages_refresh_only_while_something_is_under_way(
    fake: Any, open_page: Any, monkeypatch: Any, page: str, state: str, live: bool
) -> None:
    fake.add("s", state, {("a", 1.0): ["ok"]})
    at = open_page(page)
    intervals: list[float | None] = []
    fragment = st.fragment
    monkeypatch.setattr(st, "fragment", lambda **more: intervals.append(more.get("run_every")) or fragment(**more))
    at.run()
    assert not at.exception
    pace = {"overview": ui.REFRESH, "sweep": ui.SWEEP_REFRESH}[page]
    assert [seconds for seconds in intervals if seconds is not None] == ([pace] if live else [])


def test_an_unknown_sweep_is_a_sentence(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    assert "There is no sweep" in words(open_page("sweep", sweep="<b>gone"))


def test_without_a_name_the_newest_is_shown(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("new", "finished", {("a", 1.0): ["ok"]})
    fake.add("old", "finished", {("a", 1.0): ["ok"]})
    assert open_page("sweep").title[0].value == "new"


def test_without_sweeps_there_is_one_sentence_and_one_button(open_page: Any, words: Any) -> None:
    at = open_page("sweep")
    assert "There is no sweep yet" in words(at) and [button.label for button in at.button] == ["New sweep"]


def test_events_and_the_specification(fake: Any, open_page: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    events = table(open_page("sweep", sweep="s", part="Events"), "what")
    assert events["what"].tolist() == ["Queued <i>now</i>."]
    at = open_page("sweep", sweep="s", part="Specification")
    assert at.code[0].value == fake.spec.strip() or at.code[0].value == fake.spec
    at.button(key="do-mlflow").click().run()
    query = "tags.sweep%20%3D%20%27s%27"
    assert at.link_button[0].url == f"http://127.0.0.1:5999/#/experiments/1/runs?searchFilter={query}"


def test_after_a_command_the_page_looks_for_what_follows(fake: Any, open_page: Any, monkeypatch: Any) -> None:
    fake.add("s", "paused", {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s")
    intervals: list[float | None] = []
    fragment = st.fragment
    monkeypatch.setattr(st, "fragment", lambda **more: intervals.append(more.get("run_every")) or fragment(**more))
    at.button(key="do-resume").click().run()
    assert ui.SWEEP_REFRESH in intervals, "the store still says paused, but not for long"


def test_a_figure_can_be_held_while_the_sweep_goes_on(fake: Any, open_page: Any) -> None:
    fake.add("s", "running", {("a", 1.0): ["ok", "running"]})
    at = open_page("sweep", sweep="s")
    at.toggle(key="follow").set_value(False).run()
    before = at.get("plotly_chart")[0].proto.spec
    fake.rows.clear()
    fake.add("s", "running", {("a", 1.0): ["ok", "ok"], ("b", 1.0): ["ok"]})
    at.run()
    assert at.get("plotly_chart")[0].proto.spec == before
    assert len(table(at, "remarks")) == 2, "the rest of the page goes on"
    at.toggle(key="follow").set_value(True).run()
    assert at.get("plotly_chart")[0].proto.spec != before
