"""Tells before a sweep starts whether its seeds can decide what it asks."""

from __future__ import annotations

from analysis.statistics.independent import DATASETS, SEEDS
from analysis.statistics.seeds import Plan
from sweeps.search import confirm_runs, count
from sweeps.spec import Claim, Spec


def _seeds_of(claim: Claim, spec: Spec) -> int:
    """The seeds that each side of a claim is judged by: fresh ones where every side has a winner of its own."""
    confirmed = spec.confirm is not None and {*claim.better} == {*claim.than} == {spec.confirm.per}
    return spec.confirm.seeds if spec.confirm is not None and confirmed else spec.seeds


def plan_of(spec: Spec) -> Plan:
    """What a sweep is to decide, and with how many seeds: its claims, or which of its configurations is better.

    Winners that are confirmed are compared by their fresh seeds; runs on one training set count as one result.
    """
    trials, _ = count(spec)
    seeds, units, groups = spec.seeds, SEEDS, trials
    if spec.replicate is not None:
        seeds = spec.replicate.datasets
        units = DATASETS if spec.replicate.inits > 1 else SEEDS
    elif spec.claim:
        seeds = min(_seeds_of(claim, spec) for claim in spec.claim)
    elif spec.confirm is not None:
        seeds, groups = spec.confirm.seeds, confirm_runs(spec, trials) // spec.confirm.seeds
    return Plan(seeds, units, len(spec.claim), groups)
