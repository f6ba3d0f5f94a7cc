"""What can be done with a sweep: extend, change, delete and restore, clean; what is asked first, and what is said."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pandas as pd
import pytest

from app.shared import store, ui
from app.sweep import files
from sweeps.client import CommandError

GRID = """
name: x
model: {name: mlp}
data: {name: digits}
search: {optimizer.lr: {values: [0.1, 0.2]}}
workers: 2
"""
TPE = GRID.replace("workers", "sampler: tpe\ntrials: 5\nconfirm: {top: 1}\nworkers").replace(
    "{values: [0.1, 0.2]}", "{low: 0.1, high: 0.2}"
)


@pytest.fixture
def calls(fake: Any) -> list[tuple[Any, ...]]:
    """What the client was asked for, with its arguments."""
    return fake.client.commands  # type: ignore[no-any-return]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The files of any sweep: a frame, or None for files elsewhere."""
    rows: dict[str, Any] = {
        "found": pd.DataFrame(
            [
                ("s", "spec.yaml", 500), ("a", "weights/best.pt", 2_000_000), ("b", "weights/best.pt", 1_000_000),
                ("a", "predictions.npz", 250_000),
            ],
            columns=["run_id", "path", "size"],
        )
    }  # fmt: skip
    monkeypatch.setattr(store, "disk", mock.Mock(side_effect=lambda sweep: rows["found"]))
    return rows


def labels(at: Any) -> list[str]:
    return [button.label for button in at.button]


def field(at: Any, label: str) -> Any:
    """The field of this label in one of the forms."""
    (field,) = (element for element in [*at.number_input, *at.selectbox] if element.label == label)
    return field


def test_a_sweep_is_extended_by_trials_and_seeds(fake: Any, open_page: Any, calls: Any, words: Any) -> None:
    fake.spec = TPE
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s")
    assert at.button(key="extend-sure").disabled, "nothing is asked for yet"
    assert "chosen again" in words(at), "winners are to be confirmed"
    field(at, "More trials").set_value(7).run()
    field(at, "More seeds of each trial").set_value(2).run()
    at.button(key="extend-sure").click().run()
    assert calls == [("extend", "s", {"trials": 7, "seeds": 2})]
    assert field(at, "More trials").value == field(at, "More seeds of each trial").value == 0
    assert at.button(key="extend-sure").disabled, "a second click asks for no more"


def test_a_grid_has_no_more_trials(fake: Any, open_page: Any, calls: Any) -> None:
    fake.spec = GRID
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s")
    assert field(at, "More trials").disabled
    field(at, "More seeds of each trial").set_value(1).run()
    at.button(key="extend-sure").click().run()
    assert calls == [("extend", "s", {"trials": 0, "seeds": 1})]


def test_a_replicated_sweep_has_no_more_seeds(fake: Any, open_page: Any) -> None:
    fake.spec = "{name: r, model: {name: mlp}, data: {name: iris}, replicate: {datasets: 2, inits: 2}}"
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s")
    assert field(at, "More seeds of each trial").disabled and at.button(key="extend-sure").disabled


def test_what_is_refused_stays_in_the_form(fake: Any, open_page: Any, calls: Any) -> None:
    fake.spec = GRID
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s")
    field(at, "More seeds of each trial").set_value(9).run()
    fake.client.fails = CommandError("extend.seeds: 9 is not *allowed*")
    at.button(key="extend-sure").click().run()
    assert [error.value for error in at.error] == [ui.text("extend.seeds: 9 is not *allowed*")]
    assert field(at, "More seeds of each trial").value == 9


def test_only_what_differs_is_changed(fake: Any, open_page: Any, calls: Any) -> None:
    fake.spec = TPE
    fake.add("s", "running", {("a", 1.0): ["ok", "running"]})
    at = open_page("sweep", sweep="s")
    at.button(key="change-sure").click().run()
    assert calls == [], "nothing differs"
    field(at, "Pruner").set_value("median").run()
    at.button(key="change-sure").click().run()
    field(at, "Workers").set_value(3).run()
    at.button(key="change-sure").click().run()
    assert calls == [("change", "s", {"pruner": "median"}), ("change", "s", {"workers": 3})]


def test_a_specification_that_cannot_be_read_is_said(fake: Any, open_page: Any, words: Any) -> None:
    fake.spec = "# gone"
    fake.add("s", "paused", {("a", 1.0): ["ok"]})
    assert "specification cannot be read" in words(open_page("sweep", sweep="s"))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("queued", {"extend", "change"}), ("running", {"extend", "change"}), ("pausing", set()),
        ("paused", {"extend", "change"}), ("stopping", set()), ("stopped", {"extend", "change"}),
        ("finished", {"extend"}), ("failed", set()),
    ],
)  # fmt: skip
def test_extend_and_change_fit_the_state(fake: Any, open_page: Any, state: str, expected: set[str]) -> None:
    fake.spec = TPE
    fake.add("s", state, {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s")
    for name in ("extend", "change"):
        at.session_state[f"do-{name}"] = True
    at.run()
    assert {name for name in ("extend", "change") if f"{name}-sure" in {b.key for b in at.button}} == expected
    assert ("Delete" in labels(at)) is (state not in ui.ACTIVE), "what trains is stopped before it is deleted"


def test_deleting_says_what_goes_and_can_be_taken_back(
    fake: Any, open_page: Any, calls: Any, disk: Any, words: Any
) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"] * 3, ("b", 1.0): ["ok"]}, name="my *sweep*")
    at = open_page("sweep", sweep="s")
    at.button(key="do-delete").click().run()
    text = words(at)
    assert ui.text("my *sweep*") in text and "4 runs" in text and "3\\.3 MB" in text and "can be restored" in text
    assert calls == [], "nothing is deleted before it is confirmed"
    rows, fake.rows = fake.rows, []
    at.button(key="delete-sure").click().run()
    assert calls == [("delete", ["s"])]
    assert "are deleted" in words(at) and {"All sweeps", "Restore"} <= set(labels(at))
    fake.rows = rows
    at.button(key="deleted-undo").click().run()
    assert calls[-1] == ("restore", ["s"]) and "Restore" not in labels(at)
    assert at.title[0].value == ui.text("my *sweep*")


def test_deleting_can_be_thought_better_of(fake: Any, open_page: Any, calls: Any, disk: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s")
    at.button(key="do-delete").click().run()
    at.button(key="delete-not").click().run()
    assert calls == [] and "delete-sure" not in {button.key for button in at.button}


def test_deleted_sweeps_are_restored_from_the_overview(
    fake: Any, open_page: Any, calls: Any, monkeypatch: Any, words: Any
) -> None:
    gone = pd.DataFrame({"run_id": ["old"], "name": ["<b>gone"], "start_time": [fake.now]})
    monkeypatch.setattr(store, "deleted_sweeps", lambda: gone)
    at = open_page("overview")
    assert "restore-old" not in {button.key for button in at.button}, "read only when opened"
    at.session_state["deleted-sweeps"] = True
    at.run()
    assert ui.text("<b>gone") in words(at)
    at.button(key="restore-old").click().run()
    assert calls == [("restore", ["old"])]


def test_the_files_by_kind_and_their_sum(fake: Any, open_page: Any, disk: Any, words: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s", part="Files")
    (frame,) = [element.value for element in at.dataframe if "file" in element.value]
    assert frame.values.tolist() == [
        ["weights/best.pt", 2, "3 MB"], ["predictions.npz", 1, "250 kB"], ["spec.yaml", 1, "500 bytes"],
    ]  # fmt: skip
    assert "**3\\.3 MB** on the disk, of which weights **3 MB**" in words(at)


@pytest.mark.parametrize(("what", "held"), [("weights", "3 MB"), ("artifacts", "3\\.2 MB")])
def test_cleaning_asks_first_and_says_what_it_freed(
    fake: Any, open_page: Any, calls: Any, disk: Any, words: Any, what: str, held: str
) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s", part="Files")
    at.button(key=f"clean-{what}").click().run()
    assert held in words(at) and "for good" in words(at) and calls == []
    at.button(key="clean-sure").click().run()
    assert calls == [("clean", "s", what)]
    assert [element.value for element in at.success] == [ui.text("2.5 MB freed.")]
    store.disk.clear.assert_called_once_with()


def test_files_that_lie_elsewhere_are_said_to_be_unknown(
    fake: Any, open_page: Any, calls: Any, disk: Any, words: Any
) -> None:
    disk["found"] = None
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    at = open_page("sweep", sweep="s", part="Files")
    assert "not known here" in words(at) and not at.button(key="clean-weights").disabled
    at.button(key="do-delete").click().run()
    assert "stay on the disk" not in words(at)


def test_nothing_is_cleaned_while_it_trains(fake: Any, open_page: Any, disk: Any) -> None:
    fake.add("s", "running", {("a", 1.0): ["ok", "running"]})
    at = open_page("sweep", sweep="s", part="Files")
    assert at.button(key="clean-weights").disabled and at.button(key="clean-artifacts").disabled


@pytest.mark.parametrize(
    ("bytes_", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (12_300, "12 kB"), (2_000_000, "2 MB"), (3.2e12, "3200 GB")],
)
def test_sizes_in_words(bytes_: float, words: str) -> None:
    assert files.size(bytes_) == words
