"""The answers of a classifier over the plane of its two inputs, side by side for the strengths of a regularizer.

Shown is the mean of the seeds' probabilities, or one seed. Two numbers say what the picture shows. Agreement is the
share of the plane in which a seed answers as the mean does: where seeds disagree, the answer is luck. The length of the
boundary between answers is measured along the grid (a straight upright or level line has its true length, a
slanted one up to sqrt(2) times that), in units of the longer side of the plane: a rugged boundary is a long one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.export import sizes
from analysis.regularization.strengths import Strengths
from analysis.statistics import Difference, Interval, interval, number, plus_minus
from analysis.statistics.independent import gap, independent_rows
from tracking.schema import Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

Arrays = Mapping[str, Mapping[str, np.ndarray]]
"""The arrays of each run's REGIONS_FILE, by its id."""
MOST_POINTS: Final = 300
"""How many training examples are drawn."""


@dataclass(frozen=True)
class Region:
    """The plane at one strength."""

    strength: int
    probabilities: np.ndarray
    """(G, G, K), rows along y: the mean over seeds, or one seed's."""
    points: np.ndarray
    """(m, 2): training examples of the seed that is shown, or of the first one."""
    labels: np.ndarray
    """(m,): their classes."""
    lengths: Mapping[Any, float]
    """The length of the boundary by seed, or its mean by training set where several runs share one."""
    paired: bool
    """Whether these keys mean the same at every strength."""
    agreement: float
    """The mean share of the plane in which a seed answers as the mean of all does; nan for one seed."""
    seeds: int
    """How many runs there are."""

    @property
    def length(self) -> Interval:
        """The mean length of the boundary, and its 95 % t-interval."""
        return interval(self.lengths.values())


@dataclass(frozen=True)
class RegionsInfo:
    """The planes at all strengths; `plot_regions` draws one of them."""

    strengths: Strengths
    regions: list[Region]
    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    seed: int | None
    """The seed whose answers are shown; None for the mean over all."""
    seeds: tuple[int, ...]
    """The seeds that could be shown."""
    longer: Difference | None
    """The length of the boundary at the last strength minus that at the first; None for a single strength."""

    @property
    def empty(self) -> bool:
        """Whether there is no plane to show."""
        return not self.regions

    @property
    def problem(self) -> str:
        """Why nothing can be drawn, in plain text; empty where something can."""
        if not self.empty:
            return ""
        if self.seed is not None and self.seeds:
            return f"No run of seed {self.seed} left its regions."
        return (
            "None of these runs left what it answers where (regions.npz): classifications of two inputs do, such as"
            " moons, spirals or rings."
        )

    @property
    def sentence(self) -> str:
        """How the first and the last differ in their boundaries and the agreement of their seeds, in plain text."""
        if self.empty:
            return self.problem
        first, last = self.regions[0], self.regions[-1]
        if len(self.regions) < 2:
            name = self.strengths.name(first.strength)
            return f"{name}: the boundary of a seed is {plus_minus(first.length)} times as long as {self._side}."
        a, b = self.strengths.name(first.strength), self.strengths.name(last.strength)
        lengths = f"{number(first.length.mean, 3)} and {number(last.length.mean, 3)} times as long as {self._side}"
        gap = ""
        if self.longer is not None:
            change = self.longer.interval
            way = "shorter" if change.mean < 0 else "longer"
            chance = ", within the spread over seeds" if change.shown and not self.longer.excludes_zero else ""
            gap = f" ({plus_minus(change.size)} sides {way}{chance})" if change.mean else ""
        agree = ""
        if first.seeds > 1 and last.seeds > 1:
            agree = f", and a seed answers as the mean does in {_percent(first)} and {_percent(last)} of the plane"
        return f"With {a} and with {b} the boundary of a seed is on average {lengths}{gap}{agree}."

    @property
    def _side(self) -> str:
        """The unit of length."""
        wide, tall = (len(grid) * float(grid[1] - grid[0]) for grid in (self.x, self.y))
        return "a side of the square shown" if math.isclose(wide, tall) else "a side of the plane shown, the longer one"

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"Decision regions, a panel a value of {self.strengths.axis}"

    @property
    def interval(self) -> str:
        """Nothing: colours have no intervals."""
        return ""

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([region.length.n for region in self.regions], self.strengths.over.removesuffix("s"))

    @property
    def reading(self) -> str:
        """How to read the panels, in plain text."""
        what = "the mean of the seeds' probabilities" if self.seed is None else f"the probabilities of seed {self.seed}"
        n = f" ({self.n})" if self.seed is None else ""
        where = (
            "the line is probability 0.5" if len(self.classes) == 2 else "lines are where the likeliest class changes"
        )
        dots = "dots are training examples, in the colour of their label"
        return (
            f"Colour is {what}{n}, pale where unsure; {where}; {dots}. The length of a seed's boundary between its"
            f" answers is measured along the grid, in units of {self._side}. {self.strengths.choice}".strip()
        )

    def frame(self) -> pd.DataFrame:
        """One row per strength and seed: the length of the boundary, and the agreement of the strength's seeds."""
        rows = [
            {
                self.strengths.axis: self.strengths.levels[region.strength].value,
                self.strengths.over.removesuffix("s"): key,
                "boundary": length,
                "agreement": region.agreement,
            }
            for region in self.regions
            for key, length in region.lengths.items()
        ]
        return pd.DataFrame(rows)


def _percent(region: Region) -> str:
    return f"{number(100 * region.agreement, 3)}%"


def boundary_length(answers: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """The length of the lines between cells of different answers, in units of the longer side of the plane.

    Args:
        answers: (G, G): the class at each point of the grid, rows along y.
        x: (G,): ascending, evenly spaced.
        y: (G,): ascending, evenly spaced.
    """
    width, height = float(x[1] - x[0]), float(y[1] - y[0])  # of a cell
    vertical = float((answers[:, 1:] != answers[:, :-1]).sum()) * height
    horizontal = float((answers[1:] != answers[:-1]).sum()) * width
    # A grid of G points stands for G cells.
    return (vertical + horizontal) / max(len(x) * width, len(y) * height)


def _usable(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether a file holds all arrays, in shapes that fit each other."""
    if not all(name in arrays for name in ("x", "y", "probabilities", "points", "labels", "classes")):
        return False
    shape = arrays["probabilities"].shape
    fits = len(shape) == 3 and shape[:2] == (len(arrays["y"]), len(arrays["x"])) and min(shape) > 1
    return bool(fits and shape[2] == len(arrays["classes"]) and np.isfinite(arrays["probabilities"]).all())


def _same_plane(arrays: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    """Whether the answers of two runs are about the same plane and the same classes."""
    return all(np.array_equal(arrays[name], other[name]) for name in ("x", "y", "classes"))


def _region(place: int, members: pd.DataFrame, arrays: Arrays, seed: int | None) -> Region:
    runs = [str(run) for run in members["run_id"]]
    probabilities = [np.asarray(arrays[run]["probabilities"], dtype=float) for run in runs]
    mean = np.mean(probabilities, axis=0)
    answers, mean_answers = [of_run.argmax(axis=2) for of_run in probabilities], mean.argmax(axis=2)
    x, y = (np.asarray(arrays[runs[0]][name], dtype=float) for name in ("x", "y"))
    shown = members["seed"].tolist().index(seed) if seed is not None else 0
    first = arrays[runs[shown]]
    lengths, _, paired = independent_rows(
        members.assign(length=[boundary_length(answer, x, y) for answer in answers]), ["length"]
    )
    agreement = float(np.mean([(answer == mean_answers).mean() for answer in answers]))
    return Region(
        place,
        probabilities=probabilities[shown] if seed is not None else mean,
        points=np.asarray(first["points"], dtype=float)[:MOST_POINTS],
        labels=np.asarray(first["labels"], dtype=int)[:MOST_POINTS],
        lengths=lengths["length"].to_dict(),
        paired=paired,
        agreement=agreement if len(runs) > 1 else math.nan,
        seeds=len(runs),
    )


def _longer(regions: list[Region]) -> Difference | None:
    if len(regions) < 2:
        return None
    first, last = regions[0], regions[-1]
    return gap(last.lengths, first.lengths, first.paired and last.paired)


def regions_info(strengths: Strengths, arrays: Arrays, seed: int | None = None) -> RegionsInfo:
    """The planes at all strengths.

    Args:
        strengths: From `analysis.regularization.strengths.strengths`.
        arrays: The arrays of each run's REGIONS_FILE. Runs with another plane or other classes than the first are left
            out.
        seed: The seed whose answers to show; the mean over all seeds if not given.
    """
    usable = {run: content for run, content in arrays.items() if _usable(content)}
    runs = strengths.runs
    ok = runs[(runs["outcome"] == Outcome.OK) & runs["run_id"].isin(list(usable))]
    if not len(ok):
        return RegionsInfo(strengths, [], np.array([]), np.array([]), (), seed, (), None)
    pattern = usable[str(ok["run_id"].iloc[0])]
    ok = ok[[_same_plane(usable[str(run)], pattern) for run in ok["run_id"]]]
    seeds = tuple(sorted({int(of_run) for of_run in ok["seed"] if of_run >= 0}))
    regions = []
    for place in sorted(set(ok["level"])):
        members = ok[ok["level"] == place]
        if seed is None or seed in members["seed"].tolist():
            regions.append(_region(int(place), members, usable, seed))
    classes = tuple(str(name) for name in pattern["classes"])
    x, y = (np.asarray(pattern[name], dtype=float) for name in ("x", "y"))
    return RegionsInfo(strengths, regions, x, y, classes, seed, seeds, _longer(regions))


def class_colours(count: int, dark: bool) -> list[str]:
    """One colour per class; if there are more classes than colours, classes share them."""
    colours = theme.palette(dark)
    order = (0, 1, 2, 3, 5, 4, 6)
    return [colours[order[k % len(order)]] for k in range(count)]


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], dtype=float)


def shaded(probabilities: np.ndarray, dark: bool) -> np.ndarray:
    """(G, G, 3) uint8: the colours of the classes mixed by their probabilities, paler the less sure.

    Args:
        probabilities: (G, G, K)
        dark: Whether the page is dark.
    """
    count = probabilities.shape[2]
    colours = np.array([_rgb(colour) for colour in class_colours(count, dark)])
    sure = (probabilities.max(axis=2, keepdims=True) * count - 1) / max(1, count - 1)
    background = _rgb(theme.background(dark))
    # Half of the colour at most: the examples must stand out from it.
    strength = 0.08 + 0.47 * np.clip(sure, 0, 1)
    mixed = probabilities @ colours
    return np.asarray(np.clip(background + strength * (mixed - background), 0, 255).round(), dtype=np.uint8)


def plot_regions(info: RegionsInfo, place: int, *, dark: bool = False, height: int | None = None) -> go.Figure:
    """One strength's plane; the panels of an info share their axes and colours.

    Args:
        info: All of them.
        place: Of the strength among those shown.
        dark: Whether the page is dark.
        height: In pixels; as the plane asks for if not given.
    """
    import plotly.graph_objects as go

    region, ink = info.regions[place], theme.ink(dark)
    colours = class_colours(len(info.classes), dark)
    width, tall = float(info.x[1] - info.x[0]), float(info.y[1] - info.y[0])
    figure = go.Figure(
        go.Image(
            z=shaded(region.probabilities, dark), x0=float(info.x[0]), dx=width, y0=float(info.y[0]), dy=tall,
            hoverinfo="skip",
        )
    )  # fmt: skip
    likeliest, names = region.probabilities.argmax(axis=2), np.array([theme.plain(name) for name in info.classes])
    for k in range(len(info.classes)) if len(info.classes) > 2 else [1]:
        if not (likeliest == k).any() or (likeliest == k).all():
            continue
        rest = np.delete(region.probabilities, k, axis=2).max(axis=2)
        figure.add_contour(
            x=info.x, y=info.y, z=region.probabilities[:, :, k] - rest, showscale=False, hoverinfo="skip",
            showlegend=False,
            contours={"start": 0, "end": 0, "size": 1, "coloring": "none"}, line={"width": 1.6, "color": ink},
        )  # fmt: skip
    # A heat map without colour, for what a pointer reads.
    figure.add_heatmap(
        x=info.x, y=info.y, z=region.probabilities.max(axis=2), text=names[likeliest], opacity=0, showscale=False,
        hovertemplate="%{text}, probability %{z:.2f}<extra></extra>",
    )  # fmt: skip
    for k, name in enumerate(info.classes):
        examples = region.points[region.labels == k]
        figure.add_scatter(
            x=examples[:, 0], y=examples[:, 1], mode="markers", name=theme.plain(theme.shortened(f"class {name}", 20)),
            marker={
                "size": 4.5, "color": colours[k],
                "line": {"width": 0.7, "color": theme.background(dark)},
            },
            hovertemplate=f"{theme.plain(name)}<extra></extra>",
        )  # fmt: skip
    flat = len(info.y) * tall / (len(info.x) * width)
    figure.update_layout(**theme.layout(dark, x="", y="", height=height or 80 + round(280 * min(1.1, max(0.4, flat)))))
    agree = f", seeds agree in {_percent(region)}" if region.seeds > 1 else ""
    title = f"{info.strengths.name(region.strength)}{agree}"
    half = (width / 2, tall / 2)
    figure.update_xaxes(range=[info.x[0] - half[0], info.x[-1] + half[0]], constrain="domain", showgrid=False)
    figure.update_yaxes(
        range=[info.y[0] - half[1], info.y[-1] + half[1]], autorange=False, constrain="domain", showgrid=False,
        scaleanchor="x", scaleratio=1, constraintoward="top",
    )  # fmt: skip
    figure.update_layout(
        margin={"t": 26}, legend={"y": -0.12, "itemsizing": "constant"},
        title={"text": theme.plain(theme.shortened(title, 44)), "font": {"size": 13}, "x": 0, "y": 0.985},
    )  # fmt: skip
    return figure
