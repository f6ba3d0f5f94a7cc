"""Checks what stands beside `replicate`: it says how many runs a trial has, so nothing else may say otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sweeps.fields import SpecError, refusal
from sweeps.spec.options import MOST_SEEDS


def refused_beside_replicate(raw: Mapping[Any, Any], values: dict[str, Any]) -> Iterator[SpecError]:
    """Set the `seeds` of a sweep with `replicate` to the runs of a trial; yields what may not stand beside it.

    Args:
        raw: What the user wrote.
        values: The checked values, of which `seeds` is set.
    """
    replicate = values["replicate"]
    runs = replicate["datasets"] * replicate["inits"]
    if runs > MOST_SEEDS:
        yield refusal("replicate", replicate, f"at most {MOST_SEEDS:,} runs of each trial, datasets times inits")
    if "seeds" in raw and values["seeds"] != runs:
        yield refusal("seeds", raw["seeds"], f"{runs:,}, as replicate makes datasets times inits, or nothing")
    values["seeds"] = runs
    if "vary" in raw:
        yield refusal("vary", raw["vary"], "nothing beside replicate, which says what differs between runs")
    if values["pruner"] != "none":
        yield refusal("pruner", values["pruner"], "none beside replicate, which needs all runs of every trial")
    if raw.get("confirm") is not None:
        yield refusal("confirm", raw["confirm"], "nothing beside replicate, whose runs are alike for every trial")
