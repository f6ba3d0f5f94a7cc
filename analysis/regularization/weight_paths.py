"""What a regularizer does to the weights: layer norms, near-zero share and effective rank over its strength.

The measures are those of each run's last epoch, by layer (one layer per weight). The norm is Euclidean; near zero is
|w| < NEAR_ZERO; the effective rank is exp of the entropy of the weight's normalised singular values (Roy and Vetterli
2007): the number of directions that the layer uses, from 1 to the smaller of its sides. L2 shrinks norms, L1 makes
zeros.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.export import sizes
from analysis.figures.traces import error_bars, halves, mean_line, seed_dots
from analysis.figures.value_axis import log_range
from analysis.regularization.strengths import Strengths, ramp, strength_axis
from analysis.statistics import Difference, Interval, interval, number, plus_minus
from analysis.statistics.independent import gap, independent, independent_rows
from tracking.schema import NEAR_ZERO, Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

Arrays = Mapping[str, Mapping[str, np.ndarray]]
"""The arrays of each run's LAYERS_FILE, by its id."""
MEASURES: Final[dict[str, str]] = {
    "weight_norm": "weight norm",
    "near_zero": f"share of |w| < {NEAR_ZERO:g}",
    "effective_rank": "effective rank",
}
"""The measures of a layer: the array that holds each one, and its name."""


@dataclass(frozen=True)
class Cell:
    """One layer at one strength."""

    strength: int
    layer: str
    values: Mapping[str, Mapping[str, float]]
    """The value of each run, for each measure."""
    sets: Mapping[str, int]
    """The training set of each run, by its seed; -1 where it is not known."""

    def interval(self, measure: str) -> Interval:
        """The mean of a measure, and its 95 % t-interval."""
        by_run = self.values[measure]
        return interval(independent(by_run.values(), [self.sets[run] for run in by_run]))


@dataclass(frozen=True)
class PathInfo:
    """The layers at all strengths, as `plot_paths` draws them."""

    strengths: Strengths
    layers: tuple[str, ...]
    """From input to output."""
    cells: list[Cell]
    changes: Mapping[str, tuple[Interval, Interval, Difference]]
    """For each measure, the whole network's value without regularization, at the strongest, and their difference."""
    strongest: int | None
    left_out: int
    """How many runs ended ok and have no such arrays."""

    @property
    def empty(self) -> bool:
        """Whether no run left measures of its layers."""
        return not self.cells

    @property
    def problem(self) -> str:
        """Why nothing can be drawn, in plain text; empty where something can."""
        if not self.empty:
            return ""
        return (
            "None of these runs left what its layers weigh (layers.npz): runs of this version's own models do, and"
            " those that ended before it do not."
        )

    def of(self, layer: str) -> list[Cell]:
        """A layer at all strengths."""
        return [cell for cell in self.cells if cell.layer == layer]

    @property
    def sentence(self) -> str:
        """How the strongest changes the whole network against none, in plain text."""
        none = self.strengths.none
        if self.empty:
            return self.problem
        if none is None or self.strongest is None or not self.changes:
            return "There are not two strengths whose weights could be compared."
        clauses = [f"{MEASURES[measure]} from {_change(*change)}" for measure, change in self.changes.items()]
        return f"From {self.strengths.name(none)} to {self.strengths.name(self.strongest)}: {'; '.join(clauses)}."

    @property
    def band(self) -> str:
        """The name of the bars; empty where none is drawn."""
        counts = sorted({cell.interval("weight_norm").n for cell in self.cells if cell.interval("weight_norm").shown})
        if not counts:
            return ""
        return f"95% t-interval, n={counts[0]}" + (f" to {counts[-1]}" if counts[-1] > counts[0] else "")

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"Weight norm, share of weights near zero and effective rank of the layers against {self.strengths.axis}"

    @property
    def interval(self) -> str:
        """The kind of the bars; nothing where none is drawn."""
        return self.band

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([cell.interval("weight_norm").n for cell in self.cells], self.strengths.over.removesuffix("s"))

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        bars = f"bars the {self.band}" if self.band else "below three seeds no interval is drawn"
        words = [f"A colour a layer, means at the last epoch, {bars}."]
        words += ["The sentence above is of all weights together; of the effective rank, of the mean over layers."]
        words += [f"{self.left_out} runs left nothing of their layers."] if self.left_out else []
        return " ".join(filter(None, [*words, self.strengths.choice]))

    def frame(self) -> pd.DataFrame:
        """One row per run and layer: strength, layer, run, and one column per measure."""
        rows = [
            {self.strengths.axis: self.strengths.levels[cell.strength].value, "layer": cell.layer, "run": run}
            | {MEASURES[measure]: cell.values[measure].get(run, math.nan) for measure in MEASURES}
            for cell in self.cells
            for run in cell.values["weight_norm"]
        ]
        return pd.DataFrame(rows)


def _change(first: Interval, last: Interval, gap: Difference) -> str:
    """`12.1 to 3.4 (8.7 ± 0.2 lower)`."""
    size = gap.interval
    if size.mean == 0:
        return f"{number(first.mean, 3)} to the same"
    way = "lower" if size.mean < 0 else "higher"
    chance = ", within the spread over seeds" if size.shown and not gap.excludes_zero else ""
    return f"{number(first.mean, 3)} to {number(last.mean, 3)} ({plus_minus(size.size)} {way}{chance})"


def _mean(values: np.ndarray) -> float:
    """The mean of the finite values; nan without any."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def whole_network(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The measures of all weights of a run together; for the effective rank, the mean over its layers.

    Args:
        arrays: The arrays of the run's LAYERS_FILE.
    """
    norms = np.asarray(arrays["weight_norm"], dtype=float)[-1]
    # A layer's share counts by its number of weights, which its histogram knows.
    counts = np.asarray(arrays["histogram"], dtype=float).sum(axis=1)
    shares = np.asarray(arrays["near_zero"], dtype=float)
    return {
        "weight_norm": float(np.sqrt((norms**2).sum())),
        "near_zero": float((shares * counts).sum() / counts.sum()) if counts.sum() else math.nan,
        "effective_rank": _mean(np.asarray(arrays["effective_rank"], dtype=float)),
    }


def _last(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """Each measure at the last epoch, (L,); None where the file has not all of them."""
    needed = ("names", "weight_norm", "near_zero", "effective_rank", "histogram")
    if not all(name in arrays for name in needed) or not np.size(arrays["weight_norm"]):
        return None
    last = {measure: np.asarray(arrays[measure], dtype=float) for measure in MEASURES}
    last["weight_norm"] = last["weight_norm"][-1]
    # The rank of a very large weight is not measured.
    finite = np.isfinite(last["weight_norm"]).all() and np.isfinite(last["near_zero"]).all()
    return last if finite and all(values.shape == arrays["names"].shape for values in last.values()) else None


def _cells(strengths: Strengths, layers: Arrays) -> list[Cell]:
    by_cell: dict[tuple[int, str], dict[str, dict[str, float]]] = {}
    sets = dict(zip(strengths.runs["run_id"], strengths.sets, strict=True))
    for run, level in zip(strengths.runs["run_id"], strengths.runs["level"], strict=True):
        last = _last(layers[run]) if run in layers else None
        if last is None:
            continue
        for place, layer in enumerate(layers[run]["names"].tolist()):
            cell = by_cell.setdefault((int(level), str(layer)), {measure: {} for measure in MEASURES})
            for measure in MEASURES:
                if math.isfinite(last[measure][place]):
                    cell[measure][run] = float(last[measure][place])
    ordered = sorted(by_cell.items(), key=lambda item: item[0][0])
    return [Cell(level, layer, values, sets) for (level, layer), values in ordered]


def _whole(strengths: Strengths, place: int, layers: Arrays) -> tuple[pd.DataFrame, bool]:
    """The measures of whole networks at one strength, one row per seed or training set; whether these can be paired."""
    members = strengths.members(place)
    members = members[members["run_id"].isin(list(layers))]
    seeds = members[[column for column in ("seed", "seed_data") if column in members]]
    measured = pd.DataFrame([whole_network(layers[run]) for run in members["run_id"]], index=members.index)
    rows, _, can_pair = independent_rows(seeds.join(measured), list(MEASURES))
    return rows, can_pair


def _changes(
    strengths: Strengths, first: int, last: int, layers: Arrays
) -> dict[str, tuple[Interval, Interval, Difference]]:
    """For each measure, the value of whole networks at two strengths and their difference."""
    (first_rows, first_pairs), (last_rows, last_pairs) = (_whole(strengths, at, layers) for at in (first, last))
    changes = {}
    for measure in MEASURES:
        before, after = first_rows[measure].dropna().to_dict(), last_rows[measure].dropna().to_dict()
        if before and after:
            change = gap(after, before, first_pairs and last_pairs)
            changes[measure] = (interval(before.values()), interval(after.values()), change)
    return changes


def path_info(strengths: Strengths, layers: Arrays) -> PathInfo:
    """The layers at all strengths, and the change from none to the strongest.

    Args:
        strengths: From `analysis.regularization.strengths.strengths`.
        layers: The arrays of each run's LAYERS_FILE.
    """
    usable = {run: arrays for run, arrays in layers.items() if _last(arrays) is not None}
    ok = strengths.runs[strengths.runs["outcome"] == Outcome.OK]
    cells = _cells(strengths, usable)
    none = strengths.none
    names = dict.fromkeys(str(name) for run in ok["run_id"] if run in usable for name in usable[run]["names"].tolist())
    levels = sorted({cell.strength for cell in cells})
    rest = [place for place in levels if place != none and strengths.levels[place].value is not None]
    strongest = None
    if rest:
        # The strongest number of epochs is the smallest: it stands at the other end than none.
        strongest = rest[-1] if none is None or none <= rest[0] else rest[0]
    changes = {}
    if none is not None and none in levels and strongest is not None:
        changes = _changes(strengths, none, strongest, usable)
    left_out = int((~ok["run_id"].isin(list(usable))).sum())
    return PathInfo(strengths, tuple(names), cells, changes, strongest, left_out)


def _draw_layer(
    figure: go.Figure, info: PathInfo, layer: str, measure: str, colour: str, *, beside: float, row: int
) -> None:
    """The runs of a layer as dots, their means joined by a line."""
    cells = info.of(layer)
    intervals = [cell.interval(measure) for cell in cells]
    x = [float(info.strengths.places.x[cell.strength]) + beside for cell in cells]
    name = theme.plain(theme.shortened(layer, 30))
    seed_dots(
        figure,
        [place for place, cell in zip(x, cells, strict=True) for _ in cell.values[measure]],
        [value for cell in cells for value in cell.values[measure].values()],
        colour,
        size=4,
        opacity=0.4,
        hoverinfo="skip",
        legendgroup=layer,
        row=row,
        col=1,
    )
    mean_line(
        figure,
        x,
        [interval.mean for interval in intervals],
        colour,
        width=1.8,
        size=7,
        error_y=error_bars(halves(intervals), colour=colour, thickness=1.4),
        name=name,
        legendgroup=layer,
        showlegend=row == 1,
        text=[theme.plain(info.strengths.name(cell.strength)) for cell in cells],
        customdata=[f"{plus_minus(interval)} (n={interval.n})" for interval in intervals],
        hovertemplate=f"<b>{name}</b><br>%{{text}}: %{{customdata}}<extra></extra>",
        row=row,
        col=1,
    )


def plot_paths(
    info: PathInfo, *, layers: Sequence[str] | None = None, dark: bool = False, height: int = 640
) -> go.Figure:
    """Three panels above each other that share the strengths: norm, share near zero, effective rank.

    Args:
        info: What to draw.
        layers: Of these layers; of all if not given.
        dark: Whether the page is dark.
        height: In pixels.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.055)
    figure.update_layout(**theme.layout(dark, x="", y="", height=height))
    places, colours = info.strengths.places, dict(zip(info.layers, ramp(len(info.layers), dark), strict=True))
    shown = [layer for layer in info.layers if layers is None or layer in layers]
    # Side by side, so that the bars of two layers can be told apart.
    apart = min(0.04, 0.3 / max(1, len(shown))) * places.step
    for row, (measure, name) in enumerate(MEASURES.items(), start=1):
        for k, layer in enumerate(shown):
            beside = (k - (len(shown) - 1) / 2) * apart
            _draw_layer(figure, info, layer, measure, colours[layer], beside=beside, row=row)
        axes = theme.layout(dark, x=info.strengths.axis if row == 3 else "", y=name)
        suffix = "" if row == 1 else f"{row}"
        figure.update_layout({f"xaxis{suffix}": axes["xaxis"], f"yaxis{suffix}": axes["yaxis"]})
        strength_axis(figure, places, dark=dark, row=row)
        figure.update_xaxes(showticklabels=row == 3, row=row, col=1)
        means = [cell.interval(measure).mean for layer in shown for cell in info.of(layer)]
        if measure == "near_zero":
            figure.update_yaxes(range=[-0.03, max([*means, 0.1]) * 1.1], row=row, col=1)
        elif log_range(means):
            figure.update_yaxes(type="log", **theme.log_ticks(min(means), max(means)), row=row, col=1)
        else:
            figure.update_yaxes(rangemode="tozero", row=row, col=1)
    figure.update_layout(legend={"y": -0.11})
    return figure
