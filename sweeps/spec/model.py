"""A checked sweep: its values, the configurations that follow from them, and the YAML that it is written as.

These classes check nothing: what they hold has passed `sweeps.spec.checks`. Only what the user wrote is kept in a
section (`optimizer: {name: adam}`); defaults are filled in by `configuration`, since they differ between the names
that are searched.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from sweeps.catalogue import load
from sweeps.catalogue.entries import LATER_FIELDS
from sweeps.spec import yaml_text
from sweeps.spec.coupled import keys_of
from sweeps.spec.options import FIELDS, NAMED, OWN, RECORD, SEED_KINDS, UNNAMED, default_workers
from sweeps.spec.search_axis import Axis
from tracking import schema


@dataclass(frozen=True)
class Objective:
    """The metric that trials are ranked by."""

    metric: str = schema.VAL_LOSS
    direction: Literal["minimize", "maximize"] = "minimize"
    at: Literal["last", "best"] = "last"


@dataclass(frozen=True)
class Confirm:
    """Which trials are retrained with fresh seeds when the search is done."""

    top: int = 1
    per: str | None = None
    """A searched key: each of its values has winners of its own."""
    seeds: int = 10


@dataclass(frozen=True)
class Replicate:
    """Every trial is trained on several training sets, from several initialisations on each.

    Run number k of a trial takes training set k % datasets and an initialisation of its own: initialisations are nested
    in training sets, so that what each contributes to the variance can be told apart.
    """

    datasets: int = 8
    inits: int = 4

    @property
    def runs(self) -> int:
        """Runs of each trial."""
        return self.datasets * self.inits


@dataclass(frozen=True)
class Claim:
    """A claim to show or to refute: runs with the values of `better` do better than runs with those of `than`."""

    text: str
    better: dict[str, Any]
    """Searched keys, each with a value that the search tries."""
    than: dict[str, Any]
    metric: str
    direction: Literal["minimize", "maximize"]
    margin: float | None = None
    """A difference that would not matter, in units of the metric: with it, "no difference" can be shown."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A checked sweep. Make one with `parse` or `check`."""

    name: str
    question: str = ""
    experiment: str
    model: dict[str, Any]
    data: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    regularization: dict[str, Any]
    trainer: dict[str, Any]
    record: dict[str, bool]
    """By recorder that the user names: whether it is on."""
    keep: Literal["best", "none"] = "best"
    search: dict[str, Axis]
    sampler: Literal["grid", "random", "qmc", "tpe", "gp"] = "grid"
    trials: int | None = None
    pruner: Literal["none", "median", "hyperband"] = "none"
    confirm: Confirm | None = None
    seeds: int = 1
    seed: int = 0
    vary: tuple[Literal["data", "init", "order"], ...] = SEED_KINDS
    replicate: Replicate | None = None
    """Where it is set, `seeds` is how many runs of a trial it makes."""
    objective: Objective
    claim: tuple[Claim, ...] = ()
    workers: int

    @cached_property
    def settings(self) -> dict[str, Mapping[str, Mapping[str, Any]]]:
        """By coupled key: its settings, each a mapping of dotted keys to values."""
        return {key: axis.settings for key, axis in self.search.items() if axis.settings is not None}

    def setter(self, key: str) -> str | None:
        """The coupled key whose settings set this dotted key, at least one of them; None if there is none."""
        return next((coupled for coupled, settings in self.settings.items() if key in keys_of(settings)), None)

    def tries(self, key: str) -> bool:
        """Whether the search sets this dotted key, alone or in a setting."""
        return key in self.search or self.setter(key) is not None

    def expanded(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The dotted keys with their values that searched keys stand for: those of its setting for a coupled key."""
        values: dict[str, Any] = {}
        for key, value in params.items():
            values |= self.settings[key][value] if key in self.settings else {key: value}
        return values

    def names(self, section: str) -> list[str]:
        """The names that are tried in a section: those searched, alone or in settings, else the one it has."""
        key = f"{section}.name"
        coupled = self.setter(key)
        if coupled is None:
            return self._uncoupled_names(section)
        name = getattr(self, section)["name"]
        return list(dict.fromkeys(setting.get(key, name) for setting in self.settings[coupled].values()))

    def _uncoupled_names(self, section: str) -> list[str]:
        """The names of a section where no setting chooses one."""
        axis = self.search.get(f"{section}.name")
        return list(axis.points or ()) if axis else [getattr(self, section)["name"]]

    def combinations(self) -> Iterator[dict[str, str]]:
        """Every choice of model, data, optimizer and schedule.

        A choice has the name of each section and, under the coupled keys that choose a name, their settings.
        """
        coupled = dict.fromkeys(filter(None, (self.setter(f"{section}.name") for section in NAMED)))
        for chosen in itertools.product(*(self.settings[key] for key in coupled)):
            settings = dict(zip(coupled, chosen, strict=True))
            values = self.expanded(settings)
            names_by_section = (
                [values[f"{section}.name"]] if f"{section}.name" in values else self._uncoupled_names(section)
                for section in NAMED
            )
            for names in itertools.product(*names_by_section):
                yield {**dict(zip(NAMED, names, strict=True)), **settings}

    def axes(self, names: Mapping[str, str]) -> list[str]:
        """The searched keys that exist for this choice of names, in the order of the spec."""
        catalogue = load()
        keys = []
        for key in self.search:
            section, _, field = key.partition(".")
            always = section in UNNAMED or field == "name" or key in self.settings
            if always or field in catalogue.entry(section, names[section]).fields:
                keys.append(key)
        return keys

    def size(self) -> int | None:
        """How many different configurations the search holds; None for infinitely many."""
        total = 0
        for names in self.combinations():
            product, fixed = 1, fixed_by(names)
            for key in self.axes(names):
                if key in fixed:
                    continue  # each combination has one
                size = self.search[key].size
                if size is None:
                    return None
                product *= size
            total += product
        return total


def fixed_by(names: Mapping[str, str]) -> dict[str, str]:
    """The searched keys, with their values, that one of `Spec.combinations` decides: `model.name`, coupled keys."""
    return {f"{section}.name" if section in NAMED else section: name for section, name in names.items()}


def repeats(spec: Spec, times: str = "x") -> str:
    """How often a trial is trained: `3 seeds`, `8 data sets x 4 initialisations`."""
    if spec.replicate is None:
        return f"{spec.seeds:,} seeds"
    inits = spec.replicate.inits
    return f"{spec.replicate.datasets:,} data sets {times} {inits:,} initialisation{'' if inits == 1 else 's'}"


def configuration(spec: Spec, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The whole configuration of a trial, without its seeds.

    Args:
        spec: The sweep.
        params: Values of searched keys, of a coupled one the name of its setting; what is left out comes from the
            spec, and then from the catalogue.
    """
    params = spec.expanded(params or {})
    catalogue = load()
    result: dict[str, Any] = {}
    for section in (*NAMED, *UNNAMED):
        written: dict[str, Any] = getattr(spec, section)
        values: dict[str, Any] = {}
        if section in NAMED:
            values["name"] = params.get(f"{section}.name", written["name"])
            fields = catalogue.entry(section, values["name"]).fields
        else:
            fields = catalogue.sections[section]
        for name, field in fields.items():
            key = f"{section}.{name}"
            if key in params or name in written:
                values[name] = field.check(key, params.get(key, written.get(name)))
            else:
                values[name] = copy.copy(field.default)
            if name in LATER_FIELDS and key not in params and values[name] == field.default:
                del values[name]
        result[section] = values
    if catalogue.entry("model", result["model"]["name"]).own_optimizer:
        result |= {"optimizer": {"name": OWN}, "schedule": {"name": OWN}}
    if spec.replicate:  # left out of all other sweeps, whose groups keep their hash
        result["replicate"] = asdict(spec.replicate)
    if off := {name: on for name, on in spec.record.items() if not on}:  # left out where all are on, as above
        result[RECORD] = off
    return {**result, "keep": spec.keep, "objective": asdict(spec.objective)}


def _without_none(part: Confirm | Claim) -> dict[str, Any]:
    return {name: value for name, value in asdict(part).items() if value is not None}


def to_yaml(spec: Spec) -> str:
    """The sweep as the user would write it, without what is at its default; `parse` reads it back to an equal spec."""
    written: dict[str, Any] = {"name": spec.name}
    if spec.question:
        written["question"] = spec.question
    if spec.experiment != spec.name:
        written["experiment"] = spec.experiment
    for section in (*NAMED, *UNNAMED):
        values = getattr(spec, section)
        if values and values != {"name": "constant"}:
            written[section] = values
    if spec.record:
        written[RECORD] = spec.record
    if spec.keep != FIELDS["keep"].default:
        written["keep"] = spec.keep
    if spec.search:
        written["search"] = {key: axis.written() for key, axis in spec.search.items()}
    written["sampler"] = spec.sampler
    if spec.trials is not None:
        written["trials"] = spec.trials
    if spec.pruner != "none":
        written["pruner"] = spec.pruner
    if spec.replicate:
        written["replicate"] = asdict(spec.replicate)
    else:
        written["seeds"] = spec.seeds
    if spec.seed:
        written["seed"] = spec.seed
    if spec.vary != SEED_KINDS:
        written["vary"] = list(spec.vary)
    objective = asdict(spec.objective)
    if objective["at"] == "last":
        del objective["at"]
    written["objective"] = objective
    if spec.confirm:
        written["confirm"] = _without_none(spec.confirm)
    if spec.claim:
        claims = [_without_none(claim) for claim in spec.claim]
        written["claim"] = claims[0] if len(claims) == 1 else claims
    if spec.workers != default_workers(spec.trainer.get("device", "auto")):
        written["workers"] = spec.workers
    return yaml_text.write(written)
