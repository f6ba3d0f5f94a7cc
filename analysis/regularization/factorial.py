"""A full factorial sweep taken apart: what each factor does on average, and what two of them do together.

Every combination of the factors' levels (a cell) is trained with the same seeds. For each seed alone
    the main effect of A is   mean of its cells at a level - mean of its cells at A's first level,
    the interaction of A and B is half of   (what A does at a level of B) - (what A does at B's first level),
each averaged over all levels of the other factors (Box, Hunter and Hunter 2005, chapter 5, for two levels; of more
levels each is compared with the first one). A seed's own level is in all of its cells and cancels. Over seeds an effect
has a t-interval and an exact sign-flip test; the tests of all effects are corrected for each other (Holm). A seed of
which a run diverged has no contrasts: such seeds are counted and left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from analysis.figures import theme
from analysis.figures.value_axis import grey
from analysis.runs.comparison import shown
from analysis.statistics import ROUNDING, Interval, holm, interval, number, plus_minus
from analysis.statistics.exact import Test, resolution, sign_flip
from analysis.statistics.samples import Sample, key_words, samples, shared_precision
from analysis.statistics.seeds import ALPHA, Prospect, possible_words, seeds_missing
from analysis.words import counted

if TYPE_CHECKING:
    import plotly.graph_objects as go

FACTORS: Final = (2, 5)
"""How many factors there may be."""
MOST_EFFECTS: Final = 60
_PLAIN: Final = ("none", "identity", "zeros", "constant", "false")
"""Words that stand for the plain choice: such a level is the first."""


@dataclass(frozen=True)
class Effect:
    """A main effect or an interaction of two factors."""

    name: str
    factors: tuple[str, ...]
    """One or two dotted keys."""
    contrasts: Mapping[Hashable, float]
    """Seed -> its effect."""
    interval: Interval
    test: Test
    """The exact sign-flip test of whether there is none."""
    p: float
    """Of this test, corrected for all effects (Holm)."""

    @property
    def main(self) -> bool:
        """Whether it is the effect of one factor."""
        return len(self.factors) == 1

    @property
    def shown(self) -> bool:
        """Whether both the interval and the test exclude that there is none."""
        return self.p <= ALPHA and (self.interval.low > 0 or self.interval.high < 0)


@dataclass(frozen=True)
class FactorialInfo:
    """What `plot_factorial` draws: main effects, then interactions, in the order of the factors."""

    effects: tuple[Effect, ...]
    factors: tuple[str, ...]
    first: str
    """The level of each factor that the others are compared with."""
    metric: str
    left_out: tuple[Hashable, ...]
    """Seeds without a finite result in every cell."""
    over: str
    """Says what has one contrast each: `seed`, or `training set` where several runs share one."""
    diverged: int
    """Runs that diverged."""
    problem: str = ""
    """Why there is nothing to draw: one sentence, or nothing."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return bool(self.problem)

    @property
    def seeds(self) -> int:
        """How many seeds have a result in every cell."""
        return self.effects[0].interval.n if self.effects else 0

    @property
    def more(self) -> int:
        """The least number of further seeds that makes it possible to show an effect; 0 where there are enough."""
        if not self.effects or holm(effect.test.smallest_p for effect in self.effects).min() <= ALPHA:
            return 0
        missing = seeds_missing([Prospect(effect.test, self.seeds) for effect in self.effects])
        return min((number for number in missing if number is not None), default=0)

    @property
    def basis(self) -> str:
        """What the intervals are, and which seeds they are of."""
        lost = len(self.left_out)
        words = f"; {counted(lost, self.over)} left out: a run diverged or has no result" if lost else ""
        return (
            f"95% t-intervals over n={self.seeds} {self.over}s, one contrast per {self.over}; exact sign-flip tests"
            f" corrected for {len(self.effects)} effects (Holm){words}"
        )

    @property
    def meaning(self) -> str:
        """What the effects are, in plain text."""
        further = ", averaged over all levels of the further factors" if len(self.factors) > 2 else ""
        higher = " Interactions of three or more factors are not shown." if len(self.factors) > 2 else ""
        return (
            f"A main effect is the result at a level minus that at the factor's first level ({self.first}), averaged"
            " over all levels of the other factors, so it may differ from the difference from none, for which these"
            " are at their first. An interaction (×) is half of the difference between one factor's effect at the"
            f" other's level and at the other's first level{further}.{higher}"
        )

    @property
    def sentence(self) -> str:
        """Which effects there are, in plain text."""
        if self.problem:
            return self.problem
        found = sorted((effect for effect in self.effects if effect.shown), key=lambda e: -abs(e.interval.mean))
        count, seeds = len(self.effects), counted(self.seeds, self.over)
        lost = f" {counted(self.diverged, 'run')} diverged." if self.diverged else ""
        if self.more:
            possible = f"{possible_words(self.more)}, after the correction for all of them"
            return f"Too few {self.over}s: {seeds} cannot tell {count} effects from chance, {possible}.{lost}"
        if not found:
            return f"None of {count} effects on {self.metric} can be told from chance with {seeds}.{lost}"
        mains = "; ".join(f"{effect.name} {_change(effect)}" for effect in found if effect.main)
        pairs = "; ".join(f"{effect.name} {_change(effect)}" for effect in found if not effect.main)
        end = f"; together: {pairs}" if pairs else "; no two factors are shown to depend on each other"
        return f"Effects on {self.metric}: {mains or 'none alone'}{end}.{lost}"

    @property
    def shows(self) -> str:
        """What is to be seen, for a caption."""
        return f"Main effects and interactions of {', '.join(self.factors)} on {self.metric}"

    @property
    def n(self) -> str:
        """`n=8 seeds`: those with a result in every cell."""
        return f"n={self.seeds} seeds"

    @property
    def interval(self) -> str:
        """The kind of the intervals, and which seeds they are of."""
        return self.basis

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        return f"Left of zero the error falls. Dots are seeds; {self.basis}. {self.meaning}"

    def frame(self) -> pd.DataFrame:
        """One row an effect: effect, kind, mean, low, high, n, p_holm."""
        rows = [
            {
                "effect": effect.name, "kind": "main" if effect.main else "interaction", "mean": effect.interval.mean,
                "low": effect.interval.low, "high": effect.interval.high, "n": effect.interval.n, "p_holm": effect.p,
            }
            for effect in self.effects
        ]  # fmt: skip
        return pd.DataFrame(rows)


def _change(effect: Effect) -> str:
    return f"{'+' if effect.interval.mean > 0 else ''}{plus_minus(effect.interval)}"


def _levels(values: Sequence[Any]) -> list[Any]:
    """The different values: numbers ascending, the plain choice first among words."""
    distinct = list({shown(value): value for value in values}.values())
    if all(isinstance(value, int | float) for value in distinct):
        return sorted(distinct)
    if all(isinstance(value, list | tuple) for value in distinct):
        return sorted(distinct, key=lambda value: [float(each) for each in value])
    return sorted(distinct, key=lambda value: shown(value).lower() not in _PLAIN)


def _named(factor: str, level: Any) -> str:
    """`dropout 0.5`, `batch norm`, `adam`: a level of a factor."""
    if factor.endswith(".name"):
        return shown(level)
    return f"{factor.rpartition('.')[2].replace('_', ' ')} {shown(level)}"


def _cells(
    runs: pd.DataFrame, levels: Mapping[str, Sequence[Any]], others: Sequence[str]
) -> tuple[dict[tuple[int, ...], Sample], str]:
    """Cell, as the places of its levels -> its results; what is amiss, in one sentence."""
    places = {factor: {shown(level): k for k, level in enumerate(own)} for factor, own in levels.items()}
    keys = [tuple(places[f][shown(row[f])] for f in levels) for row in runs[list(levels)].to_dict("records")]
    made = runs.assign(_cell=[repr(key) for key in keys])
    for key in others:
        if (made.groupby("_cell")[key].agg(lambda cells: len(set(map(shown, cells)))) > 1).any():
            return {}, f"Its combinations differ in {key} too: choose one of its values, so that each is one group."
    found = {}
    by_name = {sample.name: sample for sample in samples(made, "_cell")}
    for cell in itertools.product(*(range(len(own)) for own in levels.values())):
        own = by_name.get(repr(cell))
        what = ", ".join(_named(factor, levels[factor][k]) for factor, k in zip(levels, cell, strict=True))
        if own is None or not own.n:
            return {}, f"The factors are not fully crossed: no run with {what} has a result."
        if own.paired_on is None:
            return {}, f"The runs with {what} do not have one seed each, by which effects are taken."
        found[cell] = own
    return found, ""


def _contrast(
    values: Mapping[tuple[int, ...], float], which: Sequence[int], high: Sequence[int], least: float
) -> float:
    """The effect of going from the first level to a higher one in one factor, or in two together.

    Args:
        values: Cell -> the result of one seed.
        which: The places of the factors.
        high: The level of each of them that is compared with the first.
        least: An effect up to it is none.
    """
    above: list[float] = []
    below: list[float] = []
    for cell, value in values.items():
        levels = [cell[place] for place in which]
        if all(level in (0, top) for level, top in zip(levels, high, strict=True)):
            (below if levels.count(0) % 2 else above).append(value)
    effect = sum(above) / len(above) - sum(below) / len(below)
    # Rounding, and sums in another order, are no effect.
    return 0.0 if abs(effect) <= max(least, ROUNDING * max(map(abs, (*above, *below)))) else effect


def factorial_info(
    runs: pd.DataFrame, factors: Sequence[str], *, metric: str, others: Sequence[str] = ()
) -> FactorialInfo:
    """Main effects and interactions of two factors.

    Args:
        runs: One row a run that counts: seed, outcome, objective (lower is better) and a column a factor with its
            typed values.
        factors: Two to five dotted keys, all of whose combinations were trained.
        metric: What the objective is called.
        others: Params that tell trials apart beside the factors: with more than one value of such a key in a
            combination that would not be one group, which is refused.
    """
    names = tuple(factors)

    def refused(problem: str) -> FactorialInfo:
        return FactorialInfo((), names, "", metric, (), "seed", 0, problem)

    if not FACTORS[0] <= len(names) <= FACTORS[1]:
        return refused(f"{len(names)} factors: effects are taken apart for {FACTORS[0]} to {FACTORS[1]}.")
    if not len(runs):
        return refused("No run has a result yet.")
    if missing := [factor for factor in names if factor not in runs]:
        return refused(f"The runs have no param {missing[0]}.")
    levels = {factor: _levels(runs[factor].tolist()) for factor in names}
    if single := [factor for factor in names if len(levels[factor]) < 2]:
        return refused(f"{single[0]} has one value only: a factor has two or more.")
    cells, problem = _cells(runs, levels, [key for key in others if key in runs and key not in names])
    if problem:
        return refused(problem)
    seeds = list(dict.fromkeys(seed for own in cells.values() for seed in (*own.values, *own.diverged)))
    by_seed = {
        seed: {cell: own.values[seed] for cell, own in cells.items()}
        for seed in seeds
        if all(seed in own.values for own in cells.values())
    }
    if not by_seed:
        return refused("No seed has a finite result in every combination, so none has a contrast.")
    asked = [
        (which, high)
        for size in (1, 2)
        for which in itertools.combinations(range(len(names)), size)
        for high in itertools.product(*(range(1, len(levels[names[place]])) for place in which))
    ]
    if len(asked) > MOST_EFFECTS:
        return refused(f"{len(asked)} effects are too many to be told apart; allowed: at most {MOST_EFFECTS}.")
    results = [result for cell_results in by_seed.values() for result in cell_results.values()]
    least = resolution(results, shared_precision(*cells.values()))
    contrasts = [{seed: _contrast(own, *each, least) for seed, own in by_seed.items()} for each in asked]
    tests = [sign_flip(own.values(), resolution=least) for own in contrasts]
    corrected = holm(test.p for test in tests).tolist()
    effects = tuple(
        Effect(
            " × ".join(_named(names[place], levels[names[place]][level]) for place, level in zip(*each, strict=True)),
            tuple(names[place] for place in each[0]), own, interval(own.values()), test, p,
        )
        for each, own, test, p in zip(asked, contrasts, tests, corrected, strict=True)
    )  # fmt: skip
    first = ", ".join(_named(factor, own[0]) for factor, own in levels.items())
    left_out = tuple(seed for seed in seeds if seed not in by_seed)
    diverged = sum(len(own.diverged) for own in cells.values())
    over = next(iter(cells.values())).units.removesuffix("s")
    return FactorialInfo(effects, names, first, metric, left_out, over, diverged)


def plot_factorial(info: FactorialInfo, *, dark: bool = False, height: int | None = None) -> go.Figure:
    """A row an effect, interactions last: seeds as dots, the mean with its interval, zero as a line."""
    import plotly.graph_objects as go

    figure, rows = go.Figure(), list(enumerate(info.effects))
    accent, pale = theme.palette(dark)[0], grey(dark)
    dots = [(value, place, seed) for place, effect in rows for seed, value in effect.contrasts.items()]
    figure.add_scatter(
        x=[dot[0] for dot in dots], y=[dot[1] + 0.14 for dot in dots], mode="markers", name=f"a {info.over}",
        marker={"size": 5, "color": theme.translucent(pale, 0.55)}, customdata=[key_words(dot[2]) for dot in dots],
        hovertemplate=f"{info.over} %{{customdata}}: %{{x:.4g}}<extra></extra>",
    )  # fmt: skip
    for sure, colour in ((True, accent), (False, pale)):
        part = [(place, effect) for place, effect in rows if effect.shown is sure]
        if not part:
            continue
        figure.add_scatter(
            x=[effect.interval.mean for _, effect in part], y=[place for place, _ in part], mode="markers",
            name="mean, an effect" if sure else "mean, not told from chance",
            marker={
                "size": 10, "symbol": "circle" if sure else "circle-open", "color": colour,
                "line": {"width": 2, "color": colour},
            },
            error_x={
                "type": "data", "color": colour, "thickness": 2, "width": 0,
                "array": [effect.interval.half if effect.interval.shown else 0.0 for _, effect in part],
            },
            text=[f"{effect.name}: {_change(effect)}, p={number(effect.p, 2)}" for _, effect in part],
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    lost = f", {info.diverged} diverged: {counted(len(info.left_out), 'seed')} left out" if info.diverged else ""
    figure.update_layout(
        **theme.layout(dark, x=f"effect on {info.metric} (below 0 it helps){lost}", y="",
                       height=height or 130 + 44 * len(rows))
    )  # fmt: skip
    for place, effect in rows:
        # Above its row and not beside it: on a phone names would leave the figure no room.
        figure.add_annotation(
            text=theme.plain(f"{theme.shortened(effect.name, 44)}: {_change(effect)}"), x=0, xref="paper",
            xanchor="left", y=place - 0.38, yanchor="middle", showarrow=False, align="left", font={"size": 12},
        )  # fmt: skip
    figure.add_vline(0, line={"width": 1, "color": pale})
    mains = sum(effect.main for effect in info.effects)
    figure.add_hline(mains - 0.6, line={"width": 1, "color": theme.translucent(pale, 0.4), "dash": "dot"})
    figure.update_yaxes(visible=False, range=[len(rows) - 0.4, -0.75])
    figure.update_xaxes(showgrid=True)
    figure.update_layout(legend={"y": -0.3 if len(rows) < 5 else -0.14})
    return figure
