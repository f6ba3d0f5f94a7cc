"""Changes of a sweep that has begun: more trials, more seeds, other workers, another pruner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sweeps.fields import Field, SpecError, missing, refusal, unknown
from sweeps.spec.checks import parse
from sweeps.spec.model import Spec, to_yaml
from sweeps.spec.options import FIELDS

MORE: Final = Field("more", "int", 0, minimum=0, maximum=100_000)


def extended(spec: Spec, arguments: Mapping[str, Any]) -> Spec:
    """The sweep with more trials or seeds.

    Args:
        spec: The sweep as it is.
        arguments: `trials` and `seeds`: how many more of each.

    Raises:
        SpecError: The sweep cannot have more of them.
    """
    more = _checked("extend", arguments, {"trials": MORE, "seeds": MORE})
    trials, seeds = more.get("trials", 0), more.get("seeds", 0)
    if not trials and not seeds:
        raise missing("extend", "trials or seeds, each a whole number of 1 or more")
    if seeds and spec.replicate:
        allowed = "none beside replicate, as its training sets are cut or drawn for as many as there are"
        raise refusal("extend.seeds", seeds, allowed)
    if trials and spec.sampler == "grid":
        instead = "none" if spec.replicate else "seeds only"
        raise refusal("extend.trials", trials, f"{instead}, as the grid has tried every combination")
    return _updated(spec, {"trials": spec.trials + trials if spec.trials else None, "seeds": spec.seeds + seeds})


def changed(spec: Spec, arguments: Mapping[str, Any]) -> Spec:
    """The sweep with other `workers`, another `pruner` or both.

    Raises:
        SpecError: One of them is not allowed.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    values = _checked("change", given, {name: FIELDS[name] for name in ("workers", "pruner")})
    if not values:
        raise missing("change", "workers, pruner or both")
    return _updated(spec, values)


CHANGING: Final[dict[str, Callable[[Spec, Mapping[str, Any]], Spec]]] = {"extend": extended, "change": changed}
"""The commands that change what a sweep is."""


def change_sentence(before: Spec, after: Spec) -> str:
    """The sentence about a change that the events of the sweep get."""
    words = [
        f"{name} {getattr(before, name)} → {getattr(after, name)}"
        for name in ("trials", "seeds", "workers", "pruner")
        if getattr(before, name) != getattr(after, name)
    ]
    return f"Changed: {', '.join(words)}." if words else "Nothing was changed."


def _checked(command: str, arguments: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    for name in arguments:
        if name not in fields:
            raise unknown(f"{command}.{name}", arguments[name], fields, f"for {command}")
    return {name: fields[name].check(f"{command}.{name}", value) for name, value in arguments.items()}


def _updated(spec: Spec, values: Mapping[str, Any]) -> Spec:
    """The sweep with these values, checked as if the user had written it: the search may hold fewer configurations."""
    return parse(to_yaml(replace(spec, **values)))


__all__ = ["CHANGING", "SpecError", "change_sentence", "changed", "extended"]
