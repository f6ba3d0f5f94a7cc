"""What a sweep is: read from YAML, checked whole, frozen.

Only what a person wrote is kept in a section (`optimizer: {name: adam}`); defaults are filled in by `configuration`,
since they differ between the names that are searched. Every refusal names the dotted key, the value, what is allowed
and the nearest name.
"""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sweeps import axis as axes_of
from sweeps import yaml_text
from sweeps.axis import Axis as Axis
from sweeps.catalogue import Entry, Field, load
from sweeps.devices import OPEN, gpus
from sweeps.fields import SpecError as SpecError
from sweeps.fields import collect, missing, nearest, refusal, show, unknown
from tracking import schema

MOST_RUNS: Final = 100_000
SEED_KINDS: Final = ("data", "init", "order")
NAMED: Final = ("model", "data", "optimizer", "schedule")
UNNAMED: Final = ("regularization", "trainer")
DEFAULT_NAMES: Final = {"optimizer": "adam", "schedule": "constant"}
SAMPLERS: Final = ("grid", "random", "qmc", "tpe", "gp")
ADAPTIVE: Final = ("tpe", "gp")
"""Samplers that look at the trials so far before they choose the next."""
PRUNERS: Final = ("none", "median", "hyperband")
OWN: Final = "own"
"""In a configuration, the optimizer and schedule of a model that configures them itself."""
METRICS: Final = (
    schema.VAL_LOSS, schema.VAL_ERROR, schema.TRAIN_EVAL_LOSS, schema.TRAIN_EVAL_ERROR, schema.TRAIN_LOSS,
)  # fmt: skip


def default_workers(device: str = "auto") -> int:
    """One a GPU; without one the cores this process may use, at most 8: each holds a few hundred megabytes.

    Args:
        device: What `trainer.device` says: a GPU that is named is one, and cpu leaves GPUs idle.
    """
    if device.startswith(("cuda:", "mps")):
        return 1
    if device in OPEN and gpus():
        return gpus()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, 8))


FIELDS: Final[dict[str, Field]] = {
    field.name: field
    for field in (
        Field("name", "str", "", help="What the sweep is called."),
        Field("question", "str", "", help="What the sweep should answer, in one sentence."),
        Field("experiment", "str", "", help="The experiment it belongs to; its own name if left empty."),
        Field(
            "keep", "choice", "best", choices=("best", "none"),
            help="Weights to keep of each run: those of the epoch that validation chose, or none.",
        ),
        Field(
            "sampler", "choice", "grid", choices=SAMPLERS,
            help="grid tries every combination; random, qmc (evenly spread), tpe and gp (both learn from the trials so "
            "far) try as many as trials says.",
        ),
        Field(
            "trials", "int", None, minimum=1, maximum=MOST_RUNS,
            help="How many configurations are tried; the grid needs no number.",
        ),
        Field(
            "pruner", "choice", "none", choices=PRUNERS,
            help="Whether poor trials are ended early: those below the median of the others at the same epoch, or by "
            "Hyperband. A trial is judged by its first seed; its other seeds start only if that survives.",
        ),
        Field("seeds", "int", 1, minimum=1, maximum=1000, help="Runs of each trial, each with a seed of its own."),
        Field("seed", "int", 0, minimum=0, maximum=2**32 - 1, help="The sampler's: the same seed, the same trials."),
        Field(
            "confirm.top", "int", 1, minimum=1, maximum=100,
            help="How many winners, for each value of confirm.per, are retrained with fresh seeds.",
        ),
        Field(
            "confirm.per", "str", None, optional=True,
            help="A searched key each of whose values has winners of its own; empty, the winners are the sweep's.",
        ),
        Field(
            "confirm.seeds", "int", 10, minimum=1, maximum=1000,
            help="Fresh seeds that each winner is retrained with: no run that chose it is among those that judge it.",
        ),
        Field("workers", "int", default_workers(), minimum=1, maximum=64, help="Processes that train at one time."),
        Field(
            "objective.metric", "choice", schema.VAL_LOSS, choices=METRICS,
            help="What trials are ranked by; never a test metric.",
        ),
        Field(
            "objective.direction", "choice", schema.MINIMIZE, choices=(schema.MINIMIZE, schema.MAXIMIZE),
            help="Whether lower or higher is better.",
        ),
        Field(
            "objective.at", "choice", "last", choices=("last", "best"),
            help="Take the metric at the last epoch, or at its best one.",
        ),
    )
}  # fmt: skip
"""The fields of a sweep that are no part of a configuration's sections, with their help texts."""


ANY_METRIC: Final = Field(
    "objective.metric", "str", schema.VAL_LOSS, min_length=1,
    help="What trials are ranked by: a metric that the model logs in training or validation, never a test metric.",
)  # fmt: skip


def metric_field(models: Iterable[Entry]) -> Field:
    """What may be the objective of these models: any metric where one of them logs its own, else one of METRICS."""
    return ANY_METRIC if any(entry.foreign for entry in models) else FIELDS["objective.metric"]


class Objective(BaseModel):
    """What trials are ranked by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = schema.VAL_LOSS
    direction: Literal["minimize", "maximize"] = "minimize"
    at: Literal["last", "best"] = "last"


class Confirm(BaseModel):
    """Which trials are retrained with fresh seeds when the search is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    top: int = 1
    per: str | None = None
    """A searched key: each of its values has winners of its own."""
    seeds: int = 10


class Spec(BaseModel):
    """A checked sweep. Make one with `parse` or `check`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    question: str = ""
    experiment: str
    model: dict[str, Any]
    data: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    regularization: dict[str, Any]
    trainer: dict[str, Any]
    keep: Literal["best", "none"] = "best"
    search: dict[str, Axis]
    sampler: Literal["grid", "random", "qmc", "tpe", "gp"] = "grid"
    trials: int | None = None
    pruner: Literal["none", "median", "hyperband"] = "none"
    confirm: Confirm | None = None
    seeds: int = 1
    seed: int = 0
    vary: tuple[Literal["data", "init", "order"], ...] = SEED_KINDS
    objective: Objective
    workers: int

    def names(self, section: str) -> list[str]:
        """The names that are tried in a section: those searched, else the one it has."""
        axis = self.search.get(f"{section}.name")
        return list(axis.points or ()) if axis else [getattr(self, section)["name"]]

    def combinations(self) -> Iterator[dict[str, str]]:
        """Every choice of model, data, optimizer and schedule."""
        for names in itertools.product(*(self.names(section) for section in NAMED)):
            yield dict(zip(NAMED, names, strict=True))

    def axes(self, names: Mapping[str, str]) -> list[str]:
        """The searched keys that exist for this choice of names, in the order of the spec."""
        catalogue = load()
        keys = []
        for key in self.search:
            section, _, field = key.partition(".")
            if section in UNNAMED or field == "name" or field in catalogue.entry(section, names[section]).fields:
                keys.append(key)
        return keys

    def size(self) -> int | None:
        """How many different configurations the search holds; None for infinitely many."""
        total = 0
        for names in self.combinations():
            product = 1
            for key in self.axes(names):
                if key.endswith(".name"):
                    continue  # each combination has one
                size = self.search[key].size
                if size is None:
                    return None
                product *= size
            total += product
        return total


def configuration(spec: Spec, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The whole configuration of a trial, without its seeds.

    Args:
        spec: The sweep.
        params: Values of searched keys; what is left out comes from the spec, and then from the catalogue.
    """
    params = params or {}
    catalogue = load()
    result: dict[str, Any] = {}
    for section in (*NAMED, *UNNAMED):
        written: dict[str, Any] = getattr(spec, section)
        own: dict[str, Any] = {}
        if section in NAMED:
            own["name"] = params.get(f"{section}.name", written["name"])
            fields = catalogue.entry(section, own["name"]).fields
        else:
            fields = catalogue.sections[section]
        for name, field in fields.items():
            key = f"{section}.{name}"
            if key in params or name in written:
                own[name] = field.check(key, params.get(key, written.get(name)))
            else:
                own[name] = copy.copy(field.default)
        result[section] = own
    if catalogue.entry("model", result["model"]["name"]).own_optimizer:
        result |= {"optimizer": {"name": OWN}, "schedule": {"name": OWN}}
    return {**result, "keep": spec.keep, "objective": spec.objective.model_dump()}


def to_yaml(spec: Spec) -> str:
    """The sweep as a person would write it, without what is at its default; `parse` reads it back to an equal spec."""
    written: dict[str, Any] = {"name": spec.name}
    if spec.question:
        written["question"] = spec.question
    if spec.experiment != spec.name:
        written["experiment"] = spec.experiment
    for section in (*NAMED, *UNNAMED):
        own = getattr(spec, section)
        if own and own != {"name": "constant"}:
            written[section] = own
    if spec.keep != FIELDS["keep"].default:
        written["keep"] = spec.keep
    if spec.search:
        written["search"] = {key: axis.written() for key, axis in spec.search.items()}
    written["sampler"] = spec.sampler
    if spec.trials is not None:
        written["trials"] = spec.trials
    if spec.pruner != "none":
        written["pruner"] = spec.pruner
    written["seeds"] = spec.seeds
    if spec.seed:
        written["seed"] = spec.seed
    if spec.vary != SEED_KINDS:
        written["vary"] = list(spec.vary)
    written["objective"] = spec.objective.model_dump(exclude={"at"} if spec.objective.at == "last" else None)
    if spec.confirm:
        written["confirm"] = spec.confirm.model_dump(exclude_none=True)
    if spec.workers != default_workers(spec.trainer.get("device", "auto")):
        written["workers"] = spec.workers
    return yaml_text.write(written)


# Checking


class _Checker:
    """Turns what a person wrote into the values of a Spec, gathering the sentences of all faults on the way."""

    def __init__(self, raw: Mapping[Any, Any]) -> None:
        self.raw = raw
        self.problems: list[str] = []
        self.catalogue = load()
        self.names: dict[str, list[str]] = {}

    def spec(self) -> Spec:
        values = self.scalars()
        search = self.mapping("search")
        for section in NAMED:
            self.names[section] = self.named(section, search)
        for section in (*NAMED, *UNNAMED):
            values[section] = self.section(section, search)
        if "workers" not in self.raw:
            values["workers"] = default_workers(values["trainer"].get("device", "auto"))
        values["search"] = self.search(search, values["sampler"])
        self.tasks(search)
        self.own_models(search, values["objective"]["metric"])
        self.raise_problems()
        try:
            spec = Spec.model_validate(values)
        except ValidationError as error:  # our own checks come first, so nothing should get here
            first = error.errors()[0]
            raise refusal(".".join(map(str, first["loc"])), first["input"], "what the documentation says") from None
        self.budget(spec)
        self.raise_problems()
        return spec

    def add(self, error: SpecError) -> None:
        with collect(self.problems):
            raise error

    def raise_problems(self) -> None:
        if self.problems:
            raise SpecError(*self.problems)

    def mapping(self, key: str) -> Mapping[Any, Any]:
        value = self.raw.get(key)
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return value
        example = {"search": "{optimizer.lr: {values: [0.01, 0.1]}}", "confirm": "{top: 1, seeds: 10}"}.get(
            key, "{metric: val/loss}"
        )
        if key in NAMED:
            example = f"{{name: {next(iter(self.catalogue.named[key]))}}}"
        elif key in UNNAMED:
            name, field = next(iter(self.catalogue.sections[key].items()))
            example = f"{{{name}: {show(field.default)}}}"
        self.add(refusal(key, value, f"a mapping such as {example}"))
        return {}

    def field(self, field: Field, key: str, value: Any) -> Any:
        with collect(self.problems):
            return field.check(key, value)
        return field.default

    def scalars(self) -> dict[str, Any]:
        known = list(Spec.model_fields)
        for key in self.raw:
            if key not in known:
                self.add(unknown(_text(key), self.raw[key], known, "at the top"))
        values: dict[str, Any] = {"objective": {}, "confirm": {}}
        nested = {part: self.mapping(part) for part in ("objective", "confirm")}
        for part, written in nested.items():
            own = [key.removeprefix(f"{part}.") for key in FIELDS if key.startswith(f"{part}.")]
            for key in written:
                if key not in own:
                    self.add(unknown(f"{part}.{_text(key)}", written[key], own, f"under {part}"))
        for key, field in FIELDS.items():
            section, _, name = key.rpartition(".")
            source = nested[section] if section else self.raw
            left_out = name not in source or (source[name] is None and key in ("question", "experiment", "trials"))
            # Which metrics there are is known with the models: see own_models.
            later = key == ANY_METRIC.name and isinstance(source.get(name), str) and source[name].strip()
            value = field.default if left_out else self.field(ANY_METRIC if later else field, key, source[name])
            (values[section] if section else values)[name] = value
        if self.raw.get("confirm") is None:
            values["confirm"] = None
        for key, longest in (("name", 200), ("experiment", 200)):
            values[key] = " ".join(values[key].split())
            if len(values[key]) > longest or not values[key].isprintable():
                self.add(refusal(key, values[key], f"at most {longest} printable characters"))
        if not values["name"] and (self.raw.get("name") in (None, "") or isinstance(self.raw["name"], str)):
            self.add(missing("name", "text that says what the sweep is called"))
        values["experiment"] = values["experiment"] or values["name"]
        values["vary"] = self.vary()
        return values

    def vary(self) -> tuple[str, ...]:
        value = self.raw.get("vary", list(SEED_KINDS))
        if isinstance(value, str):
            value = [value]
        fits = isinstance(value, Sequence) and value and all(item in SEED_KINDS for item in value)
        if not fits or len(set(value)) < len(value):
            wrong = [item for item in value if item not in SEED_KINDS] if isinstance(value, Sequence) else []
            end = nearest(wrong[0], SEED_KINDS) if wrong else "."
            allowed = f"a list of {', '.join(SEED_KINDS)}, each at most once"
            self.add(refusal("vary", value, allowed, end))
            return SEED_KINDS
        return tuple(kind for kind in SEED_KINDS if kind in value)

    def named(self, section: str, search: Mapping[Any, Any]) -> list[str]:
        """The names that are tried in a section; empty if there is a fault."""
        entries = self.catalogue.named[section]
        field = Field("name", "choice", None, choices=tuple(entries))
        own = self.mapping(section)
        names: list[str] = []
        with collect(self.problems):
            if "name" in own:
                names = [field.check(f"{section}.name", own["name"])]
        key = f"{section}.name"
        if key in search:
            names = []
            with collect(self.problems):
                names = list(axes_of.read(f"search.{key}", search[key], [field]).values or ())
        elif "name" not in own and isinstance(self.raw.get(section, {}), Mapping | None):
            if section in DEFAULT_NAMES:
                names = [DEFAULT_NAMES[section]]
            else:
                self.add(missing(key, ", ".join(entries)))
        return names

    def fields(self, section: str, name: str, key: str, value: Any) -> list[Field]:
        """The fields of this name, one for each model (or data set ...) that is tried and has it."""
        if section in UNNAMED:
            own = [self.catalogue.sections[section]]
        else:
            own = [self.catalogue.named[section][tried].fields for tried in self.names[section]]
        found = [fields[name] for fields in own if name in fields]
        if not found and own:
            where = f"for {', '.join(self.names[section])}" if section in NAMED else f"under {section}"
            everything = dict.fromkeys(field for fields in own for field in fields)
            raise unknown(key, value, everything, where)
        return found

    def section(self, section: str, search: Mapping[Any, Any]) -> dict[str, Any]:
        own = self.mapping(section)
        values: dict[str, Any] = {}
        if section in NAMED and self.names[section]:
            values["name"] = own["name"] if isinstance(own.get("name"), str) else self.names[section][0]
        for name, value in own.items():
            if name == "name" and section in NAMED:
                continue
            key = f"{section}.{_text(name)}"
            with collect(self.problems):
                checked = [field.check(key, value) for field in self.fields(section, _text(name), key, value)]
                values[_text(name)] = checked[0] if checked else None
        self.required(section, own, search)
        return values

    def required(self, section: str, own: Mapping[Any, Any], search: Mapping[Any, Any]) -> None:
        """Says what has no default and was not given."""
        entries = self.catalogue.named.get(section, {})
        for name in self.names.get(section, ()):
            for field in entries[name].fields.values():
                key = f"{section}.{field.name}"
                if field.required and field.name not in own and key not in search:
                    help = field.help.partition(". ")[0].rstrip(".")
                    self.add(missing(key, f"{field.allowed}{f': {help[:1].lower()}{help[1:]}' if help else ''}"))

    def search(self, search: Mapping[Any, Any], sampler: str) -> dict[str, Axis]:
        axes: dict[str, Axis] = {}
        for raw_key, raw_axis in search.items():
            key = _text(raw_key)
            section, dot, name = key.partition(".")
            with collect(self.problems):
                if section not in (*NAMED, *UNNAMED) or not dot:
                    raise unknown(f"search.{key}", raw_axis, self.searchable(), "under search")
                if name == "name" and section in NAMED:
                    axes[key] = Axis(values=tuple(self.names[section]))
                    continue
                fields = self.fields(section, name, f"search.{key}", raw_axis)
                if not fields:
                    continue  # the section's name is at fault, which has been said
                axes[key] = axes_of.read(f"search.{key}", raw_axis, fields)
                if sampler == "grid" and axes[key].points is None:
                    allowed = f"{axes_of.STEPS.allowed} for a range in a grid, or values instead of low and high"
                    raise missing(f"search.{key}.steps", allowed)
        return axes

    def searchable(self) -> list[str]:
        keys = []
        for section in NAMED:
            own = [self.catalogue.named[section][tried].fields for tried in self.names[section]]
            keys += [f"{section}.{name}" for name in dict.fromkeys(["name", *itertools.chain.from_iterable(own)])]
        return keys + [f"{section}.{name}" for section in UNNAMED for name in self.catalogue.sections[section]]

    def own_models(self, search: Mapping[Any, Any], metric: str) -> None:
        """What is otherwise for models of the user's own: the metric is one of theirs, the optimizer may be, too."""
        tried = [self.catalogue.models[name] for name in self.names["model"]]
        if not tried:
            return
        key, field = "objective.metric", metric_field(tried)
        self.field(field, key, metric)
        if field is ANY_METRIC and metric.startswith("test"):
            self.add(refusal(key, metric, "a metric that the model logs in training or validation, no test metric"))
        stepping = [entry.name for entry in tried if entry.own_optimizer]
        for axis in search if stepping else ():
            if _text(axis).startswith(("optimizer.", "schedule.")):
                allowed = f"keys of the model, as {stepping[0]} configures its optimizers itself"
                self.add(refusal("search", _text(axis), allowed))

    def tasks(self, search: Mapping[Any, Any]) -> None:
        key = "search.model.name" if "model.name" in search else "model.name"
        for dataset, model in itertools.product(self.names["data"], self.names["model"]):
            asks = self.catalogue.datasets[dataset].asks
            fitting = self.catalogue.models_for(*asks)
            if model not in fitting:
                allowed = f"{', '.join(fitting)} for data {dataset}, which is {' or '.join(asks)}"
                self.add(refusal(key, model, allowed))

    def budget(self, spec: Spec) -> None:
        size = spec.size()
        trials = spec.trials
        if spec.sampler == "grid":
            if trials is not None:
                allowed = "none for sampler grid, which tries every combination"
                self.add(refusal("trials", trials, allowed))
                return
            trials = size
        elif trials is None:
            self.add(missing("trials", f"{FIELDS['trials'].allowed} for sampler {spec.sampler}"))
        elif size is not None and trials > size:
            allowed = f"at most {size:,}, as the search holds no more configurations"
            self.add(refusal("trials", trials, allowed))
        if trials is not None and trials * spec.seeds > MOST_RUNS:
            runs = f"{trials:,} trials x {spec.seeds:,} seeds are {trials * spec.seeds:,} runs"
            self.problems.append(f"search: {runs}, which is not allowed; allowed: at most {MOST_RUNS:,} runs.")
        if spec.confirm and spec.confirm.per is not None:
            axis = spec.search.get(spec.confirm.per)
            listed = [key for key, own in spec.search.items() if own.points is not None]
            if axis is None or axis.points is None:
                allowed = f"a searched key with listed values ({', '.join(listed) or 'there is none'}), or nothing"
                self.add(refusal("confirm.per", spec.confirm.per, allowed, nearest(spec.confirm.per, listed)))
        if spec.sampler in ADAPTIVE and not spec.search:
            self.add(
                refusal("sampler", spec.sampler, f"grid where nothing is searched, as {spec.sampler} has no choice")
            )


def _text(key: Any) -> str:
    return key if isinstance(key, str) else show(key)


def check(raw: Any) -> Spec:
    """The sweep that plain data (a form's, or a YAML file's) describes.

    Raises:
        SpecError: It cannot be run as written; one sentence for each fault.
    """
    if raw is None or raw == {}:
        raise SpecError("sweep: it is empty; allowed: keys such as name, model, data and search.")
    if not isinstance(raw, Mapping):
        kind = "a list" if isinstance(raw, list) else f"the single value {show(raw)}"
        raise SpecError(f"sweep: {kind} is not allowed; allowed: keys such as name, model, data and search.")
    return _Checker(raw).spec()


def parse(text: str) -> Spec:
    """The sweep that YAML text describes.

    Raises:
        SpecError: It is no YAML, or cannot be run as written; one sentence for each fault.
    """
    return check(yaml_text.read(text))
