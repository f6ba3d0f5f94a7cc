"""The learning curve: training and validation error against the size of the training set, or any other number.

A high-bias learner shows two curves that meet above the reference error: more examples cannot bring validation below
what training has reached. A high-variance learner shows a gap that narrows as the set grows. Which of them it is, and
so whether more examples help, is decided by `analysis.bias_variance.diagnosis` alone; the curve adds whether its last
step still paid.

Over a capacity, such as the width, the same figure shows where networks begin to fit their training set and whether
the validation error descends twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from analysis.bias_variance.capacity import FITTED, FITTED_SHARE, fitted_from
from analysis.bias_variance.diagnosis import BIAS, VARIANCE, Diagnosis, Finding, diagnoses
from analysis.bias_variance.double_descent import Descent, descent
from analysis.figures.param_axis import ParamAxis, axis_of, is_size, size
from analysis.runs.metric_slots import DEV, TRAIN
from analysis.runs.true_labels import GIVEN, true_errors
from analysis.statistics import Difference, Interval, difference, interval, number, plus_minus
from analysis.statistics.independent import independent_rows
from analysis.statistics.rounding import resolution
from tracking.schema import Outcome

MOST_LINES: Final = 7
"""How many configurations are drawn."""
MOST_TOLD: Final = 3
"""How many configurations the sentence describes."""


@dataclass(frozen=True)
class Dots:
    """The runs at one value of the axis."""

    value: Any
    place: float
    seeds: dict[str, dict[Any, float]]
    """The errors of DEV and TRAIN, each by seed, training set or position."""
    means: dict[str, Interval]
    diverged: int
    runs: int
    over: str
    """The name of the independent values: seeds, or training sets where several runs share one."""
    paired: bool
    """Whether the keys of the errors can pair them with those of other sizes."""
    given: Interval
    """The training error on the labels that the networks were trained on."""
    diagnosis: Diagnosis | None
    """The diagnosis of these runs; None where they are several groups."""


@dataclass(frozen=True)
class Line:
    """One configuration over the axis."""

    name: str
    """Empty where there is only one line."""
    dots: tuple[Dots, ...]

    @property
    def known(self) -> list[Dots]:
        """The dots that have a validation error."""
        return [dots for dots in self.dots if dots.means[DEV].n]


@dataclass(frozen=True)
class LearningCurveInfo:
    """Errors over a numeric param, as `plot_learning_curve` draws them."""

    axis: ParamAxis
    lines: tuple[Line, ...]
    dev: str
    """The name of the validation metric."""
    train: str
    """The name of the training metric; empty where it was not logged."""
    reference: float
    """The error that the task allows."""

    @property
    def along_size(self) -> bool:
        """Whether the axis is the size of the training set."""
        return is_size(self.axis.key)

    @property
    def threshold(self) -> Dots | None:
        """Where networks begin to fit their training set; None over its size, for several lines, or if they do not."""
        if self.along_size or len(self.lines) != 1 or not self.axis.numeric:
            return None
        measured = [dots for dots in self.lines[0].known if dots.given.n]
        errors = [dots.given.mean for dots in measured]
        are_shares = all(0 <= error <= 1 for error in errors)
        place = fitted_from(errors, FITTED if are_shares else FITTED_SHARE * max(errors, default=0.0))
        return None if place is None else measured[place]

    @property
    def descent(self) -> Descent | None:
        """The second descent of the validation error; None where there is no peak, or for several lines."""
        row = self.lines[0].known if len(self.lines) == 1 else []
        if not row or not self.axis.numeric or not all(dots.paired for dots in row):
            return None
        return descent([self.axis.text(dots.value) for dots in row], [dots.seeds[DEV] for dots in row], row[0].over)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(line.known for line in self.lines)

    @property
    def problem(self) -> str:
        """Why nothing can be drawn; empty where something can."""
        if not self.empty:
            return ""
        every = [dots for line in self.lines for dots in line.dots]
        runs, diverged = sum(dots.runs for dots in every), sum(dots.diverged for dots in every)
        return f"All {runs} runs diverged." if runs and diverged == runs else "No run has a validation error yet."

    @property
    def kind(self) -> str:
        """The name of the intervals; empty where there are none."""
        measured = [dots for line in self.lines for dots in line.known]
        sizes = sorted({dots.means[DEV].n for dots in measured if dots.means[DEV].shown})
        if not sizes:
            return ""
        over = measured[0].over
        return f"95% t-intervals, n={sizes[0] if len(sizes) == 1 else f'{sizes[0]} to {sizes[-1]}'} {over}"

    @property
    def sentence(self) -> str:
        """What the curve of each line says, and the second descent if there is one, in plain text."""
        line_sentence = _by_size if self.along_size else _by_capacity
        sentences = [line_sentence(self, line) for line in self.lines if line.known][:MOST_TOLD]
        if (descent := self.descent) is not None:
            sentences.append(descent.sentence)
        return " ".join(sentences)

    @property
    def shows(self) -> str:
        """The caption in a document: what the figure shows."""
        return f"{self.dev} and training error against {self.axis.key}"

    @property
    def n(self) -> str:
        """`n=8 seeds`; `n below 3` where there is no interval."""
        return self.kind.partition(", ")[2] or "n below 3"

    @property
    def interval(self) -> str:
        """The kind of the intervals; nothing where there are none."""
        return self.kind

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""
        over = self.lines[0].dots[0].over
        words = [f"Dots are {over}, thick points their means"]
        words += [f"bars the {self.kind}"] if self.kind else [f"below three {over} no interval is drawn"]
        if self.threshold is not None:
            words += ["the dashed line is where networks begin to fit their training set"]
        return "; ".join(words) + "."

    def frame(self) -> pd.DataFrame:
        """One row per error of a run or training set."""
        rows = [
            {
                "line": line.name,
                self.axis.title: self.axis.text(dots.value),
                "error": slot,
                "seed": seed,
                "value": value,
            }
            for line in self.lines
            for dots in line.dots
            for slot, values in dots.seeds.items()
            for seed, value in values.items()
        ]
        return pd.DataFrame(rows, columns=["line", self.axis.title, "error", "seed", "value"])


def _gap(at: Dots) -> Interval:
    """The validation error minus the training error, within runs."""
    dev, train = at.seeds[DEV], at.seeds[TRAIN]
    shared = [seed for seed in dev if seed in train]
    rounding = resolution([value for seed in shared for value in (dev[seed], train[seed])])
    return interval([dev[seed] - train[seed] for seed in shared], rounding=rounding)


def _slope(before: Dots, last: Dots) -> Difference:
    """How much the validation error fell from one size to the next."""
    shared = before.paired and last.paired and before.over == last.over
    on = last.over.rstrip("s") if shared and set(before.seeds[DEV]) & set(last.seeds[DEV]) else None
    first, second = before.seeds[DEV], last.seeds[DEV]
    return difference(first, second, on) if on else difference(list(first.values()), list(second.values()))


def _errors(info: LearningCurveInfo, line: Line, at: Dots) -> str:
    """`At 800 examples validation error is 0.12 ± 0.01, 0.05 ± 0.01 above training error (n=8 seeds)`."""
    value = info.axis.text(at.value)
    where = f"{value} examples" if info.along_size else f"{info.axis.key} {value}"
    lead = f"{line.name}: at" if line.name else "At"
    words, gap, n = f"{lead} {where} validation error is {plus_minus(at.means[DEV])}", _gap(at), at.means[DEV].n
    if gap.n:
        words += f", {plus_minus(gap)} above training error"
    return f"{words} (n={n} {at.over if n > 1 else at.over.rstrip('s')})"


def _trend(info: LearningCurveInfo, before: Dots, last: Dots, step: Difference) -> str:
    """Whether the validation error still fell with the last step, as a clause."""
    fell, since = step.interval, f"from {info.axis.text(before.value)}"
    if not fell.shown or not math.isfinite(fell.low):
        return f"; whether it still falls {since} cannot be told: too few {last.over}"
    if fell.low > 0:
        return f"; {since} it fell by {plus_minus(fell)} ({step.kind})"
    if fell.high < 0:
        return f"; {since} it rose by {plus_minus(fell.turned)} ({step.kind})"
    return f"; whether it still falls cannot be told: {since} it changed by {plus_minus(fell.turned)} ({step.kind})"


def _more_examples(diagnosis: Diagnosis) -> str:
    """Whether more examples help, as a clause: only against variance; empty if neither variance nor bias is named."""
    if VARIANCE in diagnosis.named:
        return ": more examples help against variance alone" if BIAS in diagnosis.named else ": more examples help"
    return ": more examples alone will not help" if BIAS in diagnosis.named else ""


def _judged(info: LearningCurveInfo, at: Dots, *, examples: bool) -> str:
    """The diagnosis of the runs at one size, in sentences.

    Args:
        info: The whole curve.
        at: The runs.
        examples: Whether to say if more examples help.
    """
    diagnosis = at.diagnosis
    if diagnosis is None or not diagnosis.judged:
        return ""
    faults = [gap.fault for gap in diagnosis.faults]
    limit = number(diagnosis.threshold, 3)
    if diagnosis.untold:
        words = "Bias and variance cannot be told from wrong labels"
    elif faults:
        words = f"This is {' and '.join(faults)}{_more_examples(diagnosis) if examples else ''}"
    elif all(gap.finding is Finding.BELOW for gap in diagnosis.gaps):
        words = f"No fault exceeds the threshold {limit}"
    else:
        words = f"Whether a fault exceeds the threshold {limit} cannot be told"
    reached = bool(info.reference) and at.means[DEV].high < info.reference
    below = f" It lies below the reference error {number(info.reference, 3)}." if reached else ""
    return " ".join(filter(None, [f"{below} {words}.", diagnosis.memorised_sentence]))


def _by_size(info: LearningCurveInfo, line: Line) -> str:
    """What the two curves of a line say at the largest training set."""
    *before, last = line.known
    words = _errors(info, line, last)
    if not last.means[DEV].shown:
        return f"{words}: too few for a verdict."
    step = _slope(before[-1], last) if before else None
    trend = _trend(info, before[-1], last, step) if step else ""
    rose = step is not None and step.interval.shown and step.interval.high < 0
    return f"{words}{trend}.{_judged(info, last, examples=not rose)}"


def _by_capacity(info: LearningCurveInfo, line: Line) -> str:
    """Where the validation error of a line is lowest, in sentences."""
    best = min(line.known, key=lambda dots: dots.means[DEV].mean)
    words = _errors(info, line, best)
    if not best.means[DEV].shown:
        return f"{words}: too few for a verdict."
    return f"{words}, the lowest of {len(line.known)}.{_judged(info, best, examples=False)}"


def _dots(value: Any, axis: ParamAxis, runs: pd.DataFrame, diagnosed: Mapping[str, Diagnosis]) -> Dots:
    measured, over, paired = independent_rows(runs[runs["outcome"] == Outcome.OK], [DEV, TRAIN, GIVEN])
    errors = {
        slot: {key: float(x) for key, x in measured[slot].items() if math.isfinite(x)} for slot in (DEV, TRAIN, GIVEN)
    }
    means = {slot: interval(values.values()) for slot, values in errors.items()}
    given = means.pop(GIVEN)
    del errors[GIVEN]
    groups = runs["group"].map(str).unique()
    return Dots(
        value,
        axis.place(value),
        errors,
        means,
        diverged=int((runs["outcome"] == Outcome.DIVERGED).sum()),
        runs=len(runs),
        over=over,
        paired=paired,
        given=given,
        diagnosis=diagnosed[groups[0]] if len(groups) == 1 else None,
    )


def learning_curve_info(
    runs: pd.DataFrame,
    key: str,
    *,
    dev: str,
    train: str,
    reference: float = 0.0,
    threshold: float = 0.0,
    line: str = "",
) -> LearningCurveInfo:
    """Errors against a numeric param, those on the true labels where they are known.

    Args:
        runs: One row per run that counts: what `analysis.bias_variance.diagnosis.diagnoses` takes, `key` and
            `line`.
        key: The param of the horizontal axis; runs without a number there are left out.
        dev: The name of the validation metric.
        train: The name of the training metric; empty where there is none.
        reference: The error that the task allows.
        threshold: How large a gap must be to matter, in units of the error.
        line: The column that tells configurations apart; all are one if not given.
    """
    diagnosed = {diagnosis.group: diagnosis for diagnosis in diagnoses(runs, reference, threshold)}
    runs = true_errors(runs)
    runs = runs[[math.isfinite(size(value)) for value in runs[key]]] if len(runs) else runs
    axis = axis_of(key, runs[key].tolist())
    names = list(dict.fromkeys(runs[line])) if line else [""]
    lines = []
    for name in names[:MOST_LINES]:
        of_line = runs[runs[line] == name] if line else runs
        sizes = pd.Series([size(value) for value in of_line[key]], index=of_line.index, dtype=float)
        by_value = [(value, of_line[sizes == size(value)]) for value in axis.values]
        dots = tuple(_dots(value, axis, part, diagnosed) for value, part in by_value if len(part))
        lines.append(Line(str(name) if len(names) > 1 else "", dots))
    return LearningCurveInfo(axis, tuple(lines), dev, train, reference)
