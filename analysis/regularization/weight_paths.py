"""What a regularizer does to the weights: layer norms, near-zero share and effective rank against its strength.

Of each run's last epoch, by layer (a layer a weight). The norm is Euclidean; near zero is |w| < NEAR_ZERO; the
effective rank is exp of the entropy of the weight's normalised singular values (Roy and Vetterli 2007): the number of
directions that the layer uses, from 1 to the smaller of its sides. L2 shrinks norms, L1 makes zeros.
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
from analysis.figures.value_axis import log_range
from analysis.regularization.strengths import Strengths, ramp, strength_axis
from analysis.statistics import Difference, Interval, interval, number, plus_minus
from analysis.statistics.independent import gap, independent, units
from tracking.schema import NEAR_ZERO, Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

Arrays = Mapping[str, Mapping[str, np.ndarray]]
"""Run -> the arrays of its LAYERS_FILE."""
MEASURES: Final[dict[str, str]] = {
    "weight_norm": "weight norm", "near_zero": f"share of |w| < {NEAR_ZERO:g}", "effective_rank": "effective rank",
}  # fmt: skip
"""What is read of each layer -> what it is called."""


@dataclass(frozen=True)
class Cell:
    """One layer at one strength."""

    strength: int
    layer: str
    values: Mapping[str, Mapping[str, float]]
    """Measure -> run -> its value."""
    sets: Mapping[str, int]
    """Run -> its training set, by its seed; -1 where it is not known."""

    def interval(self, measure: str) -> Interval:
        """The mean, and its 95 % t-interval."""
        own = self.values[measure]
        return interval(independent(own.values(), [self.sets[run] for run in own]))


@dataclass(frozen=True)
class PathInfo:
    """What `plot_paths` draws."""

    strengths: Strengths
    layers: tuple[str, ...]
    """From input to output."""
    cells: list[Cell]
    changes: Mapping[str, tuple[Interval, Interval, Difference]]
    """Measure -> the whole network's without regularization, at the strongest, and the second minus the first."""
    strongest: int | None
    left_out: int
    """Runs that ended ok and have no such arrays."""

    @property
    def empty(self) -> bool:
        """Whether no run left anything of its layers."""
        return not self.cells

    @property
    def problem(self) -> str:
        """What is missing, in plain text; nothing where there is something to draw."""
        if not self.empty:
            return ""
        return (
            "None of these runs left what its layers weigh (layers.npz): runs of this version's own models do, and"
            " those that ended before it do not."
        )

    def of(self, layer: str) -> list[Cell]:
        """A layer along the strengths."""
        return [cell for cell in self.cells if cell.layer == layer]

    @property
    def sentence(self) -> str:
        """What the strongest does to the whole network against none, in plain text."""
        none = self.strengths.none
        if self.empty:
            return self.problem
        if none is None or self.strongest is None or not self.changes:
            return "There are not two strengths whose weights could be compared."
        said = [f"{MEASURES[measure]} from {_change(*change)}" for measure, change in self.changes.items()]
        return f"From {self.strengths.name(none)} to {self.strengths.name(self.strongest)}: {'; '.join(said)}."

    @property
    def band(self) -> str:
        """What the bars are; nothing where none is drawn."""
        counts = sorted({cell.interval("weight_norm").n for cell in self.cells if cell.interval("weight_norm").shown})
        if not counts:
            return ""
        return f"95% t-interval, n={counts[0]}" + (f" to {counts[-1]}" if counts[-1] > counts[0] else "")

    @property
    def shows(self) -> str:
        """What is to be seen, for a caption."""
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
        """One row a run and layer: strength, layer, run, and a column a measure."""
        rows = [
            {self.strengths.axis: self.strengths.levels[cell.strength].value, "layer": cell.layer, "run": run}
            | {MEASURES[measure]: cell.values[measure].get(run, math.nan) for measure in MEASURES}
            for cell in self.cells
            for run in cell.values["weight_norm"]
        ]
        return pd.DataFrame(rows)


def _change(first: Interval, last: Interval, gap: Difference) -> str:
    """`12.1 to 3.4 (8.7 ± 0.2 lower)`."""
    found = gap.interval
    if found.mean == 0:
        return f"{number(first.mean, 3)} to the same"
    way = "lower" if found.mean < 0 else "higher"
    chance = ", within the spread over seeds" if found.shown and not gap.excludes_zero else ""
    return f"{number(first.mean, 3)} to {number(last.mean, 3)} ({plus_minus(found.size)} {way}{chance})"


def _mean(values: np.ndarray) -> float:
    """Of those that are known; nan of none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def whole_network(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The measures of all weights of a run together; of the effective rank, the mean over its layers.

    Args:
        arrays: Those of LAYERS_FILE.
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
    """Measure -> (L,) at the last epoch; None where the file holds something else."""
    needed = ("names", "weight_norm", "near_zero", "effective_rank", "histogram")
    if not all(name in arrays for name in needed) or not np.size(arrays["weight_norm"]):
        return None
    found = {measure: np.asarray(arrays[measure], dtype=float) for measure in MEASURES}
    found["weight_norm"] = found["weight_norm"][-1]
    # Of a very large weight no rank is told.
    told = np.isfinite(found["weight_norm"]).all() and np.isfinite(found["near_zero"]).all()
    return found if told and all(own.shape == arrays["names"].shape for own in found.values()) else None


def _cells(own: Strengths, layers: Arrays) -> list[Cell]:
    found: dict[tuple[int, str], dict[str, dict[str, float]]] = {}
    sets = dict(zip(own.runs["run_id"], own.sets, strict=True))
    for run, level in zip(own.runs["run_id"], own.runs["level"], strict=True):
        last = _last(layers[run]) if run in layers else None
        if last is None:
            continue
        for place, layer in enumerate(layers[run]["names"].tolist()):
            cell = found.setdefault((int(level), str(layer)), {measure: {} for measure in MEASURES})
            for measure in MEASURES:
                if math.isfinite(last[measure][place]):
                    cell[measure][run] = float(last[measure][place])
    ordered = sorted(found.items(), key=lambda item: item[0][0])
    return [Cell(level, layer, values, sets) for (level, layer), values in ordered]


def _whole(own: Strengths, place: int, layers: Arrays) -> tuple[pd.DataFrame, bool]:
    """The measures of whole networks at one strength, a row an independent value; and whether rows can be paired."""
    members = own.members(place)
    members = members[members["run_id"].isin(list(layers))]
    seeds = members[[column for column in ("seed", "seed_data") if column in members]]
    each = pd.DataFrame([whole_network(layers[run]) for run in members["run_id"]], index=members.index)
    found, _, paired = units(seeds.join(each), list(MEASURES))
    return found, paired


def _changes(own: Strengths, first: int, last: int, layers: Arrays) -> dict[str, tuple[Interval, Interval, Difference]]:
    (a, paired), (b, also) = _whole(own, first, layers), _whole(own, last, layers)
    found = {}
    for measure in MEASURES:
        before, after = a[measure].dropna().to_dict(), b[measure].dropna().to_dict()
        if before and after:
            change = gap(after, before, paired and also)
            found[measure] = (interval(before.values()), interval(after.values()), change)
    return found


def path_info(own: Strengths, layers: Arrays) -> PathInfo:
    """The layers along the strengths.

    Args:
        own: From `analysis.regularization.strengths.strengths`.
        layers: Run -> the arrays of LAYERS_FILE.
    """
    usable = {run: arrays for run, arrays in layers.items() if _last(arrays) is not None}
    ok = own.runs[own.runs["outcome"] == Outcome.OK]
    cells = _cells(own, usable)
    names = dict.fromkeys(str(name) for run in ok["run_id"] if run in usable for name in usable[run]["names"].tolist())
    levels = sorted({cell.strength for cell in cells})
    rest = [place for place in levels if place != own.none and own.levels[place].value is not None]
    strongest = None
    if rest:
        # Of epochs and the like the strongest is the smallest, which then stands at the other end than none.
        strongest = rest[-1] if own.none is None or own.none <= rest[0] else rest[0]
    changes = {}
    if own.none in levels and strongest is not None:
        changes = _changes(own, int(own.none or 0), strongest, usable)
    left_out = int((~ok["run_id"].isin(list(usable))).sum())
    return PathInfo(own, tuple(names), cells, changes, strongest, left_out)


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
    for row, (measure, named) in enumerate(MEASURES.items(), start=1):
        means: list[float] = []
        for k, layer in enumerate(shown):
            own = info.of(layer)
            found = [cell.interval(measure) for cell in own]
            means += [each.mean for each in found]
            # Side by side, so that the bars of two layers can be told apart.
            beside = (k - (len(shown) - 1) / 2) * min(0.04, 0.3 / max(1, len(shown))) * places.step
            x = [float(places.x[cell.strength]) + beside for cell in own]
            name = theme.plain(theme.shortened(layer, 30))
            figure.add_scatter(
                x=[at for at, cell in zip(x, own, strict=True) for _ in cell.values[measure]],
                y=[value for cell in own for value in cell.values[measure].values()],
                mode="markers", marker={"size": 4, "color": theme.translucent(colours[layer], 0.4)},
                showlegend=False, hoverinfo="skip", legendgroup=layer, row=row, col=1,
            )  # fmt: skip
            figure.add_scatter(
                x=x, y=[each.mean for each in found], mode="lines+markers", name=name, legendgroup=layer,
                showlegend=row == 1, line={"width": 1.8, "color": colours[layer]},
                marker={"size": 7, "color": colours[layer]},
                error_y={
                    "type": "data", "array": [each.half if each.shown else 0.0 for each in found],
                    "color": colours[layer], "thickness": 1.4, "width": 0,
                },
                text=[theme.plain(info.strengths.name(cell.strength)) for cell in own],
                customdata=[f"{plus_minus(each)} (n={each.n})" for each in found],
                hovertemplate=f"<b>{name}</b><br>%{{text}}: %{{customdata}}<extra></extra>", row=row, col=1,
            )  # fmt: skip
        axes = theme.layout(dark, x=info.strengths.axis if row == 3 else "", y=named)
        suffix = "" if row == 1 else f"{row}"
        figure.update_layout({f"xaxis{suffix}": axes["xaxis"], f"yaxis{suffix}": axes["yaxis"]})
        strength_axis(figure, places, dark=dark, row=row)
        figure.update_xaxes(showticklabels=row == 3, row=row, col=1)
        if measure == "near_zero":
            figure.update_yaxes(range=[-0.03, max([*means, 0.1]) * 1.1], row=row, col=1)
        elif log_range(means):
            figure.update_yaxes(type="log", **theme.log_ticks(min(means), max(means)), row=row, col=1)
        else:
            figure.update_yaxes(rangemode="tozero", row=row, col=1)
    figure.update_layout(legend={"y": -0.11})
    return figure
