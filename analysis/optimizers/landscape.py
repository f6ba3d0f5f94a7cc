"""The loss about the weights that a run ended at, with the trajectory that led there: along two random directions, and
along the trajectory's principal components beside what a random walk shows.

The numbers are computed where the run is trained (`sweeps.training.landscape`, after Li et al. 2018); here they are
read and drawn. The components of any trajectory explain much: those of a random walk with many steps in many
dimensions 6 / (π² k²) of its variance, 61% and 15% (Antognini and Sohl-Dickstein 2018). So they are never shown without
the shares of random walks of the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.colour_scale import colour_scale
from analysis.statistics import number

if TYPE_CHECKING:
    import plotly.graph_objects as go

RANDOM, PCA = "random", "pca"
LIMIT: Final = tuple(6 / (math.pi * k) ** 2 for k in (1, 2))
"""The shares of the first two components of a random walk, in the limit of many steps and dimensions."""
LOG_FROM: Final = 5.0
"""Colours go by the logarithm of the loss where the highest is more than so many times the lowest."""
APART: Final = 0.09
"""Epochs are written beside points that lie at least so far apart, as a share of the figure's side."""
DOT: Final = 0.03
"""A trajectory that takes up no more of the figure's side cannot be made out in it."""


@dataclass(frozen=True)
class Plane:
    """The loss on a square grid in a plane through the end of the trajectory."""

    x: np.ndarray
    y: np.ndarray
    loss: np.ndarray
    """(y, x)"""
    path: np.ndarray
    """(T, 2): the points of the plane nearest to those of the trajectory, which ends at 0, 0."""
    outside: float
    """The share of the trajectory, Σ‖point - end‖², that lies outside the plane."""

    @property
    def log(self) -> bool:
        """Whether colours go by the logarithm."""
        low, high = self.range
        return low > 0 and high > LOG_FROM * low

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest loss that is finite; nan without one."""
        finite = self.loss[np.isfinite(self.loss)]
        return (float(finite.min()), float(finite.max())) if len(finite) else (math.nan, math.nan)

    @property
    def overflown(self) -> int:
        """How many points of the grid have no finite loss."""
        return int((~np.isfinite(self.loss)).sum())


@dataclass(frozen=True)
class Walks:
    """What random walks of the same steps explain."""

    median: tuple[float, float]
    low: tuple[float, float]
    """The 2.5% quantiles."""
    high: tuple[float, float]
    """The 97.5% quantiles."""
    together: tuple[float, float]
    """The low and the high quantile of the sum of both shares."""
    count: int


@dataclass(frozen=True)
class LandscapeInfo:
    """What `plot_landscape` draws."""

    epochs: np.ndarray
    """(T,) of the points of the way; 0 before training."""
    losses: np.ndarray
    """(T,) of the whole network at these epochs, not of the plane below them."""
    planes: dict[str, Plane]
    """RANDOM and PCA -> their planes; without the second where the trajectory has no two components."""
    shares: tuple[float, float]
    """The shares of the trajectory's variance that the two components explain; nan without them."""
    walks: Walks | None
    weights: int
    """How many weights moved: the dimension of the space."""
    loss_of: str
    reproduced: bool
    difference: str
    """How the run that was trained for this differs from the one that was recorded, in a sentence."""
    seconds: float
    """What it took to compute."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.planes

    @property
    def problem(self) -> str:
        """What is missing, in plain text; nothing where there is something to draw."""
        return "The loss landscape of this run has not been computed." if self.empty else ""

    @property
    def warning(self) -> str:
        """What keeps the figure from being of the very run, in plain text; mostly nothing."""
        return f"{self.difference} The landscape is that of the run as it was trained again." if self.difference else ""

    @property
    def steps(self) -> int:
        """How many steps the trajectory has, from one point to the next."""
        return len(self.epochs) - 1

    @property
    def verdict(self) -> int:
        """Whether both components together explain more (1), less (-1) or no other share (0) than random walks do."""
        if self.walks is None:
            return 0
        both, (low, high) = sum(self.shares), self.walks.together
        return (both > high) - (both < low)

    def sentence(self, view: str) -> str:
        """What a view shows and how it is to be read, in plain text."""
        plane = self.planes.get(view)
        if plane is None:
            few = "This run has no principal components: its weights moved less than twice, or along one line."
            return self.problem or few
        lost = f" At {plane.overflown:,} points, left empty, the loss is not finite." if plane.overflown else ""
        small = ", here no more than a dot" if np.ptp(plane.path, axis=0).max() < DOT * np.ptp(plane.x) else ""
        share = _percent(plane.outside).capitalize()
        off = f"{share} of the way trained lies outside this plane; the line is its shadow{small}."
        if view == RANDOM:
            return (
                f"{self.loss_of} on {len(plane.x)} x {len(plane.y)} points about the weights of epoch"
                f" {self.epochs[-1]}, along two random directions: a step of 1 changes each row of weights by its own"
                f" size. {off}{lost}"
            )
        return f"{self.loss_of} along the two principal components of the way. {self._beside_noise} {off}{lost}"

    @property
    def _beside_noise(self) -> str:
        walks = self.walks
        if walks is None:
            return ""
        first, second = map(_percent, self.shares)
        noise = " and ".join(
            f"{_percent(middle)} ({_percent(low)} to {_percent(high)})"
            for middle, low, high in zip(walks.median, walks.low, walks.high, strict=True)
        )
        meaning = {
            1: "so this way is straighter than noise",
            0: "so noise alone would look like this",
            -1: "so this way turns more than noise does",
        }[self.verdict]
        limit = f"{_percent(LIMIT[0])} and {_percent(LIMIT[1])}"
        return (
            f"They explain {first} and {second} of its variance; random walks of the same {self.steps} steps in"
            f" {self.weights:,} dimensions {noise} (median and 95% range of {walks.count}; {limit} in the limit of"
            f" many), {meaning}."
        )

    def frame(self, view: str) -> pd.DataFrame:
        """What a view is drawn from: the points of the grid, then those of the way, with the loss of the network."""
        plane = self.planes[view]
        x, y = np.meshgrid(plane.x, plane.y)
        grid = pd.DataFrame({"what": "grid", "epoch": None, "x": x.ravel(), "y": y.ravel(), "loss": plane.loss.ravel()})
        way = pd.DataFrame(
            {"what": "way", "epoch": self.epochs, "x": plane.path[:, 0], "y": plane.path[:, 1], "loss": self.losses}
        )
        return pd.concat([grid.astype({"epoch": "Int64"}), way.astype({"epoch": "Int64"})], ignore_index=True)


def _percent(share: float) -> str:
    """`61%`, `0.7%`, `more than 99.9%`."""
    if 0.9995 <= share < 1:
        return "more than 99.9%"
    return f"{100 * share:.2g}%" if share < 0.99 else f"{100 * share:.3g}%"


def _plane(arrays: Mapping[str, np.ndarray], view: str) -> Plane | None:
    names = ("x", "y", "loss", "path", "outside")
    if any(f"{view}_{name}" not in arrays for name in names):
        return None
    x, y, loss, path, outside = (np.asarray(arrays[f"{view}_{name}"], dtype=float) for name in names)
    fits = loss.shape == (len(y), len(x)) and path.shape == (len(arrays["epochs"]), 2) and len(x) > 1
    return Plane(x, y, loss, path, float(outside)) if fits and np.isfinite(path).all() else None


def _walks(shares: np.ndarray) -> Walks:
    low, median, high = np.quantile(shares, [0.025, 0.5, 0.975], axis=0)
    both = np.quantile(shares.sum(axis=1), [0.025, 0.975])
    first, second, third, ends = (tuple(float(value) for value in row) for row in (median, low, high, both))
    return Walks(first, second, third, ends, len(shares))  # type: ignore[arg-type]


def landscape_info(arrays: Mapping[str, np.ndarray] | None) -> LandscapeInfo:
    """The landscape of a run.

    Args:
        arrays: Those of LANDSCAPE_FILE (see `sweeps.training.landscape`); nothing where it has not been computed.
    """
    if not arrays or "epochs" not in arrays or "losses" not in arrays:
        none = np.array([])
        return LandscapeInfo(
            epochs=none,
            losses=none,
            planes={},
            shares=(math.nan, math.nan),
            walks=None,
            weights=0,
            loss_of="",
            reproduced=False,
            difference="",
            seconds=math.nan,
        )
    views = {view: plane for view in (RANDOM, PCA) if (plane := _plane(arrays, view)) is not None}
    compared = PCA in views and {"pca_shares", "null_shares"} <= set(arrays) and len(arrays["null_shares"]) > 0
    if not compared:
        views.pop(PCA, None)  # never without what noise would show
    first, second = (float(share) for share in arrays["pca_shares"]) if compared else (math.nan, math.nan)
    return LandscapeInfo(
        epochs=np.asarray(arrays["epochs"], dtype=int),
        losses=np.asarray(arrays["losses"], dtype=float),
        planes=views,
        shares=(first, second),
        walks=_walks(np.asarray(arrays["null_shares"], dtype=float)) if compared else None,
        weights=int(arrays["weights"]),
        loss_of=str(arrays["loss_of"]),
        reproduced=bool(arrays["reproduced"]),
        difference=str(arrays["problem"]),
        seconds=float(np.sum(arrays["seconds"])),
    )


def _labelled(plane: Plane) -> list[int]:
    """The points that have room for their epoch: the end first, the start, then from there on."""
    least = APART * float(plane.x[-1] - plane.x[0])
    chosen: list[int] = []
    for place in [len(plane.path) - 1, *range(len(plane.path) - 1)]:
        gaps = [math.dist(plane.path[place], plane.path[other]) for other in chosen]
        if all(gap >= least for gap in gaps):
            chosen.append(place)
    return chosen


def _draw_trajectory(figure: go.Figure, info: LandscapeInfo, plane: Plane, dark: bool) -> None:
    ink, ground = theme.ink(dark), theme.background(dark)
    texts = [
        f"{'before training' if epoch == 0 else f'epoch {epoch}'}<br>the network's own loss {number(loss)}"
        for epoch, loss in zip(info.epochs, info.losses, strict=True)
    ]
    x, y = plane.path.T
    hover = {"text": texts, "hovertemplate": "%{text}<extra></extra>"}
    # A line in the colour of the page beneath it, so that it stands out on every shade.
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"width": 4, "color": ground},
        hoverinfo="skip",
        showlegend=False,
        name="",
    )
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines+markers",
        line={"width": 1.6, "color": ink},
        name="way trained",
        **hover,
        marker={"size": 4.5, "color": ink},
    )
    for place, name, symbol in ((0, "before training", "circle"), (-1, f"epoch {info.epochs[-1]}", "star")):
        figure.add_scatter(
            x=x[[place]],
            y=y[[place]],
            mode="markers",
            name=name,
            text=[texts[place]],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "size": 13 if symbol == "star" else 10,
                "symbol": symbol,
                "color": theme.palette(dark)[1],
                "line": {"width": 1.4, "color": ink},
            },
        )
    for place in _labelled(plane):
        figure.add_annotation(
            x=x[place],
            y=y[place],
            text=str(info.epochs[place]),
            showarrow=False,
            yshift=13,
            font={"size": 11, "color": ink},
            bgcolor=theme.translucent(ground, 0.65),
            borderpad=1,
        )


def plot_landscape(info: LandscapeInfo, view: str = RANDOM, *, dark: bool = False, height: int = 460) -> go.Figure:
    """The loss on one plane as filled contours, with the trajectory of training.

    Args:
        info: From `landscape_info`.
        view: RANDOM or PCA; it must be among the info's planes.
        dark: Whether the page is dark.
        height: In pixels.
    """
    import plotly.graph_objects as go

    plane = info.planes[view]
    names = ["random direction 1, in sizes of the weights", "random direction 2"]
    if view == PCA:
        names = [f"component {k + 1}: {_percent(share)} of the variance" for k, share in enumerate(info.shares)]
    figure = go.Figure()
    figure.update_layout(**theme.layout(dark, x=names[0], y=names[1], height=height))
    finite = np.where(np.isfinite(plane.loss), plane.loss, np.nan)
    texts = [[number(loss) for loss in row] for row in plane.loss]
    figure.add_contour(
        x=plane.x,
        y=plane.y,
        z=np.log10(finite) if plane.log else finite,
        ncontours=18,
        connectgaps=False,
        line={"width": 0.5, "color": "rgba(128,136,148,0.5)"},
        text=texts,
        hovertemplate=f"{theme.plain(info.loss_of)} %{{text}}<extra></extra>",
        **colour_scale(info.loss_of, *plane.range, log=plane.log, dark=dark),
    )
    _draw_trajectory(figure, info, plane, dark)
    ends = {"constrain": "domain", "showgrid": False}
    figure.update_xaxes(range=[float(plane.x[0]), float(plane.x[-1])], **ends)
    figure.update_yaxes(range=[float(plane.y[0]), float(plane.y[-1])], scaleanchor="x", scaleratio=1, **ends)
    return figure
