"""Avoidable bias, variance, data mismatch: which of them a group of runs suffers from, and what helps against each.

The errors are read in this order (Ng 2018, Machine learning yearning, chapters 20 to 40): the reference, what the task
allows (a person's error, or Bayes'); training data in evaluation mode; held-out data like the training data, where such
were measured; validation data. Each gap is taken within a run and averaged over seeds, with a t-interval; where several
runs share a training set their mean is one value, since they are no independent draws.

A gap is a fault where its interval lies above the threshold and the one-sided t-test agrees after Holm's correction for
all gaps that are judged. It is none where its interval lies below the threshold, and undecided else. Below three values
nothing is named.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import pandas as pd

from analysis.intervals import Interval, interval, number, plus_minus
from analysis.statistics import holm
from analysis.units import SEEDS, units
from tracking.order import replicated
from tracking.schema import Outcome

REFERENCE, TRAIN, TRAIN_DEV, DEV = "reference", "train", "train_dev", "dev"
BIAS, VARIANCE, MISMATCH = "avoidable bias", "variance", "data mismatch"
ALPHA: Final = 0.025
"""One-sided, as the upper or lower end of a 95 % interval."""

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
}
"""Fault -> what may help against it, the likeliest first."""


class Finding(StrEnum):
    """What is known of a gap."""

    FAULT = "fault"
    BELOW = "below the threshold"
    UNDECIDED = "undecided"
    TOO_FEW = "too few seeds"
    UNKNOWN = "not measured"


@dataclass(frozen=True)
class Gap:
    """The step from one error to the next."""

    fault: str
    start: str
    """REFERENCE or a slot."""
    end: str
    values: tuple[float, ...]
    interval: Interval
    finding: Finding
    p: float
    """One-sided, that the gap is no larger than the threshold; corrected by Holm; nan below three values."""


@dataclass(frozen=True)
class Diagnosis:
    """What one group of runs suffers from."""

    group: str
    label: str
    reference: float
    threshold: float
    gaps: tuple[Gap, ...]
    levels: dict[str, Interval]
    """Slot -> its error over the seeds; of those that were measured."""
    dots: dict[str, tuple[float, ...]]
    """Slot -> a value a seed."""
    runs: int
    diverged: int
    over: str
    """What the values are of: seeds, or training sets where several runs share one."""
    tests: int
    """Among how many gaps this diagnosis was corrected."""

    @property
    def n(self) -> int:
        """Values behind each gap."""
        return max((len(gap.values) for gap in self.gaps), default=0)

    @property
    def faults(self) -> tuple[Gap, ...]:
        """The gaps that are faults, the largest first."""
        found = [gap for gap in self.gaps if gap.finding is Finding.FAULT]
        return tuple(sorted(found, key=lambda gap: -gap.interval.mean))

    @property
    def advice(self) -> dict[str, tuple[str, ...]]:
        """Fault -> what may help, for the faults that are named."""
        return {gap.fault: ADVICE[gap.fault] for gap in self.faults}

    @property
    def rank(self) -> tuple[float, float]:
        """By it groups are ordered, the best first: the share of diverged runs, then the mean validation error."""
        found = self.levels.get(DEV)
        return self.diverged / max(self.runs, 1), found.mean if found is not None and found.n else math.inf

    @property
    def basis(self) -> str:
        """How the intervals are named, with n."""
        if self.n < 3:
            return f"n={self.n}, no interval"
        holm_words = f", faults after Holm's correction for {self.tests} gaps" if self.tests > 1 else ""
        kind = "paired within runs" if self.over == SEEDS else "means over the runs on one training set"
        return f"95% t-intervals, n={self.n} {self.over}, {kind}{holm_words}"

    @property
    def sentence(self) -> str:
        """The verdict, in plain text."""
        if not self.n:
            if self.runs and self.diverged == self.runs:
                return f"All {self.runs} runs of {self.label} diverged: there is no error to read a fault from."
            return f"{self.label} has no run with both a training and a validation error yet."
        told = ", ".join(f"{gap.fault} {plus_minus(gap.interval)}" for gap in self.gaps if gap.values)
        if self.n < 3:
            carry = "One seed carries" if self.n == 1 else f"{self.n} seeds carry"
            return f"{carry} no interval: no fault is named for {self.label} ({told})."
        limit = f"threshold {number(self.threshold, 3)}"
        if self.faults:
            named = " and ".join(f"{gap.fault} ({plus_minus(gap.interval)})" for gap in self.faults)
            rest = [gap for gap in self.gaps if gap.finding is Finding.UNDECIDED]
            unsure = f"; {' and '.join(gap.fault for gap in rest)} cannot be told" if rest else ""
            return f"{self.label} suffers from {named}: above the {limit}{unsure}."
        if all(gap.finding is Finding.BELOW for gap in self.gaps if gap.values):
            return f"{self.label} has no fault above the {limit} ({told})."
        return (
            f"{self.label}: no fault can be named, its {self.over} leave open whether a gap exceeds the {limit}"
            f" ({told})."
        )

    def frame(self) -> pd.DataFrame:
        """A row a gap: its mean, interval, p and finding."""
        return pd.DataFrame(
            [
                {
                    "group": self.label, "gap": gap.fault, "from": gap.start, "to": gap.end, "mean": gap.interval.mean,
                    "low": gap.interval.low, "high": gap.interval.high, "n": gap.interval.n, "p": gap.p,
                    "threshold": self.threshold, "finding": str(gap.finding), "runs": self.runs,
                    "diverged": self.diverged,
                }
                for gap in self.gaps
            ]
        )  # fmt: skip


def _ended(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Group -> its runs that ended ok with both errors."""
    numbers = {
        slot: pd.to_numeric(runs[slot], errors="coerce").astype(float)
        for slot in (TRAIN, TRAIN_DEV, DEV)
        if slot in runs
    }
    both = np.isfinite(numbers[TRAIN]) & np.isfinite(numbers[DEV])
    found = runs.assign(**numbers)[both & (runs["outcome"] == Outcome.OK)]
    return {str(name): own for name, own in found.groupby("group", sort=False)}


def _measured(runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The slots of a group's runs, a row an independent value; what the rows are of."""
    apart = TRAIN_DEV in runs and len(runs) and np.isfinite(runs[TRAIN_DEV]).all()
    found, over, _ = units(runs, [TRAIN, TRAIN_DEV, DEV] if apart else [TRAIN, DEV])
    return found, over


def _above(values: Sequence[float], threshold: float) -> float:
    """p of the one-sided t-test against a mean gap of at most the threshold; nan below three values."""
    from scipy.special import stdtr

    x = np.asarray(values, dtype=float) - threshold
    if len(x) < 3:
        return math.nan
    spread = float(x.std(ddof=1))
    if spread <= 1e-12 * float(np.abs(x).max()):
        return 0.0 if x.mean() > 0 else 1.0
    return float(stdtr(len(x) - 1, -x.mean() / (spread / math.sqrt(len(x)))))


def _gaps(measured: pd.DataFrame, reference: float) -> list[tuple[str, str, str, list[float]]]:
    """Fault, start, end and values of each gap, from one error to the next."""
    slots = [str(slot) for slot in measured]
    faults = (BIAS, VARIANCE, MISMATCH)[: len(slots)]
    found = []
    for fault, start, end in zip(faults, [REFERENCE, *slots], slots, strict=False):
        before = reference if start == REFERENCE else measured[start]
        found.append((fault, start, end, [float(value) for value in measured[end] - before]))
    return found


def _finding(found: Interval, p: float, threshold: float) -> Finding:
    if not found.n:
        return Finding.UNKNOWN
    if not found.shown:
        return Finding.TOO_FEW
    if found.low > threshold and p <= ALPHA:
        return Finding.FAULT
    return Finding.BELOW if found.high < threshold else Finding.UNDECIDED


def diagnoses(runs: pd.DataFrame, reference: float = 0.0, threshold: float = 0.0) -> list[Diagnosis]:
    """What each group suffers from, as they first appear, corrected for all that are judged together.

    Args:
        runs: One row a run that counts: group, label, outcome, dev, train, and where they exist train_dev, seed,
            seed_data. Errors: lower is better.
        reference: The error that the task allows.
        threshold: How large a gap must be to matter, in units of the error.
    """
    if not (math.isfinite(reference) and math.isfinite(threshold) and threshold >= 0):
        raise ValueError(
            f"reference, threshold: {reference}, {threshold} are not allowed; allowed: a number, and one of 0 or more"
        )
    groups = {str(name): own for name, own in runs.groupby("group", sort=False)}
    ended = _ended(runs)
    measured = {name: _measured(ended.get(name, runs.head(0))) for name in groups}
    gaps = {name: _gaps(frame, reference) for name, (frame, _) in measured.items()}
    ps = np.array([_above(values, threshold) for own in gaps.values() for *_, values in own])
    tested = np.isfinite(ps)
    ps[tested] = holm(ps[tested])
    corrected = iter(ps.tolist())
    found = []
    for name, own in groups.items():
        frame, over = measured[name]
        judged = []
        for fault, start, end, values in gaps[name]:
            p, gap = next(corrected), interval(values)
            judged.append(Gap(fault, start, end, tuple(values), gap, _finding(gap, p, threshold), p))
        dots = {str(slot): tuple(frame[slot].tolist()) for slot in frame}
        levels = {slot: interval(values) for slot, values in dots.items()}
        lost = int((own["outcome"] == Outcome.DIVERGED).sum())
        found.append(
            Diagnosis(
                name, str(own["label"].iloc[0]), reference, threshold, tuple(judged), levels, dots, len(own), lost,
                over, int(tested.sum()),
            )
        )  # fmt: skip
    return found


def default_threshold(runs: pd.DataFrame) -> float:
    """A tenth of the median validation error, to one digit: a gap that is worth an effort; 0 where nothing is known."""
    errors = pd.to_numeric(runs[DEV], errors="coerce").to_numpy(dtype=float)
    errors = np.abs(errors[np.isfinite(errors)])
    tenth = float(np.median(errors)) / 10 if len(errors) else 0.0
    return float(f"{tenth:.0e}") if tenth > 0 else 0.0


def best_first(found: Sequence[Diagnosis]) -> list[Diagnosis]:
    """The groups, the best first; those of one run behind those of several (see `tracking.order`)."""
    several = replicated((each.runs - each.diverged, each.runs) for each in found)
    return sorted(found, key=lambda each: (several and each.runs == 1, *each.rank, each.label))


def summary(found: Sequence[Diagnosis]) -> str:
    """What a whole sweep says: what its best group suffers from, and how many of the others from what."""
    known = [each for each in found if each.n]
    if not known:
        runs = sum(each.runs for each in found)
        if runs and sum(each.diverged for each in found) == runs:
            return f"All {runs} runs diverged: there is no error to read a fault from."
        return "No run has both a training and a validation error yet."
    best = best_first(known)[0]
    if len(found) == 1:
        return best.sentence
    judged = [each for each in known if each.n >= 3]
    if not judged:
        most = max(each.n for each in known)
        return (
            f"{'One seed a group carries' if most == 1 else f'{most} seeds a group carry'} no interval: no fault is"
            f" named. The lowest validation error is that of {best.label}."
        )
    counts = []
    for fault in (BIAS, VARIANCE, MISMATCH):
        many = sum(any(gap.fault == fault for gap in each.faults) for each in judged)
        if many:
            which = f"all {many} groups" if many == len(judged) else f"{many} of {len(judged)} groups"
            counts.append(f"{which} {'suffers' if many == 1 else 'suffer'} from {fault}")
    whole = ", ".join(counts) if counts else f"in none of {len(judged)} groups a fault can be named"
    return f"{whole[0].upper()}{whole[1:]}. The best: {best.sentence}"
