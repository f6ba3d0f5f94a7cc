"""The protocol: each rule holds where it should, and is found broken where it is."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis.optimizers.learning_rates import rates_info
from analysis.optimizers.protocol import protocol_info, tried
from analysis.runs.methods import methods_of
from analysis.runs.metric_roles import guess
from analysis.statistics.samples import NO_RESULT

KEYS = ["optimizer.name", "optimizer.lr"]
RATES = (0.01, 0.1, 1.0)
FAIR = {(name, lr): [abs(math.log10(lr) + 1) + 1.0] * 3 for name in ("adam", "sgd") for lr in RATES}
FRESH = {("adam", 0.1): [1.0] * 10, ("sgd", 0.1): [1.0] * 10}


def info_of(runs: Any, metric: str = "val/loss", **more: Any) -> Any:
    methods = methods_of(runs, "optimizer.name", KEYS)
    rates = rates_info(methods, metric=metric)
    return protocol_info(
        methods, runs, key="optimizer.name", keys=KEYS, metric=metric, part=guess(metric).part, rates=rates, **more
    )  # fmt: skip


def broken(info: Any) -> set[str]:
    return {check.rule for check in info.broken}


def test_a_fair_comparison_holds_and_its_space_is_printed(method_runs: Any) -> None:
    info = info_of(
        method_runs(FAIR, FRESH),
        declared={name: {"optimizer.lr": "0.01 to 1, logarithmic"} for name in ("adam", "sgd")},
    )
    assert all(check.holds for check in info.checks) and info.sentence == "All 6 rules of the protocol hold."
    frame = info.frame()
    assert frame["trials"].tolist() == [3, 3] and frame["runs"].tolist() == [9, 9]
    assert frame["confirm runs"].tolist() == [10, 10]
    assert frame["optimizer.lr"].tolist() == ["0.01 to 1, logarithmic"] * 2
    assert info_of(method_runs(FAIR)).frame()["optimizer.lr"].tolist() == ["0.01, 0.1, 1"] * 2


def test_a_space_is_that_of_the_methods_own_sweeps(method_runs: Any) -> None:
    frame = info_of(method_runs(FAIR), declared={"adam": {"optimizer.lr": "0.01 to 1"}}).frame()
    assert frame["optimizer.lr"].tolist() == ["0.01 to 1", "0.01, 0.1, 1"]


def test_rules_that_cannot_be_told_are_counted(method_runs: Any) -> None:
    two = {key: values for key, values in FAIR.items() if key[1] < 1}
    assert info_of(method_runs(two, FRESH)).sentence == "5 of 6 rules of the protocol hold, 1 cannot be told."
    sentence = info_of(method_runs(two)).sentence
    assert sentence.startswith("4 of 6 rules of the protocol hold, 1 cannot be told. Not so: winners are retrained")


def test_confirm_runs_of_other_configurations_are_told_from_the_winners(method_runs: Any) -> None:
    info = info_of(method_runs(FAIR, {**FRESH, ("adam", 0.01): [2.0] * 16, ("adam", 1.0): [2.0] * 5}))
    assert info.frame()["confirm runs"].tolist() == [31, 10]
    (check,) = [check for check in info.checks if "fresh seeds" in check.rule]
    assert check.holds and check.words == "adam 10 (31 with 2 other retrained configurations), sgd 10."


def test_unequal_budgets(method_runs: Any) -> None:
    unfair = {key: values for key, values in FAIR.items() if key != ("sgd", 1.0)}
    info = info_of(method_runs(unfair, FRESH))
    (check,) = [check for check in info.broken if "as many trials" in check.rule]
    assert check.words == "adam 3, sgd 2."
    assert "every method had as many trials" in info.sentence


def test_other_seeds(method_runs: Any) -> None:
    assert broken(info_of(method_runs({**FAIR, ("sgd", 1.0): [2.0] * 2}, FRESH))) == {"The same seeds for all"}
    unknown = method_runs(FAIR, FRESH).assign(seed=-1)
    assert {check.rule: check.holds for check in info_of(unknown).checks}["The same seeds for all"] is None


def test_a_best_at_the_edge(method_runs: Any) -> None:
    edge = {**FAIR, ("sgd", 1.0): [0.5] * 3}
    (check,) = info_of(method_runs(edge, {("adam", 0.1): [1.0] * 10, ("sgd", 1.0): [1.0] * 10})).broken
    assert check.rule == "The best lies inside the range" and "sgd (highest)" in check.words


def test_winners_that_are_not_retrained_or_not_with_fresh_seeds(method_runs: Any) -> None:
    rule = "Winners are retrained with at least 10 fresh seeds"
    assert broken(info_of(method_runs(FAIR))) == {rule}
    assert broken(info_of(method_runs(FAIR, {key: [1.0] * 9 for key in FRESH}))) == {rule}
    assert broken(info_of(method_runs(FAIR, {**FRESH, ("sgd", 0.1): [1.0] * 9}))) == {rule}, "of every method"
    (check,) = info_of(method_runs(FAIR, FRESH, first=2)).broken
    assert check.rule == rule and "Not fresh" in check.words
    alone = info_of(method_runs({("adam", 0.1): [1.0], ("sgd", 0.1): [1.0]}))
    assert {check.rule: check.holds for check in alone.checks}[rule] is None, "without a choice there is no winner"


def test_diverged_runs_are_counted_and_unfinished_ones_named(method_runs: Any) -> None:
    (check,) = info_of(method_runs({**FAIR, ("sgd", 0.01): [3.0, math.nan, None]}, FRESH)).broken[-1:]
    assert "1 of 37 runs diverged and ranks last." in check.words and "1 running" in check.words
    whole = info_of(method_runs({**FAIR, ("sgd", 1.0): [None] * 3}, FRESH))
    assert not whole.broken and whole.frame()["diverged"].tolist() == [0, 3]


def test_that_none_diverged_or_logged_no_result_is_said_in_plain_words(method_runs: Any) -> None:
    runs = method_runs(FAIR, FRESH)
    assert info_of(runs).checks[-2].words == "No run diverged."
    runs.loc[runs.index[0], "outcome"] = NO_RESULT
    assert info_of(runs).checks[-2].words == "No run diverged. Without a result: 1 that logged none."


def test_what_runs_to_come_can_mend_is_not_known_yet(method_runs: Any) -> None:
    runs = method_runs({**FAIR, ("sgd", 1.0): [0.5, 0.5, math.nan]})
    assert len(broken(info_of(runs))) == 4
    (left,) = info_of(runs, active=True).broken
    assert left.rule == "The best lies inside the range", "more seeds will not widen it"
    assert info_of(runs, "test/loss", active=True).broken[-1].rule == "Chosen on validation data"


def test_selection_by_test_data_is_a_breach(method_runs: Any) -> None:
    runs = method_runs(FAIR, FRESH)
    assert broken(info_of(runs, "test_loss")) == broken(info_of(runs, "train/loss")) == {"Chosen on validation data"}
    assert not info_of(runs, "val_acc").broken and not info_of(runs, "score").broken


def test_tried_values_are_listed_or_their_range_is_said() -> None:
    assert tried([0.1, 0.01, 0.1]) == "0.01, 0.1" and tried(["b", "a"]) == "b, a"
    assert tried([2.0**k for k in range(11)]) == "11 values, 1 to 1024"
    assert tried([[32], [32, 32], []]) == "32, 32-32, none" and tried([True, None]) == "true, –"


def test_no_runs(method_runs: Any) -> None:
    info = info_of(method_runs({}))
    assert info.checks == [] and info.sentence == "" and info.frame().empty


def test_repeats_of_a_seed_are_said_where_the_seeds_are_listed(method_runs: Any) -> None:
    runs = method_runs({("sgd", 1.0): [2.0] * 3})
    checks = info_of(pd.concat([runs, runs], ignore_index=True)).checks
    (check,) = [check for check in checks if check.rule == "The same seeds for all"]
    sentence = "Seeds 0 to 2 come 2 times each: their mean counts once."
    assert check.holds and check.words == f"3 in each trial of the search. {sentence}"
