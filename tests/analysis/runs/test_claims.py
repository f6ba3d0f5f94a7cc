"""Claims: the right groups on each side, the verdict of the exact test on them, and what is said of the choice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.runs.claims import Status, claims_info, matches
from analysis.statistics.samples import sample
from analysis.statistics.verdicts import verdict
from sweeps.spec.model import Claim

KEYS = ["optimizer.name", "optimizer.lr"]
ADAM, SGD = {"optimizer.name": "adam"}, {"optimizer.name": "sgd"}


def run(trial: int, seed: int, value: float, params: dict[str, Any], **more: Any) -> dict[str, Any]:
    phase = more.get("phase", "search")
    return {
        "run_id": f"{phase}{trial}-{seed}", "group": f"{phase}{trial}", "trial": trial, "seed": seed, "phase": "search",
        "outcome": "ok" if math.isfinite(value) else "diverged", "objective": value, **params, **more,
    }  # fmt: skip


def runs_of(*trials: tuple[str, float, list[float]], phase: str = "search", first: int = 0) -> pd.DataFrame:
    rows = [
        run(trial, first + seed, value, {"optimizer.name": name, "optimizer.lr": lr}, phase=phase)
        for trial, (name, lr, values) in enumerate(trials)
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def noisy(mean: float, n: int = 8, seed: int = 0) -> list[float]:
    return (mean + 0.01 * np.random.default_rng(seed).standard_normal(n)).tolist()


def claim(**changed: Any) -> Claim:
    """The claim that adam has a lower validation loss than sgd, with some of it changed."""
    stated: dict[str, Any] = {"text": "", "better": ADAM, "than": SGD, "metric": "val/loss", "direction": "minimize"}
    return Claim(**stated | changed)


def info(runs: pd.DataFrame, **changed: Any) -> Any:
    return claims_info(runs, [claim(**changed)], KEYS)[0]


@pytest.mark.parametrize(
    ("value", "wanted", "same"),
    [
        (0.1 + 0.2, 0.3, True), (0.3, 0.3001, False), (1, 1.0, True), ([512], (512,), True),
        ([512], [512, 1], False),
        ([1, 2.0], [1.0, 2], True), ("adam", "adam", True), ("adam", "Adam", False), (True, 1, False),
        (0, False, False), (None, None, True), (math.nan, None, True), (None, 0, False), ("1", 1, False),
        (0.0, 0, True),
    ],
)  # fmt: skip
def test_a_value_is_the_one_named(value: Any, wanted: Any, same: bool) -> None:
    runs = pd.DataFrame({"lr": pd.Series([value], dtype=object)})
    assert matches(runs, {"lr": wanted}).tolist() == [same]


def test_nothing_matches_a_param_that_the_runs_do_not_have() -> None:
    runs = runs_of(("adam", 0.1, [1.0]))
    assert matches(runs, ADAM).tolist() == [True]
    assert matches(runs, {"model.norm": "batch"}).tolist() == [False]
    assert not matches(runs.iloc[:0], ADAM).any()


def test_the_verdict_is_that_of_the_two_groups() -> None:
    claim = info(runs_of(("adam", 0.1, noisy(0.5)), ("sgd", 0.1, noisy(0.7, seed=1))))
    direct = verdict(
        sample("adam", noisy(0.5), paired_on="seed"), sample("sgd", noisy(0.7, seed=1), paired_on="seed"),
        metric="val/loss",
    )  # fmt: skip
    assert claim.status is Status.SUPPORTED
    assert claim.sentence == direct.sentence and claim.verdict.p == direct.p
    assert claim.better.name == "adam" and claim.than.name == "sgd"


def test_the_opposite_refutes_a_claim_and_so_does_no_difference_within_its_margin() -> None:
    worse = info(runs_of(("adam", 0.1, noisy(0.7)), ("sgd", 0.1, noisy(0.5, seed=1))))
    assert worse.status is Status.REFUTED and worse.sentence.startswith("adam is worse than sgd")
    equal_ = runs_of(("adam", 0.1, noisy(0.5)), ("sgd", 0.1, noisy(0.5, seed=1)))
    assert info(equal_, margin=0.1).status is Status.REFUTED
    assert info(equal_, margin=0.1).sentence.startswith("No difference beyond 0.1")
    assert info(equal_).status is Status.UNDECIDED


def test_where_more_is_better_the_sides_turn() -> None:
    runs = runs_of(("adam", 0.1, noisy(0.7)), ("sgd", 0.1, noisy(0.5, seed=1)))
    assert info(runs, direction="maximize").status is Status.SUPPORTED
    several = pd.concat([runs, runs_of(("adam", 0.3, noisy(0.1))).assign(group="other")])
    claim = info(several.reset_index(drop=True), direction="maximize")
    assert claim.better.params["optimizer.lr"] == 0.1 and claim.better.sample.interval.mean == pytest.approx(
        np.mean(noisy(0.7))
    )


def test_too_few_seeds_says_how_many_more() -> None:
    claim = info(runs_of(("adam", 0.1, noisy(0.5, 4)), ("sgd", 0.1, noisy(0.7, 4, seed=1))))
    assert claim.status is Status.TOO_FEW and claim.more == 2
    assert claim.sentence.startswith("Too few seeds: at least 2 more")


def test_without_a_result_it_is_not_yet() -> None:
    empty = info(runs_of(("adam", 0.1, noisy(0.5))).iloc[:0])
    assert empty.status is Status.NOT_YET and empty.sentence == "There is no result yet with adam nor with sgd."
    one = info(runs_of(("adam", 0.1, noisy(0.5))))
    assert one.status is Status.NOT_YET and one.sentence == "There is no result yet with sgd." and one.more == 0
    crashed = runs_of(("adam", 0.1, noisy(0.5)), ("sgd", 0.1, noisy(0.5))).assign(outcome="crashed")
    assert info(crashed).status is Status.NOT_YET
    bare = pd.DataFrame(columns=["group", "seed", "phase", "outcome", "objective"])
    assert info(bare).status is Status.NOT_YET


def test_each_side_stands_at_its_best_and_that_flatters_both() -> None:
    runs = runs_of(
        ("adam", 0.01, noisy(0.5)), ("adam", 0.1, noisy(0.6)), ("sgd", 0.01, noisy(0.9)), ("sgd", 0.3, noisy(0.7)),
    )  # fmt: skip
    claim = info(runs)
    assert claim.verdict.difference.interval.mean == pytest.approx(-0.2)
    ending = (
        "Each at its own best learning rate: adam at 0.01; sgd at 0.3, chosen in this search on the same runs, which"
        " flatters both."
    )
    assert claim.sentence.endswith(ending)
    one = info(runs, better={**ADAM, "optimizer.lr": 0.1})
    assert one.sentence.endswith(
        "At its best: sgd with learning rate 0.3, chosen in this search on the same runs, which flatters sgd."
    )


def test_a_group_with_a_diverged_seed_is_not_the_best() -> None:
    runs = runs_of(("adam", 0.01, [math.nan, *noisy(0.1, 7)]), ("adam", 0.1, noisy(0.6)), ("sgd", 0.1, noisy(0.7)))
    assert info(runs).verdict.difference.interval.mean == pytest.approx(-0.1)
    lost = info(runs_of(("adam", 0.1, [math.nan] * 8), ("sgd", 0.1, noisy(0.7))))
    assert lost.status is Status.REFUTED and "adam diverged in 8 of 8 runs" in lost.sentence


def test_confirm_runs_are_used_alone() -> None:
    search = runs_of(
        ("adam", 0.01, noisy(0.1)), ("adam", 0.1, noisy(0.6)), ("sgd", 0.01, noisy(0.9)), ("sgd", 0.3, noisy(0.7))
    )
    fresh = runs_of(("adam", 0.01, noisy(0.8)), ("sgd", 0.3, noisy(0.7)), phase="confirm", first=1000)
    claim = info(pd.concat([search, fresh], ignore_index=True))
    assert claim.status is Status.REFUTED and claim.better.fresh and claim.than.fresh
    assert claim.verdict.difference.interval.mean == pytest.approx(0.1)
    assert claim.sentence.endswith(
        "Each at its own best learning rate: adam at 0.01; sgd at 0.3, chosen by the search and judged by fresh seeds."
    )


def test_of_several_confirmed_groups_the_one_that_the_search_chose_is_judged() -> None:
    """Their fresh seeds may rank them otherwise: choosing by these would flatter again."""
    search = runs_of(("adam", 0.01, noisy(0.1)), ("adam", 0.1, noisy(0.2)), ("sgd", 0.1, noisy(0.7)))
    fresh = runs_of(("adam", 0.01, noisy(0.5)), ("adam", 0.1, noisy(0.3)), ("sgd", 0.1, noisy(0.7)), phase="confirm")
    claim = info(pd.concat([search, fresh], ignore_index=True))
    assert claim.better.params["optimizer.lr"] == 0.01 and claim.verdict.difference.interval.mean == pytest.approx(-0.2)


def test_a_run_that_is_on_both_sides_is_on_neither() -> None:
    runs = runs_of(("adam", 0.1, noisy(0.5)), ("adam", 0.3, noisy(0.4)), ("sgd", 0.1, noisy(0.7)))
    claim = info(runs, than={"optimizer.lr": 0.1})
    assert claim.better.params["optimizer.lr"] == 0.3 and not claim.better.free
    assert claim.than.params["optimizer.name"] == "sgd" and not claim.than.free


def test_a_claim_on_another_metric_reads_its_column() -> None:
    runs = runs_of(("adam", 0.1, noisy(0.5)), ("sgd", 0.1, noisy(0.7))).assign(
        **{"val/error": lambda part: -part["objective"]}
    )
    assert info(runs, metric="val/error").status is Status.REFUTED


def test_claims_of_one_sweep_are_corrected_for_each_other() -> None:
    """Six pairs give an exact p of 1/32 at least: enough for one claim, not for two."""
    runs = runs_of(("adam", 0.1, noisy(0.5, 6)), ("sgd", 0.1, noisy(0.7, 6)), ("rmsprop", 0.1, noisy(0.6, 6)))
    one = claim(text="a")
    two = claim(text="b", better={"optimizer.name": "rmsprop"})
    assert [claim.status for claim in claims_info(runs, [one], KEYS)] == [Status.SUPPORTED]
    both = claims_info(runs, [one, two], KEYS)
    assert [claim.status for claim in both] == [Status.TOO_FEW] * 2 and [claim.more for claim in both] == [1, 1]
    assert claims_info(runs, [], KEYS) == []
    assert [claim.text for claim in both] == ["a", "b"]
    assert [claim.verdict.difference.interval.mean for claim in both] == pytest.approx([-0.2, -0.1])


def test_runs_on_one_training_set_are_one_result() -> None:
    """16 runs on 4 training sets are no 16 seeds: 4 results, each the mean of 4 initialisations."""
    first, second = noisy(0.5, 16), noisy(0.7, 16, seed=1)
    runs = runs_of(("adam", 0.1, first), ("sgd", 0.1, second)).assign(seed_data=[*range(4)] * 8)
    claim = info(runs)
    means = [np.mean(values[k::4]) for values in (first, second) for k in range(4)]
    assert list(claim.better.sample.values.values()) == pytest.approx(means[:4])
    assert claim.status is Status.TOO_FEW and claim.verdict.n == 4
    assert claim.sentence.startswith("Too few training sets: at least 2 more make a verdict possible between ")
    runs.loc[5, "outcome"] = "diverged"
    runs.loc[6, "outcome"] = "running"
    left = info(runs).better.sample
    assert len(left.values) == 2 and len(left.diverged) == 1 and dict(left.unfinished) == {"running": 1}
