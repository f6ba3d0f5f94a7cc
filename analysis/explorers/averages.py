"""Exponentially weighted averages: what they remember, how noisy they are, and why they begin too low.

    a(t) = β·a(t-1) + (1 - β)·x(t),   a(0) = 0

is a weighted sum of all values so far, where the value k steps ago has the weight (1 - β)·β^k. The weights add up to
1 - βᵗ: early averages are too small by that factor, and a(t) / (1 - βᵗ) corrects it (Kingma and Ba 2015, section 3).
Of independent noise the share (1 - β) / (1 + β) of the variance stays, and what grows evenly is followed β / (1 - β)
steps late. Momentum averages gradients so, RMSprop their squares, Adam both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.explorers.update_rules import Array
from analysis.figures import theme
from analysis.figures.traces import mean_line, seed_dots
from analysis.statistics import number

if TYPE_CHECKING:
    import plotly.graph_objects as go

DAYS: Final = 200
MEAN: Final = 15.0
SWING: Final = 8.0
"""The made-up temperatures go so far above and below their mean (°C)."""
_RAISED: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
SHORT: Final = 0.01
"""An average is called right when no more than this share is missing."""


def _checked(beta: float) -> float:
    if not 0 <= beta < 1:
        raise ValueError(f"beta: {beta} is not allowed; allowed: 0 to less than 1")
    return beta


def averaged(values: Array, beta: float, *, corrected: bool) -> Array:
    """The average after each value: of the shape of `values`, (n,).

    Args:
        values: In their order.
        beta: β, 0 to less than 1.
        corrected: Whether each is divided by the sum of its weights, 1 - βᵗ.
    """
    _checked(beta)
    averages, last = np.empty(len(values)), 0.0
    for place, value in enumerate(values.tolist()):
        last = beta * last + (1 - beta) * value
        averages[place] = last
    return averages / weight_sum(beta, np.arange(1, len(values) + 1)) if corrected else averages


def weight_sum(beta: float, t: Array | np.ndarray | int) -> Array:
    """What the weights of the first t values add up to: 1 - βᵗ."""
    return np.asarray(1 - _checked(beta) ** np.asarray(t, dtype=np.float64))


def weights(beta: float, t: int, *, corrected: bool) -> Array:
    """The weight of the value k steps ago in the average after t values, k = 0 to t - 1: (t,)."""
    terms = (1 - _checked(beta)) * beta ** np.arange(t, dtype=np.float64)
    return terms / weight_sum(beta, t) if corrected else terms


def memory(beta: float) -> float:
    """1 / (1 - β): over about so many values it averages. Those before have weights below 1/e of the latest one's."""
    return 1 / (1 - _checked(beta))


def lag(beta: float) -> float:
    """β / (1 - β): how many steps late it is on what grows evenly, in the long run."""
    return _checked(beta) / (1 - beta)


def variance_factor(beta: float, t: float = math.inf) -> float:
    """Which share of the variance of independent noise is left in the corrected average after t values.

    (1 - β)(1 + βᵗ) / ((1 + β)(1 - βᵗ)): all of it after one value, (1 - β) / (1 + β) in the long run.
    """
    left = _checked(beta) ** t if beta else 0.0
    return (1 - beta) * (1 + left) / ((1 + beta) * (1 - left))


def steps_until_right(beta: float) -> int:
    """The first t at which the uncorrected average of a constant falls short by at most SHORT: βᵗ <= SHORT."""
    return 1 if _checked(beta) <= SHORT else math.ceil(math.log(SHORT) / math.log(beta) - 1e-9)


@dataclass(frozen=True)
class AveragesInfo:
    """What `plot_averages` and `plot_weights` draw."""

    beta: float
    noise: float
    """The standard deviation of the noise (°C)."""
    at: int
    """The day whose weights are shown, from 1."""
    truth: Array
    """(days,): the temperatures without their noise."""
    values: Array
    """(days,)."""
    plain: Array
    """(days,): their average."""
    corrected: Array
    """(days,): the same, corrected."""

    @property
    def kept(self) -> float:
        """The root mean square of what the noise left in the corrected average, relative to `noise`."""
        if not self.noise:
            return math.nan
        noise = averaged(self.values - self.truth, self.beta, corrected=True)
        return float(np.sqrt(np.mean(noise**2))) / self.noise

    @property
    def sentence(self) -> str:
        """What this β does, in plain text."""
        if self.beta == 0:
            return "At β = 0 the average is the latest value: nothing is remembered, and all of the noise stays."
        share = number(100 * math.sqrt(variance_factor(self.beta)), 2)
        days = number(memory(self.beta), 3)
        return (
            f"At β = {number(self.beta, 3)} the average remembers about {days} days: it keeps {share}% of the noise and"
            f" is {_days(lag(self.beta))} late; uncorrected it begins at {number(100 * (1 - self.beta), 2)}% of"
            f" the truth and is still more than 1% short on day {max(1, steps_until_right(self.beta) - 1)}."
        )

    @property
    def reading(self) -> str:
        """How the numbers were come by, in plain text."""
        measured = (
            f"; here, with its noisier first days, {number(100 * self.kept, 2)}%" if self.noise and self.beta else ""
        )
        return (
            f"Made-up temperatures of {len(self.values)} days: a slow wave with normal noise of {number(self.noise, 2)}"
            f" °C. Noise kept: √((1 − β)/(1 + β)) of a day's in the long run{measured}. Days late: β/(1 − β)."
        )

    @property
    def weighing(self) -> str:
        """What the weights of the chosen day add up to, in plain text."""
        total = float(weight_sum(self.beta, self.at))
        return (
            f"On day {self.at} the weights add up to 1 − β{str(self.at).translate(_RAISED)} = {number(total, 4)};"
            f" dividing by that makes them add up to 1. After {number(memory(self.beta), 3)} days a weight has fallen"
            f" to {number(self.beta ** memory(self.beta), 3)} of the latest day's."
        )

    def frame(self) -> pd.DataFrame:
        """Columns: day, truth, value, average, corrected, weight_sum."""
        days = np.arange(1, len(self.values) + 1)
        return pd.DataFrame(
            {
                "day": days,
                "truth": self.truth,
                "value": self.values,
                "average": self.plain,
                "corrected": self.corrected,
                "weight_sum": weight_sum(self.beta, days),
            }
        )

    def weights_frame(self) -> pd.DataFrame:
        """Columns: days_ago, weight, corrected; of the chosen day."""
        return pd.DataFrame(
            {
                "days_ago": np.arange(self.at),
                "weight": weights(self.beta, self.at, corrected=False),
                "corrected": weights(self.beta, self.at, corrected=True),
            }
        )


def _days(count: float) -> str:
    return "1 day" if count == 1 else f"{number(count, 3)} days"


def averages_info(beta: float, *, noise: float = 3.0, seed: int = 0, at: int = DAYS) -> AveragesInfo:
    """A noisy series, the same for a seed whatever else is chosen, with its averages.

    Args:
        beta: β, 0 to less than 1.
        noise: The standard deviation of its noise (°C).
        seed: The seed of the noise.
        at: The day whose weights are shown, 1 to DAYS.
    """
    if not 1 <= at <= DAYS:
        raise ValueError(f"at: {at} is not allowed; allowed: 1 to {DAYS}")
    truth = MEAN + SWING * np.cos(2 * np.pi * np.arange(DAYS) / 150)
    values = truth + noise * np.random.default_rng(seed).standard_normal(DAYS)
    plain, right = (averaged(values, beta, corrected=corrected) for corrected in (False, True))
    return AveragesInfo(beta, noise, at, truth, values, plain, right)


def plot_averages(info: AveragesInfo, *, dark: bool = False, height: int = 400) -> go.Figure:
    """The values as dots, the truth grey, the average with (line) and without (dashes) its correction."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(**theme.layout(dark, x="day", y="temperature (°C)", height=height))
    days = np.arange(1, len(info.values) + 1)
    (blue, ochre), grey = theme.palette(dark)[:2], theme.grey(dark)
    hover = "day %{x}: %{y:.3g} °C<extra></extra>"
    seed_dots(figure, days, info.values, grey, size=4, opacity=0.6, name="a day's value", hovertemplate=hover)
    hover = f"without noise, {hover}"
    mean_line(figure, days, info.truth, grey, width=1.2, name="without noise", hovertemplate=hover)
    averages = (
        ("average, not corrected", info.plain, ochre, "dash"),
        ("average, corrected", info.corrected, blue, "solid"),
    )
    for name, average, colour, dash in averages:
        hover = f"<b>{name}</b><br>day %{{x}}: %{{y:.3g}} °C<extra></extra>"
        mean_line(figure, days, average, colour, dash=dash, name=name, hovertemplate=hover)
    figure.add_vline(
        x=info.at,
        line={"width": 1, "color": grey, "dash": "dot"},
        annotation={"text": f"day {info.at}", "font": {"size": 11, "color": grey}},
        annotation_position="top left" if info.at > DAYS / 2 else "top right",
    )
    figure.update_xaxes(range=[0, len(days) + 1])
    return figure


def plot_weights(info: AveragesInfo, *, dark: bool = False, height: int = 400) -> go.Figure:
    """The weights of the past on the chosen day as bars, corrected and not, with the memory 1 / (1 - β) marked."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(**theme.layout(dark, x="days ago", y="weight", height=height))
    weights = info.weights_frame()
    sums = {column: float(weights[column].sum()) for column in ("weight", "corrected")}
    away = memory(info.beta)
    # What is further away has no weight that could be seen.
    weights = weights[weights["days_ago"] <= max(12, 6 * away)]
    (blue, ochre), grey = theme.palette(dark)[:2], theme.grey(dark)
    bars = (("corrected", "corrected", theme.translucent(blue, 0.85)), ("not corrected", "weight", ochre))
    for name, column, colour in bars:
        figure.add_bar(
            x=weights["days_ago"],
            y=weights[column],
            name=f"{name}, sum {number(sums[column], 3)}",
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate=f"{name}, %{{x}} days ago: %{{y:.3g}}<extra></extra>",
        )
    figure.add_vline(
        x=away,
        line={"width": 1, "color": grey, "dash": "dot"},
        annotation={"text": "1/(1 − β)", "font": {"size": 11, "color": grey}},
        annotation_position="top right",
    )
    figure.update_layout(bargap=0.15, barmode="group")
    figure.update_xaxes(range=[-0.6, max(12.0, 3 * away, min(6 * away, info.at)) + 0.6])
    figure.update_yaxes(rangemode="tozero")
    return figure
