"""Regularizers against none, each retuned: one row per regularizer with its paired differences from none.

A regularizer changes which learning rate is best, so that with one learning rate for all a regularizer may look better
or worse than it is: each stands at its own best configuration, chosen by validation. Where the winners were retrained
with fresh seeds they are judged by these alone. Differences are between runs of one seed, intervals are t-intervals of
their means; the verdicts are those of `analysis.statistics.verdicts`, corrected for all rows (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from analysis.figures import theme
from analysis.figures.marks import row_title
from analysis.figures.traces import error_bars, halves, mean_dots, seed_dots
from analysis.runs.comparison import shown
from analysis.runs.methods import Method, methods_of, selection_words
from analysis.statistics import Interval, number, plus_minus
from analysis.statistics.independent import SEEDS
from analysis.statistics.samples import seed_name
from analysis.statistics.seeds import possible_words
from analysis.statistics.verdicts import Decision, Verdict, fewest_more, verdicts
from analysis.words import counted, joined
from tracking.schema import MINIMIZE

if TYPE_CHECKING:
    import plotly.graph_objects as go

NONE: Final = "none"
"""The name of runs without a regularizer."""


def _amount(word: str) -> Callable[[Any], str]:
    return lambda value: f"{word} {number(float(value))}"


REGULARIZERS: Final[dict[str, tuple[Any, Callable[[Any], str]]]] = {
    "model.dropout": (0, _amount("dropout")),
    "model.norm": ("none", lambda value: f"{value} norm"),
    "regularization.l1": (0, _amount("L1")),
    "regularization.l2": (0, _amount("L2")),
    "optimizer.weight_decay": (0, _amount("weight decay")),
    "regularization.label_smoothing": (0, _amount("label smoothing")),
    "regularization.early_stopping_patience": (0, _amount("early stopping, patience")),
    "data.input_noise": (0, _amount("input noise")),
    "data.shift": (0, _amount("shift")),
}
"""For each dotted key, the value with which it does nothing, and a function that names its other values."""


def idle(key: str, value: Any) -> bool:
    """Whether a regularizer does nothing with this value; one that is missing does nothing."""
    return value is None or value != value or bool(value == REGULARIZERS[key][0])


def method_of(params: Mapping[str, Any]) -> str:
    """The regularizers of a run: `dropout 0.5`, `L2 0.01 + batch norm`, or `none`.

    Args:
        params: Typed values by dotted key; a missing one does nothing.
    """
    words = [word(params[key]) for key, (_, word) in REGULARIZERS.items() if not idle(key, params.get(key))]
    return " + ".join(words) or NONE


def with_methods(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with a column `method` that names their regularizers.

    Args:
        runs: One column per param, named by its dotted key.
    """
    keys = [key for key in REGULARIZERS if key in runs.columns]
    rows = [dict(zip(keys, values, strict=True)) for values in runs[keys].itertuples(index=False, name=None)]
    return runs.assign(method=[method_of(row) for row in rows])


@dataclass(frozen=True)
class Row:
    """One regularizer against none."""

    method: Method
    verdict: Verdict
    """The verdict on it against none; its `difference` is that between the seeds that both have."""
    differences: Mapping[Any, float]
    """Its result minus that of none, by seed."""
    lost: int
    """How many of its seeds diverged."""

    @property
    def name(self) -> str:
        """The regularizer's name."""
        return self.method.name

    @property
    def interval(self) -> Interval:
        """The mean difference, with its interval."""
        return self.verdict.difference.interval

    @property
    def better(self) -> bool:
        """Whether it was shown to be better than none."""
        return self.verdict.decision is Decision.BETTER


@dataclass(frozen=True)
class ForestInfo:
    """All regularizers against none, the lowest difference first, as `plot_forest` draws them."""

    rows: tuple[Row, ...]
    none: Method | None
    """The runs without a regularizer."""
    metric: str
    selection: str
    """One sentence on how the configurations were chosen; empty where there was no choice."""
    problem: str = ""
    """One sentence on why there is nothing to draw; empty where there is something."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return bool(self.problem)

    @property
    def seeds(self) -> int:
        """The largest number of seeds of a row."""
        return max((row.verdict.n for row in self.rows), default=0)

    @property
    def n(self) -> str:
        """`n=8 seeds at most`."""
        return f"n={self.seeds} seeds at most"

    @property
    def units(self) -> str:
        """The name of the independent results: `seeds` or `training sets`."""
        return self.none.sample.units if self.none else SEEDS

    @property
    def basis(self) -> str:
        """The name of the intervals and of the tests."""
        tests = f", exact sign-flip tests corrected for {len(self.rows)} comparisons (Holm)" if self.rows else ""
        pairs = sorted({row.interval.n for row in self.rows})
        sizes = f"{pairs[0]}" if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]}" if pairs else "0"
        return f"95% t-intervals of paired differences, n={sizes} {self.units}{tests}; none below 3 {self.units}"

    @property
    def sentence(self) -> str:
        """Which regularizers help, in plain text."""
        if self.problem:
            return self.problem
        by = {decision: [row.name for row in self.rows if row.verdict.decision is decision] for decision in Decision}
        parts = []
        if by[Decision.BETTER]:
            parts.append(f"Better than none: {joined(by[Decision.BETTER])}")
        if by[Decision.WORSE]:
            parts.append(f"worse: {joined(by[Decision.WORSE])}")
        if by[Decision.UNDECIDED]:
            parts.append(f"undecided: {joined(by[Decision.UNDECIDED])}")
        if by[Decision.TOO_FEW]:
            more = fewest_more(row.verdict for row in self.rows if row.verdict.decision is Decision.TOO_FEW)
            corrected = f", after the correction for {len(self.rows)} comparisons" if len(self.rows) > 1 else ""
            possible = f" ({possible_words(more)}{corrected})" if more else ""
            parts.append(f"too few {self.units}{possible}: {joined(by[Decision.TOO_FEW])}")
        text = "; ".join(parts)
        return f"{text[:1].upper()}{text[1:]}."

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"{self.metric} of {counted(len(self.rows), 'regularizer')} minus that of none"

    @property
    def interval(self) -> str:
        """The kind of the intervals."""
        return self.basis

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        words = f"Left of zero a regularizer errs less than {NONE}. Dots are seeds; {self.basis}. {self.selection}"
        return words.strip()

    def frame(self) -> pd.DataFrame:
        """One row per regularizer: its configuration, mean, difference with interval, n, p, verdict, diverged, runs."""
        rows = [
            {
                "method": row.name,
                "configuration": row.method.judged.label if row.method.judged else "",
                "mean": row.method.sample.interval.mean,
                "difference": row.interval.mean,
                "low": row.interval.low,
                "high": row.interval.high,
                "n": row.interval.n,
                "p_holm": row.verdict.p,
                "verdict": str(row.verdict.decision),
                "diverged": row.lost,
                "of_runs": row.method.sample.n,
            }
            for row in self.rows
        ]
        return pd.DataFrame(rows)


def _row(method: Method, none: Method, verdict: Verdict) -> Row:
    results, base = method.sample.values, none.sample.values
    paired = verdict.difference.paired_on is not None
    differences = {seed: result - base[seed] for seed, result in results.items() if seed in base}
    return Row(method, verdict, differences if paired else {}, len(method.sample.diverged))


def _order(row: Row) -> tuple[float, bool, float]:
    return (row.method.sample.share_diverged, math.isnan(row.interval.mean), row.interval.mean)


def _free(runs: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """The keys in which the runs of one method differ: the other keys define the method."""

    def differs(key: str) -> bool:
        counts = runs.groupby("method")[key].agg(lambda values: len(set(map(shown, values))))
        return bool((counts > 1).any())

    return [key for key in keys if key in runs and differs(key)]


def forest_info(runs: pd.DataFrame, keys: Sequence[str], *, metric: str, none: str = NONE) -> ForestInfo:
    """Regularizers against none, each at its own best configuration.

    Args:
        runs: One row per run that counts: method (its regularizers: see `with_methods`), group, seed, phase, outcome,
            objective (lower is better) and one column per param.
        keys: The params that tell trials apart.
        metric: The name of the objective.
        none: The method that the others are compared with.
    """
    methods = methods_of(runs, "method", _free(runs, keys)) if len(runs) else []
    base = next((method for method in methods if method.name == none), None)
    if base is None or not base.sample.n:
        problem = f"No run without a regularizer ({none}) has a result, with which the others could be compared."
        return ForestInfo((), base, metric, "", problem if methods else "No run has a result yet.")
    others = [method for method in methods if method is not base and method.sample.n]
    if not others:
        return ForestInfo((), base, metric, "", "No run with a regularizer has a result yet.")
    groups = [method.sample for method in (base, *others)]
    by_pair = verdicts(groups, [(k, 0) for k in range(1, len(groups))], direction=MINIMIZE, metric=metric)
    rows = [_row(method, base, verdict) for method, verdict in zip(others, by_pair.values(), strict=True)]
    return ForestInfo(tuple(sorted(rows, key=_order)), base, metric, selection_words([base, *others]))


def _title(row: Row) -> str:
    """`dropout 0.5: -0.012 ± 0.004, p=0.02`."""
    size = plus_minus(row.interval) if row.interval.n else "no finite pair"
    return f"{theme.shortened(row.name, 30)}: {size}, p={number(row.verdict.p, 2)}"


def plot_forest(info: ForestInfo, *, dark: bool = False, height: int | None = None) -> go.Figure:
    """One row per regularizer: seeds as dots, mean differences with intervals, zero as a line, crosses for diverged."""
    import plotly.graph_objects as go

    figure, rows = go.Figure(), list(enumerate(info.rows))
    accent, grey = theme.palette(dark)[0], theme.grey(dark)
    dots = [(gap, place, seed) for place, row in rows for seed, gap in row.differences.items()]
    values = [dot[0] for dot in dots] + [bound for _, row in rows for bound in _bounds(row.interval)] + [0.0]
    span = (max(values) - min(values)) or 1.0
    seed_dots(
        figure,
        [dot[0] for dot in dots],
        [dot[1] + 0.14 for dot in dots],
        grey,
        opacity=0.55,
        name="a seed",
        customdata=[seed_name(dot[2]) for dot in dots],
        hovertemplate="seed %{customdata}: %{x:.4g}<extra></extra>",
    )
    for helps, colour in ((True, accent), (False, grey)):
        part = [(place, row) for place, row in rows if row.better is helps and row.interval.n]
        if not part:
            continue
        mean_dots(
            figure,
            [row.interval.mean for _, row in part],
            [place for place, _ in part],
            colour,
            filled=helps,
            error_x=error_bars(halves([row.interval for _, row in part]), colour=colour, thickness=2),
            name="mean, better than none" if helps else "mean, not shown to be better",
            text=[
                f"{theme.plain(row.method.title)}<br>{plus_minus(row.interval)}: {row.verdict.decision}"
                for _, row in part
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    diverged = [(place, row) for place, row in rows if row.lost]
    if diverged:
        figure.add_scatter(
            x=[max(values) + 0.08 * span] * len(diverged), y=[place for place, _ in diverged], mode="markers+text",
            name="diverged",
            marker={"symbol": "x", "size": 9, "color": theme.diverged(dark)},
            text=[f"{row.lost} of {row.method.sample.n}" for _, row in diverged], textposition="middle left",
            hovertemplate="%{text} runs diverged<extra></extra>",
        )  # fmt: skip
    x = f"{info.metric} minus that of {info.none.title if info.none else NONE} (lower is better)"
    figure.update_layout(**theme.layout(dark, x=x, y="", height=height or 130 + 58 * len(rows)))
    for place, row in rows:
        row_title(figure, place - 0.36, _title(row), size=12)
    figure.add_vline(0, line={"width": 1, "color": grey})
    figure.update_yaxes(visible=False, range=[len(rows) - 0.5, -0.7])
    figure.update_xaxes(showgrid=True)
    figure.update_layout(legend={"y": -0.3 if len(rows) < 4 else -0.16})
    return figure


def _bounds(interval: Interval) -> tuple[float, ...]:
    return (interval.low, interval.high) if interval.shown else (interval.mean,) if interval.n else ()
