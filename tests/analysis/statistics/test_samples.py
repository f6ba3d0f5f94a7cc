"""Frames of runs to samples: what counts, what diverged, what is paired, and which phase is judged."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from analysis.runs.ranking import ranking
from analysis.statistics.samples import repeats_words, sample, samples


def frame(*rows: tuple[str, int, str, float | None], **columns: Any) -> pd.DataFrame:
    """A frame of one run for each (group, seed, outcome, objective), and of whole columns."""
    table = pd.DataFrame(rows, columns=["group", "seed", "outcome", "objective"]).astype({"objective": "float64"})
    return table.assign(counts=True, phase="search").assign(**columns)


def test_every_run_is_counted_once_and_for_what_it_is() -> None:
    (sample,) = samples(
        frame(
            ("a", 0, "ok", 0.5), ("a", 1, "diverged", None), ("a", 2, "diverged", 0.1), ("a", 3, "ok", math.inf),
            ("a", 4, "ok", None), ("a", 5, "running", 0.3), ("a", 6, "crashed", None), ("a", 7, "pruned", 0.9),
        )
    )  # fmt: skip
    assert sample.values == {(0,): 0.5}
    assert sample.diverged == {(1,), (2,), (3,), (4,)}, "an ok run without a finite result diverged, whatever it says"
    assert sample.unfinished == {"running": 1, "crashed": 1, "pruned": 1}
    assert (sample.n, sample.runs, sample.share_diverged) == (5, "1 of 5", 0.8)
    assert sample.interval.n == 1 and sample.paired_on == "seed"


def test_runs_that_do_not_count_are_left_out() -> None:
    groups = samples(frame(("a", 0, "crashed", None), ("a", 0, "ok", 0.5), counts=[False, True]))
    assert groups[0].values == {(0,): 0.5} and not groups[0].unfinished and groups[0].paired_on == "seed"


def test_confirm_runs_are_judged_where_they_exist() -> None:
    runs = frame(
        ("s1", 0, "ok", 0.1), ("s1", 1, "ok", 0.1), ("s2", 0, "ok", 0.9),
        ("c1", 10, "ok", 0.4), ("c1", 11, "running", None),
        trial=[1, 1, 2, 1, 1], phase=["search", "search", "search", "confirm", "confirm"],
    )  # fmt: skip
    first, second = samples(runs, "trial", names={1: "adam", 2: "sgd"})
    assert (first.name, first.phase, first.values) == ("adam", "confirm", {(10,): 0.4})
    assert first.unfinished == {"running": 1}
    assert (second.name, second.phase, second.values) == ("sgd", "search", {(0,): 0.9})


def test_without_seeds_or_with_one_twice_a_group_is_independent() -> None:
    rows = (("a", 0, "ok", 0.1), ("a", 0, "ok", 0.2), ("b", 0, "ok", 0.3), ("c", -1, "ok", 0.4))
    assert [sample.paired_on for sample in samples(frame(*rows))] == [None, "seed", None]
    assert [sample.n for sample in samples(frame(*rows))] == [2, 1, 1], "no run is lost by it"
    assert [sample.paired_on for sample in samples(frame(*rows).drop(columns="seed"))] == [None] * 3
    assert samples(frame(("a", 0, "ok", 0.1), seed=math.nan))[0].paired_on is None


def test_pairs_may_share_more_than_the_seed() -> None:
    runs = frame(("a", 0, "ok", 0.1), ("a", 0, "ok", 0.2), ("b", 0, "ok", 0.3), ("b", 0, "ok", 0.4), lr=[1, 2, 1, 2])
    groups = samples(runs, paired_on=("seed", "lr"))
    assert [sample.paired_on for sample in groups] == ["seed and lr"] * 2
    assert groups[0].keys == groups[1].keys == {(0, 1), (0, 2)}
    assert samples(runs, paired_on=("seed", "fold"))[0].paired_on is None, "a column that is not there pairs nothing"


def test_groups_are_told_apart_by_any_columns_lists_among_them() -> None:
    runs = frame(("x", 0, "ok", 0.1), ("x", 0, "ok", 0.2), ("x", 0, "ok", 0.3))
    runs["model.hidden_sizes"] = [[8], [8, 8], None]
    assert [sample.name for sample in samples(runs, "model.hidden_sizes")] == ["[8]", "[8, 8]", "none"]
    names = [sample.name for sample in samples(runs, ["group", "model.hidden_sizes"])]
    assert names == ["x, [8]", "x, [8, 8]", "x, none"]


def test_a_strangers_frame_has_neither_outcome_nor_phase() -> None:
    runs = pd.DataFrame({"tags.team": ["x", "x", "y", "y"], "metrics.acc": [0.5, math.nan, -math.inf, 0.25]})
    x, y = samples(runs, "tags.team", value="metrics.acc")
    assert x.values == {0: 0.5} and x.unfinished == {"without a result": 1}
    assert y.values == {1: 0.25} and y.diverged == {0} and y.phase == "" and y.paired_on is None


def test_empty_frames_have_no_groups_and_missing_columns_are_named() -> None:
    assert samples(frame().iloc[:0]) == []
    with pytest.raises(ValueError, match="no column 'model'; allowed: group, seed"):
        samples(frame(), "model")


def test_samples_of_plain_numbers() -> None:
    assert sample("a", [0.1, 0.2], diverged=2).n == 4
    assert sample("a", pd.Series([0.1], index=[7]), diverged={8}, paired_on="seed").keys == {7, 8}
    assert math.isnan(sample("a", []).share_diverged) and sample("a", []).runs == "–"
    with pytest.raises(ValueError, match="a, values: nan is not allowed"):
        sample("a", [math.nan])
    with pytest.raises(ValueError, match="a: 0 is not allowed as finite and diverged"):
        sample("a", [0.1], diverged={0})
    with pytest.raises(ValueError, match="diverged: 1 is not allowed beside paired_on; allowed: which seeds diverged"):
        sample("a", [0.1], diverged=1, paired_on="seed")
    with pytest.raises(ValueError, match="diverged: -1 is not allowed"):
        sample("a", [0.1], diverged=-1)
    with pytest.raises(ValueError, match="a: 1 is there twice"):
        sample("a", pd.Series([0.1, 0.2], index=[1, 1]))


def test_runs_on_one_training_set_are_one_result() -> None:
    rows = [("a", seed, "ok", float(seed)) for seed in range(6)] + [("b", seed, "ok", 1.0) for seed in range(6)]
    first, second = samples(frame(*rows, seed_data=[0, 1, 2] * 4))
    assert first.values == {(0,): 1.5, (1,): 2.5, (2,): 3.5} and first.interval.n == 3
    assert first.paired_on == second.paired_on == "training set"
    alone = samples(frame(*rows, seed_data=[*range(6)] * 2))[0]
    assert (alone.paired_on, alone.n) == ("seed", 6), "each with a training set of its own: results by their seed"


def test_a_training_set_on_which_a_run_diverged_has_diverged() -> None:
    rows = [("a", 0, "ok", 1.0), ("a", 1, "ok", 2.0), ("a", 2, "diverged", None), ("a", 3, "ok", 4.0)]
    (sample,) = samples(frame(*rows, seed_data=[0, 1, 0, 1]))
    assert (sample.values, sample.diverged, sample.unfinished) == ({(1,): 3.0}, {(0,)}, {})


def test_a_training_set_is_waited_for_until_all_its_runs_have_ended() -> None:
    rows = [("a", 0, "ok", 1.0), ("a", 1, "ok", 2.0), ("a", 2, "ok", 3.0), ("a", 3, "running", None)]
    (sample,) = samples(frame(*rows, seed_data=[0, 1, 0, 1]))
    assert (sample.values, sample.diverged, sample.unfinished) == ({(0,): 2.0}, frozenset(), {"running": 1})


def test_repeats_of_a_seed_count_once_and_are_said() -> None:
    rows = [("a", seed, "ok", 0.5 + seed + again) for again in (0.0, 0.25, 0.5) for seed in range(5)]
    lost = [("b", 0, "ok", 1.0), ("b", 0, "diverged", None), ("b", 1, "ok", 2.0)]
    a, b = samples(frame(*rows, *lost))
    assert a.values == {(seed,): 0.75 + seed for seed in range(5)} and a.paired_on == "seed" and a.interval.n == 5
    assert b.values == {(1,): 2.0} and b.diverged == {(0,)}, "a seed is lost if one of its repeats diverged"
    assert repeats_words([a]) == "Seeds 0 to 4 come 3 times each: their mean counts once."
    assert repeats_words([a, b]).startswith("In a seeds 0 to 4 come 3 times each: ")
    assert repeats_words([a] * 4).startswith("In 4 groups seeds come several times")
    (once,) = samples(frame(*rows[:5], ("a", 0, "crashed", None)))
    assert repeats_words([once]) == "" and once.n == 5, "a crashed run is no repeat"
    (group,) = ranking(frame(*rows, trial=0), [])
    assert (group.interval.mean, group.interval.half) == pytest.approx((a.interval.mean, a.interval.half))
