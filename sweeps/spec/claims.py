"""Checks the claims of a sweep against what it searches.

A claim compares two sides, each a choice of values of searched keys. It has to be about runs that the sweep makes:
every value is one that the search tries, one configuration can have all values of a side, and none those of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from sweeps.catalogue import Catalogue
from sweeps.catalogue.metrics import direction
from sweeps.fields import Field, SpecError, collect, key_text, missing, refusal, show, unknown
from sweeps.spec.losses import refuse_compared
from sweeps.spec.model import Claim, Spec, fixed_by
from sweeps.spec.options import FIELDS
from sweeps.spec.search_axis import Axis
from tracking import schema

TEXT: Final = Field("text", "str", "", min_length=1, help="What is claimed, in one sentence.")
SETTINGS: Final = (schema.LR,)
"""Metrics that say what was set, and not what came of it: nothing can be claimed of them."""
USER_METRIC: Final = Field("metric", "str", schema.VAL_LOSS, min_length=1, help="What it is judged by.")
DIRECTION: Final = FIELDS["objective.direction"]
MARGIN: Final = Field(
    "margin",
    "float",
    None,
    minimum=0,
    exclusive_minimum=True,
    optional=True,
    help="A difference that would not matter, in units of the metric.",
)
_SIDE: Final = "a mapping of searched keys to values, such as {optimizer.name: adam}"
_NEEDED: Final = {"text": "text that says what is claimed", "better": _SIDE, "than": _SIDE}
_KEYS: Final = tuple(field.name for field in fields(Claim))
_MOST_LISTED: Final = 12


def _values_text(axis: Axis) -> str:
    """The values that the search tries, in words."""
    if axis.points is None:
        return f"{'a whole number' if axis.integer else 'a number'} from {show(axis.low)} to {show(axis.high)}"
    words = [point if isinstance(point, str) else show(point) for point in axis.points]
    if len(words) > _MOST_LISTED:
        words = [*words[: _MOST_LISTED - 1], "...", words[-1]]
    return f"what the search tries: {', '.join(words)}"


def _possible(spec: Spec, *sides: Mapping[str, Any]) -> bool:
    """Whether one configuration of the sweep can have the values of all these sides."""
    values: dict[str, Any] = {}
    for key, value in (item for side in sides for item in side.items()):
        if values.setdefault(key, value) != value:
            return False
    for names in spec.combinations():
        fixed = fixed_by(names)
        existing = set(spec.axes(names))
        if all(key in existing and fixed.get(key, value) == value for key, value in values.items()):
            return True
    return False


def _side(key: str, raw: Any, spec: Spec) -> dict[str, Any]:
    """The values of one side as the search tries them."""
    if not isinstance(raw, Mapping) or not raw:
        raise refusal(key, raw, _SIDE)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in raw.items():
        place = f"{key}.{key_text(name)}"
        with collect(problems):
            if name not in spec.search:
                raise unknown(place, value, spec.search, "among the searched keys")
            axis = spec.search[name]
            try:
                values[name] = axis.find(value)
            except LookupError:
                raise refusal(place, value, _values_text(axis)) from None
    if problems:
        raise SpecError(*problems)
    if not _possible(spec, values):
        raise refusal(key, values, "values that one configuration of the sweep can have")
    return values


def metric_field(spec: Spec, catalogue: Catalogue) -> Field:
    """The field for the metric of a claim: what the sweep's runs measure of training and validation data."""
    trained = {(names["data"], names["model"]): None for names in spec.combinations()}
    if any(catalogue.models[model].foreign for _, model in trained):
        return USER_METRIC
    off = [name for name, on in spec.record.items() if not on]
    others = (name for name in schema.EVERY_EPOCH if name not in SETTINGS)
    choices = (*catalogue.rankings(trained, off), *others)
    return Field("metric", "choice", schema.VAL_LOSS, choices=choices, help="What it is judged by.")


def _metric(key: str, raw: Mapping[Any, Any], spec: Spec, catalogue: Catalogue) -> str:
    if "metric" not in raw:
        return spec.objective.metric
    metric = str(metric_field(spec, catalogue).check(key, raw["metric"]))
    if metric.startswith("test"):
        raise refusal(key, metric, "a metric that the model logs in training or validation, no test metric")
    return metric


def _claim(key: str, raw: Any, spec: Spec, catalogue: Catalogue) -> Claim:
    if not isinstance(raw, Mapping):
        raise refusal(key, raw, "a mapping with text, better and than, or a list of them")
    problems: list[str] = []
    for name in raw:
        if name not in _KEYS:
            with collect(problems):
                raise unknown(f"{key}.{key_text(name)}", raw[name], _KEYS, "under claim")
    values: dict[str, Any] = {}
    for name, needed in _NEEDED.items():
        with collect(problems):
            if name not in raw:
                raise missing(f"{key}.{name}", needed)
            if name == "text":
                values[name] = " ".join(TEXT.check(f"{key}.{name}", raw[name]).split())
            else:
                values[name] = _side(f"{key}.{name}", raw[name], spec)
    with collect(problems):
        values["metric"] = _metric(f"{key}.metric", raw, spec, catalogue)
        ranked = values["metric"] == spec.objective.metric
        values["direction"] = spec.objective.direction if ranked else direction(catalogue.better(values["metric"]))
    with collect(problems):
        if "direction" in raw:
            values["direction"] = DIRECTION.check(f"{key}.direction", raw["direction"])
    with collect(problems):
        values["margin"] = MARGIN.check(f"{key}.margin", raw.get("margin"))
    if "better" in values and "than" in values and _possible(spec, values["better"], values["than"]):
        with collect(problems):
            raise refusal(f"{key}.than", values["than"], "values that no configuration of better has")
    if {"better", "than", "metric"} <= values.keys():
        with collect(problems):
            sides = (values["better"], values["than"])
            refuse_compared(f"{key}.metric", values["metric"], sides, spec, catalogue)
    if problems:
        raise SpecError(*problems)
    return Claim(**values)


def read(raw: Any, spec: Spec, catalogue: Catalogue) -> tuple[Claim, ...]:
    """The claims that the user wrote: one mapping, or a list of them.

    Args:
        raw: What is written under `claim`.
        spec: The sweep, checked except for its claims.
        catalogue: What there is to choose from, and which metrics it has.

    Raises:
        SpecError: A claim is about what the sweep cannot show; one sentence for each fault.
    """
    if isinstance(raw, list | tuple) and raw:
        keys = [f"claim.{number}" for number in range(1, len(raw) + 1)]
    else:
        keys, raw = ["claim"], [raw]
    claims: list[Claim] = []
    problems: list[str] = []
    for key, written in zip(keys, raw, strict=True):
        with collect(problems):
            claims.append(_claim(key, written, spec, catalogue))
    if problems:
        raise SpecError(*problems)
    return tuple(claims)
