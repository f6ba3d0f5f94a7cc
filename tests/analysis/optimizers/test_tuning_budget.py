"""The expected best: against all subsets counted one by one, and equal budgets are demanded."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.optimizers.tuning_budget import budgets_info, plot_budgets
from analysis.runs.methods import methods_of
from analysis.statistics import best_weights, expected_best

KEYS = ["optimizer.name", "optimizer.lr"]


def trials(method: str, rows: Any) -> Any:
    return {(method, 10.0**k): list(row) for k, row in enumerate(rows)}


def info_of(runs: Any) -> Any:
    return budgets_info(methods_of(runs, "optimizer.name", KEYS), metric="val/loss")


def test_it_is_the_mean_over_all_subsets_and_of_the_lines_of_the_seeds(method_runs: Any) -> None:
    results = np.random.default_rng(5).gamma(2.0, size=(6, 4))
    (line,) = info_of(method_runs(trials("a", results))).lines
    means = results.mean(axis=1)
    for k in range(1, 7):
        subsets = list(itertools.combinations(range(6), k))
        assert line.at(k).mean == pytest.approx(np.mean([means[list(subset)].min() for subset in subsets]))
        # A seed's line is its own result of the trial that the mean of all seeds chose.
        chosen = [subset[int(np.argmin(means[list(subset)]))] for subset in subsets]
        assert line.by_seed[:, k - 1] == pytest.approx(results[chosen].mean(axis=0))
        assert line.at(k).mean == pytest.approx(line.by_seed[:, k - 1].mean())
    half = stats.t.ppf(0.975, 3) * line.by_seed[:, 2].std(ddof=1) / 2
    assert line.at(3).half == pytest.approx(half) and line.at(3).n == 4


@pytest.mark.parametrize(("finite", "total"), [(5, 5), (4, 7), (1, 1), (9, 30)])
def test_the_weights_are_chances(finite: int, total: int) -> None:
    for k in range(1, total + 1):
        weights = best_weights(finite, total, k)
        exact = [math.comb(total - i, k - 1) / math.comb(total, k) for i in range(1, finite + 1)]
        assert weights == pytest.approx(exact)
        assert weights.sum() == pytest.approx(1 - math.comb(total - finite, k) / math.comb(total, k))


def test_a_trial_with_a_diverged_seed_failed_and_all_may(method_runs: Any) -> None:
    (line,) = info_of(method_runs(trials("a", [[1.0, 2.0], [3.0, None], [None, None], [4.0, 5.0]]))).lines
    assert (line.trials, line.failed) == (4, 2)
    assert [line.at(k).n for k in (1, 2, 3, 4)] == [0, 0, 2, 2]
    assert line.at(3).mean == pytest.approx(expected_best([1.5, 4.5], 3, diverged=2))
    assert [line.all_fail_chance(k) for k in (1, 2, 3)] == pytest.approx([1 / 2, 1 / 6, 0])


def test_budgets_are_compared_as_far_as_all_have_trials(method_runs: Any) -> None:
    info = info_of(method_runs(trials("a", [[1.0]] * 5) | trials("b", [[2.0]] * 3)))
    assert info.most == 3 and not info.equal
    assert info.unequal == "Unequal budgets (a 5, b 3 trials): compared up to 3 only."
    assert {len(line.means) for line in info.lines} == {3}
    waiting = info_of(method_runs(trials("a", [[1.0]] * 2) | {("b", 1.0): [math.nan]}))
    assert not waiting.equal and "b 0" in waiting.unequal
    assert info_of(method_runs(trials("a", [[1.0]] * 2) | trials("b", [[2.0]] * 2))).unequal == ""


def test_the_sentence_says_who_leads_and_how_long(method_runs: Any) -> None:
    """`a` is steady at 1, `b` is 0 once in six and 3 otherwise: with few trials a, with many b."""
    info = info_of(method_runs(trials("a", [[1.0] * 3] * 6) | trials("b", [[0.0] * 3] + [[3.0] * 3] * 5)))
    expected = [3 * (1 - k / 6) for k in range(1, 7)]
    assert [info.lines[1].at(k).mean for k in range(1, 7)] == pytest.approx(expected)
    reach = "With 1 trial a is expected to reach val/loss 1 ± 0 (95% t-interval, n=3), the lowest"
    assert info.sentence(1) == f"{reach}; it leads up to 4, then b."
    assert "With 5 trials b is expected" in info.sentence(5) and "up to all 6" in info.sentence(5)
    assert info.sentence(6).endswith("the lowest.")


def test_one_method_under_two_names_ties_at_every_budget(method_runs: Any) -> None:
    rows = np.random.default_rng(1).normal(size=(5, 3)).tolist()
    info = info_of(method_runs(trials("sgd", rows) | trials("momentum", rows)))
    for k in range(1, 6):
        assert info.sentence(k).endswith("as does momentum.")


def test_edges(method_runs: Any) -> None:
    assert "No trial has ended" in info_of(method_runs({})).problem
    assert "a has one trial only" in info_of(method_runs(trials("a", [[1.0]]))).problem
    lost = info_of(method_runs(trials("a", [[None], [None], [None]])))
    assert lost.problem == "" and "no expectation" in lost.sentence(2)
    crosses = [trace for trace in plot_budgets(lost).data if trace.name == "all may fail"]
    assert list(crosses[0].x) == [1, 2, 3] and "chance 1" in crosses[0].text[0]
    pruned = method_runs(trials("a", [[1.0], [2.0], [math.nan]]))
    pruned["outcome"] = pruned["outcome"].replace("running", "pruned")
    (line,) = info_of(pruned).lines
    assert (line.trials, line.failed) == (3, 1) and line.at(2).mean == pytest.approx(
        expected_best([1.0, 2.0], 2, diverged=1)
    )
    ragged = info_of(method_runs(trials("a", [[1.0, 2.0, 3.0], [1.0, 2.0, math.nan]])))
    assert ragged.lines[0].seeds == () and ragged.lines[0].at(2).mean == 1.5


@pytest.mark.parametrize("dark", [False, True])
def test_the_figure_shows_seeds_means_bands_and_the_budget(method_runs: Any, dark: bool) -> None:
    rows = np.random.default_rng(1).gamma(2.0, size=(5, 3))
    info = info_of(method_runs(trials("a", rows) | trials("b", (rows + 1).tolist())))
    figure = plot_budgets(info, budget=2, dark=dark)
    assert sum(trace.fill == "toself" for trace in figure.data) == 2 and info.band == "95% t-interval, n=3"
    assert len(figure.data) == 2 * (1 + 3 + 1) and figure.layout.shapes[0].x0 == 2
    assert len(info.frame()) == 10
    assert info.n == "n=5 trials each" and info.interval == info.band
    assert info.shows == "Expected best val/loss against the number of trials"
    assert info.reading.endswith(" Thin lines are seeds, bands the 95% t-interval, n=3.")
    alone = info_of(method_runs(trials("a", [[1.0], [2.0], [None]])))
    assert " A line a method. A cross: so few trials may all fail" in alone.reading


def test_a_trial_of_one_seed_does_not_count_where_others_have_several(method_runs: Any) -> None:
    replicated = {"sgd": [[0.5, 0.51], [0.6, 0.61]], "adam": [[0.4, 0.41], [0.7, 0.71]]}
    lucky = trials("adam", [*replicated["adam"], [0.1]]) | trials("sgd", [*replicated["sgd"], [0.2], [0.3]])
    info, alone = info_of(method_runs(lucky)), info_of(method_runs({k: v for k, v in lucky.items() if len(v) > 1}))
    assert info.frame().equals(alone.frame()) and info.equal and not alone.luck
    assert info.luck == "Not counted, since one seed may be luck: 3 trials of one seed."
    assert info.sentence(1).startswith("With 1 trial adam is expected to reach val/loss 0.555 (n=2)")
    few = info_of(method_runs(trials("sgd", [[0.5, 0.51], [0.2]]) | trials("adam", [[0.4]])))
    assert few.waiting == ["adam"], "another method has trials of several seeds"
    assert few.problem.startswith("sgd has one trial that counts: ") and few.problem.endswith("2 trials of one seed.")
    assert info_of(method_runs(trials("sgd", [[0.5], [0.2]]))).lines[0].trials == 2, "none has several"


def test_where_all_results_are_the_same_no_method_is_named(method_runs: Any) -> None:
    same = info_of(method_runs(trials("a", [[0.1 + 0.2] * 3] * 2) | trials("b", [[0.3] * 3] * 2)))
    assert same.sentence(1) == "All results are the same: val/loss 0.3 in each of 2 methods."
    noisy = info_of(method_runs(trials("a", [[0.1, 0.5]] * 2) | trials("b", [[0.1, 0.5]] * 2)))
    assert noisy.sentence(1).endswith("as does b."), "the same on average, but not in every seed"
