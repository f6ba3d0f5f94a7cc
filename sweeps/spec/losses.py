"""Checks `model.loss`: a loss has to fit the task of the data, and different losses are not compared by a claim."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sweeps.catalogue import Catalogue
from sweeps.catalogue.entries import LOSS
from sweeps.fields import collect, refusal
from sweeps.spec.coupled_checks import CoupledChecks
from sweeps.spec.model import Spec
from sweeps.spec.search_axis import Axis

KEY: Final = f"model.{LOSS}"

Pairs = Iterable[tuple[str, str]]
"""Data sets, each with a model that is trained on it."""


def _chosen(
    coupled: CoupledChecks, model: Mapping[str, Any], search: Mapping[str, Axis]
) -> Iterator[tuple[str, Any, Pairs]]:
    """(place, loss, what it is trained with) for each loss that the sweep tries."""
    everything = coupled.trained_together()
    if KEY in search:
        for value in search[KEY].values or ():
            yield f"search.{KEY}", value, everything
    elif LOSS in model and not coupled.always_set(KEY):
        yield KEY, model[LOSS], everything
    for key, settings in coupled.settings.items():
        for setting, values in settings.items():
            if KEY in values:
                pairs = itertools.product(coupled.met(key, setting, "data"), coupled.met(key, setting, "model"))
                yield f"search.{key}.settings.{setting}.{KEY}", values[KEY], pairs


def refuse_unfit(
    catalogue: Catalogue,
    coupled: CoupledChecks,
    model: Mapping[str, Any],
    search: Mapping[str, Axis],
    problems: list[str],
) -> None:
    """Refuse each loss that the task of a data set does not have.

    Args:
        catalogue: The models and data sets.
        coupled: The coupled keys of the search.
        model: The values of the section `model`.
        search: The searched keys.
        problems: Gets the sentences.
    """
    for place, value, pairs in _chosen(coupled, model, search):
        for dataset, name in pairs:
            field = catalogue.models[name].fields.get(LOSS)
            allowed = catalogue.losses_for(name, dataset)
            if allowed and field is not None and value in field.choices and value not in allowed:
                task = " or ".join(catalogue.datasets[dataset].asks)
                with collect(problems):
                    raise refusal(place, value, f"{', '.join(allowed)} for {name} on data {dataset}, which is {task}")


def refuse_compared(
    place: str, metric: str, sides: tuple[Mapping[str, Any], Mapping[str, Any]], spec: Spec, catalogue: Catalogue
) -> None:
    """Refuse a claim whose sides minimise different losses and are judged by them.

    Args:
        place: The key of the claim's metric.
        metric: What the claim is judged by.
        sides: The searched keys that each side names, with its values.
        spec: The sweep.
        catalogue: The models and data sets.

    Raises:
        SpecError: Their losses are different numbers.
    """
    part, slash, score = metric.rpartition("/")
    losses = [str(side[KEY]) for side in sides if KEY in side]
    if score != LOSS or len(losses) < 2:
        return
    for model, dataset in itertools.product(spec.names("model"), spec.names("data")):
        first, second = (catalogue.loss_of(model, dataset, loss) for loss in losses)
        if first != second:
            allowed = f"{part}{slash}error, as {first} and {second} are different numbers"
            raise refusal(place, metric, allowed)
