"""How much each param matters for the result, by Optuna's evaluators.

PED-ANOVA (Watanabe, Bansal and Hutter 2023) looks at how differently a param's values are distributed among the best
runs and among all; it goes by ranks alone, so a diverged run counts as worse than any other. fANOVA (Hutter, Hoos and
Leyton-Brown 2014) fits a random forest to the values and splits up its variance: diverged runs have no value and are
left out. Both describe the runs that there are; neither is a test.

Numbers of which a few values were tried, as in a grid, are categories: on an axis with few samples PED-ANOVA's
density estimate would credit a rate for being tried often.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from analysis.figures import theme
from analysis.runs.comparison import shown
from analysis.statistics import number
from tracking.schema import MAXIMIZE, Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

PED_ANOVA: Final = "PED-ANOVA"
FANOVA: Final = "fANOVA"
EVALUATORS: Final = (PED_ANOVA, FANOVA)
ENOUGH: Final = 10
"""Runs below which no importance is computed."""
_BEST: Final = 0.25
"""PED-ANOVA compares the best quarter with all."""
_FEW_VALUES: Final = 10
"""A number with at most so many different values is a category, if each was tried twice on average."""


@dataclass(frozen=True)
class ImportanceInfo:
    """What `plot_importance` draws."""

    shares: Mapping[str, float]
    """Param -> its importance, together 1, the largest first."""
    evaluator: str
    n: int
    left_out: int
    problem: str = ""
    """Why there is nothing to draw, in one sentence."""
    of: str = "runs"
    """What a row is."""

    @property
    def caption(self) -> str:
        """What the figure shows and of how many runs."""
        how = (
            f"how differently its values are distributed among the best quarter of the {self.of} and among all"
            if self.evaluator == PED_ANOVA
            else f"its share of the variance of a random forest fitted to the {self.of}"
        )
        lost = f", {self.left_out} without a value left out" if self.left_out else ""
        return f"{self.evaluator} over {self.n} {self.of}{lost}: for each param {how}. A description, not a test."


def _nothing(evaluator: str, n: int, left_out: int, problem: str) -> ImportanceInfo:
    return ImportanceInfo({}, evaluator, n, left_out, problem)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _distribution(values: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Optuna's distribution of a param, and its values in it."""
    from optuna import distributions

    words = [shown(value) for value in values]
    different = sorted(set(words))
    few = len(different) <= min(_FEW_VALUES, len(values) / 2)
    plain = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if plain and not few and all(math.isfinite(value) for value in values):
        numbers = [float(value) for value in values]
        low, high = min(numbers), max(numbers)
        return distributions.FloatDistribution(low, high, log=low > 0 and high / low >= 50), numbers
    return distributions.CategoricalDistribution(different), words


def _varying(params: pd.DataFrame) -> dict[str, list[Any]]:
    """Param -> its values, of the params that all rows have and that differ between them."""
    values = {str(key): params[key].tolist() for key in params}
    complete = {key: column for key, column in values.items() if not any(map(_missing, column))}
    return {key: column for key, column in complete.items() if len(set(map(shown, column))) > 1}


def _importances(params: Mapping[str, list[Any]], results: np.ndarray, evaluator: str, seed: int) -> dict[str, float]:
    """Optuna's importance of each param for the results, of which lower ones are better."""
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    distributions = {key: _distribution(values) for key, values in params.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            study = optuna.create_study(direction="minimize")
            space = {key: distribution for key, (distribution, _) in distributions.items()}
            study.add_trials(
                [
                    optuna.create_trial(
                        params={key: values[place] for key, (_, values) in distributions.items()},
                        distributions=space,
                        value=float(result),
                    )
                    for place, result in enumerate(results)
                ]
            )
            judge = (
                PedAnovaImportanceEvaluator(target_quantile=_BEST)
                if evaluator == PED_ANOVA
                else FanovaImportanceEvaluator(seed=seed)
            )
            return dict(get_param_importances(study, evaluator=judge, params=list(params)))
        finally:
            optuna.logging.set_verbosity(verbosity)


def importance_info(
    runs: pd.DataFrame,
    params: pd.DataFrame,
    *,
    direction: str,
    evaluator: str = PED_ANOVA,
    seed: int = 0,
    of: str = "runs",
) -> ImportanceInfo:
    """How important each param is for the objective.

    Args:
        runs: One row per run: outcome, counts, objective.
        params: The params, the same rows; those that do not vary and those that some runs have not are left out.
        direction: "minimize" or "maximize".
        evaluator: One of EVALUATORS.
        seed: The seed of fANOVA's forest.
        of: What a row is: "runs", or "trials" where each is the mean of its seeds.
    """
    if evaluator not in EVALUATORS:
        raise ValueError(f"evaluator: {evaluator!r} is not allowed; allowed: {', '.join(EVALUATORS)}")
    counts = runs["counts"].to_numpy(dtype=bool)
    values = runs["objective"].to_numpy(dtype=float)
    ok = (runs["outcome"] == Outcome.OK).to_numpy()
    finite = ok & np.isfinite(values)
    failed = (runs["outcome"] == Outcome.DIVERGED).to_numpy() | (ok & ~np.isfinite(values))
    keep = counts & (finite | (failed & (evaluator == PED_ANOVA)))
    n, left_out = int(keep.sum()), int(counts.sum() - keep.sum())
    if n < ENOUGH:
        return _nothing(
            evaluator, n, left_out, f"Importance needs at least {ENOUGH} {of} with a result; there are {n}."
        )
    sign = -1.0 if direction == MAXIMIZE else 1.0
    results = sign * values
    # Ranks alone matter to PED-ANOVA: any value above all others says "worse than any".
    worst = float(results[counts & finite].max()) + 1.0 if (counts & finite).any() else 0.0
    results = np.where(failed, worst, results)[keep]
    if len(np.unique(results)) < 2:
        return _nothing(evaluator, n, left_out, f"All of these {of} have the same result: nothing can matter for it.")
    varying = _varying(params[keep])
    if not varying:
        return _nothing(evaluator, n, left_out, f"No param varies in all of these {of}.")
    importances = _importances(varying, results, evaluator, seed)
    shares = {key: float(value) for key, value in sorted(importances.items(), key=lambda item: -item[1])}
    return ImportanceInfo(shares, evaluator, n, left_out, of=of)


def plot_importance(info: ImportanceInfo, *, dark: bool = False, height: int | None = None) -> go.Figure:
    """One bar per param, the most important on top."""
    import plotly.graph_objects as go

    keys = list(info.shares)[:20]
    values = [info.shares[key] for key in keys]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=list(range(len(keys))),
            orientation="h",
            width=0.62,
            marker={"color": theme.palette(dark)[0], "line": {"width": 0}},
            text=[number(value, 2) for value in values],
            textposition="outside",
            cliponaxis=False,
            customdata=[theme.plain(key) for key in keys],
            hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
            showlegend=False,
        )
    )
    figure.update_layout(
        **theme.layout(dark, x=f"importance ({info.evaluator})", y="", height=height or 90 + 36 * len(keys))
    )
    ticks = [theme.plain(theme.shortened(key, 26)) for key in keys]
    figure.update_yaxes(tickvals=list(range(len(keys))), ticktext=ticks, autorange="reversed", showgrid=False)
    figure.update_xaxes(range=[0, max([*values, 0.01]) * 1.15], showgrid=True)
    return figure
