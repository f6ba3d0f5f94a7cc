"""The ranked table: order, places that verdicts carry, ties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.statistics.samples import Sample, sample
from analysis.statistics.standings import standings
from analysis.statistics.verdicts import Decision

NOISE = np.random.default_rng(1).normal(0, 0.01, (6, 12))


def seeded(name: str, values: np.ndarray | list[float], diverged: tuple[int, ...] = ()) -> Sample:
    return sample(name, dict(enumerate(np.asarray(values, dtype=float).tolist())), diverged=diverged, paired_on="seed")


def test_places_are_claimed_as_far_as_verdicts_carry_them() -> None:
    table = standings(
        [
            seeded("worst", NOISE[0] + 2),
            seeded("good", NOISE[1]),
            seeded("as good", NOISE[2]),
            seeded("middle", NOISE[3] + 1),
        ],
        metric="val/loss",
    )
    assert {row.name: row.place for row in table.rows} == {"good": "1–2", "as good": "1–2", "middle": "3", "worst": "4"}
    assert {row.name: row.tied for row in table.rows} == {
        "good": ("as good",), "as good": ("good",), "middle": (), "worst": (),
    }  # fmt: skip
    leader = table.rows[0].name
    text = table.sentence
    assert text.startswith(f"{leader} leads with val/loss ") and ", is better than 2 of the other 3 groups" in text
    assert f"cannot be told from {table.rows[1].name} (exact tests, Holm's correction for 6 pairs)." in text
    frame = table.frame()
    assert frame["name"].tolist()[2:] == ["middle", "worst"] and frame["tied"].tolist()[2:] == ["", ""]
    assert frame["runs"].tolist() == ["12 of 12"] * 4
    assert frame["mean"].iloc[3] == pytest.approx(NOISE[0].mean() + 2)


def test_a_clear_winner_is_called_one() -> None:
    groups = [seeded(name, NOISE[k] + shift) for k, (name, shift) in enumerate({"a": 0, "b": 1, "c": 1.001}.items())]
    table = standings(groups)
    assert table.sentence.startswith("a is better than each of the other 2 groups: the result ")
    assert [row.place for row in table.rows] == ["1", "2–3", "2–3"]
    turned = standings(groups, direction="maximize")
    assert [row.name for row in turned.rows][2] == "a" and turned.rows[2].place == "3"


def test_the_diverged_rank_last_and_are_counted() -> None:
    table = standings(
        [
            seeded("bold", NOISE[0][:5] - 1, diverged=(5, 6, 7)),
            seeded("lost", [], diverged=tuple(range(8))),
            seeded("safe", NOISE[1][:8]),
        ]
    )
    assert [row.name for row in table.rows] == ["safe", "bold", "lost"]
    assert table.frame()["runs"].tolist() == ["8 of 8", "5 of 8", "0 of 8"]
    assert table.frame()["diverged"].tolist() == [0, 3, 8] and math.isnan(table.frame()["mean"].iloc[2])
    assert table.rows[0].tied == ("bold",), "which is lower, where it is finite"
    assert table.rows[2].worst_place == 3


def test_a_group_with_a_better_mean_that_does_not_lead_is_named_with_the_reason() -> None:
    better = sample("adam", {seed: 0.7 + seed / 100 for seed in range(4)}, diverged=(4,), paired_on="seed")
    worse = sample("sgd", {seed: 0.6 + seed / 100 for seed in range(5)}, paired_on="seed")
    text = standings([better, worse], direction="maximize", metric="acc").sentence
    assert text.endswith(" adam has the better mean, acc 0.715, but 1 of its 5 runs diverged, and those count first.")
    assert "better mean" not in standings([better, worse], direction="minimize", metric="acc").sentence
    rounded = sample("sgd", {seed: 0.1 + 0.2 for seed in range(4)}, diverged=(4,), paired_on="seed")
    plain = sample("adam", {seed: 0.3 for seed in range(5)}, paired_on="seed")
    assert "better mean" not in standings([rounded, plain], direction="maximize").sentence, "rounding is no better"


def test_too_few_seeds_for_so_many_pairs() -> None:
    groups = [seeded(name, NOISE[k][:3] + k) for k, name in enumerate("abcd")]
    table = standings(groups, metric="val/loss")
    assert table.sentence.startswith(
        "Too few seeds: at least 5 more a group make a verdict possible on at least one of"
    )
    assert "asks for an exact p of 0.0083" in table.sentence and "so far a leads with val/loss" in table.sentence
    assert {row.place for row in table.rows} == {"1–4"}
    assert {ruling.decision for ruling in table.verdicts.values()} == {Decision.TOO_FEW}


def test_few_groups_or_results() -> None:
    assert standings([]).sentence == "No group has a result yet." and standings([]).frame().empty
    waiting = Sample("w", {}, unfinished={"running": 3}, paired_on="seed")
    table = standings([waiting, seeded("a", NOISE[0][:4])])
    assert table.sentence.startswith("Only a has results: the result ")
    assert [(row.name, row.place) for row in table.rows] == [("a", "1"), ("w", "–")]
    assert standings([waiting]).sentence == "No group has a result yet."
    two = standings([seeded("a", NOISE[0]), seeded("b", NOISE[1] + 1)])
    assert two.sentence == two.verdicts[0, 1].sentence and "a is better than b" in two.sentence
    lost = [seeded(name, [], diverged=(0, 1)) for name in "abcdef"]
    assert standings(lost).sentence == "All 12 runs of a, b, c and 3 more diverged."


def test_groups_within_a_margin_are_tied() -> None:
    groups = [seeded(name, NOISE[0] + 0.001 * k * np.linspace(0.9, 1.1, 12)) for k, name in enumerate("abc")]
    assert [row.place for row in standings(groups).rows] == ["1", "2", "3"]
    assert [row.place for row in standings(groups, margin=0.1).rows] == ["1–3"] * 3


def test_where_all_results_are_the_same_none_leads() -> None:
    rounded = [seeded("none", [1 - 0.6] * 5), seeded("b", [0.4] * 5), seeded("a", [0.1 + 0.3] * 5)]
    for groups in (rounded, rounded[:2]):
        table = standings(groups, metric="1 − acc")
        assert table.sentence == f"All results are the same: 1 − acc 0.4 in each of {len(groups)} groups."
        assert [row.name for row in table.rows] == [group.name for group in groups], "rounding decides no rank"
