"""Search and confirm apart: how much a winner's score shrinks with seeds that did not choose it.

The best of many noisy scores is too good on average, since luck helped to choose it (the winner's curse; Cawley and
Talbot 2010, JMLR 11, 2079-2107, for model selection). Confirm runs have fresh seeds: their mean is the score that a
winner is judged by, and search minus confirm says what the search had promised too much. The seeds of the two are
different ones, so the interval of that difference is Welch's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from analysis.figures import theme
from analysis.figures.marks import row_title
from analysis.figures.traces import error_bars, halves, mean_dots, seed_dots
from analysis.figures.value_axis import log_range
from analysis.runs.comparison import Comparison, shown
from analysis.runs.ranking import Group, alike, sweep_ranking
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL, Difference, Interval, difference, number, plus_minus
from analysis.statistics.samples import Sample, samples, seed_name
from analysis.statistics.seeds import too_many, too_many_words
from analysis.statistics.standings import Standings, same_words, standings
from tracking.schema import CONFIRM_PHASE, MAXIMIZE, Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

OPTIMISTIC = (
    "Search scores are too good on average: they chose the winners. Winners are judged by their confirm runs alone."
)


def confirms(runs: pd.DataFrame) -> pd.Series[bool]:
    """Which of the runs confirm a winner.

    Args:
        runs: One row per run: phase.
    """
    return pd.Series(
        [phase == CONFIRM_PHASE for phase in runs["phase"]] if len(runs) else [], index=runs.index, dtype=bool
    )


def judged_by_confirm(comparison: Comparison) -> Comparison:
    """The comparison without the search runs of sweeps that have confirm runs with a result.

    Beside a winner's honest score the search scores of the others would look better than they are, theirs included
    that it had beaten: what the search chose among is left out, not only the runs of the winners.
    """
    runs = comparison.runs
    fresh = confirms(runs)
    ended = fresh & runs["counts"].astype(bool) & runs["outcome"].isin([Outcome.OK, Outcome.DIVERGED])
    searched = runs["parent"].isin(runs.loc[ended, "parent"]) & ~fresh
    return comparison.only(runs.loc[~searched, "run_id"].tolist()) if searched.any() else comparison


@dataclass(frozen=True)
class Winner:
    """One trial that was retrained with fresh seeds."""

    group: Group
    """Its confirm runs, ranked among those of all winners."""
    value: str
    """Its value of the key each of whose values has its own winners; nothing without such a key."""
    place: int | None
    """Its rank among the winners of that value; None before it has a result."""
    search: Sample
    """What it was chosen by."""
    confirm: Sample
    shrinkage: Difference | None
    """How much worse confirm is than search, positive if it is worse; None where one of them has no finite result."""

    @property
    def interval_shown(self) -> bool:
        """Whether both have enough seeds for the difference to carry an interval."""
        return min(len(self.search.values), len(self.confirm.values)) >= ENOUGH_FOR_AN_INTERVAL


@dataclass(frozen=True)
class ConfirmedInfo:
    """What `plot_confirmed` draws, the best winner first."""

    winners: list[Winner]
    metric: str
    direction: str
    per: str | None

    @property
    def groups(self) -> list[Group]:
        """The winners' confirm runs in the order of the ranking."""
        return [winner.group for winner in self.winners]

    @property
    def samples(self) -> list[Sample]:
        """The winners' confirm runs as they are compared: paired on their fresh seeds."""
        return [winner.confirm for winner in self.winners]

    @property
    def judged(self) -> bool:
        """Whether a winner has a result."""
        return any(winner.group.judged for winner in self.winners)

    @property
    def sentence(self) -> str:
        """How much the best winner's score shrank, in plain text; nothing before that is known."""
        first = next((winner for winner in self.winners if winner.shrinkage is not None), None)
        if first is None or first.shrinkage is None:
            return ""
        gap = first.shrinkage.interval
        size = number(abs(gap.mean), 3)
        if first.interval_shown:
            # `plus_minus` rounds to the half-width; the sign is in the word.
            size = plus_minus(Interval(abs(gap.mean), abs(gap.mean) - gap.half, abs(gap.mean) + gap.half, gap.n))
        way = f"{size} {'worse' if gap.mean > 0 else 'better'} than" if gap.mean else "the same as"
        chance = ""
        if not first.interval_shown:
            chance = f" ({len(first.search.values)} and {len(first.confirm.values)} seeds: too few for an interval)"
        elif not first.shrinkage.excludes_zero:
            chance = ", which the spread over seeds can explain"
        return f"With fresh seeds {first.group.label} is {way} in the search that chose it{chance}."

    @property
    def basis(self) -> str:
        """What the numbers are of: seeds and interval."""
        fresh = sorted({len(winner.confirm.values) for winner in self.winners})
        searched = sorted({len(winner.search.values) for winner in self.winners})
        words = [f"search n={_range(searched)}", f"confirm n={_range(fresh)} fresh seeds"]
        return f"95% t-intervals, {', '.join(words)}; of the difference Welch's. None below 3 seeds."


def _range(sizes: Sequence[int]) -> str:
    if not sizes:
        return "0"
    return f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"


def _shrinkage(search: Sample, confirm: Sample, direction: str) -> Difference | None:
    if not search.values or not confirm.values:
        return None
    better, worse = list(search.values.values()), list(confirm.values.values())
    return difference(better, worse) if direction == MAXIMIZE else difference(worse, better)


def _places(groups: Sequence[Group], values: Sequence[str]) -> list[int | None]:
    """The rank of each group among those with its value; the groups are in their order."""
    counts: dict[str, int] = {}
    places: list[int | None] = []
    for group, value in zip(groups, values, strict=True):
        counts[value] = counts.get(value, 0) + bool(group.judged)
        places.append(counts[value] if group.judged else None)
    return places


def confirmed_info(
    runs: pd.DataFrame, searched: Sequence[str], *, metric: str, direction: str, per: str | None = None
) -> ConfirmedInfo:
    """The winners of a sweep with their search and their confirm runs.

    Args:
        runs: One row per run: group, trial, seed, phase, outcome, counts, objective and one column per searched key.
        searched: The dotted keys that tell the trials apart.
        metric: What the objective is called.
        direction: "minimize" or "maximize".
        per: The searched key each of whose values has its own winners.
    """
    fresh = runs[confirms(runs)] if len(runs) else runs
    groups = sweep_ranking(fresh, searched, direction) if len(fresh) else []
    # The search runs of a trial and its confirm runs are different groups: the trial is what they share.
    first = {sample.name: sample for sample in samples(runs[~confirms(runs)], "trial")} if groups else {}
    second = {sample.name: sample for sample in samples(fresh)} if groups else {}
    values = [shown(group.params.get(per)) if per else "" for group in groups]
    winners = []
    for group, value, place in zip(groups, values, _places(groups, values), strict=True):
        search = replace(first.get(str(group.trial), Sample("", {})), name=group.label)
        confirm = replace(second[group.group], name=group.label)
        winners.append(Winner(group, value, place, search, confirm, _shrinkage(search, confirm, direction)))
    return ConfirmedInfo(winners, metric, direction, per)


def answer(info: ConfirmedInfo, *, over: bool) -> str:
    """Which winner leads by its confirm runs, in one sentence of plain text; nothing before one has a result."""
    judged = [group for group in info.groups if group.judged]
    if not judged:
        return ""
    best = judged[0]
    if not best.interval.n:
        return f"All {sum(group.judged for group in judged)} confirm runs diverged{'' if over else ' so far'}."
    score = f"{info.metric} {plus_minus(best.interval)}"
    basis = best.interval.kind if best.interval.shown else f"n={best.interval.n}"
    score += f" ({basis}, fresh seeds)"
    some = f", though {best.diverged} of its {best.judged} runs diverged" if best.diverged else ""
    so_far = "" if over else " so far"
    if len(info.groups) == 1:
        return f"{best.label}: {score}{so_far}{some}."
    if alike(judged):
        return same_words(info.metric, best.interval.mean, f"{len(judged)} confirmed winners")
    return f"{best.label} leads {len(info.groups)} confirmed winners{so_far} with {score}{some}."


def not_compared(groups: Sequence[Group], info: ConfirmedInfo) -> str:
    """Why no pairs of a sweep's winners, or of all that it tried, are compared: too many; else nothing.

    Args:
        groups: The groups of the search, from `sweep_ranking`.
        info: The winners.
    """
    compared = info.groups if info.judged else groups
    return too_many_words(len(compared)) if too_many(len(compared)) else ""


def sweep_standings(search: pd.DataFrame, groups: Sequence[Group], info: ConfirmedInfo) -> Standings | None:
    """The verdicts on a sweep's winners by their fresh seeds; before one has a result, on all that the search tried.

    None where fewer than two have a finite result, or there are too many of them (see `not_compared`).

    Args:
        search: The runs of the search.
        groups: The groups of the search, from `sweep_ranking`.
        info: The winners.
    """
    finite_winners = sum(group.interval.n > 0 for group in info.groups) if info.judged else 0
    # Where all winners diverged with fresh seeds, that is the verdict on what the search had found.
    finite = finite_winners or sum(group.interval.n > 0 for group in groups)
    if finite < 2 or not_compared(groups, info):
        return None
    results = info.samples if info.judged else samples(search, names={group.group: group.label for group in groups})
    return standings(results, direction=info.direction, metric=info.metric)


def table(info: ConfirmedInfo) -> pd.DataFrame:
    """One row per winner, the best first: what a page and a CSV show.

    Columns: rank, value (of `per`), place (among those of that value), configuration, confirm, confirm_half, seeds
    ("9 of 10"), search, search_half, search_seeds, shrinkage, shrinkage_half; halves are nan below three seeds.
    """
    rows = []
    for winner in info.winners:
        search, gap = winner.search, winner.shrinkage
        rows.append(
            {
                "rank": winner.group.rank,
                "value": winner.value,
                "place": winner.place,
                "configuration": winner.group.label,
                "confirm": winner.confirm.interval.mean,
                "confirm_half": _half(winner.confirm.interval),
                "seeds": winner.confirm.runs,
                "search": search.interval.mean,
                "search_half": _half(search.interval),
                "search_seeds": search.runs,
                "shrinkage": gap.interval.mean if gap else math.nan,
                "shrinkage_half": gap.interval.half if gap and winner.interval_shown else math.nan,
            }
        )
    return pd.DataFrame(rows).astype({"rank": "Int64", "place": "Int64"}) if rows else pd.DataFrame()


def _half(interval: Interval) -> float:
    return interval.half if interval.shown else math.nan


def plot_confirmed(info: ConfirmedInfo, *, dark: bool = False, height: int | None = None) -> go.Figure:
    """One row per winner: search grey above, confirm in colour below, seeds as dots, the mean with its interval."""
    import plotly.graph_objects as go

    figure = go.Figure()
    looks = (
        ("search", theme.grey(dark), -0.16, False, [winner.search for winner in info.winners]),
        ("confirm, fresh seeds", theme.palette(dark)[0], 0.16, True, info.samples),
    )
    values = [value for *_, parts in looks for sample in parts for value in sample.values.values()]
    log = log_range(values)
    for name, colour, offset, filled, parts in looks:
        rows = [(place + offset, sample) for place, sample in enumerate(parts)]
        dots = [(value, y, seed) for y, sample in rows for seed, value in sample.values.items()]
        seed_dots(
            figure,
            [value for value, _, _ in dots],
            [y for _, y, _ in dots],
            colour,
            customdata=[seed_name(seed) for *_, seed in dots],
            hovertemplate=f"{name}<br>seed %{{customdata}}: %{{x:.4g}}<extra></extra>",
            legendgroup=name,
        )
        means = [sample.interval for _, sample in rows if sample.values]
        above = halves(means)
        # A bound at or below zero has no place on a logarithmic axis: the interval ends at the smallest value drawn.
        below = [
            mean.mean - min(mean.mean, min(values)) if log and half >= mean.mean else half
            for mean, half in zip(means, above, strict=True)
        ]
        mean_dots(
            figure,
            [mean.mean for mean in means],
            [y for y, sample in rows if sample.values],
            colour,
            filled=filled,
            size=11,
            error_x=error_bars(above, below, colour=colour, thickness=2),
            name=name,
            legendgroup=name,
            text=[f"{plus_minus(mean)} (n={mean.n})" for mean in means],
            hovertemplate=f"{name}: %{{text}}<extra></extra>",
        )
    count = len(info.winners)
    figure.update_layout(**theme.layout(dark, x=info.metric, y="", height=height or 110 + 74 * count))
    for place, winner in enumerate(info.winners):
        row_title(figure, place - 0.42, theme.shortened(winner.group.label, 46))
    figure.update_yaxes(visible=False, range=[count - 0.5, -0.7])
    figure.update_xaxes(showgrid=True)
    if log:
        figure.update_xaxes(type="log", **theme.log_ticks(min(values), max(values)))
    figure.update_layout(legend={"y": -0.3 if count < 3 else -0.16})
    return figure
