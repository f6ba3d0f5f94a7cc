"""The order of groups: diverged last, one seed behind several, then the mean."""

from __future__ import annotations

import math

from tracking.order import order_key, replicated


def ranked(groups: dict[str, tuple[int, int, float]]) -> list[str]:
    """The groups in their order; each with its finite results, all of them, their mean."""
    several = replicated((finite, judged) for finite, judged, _ in groups.values())
    return sorted(groups, key=lambda name: order_key(*groups[name], several))


def test_one_lucky_seed_stands_behind_every_group_of_several() -> None:
    groups = {
        "lucky": (1, 1, 0.1), "sound": (10, 10, 0.4), "shaky": (9, 10, 0.2), "lost": (0, 10, math.nan),
        "waiting": (0, 0, math.nan),
    }  # fmt: skip
    assert ranked(groups) == ["sound", "shaky", "lucky", "lost", "waiting"]


def test_where_no_group_has_several_finite_seeds_the_mean_decides() -> None:
    assert ranked({"a": (1, 1, 0.4), "b": (1, 1, 0.1)}) == ["b", "a"]
    assert ranked({"a": (1, 1, 0.4), "lost": (0, 3, math.nan), "b": (1, 1, 0.1)}) == ["b", "a", "lost"]
