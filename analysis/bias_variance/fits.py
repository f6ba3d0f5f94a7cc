"""One-dimensional regression: the fits themselves, their mean beside the truth, and where along x the error lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.bias_variance.capacity_figure import colour_of
from analysis.bias_variance.decomposition import BIAS, DATA, INIT, NOISE, RISK, pointwise
from analysis.bias_variance.replicates import Replicates
from analysis.figures import theme
from analysis.statistics import number

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST: Final = 50
"""How many fits are drawn; they are taken evenly from all training sets."""
WINDOW: Final = 41
"""The sentence says where a part is largest by its mean over so many neighbouring points of 501."""


@dataclass(frozen=True)
class FitsInfo:
    """The fits of one configuration, in the order of x, as `plot_fits` draws them."""

    x: np.ndarray
    truth: np.ndarray
    """(n,): f(x), or the targets where f is not known."""
    known: bool
    """Whether f is known."""
    fits: np.ndarray
    """(m, n), m <= MOST."""
    datasets: np.ndarray
    """(m,): the place of each fit's training set."""
    mean: np.ndarray
    """(n,): the mean of all R I fits."""
    parts: dict[str, np.ndarray]
    """(n,) for each part of the error that there is: bias, data, init and noise."""
    total: int
    """The number of all fits, R I."""
    sets: int
    """The number of training sets, R."""
    problem: str = ""
    label: str = ""
    """What the configuration is called."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return bool(self.problem)

    @property
    def sentence(self) -> str:
        """Which part most of the error is, and where it is largest, in plain text."""
        if self.empty:
            return ""
        sizes = {key: float(values.mean()) for key, values in self.parts.items() if key != NOISE}
        largest = max(sizes, key=lambda key: sizes[key])
        names = {BIAS: "bias²", DATA: "variance from data", INIT: "variance from initialisation"}
        if INIT not in self.parts:
            names[DATA] = "variance"
        window = min(max(1, WINDOW * len(self.x) // 501), len(self.x))
        smooth = np.convolve(self.parts[largest], np.ones(window) / window, mode="valid")
        where = self.x[int(smooth.argmax()) + window // 2]
        beside = ", ".join(f"{names[key]} {number(size, 2)}" for key, size in sizes.items())
        other = " beyond the noise" if NOISE in self.parts else ""
        return f"Most of the error{other} is {names[largest]}, largest about x = {number(where, 2)} ({beside})."

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        whose = f" of {self.label}" if self.label else ""
        return f"Fits{whose} to {self.sets} training sets, their mean, and the parts of the error along x"

    @property
    def n(self) -> str:
        """`n=150 fits to 50 training sets`."""
        return f"n={self.total} fits to {self.sets} training sets"

    @property
    def interval(self) -> str:
        """Nothing: the fits themselves show their spread."""
        return ""

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        return (
            f"Thin lines are fits to different training sets ({len(self.fits)} of {self.total}), the thick one is"
            " the mean of all; below, what the squared error at each x is made of, stacked."
        )

    def frame(self) -> pd.DataFrame:
        """One row per point: x, truth, mean, parts, and every fit that is drawn."""
        columns = {"x": self.x, "f" if self.known else "target": self.truth, "mean fit": self.mean, **self.parts}
        fits = {
            f"fit {k} (training set {dataset})": fit
            for k, (dataset, fit) in enumerate(zip(self.datasets, self.fits, strict=True))
        }
        return pd.DataFrame(columns | fits)


def _without_fits(problem: str) -> FitsInfo:
    none = np.zeros(0)
    return FitsInfo(
        x=none,
        truth=none,
        known=False,
        fits=np.zeros((0, 0)),
        datasets=none,
        mean=none,
        parts={},
        total=0,
        sets=0,
        problem=problem,
    )


def fits_info(answers: Replicates | str, label: str = "") -> FitsInfo:
    """The fits of one configuration.

    Args:
        answers: Its runs' answers, or a sentence that says why there are none, from
            `analysis.bias_variance.replicates`.
        label: What the configuration is called.
    """
    if isinstance(answers, str):
        return _without_fits(answers)
    if answers.classes or answers.inputs is None or answers.outputs.shape[3] != 1:
        return _without_fits("Fits can be drawn of a regression with one input, such as the data set noisy_curve.")
    order = np.argsort(answers.inputs, kind="stable")
    outputs = answers.outputs[..., 0][:, :, order]  # (R, I, n)
    truth, noise = (answers.truth, answers.noise) if answers.noisy else (None, None)
    parts = pointwise(answers.outputs, answers.targets, truth=truth, noise=noise)
    parts = {key: values[order] for key, values in parts.items() if key != RISK}
    if truth is not None and answers.noise is not None:
        # At one point the noise of the targets is a single draw: its known variance says more.
        parts[NOISE] = np.full(len(order), answers.noise)
    datasets, inits, _ = outputs.shape
    # Initialisation by initialisation, so that every training set is among the first.
    fits = outputs.transpose(1, 0, 2).reshape(datasets * inits, -1)[:MOST]
    line = answers.truth if answers.truth is not None else answers.targets
    return FitsInfo(
        x=answers.inputs[order],
        truth=line[order],
        known=answers.truth is not None,
        fits=fits,
        datasets=np.arange(len(fits)) % datasets,
        mean=outputs.mean(axis=(0, 1)),
        parts=parts,
        total=datasets * inits,
        sets=datasets,
        label=label,
    )


_NAMES: Final = {NOISE: "noise", BIAS: "bias²", DATA: "variance from data", INIT: "variance from initialisation"}


def plot_fits(info: FitsInfo, *, dark: bool = False, height: int = 520) -> go.Figure:
    """Above f, the fits and their mean; below the parts of the error at each x, stacked."""
    import plotly.graph_objects as go

    figure, palette = go.Figure(), theme.palette(dark)
    base = theme.layout(dark, x="x", y="y", height=height)
    figure.update_layout(**base)
    faint = theme.translucent(theme.grey(dark), 0.3)
    for k, (dataset, fit) in enumerate(zip(info.datasets, info.fits, strict=True)):
        figure.add_scatter(
            x=info.x, y=fit, mode="lines", line={"width": 1, "color": faint}, name=f"{len(info.fits)} fits",
            legendgroup="fits", showlegend=k == 0,
            hovertemplate=f"a fit to training set {dataset}<br>x %{{x:.3g}}: %{{y:.3g}}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=info.x, y=info.truth, mode="lines" if info.known else "markers", name="f" if info.known else "targets",
        line={"width": 2.2, "color": palette[6], "dash": "dash"}, marker={"size": 3, "color": palette[6]},
        hovertemplate="f<br>x %{x:.3g}: %{y:.3g}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=info.x, y=info.mean, mode="lines", name=f"mean of {info.total} fits",
        line={"width": 2.6, "color": palette[5]},
        hovertemplate="mean fit<br>x %{x:.3g}: %{y:.3g}<extra></extra>",
    )  # fmt: skip
    for key in (NOISE, BIAS, DATA, INIT):
        if key in info.parts:
            colour = colour_of(key, dark)
            figure.add_scatter(
                x=info.x, y=info.parts[key], mode="lines", yaxis="y2", stackgroup="parts", name=_NAMES[key],
                line={"width": 0.8, "color": colour}, fillcolor=theme.translucent(colour, 0.7),
                hovertemplate=f"{_NAMES[key]}<br>x %{{x:.3g}}: %{{y:.3g}}<extra></extra>",
            )  # fmt: skip
    grid = base["yaxis"]["gridcolor"]
    figure.update_layout(
        yaxis={"domain": [0.42, 1.0], "range": _range(info)},
        yaxis2=base["yaxis"]
        | {"domain": [0.0, 0.36], "anchor": "x", "zeroline": True, "zerolinecolor": grid, "zerolinewidth": 2,
           "title": base["yaxis"]["title"] | {"text": "squared error"}},
        legend={"y": -0.13},
    )  # fmt: skip
    figure.update_xaxes(anchor="y2")
    return figure


def _range(info: FitsInfo) -> list[float]:
    """What f and nearly all fits span: one that runs away must not press the others flat."""
    if not len(info.fits):
        return [0.0, 1.0]
    low, high = (float(np.quantile(info.fits, share)) for share in (0.005, 0.995))
    low, high = min(low, float(info.truth.min())), max(high, float(info.truth.max()))
    pad = 0.08 * (high - low or 1.0)
    return [low - pad, high + pad]
