"""The claims of a sweep and whether its runs support them: supported, refuted, undecided, or too early to tell.

A claim says that the runs with some values of the configuration have a better metric than those with others. Several
groups may have these values, since other keys were searched too: each side then stands at its best group, that with the
smallest share of diverged runs, then the best mean. A group that was chosen by the runs that judge it looks better than
it is, which is said; where winners were retrained with fresh seeds, these alone are judged. Claims are written down
before their runs are made; those of one sweep are corrected for each other (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol

import pandas as pd

from analysis.runs.comparison import Comparison, shown
from analysis.runs.methods import methods_of
from analysis.statistics.samples import NO_RESULT, Sample
from analysis.statistics.verdicts import Decision, Question, Verdict, answers
from analysis.words import joined
from tracking.configurations import identities, identity
from tracking.labels import label
from tracking.schema import MAXIMIZE, Outcome


class Status(StrEnum):
    """Whether the runs support a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    """The opposite was shown, or that there is no difference beyond the claim's margin."""
    UNDECIDED = "undecided"
    TOO_FEW = "too few seeds"
    NOT_YET = "not yet"
    """A side has no result."""


_STATUS: Final = {
    Decision.BETTER: Status.SUPPORTED,
    Decision.WORSE: Status.REFUTED,
    Decision.NO_DIFFERENCE: Status.REFUTED,
    Decision.UNDECIDED: Status.UNDECIDED,
    Decision.TOO_FEW: Status.TOO_FEW,
}


class Claimed(Protocol):
    """A claim as a sweep states it (`sweeps.spec.model.Claim`)."""

    @property
    def text(self) -> str: ...
    @property
    def better(self) -> Mapping[str, Any]: ...
    @property
    def than(self) -> Mapping[str, Any]: ...
    @property
    def metric(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def margin(self) -> float | None: ...


@dataclass(frozen=True)
class Side:
    """One side of a claim: the best of the groups that have the values which the claim names."""

    name: str
    sample: Sample
    """The results that it is judged by; empty before there is one."""
    params: Mapping[str, Any]
    """The values of the searched keys in the best group."""
    free: tuple[str, ...]
    """The keys beside the claim's in which the side's groups differ, so that one group had to be chosen."""
    fresh: bool
    """Whether it is judged by seeds that did not choose it."""


@dataclass(frozen=True)
class ClaimInfo:
    """A claim, whether the runs support it, and the verdict behind that."""

    text: str
    status: Status
    sentence: str
    """Why it has that status, with its figures: plain text."""
    metric: str
    direction: str
    better: Side
    """The side that is claimed to be better, at the group that it is judged by."""
    than: Side
    """The side that it is compared with."""
    verdict: Verdict

    @property
    def more(self) -> int | None:
        """The least number of further seeds that makes a verdict possible, where there are too few."""
        return self.verdict.more if self.status is Status.TOO_FEW else 0


def matches(runs: pd.DataFrame, values: Mapping[str, Any]) -> pd.Series[bool]:
    """Whether each run has these values; no run has where there is no such param.

    Args:
        runs: One row per run, one column per param.
        values: The value of each dotted key.
    """
    has_keys = all(key in runs.columns for key in values)
    matching = pd.Series(has_keys, index=runs.index, dtype=bool)
    for key, value in values.items() if has_keys else ():
        named = identity(value)
        matching &= pd.Series([text == named for text in identities(runs[key].tolist())], index=runs.index, dtype=bool)
    return matching


def _side(name: str, runs: pd.DataFrame, keys: Sequence[str], sign: float) -> Side:
    """One side of a claim, at its best group.

    Args:
        name: What the side is called.
        runs: The runs that have the side's values, with the claim's metric as their objective.
        keys: The params that tell trials apart.
        sign: -1 where more is better, since methods are chosen by the lowest results.
    """
    # The side is one method, whose trials are its groups.
    methods = methods_of(runs.assign(side=name, objective=sign * runs["objective"]), "side", keys)
    if not methods or not methods[0].judged:
        return Side(name, Sample(name, {}), params={}, free=(), fresh=False)
    side, best = methods[0], methods[0].judged
    sample = replace(side.sample, values={seed: sign * value for seed, value in side.sample.values.items()})
    trial_keys = dict.fromkeys(key for trial in side.trials for key in trial.params)
    free = [key for key in trial_keys if len({shown(trial.params.get(key)) for trial in side.trials}) > 1]
    return Side(name, sample, best.params, tuple(free), side.fresh)


def _sides(runs: pd.DataFrame, claim: Claimed, keys: Sequence[str]) -> tuple[Side, Side]:
    """The side that is claimed to be better and the one it is compared with; runs on both sides are left out."""
    first, second = matches(runs, claim.better), matches(runs, claim.than)
    names = [label(claim.better), label(claim.than)]
    if names[0] == names[1]:
        names = [f"{name} ({which})" for name, which in zip(names, ("claimed", "compared"), strict=True)]
    if claim.metric in runs:
        # A run that ended well and never logged the metric has no result by it, and did not diverge.
        not_logged = runs[claim.metric].isna() & (runs["outcome"] == Outcome.OK)
        runs = runs.assign(objective=runs[claim.metric], outcome=runs["outcome"].mask(not_logged, NO_RESULT))
    sign = -1.0 if claim.direction == MAXIMIZE else 1.0
    return (
        _side(names[0], runs[first & ~second], keys, sign),
        _side(names[1], runs[second & ~first], keys, sign),
    )


def _key_words(key: str) -> str:
    """`learning rate` for `optimizer.lr`, `batch size` for `data.batch_size`."""
    last = key.rpartition(".")[2]
    return "learning rate" if last == "lr" else (key if last == "name" else last).replace("_", " ")


def _selection(sides: Sequence[Side]) -> str:
    """Which of its groups stands for a side, how it was chosen, and what follows; empty if no side had a choice."""
    choosing = [side for side in sides if side.free]
    if not choosing:
        return ""
    values = [", ".join(shown(side.params.get(key)) for key in side.free) for side in choosing]
    words = [joined([_key_words(key) for key in side.free]) for side in choosing]
    if len(choosing) == 2 and words[0] == words[1]:
        places = "; ".join(f"{side.name} at {value}" for side, value in zip(choosing, values, strict=True))
        where = f"Each at its own best {words[0]}: {places}"
    else:
        places = "; ".join(
            f"{side.name} with {key} {value}" for side, key, value in zip(choosing, words, values, strict=True)
        )
        where = f"At its best: {places}"
    flattered = [side.name for side in choosing if not side.fresh]
    if not flattered:
        return f"{where}, chosen by the search and judged by fresh seeds."
    whom = flattered[0] if len(flattered) == 1 else "both"
    return f"{where}, chosen in this search on the same runs, which flatters {whom}."


def _sentence(verdict: Verdict, sides: Sequence[Side]) -> str:
    without = [side.name for side in sides if not side.sample.n]
    if without:
        return f"There is no result yet with {' nor with '.join(without)}."
    return " ".join(filter(None, (verdict.sentence, _selection(sides))))


def claims_info(runs: pd.DataFrame, claims: Iterable[Claimed], keys: Sequence[str]) -> list[ClaimInfo]:
    """Whether the runs support the claims of one sweep, with verdicts corrected for each other (Holm).

    Args:
        runs: One row per run that counts: group, trial, seed, phase, outcome, where it is known seed_data, one column
            per param with typed values, and the results in a column named by the claim's metric, or in `objective`
            where there is none.
        claims: The claims, in the order in which they are stated.
        keys: The params that tell the sweep's trials apart: those that it searched.
    """
    claims = list(claims)
    sides = [_sides(runs, claim, keys) for claim in claims]
    questions = [
        Question(better.sample, than.sample, claim.direction, claim.margin, claim.metric)
        for claim, (better, than) in zip(claims, sides, strict=True)
    ]
    infos = []
    for claim, (better, than), verdict in zip(claims, sides, answers(questions), strict=True):
        have_results = better.sample.n and than.sample.n
        infos.append(
            ClaimInfo(
                claim.text,
                _STATUS[verdict.decision] if have_results else Status.NOT_YET,
                _sentence(verdict, (better, than)),
                claim.metric,
                claim.direction,
                better,
                than,
                verdict,
            )
        )
    return infos


def _last(metric: str, runs: pd.DataFrame, histories: Callable[[tuple[str, ...], str], pd.DataFrame]) -> pd.Series[Any]:
    """Each run's last value of a metric; nan where it logged none."""
    logged = histories(tuple(runs["run_id"]), metric) if len(runs) else pd.DataFrame()
    if not len(logged):
        return pd.Series(math.nan, index=runs.index, dtype=float)
    last = logged.sort_values("step", kind="stable").drop_duplicates("run_id", keep="last")
    by_run = pd.Series(last["value"].to_numpy(dtype=float), index=last["run_id"].array)
    return pd.Series(by_run.reindex(runs["run_id"].array).to_numpy(), index=runs.index)


def sweep_claims(
    runs: pd.DataFrame,
    claims: Sequence[Claimed],
    keys: Sequence[str],
    *,
    objective: str,
    histories: Callable[[tuple[str, ...], str], pd.DataFrame],
) -> list[ClaimInfo]:
    """Whether the runs of one sweep support its claims, from all its runs: see `claims_info`.

    Args:
        runs: All the sweep's runs, those that do not count as well, with the objective and one column per searched key.
        claims: The sweep's claims.
        keys: The keys that it searched.
        objective: The metric that it ranks by.
        histories: Reads every logged value [run_id, key, step, time, value] of some runs' metric.
    """
    counting = runs[runs["counts"].astype(bool)].reset_index(drop=True) if len(runs) else runs
    metrics = {claim.metric for claim in claims} - {objective}
    counting = counting.assign(**{metric: _last(metric, counting, histories) for metric in metrics})
    return claims_info(counting, claims, keys)


def compared(
    comparison: Comparison,
    sweep: str,
    claims: Sequence[Claimed],
    keys: Sequence[str],
    *,
    objective: str,
) -> list[ClaimInfo]:
    """Whether the runs of one sweep support its claims, from runs that are compared: see `claims_info`.

    Args:
        comparison: The sweep's runs, search and confirm runs alike, maybe among others.
        sweep: The sweep's id.
        claims: The sweep's claims.
        keys: The keys that it searched.
        objective: The metric that it ranks by.
    """
    params = comparison.params[[key for key in keys if key in comparison.params]].set_axis(comparison.runs.index)
    metrics = {claim.metric for claim in claims} - {objective}
    runs = pd.concat([comparison.runs, params], axis=1)
    runs = runs.assign(**{metric: comparison.last(metric) for metric in metrics})
    counting = runs[runs["counts"].astype(bool) & (runs["parent"] == sweep)].reset_index(drop=True)
    return claims_info(counting, claims, keys)
