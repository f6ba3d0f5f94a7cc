"""Errors on the true labels, where a data set made its labels noisy itself: bias and variance are read from these.

Label noise makes training labels wrong and leaves validation labels true, so that the two errors are on two scales: a
network that has learnt the truth has a training error as large as the share of wrong labels, which looks like bias. Its
error on the true labels of the same examples (`train_eval/clean_error`) is on the scale of validation.

A network that has memorised wrong labels errs on the true ones because of them. That is not for want of capacity: it
follows the noise of its training set. This part (`train_eval/memorised`) is therefore taken from the error on the true
training labels, and so it counts as variance. Digits with a tenth of wrong labels and eight hidden units show why:
their error on the true labels of 800 examples is 0.05, while without wrong labels it is 0.004; a network of 16 units
has a lower training error but no lower validation error.

The targets of a noisy curve are noisy in training and validation alike. Where both errors against the curve itself were
measured, these are taken; else the noisy ones stay, which are on one scale.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.runs.metric_slots import CLEAN, DEV, DEV_CLEAN, MEMORISED, TRAIN, TRAIN_DEV, Slots
from analysis.statistics import number
from tracking.schema import VAL_ERROR, VAL_LOSS

LABEL_NOISE: Final = "data.label_noise"
"""The param that says how many training labels were made wrong, or by how much."""
GIVEN: Final = "train_given"
"""The column of the training error on the labels that the network was trained on."""
UNTOLD: Final = "untold"
"""The column that says whether a run's training labels are noisy and its error on the true labels is not known."""
_NOT_SAID: Final = (
    "These runs do not say whether some of their labels are wrong, nor which error the task allows: both look like"
    " avoidable bias here. Enter a reference error if you know it."
)


def _numbers(runs: pd.DataFrame, key: str) -> pd.Series[Any]:
    """A column as numbers; nan where there is none."""
    if key not in runs:
        return pd.Series(np.nan, index=runs.index, dtype=float)
    return pd.to_numeric(runs[key], errors="coerce").astype(float)


def _finite(values: pd.Series[Any]) -> pd.Series[bool]:
    return pd.Series(np.isfinite(values.to_numpy(dtype=float)), index=values.index)


def label_noise(runs: pd.DataFrame) -> float:
    """The most label noise that one of these runs was trained with; 0 where none is known."""
    most = float(_numbers(runs, LABEL_NOISE).max()) if len(runs) else 0.0
    return most if most > 0 else 0.0


def _of_noisy_curves(runs: pd.DataFrame) -> pd.Series[bool]:
    """Whether each run has noisy targets in validation too."""
    if "data.name" not in runs:
        return pd.Series(False, index=runs.index)
    return (runs["data.name"].map(str) == "noisy_curve") & (_numbers(runs, "data.noise") > 0)


def validated_on_curves(runs: pd.DataFrame) -> bool:
    """Whether validation errors against the curves themselves are known of all runs whose targets are noisy curves."""
    noisy = _of_noisy_curves(runs) & _finite(_numbers(runs, DEV))
    return bool(noisy.any() and _finite(_numbers(runs, DEV_CLEAN))[noisy].all())


def _measured(runs: pd.DataFrame) -> pd.Series[bool]:
    """Whether each run's error on the true training labels is known, and on the same scale as that of validation."""
    measured = _finite(_numbers(runs, CLEAN))
    return measured if validated_on_curves(runs) else measured & ~_of_noisy_curves(runs)


def true_errors(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with their errors on the true labels, where those are known.

    Args:
        runs: One row per run: dev, train, and where they exist train_clean, memorised, dev_clean (see
            `analysis.runs.metric_slots`), data.name, data.noise, data.label_noise.

    Returns:
        The runs with other values in `dev`; in `train`, without the part that comes from memorised labels; in
        `memorised`, 0 where it is not known. New columns are GIVEN and UNTOLD.
    """
    measured, given = _measured(runs), _numbers(runs, TRAIN)
    dev, on_curves = _numbers(runs, DEV), _numbers(runs, DEV_CLEAN)
    memorised = _numbers(runs, MEMORISED).where(measured, 0.0).fillna(0.0)
    return runs.assign(**{
        TRAIN: given.where(~measured, _numbers(runs, CLEAN) - memorised),
        DEV: dev.where(~(measured & _finite(on_curves)), on_curves),
        MEMORISED: memorised,
        GIVEN: given,
        UNTOLD: (_numbers(runs, LABEL_NOISE) > 0) & _finite(given) & ~measured,
    })  # fmt: skip


def noise_floor(runs: pd.DataFrame, metric: str) -> float:
    """The error that noisy validation targets leave to the best possible function; 0 where there is none or unknown.

    Args:
        runs: The runs, as `true_errors` takes them.
        metric: The metric in `dev`.
    """
    deviations = _numbers(runs, "data.noise").dropna().unique().tolist()
    curves = "data.name" in runs and set(runs["data.name"].map(str)) == {"noisy_curve"}
    if not curves or len(deviations) != 1 or validated_on_curves(runs):
        return 0.0
    return float({VAL_ERROR: deviations[0], VAL_LOSS: deviations[0] ** 2}.get(metric, 0.0))


def names(slots: Slots, runs: pd.DataFrame) -> dict[str, str]:
    """The names of the errors of `true_errors`, by slot.

    Args:
        slots: The metric in each slot.
        runs: The runs, as `true_errors` takes them.
    """
    by_slot = {slot: slots.label(slot) for slot in (DEV, TRAIN, TRAIN_DEV)}
    if not _measured(runs).any():
        return by_slot
    dev = slots.label(DEV_CLEAN) if validated_on_curves(runs) else by_slot[DEV]
    memorised = (true_errors(runs)[MEMORISED] > 0).any()
    return {**by_slot, DEV: dev, TRAIN: "clean_error − memorised" if memorised else slots.label(CLEAN)}


def note(runs: pd.DataFrame, *, judge: str = "") -> str:
    """What to know about the labels before believing bias and variance, in plain text; often empty.

    Args:
        runs: The runs, as `true_errors` takes them.
        judge: The metric by which the runs would have to be judged for their errors on the true labels to be known.
    """
    errors = true_errors(runs)
    if not (_finite(_numbers(errors, TRAIN)) & _finite(_numbers(errors, DEV))).any():
        return ""  # no run is judged
    if "data.name" not in runs or runs["data.name"].isna().any():
        return _NOT_SAID
    untold = errors[UNTOLD].any()
    if validated_on_curves(runs) and not untold:
        return "All errors are those against the curve itself, without the noise of its targets."
    most = label_noise(runs)
    if not most or not (untold or _measured(runs).any()):
        return ""
    lead = f"Training labels were made noisy (data.label_noise up to {number(most)}), validation labels were not."
    if not untold:
        return f"{lead} Bias and variance are read from the errors on the true labels."
    remedy = f"Judged by {judge}, it is." if judge else "Built-in models measure it when they are trained again."
    return f"{lead} The error on the true training labels is not known. {remedy}"
