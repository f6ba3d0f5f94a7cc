"""Avoidable bias, variance, data mismatch: which of them a group of runs suffers from, and what helps against each.

The errors are read in this order (Ng 2018, Machine learning yearning, chapters 20 to 40): the reference, which is the
error that the task allows (a human's, or Bayes'); on training data in evaluation mode; on held-out data like the
training data, where that was measured; on validation data. Each gap is taken within a run and averaged over seeds, with
a t-interval; where several runs share a training set their mean is one value, since they are no independent draws.

A gap is a fault if its interval lies above the threshold and the one-sided t-test agrees after Holm's correction for
all gaps that are judged. It is no fault if its interval lies below the threshold, and undecided otherwise. Below three
values no fault is named.

Where a data set made its labels noisy, the errors are those on the true labels (`analysis.runs.true_labels`). Where
these are not known, bias and variance are not judged: wrong training labels look like bias. A network that has
memorised wrong labels has a lower training error than the truth itself, so that it is never called too small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.runs.metric_slots import DEV, MEMORISED, TRAIN, TRAIN_DEV
from analysis.runs.true_labels import UNTOLD, true_errors
from analysis.statistics import ENOUGH_FOR_AN_INTERVAL, Interval, holm, interval, number, plus_minus
from analysis.statistics.independent import SEEDS, independent_rows
from analysis.statistics.rounding import level_ties, resolution
from tracking.order import order_key, replicated
from tracking.schema import Outcome

REFERENCE: Final = "reference"
BIAS, VARIANCE, MISMATCH = "avoidable bias", "variance", "data mismatch"
WRONG_LABELS: Final = "memorised wrong labels"
ALPHA: Final = 0.025
"""The level of the one-sided test: that of one end of a 95 % interval."""

ADVICE: Final[dict[str, tuple[str, ...]]] = {
    BIAS: (
        "a larger network: more layers or wider ones",
        "longer training, or a better optimizer such as Adam",
        "another architecture",
    ),
    VARIANCE: (
        "more training data",
        "regularization: L2, dropout, early stopping",
        "data augmentation",
        "another architecture",
    ),
    MISMATCH: (
        "training data that are more like the validation data",
        "look at what the validation examples that go wrong have in common",
        "synthetic examples of that kind",
    ),
    WRONG_LABELS: (
        "early stopping: true labels are learnt before wrong ones",
        "regularization: L2, dropout, label smoothing",
        "look for wrong labels and correct them",
    ),
}
"""What may help against each fault, the likeliest first."""


class Finding(StrEnum):
    """Whether a gap is a fault."""

    FAULT = "fault"
    BELOW = "below the threshold"
    UNDECIDED = "undecided"
    TOO_FEW = "too few seeds"
    UNKNOWN = "not measured"
    UNTOLD = "unclear: labels are noisy"


@dataclass(frozen=True)
class Gap:
    """The step from one error to the next, and whether it is a fault."""

    fault: str
    start: str
    """REFERENCE or a slot."""
    end: str
    values: tuple[float, ...]
    """The gap of each independent value."""
    interval: Interval
    finding: Finding
    p: float
    """The p-value of the one-sided test that the gap is above the threshold, as Holm corrects it; nan if not tested."""


@dataclass(frozen=True)
class Diagnosis:
    """The faults of one group of runs, with the errors and gaps that show them."""

    group: str
    label: str
    reference: float
    threshold: float
    gaps: tuple[Gap, ...]
    levels: dict[str, Interval]
    """The mean error in each slot that was measured."""
    dots: dict[str, tuple[float, ...]]
    """The values behind each mean, one per seed."""
    runs: int
    ended: int
    """How many runs ended well."""
    diverged: int
    over: str
    """The name of the independent values: seeds, or training sets where several runs share one."""
    tests: int
    """How many gaps were corrected for each other, those of this diagnosis among them."""
    memorised: Interval
    """How much of the error on the true training labels comes from memorised wrong labels."""
    untold: bool
    """Whether training labels were made noisy and the error on the true labels is not known for all runs."""

    @property
    def n(self) -> int:
        """How many values there are behind each gap."""
        return max((len(gap.values) for gap in self.gaps), default=0)

    @property
    def judged(self) -> bool:
        """Whether there are enough values to name a fault."""
        return self.n >= ENOUGH_FOR_AN_INTERVAL

    @property
    def faults(self) -> tuple[Gap, ...]:
        """The gaps that are faults, the largest first."""
        faults = [gap for gap in self.gaps if gap.finding is Finding.FAULT]
        return tuple(sorted(faults, key=lambda gap: -gap.interval.mean))

    @property
    def named(self) -> tuple[str, ...]:
        """What the group suffers from: its faults, the largest first, then whether it has memorised wrong labels."""
        memorised = (WRONG_LABELS,) if _has_memorised(self.memorised, self.levels[TRAIN], self.threshold) else ()
        return (*(gap.fault for gap in self.faults), *memorised)

    @property
    def advice(self) -> dict[str, tuple[str, ...]]:
        """Advice against each fault that is named."""
        return {fault: ADVICE[fault] for fault in self.named}

    @property
    def basis(self) -> str:
        """The name of the intervals, with n."""
        if not self.judged:
            return f"n={self.n}, no interval"
        holm_words = f", faults after Holm's correction for {self.tests} gaps" if self.tests > 1 else ""
        kind = "paired within runs" if self.over == SEEDS else "means over the runs on one training set"
        return f"95% t-intervals, n={self.n} {self.over}, {kind}{holm_words}"

    @property
    def sentence(self) -> str:
        """The whole diagnosis in plain text."""
        return " ".join(filter(None, [self._gaps_sentence, self.memorised_sentence]))

    @property
    def memorised_sentence(self) -> str:
        """The sentence that the group has memorised wrong labels; empty where it has not."""
        if WRONG_LABELS not in self.named:
            return ""
        return (
            "It has memorised wrong labels: most of its error on the true training labels comes from them"
            f" ({plus_minus(self.memorised)})."
        )

    @property
    def _gaps_sentence(self) -> str:
        if not self.n:
            if self.runs and self.diverged == self.runs:
                return f"All {self.runs} runs of {self.label} diverged: there is no error to read a fault from."
            return f"{self.label} has no run with both a training and a validation error yet."
        if self.untold:
            return (
                f"{self.label}: bias and variance cannot be told from wrong labels. Its training labels were made"
                " noisy, and its error on the true ones is not known."
            )
        sizes = ", ".join(f"{gap.fault} {plus_minus(gap.interval)}" for gap in self.gaps if gap.values)
        if not self.judged:
            carry = "One seed carries" if self.n == 1 else f"{self.n} seeds carry"
            return f"{carry} no interval: no fault is named for {self.label} ({sizes})."
        limit = f"threshold {number(self.threshold, 3)}"
        if self.faults:
            named = " and ".join(f"{gap.fault} ({plus_minus(gap.interval)})" for gap in self.faults)
            undecided = [gap.fault for gap in self.gaps if gap.finding is Finding.UNDECIDED]
            unsure = f"; {' and '.join(undecided)} cannot be told" if undecided else ""
            return f"{self.label} suffers from {named}: above the {limit}{unsure}."
        if all(gap.finding is Finding.BELOW for gap in self.gaps if gap.values):
            return f"{self.label} has no fault above the {limit} ({sizes})."
        return (
            f"{self.label}: no fault can be named, its {self.over} leave open whether a gap exceeds the {limit}"
            f" ({sizes})."
        )

    def frame(self) -> pd.DataFrame:
        """One row per gap: its mean, interval, p and finding."""
        return pd.DataFrame(
            [
                {
                    "group": self.label,
                    "gap": gap.fault,
                    "from": gap.start,
                    "to": gap.end,
                    "mean": gap.interval.mean,
                    "low": gap.interval.low,
                    "high": gap.interval.high,
                    "n": gap.interval.n,
                    "p": gap.p,
                    "threshold": self.threshold,
                    "finding": str(gap.finding),
                    "memorised": self.memorised.mean,
                    "runs": self.runs,
                    "diverged": self.diverged,
                }
                for gap in self.gaps
            ]
        )


def _ended(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The runs of each group that ended ok with both errors."""
    numbers = {
        slot: pd.to_numeric(runs[slot], errors="coerce").astype(float)
        for slot in (TRAIN, TRAIN_DEV, DEV)
        if slot in runs
    }
    both = np.isfinite(numbers[TRAIN]) & np.isfinite(numbers[DEV])
    ended = runs.assign(**numbers)[both & (runs["outcome"] == Outcome.OK)]
    return {str(name): rows for name, rows in ended.groupby("group", sort=False)}


@dataclass(frozen=True)
class _Measured:
    """The errors of one group's runs that ended ok."""

    slots: pd.DataFrame
    """One column per slot, one row per independent value."""
    over: str
    """What has one row each: seeds, or training sets."""
    memorised: Interval
    untold: bool

    def hides(self, fault: str) -> bool:
        """Whether wrong labels alone may explain a gap."""
        return self.untold and fault != MISMATCH


def _measured(runs: pd.DataFrame) -> _Measured:
    has_train_dev = TRAIN_DEV in runs and len(runs) and np.isfinite(runs[TRAIN_DEV]).all()
    slots = [TRAIN, TRAIN_DEV, DEV] if has_train_dev else [TRAIN, DEV]
    values, over, _ = independent_rows(runs, [*slots, MEMORISED])
    return _Measured(values[slots], over, interval(values[MEMORISED]), bool(runs[UNTOLD].any()))


def _has_memorised(memorised: Interval, train: Interval, threshold: float) -> bool:
    """Whether enough wrong labels were memorised to matter: a fact about these runs, however few they are.

    That is so if memorised labels make up most of the error on the true training labels, so that `train`, the rest of
    it, is smaller: in a classification, if the training error is below the share of wrong labels.
    """
    return memorised.n > 0 and memorised.mean > max(threshold, train.mean)


def _p_above(values: Sequence[float], threshold: float) -> float:
    """The p-value of the one-sided t-test that the mean gap is above the threshold; nan below three values."""
    from scipy.special import stdtr

    x = np.asarray(values, dtype=float) - threshold
    if len(x) < 3:
        return math.nan
    spread = float(x.std(ddof=1))
    if spread <= 1e-12 * float(np.abs(x).max()):
        return 0.0 if x.mean() > 0 else 1.0
    return float(stdtr(len(x) - 1, -x.mean() / (spread / math.sqrt(len(x)))))


def _gaps(measured: pd.DataFrame, reference: float) -> list[tuple[str, str, str, list[float]]]:
    """The fault, start, end and values of each gap, from one error to the next."""
    slots = [str(slot) for slot in measured]
    faults = (BIAS, VARIANCE, MISMATCH)[: len(slots)]
    gaps = []
    for fault, start, end in zip(faults, [REFERENCE, *slots], slots, strict=False):
        before = reference if start == REFERENCE else measured[start]
        gaps.append((fault, start, end, [float(value) for value in measured[end] - before]))
    return gaps


def _finding(fault: str, gap: Interval, p: float, threshold: float, measured: _Measured) -> Finding:
    if not gap.n:
        return Finding.UNKNOWN
    if measured.hides(fault):
        return Finding.UNTOLD
    if not gap.shown:
        return Finding.TOO_FEW
    memorised = _has_memorised(measured.memorised, interval(measured.slots[TRAIN]), threshold)
    if gap.low > threshold and p <= ALPHA and not (fault == BIAS and memorised):
        return Finding.FAULT
    return Finding.BELOW if gap.high < threshold else Finding.UNDECIDED


def _diagnosis(
    name: str,
    runs: pd.DataFrame,
    measured: _Measured,
    gaps: Sequence[Gap],
    reference: float,
    threshold: float,
    tests: int,
) -> Diagnosis:
    dots = {str(slot): tuple(measured.slots[slot].tolist()) for slot in measured.slots}
    return Diagnosis(
        group=name,
        label=str(runs["label"].iloc[0]),
        reference=reference,
        threshold=threshold,
        gaps=tuple(gaps),
        levels={slot: interval(values) for slot, values in dots.items()},
        dots=dots,
        runs=len(runs),
        ended=int((runs["outcome"] == Outcome.OK).sum()),
        diverged=int((runs["outcome"] == Outcome.DIVERGED).sum()),
        over=measured.over,
        tests=tests,
        memorised=measured.memorised,
        untold=measured.untold,
    )


def diagnoses(runs: pd.DataFrame, reference: float = 0.0, threshold: float = 0.0) -> list[Diagnosis]:
    """The diagnosis of each group, as they first appear, corrected for all gaps that are judged together.

    Args:
        runs: One row per run that counts: group, label, outcome, dev, train, and where they exist train_dev, seed,
            seed_data and what `analysis.runs.true_labels.true_errors` takes. Errors: lower is better.
        reference: The error that the task allows.
        threshold: How large a gap must be to matter, in units of the error.
    """
    if not (math.isfinite(reference) and math.isfinite(threshold) and threshold >= 0):
        raise ValueError(
            f"reference, threshold: {reference}, {threshold} are not allowed; allowed: a number, and one of 0 or more"
        )
    runs = true_errors(runs)
    groups = {str(name): rows for name, rows in runs.groupby("group", sort=False)}
    ended = _ended(runs)
    measured = {name: _measured(ended.get(name, runs.head(0))) for name in groups}
    gaps = [(name, *gap) for name in groups for gap in _gaps(measured[name].slots, reference)]
    ps = np.array(
        [math.nan if measured[name].hides(fault) else _p_above(values, threshold) for name, fault, _, _, values in gaps]
    )
    tested = np.isfinite(ps)
    ps[tested] = holm(ps[tested])
    judged: dict[str, list[Gap]] = {name: [] for name in groups}
    for (name, fault, start, end, values), p in zip(gaps, ps.tolist(), strict=True):
        results = measured[name].slots.to_numpy(dtype=float)
        mean = interval(values, rounding=resolution([reference, *results.ravel()]))
        finding = _finding(fault, mean, p, threshold, measured[name])
        judged[name].append(Gap(fault, start, end, tuple(values), mean, finding, p))
    return [
        _diagnosis(name, rows, measured[name], judged[name], reference, threshold, int(tested.sum()))
        for name, rows in groups.items()
    ]


def default_threshold(runs: pd.DataFrame) -> float:
    """A tenth of the median validation error, to one digit: a gap that is worth an effort; 0 where nothing is known."""
    errors = true_errors(runs)[DEV].to_numpy(dtype=float)
    errors = np.abs(errors[np.isfinite(errors)])
    tenth = float(np.median(errors)) / 10 if len(errors) else 0.0
    return float(f"{tenth:.0e}") if tenth > 0 else 0.0


def best_first(groups: Sequence[Diagnosis]) -> list[Diagnosis]:
    """The groups in the order of `tracking.order`, the best first."""
    several = replicated((group.ended, group.ended + group.diverged) for group in groups)
    errors = [group.levels[DEV].mean if group.dots.get(DEV) else math.inf for group in groups]
    means = level_ties(errors, resolution(value for group in groups for value in group.dots.get(DEV, ())))

    def order(place: int) -> tuple[Any, ...]:
        group = groups[place]
        return (*order_key(group.ended, group.ended + group.diverged, means[place], several), group.label)

    return [groups[place] for place in sorted(range(len(groups)), key=order)]
