"""Any runs made comparable: groups, seeds and outcomes of ours and of strangers; what differs, from what."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis.runs.comparison import Comparison, comparison, groups_of, shown
from analysis.runs.params import against, side_by_side
from analysis.statistics.samples import sample
from tracking.configurations import values_of

SWEEPS = pd.DataFrame(columns=["sweep", "name", "metric", "direction", "searched"])


def runs_of(
    params: list[dict[str, str]],
    tags: list[dict[str, str]] | None = None,
    values: list[float] | None = None,
    parents: list[str] | None = None,
    sweeps: pd.DataFrame = SWEEPS,
) -> Comparison:
    """Runs r0, r1, ... with these params; `values` of a metric called loss."""
    ids = [f"r{place}" for place in range(len(params))]
    runs = pd.DataFrame(
        {
            "run_id": ids, "name": ids, "experiment_id": "1", "status": "FINISHED", "start_time": 0, "end_time": 1000,
            "parent": parents or [""] * len(ids),
        }
    )  # fmt: skip

    def long(rows: list[dict[str, Any]]) -> pd.DataFrame:
        cells = [(run, key, value) for run, row in zip(ids, rows, strict=True) for key, value in row.items()]
        return pd.DataFrame(cells, columns=["run_id", "key", "value"])

    metrics = [{"loss": value, "objective": value} for value in values] if values else [{} for _ in ids]
    return comparison(runs, long(params), long(tags or [{} for _ in ids]), long(metrics), sweeps)


def test_strangers_are_grouped_by_everything_but_the_seed() -> None:
    comparison = runs_of(
        [{"lr": lr, "seed": seed} for lr in ("0.1", "1e-3") for seed in "012"], values=[1, 2, 3, 4, 5, 6]
    )
    assert comparison.runs["group"].nunique() == 2 and comparison.runs["seed"].tolist() == [0, 1, 2] * 2
    assert comparison.runs["outcome"].tolist() == ["ok"] * 6 and comparison.differing == ["lr"]
    groups, _ = groups_of(comparison, "loss", "minimize")
    assert [group.label for group in groups] == ["lr 0.1", "lr 0.001"]
    assert [group.interval.mean for group in groups] == [2.0, 5.0]


def test_one_configuration_of_two_sweeps_is_two_groups_named_by_their_sweeps() -> None:
    sweeps = pd.DataFrame(
        [("a", "first", "loss", "minimize", ["lr"]), ("b", "second", "loss", "minimize", ["lr"])], columns=list(SWEEPS)
    )
    tags = [{"kind": "run", "group": group, "seed": "0", "outcome": "ok"} for group in ("g", "h", "g")]
    params = [{"lr": "1.0"}, {"lr": "2.0"}, {"lr": "1.0"}]
    comparison = runs_of(params, tags, [1, 2, 3], ["a", "a", "b"], sweeps)
    groups, _ = groups_of(comparison, "loss", "minimize", sweeps={"a": "first", "b": "second"})
    assert [group.label for group in groups] == ["lr 1, first", "lr 2", "lr 1, second"]
    assert (comparison.objective, comparison.direction, comparison.searched) == ("loss", "minimize", ["lr"])


def test_a_strangers_run_beside_a_sweep_is_called_by_what_it_has() -> None:
    sweeps = pd.DataFrame([("a", "first", "loss", "minimize", ["optimizer.lr"])], columns=list(SWEEPS))
    tags = [{"kind": "run", "group": group, "outcome": "ok"} for group in "gh"]
    params = [{"optimizer.lr": "1.0"}, {"optimizer.lr": "2.0"}, {"method": "lamb"}]
    groups, _ = groups_of(runs_of(params, [*tags, {}], [1, 2, 3], ["a", "a", ""], sweeps), "loss", "minimize")
    labels = [group.label for group in groups]
    assert len(set(labels)) == 3 and labels[2].startswith("lamb") and all("(2)" not in label for label in labels)


def test_what_sums_up_its_child_runs_is_left_out_and_counted() -> None:
    params = [{"trials": "2"}, {"lr": "0.1"}, {"lr": "0.2"}]
    comparison = runs_of(params, values=[1.0, 1.0, 2.0], parents=["", "r0", "r0"])
    assert comparison.runs["run_id"].tolist() == ["r1", "r2"] and comparison.left_out == 1
    assert comparison.configurations == {
        group: {"lr": lr} for group, lr in zip(comparison.runs["group"], (0.1, 0.2), strict=True)
    }
    alone = runs_of(params[:1], values=[1.0])
    assert alone.runs["run_id"].tolist() == ["r0"] and alone.left_out == 0


def test_sweeps_with_different_goals_have_none_together() -> None:
    sweeps = pd.DataFrame([("a", "", "loss", "minimize", []), ("b", "", "acc", "maximize", [])], columns=list(SWEEPS))
    tags = [{"kind": "run", "group": group} for group in "gh"]
    assert runs_of([{}, {}], tags, [1, 2], ["a", "b"], sweeps).objective == ""


def test_sweeps_themselves_and_superseded_runs_do_not_count() -> None:
    tags = [{"kind": "sweep"}, {"kind": "run", "superseded_by": "x"}, {"kind": "run", "outcome": "diverged"}]
    comparison = runs_of([{}, {}, {}], tags)
    assert comparison.runs["run_id"].tolist() == ["r1", "r2"] and comparison.runs["counts"].tolist() == [False, True]
    assert comparison.runs["outcome"].tolist() == ["running", "diverged"]


def test_labels_differ_and_single_runs_have_their_own() -> None:
    many = [{key: str(k) for key in "abcde"} | {"e": str(k % 2)} for k in (0, 0, 1)]
    comparison = runs_of([{**many[0], "e": "7"}, {**many[1], "e": "8"}, many[2]], values=[1, 2, 3])
    groups, _ = groups_of(comparison, "loss", "minimize")
    assert len({group.label for group in groups}) == len(groups) == 3
    single, runs = groups_of(comparison, "loss", "maximize", single=True)
    assert [group.group for group in single] == ["r2", "r1", "r0"] and runs["group"].tolist() == ["r0", "r1", "r2"]


def test_params_that_are_called_like_columns_of_runs_get_names_of_their_own() -> None:
    losses = ("binary:logistic", "reg:squarederror")
    comparison = runs_of([{"objective": loss, "param objective": "x", "seed": "3"} for loss in losses], values=[1, 2])
    assert set(comparison.params) == {"param param objective", "param objective", "param seed"}
    assert comparison.differing == ["param param objective"] and comparison.runs["seed"].tolist() == [3, 3]
    groups, runs = groups_of(comparison, "loss", "minimize")
    assert [group.label.rpartition(" ")[2] for group in groups] == list(losses)
    assert runs["objective"].tolist() == [1, 2] and not set(comparison.params) & set(comparison.runs)


def test_no_runs_no_params_no_metrics() -> None:
    assert runs_of([]).differing == [] and groups_of(runs_of([]), "loss", "minimize")[0] == []
    comparison = runs_of([{}, {}])
    assert math.isnan(comparison.last("loss")[0]) and len(groups_of(comparison, "loss", "minimize")[0]) == 1


def test_a_run_that_never_logged_the_metric_has_not_diverged() -> None:
    comparison = runs_of([{"lr": "1"}, {"lr": "2"}, {"lr": "3"}], values=[1.0, math.nan, 2.0])
    assert comparison.judged_by("loss")["outcome"].tolist() == ["ok", "diverged", "ok"], "it logged what is no number"
    assert comparison.judged_by("another")["outcome"].tolist() == ["without a result"] * 3
    groups, _ = groups_of(comparison, "loss", "minimize")
    assert [group.diverged for group in groups] == [0, 0, 1]
    groups, _ = groups_of(comparison, "another", "minimize")
    assert [dict(group.others) for group in groups] == [{"without a result": 1}] * 3


def test_values_are_shown_as_texts() -> None:
    assert [shown(value) for value in (None, True, [64, 32], 0.001, "x")] == ["–", "true", "64, 32", "0.001", "x"]


def test_params_side_by_side_show_what_differs_first() -> None:
    params = [{"lr": "0.1", "size": "8", "seed": "0"}, {"lr": "0.2", "size": "8", "seed": "1"}]
    comparison = runs_of(params, values=[1, 2])
    groups, runs = groups_of(comparison, "loss", "minimize")
    sides = side_by_side(comparison, runs, groups)
    assert sides.frame.to_dict("list") == {"param": ["lr"], "lr 0.1": ["0.1"], "lr 0.2": ["0.2"]} and sides.same == 1
    whole = side_by_side(comparison, runs, groups, everything=True).frame
    assert whole["param"].tolist() == ["lr", "size"] and whole.iloc[1, 1:].tolist() == ["8", "8"]


def test_differences_are_paired_where_seeds_are_shared() -> None:
    base = sample("base", {0: 1.0, 1: 5.0, 2: 9.0}, paired_on="seed")
    paired = sample("paired", {0: 1.5, 1: 5.5, 2: 9.5}, paired_on="seed")
    other = sample("other", {7: 1.5, 8: 5.5, 9: 9.5}, paired_on="seed")
    differences = against({sample.name: sample for sample in (base, paired, other)}, "base")
    assert differences["base"] is None
    near, far = differences["paired"], differences["other"]
    assert near is not None and near.interval.half == 0 and near.interval.mean == 0.5
    assert far is not None and far.paired_on is None and far.interval.half > 1


def test_text_that_json_escapes_hide_is_legible() -> None:
    evil, listed = values_of("name", ['"\\u202eevil"', '["a\\u200b", 1]'])
    assert evil == "[U+202E]evil" and shown(listed) == "a[U+200B], 1"
