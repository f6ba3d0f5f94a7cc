"""The effects in a full factorial sweep: what each factor does on average, and what two factors do together.

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
from analysis.figures.marks import row_title
from analysis.figures.traces import error_bars, halves, mean_dots, seed_dots
from analysis.runs.comparison import shown
from analysis.statistics import ROUNDING, Interval, holm, interval, number, plus_minus
from analysis.statistics.exact import Test, sign_flip
from analysis.statistics.rounding import resolution
from analysis.statistics.samples import Sample, samples, seed_name, shared_precision
from analysis.statistics.seeds import ALPHA, Prospect, possible_words, seeds_missing
from analysis.words import counted

if TYPE_CHECKING:
    import plotly.graph_objects as go

FACTORS: Final = (2, 5)
"""The least and the largest number of factors."""
MOST_EFFECTS: Final = 60
"""How many effects are shown at most."""
_PLAIN: Final = ("none", "identity", "zeros", "constant", "false")
"""Words for the plain choice: such a level comes first."""


@dataclass(frozen=True)
class Effect:
    """A main effect or an interaction of two factors."""

    name: str
    factors: tuple[str, ...]
    """One or two dotted keys."""
    contrasts: Mapping[Hashable, float]
    """The effect of each seed."""
    interval: Interval
    test: Test
    """The exact sign-flip test of whether there is none."""
    p: float
    """The p-value of this test, corrected for all effects (Holm)."""

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
    """Main effects, then interactions, in the order of the factors, as `plot_factorial` draws them."""

    effects: tuple[Effect, ...]
    factors: tuple[str, ...]
    first: str
    """The level of each factor that the others are compared with."""
    metric: str
    left_out: tuple[Hashable, ...]
    """The seeds without a finite result in every cell."""
    over: str
    """The name of the independent contrasts: `seed`, or `training set` where several runs share one."""
    diverged: int
    """How many runs diverged."""
    problem: str = ""
    """One sentence on why there is nothing to draw; empty where there is something."""

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
        """The name of the intervals, and the seeds that they are over."""
        count = len(self.left_out)
        words = f"; {counted(count, self.over)} left out: a run diverged or has no result" if count else ""
        return (
            f"95% t-intervals over n={self.seeds} {self.over}s, one contrast per {self.over}; exact sign-flip tests"
            f" corrected for {len(self.effects)} effects (Holm){words}"
        )

    @property
    def meaning(self) -> str:
        """The definition of the effects, in plain text."""
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
        shown_effects = sorted(
            (effect for effect in self.effects if effect.shown), key=lambda effect: -abs(effect.interval.mean)
        )
        count, seeds = len(self.effects), counted(self.seeds, self.over)
        diverged = f" {counted(self.diverged, 'run')} diverged." if self.diverged else ""
        if self.more:
            possible = f"{possible_words(self.more)}, after the correction for all of them"
            return f"Too few {self.over}s: {seeds} cannot tell {count} effects from chance, {possible}.{diverged}"
        if not shown_effects:
            return f"None of {count} effects on {self.metric} can be told from chance with {seeds}.{diverged}"
        mains = "; ".join(f"{effect.name} {_change(effect)}" for effect in shown_effects if effect.main)
        pairs = "; ".join(f"{effect.name} {_change(effect)}" for effect in shown_effects if not effect.main)
        end = f"; together: {pairs}" if pairs else "; no two factors are shown to depend on each other"
        return f"Effects on {self.metric}: {mains or 'none alone'}{end}.{diverged}"

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
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
        """One row per effect: effect, kind, mean, low, high, n, p_holm."""
        rows = [
            {
                "effect": effect.name,
                "kind": "main" if effect.main else "interaction",
                "mean": effect.interval.mean,
                "low": effect.interval.low,
                "high": effect.interval.high,
                "n": effect.interval.n,
                "p_holm": effect.p,
            }
            for effect in self.effects
        ]
        return pd.DataFrame(rows)


def _change(effect: Effect) -> str:
    return f"{'+' if effect.interval.mean > 0 else ''}{plus_minus(effect.interval)}"


def _levels(values: Sequence[Any]) -> list[Any]:
    """The different values: numbers ascending, the plain choice first among words."""
    distinct = list({shown(value): value for value in values}.values())
    if all(isinstance(value, int | float) for value in distinct):
        return sorted(distinct)
    if all(isinstance(value, list | tuple) for value in distinct):
        return sorted(distinct, key=lambda value: [float(number) for number in value])
    return sorted(distinct, key=lambda value: shown(value).lower() not in _PLAIN)


def _named(factor: str, level: Any) -> str:
    """`dropout 0.5`, `batch norm`, `adam`: a level of a factor."""
    if factor.endswith(".name"):
        return shown(level)
    return f"{factor.rpartition('.')[2].replace('_', ' ')} {shown(level)}"


Cell = tuple[int, ...]
"""A combination of levels: the position of each factor's level."""
Step = tuple[tuple[int, ...], tuple[int, ...]]
"""One or two factors, by their positions, and for each the level that is compared with the first."""


class _Refused(ValueError):
    """No effects can be computed; its text is the sentence that says why."""


def _levels_by_factor(runs: pd.DataFrame, factors: Sequence[str]) -> dict[str, list[Any]]:
    """The levels of each factor, refused where there are no effects of these factors."""
    if not FACTORS[0] <= len(factors) <= FACTORS[1]:
        raise _Refused(f"{len(factors)} factors: effects are taken apart for {FACTORS[0]} to {FACTORS[1]}.")
    if not len(runs):
        raise _Refused("No run has a result yet.")
    if missing := [factor for factor in factors if factor not in runs]:
        raise _Refused(f"The runs have no param {missing[0]}.")
    levels = {factor: _levels(runs[factor].tolist()) for factor in factors}
    if single := [factor for factor in factors if len(levels[factor]) < 2]:
        raise _Refused(f"{single[0]} has one value only: a factor has two or more.")
    return levels


def _cells(runs: pd.DataFrame, levels: Mapping[str, Sequence[Any]], others: Sequence[str]) -> dict[Cell, Sample]:
    """The results of each cell, refused where one has none or is more than one group."""
    places = {factor: {shown(level): k for k, level in enumerate(values)} for factor, values in levels.items()}
    keys = [tuple(places[f][shown(row[f])] for f in levels) for row in runs[list(levels)].to_dict("records")]
    runs = runs.assign(_cell=[repr(key) for key in keys])
    for key in others:
        if (runs.groupby("_cell")[key].agg(lambda values: len(set(map(shown, values)))) > 1).any():
            raise _Refused(
                f"Its combinations differ in {key} too: choose one of its values, so that each is one group."
            )
    cells = {}
    by_name = {sample.name: sample for sample in samples(runs, "_cell")}
    for cell in itertools.product(*(range(len(values)) for values in levels.values())):
        sample = by_name.get(repr(cell))
        name = ", ".join(_named(factor, levels[factor][k]) for factor, k in zip(levels, cell, strict=True))
        if sample is None or not sample.n:
            raise _Refused(f"The factors are not fully crossed: no run with {name} has a result.")
        if sample.paired_on is None:
            raise _Refused(f"The runs with {name} do not have one seed each, by which effects are taken.")
        cells[cell] = sample
    return cells


def _steps(levels: Sequence[Sequence[Any]]) -> list[Step]:
    """The steps of all effects, main effects first, refused where there are too many."""
    steps = [
        (which, high)
        for size in (1, 2)
        for which in itertools.combinations(range(len(levels)), size)
        for high in itertools.product(*(range(1, len(levels[place])) for place in which))
    ]
    if len(steps) > MOST_EFFECTS:
        raise _Refused(f"{len(steps)} effects are too many to be told apart; allowed: at most {MOST_EFFECTS}.")
    return steps


def _contrast(values: Mapping[Cell, float], which: Sequence[int], high: Sequence[int], least: float) -> float:
    """The effect of going from the first level to a higher one in one factor, or in two together.

    Args:
        values: The result of one seed in each cell.
        which: The positions of the factors.
        high: For each of these factors, the level that is compared with the first.
        least: The resolution of the results: an effect up to it is none.
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


def _effects(
    steps: Sequence[Step],
    levels: Mapping[str, Sequence[Any]],
    by_seed: Mapping[Hashable, Mapping[Cell, float]],
    precision: float | None,
) -> tuple[Effect, ...]:
    """The effects of these steps, with tests corrected for each other.

    Args:
        steps: From the first level of one or two factors to a higher one.
        levels: The levels of each factor.
        by_seed: The result of each seed in every cell.
        precision: The precision of the results; None where it is that of their values.
    """
    factors = list(levels)
    results = [result for by_cell in by_seed.values() for result in by_cell.values()]
    least = resolution(results, precision)
    contrasts = [
        {seed: _contrast(by_cell, which, high, least) for seed, by_cell in by_seed.items()} for which, high in steps
    ]
    tests = [sign_flip(of_seeds.values(), resolution=least) for of_seeds in contrasts]
    corrected = holm(test.p for test in tests).tolist()
    effects = []
    for (which, high), of_seeds, test, p in zip(steps, contrasts, tests, corrected, strict=True):
        keys = tuple(factors[place] for place in which)
        name = " × ".join(_named(key, levels[key][level]) for key, level in zip(keys, high, strict=True))
        effects.append(Effect(name, keys, of_seeds, interval(of_seeds.values()), test, p))
    return tuple(effects)


def factorial_info(
    runs: pd.DataFrame, factors: Sequence[str], *, metric: str, others: Sequence[str] = ()
) -> FactorialInfo:
    """Main effects and interactions of two factors.

    Args:
        runs: One row per run that counts: seed, outcome, objective (lower is better) and one column per factor with
            its typed values.
        factors: Two to five dotted keys, all of whose combinations were trained.
        metric: The name of the objective.
        others: Params that tell trials apart beside the factors: a combination with more than one value of such a
            param would not be one group, and is refused.
    """
    names = tuple(factors)
    try:
        levels = _levels_by_factor(runs, names)
        cells = _cells(runs, levels, [key for key in others if key in runs and key not in names])
        seeds = list(dict.fromkeys(seed for sample in cells.values() for seed in (*sample.values, *sample.diverged)))
        by_seed = {
            seed: {cell: sample.values[seed] for cell, sample in cells.items()}
            for seed in seeds
            if all(seed in sample.values for sample in cells.values())
        }
        if not by_seed:
            raise _Refused("No seed has a finite result in every combination, so none has a contrast.")
        steps = _steps(list(levels.values()))
    except _Refused as refusal:
        return FactorialInfo((), names, "", metric, (), over="seed", diverged=0, problem=str(refusal))
    return FactorialInfo(
        _effects(steps, levels, by_seed, shared_precision(*cells.values())),
        names,
        first=", ".join(_named(factor, values[0]) for factor, values in levels.items()),
        metric=metric,
        left_out=tuple(seed for seed in seeds if seed not in by_seed),
        over=next(iter(cells.values())).units.removesuffix("s"),
        diverged=sum(len(sample.diverged) for sample in cells.values()),
    )


def plot_factorial(info: FactorialInfo, *, dark: bool = False, height: int | None = None) -> go.Figure:
    """One row per effect, interactions last: seeds as dots, the mean with its interval, zero as a line."""
    import plotly.graph_objects as go

    figure, rows = go.Figure(), list(enumerate(info.effects))
    accent, pale = theme.palette(dark)[0], theme.grey(dark)
    dots = [(value, place, seed) for place, effect in rows for seed, value in effect.contrasts.items()]
    seed_dots(
        figure,
        [dot[0] for dot in dots],
        [dot[1] + 0.14 for dot in dots],
        pale,
        opacity=0.55,
        name=f"a {info.over}",
        customdata=[seed_name(dot[2]) for dot in dots],
        hovertemplate=f"{info.over} %{{customdata}}: %{{x:.4g}}<extra></extra>",
    )
    for sure, colour in ((True, accent), (False, pale)):
        part = [(place, effect) for place, effect in rows if effect.shown is sure]
        if not part:
            continue
        mean_dots(
            figure,
            [effect.interval.mean for _, effect in part],
            [place for place, _ in part],
            colour,
            filled=sure,
            error_x=error_bars(halves([effect.interval for _, effect in part]), colour=colour, thickness=2),
            name="mean, an effect" if sure else "mean, not told from chance",
            text=[f"{effect.name}: {_change(effect)}, p={number(effect.p, 2)}" for _, effect in part],
            hovertemplate="%{text}<extra></extra>",
        )
    note = f", {info.diverged} diverged: {counted(len(info.left_out), 'seed')} left out" if info.diverged else ""
    figure.update_layout(
        **theme.layout(dark, x=f"effect on {info.metric} (below 0 it helps){note}", y="",
                       height=height or 130 + 44 * len(rows))
    )  # fmt: skip
    for place, effect in rows:
        row_title(figure, place - 0.38, f"{theme.shortened(effect.name, 44)}: {_change(effect)}", size=12)
    figure.add_vline(0, line={"width": 1, "color": pale})
    mains = sum(effect.main for effect in info.effects)
    figure.add_hline(mains - 0.6, line={"width": 1, "color": theme.translucent(pale, 0.4), "dash": "dot"})
    figure.update_yaxes(visible=False, range=[len(rows) - 0.4, -0.75])
    figure.update_xaxes(showgrid=True)
    figure.update_layout(legend={"y": -0.3 if len(rows) < 5 else -0.14})
    return figure
