"""The page of runs: what it shows of an experiment, how it groups, filters, edits, and what hostile stores do to it."""

from __future__ import annotations

import functools
import math
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st

from analysis.runs import metric_roles
from analysis.statistics import interval
from app.runs import actions, settings
from app.runs import table as runs_table
from app.shared import live, store, ui
from sweeps.client import CommandError
from tracking import schema
from tracking.reader import open_reader

HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example)"


@pytest.fixture
def editor(client: Any, rows: Any) -> Any:
    """The double of the client, which writes edits into the store at once."""

    def write(runs: list[str], tags: dict[str, str], removed: Any = ()) -> None:
        for run in runs:
            for key, value in tags.items():
                rows.set_tag(run, key, value)
            for key in removed:
                rows.delete_tag(run, key)

    def write_experiment(experiment: str, tags: dict[str, str]) -> None:
        for key, value in tags.items():
            rows.set_experiment_tag(experiment, key, value)

    def every(change: Any) -> Any:
        return lambda runs: [change(run) for run in runs] and None

    client.edit.side_effect = write
    client.edit_experiment.side_effect = write_experiment
    client.delete.side_effect = every(rows.delete_run)
    client.restore.side_effect = every(rows.restore_run)
    return client


@pytest.fixture
def add_run(rows: Any, tmp_path: Path) -> Any:
    """`add_run(name, params, metrics, tags, status)` stores one run of the experiment `e`, a second after the last."""
    experiment = rows.create_experiment("e", str(tmp_path / "artifacts"))
    clock = iter(range(1, 10_000))

    def make(
        name: str, params: Any = None, metrics: Any = None, tags: Any = None, status: str | None = "FINISHED"
    ) -> str:
        start = 1000 * next(clock)
        return str(rows.log_run(experiment, name, params, metrics, tags, start=start, status=status))

    make.experiment = experiment  # type: ignore[attr-defined]
    return make


@pytest.fixture
def opened(editor: Any, visit: Any) -> Any:
    """`opened(filter="...")`: the page of runs on the real store, run once."""
    return functools.partial(visit, "runs")


def shown(at: Any) -> pd.DataFrame:
    """The table of runs or groups."""
    return next(frame.value for frame in at.dataframe if {"name", "finite"} & set(frame.value))


def mark(at: Any, *places: int) -> Any:
    """Mark rows of the table."""
    at.session_state[at.session_state["_runs_table"]] = {"selection": {"rows": list(places), "columns": []}}
    at.run()
    assert not at.exception, at.exception
    return at


def text_of(at: Any) -> str:
    return "\n".join(
        element.value for element in [*at.title, *at.markdown, *at.caption, *at.error, *at.warning, *at.info]
    )


def test_every_param_and_metric_can_be_shown_and_numbers_are_numbers(add_run: Any, opened: Any) -> None:
    for value in ("9", "10", "0.5"):
        add_run(f"n {value}", {"n": value, "kind": f"k{value}", "same": "1"}, {"val/loss": float(value)})
    at = opened()
    table = shown(at)
    assert table["name"].tolist() == ["n 0.5", "n 10", "n 9"], "newest first"
    assert table["params.n"].tolist() == [0.5, 10.0, 9.0] and table["metrics.val/loss"].tolist() == [0.5, 10.0, 9.0]
    assert "params.same" not in table, "what does not differ is not shown unasked"
    columns = at.multiselect(key="columns")
    assert {"params.n", "params.kind", "params.same", "metrics.val/loss"} <= set(columns.options)
    columns.set_value(["params.same", "state"]).run()
    assert list(shown(at))[:4] == ["", "name", "params.same", "state"]
    linked = opened(columns=["params.same", "metrics.val/loss"], pinned=["metrics.val/loss"])
    assert list(shown(linked))[2:4] == ["params.same", "metrics.val/loss"], "an address holds the choice"


def test_a_curve_with_best_lowest_and_highest(add_run: Any, opened: Any) -> None:
    add_run("a", {}, {"val/acc": [0.5, 0.9, 0.7]})
    add_run("b", {}, {"val/acc": [0.2, math.nan, 0.1], "other": 1.0})
    table = shown(opened(curve="val/acc")).set_index("name")
    assert list(table.loc["a", "curve"]) == [0.5, 0.9, 0.7] and list(table.loc["b", "curve"]) == [0.2, 0.1]
    assert (table.loc["a", "max"], table.loc["a", "min"]) == (0.9, 0.5)
    at = opened(curve="other")
    assert len(shown(at).set_index("name").loc["a", "curve"]) == 0


def test_filtering_by_typing_and_by_clicking(add_run: Any, opened: Any) -> None:
    for lr in ("0.1", "0.01", "0.001"):
        add_run(f"lr {lr}", {"lr": lr, "odd name": "it's" if lr == "0.1" else "b"}, {"val/loss": 1.0})
    at = opened(filter="params.lr > 0.005")
    assert shown(at)["name"].tolist() == ["lr 0.01", "lr 0.1"] and "2 of 3 runs" in text_of(at)
    at.selectbox(key="_column").set_value("params.odd name").run()
    at.multiselect(key="_values").set_value(["it's"]).run()
    at.button(key="add-condition").click().run()
    assert at.text_input(key="filter").value == "params.lr > 0.005 AND params.`odd name` = 'it''s'"
    assert shown(at)["name"].tolist() == ["lr 0.1"]
    at.text_input(key="filter").set_value("params.rl > 1").run()
    assert at.error[0].value == ui.text("params.rl: no run here has this param; nearest: params.lr.")
    assert len(shown(at)) == 3
    at.text_input(key="filter").set_value("params.lr > 1").run()
    assert "No run matches this filter" in text_of(at)


def test_rows_grouped_by_everything_but_the_seed(add_run: Any, opened: Any) -> None:
    values = {"a": [1.0, 2.0, 4.0], "b": [0.5, math.nan, 0.25]}
    for name, losses in values.items():
        for seed, loss in enumerate(losses):
            add_run(f"{name} {seed}", {"method": name, "seed": str(seed)}, {"val/loss": loss})
    add_run("a 3", {"method": "a", "seed": "3"}, {"val/loss": 100.0}, status="FAILED")
    at = opened(rows="Groups")
    table = shown(at).set_index("params.method")
    assert table.index.tolist() == ["a", "b"], "the one that diverged in part ranks last"
    expected = interval(values["a"])
    assert table.loc["a", "metrics.val/loss"] == pytest.approx(expected.mean)
    assert table.loc["a", "± metrics.val/loss"] == pytest.approx(expected.half)
    assert table["finite"].tolist() == ["3 of 3", "2 of 3"] and table["n"].tolist() == [3, 2]
    assert math.isnan(table.loc["b", "± metrics.val/loss"]), "two runs carry no interval"
    assert table["others"].tolist() == ["1 failed", ""]
    at.multiselect(key="by").set_value(["params.method"]).run()
    assert len(shown(at)) == 2


def test_superseded_runs_are_shown_and_are_in_no_group(add_run: Any, opened: Any) -> None:
    tags = {schema.OUTCOME: "crashed", schema.SUPERSEDED_BY: "x"}
    add_run("old", {"m": "a", "seed": "0"}, {"val/loss": 9.0}, tags, status="FAILED")
    add_run("new", {"m": "a", "seed": "0"}, {"val/loss": 1.0}, {schema.OUTCOME: "ok"})
    assert shown(opened()).set_index("name").loc["old", "state"] == "crashed, superseded"
    table = shown(opened(rows="Groups"))
    assert table["metrics.val/loss"].tolist() == [1.0] and "others" not in table


def test_groups_agree_with_a_loop() -> None:
    import numpy as np

    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "run_id": [f"r{k}" for k in range(200)],
            "state": random.choice(["ok", "diverged", "crashed", "finished"], 200),
            "counts": random.random(200) < 0.9,
            "params.a": random.choice(["x", "y", None], 200),
            "params.b": random.choice(["1", "2"], 200),
            "metrics.m": np.where(random.random(200) < 0.2, math.inf, random.random(200)),
        }
    )
    groups = runs_table.groups(frame, ["params.a", "params.b"], ["metrics.m"])
    counting = frame[frame["counts"]]
    assert sorted(run for ids in groups["runs"] for run in ids) == sorted(counting["run_id"])
    for row in groups.to_dict("records"):
        members = counting[counting["run_id"].isin(row["runs"])]
        assert len(members[["params.a", "params.b"]].drop_duplicates()) == 1
        well = members[members["state"].isin(["ok", "finished"])]
        good = well[well["metrics.m"] < 1e300]["metrics.m"]
        truth = interval(good)
        assert row["metrics.m"] == pytest.approx(truth.mean) and row["n"] == len(good)
        if len(good) >= 3:
            assert row["± metrics.m"] == pytest.approx(truth.half)
        assert row["finite"] == f"{len(good)} of {len(well) + (members['state'] == 'diverged').sum()}"


def test_marks_stay_with_their_rows_when_others_come(add_run: Any, opened: Any) -> None:
    add_run("a", {"m": "a"}, {"val/loss": 1.0})
    add_run("b", {"m": "b"}, {"val/loss": 2.0})
    at = mark(opened(), 1)
    add_run("c", {"m": "c"}, {"val/loss": 3.0})
    at.run()
    assert shown(at)["name"].tolist() == ["c", "b", "a"]
    assert at.session_state[at.session_state["_runs_table"]]["selection"]["rows"] == [2], "still a"
    at.text_input(key="filter").set_value("params.m = 'b'").run()
    assert at.session_state[at.session_state["_runs_table"]]["selection"]["rows"] == []


def test_all_experiments_at_once(add_run: Any, opened: Any, rows: Any) -> None:
    add_run("a", {"lr": "0.1"}, {"val/loss": 1.0})
    rows.log_run(rows.create_experiment("strange"), "b", {"only here": "1"}, status=None)
    at = opened(experiment="All experiments")
    table = shown(at).set_index("name")
    assert table["experiment"].to_dict() == {"a": "e", "b": "strange"}
    grouped = opened(experiment="All experiments", rows="Groups", by=["experiment"])
    assert shown(grouped)["experiment"].tolist() == ["e", "strange"]


def test_the_address_takes_an_experiments_id_too(add_run: Any, opened: Any, rows: Any) -> None:
    add_run("a")
    rows.log_run(rows.create_experiment("newest"), "b", status=None)
    at = opened(experiment=add_run.experiment)
    assert at.selectbox(key="experiment").value == "e" and shown(at)["name"].tolist() == ["a"]
    assert at.query_params["experiment"] == "e" and "There is no experiment" not in text_of(at)


def test_an_experiment_that_is_not_there_is_said_and_no_other_is_shown(add_run: Any, opened: Any) -> None:
    add_run("a")
    at = opened(experiment="12")
    assert "There is no experiment 12 in this store." in text_of(at).replace("\\", "") and not at.dataframe
    at.selectbox(key="experiment").set_value("e").run()
    assert shown(at)["name"].tolist() == ["a"] and "There is no experiment" not in text_of(at)


def test_one_more_column_is_one(add_run: Any, opened: Any) -> None:
    add_run("a", {"x": "1", "y": "1"})
    at = opened()
    hidden = [name for name in at.multiselect(key="columns").options if name not in at.multiselect(key="columns").value]
    at.multiselect(key="columns").set_value([*at.multiselect(key="columns").value, *hidden[1:]]).run()
    assert "1 more column can be shown." in text_of(at)


def test_columns_order_and_pins_are_remembered_for_the_experiment(add_run: Any, opened: Any) -> None:
    for name in "abc":
        add_run(name, {"k": name}, {"val/loss": float(ord(name)), "other": 1.0})
    at = opened()
    at.multiselect(key="columns").set_value(["metrics.val/loss", "metrics.other"]).run()
    at.selectbox(key="sort").set_value("metrics.val/loss").run()
    assert shown(at)["name"].tolist() == ["a", "b", "c"], "and not the newest first"
    at.switch_page("views/overview.py").run()
    at.switch_page("views/runs.py").run()
    assert shown(at)["name"].tolist() == ["a", "b", "c"] and "params.k" not in shown(at), "while one browses"
    at.button(key="keep-view").click().run()
    assert not at.error
    fresh = opened()
    assert shown(fresh)["name"].tolist() == ["a", "b", "c"] and list(shown(fresh))[2:4] == [
        "metrics.val/loss",
        "metrics.other",
    ], "for everybody"
    assert fresh.button(key="keep-view").disabled, "there is nothing new to keep"
    assert list(shown(opened(columns=["params.k"])))[2] == "params.k", "the address wins"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[1]",
        '{"columns": 3, "sort": ["x"]}',
        '{"columns": ["gone"], "sort": "gone"}',
        '{"sort": "name", "order": "sideways"}',
    ],
)
def test_a_kept_view_that_makes_no_sense_is_not_followed(add_run: Any, opened: Any, rows: Any, text: str) -> None:
    add_run("a", {"k": "1"}, {"val/loss": 1.0})
    rows.set_experiment_tag(add_run.experiment, settings.TAG, text)
    assert shown(opened())["name"].tolist() == ["a"]


def test_nan_is_shown_and_is_not_what_lacks(add_run: Any, opened: Any) -> None:
    add_run("nan", {}, {"m": [1.0, math.nan], "val/loss": 1.0})
    add_run("none", {}, {"val/loss": math.inf})
    table = shown(opened(columns=["metrics.m", "metrics.val/loss"])).set_index("name")
    assert math.isnan(table.loc["nan", "metrics.m"]) and table["metrics.m"].isna().to_dict() == {
        "nan": False,
        "none": True,
    }
    assert table.loc["none", "metrics.val/loss"] == math.inf


def test_the_page_follows_the_store_while_a_run_trains(
    add_run: Any, opened: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = []
    monkeypatch.setattr(live, "follow", lambda snapshot, active: followed.append(active))
    run = add_run("a", {}, {"val/loss": 1.0}, status=None)
    now = int(time.time() * 1000)
    rows.log_metric(run, "val/loss", 0.5, timestamp=now)
    opened()
    rows.set_terminated(run)
    opened()
    assert followed == [True, False]


def test_what_is_marked_can_be_compared_edited_archived_deleted_and_restored(
    add_run: Any, opened: Any, uri: str
) -> None:
    ids = {name: add_run(name, {"k": name}, {"val/loss": 1.0}) for name in "abc"}
    at = mark(opened(), 0, 2)
    links = [element.proto for element in at.get("page_link")]
    assert any(f"runs={ids['c']}%2C{ids['a']}" in str(link) or f"{ids['c']},{ids['a']}" in str(link) for link in links)
    at.button(key="mlflow-compare").click().run()
    address = actions.mlflow_address("http://127.0.0.1:5999", [ids["c"], ids["a"]], [add_run.experiment])
    assert "/#/compare-runs?runs=%5B%22" in address
    assert any(address in str(element.proto) for element in at.get("link_button"))
    at.button(key="archive").click().run()
    assert not at.exception and shown(at)["name"].tolist() == ["b"]
    at = mark(opened(show="Archived"), 0)
    at.button(key="unarchive").click().run()
    assert sorted(shown(opened())["name"]) == ["b", "c"]
    at = mark(opened(), 0)
    at.button(key="delete-runs").click().run()
    assert not at.exception and len(open_reader(uri).runs([add_run.experiment])) == 3, "nothing before the confirmation"
    at.button(key="delete-sure").click().run()
    assert len(open_reader(uri).runs([add_run.experiment])) == 2
    at = mark(opened(show="Deleted"), 0)
    at.button(key="restore").click().run()
    assert len(open_reader(uri).runs([add_run.experiment])) == 3


def test_mlflows_pages_that_do_not_start_are_no_dead_link(
    add_run: Any, opened: Any, editor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run("a")
    at = mark(opened(), 0)
    editor.mlflow_ui.return_value = ("http://127.0.0.1:1", False)
    monkeypatch.setattr(store, "mlflow_page", functools.partial(store.mlflow_page, seconds=0.0))
    at.button(key="mlflow-compare").click().run()
    assert "did not start" in at.error[0].value and not at.get("link_button")


def test_name_note_and_tags_are_edited(add_run: Any, opened: Any, uri: str) -> None:
    run = add_run("before", {}, {"val/loss": 1.0}, {"mine": "x", schema.OUTCOME: "ok"})
    at = mark(opened(), 0)
    at.button(key="edit-runs").click().run()
    remove = at.multiselect(key="edit-removed")
    assert remove.options == ["mine"], "the program's own tags are not a person's to remove"
    remove.set_value(["mine"])
    for label, text in (("Name", "after"), ("Tag", "lab"), ("Value", "x <b>")):
        next(element for element in at.text_input if element.label == label).set_value(text)
    at.text_area[0].set_value("a note")
    next(element for element in at.button if element.label == "Save").click().run()
    assert not at.exception
    row = open_reader(uri).frame(run_ids=[run]).iloc[0]
    assert (row["name"], row["tags.lab"], row[f"tags.{schema.NOTE}"]) == ("after", "x <b>", "a note")
    assert "tags.mine" not in row


def test_what_the_service_refuses_is_said(add_run: Any, opened: Any, editor: Any) -> None:
    add_run("a")
    at = mark(opened(), 0)
    editor.edit.side_effect = CommandError("tag archived: <b>no</b>")
    at.button(key="archive").click().run()
    assert at.error[0].value == ui.text("tag archived: <b>no</b>")


def test_roles_are_guessed_shown_changed_and_remembered(add_run: Any, opened: Any, rows: Any) -> None:
    add_run("a", {"m": "a"}, {"held out": 1.0, "val_acc": 0.5})
    at = opened()
    table = next(frame.value for frame in at.dataframe if "better" in frame.value)
    assert table.set_index("metric").loc["val_acc"].tolist() == ["validation", "higher", "guessed"]
    roles = metric_roles.remembered({"held out": metric_roles.Role("test", "lower", metric_roles.SAID)})
    rows.set_experiment_tag(add_run.experiment, store.ROLES_TAG, roles)
    table = next(frame.value for frame in opened().dataframe if "better" in frame.value).set_index("metric")
    assert table.loc["held out"].tolist() == ["test", "lower", "said"]


def test_hostile_runs_are_only_text(add_run: Any, opened: Any) -> None:
    add_run(HOSTILE, {"config": "{'a': [1, {'b': 2}]}"})
    add_run("inf", {"config": HOSTILE}, {"odd name: x": math.inf, "nan": math.nan})
    add_run("stuck", status=None)
    at = opened()
    table = shown(at).set_index("name")
    assert HOSTILE in table.index and table.loc["inf", "params.config"] == HOSTILE
    assert table.loc["stuck", "state"].startswith("running, silent for ")
    groups = shown(opened(rows="Groups"))
    assert len(groups) >= 2 and not at.error
    at = mark(opened(), 2)
    assert "**1 run** marked" in text_of(at)


def test_hundreds_of_metrics_show_a_few(add_run: Any, opened: Any) -> None:
    names = {f"system/gpu_{k}": 1.0 for k in range(150)}
    add_run("a", {}, {**names, "val/loss": 1.0})
    add_run("b", {}, {**names, "val/loss": 2.0})
    at = opened()
    metrics = [column for column in shown(at) if column.startswith("metrics.")]
    assert metrics == ["metrics.val/loss"]
    assert len([name for name in at.multiselect(key="columns").options if name.startswith("metrics.")]) == 151


def test_an_experiment_without_runs_and_a_store_without_any(add_run: Any, opened: Any) -> None:
    assert "The experiment e has no runs yet" in text_of(opened())
    assert "has no deleted runs" in text_of(opened(show="Deleted"))


def test_no_params_and_no_metrics(add_run: Any, opened: Any) -> None:
    add_run("bare")
    assert shown(opened())["name"].tolist() == ["bare"]
    at = opened(rows="Groups")
    assert shown(at)["n"].tolist() == [1] and "logged no metric" in text_of(at)


def test_a_store_of_another_version_is_read_and_says_how_to_migrate(add_run: Any, opened: Any, rows: Any) -> None:
    add_run("a", {"k": "1"}, {"val/loss": 1.0})
    rows.database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    st.cache_data.clear()
    at = mark(opened(), 0)
    assert ui.text("mlflow db upgrade") in at.info[0].value and shown(at)["name"].tolist() == ["a"]
    assert at.button(key="delete-runs").disabled and at.button(key="archive").disabled
