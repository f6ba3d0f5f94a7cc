"""The diagnoses of several groups summed up in sentences of plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analysis.bias_variance.diagnosis import BIAS, MISMATCH, VARIANCE, WRONG_LABELS, Diagnosis, best_first
from analysis.runs.metric_slots import DEV
from analysis.statistics.rounding import all_same
from analysis.words import share, some

MOST_NAMED: Final = 3
"""How many groups a sentence names."""


def _suffering(groups: Sequence[Diagnosis], fault: str) -> str:
    """How many groups suffer from a fault, as a clause; empty where none does."""
    many = sum(fault in group.named for group in groups)
    verb = ("has" if many == 1 else "have") if fault == WRONG_LABELS else f"{'suffers' if many == 1 else 'suffer'} from"
    return f"{share(many, len(groups), 'group')} {verb} {fault}" if many else ""


def _of_labels(labels: Sequence[str], one: str, several: str) -> list[str]:
    """The clause on these groups, with the verb of `one` or of `several`; an empty list without any group."""
    return [f"{some(labels, MOST_NAMED)} {one if len(labels) == 1 else several}"] if labels else []


def _left_out(groups: Sequence[Diagnosis]) -> list[str]:
    """Which groups are not judged and why, a clause per reason."""
    diverged = [group.label for group in groups if group.runs and group.diverged == group.runs]
    unmeasured = [group.label for group in groups if not group.n and group.diverged < group.runs]
    few = [group.label for group in groups if group.n and not group.judged]
    errors = "no run with both a training and a validation error yet"
    return [
        *_of_labels(diverged, "diverged in all its runs", "diverged in all their runs"),
        *_of_labels(unmeasured, f"has {errors}", f"have {errors}"),
        *_of_labels(few, "has too few seeds", "have too few seeds"),
    ]


def _without_an_error(groups: Sequence[Diagnosis]) -> str:
    runs = sum(group.runs for group in groups)
    if runs and sum(group.diverged for group in groups) == runs:
        return f"All {runs} runs diverged: there is no error to read a fault from."
    return "No run has both a training and a validation error yet."


def _leader(groups: Sequence[Diagnosis]) -> str:
    """The sentence on which group has the least validation error, or that all are the same."""
    errors = [value for group in groups for value in group.dots[DEV]]
    if all_same(errors) and not any(group.diverged for group in groups):
        return "All validation errors are the same."
    return f"{best_first(groups)[0].label} leads by its validation error."


def _without_an_interval(groups: Sequence[Diagnosis], measured: Sequence[Diagnosis]) -> str:
    most = max(group.n for group in groups)
    memorised = _suffering(groups, WRONG_LABELS)
    return (
        f"{'One seed a group carries' if most == 1 else f'{most} seeds a group carry'} no interval: no fault is"
        f" named{f', but {memorised}' if memorised else ''}. {_leader(measured)}"
    )


def summary(groups: Sequence[Diagnosis]) -> str:
    """The summary of a whole sweep: how many groups suffer from what, which are not judged, and how the best does."""
    measured = [group for group in groups if group.n]
    if not measured:
        return _without_an_error(groups)
    best = best_first(measured)[0]
    if len(groups) == 1:
        return best.sentence
    if not any(group.judged for group in measured):
        return _without_an_interval(groups, measured)
    counts = [*filter(None, (_suffering(groups, fault) for fault in (BIAS, VARIANCE, MISMATCH, WRONG_LABELS)))]
    if untold := sum(group.untold for group in measured if group.judged):
        where = share(untold, len(groups), "group")
        counts.append(f"in {where} bias and variance cannot be told from wrong labels")
    faults = ", ".join(counts) or f"a fault can be named in none of {len(groups)} groups"
    whole = "; ".join([faults, *_left_out(groups)])
    # The counts say already that wrong labels hide the faults of the best.
    leader = f"{best.label} leads by its validation error." if best.untold else f"The best: {best.sentence}"
    return f"{whole[0].upper()}{whole[1:]}. {leader}"
