"""A sweep's page with confirm runs: winners are judged by these alone, search and confirm stand apart."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pytest

from app.shared import ui

REST = """\
  optimizer.lr: {low: 0.001, high: 1.0, log: true}
sampler: tpe
trials: 3
seeds: 3
confirm: {top: 1, per: optimizer.name, seeds: 8}
workers: 2
"""
TRIALS = {("adam", 0.01): ["ok"] * 3, ("sgd", 0.1): ["ok"] * 3, ("sgd", 1.0): ["ok"] * 3}
FRESH = {0: 0.30, 1: 0.15}
"""Trial -> about what its confirm runs give: the search had trial 0 as the best, 0.11 against 0.21."""


def confirmed(fake: Any, state: str = "finished", outcomes: dict[int, str] | None = None) -> None:
    """A sweep of which two trials were retrained."""
    fake.spec = fake.two_optimizers + REST
    fake.add("s", state, TRIALS, planned=25)
    runs = fake.runs_of["s"]
    rows = []
    for trial, value in FRESH.items():
        first = runs[runs["trial"] == trial].iloc[0].to_dict()
        for k in range(8):
            outcome = (outcomes or {}).get(trial, "ok")
            rows.append(
                first
                | {
                    "run_id": f"c-{trial}-{k}", "seed": 1000 + k, "group": f"c{trial}", "phase": "confirm",
                    "start_time": fake.now - 1000, "outcome": outcome,
                    "objective": value + k / 1000 if outcome == "ok" else math.nan,
                }
            )  # fmt: skip
    fake.runs_of["s"] = pd.concat([runs, pd.DataFrame(rows)], ignore_index=True)


def table(at: Any, column: str) -> Any:
    return next(frame.value for frame in at.dataframe if column in frame.value)


def figures(at: Any) -> list[Any]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def test_the_headline_and_the_ranking_of_winners_are_of_confirm_runs(fake: Any, open_page: Any, words: Any) -> None:
    confirmed(fake)
    at = open_page("sweep", sweep="s")
    text = words(at)
    assert ui.text("sgd, lr 0.1 is better than adam, lr 0.01: val/loss 0.15") in text
    assert "Judged by fresh seeds alone" in text
    frame = table(at, "shrinkage")
    assert frame["rank"].tolist() == ["1", "2"] and frame["value"].tolist() == ["sgd", "adam"]
    assert frame["confirm"].tolist() == pytest.approx([0.1535, 0.3035])
    assert frame["search"].tolist() == pytest.approx([0.21, 0.11])
    assert frame["shrinkage"].tolist() == pytest.approx([-0.0565, 0.1935])
    assert "place" not in frame, "one winner for each value"
    assert "Search scores are too good on average" in text


def test_the_search_keeps_a_ranking_of_its_own(fake: Any, open_page: Any) -> None:
    confirmed(fake)
    at = open_page("sweep", sweep="s")
    assert {"Search and confirm", "Ranking of the search"} <= {heading.value for heading in at.subheader}
    frame = table(at, "remarks")
    assert frame["optimizer.lr"].tolist() == [0.01, 0.1, 1.0], "no confirm group among them"
    assert frame["seeds"].tolist() == ["3 of 3"] * 3
    runs = table(at, "outcome")
    assert runs["configuration"].str.endswith("(confirm)").sum() == 16 and (runs["configuration"] != "").all()


def test_the_curves_are_of_one_phase_at_a_time(fake: Any, open_page: Any) -> None:
    confirmed(fake)
    at = open_page("sweep", sweep="s")
    legend = {trace["name"] for trace in figures(at)[0]["data"] if trace.get("showlegend") is not False}
    assert legend == {"adam, lr 0.01", "sgd, lr 0.1"}
    at.segmented_control(key="phase").set_value("search").run()
    legend = {trace["name"] for trace in figures(at)[0]["data"] if trace.get("showlegend") is not False}
    assert legend == {"adam, lr 0.01", "sgd, lr 0.1", "sgd, lr 1"}


def test_before_a_confirm_run_ends_the_search_answers_and_says_that_it_flatters(
    fake: Any, open_page: Any, words: Any
) -> None:
    confirmed(fake, "running", {0: "running", 1: "running"})
    at = open_page("sweep", sweep="s")
    text = words(at)
    assert ui.text("adam, lr 0.01 leads 3 configurations so far with val/loss 0.110") in text
    assert "too good on average" in text and "8 fresh seeds will say" in text


def test_an_extended_search_says_that_its_winners_are_chosen_again(fake: Any, open_page: Any, words: Any) -> None:
    confirmed(fake, "running")
    assert "The search goes on" not in words(open_page("sweep", sweep="s"))
    runs = fake.runs_of["s"]
    runs.loc[runs["run_id"] == "s-2-2", "start_time"] = fake.now
    assert "when it is done, its winners are chosen again" in words(open_page("sweep", sweep="s"))
    fake.rows[0]["state"] = "finished"
    assert "The search goes on" not in words(open_page("sweep", sweep="s"))


def test_a_sweep_without_confirm_has_no_such_section(fake: Any, open_page: Any, words: Any) -> None:
    fake.spec = fake.two_optimizers + REST.replace("confirm", "# confirm")
    fake.add("s", "finished", TRIALS)
    at = open_page("sweep", sweep="s")
    assert "Ranking" in {heading.value for heading in at.subheader} and "fresh" not in words(at)
    assert not [control for control in at.segmented_control if control.key == "phase"]


def test_confirm_runs_that_all_diverged(fake: Any, open_page: Any, words: Any) -> None:
    confirmed(fake, outcomes={0: "diverged", 1: "diverged"})
    assert ui.text("All 16 runs of adam, lr 0.01; and sgd, lr 0.1 diverged.") in words(open_page("sweep", sweep="s"))


def test_several_winners_of_a_value_have_places(fake: Any, open_page: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(FRESH, 2, 0.2)
    confirmed(fake)
    frame = table(open_page("sweep", sweep="s"), "shrinkage")
    assert frame[["value", "place"]].values.tolist() == [["sgd", 1], ["sgd", 2], ["adam", 1]]


def test_compare_is_of_the_winners_with_the_search_on_request(fake: Any, open_page: Any, words: Any) -> None:
    confirmed(fake)
    at = open_page("compare", sweep="s")
    assert sorted(at.multiselect(key="these").options) == ["adam, lr 0.01 (confirmed)", "sgd, lr 0.1 (confirmed)"]
    at.toggle(key="phases").set_value(True).run()
    assert len(at.multiselect(key="these").options) == 5 and "too good on average" in words(at)
    at = open_page("compare", sweep="s", phases="true")
    assert at.toggle(key="phases").value and len(at.multiselect(key="these").options) == 5
    at = open_page("compare", sweep="s", groups="g0,c0")
    assert sorted(at.multiselect(key="these").options) == ["s", "s (confirmed)"], "of one configuration"
    assert "judge a winner by these" in words(at)
