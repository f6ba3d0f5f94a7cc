"""The list of sweeps: empty, running, finished, all diverged, with hostile names."""

from __future__ import annotations

from typing import Any

import pytest

from app.shared import ui
from tracking import schema

HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example) :material/bug_report: $x$ " + "W" * 300
LAB = {"text": "name: a lab", "name": "a-lab", "question": "Does it?", "trials": 4, "runs": 12}


def test_without_sweeps_there_is_a_sentence_and_labs_that_launch_with_one_click(
    fake: Any, open_page: Any, words: Any
) -> None:
    fake.labs = {"a": LAB}
    at = open_page()
    assert "No sweep has been launched here yet" in words(at) and "12 runs" in words(at)
    at.button(key="lab-a").click().run()
    assert fake.client.launched == ["name: a lab"]
    assert not at.exception


def test_a_lab_that_cannot_be_launched_says_why(fake: Any, open_page: Any) -> None:
    fake.labs = {"a": LAB}
    fake.client.fails = RuntimeError("never")
    from sweeps.client import CommandError

    fake.client.fails = CommandError("the store cannot be written: *disk* full")
    at = open_page()
    at.button(key="lab-a").click().run()
    assert [error.value for error in at.error] == [ui.text("the store cannot be written: *disk* full")]


def listed(at: Any) -> list[Any]:
    """The links to sweeps."""
    return [link for link in at.page_link if link.proto.page == "sweep"]


def test_running_sweeps_come_first_with_their_progress_and_best(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("new and finished", "finished", {("sgd", 0.1): ["ok"] * 3})
    fake.add("old and running", "running", {("adam", 0.01): ["ok", "diverged", "running"]})
    fake.add("waiting", "queued", {("adam", 0.5): []})
    at = open_page()
    assert [link.value for link in listed(at)] == [
        ui.text(name) for name in ("old and running", "waiting", "new and finished")
    ]
    assert listed(at)[0].proto.query_string == "sweep=old+and+running"
    assert "2 of 3 runs, 1 diverged" in words(at)
    assert "**0\\.1**" in words(at) and ui.text("adam, lr 0.01, val/loss") in words(at)
    assert "no result yet" in words(at)


def test_all_diverged_is_said(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("fast", "finished", {("sgd", 9.0): ["diverged"] * 3})
    text = words(open_page())
    assert "3 runs, 3 diverged" in text and "no result" in text


@pytest.mark.parametrize(
    ("question", "shown"),
    [("Does it help? The notes say so.", "Does it help?"), ("Who wins?", "Who wins?"), ("A test", "A test")],
)
def test_a_row_asks_the_question_and_no_more(fake: Any, open_page: Any, words: Any, question: str, shown: str) -> None:
    fake.add("id", "finished", {("sgd", 0.1): ["ok"] * 3}, question=question)
    text = words(open_page())
    assert shown in text and "notes" not in text


def test_names_are_text(fake: Any, open_page: Any, bare: Any) -> None:
    fake.add("id", "finished", {("sgd", 0.1): ["ok"] * 3}, name=HOSTILE, question=HOSTILE, best_name=HOSTILE)
    at = open_page()
    shown = bare([element.value for element in [*at.markdown, *at.caption, *at.page_link]])
    assert max(map(len, shown)) < 600, "a name without end must not fill the page"
    assert not any("onerror" in html.value for html in at.html)


def test_many_sweeps_come_in_pages(fake: Any, open_page: Any) -> None:
    for number in range(30):
        fake.add(f"sweep {number}", "finished", {("sgd", 0.1): ["ok"]})
    at = open_page()
    assert len(listed(at)) == 25
    assert at.button(key="more-sweeps").label == "Show 5 more"
    at.button(key="more-sweeps").click().run()
    assert len(listed(at)) == 30


def test_a_store_that_cannot_be_read_is_one_sentence(fake: Any, open_page: Any, monkeypatch: Any) -> None:
    from app.shared import store
    from tracking.store import StoreError

    def broken() -> None:
        raise StoreError("The store is of a newer MLflow.")

    monkeypatch.setattr(store, "sweeps", broken)
    for page in ("overview", "launch", "sweep"):
        at = open_page(page)
        assert [error.value for error in at.error] == [ui.text("The store is of a newer MLflow.")], page


def test_the_best_group_of_a_sweep_may_have_chosen_none(rows: Any, client: Any, visit: Any, words: Any) -> None:
    experiment = rows.create_experiment("norms")
    tags = {schema.KIND: schema.SWEEP_KIND, schema.STATE: "finished", schema.SEARCHED: '["model.norm"]'}
    sweep = rows.log_run(experiment, "norms", tags=tags)
    for norm, loss in (("none", 0.1), ("batch", 0.2)):
        rows.log_run(
            experiment, norm, {"model.norm": norm}, {schema.OBJECTIVE: loss},
            {schema.KIND: schema.RUN_KIND, schema.PARENT: sweep, schema.GROUP: norm, schema.OUTCOME: "ok"},
        )  # fmt: skip
    text = words(visit("overview"))
    assert "norm none" in text and "not set" not in text
