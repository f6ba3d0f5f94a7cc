"""What a lab claims, and what the runs say of it: supported, refuted, undecided, or too early to tell.

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
from tracking.schema import MAXIMIZE, MINIMIZE, Outcome


class Status(StrEnum):
    """What is known of a claim."""

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
    """A claim as a sweep states it."""

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
class Statement:
    """A claim by itself."""

    text: str
    better: Mapping[str, Any]
    than: Mapping[str, Any]
    metric: str
    direction: str = MINIMIZE
    margin: float | None = None


@dataclass(frozen=True)
class Side:
    """What has the values that a claim names: its best group."""

    name: str
    sample: Sample
    """The results that it is judged by; none before there is one."""
    params: Mapping[str, Any]
    """What the best group has of the searched keys."""
    free: tuple[str, ...]
    """The keys beside the claim's in which its groups differ, so that one of them had to be chosen."""
    fresh: bool
    """Whether it is judged by seeds that did not choose it."""


@dataclass(frozen=True)
class ClaimInfo:
    """A claim and what the runs say of it."""

    text: str
    status: Status
    sentence: str
    """Why, with its figures: plain text."""
    metric: str
    direction: str
    better: Side
    """The side that is claimed to be better, at the group that it is judged by."""
    than: Side
    verdict: Verdict

    @property
    def more(self) -> int | None:
        """The least number of further seeds that makes a verdict possible, where there are too few."""
        return self.verdict.more if self.status is Status.TOO_FEW else 0


def matches(runs: pd.DataFrame, values: Mapping[str, Any]) -> pd.Series[bool]:
    """Which of the runs have these values; none where the runs have no such param.

    Args:
        runs: One row a run, a column a param.
        values: Dotted key -> value.
    """
    known = all(key in runs.columns for key in values)
    found = pd.Series(known, index=runs.index, dtype=bool)
    for key, wanted in values.items() if known else ():
        named = identity(wanted)
        found &= pd.Series([text == named for text in identities(runs[key].tolist())], index=runs.index, dtype=bool)
    return found


def _side(name: str, runs: pd.DataFrame, keys: Sequence[str], sign: float) -> Side:
    """The side of a claim that these runs are of.

    Args:
        name: What it is called.
        runs: Those that have its values, with what they are judged by as their objective.
        keys: What tells the trials apart.
        sign: -1 where more is better: methods are chosen by what is lower.
    """
    made = methods_of(runs.assign(side=name, objective=sign * runs["objective"]), "side", keys)
    if not made or not made[0].judged:
        return Side(name, Sample(name, {}), {}, (), False)
    side, best = made[0], made[0].judged
    own = side.sample
    result = replace(own, values={seed: sign * value for seed, value in own.values.items()})
    tried = dict.fromkeys(key for trial in side.trials for key in trial.params)
    free = [key for key in tried if len({shown(trial.params.get(key)) for trial in side.trials}) > 1]
    return Side(name, result, best.params, tuple(free), side.fresh)


def _sides(runs: pd.DataFrame, claim: Claimed, keys: Sequence[str]) -> tuple[Side, Side]:
    """What is claimed to be better, and what it is compared with; runs that are both are neither."""
    first, second = matches(runs, claim.better), matches(runs, claim.than)
    names = [label(claim.better), label(claim.than)]
    if names[0] == names[1]:
        names = [f"{name} ({which})" for name, which in zip(names, ("claimed", "compared"), strict=True)]
    own = runs
    if claim.metric in runs:
        # A run that ended well and never logged the metric has no result by it, and did not diverge.
        silent = runs[claim.metric].isna() & (runs["outcome"] == Outcome.OK)
        own = runs.assign(objective=runs[claim.metric], outcome=runs["outcome"].mask(silent, NO_RESULT))
    sign = -1.0 if claim.direction == MAXIMIZE else 1.0
    return (
        _side(names[0], own[first & ~second], keys, sign),
        _side(names[1], own[second & ~first], keys, sign),
    )


def _word(key: str) -> str:
    last = key.rpartition(".")[2]
    return "learning rate" if last == "lr" else (key if last == "name" else last).replace("_", " ")


def _selection(sides: Sequence[Side]) -> str:
    """At which of its groups a side stands, how that was chosen, and what follows; nothing if neither had a choice."""
    choosing = [side for side in sides if side.free]
    if not choosing:
        return ""
    values = [", ".join(shown(side.params.get(key)) for key in side.free) for side in choosing]
    words = [joined([_word(key) for key in side.free]) for side in choosing]
    if len(choosing) == 2 and words[0] == words[1]:
        places = "; ".join(f"{side.name} at {value}" for side, value in zip(choosing, values, strict=True))
        where = f"Each at its own best {words[0]}: {places}"
    else:
        each = zip(choosing, words, values, strict=True)
        where = "At its best: " + "; ".join(f"{side.name} with {what} {value}" for side, what, value in each)
    flattered = [side.name for side in choosing if not side.fresh]
    if not flattered:
        return f"{where}, chosen by the search and judged by fresh seeds."
    whom = flattered[0] if len(flattered) == 1 else "both"
    return f"{where}, chosen in this search on the same runs, which flatters {whom}."


def _said(verdict: Verdict, sides: Sequence[Side]) -> str:
    without = [side.name for side in sides if not side.sample.n]
    if without:
        return f"There is no result yet with {' nor with '.join(without)}."
    return " ".join(filter(None, (verdict.sentence, _selection(sides))))


def claims_info(runs: pd.DataFrame, claims: Iterable[Claimed], keys: Sequence[str]) -> list[ClaimInfo]:
    """What the runs say of the claims of one sweep, corrected for each other (Holm).

    Args:
        runs: One row a run that counts: group, trial, seed, phase, outcome, where it is known seed_data, a column a
            param with typed values, and the results in a column named by the claim's metric, or in `objective` where
            there is none.
        claims: In the order in which they are stated.
        keys: The params that tell the sweep's trials apart: what it searched.
    """
    asked = list(claims)
    sides = [_sides(runs, claim, keys) for claim in asked]
    questions = [
        Question(better.sample, than.sample, claim.direction, claim.margin, claim.metric)
        for claim, (better, than) in zip(asked, sides, strict=True)
    ]
    found = []
    for claim, own, verdict in zip(asked, sides, answers(questions), strict=True):
        known = all(side.sample.n for side in own)
        status = _STATUS[verdict.decision] if known else Status.NOT_YET
        found.append(ClaimInfo(claim.text, status, _said(verdict, own), claim.metric, claim.direction, *own, verdict))
    return found


def _last(metric: str, runs: pd.DataFrame, histories: Callable[[tuple[str, ...], str], pd.DataFrame]) -> pd.Series[Any]:
    """The last value of a metric of each run, nan where it logged none."""
    found = histories(tuple(runs["run_id"]), metric) if len(runs) else pd.DataFrame()
    if not len(found):
        return pd.Series(math.nan, index=runs.index, dtype=float)
    last = found.sort_values("step", kind="stable").drop_duplicates("run_id", keep="last")
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
    """Judge the claims of one sweep by all its runs: see `claims_info`.

    Args:
        runs: All of them, those that do not count as well, with the objective and a column a searched key.
        claims: What the sweep claims.
        keys: What it searched.
        objective: The metric that it ranks by.
        histories: Reads every logged value [run_id, key, step, time, value] of some runs' metric.
    """
    own = runs[runs["counts"].astype(bool)].reset_index(drop=True) if len(runs) else runs
    metrics = {claim.metric for claim in claims} - {objective}
    own = own.assign(**{metric: _last(metric, own, histories) for metric in metrics})
    return claims_info(own, claims, keys)


def compared(
    found: Comparison,
    sweep: str,
    claims: Sequence[Claimed],
    keys: Sequence[str],
    *,
    objective: str,
) -> list[ClaimInfo]:
    """What the runs of one sweep say of its claims: see `claims_info`.

    Args:
        found: Its runs, search and confirm runs alike, maybe among others.
        sweep: Its id.
        claims: What it claims.
        keys: What it searched.
        objective: The metric that it ranks by.
    """
    params = found.params[[key for key in keys if key in found.params]].set_axis(found.runs.index)
    metrics = {claim.metric for claim in claims} - {objective}
    runs = pd.concat([found.runs, params], axis=1).assign(**{metric: found.last(metric) for metric in metrics})
    own = runs[runs["counts"].astype(bool) & (runs["parent"] == sweep)].reset_index(drop=True)
    return claims_info(own, claims, keys)


def claim_info(
    runs: pd.DataFrame,
    keys: Sequence[str],
    *,
    better: Mapping[str, Any],
    than: Mapping[str, Any],
    metric: str,
    direction: str = MINIMIZE,
    margin: float | None = None,
    text: str = "",
) -> ClaimInfo:
    """What the runs say of one claim: see `claims_info`.

    Args:
        runs: As there.
        keys: As there.
        better: Dotted key -> value of what is claimed to be better.
        than: The same of what it is compared with.
        metric: What is better.
        direction: "minimize" or "maximize".
        margin: A difference that would not matter.
        text: The claim in words.
    """
    return claims_info(runs, [Statement(text, better, than, metric, direction, margin)], keys)[0]


def frame(infos: Sequence[ClaimInfo]) -> pd.DataFrame:
    """One row a claim: text, status, sentence, metric, difference (first minus second), low, high, p, n."""
    return pd.DataFrame(
        [
            {
                "claim": info.text, "status": str(info.status), "sentence": info.sentence, "metric": info.metric,
                "difference": info.verdict.difference.interval.mean, "low": info.verdict.difference.interval.low,
                "high": info.verdict.difference.interval.high, "p": info.verdict.p, "n": info.verdict.n,
            }
            for info in infos
        ]
    )  # fmt: skip
