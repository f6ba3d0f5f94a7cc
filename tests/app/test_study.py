"""What the three study pages share: whose runs, which metrics, what is remembered, and what is said without runs."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pytest

from app.shared import store, ui
from app.study import page as study_page
from app.study.metrics import SLOTS_TAG
from tracking.frames import Records

PAGES = list(study_page.PAGES)
every_page = pytest.mark.parametrize("page", PAGES)


def strangers(metrics: dict[str, list[float]]) -> Records:
    """Runs that Sweepboard did not make: 4 seeds of 2 learning rates, with these last metrics, run by run."""
    runs = pd.DataFrame(
        [(f"r{k}", f"run {k}", "7", "FINISHED", k, k + 1000, None) for k in range(8)],
        columns=["run_id", "name", "experiment_id", "status", "start_time", "end_time", "parent"],
    )
    params = [(f"r{k}", key, value) for k in range(8) for key, value in (("lr", "0.1" if k < 4 else "0.01"),
                                                                         ("seed", str(k % 4)))]  # fmt: skip
    rows = [(f"r{k}", key, values[k], 3, 5) for key, values in metrics.items() for k in range(8)
            if not math.isnan(values[k])]  # fmt: skip
    return Records(
        runs,
        pd.DataFrame(params, columns=["run_id", "key", "value"]),
        pd.DataFrame([("r0", "user", "x")], columns=["run_id", "key", "value"]),
        pd.DataFrame(rows, columns=["run_id", "key", "value", "step", "time"]),
    )


@pytest.fixture
def strange(fake: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`strange(metrics)`: the store holds a stranger's runs."""

    def store_runs(metrics: dict[str, list[float]]) -> None:
        monkeypatch.setattr(store, "records", lambda *chosen: strangers(metrics))
        experiment_tags: dict[str, str] = {}
        monkeypatch.setattr(store, "experiment_tags", lambda experiment: experiment_tags)
        fake.client.edit_experiment.side_effect = lambda experiment, tags: experiment_tags.update(tags)
        fake.experiment_tags = experiment_tags

    return store_runs


@every_page
def test_without_runs_a_page_asks_its_question_and_offers_what_fills_it(
    fake: Any, open_page: Any, words: Any, page: str
) -> None:
    stem = study_page.PAGES[page].labs[0]
    fake.labs = {stem: {"text": "name: x", "name": stem, "question": "Is it? The notes say so.", "runs": 12}}
    at = open_page(page)
    text = words(at)
    assert ui.text(study_page.PAGES[page].question) in text or study_page.PAGES[page].question in text
    assert "Is it?" in text and "12 runs" in text
    at.button(key=f"offer-{stem}").click().run()
    assert fake.client.launched == ["name: x"]


@every_page
def test_an_address_that_names_nothing_says_so(fake: Any, open_page: Any, words: Any, page: str) -> None:
    assert "none of the runs that the address names" in words(open_page(page, sweep="gone"))


@every_page
def test_runs_without_a_metric_are_said_to_have_none(strange: Any, open_page: Any, words: Any, page: str) -> None:
    strange({})
    assert "These runs logged no metric." in words(open_page(page, runs="r0"))


@every_page
def test_a_strangers_metrics_are_guessed_changed_and_remembered(
    strange: Any, fake: Any, open_page: Any, page: str
) -> None:
    values = [0.9, 0.8, 0.85, 0.9, 0.7, 0.6, 0.65, 0.7]
    strange({"val_acc": values, "train_acc": [1.0] * 8, "other": values})
    at = open_page(page, runs="r0")
    assert at.selectbox(key="dev").value == "val_acc"
    assert at.selectbox(key="slot-train-val_acc").value == "train_acc"
    assert "other" in at.selectbox(key="dev").options, "a stranger's error may have any name"
    at.selectbox(key="slot-train-val_acc").set_value("other").run()
    at.button(key="keep-slots").click().run()
    assert json.loads(fake.experiment_tags[SLOTS_TAG])["train"] == "other"
    assert not at.exception
    again = open_page(page, runs="r0")
    assert again.selectbox(key="slot-train-val_acc").value == "other"


def test_the_frame_of_runs_speaks_of_errors(strange: Any, open_page: Any, monkeypatch: Any) -> None:
    studies = []
    monkeypatch.setattr(study_page, "head", lambda study, *rest, **more: studies.append(study))
    values = [0.9, 0.8, 0.85, math.nan, 0.7, 0.6, 0.65, 0.7]
    strange({"val_acc": values, "train_acc": [1.0] * 8})
    open_page("regularization", runs="r0")
    runs = studies[0].runs
    assert runs["dev"].tolist() == pytest.approx([1 - value for value in values], nan_ok=True)
    assert (runs["train"] == 0).all() and runs["train_dev"].isna().all()
    assert runs["lr"].tolist() == [0.1] * 4 + [0.01] * 4 and studies[0].numeric_axes == ["lr"]
    assert runs["seed"].tolist() == [0, 1, 2, 3] * 2 and runs.groupby("group").size().tolist() == [4, 4]


def test_ours_are_judged_by_their_objective_and_confirm_runs(fake: Any, open_page: Any, monkeypatch: Any) -> None:
    studies = []
    monkeypatch.setattr(study_page, "head", lambda study, *rest, **more: studies.append(study))
    fake.add("s", "finished", {("adam", 0.1): ["ok"] * 3, ("sgd", 0.1): ["ok", "diverged", "crashed"]})
    fake.runs_of["s"].loc[fake.runs_of["s"]["trial"] == 0, "phase"] = "confirm"
    fake.runs_of["s"].loc[5, "counts"] = False
    open_page("regularization", sweep="s")
    study = studies[0]
    assert study.slots.dev == "val/loss" and len(study.runs) == 5
    assert set(study.judged["phase"]) == {"confirm"} and set(study.search["phase"]) == {"search"}
    assert set(study.runs["optimizer.name"]) == {"adam", "sgd"}


@every_page
def test_where_all_diverged_before_they_logged_anything_the_page_still_opens(
    fake: Any, open_page: Any, words: Any, monkeypatch: Any, page: str
) -> None:
    fake.add("s", "finished", {("adam", 9.0): ["diverged"] * 3, ("sgd", 9.0): ["diverged"] * 3})
    text = words(open_page(page, sweep="s"))
    assert "no metric" not in text and "6 runs" in text and "diverged" in text
