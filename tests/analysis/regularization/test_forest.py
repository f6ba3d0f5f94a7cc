"""Regularizers against none: paired differences against scipy, each at its own best, and how a method is called."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.regularization.forest import forest_info, method_of, plot_forest, with_methods
from analysis.statistics import holm

KEYS = ["model.dropout", "regularization.l2", "optimizer.lr"]
MEANS = {
    ("none", 0.01): 0.30,
    ("none", 0.1): 0.40,
    ("dropout", 0.01): 0.35,
    ("dropout", 0.1): 0.20,
    ("l2", 0.01): 0.30,
}


def runs_of(means: dict[tuple[str, float], float] = MEANS, seeds: int = 8, spread: float = 0.02) -> pd.DataFrame:
    random, rows = np.random.default_rng(1), []
    offsets = random.normal(0, 0.3, seeds)
    for trial, ((kind, lr), mean) in enumerate(means.items()):
        params = {"model.dropout": 0.5 * (kind == "dropout"), "regularization.l2": 0.01 * (kind == "l2")}
        for seed in range(seeds):
            rows.append(
                {
                    "group": f"g{trial}", "trial": trial, "seed": seed, "phase": "search", "outcome": "ok",
                    "objective": mean + offsets[seed] + random.normal(0, spread), "optimizer.lr": lr, **params,
                }
            )  # fmt: skip
    return with_methods(pd.DataFrame(rows))


def info_of(runs: pd.DataFrame, **more: Any) -> Any:
    return forest_info(runs, KEYS, metric="val/error", **more)


def of(runs: pd.DataFrame, method: str, lr: float) -> np.ndarray:
    rows = runs[(runs["method"] == method) & (runs["optimizer.lr"] == lr)].sort_values("seed")
    return rows["objective"].to_numpy(dtype=float)


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({}, "none"),
        ({"model.dropout": 0.0, "regularization.l2": 0, "model.norm": "none", "data.shift": None}, "none"),
        ({"model.dropout": math.nan, "optimizer.weight_decay": 0.0}, "none"),
        ({"model.dropout": 0.5}, "dropout 0.5"),
        ({"regularization.l2": 0.01, "regularization.l1": 1e-5}, "L1 1e-05 + L2 0.01"),
        ({"model.norm": "batch"}, "batch norm"),
        ({"model.norm": "layer", "model.dropout": 0.2}, "dropout 0.2 + layer norm"),
        ({"optimizer.weight_decay": 0.1}, "weight decay 0.1"),
        ({"regularization.label_smoothing": 0.1}, "label smoothing 0.1"),
        ({"regularization.early_stopping_patience": 10}, "early stopping, patience 10"),
        ({"data.input_noise": 0.3, "data.shift": 1}, "input noise 0.3 + shift 1"),
        ({"optimizer.lr": 0.1, "model.name": "mlp"}, "none"),
    ],
)
def test_a_run_is_called_by_what_regularizes_it(params: dict[str, Any], name: str) -> None:
    assert method_of(params) == name


def test_rows_are_paired_differences_of_each_methods_best() -> None:
    runs = runs_of()
    info = info_of(runs)
    assert [row.name for row in info.rows] == ["dropout 0.5", "L2 0.01"], "the lowest difference first"
    ps = []
    for row, lr in zip(info.rows, (0.1, 0.01), strict=True):
        gaps = of(runs, row.name, lr) - of(runs, "none", 0.01)
        theirs = stats.ttest_1samp(gaps, 0)
        low, high = theirs.confidence_interval(0.95)
        assert (row.interval.mean, row.interval.low, row.interval.high) == pytest.approx((gaps.mean(), low, high))
        assert sorted(row.differences.values()) == pytest.approx(sorted(gaps))
        exact = stats.permutation_test((gaps,), np.mean, permutation_type="samples", n_resamples=np.inf)
        ps.append(exact.pvalue)
    assert [row.verdict.p for row in info.rows] == pytest.approx(holm(ps).tolist())
    assert info.rows[0].better and not info.rows[1].better
    assert info.sentence == "Better than none: dropout 0.5; undecided: L2 0.01."
    assert info.shows == "val/error of 2 regularizers minus that of none" and info.interval == info.basis
    assert info.n == f"n={info.seeds} seeds at most" and info.reading.endswith(info.selection)
    assert info.rows[0].method.title == "dropout 0.5, lr 0.1", "what the method is by its name is not said twice"
    assert "chosen by the same runs" in info.selection


def test_with_one_learning_rate_for_all_dropout_would_look_worse() -> None:
    """This is why each is retuned."""
    runs = runs_of()
    fixed = info_of(runs[runs["optimizer.lr"] == 0.01])
    assert fixed.rows[-1].name == "dropout 0.5" and str(fixed.rows[-1].verdict.decision) == "worse"
    assert fixed.sentence == "Worse: dropout 0.5; undecided: L2 0.01."


def test_confirm_runs_judge_the_winners() -> None:
    runs = runs_of()
    chosen = runs[
        ((runs["method"] == "dropout 0.5") & (runs["optimizer.lr"] == 0.1))
        | ((runs["method"] == "none") & (runs["optimizer.lr"] == 0.01))
    ]
    fresh = chosen.assign(
        phase="confirm", group="c" + chosen["group"], seed=chosen["seed"] + 1000,
        objective=chosen["objective"] + np.where(chosen["method"] == "none", 0.0, 0.3),
    )  # fmt: skip
    info = info_of(pd.concat([runs[runs["method"] != "L2 0.01"], fresh], ignore_index=True))
    assert info.rows[0].interval.mean == pytest.approx(
        (of(runs, "dropout 0.5", 0.1) + 0.3 - of(runs, "none", 0.01)).mean()
    )
    assert "fresh seeds" in info.selection


def test_diverged_runs_are_counted_and_rank_last() -> None:
    runs = runs_of()
    lost = (runs["method"] == "dropout 0.5") & (runs["seed"] < 3)
    runs.loc[lost, ["outcome", "objective"]] = ["diverged", math.nan]
    info = info_of(runs)
    assert [row.name for row in info.rows] == ["L2 0.01", "dropout 0.5"]
    assert info.rows[1].lost == 3 and not info.rows[1].better
    assert info.frame()["diverged"].tolist() == [0, 3] and info.frame()["of_runs"].tolist() == [8, 8]
    red = [trace for trace in plot_forest(info).data if trace.name == "diverged"]
    assert red[0].text == ("3 of 8",) and red[0].marker.symbol == "x"
    every = runs.assign(outcome="diverged", objective=math.nan)
    assert not any(row.better for row in info_of(every).rows) and plot_forest(info_of(every)).data


def test_few_seeds_have_dots_and_no_verdict() -> None:
    info = info_of(runs_of(seeds=2))
    assert info.sentence.startswith("Too few seeds (at least 5 more make a verdict possible, after the correction")
    assert not info.rows[0].interval.shown and len(plot_forest(info).data[0].x) == 4
    assert not any(plot_forest(info).data[1].error_x.array)


@pytest.mark.parametrize(
    ("kinds", "seeds", "words"),
    [
        # 2 / 2^n is the smallest p of n pairs: two comparisons take 7, one takes 6 where all pairs point one way.
        (
            ("none", "dropout", "l2"),
            6,
            "at least 1 more makes a verdict possible, after the correction for 2 comparisons",
        ),
        (("none", "dropout"), 5, "at least 1 more makes a verdict possible"),
        (("none", "dropout"), 4, "at least 2 more make a verdict possible"),
        # One pair of five points the other way, and has to be outweighed.
        (("none", "l2"), 5, "at least 3 more make a verdict possible"),
    ],
)
def test_how_many_seeds_are_missing_and_why(kinds: tuple[str, ...], seeds: int, words: str) -> None:
    means = {key: mean for key, mean in MEANS.items() if key[0] in kinds}
    info = info_of(runs_of(means, seeds=seeds))
    assert info.sentence.startswith(f"Too few seeds ({words}): {info.rows[0].name}")


def test_what_is_missing_is_said() -> None:
    runs = runs_of()
    assert info_of(runs.iloc[:0]).sentence == "No run has a result yet."
    assert "No run without a regularizer (none)" in info_of(runs[runs["method"] != "none"]).sentence
    assert info_of(runs[runs["method"] == "none"]).sentence == "No run with a regularizer has a result yet."
    assert info_of(runs, none="L2 0.01").rows[0].interval.mean == pytest.approx(
        (of(runs, "dropout 0.5", 0.1) - of(runs, "L2 0.01", 0.01)).mean()
    )
    nothing = info_of(runs.iloc[:0])
    assert nothing.empty and not len(nothing.frame()) and nothing.seeds == 0
    assert len(with_methods(pd.DataFrame(columns=["model.dropout"]))) == 0


def test_it_is_drawn() -> None:
    for dark in (False, True):
        figure = plot_forest(info_of(runs_of()), dark=dark)
        assert len(figure.data[0].x) == 16
        assert "minus that of none, lr 0.01 (lower is better)" in figure.layout.xaxis.title.text
        assert figure.data[0].customdata[:2] == ("0", "1")
        assert [note.text.partition(":")[0] for note in figure.layout.annotations] == [
            "dropout 0.5",
            "L2 0.01",
        ]
    assert "n=8 seeds, exact sign-flip tests corrected for 2 comparisons" in info_of(runs_of()).basis
