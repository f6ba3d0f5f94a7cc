"""The ranking rule: share of diverged runs first, then the mean of the finite ones; nothing dropped."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from scipy import stats

from analysis.runs.ranking import answer, places, ranking, sweep_ranking
from analysis.statistics.samples import samples
from analysis.statistics.standings import standings

SEARCHED = ["optimizer.name", "optimizer.lr"]


def runs(*rows: tuple[str, float, str, float | None], counts: bool = True) -> pd.DataFrame:
    """One run for each (optimizer, lr, outcome, objective); the group and the trial follow from the configuration."""
    configurations = list(dict.fromkeys((name, lr) for name, lr, *_ in rows))
    return pd.DataFrame(
        [
            {
                "run_id": f"r{k}", "seed": k, "trial": configurations.index((name, lr)), "group": f"{name}{lr}",
                "outcome": outcome, "counts": counts, "objective": math.nan if value is None else value,
                "optimizer.name": name, "optimizer.lr": lr,
            }
            for k, (name, lr, outcome, value) in enumerate(rows)
        ]
    )  # fmt: skip


def test_a_safe_group_beats_a_better_one_that_sometimes_diverges() -> None:
    groups = ranking(
        runs(
            ("sgd", 1.0, "ok", 0.01), ("sgd", 1.0, "diverged", None), ("sgd", 1.0, "ok", 0.01),
            ("adam", 0.1, "ok", 0.2), ("adam", 0.1, "ok", 0.4), ("adam", 0.1, "ok", 0.3),
            ("rmsprop", 9.0, "diverged", None),
        ),
        SEARCHED,
    )  # fmt: skip
    assert [group.label for group in groups] == ["adam, lr 0.1", "sgd, lr 1", "rmsprop, lr 9"]
    assert [group.seeds for group in groups] == ["3 of 3", "2 of 3", "0 of 1"]
    assert [group.rank for group in groups] == [1, 2, 3]
    assert groups[0].interval.mean == pytest.approx(0.3)
    assert groups[1].remarks == "1 diverged" and groups[1].share_diverged == pytest.approx(1 / 3)


def test_direction_turns_the_order_but_not_the_place_of_the_diverged() -> None:
    frame = runs(("a", 1.0, "ok", 0.1), ("b", 1.0, "ok", 0.9), ("c", 1.0, "diverged", None))
    assert [group.params["optimizer.name"] for group in ranking(frame, SEARCHED)] == ["a", "b", "c"]
    assert [group.params["optimizer.name"] for group in ranking(frame, SEARCHED, "maximize")] == ["b", "a", "c"]


def test_what_has_no_result_is_named_and_has_no_rank() -> None:
    groups = ranking(
        runs(
            ("a", 1.0, "running", None), ("b", 1.0, "crashed", None), ("b", 1.0, "ok", 1.0), ("c", 1.0, "stopped", 0.0)
        ),
        SEARCHED,
    )
    assert [(group.params["optimizer.name"], group.rank, group.remarks) for group in groups] == [
        ("b", 1, "1 crashed"),
        ("a", None, "1 running"),
        ("c", None, "1 stopped"),
    ]
    assert groups[0].seeds == "1 of 1"


def test_superseded_runs_do_not_count() -> None:
    frame = pd.concat([runs(("a", 1.0, "ok", 1.0)), runs(("a", 1.0, "crashed", None), counts=False)])
    (group,) = ranking(frame, SEARCHED)
    assert group.judged == 1 and group.remarks == ""


def test_an_infinite_objective_is_a_divergence_whatever_its_outcome_says() -> None:
    (group,) = ranking(runs(("a", 1.0, "ok", math.inf), ("a", 1.0, "ok", 1.0)), SEARCHED)
    assert (group.seeds, group.diverged, group.interval.mean) == ("1 of 2", 1, 1.0)


def test_the_answer_is_one_sentence_with_its_basis() -> None:
    groups = ranking(
        runs(("a", 1.0, "ok", 0.1), ("a", 1.0, "ok", 0.2), ("a", 1.0, "ok", 0.3), ("b", 1.0, "ok", 0.9)), SEARCHED
    )
    text = answer(groups, "val/loss", over=True)
    assert text.startswith("a, lr 1 leads 2 configurations with val/loss 0.20 ± 0.25 (95% t-interval, n=3)")
    assert answer(groups, "val/loss", over=False).startswith("a, lr 1 leads 2 configurations so far")
    few = ranking(runs(("a", 1.0, "ok", 0.1), ("a", 1.0, "ok", 0.2), ("b", 1.0, "ok", 9.0)), SEARCHED)
    assert "±" not in answer(few, "val/loss", over=True)
    assert "(n=2)" in answer(few, "val/loss", over=True)


def test_an_answer_never_hides_that_all_diverged_or_that_nothing_came() -> None:
    diverged = ranking(runs(("a", 1.0, "diverged", None), ("b", 1.0, "diverged", None)), SEARCHED)
    assert answer(diverged, "val/loss", over=True) == "All 2 runs diverged."
    assert answer([], "val/loss", over=True) == "No run came to a result."
    assert answer([], "val/loss", over=False) == "No result yet."


def test_no_runs_make_no_groups() -> None:
    assert ranking(runs(("a", 1.0, "ok", 1.0)).iloc[:0], SEARCHED) == []


def test_pruned_groups_come_last_and_are_called_so() -> None:
    frame = runs(("a", 1.0, "pruned", None), ("b", 1.0, "running", None), ("c", 1.0, "ok", 2.0), ("d", 1.0, "ok", 1.0))
    groups = ranking(frame, SEARCHED)
    assert [group.params["optimizer.name"] for group in groups] == ["d", "c", "b", "a"]
    assert [group.remarks for group in groups] == ["", "", "1 running", "pruned"]
    assert groups[-1].pruned and groups[-1].rank is None


def test_an_interval_is_over_training_sets_where_runs_share_them() -> None:
    frame = runs(*[("sgd", 0.1, "ok", float(k)) for k in range(6)]).assign(seed_data=[0, 1, 2] * 2)
    (group,) = ranking(frame, SEARCHED)
    low, high = stats.t.interval(0.95, 2, 2.5, stats.sem([1.5, 2.5, 3.5]))
    assert (group.interval.n, group.interval.mean) == (3, 2.5) and group.seeds == "6 of 6"
    assert (group.interval.low, group.interval.high) == pytest.approx((low, high))


def test_a_configuration_that_was_drawn_twice_has_two_labels_and_its_own_places() -> None:
    """By one label both had the place of the last."""
    values = [[0.1, 0.5, 0.9][trial] + seed / 1000 for trial in range(3) for seed in range(8)]
    frame = runs(*(("adam", 0.1, "ok", value) for value in values))
    frame = frame.assign(trial=[k // 8 for k in range(24)], seed=[k % 8 for k in range(24)])
    frame = frame.assign(group=[f"g{trial}" for trial in frame["trial"]])
    frame.loc[frame["trial"] == 2, "optimizer.lr"] = 0.2
    groups = sweep_ranking(frame, SEARCHED)
    assert [group.label for group in groups] == ["adam, lr 0.1, trial 0", "adam, lr 0.1, trial 1", "adam, lr 0.2"]
    standing = standings(samples(frame, names={group.group: group.label for group in groups}))
    assert places(groups, standing) == ["1", "2", "3"]


def test_rounding_decides_no_rank_and_names_no_leader() -> None:
    rows = [(f"g{k}", k, seed, "ok", True, value)
            for k, value in enumerate((0.1 + 0.2, 0.3, 0.30000000000000004)) for seed in range(2)]  # fmt: skip
    runs = pd.DataFrame(rows, columns=["group", "trial", "seed", "outcome", "counts", "objective"])
    for direction in ("minimize", "maximize"):
        groups = ranking(runs, [], direction)
        assert [group.group for group in groups] == ["g0", "g1", "g2"]
        text = answer(groups, "val/loss", over=True)
        assert text == "All results are the same: val/loss 0.3 in each of 3 configurations."
    assert "leads 3 configurations" in answer(ranking(runs.assign(objective=range(6)), []), "val/loss", over=True)
