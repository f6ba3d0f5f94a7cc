"""How many parameters the models of a sweep have: for each setting of its coupled keys, else for each architecture.

The counts are those of the models that a check has built. A sweep whose settings are to have equal parameters shows
here whether they have.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sweeps.preflight.cost_points import CostPlan, flat, words

MOST_NAMED: Final = 12
"""How many counts the sentence names; it says how many others there are."""
_BUILDING: Final = ("model.", "data.")
"""The sections that decide what a model is built of."""

Counts = list[dict[str, Any]]
"""Each with `what` has them, and the `fewest` and the `most` parameters of the models that were built for it."""


def parameter_counts(plan: CostPlan, parameters: Mapping[str, int]) -> Counts:
    """The parameters of each setting; without coupled settings of each architecture, unless all have as many.

    Args:
        plan: The plan of the sweep.
        parameters: By architecture: how many parameters its model has. Architectures that were not built are left out.
    """
    known = {key: count for key, count in parameters.items() if count}
    by_setting = _by_setting(plan, known)
    if by_setting:
        return by_setting
    return _by_architecture(plan, known) if len(set(known.values())) > 1 else []


def _row(what: str, counts: Sequence[int]) -> dict[str, Any]:
    return {"what": what, "fewest": min(counts), "most": max(counts)}


def _by_setting(plan: CostPlan, known: Mapping[str, int]) -> Counts:
    """A row for each setting of the coupled keys that choose something of the model or the data."""
    building = {
        key: by_setting
        for key, by_setting in plan.settings.items()
        if any(dotted.startswith(_BUILDING) for values in plan.spec.settings[key].values() for dotted in values)
    }
    rows = []
    for key, by_setting in building.items():
        for setting in plan.spec.settings[key]:
            counts = [known[architecture] for architecture in by_setting.get(setting, ()) if architecture in known]
            if counts:
                rows.append(_row(setting if len(building) == 1 else f"{key} {setting}", counts))
    return rows


def _by_architecture(plan: CostPlan, known: Mapping[str, int]) -> Counts:
    """A row for each choice of the fields that the counts depend on."""
    values = {key: flat({part: plan.architectures[key][part] for part in ("model", "data")}) for key in known}
    fields = list(dict.fromkeys(itertools.chain.from_iterable(values.values())))

    def counts_by(fields: Sequence[str]) -> dict[tuple[str, ...], set[int]]:
        counts: dict[tuple[str, ...], set[int]] = {}
        for key, count in known.items():
            choice = tuple(
                words(field.partition(".")[2], values[key][field]) for field in fields if field in values[key]
            )
            counts.setdefault(choice, set()).add(count)
        return counts

    # A field is left out while the others still tell all counts apart: what is learned, or how, changes none.
    for field in reversed(fields):
        others = [other for other in fields if other != field]
        if all(len(counts) == 1 for counts in counts_by(others).values()):
            fields = others
    return [_row(" ".join(choice), sorted(counts)) for choice, counts in counts_by(fields).items()]


def parameters_sentence(counts: Sequence[Mapping[str, Any]]) -> str:
    """`Parameters: lstm 12,345 · gru 12,301.`, with a range where there are several counts; nothing without any.

    Args:
        counts: From `parameter_counts`.
    """
    if not counts:
        return ""
    phrases = []
    for row in counts[:MOST_NAMED]:
        most = f" to {row['most']:,}" if row["most"] > row["fewest"] else ""
        phrases.append(f"{row['what']} {row['fewest']:,}{most}")
    if len(counts) > MOST_NAMED:
        phrases.append(f"{len(counts) - MOST_NAMED} more")
    return f"Parameters: {' · '.join(phrases)}."
