"""The distribution of weights: one histogram per strength, one above the other, over edges that all of them share.

The counts of a layer are pooled over the seeds and turned into a density, so that each ridge has the same area. The
first and the last bin of a file are open: their weights are counted in the share beyond the range, and not drawn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.figures.export import sizes
from analysis.regularization.strengths import Strengths, level_text, ramp
from analysis.regularization.weight_paths import Arrays
from analysis.statistics import number
from tracking.schema import NEAR_ZERO

if TYPE_CHECKING:
    import plotly.graph_objects as go

SCALES: Final = ("linear", "square root", "log")
"""How a density is turned into a height: all but linear lift ridges that a spike at zero would flatten."""
MOST_BINS: Final = 121
"""With how many bins a ridge is drawn at most."""
KEPT: Final = 0.999
"""The share of every ridge's weights that the drawn range holds at least, where the bins allow it."""
OVERLAP: Final = 1.7
"""How high the highest ridge reaches, in distances between two ridges."""
_NEEDED: Final = {"names", "histogram", "edges", "near_zero"}
_DECADES: Final = 3.0
"""A logarithmic height is zero if the density is so many powers of ten below the highest."""


@dataclass(frozen=True)
class Ridge:
    """The weights at one strength."""

    strength: int
    counts: np.ndarray
    """(B,): weights in each bin of the file, all seeds together."""
    seeds: int
    edges: np.ndarray
    """(B + 1,): the edges of the file's bins."""
    density: np.ndarray
    """(D,): the density in each drawn bin; the share of the weights in a bin is density times width."""
    near_zero: float
    """The share of the weights with |w| < NEAR_ZERO, as the runs measured it, since bins are wider than that."""

    @property
    def total(self) -> int:
        """How many weights there are, over all seeds."""
        return int(self.counts.sum())

    def within(self, bound: float) -> float:
        """The share of the weights with |w| <= bound; the weights in a bin count as spread evenly over it."""
        edges = _finite_edges(self.edges)
        low, high = np.clip(edges[:-1], -bound, bound), np.clip(edges[1:], -bound, bound)
        return float((self.counts * (high - low) / np.diff(edges)).sum() / max(1, self.total))

    def spread(self, share: float) -> float:
        """The smallest |w|, at the edge of a bin, that this share of the weights does not exceed."""
        bounds = np.unique(np.abs(_finite_edges(self.edges)))
        return float(next((bound for bound in bounds.tolist() if self.within(bound) >= share - 1e-12), bounds[-1]))


@dataclass(frozen=True)
class RidgelinesInfo:
    """The histograms of one layer at all strengths, as `plot_ridgelines` draws them."""

    strengths: Strengths
    layer: str
    layers: tuple[str, ...]
    """All layers that could be shown, from input to output."""
    edges: np.ndarray
    """(D + 1,): the edges of the drawn bins."""
    ridges: list[Ridge]
    left_out: int
    """How many runs are left out since their histograms have other edges."""

    @property
    def empty(self) -> bool:
        """Whether there is no histogram."""
        return not self.ridges

    @property
    def problem(self) -> str:
        """Why nothing can be drawn, in plain text; empty where something can."""
        if not self.empty:
            return ""
        where = f" of {self.layer}" if self.layer else ""
        return f"None of these runs left a histogram of the weights{where} (layers.npz)."

    @property
    def beyond(self) -> float:
        """The largest share of a ridge's weights that lies outside the drawn range."""
        width = np.diff(self.edges)
        return max((1 - float((ridge.density * width).sum()) for ridge in self.ridges), default=0.0)

    @property
    def sentence(self) -> str:
        """How the first and the last ridge differ, in plain text."""
        if self.empty:
            return self.problem
        if len(self.ridges) < 2:
            only = self.ridges[0]
            name = self.strengths.name(only.strength)
            return f"{self.layer}, {name}: nine weights in ten have |w| below {number(only.spread(0.9), 2)}."
        first, last = self.ridges[0], self.ridges[-1]
        a, b = self.strengths.name(first.strength), self.strengths.name(last.strength)
        nine = f"nine weights in ten have |w| below {number(first.spread(0.9), 2)} and {number(last.spread(0.9), 2)}"
        near = f"{_percent(first.near_zero)} and {_percent(last.near_zero)} lie below {NEAR_ZERO:g}"
        return f"{self.layer}: with {a} and with {b}, {nine}; {near}."

    @property
    def suited(self) -> str:
        """The one of SCALES on which the flattest ridge can still be seen beside the highest."""
        tops = [float(ridge.density.max()) for ridge in self.ridges]
        apart = max(tops) / min(tops) if tops and min(tops) > 0 else 1.0
        return SCALES[0] if apart < 4 else SCALES[1] if apart < 12 else SCALES[2]

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"Density of the weights of {self.layer}, a ridge a value of {self.strengths.axis}"

    @property
    def interval(self) -> str:
        """Nothing: the weights of all seeds are pooled."""
        return ""

    @property
    def n(self) -> str:
        """`n=8 seeds each`."""
        return sizes([ridge.seeds for ridge in self.ridges])

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        words = [f"A ridge a strength, the weights of all its seeds pooled ({self.n}), all over the same edges"]
        words += [f"at most {_percent(self.beyond)} of a ridge lie beyond them"] if self.beyond > 5e-4 else []
        words += [f"{self.left_out} runs with other edges are left out"] if self.left_out else []
        return "; ".join(words) + "."

    def frame(self) -> pd.DataFrame:
        """One row per strength and drawn bin: strength, low, high, density."""
        parts = [
            pd.DataFrame(
                {
                    self.strengths.axis: [self.strengths.levels[ridge.strength].value] * len(ridge.density),
                    "low": self.edges[:-1],
                    "high": self.edges[1:],
                    "density": ridge.density,
                }
            )
            for ridge in self.ridges
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _percent(share: float) -> str:
    return f"{number(100 * share, 2)}%"


def _finite_edges(edges: np.ndarray) -> np.ndarray:
    """The edges; an infinite one is moved so that its bin is as wide as the bin beside it."""
    finite = np.array(edges, dtype=float)
    if not np.isfinite(finite[0]):
        finite[0] = finite[1] - (finite[2] - finite[1])
    if not np.isfinite(finite[-1]):
        finite[-1] = finite[-2] + (finite[-2] - finite[-3])
    return finite


def rebinned(counts: np.ndarray, edges: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """The counts in wider bins: no count is lost or moved across an edge.

    Args:
        counts: (..., B): counts in the bins.
        edges: (B + 1,): the bins' edges.
        coarse: The wider bins' edges: some of `edges`, ascending, the first and the last among them.

    Raises:
        ValueError: An edge of `coarse` is not one of `edges`, or the first or the last is missing.
    """
    places = np.searchsorted(edges, coarse)
    fits = len(coarse) > 1 and places[0] == 0 and places[-1] == len(edges) - 1 and np.array_equal(edges[places], coarse)
    if not fits:
        raise ValueError(f"coarse: {list(coarse)} is not allowed; allowed: some of the edges, both ends among them")
    return np.add.reduceat(counts, places[:-1], axis=-1)


def _drawn_bins(counts: np.ndarray, edges: np.ndarray) -> tuple[int, int]:
    """The first and one past the last of the closed bins that hold KEPT of every row, cut alike on both sides."""
    closed = len(edges) - 3
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    for cut in range(closed // 2, -1, -1):
        inner = shares[:, 1 + cut : len(edges) - 2 - cut]
        if inner.shape[1] and (inner.sum(axis=1) >= KEPT).all():
            return 1 + cut, len(edges) - 2 - cut
    return 1, len(edges) - 2


@dataclass
class _Pool:
    """The runs of one strength, added up."""

    counts: np.ndarray
    runs: int = 0
    near_zero: float = 0.0
    """How many weights have |w| < NEAR_ZERO."""

    def add(self, counts: np.ndarray, share: float) -> None:
        self.counts = self.counts + counts
        self.runs += 1
        self.near_zero += share * float(counts.sum())


def _pooled(strengths: Strengths, layers: Arrays, layer: str) -> tuple[np.ndarray, dict[int, _Pool], int]:
    """The edges, the runs of each strength added up, and how many runs are left out since they have other edges."""
    rows: list[tuple[int, np.ndarray, float, tuple[float, ...]]] = []
    for run, level in zip(strengths.runs["run_id"], strengths.runs["level"], strict=True):
        arrays = layers.get(run)
        if arrays is None or not _NEEDED.issubset(arrays) or layer not in arrays["names"].tolist():
            continue
        place = arrays["names"].tolist().index(layer)
        edges = tuple(np.asarray(arrays["edges"], dtype=float).tolist())
        rows.append((int(level), np.asarray(arrays["histogram"])[place], float(arrays["near_zero"][place]), edges))
    if not rows:
        return np.array([]), {}, 0
    common = Counter(edges for *_, edges in rows).most_common(1)[0][0]
    by_level: dict[int, _Pool] = {}
    for level, counts, share, edges in rows:
        if edges == common:
            by_level.setdefault(level, _Pool(np.zeros(len(counts), dtype=np.int64))).add(counts, share)
    pools = {level: pool for level, pool in sorted(by_level.items()) if pool.counts.sum()}
    return np.array(common), pools, sum(edges != common for *_, edges in rows)


def layer_names(strengths: Strengths, layers: Arrays) -> list[str]:
    """The layers that some run of the strengths has, from input to output."""
    return list(
        dict.fromkeys(
            str(name)
            for run in strengths.runs["run_id"]
            if run in layers and "names" in layers[run]
            for name in layers[run]["names"].tolist()
        )
    )


def ridgelines_info(strengths: Strengths, layers: Arrays, layer: str | None = None) -> RidgelinesInfo:
    """The histograms of one layer's weights at all strengths.

    Args:
        strengths: From `analysis.regularization.strengths.strengths`.
        layers: The arrays of each run's LAYERS_FILE.
        layer: The layer's name; the first layer if not given.
    """
    names = layer_names(strengths, layers)
    layer = layer if layer is not None else (names[0] if names else "")
    edges, pooled, left_out = _pooled(strengths, layers, layer)
    if not pooled:
        return RidgelinesInfo(strengths, layer, tuple(names), np.array([0.0, 1.0]), [], left_out)
    counts = np.array([pool.counts for pool in pooled.values()])
    first, last = _drawn_bins(counts, edges)
    bins_per_bar = max(1, math.ceil((last - first) / MOST_BINS))
    drawn = edges[[*range(first, last, bins_per_bar), last]]
    inner = rebinned(counts, edges, np.array([edges[0], *drawn, edges[-1]]))[:, 1:-1]
    densities = inner / (counts.sum(axis=1, keepdims=True) * np.diff(drawn))
    ridges = [
        Ridge(level, pool.counts, pool.runs, edges, density, pool.near_zero / float(pool.counts.sum()))
        for (level, pool), density in zip(pooled.items(), densities, strict=True)
    ]
    return RidgelinesInfo(strengths, layer, tuple(names), drawn, ridges, left_out)


def _heights(info: RidgelinesInfo, scale: str) -> Mapping[int, np.ndarray]:
    """The heights of each ridge, (D,), by its strength: from 0 to 1, which is the highest density of all ridges."""
    top = max(float(ridge.density.max()) for ridge in info.ridges) or 1.0
    heights = {}
    for ridge in info.ridges:
        share = ridge.density / top
        if scale == "square root":
            share = np.sqrt(share)
        elif scale == "log":
            share = np.clip(1 + np.log10(np.maximum(share, 10**-_DECADES)) / _DECADES, 0, 1)
        heights[ridge.strength] = share
    return heights


def plot_ridgelines(
    info: RidgelinesInfo, *, scale: str = "linear", dark: bool = False, height: int | None = None
) -> go.Figure:
    """The weakest strength at the bottom, ridges of one scale; each covers a part of the one behind it.

    Args:
        info: What to draw.
        scale: One of SCALES.
        dark: Whether the page is dark.
        height: In pixels; by the number of ridges if not given.

    Raises:
        ValueError: There is no such scale.
    """
    import plotly.graph_objects as go

    if scale not in SCALES:
        raise ValueError(f"scale: {scale!r} is not allowed; allowed: {', '.join(SCALES)}")
    figure, count = go.Figure(), len(info.ridges)
    heights = _heights(info, scale) if count else {}
    x = np.repeat(info.edges, 2)
    for place, (ridge, colour) in reversed(list(enumerate(zip(info.ridges, ramp(count, dark), strict=True)))):
        y = np.concatenate([[0.0], np.repeat(heights[ridge.strength], 2), [0.0]]) * OVERLAP + place
        name = theme.plain(info.strengths.name(ridge.strength))
        density = np.concatenate([[0.0], np.repeat(ridge.density, 2), [0.0]])
        figure.add_scatter(
            x=[x[0], x[-1]], y=[place, place], mode="lines", hoverinfo="skip",
            line={"width": 0.6, "color": theme.translucent(colour, 0.6)},
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=y, mode="lines", fill="tonexty", fillcolor=theme.translucent(colour, 0.62),
            line={"width": 1.3, "color": colour}, customdata=density, name=name,
            hovertemplate=f"<b>{name}</b><br>w %{{x:.4g}}, density %{{customdata:.4g}}<extra></extra>",
        )  # fmt: skip
    how = "" if scale == "linear" else f", height: {scale} of the density"
    layout = theme.layout(
        dark, x=f"weight of {theme.shortened(info.layer, 30)}{how}", y=info.strengths.axis,
        height=height or 170 + 46 * max(2, count),
    )  # fmt: skip
    figure.update_layout(**layout)
    figure.update_layout(showlegend=False)
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(count)), range=[-0.25, count - 1 + OVERLAP + 0.15],
        ticktext=[
            theme.plain(theme.shortened(level_text(info.strengths.levels[ridge.strength].value), 14))
            for ridge in info.ridges
        ],
    )  # fmt: skip
    return figure
