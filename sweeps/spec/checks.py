"""Checks what the user wrote, in YAML or in a form, and makes it a `Spec`.

Every refusal names the dotted key, the value, what is allowed and the nearest name.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sweeps.catalogue import load, user_models
from sweeps.catalogue.metrics import direction
from sweeps.fields import Field, SpecError, collect, key_text, missing, nearest, refusal, show, unknown
from sweeps.spec import claims as spec_claims
from sweeps.spec import losses, search_axis, yaml_text
from sweeps.spec.coupled_checks import CoupledChecks
from sweeps.spec.model import Confirm, Objective, Replicate, Spec, repeats
from sweeps.spec.options import (
    ADAPTIVE,
    ANY_METRIC,
    DEFAULT_NAMES,
    FIELDS,
    MOST_RUNS,
    NAMED,
    RECORD,
    SEED_KINDS,
    UNNAMED,
    default_workers,
    metric_field,
)
from sweeps.spec.replicate_checks import refused_beside_replicate
from sweeps.spec.search_axis import Axis

_PARTS: Final[dict[str, type]] = {"objective": Objective, "confirm": Confirm, "replicate": Replicate}
"""The keys of a sweep that have keys of their own, which FIELDS lists as `objective.metric` and the like."""


_LONGEST_NAME: Final = 200
"""Characters of a sweep's name, and of its experiment's."""


class _Checker:
    """Turns what the user wrote into the values of a Spec, and gathers the sentences of all faults on the way."""

    def __init__(self, raw: Mapping[Any, Any], accepted_with: Sequence[str] | None) -> None:
        self.raw = raw
        self.accepted_with = accepted_with
        self.problems: list[str] = []
        self.catalogue = load()
        self.names: dict[str, list[str]] = {}
        """By section: the names that are tried."""
        self.coupled = CoupledChecks(self.catalogue, {}, self.problems)

    def spec(self) -> Spec:
        values = self.scalars()
        search = self.mapping("search")
        self.coupled = CoupledChecks(self.catalogue, search, self.problems)
        for section in NAMED:
            self.names[section] = self.coupled.names_with(section, self.named(section, search))
        for section in (*NAMED, *UNNAMED):
            values[section] = self.section(section, search)
        values[RECORD] = self.section(RECORD, {})
        if "workers" not in self.raw:
            values["workers"] = default_workers(values["trainer"].get("device", "auto"))
        values["search"] = self.search(search, values["sampler"])
        self.tasks(search)
        losses.refuse_unfit(self.catalogue, self.coupled, values["model"], values["search"], self.problems)
        self.objective(values["objective"], off=[name for name, on in values[RECORD].items() if not on])
        self.user_models(search)
        self.raise_problems()
        for part, kind in _PARTS.items():
            if values[part] is not None:
                values[part] = kind(**values[part])
        spec = Spec(**values)
        self.coupled.refuse_equal(spec)
        self.budget(spec)
        spec = self.claims(spec)
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
        example = {
            "search": "{optimizer.lr: {values: [0.01, 0.1]}}",
            "confirm": "{top: 1, seeds: 10}",
            "replicate": "{datasets: 8, inits: 4}",
        }.get(key, "{metric: val/loss}")
        if key in NAMED:
            example = f"{{name: {next(iter(self.catalogue.named[key]))}}}"
        elif key in self.catalogue.sections:
            name, field = next(iter(self.catalogue.sections[key].items()))
            example = f"{{{name}: {show(field.default)}}}"
        self.add(refusal(key, value, f"a mapping such as {example}"))
        return {}

    def field(self, field: Field, key: str, value: Any) -> Any:
        with collect(self.problems):
            return field.check(key, value)
        return field.default

    def scalars(self) -> dict[str, Any]:
        """The values of all keys outside the sections of a configuration, search and claim."""
        written = self.known_keys()
        values: dict[str, Any] = {part: {} for part in _PARTS}
        for key, field in FIELDS.items():
            part, _, name = key.rpartition(".")
            source = written[part] if part else self.raw
            left_out = name not in source or (source[name] is None and key in ("question", "experiment", "trials"))
            # Which metrics there are is known with the data and the models: see objective.
            later = field is ANY_METRIC and not left_out
            value = source[name] if later else field.default if left_out else self.field(field, key, source[name])
            (values[part] if part else values)[name] = value
        for part in ("confirm", "replicate"):
            if self.raw.get(part) is None:
                values[part] = None
        self.name_and_experiment(values)
        values["vary"] = self.vary()
        if isinstance(self.raw.get("replicate"), Mapping):
            for error in refused_beside_replicate(self.raw, values):
                self.add(error)
        return values

    def known_keys(self) -> dict[str, Mapping[Any, Any]]:
        """What is written in each of the parts; keys that do not exist there, or at the top, are refused."""
        keys = [field.name for field in dataclasses.fields(Spec)]
        for key in self.raw:
            if key not in keys:
                self.add(unknown(key_text(key), self.raw[key], keys, "at the top"))
        written = {part: self.mapping(part) for part in _PARTS}
        for part, mapping in written.items():
            keys = [key.removeprefix(f"{part}.") for key in FIELDS if key.startswith(f"{part}.")]
            for key in mapping:
                if key not in keys:
                    self.add(unknown(f"{part}.{key_text(key)}", mapping[key], keys, f"under {part}"))
        return written

    def name_and_experiment(self, values: dict[str, Any]) -> None:
        for key in ("name", "experiment"):
            values[key] = " ".join(values[key].split())
            if len(values[key]) > _LONGEST_NAME or not values[key].isprintable():
                self.add(refusal(key, values[key], f"at most {_LONGEST_NAME} printable characters"))
        if not values["name"] and (self.raw.get("name") in (None, "") or isinstance(self.raw["name"], str)):
            self.add(missing("name", "text that says what the sweep is called"))
        values["experiment"] = values["experiment"] or values["name"]

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
        written = self.mapping(section)
        names: list[str] = []
        if section == "model" and (other := self.other_model(written, search)) is not None:
            self.problems.append(user_models.not_here("model.name", other))
            self.coupled.settings.clear()  # what they set cannot be checked without the model
            return names
        with collect(self.problems):
            if "name" in written:
                names = [field.check(f"{section}.name", written["name"])]
        key = f"{section}.name"
        if key in search:
            names = []
            with collect(self.problems):
                names = list(search_axis.read(f"search.{key}", search[key], [field]).values or ())
        elif "name" not in written and isinstance(self.raw.get(section, {}), Mapping | None):
            if self.coupled.always_set(key) or self.coupled.faulty:
                return names
            if section in DEFAULT_NAMES:
                names = [DEFAULT_NAMES[section]]
            else:
                self.add(missing(key, ", ".join(entries)))
        return names

    def other_model(self, model: Mapping[Any, Any], search: Mapping[Any, Any]) -> str | None:
        """The first model that, where the sweep was accepted, came from user modules that are not read here."""
        if self.accepted_with is None:
            return None
        axis = search.get("model.name")
        values = axis.get("values") if isinstance(axis, Mapping) else None
        names = values if isinstance(values, list) else [model.get("name")]
        names = [*names, *(value for _, value in self.coupled.values("model.name"))]
        same = list(self.accepted_with) == user_models.paths()
        here = {name for name, entry in self.catalogue.models.items() if same or not entry.source}
        return next((name for name in names if isinstance(name, str) and name not in here), None)

    def fields(self, section: str, name: str, key: str, value: Any) -> list[Field]:
        """The fields of this name, one for each model (or data set ...) that is tried and has it.

        Raises:
            SpecError: None of them has it.
        """
        if section not in NAMED:
            candidates = [self.catalogue.sections[section]]
        else:
            candidates = [self.catalogue.named[section][tried].fields for tried in self.names[section]]
        matches = [fields[name] for fields in candidates if name in fields]
        if not matches and candidates:
            where = f"for {', '.join(self.names[section])}" if section in NAMED else f"under {section}"
            names = dict.fromkeys(itertools.chain.from_iterable(candidates))
            raise unknown(key, value, names, where)
        return matches

    def section(self, section: str, search: Mapping[Any, Any]) -> dict[str, Any]:
        """The values of a section of the configuration, as far as they are written."""
        written = self.mapping(section)
        values: dict[str, Any] = {}
        if section in NAMED and self.names[section]:
            values["name"] = written["name"] if isinstance(written.get("name"), str) else self.names[section][0]
        for name, value in written.items():
            if name == "name" and section in NAMED:
                continue
            key = f"{section}.{key_text(name)}"
            with collect(self.problems):
                checked = [field.check(key, value) for field in self.fields(section, key_text(name), key, value)]
                values[key_text(name)] = checked[0] if checked else None
        self.required(section, written, search)
        return values

    def required(self, section: str, written: Mapping[Any, Any], search: Mapping[Any, Any]) -> None:
        """Refuse the section if a field without a default is neither written nor searched."""
        entries = self.catalogue.named.get(section, {})
        for name in self.names.get(section, ()):
            for field in entries[name].fields.values():
                key = f"{section}.{field.name}"
                if field.required and field.name not in written and key not in search:
                    help = field.help.partition(". ")[0].rstrip(".")
                    allowed = f"{field.allowed}{f': {help[:1].lower()}{help[1:]}' if help else ''}"
                    for place in self.coupled.lacking(section, name, key):
                        self.add(missing(place, allowed))

    def search(self, search: Mapping[Any, Any], sampler: str) -> dict[str, Axis]:
        """The searched keys, each with the values to try."""
        axes: dict[str, Axis] = {}
        for raw_key, raw_axis in search.items():
            key = key_text(raw_key)
            section, dot, name = key.partition(".")
            if key in self.coupled.written:
                if key in self.coupled.settings:
                    axes[key] = self.coupled.axis(key)
                continue
            with collect(self.problems):
                if section not in (*NAMED, *UNNAMED) or not dot:
                    raise unknown(f"search.{key}", raw_axis, self.searchable(), "under search")
                if name == "name" and section in NAMED:
                    axes[key] = Axis(values=tuple(self.names[section]))
                    continue
                fields = self.fields(section, name, f"search.{key}", raw_axis)
                if not fields:
                    continue  # the section's name is at fault, which has been said
                axes[key] = search_axis.read(f"search.{key}", raw_axis, fields)
                if sampler == "grid" and axes[key].points is None:
                    allowed = f"{search_axis.STEPS.allowed} for a range in a grid, or values instead of low and high"
                    raise missing(f"search.{key}.steps", allowed)
        return axes

    def searchable(self) -> list[str]:
        """The keys that could be searched with the names that are tried."""
        keys = []
        for section in NAMED:
            fields = [self.catalogue.named[section][tried].fields for tried in self.names[section]]
            keys += [f"{section}.{name}" for name in dict.fromkeys(["name", *itertools.chain.from_iterable(fields)])]
        return keys + [f"{section}.{name}" for section in UNNAMED for name in self.catalogue.sections[section]]

    def objective(self, objective: dict[str, Any], off: Sequence[str]) -> None:
        """Check the metric, for which there is what the data and the models measure; it has a direction by itself.

        Args:
            objective: The values of this section; the metric is as the user wrote it.
            off: The recorders that are turned off.
        """
        trained = list(self.coupled.trained_together())
        if not trained:
            return  # a name is at fault, which has been said
        key, written = ANY_METRIC.name, self.raw.get("objective")
        field = metric_field(self.catalogue, trained, off)
        metric = objective["metric"] = self.field(field, key, objective["metric"])
        if field is ANY_METRIC and metric.startswith("test"):
            self.add(refusal(key, metric, "a metric that the model logs in training or validation, no test metric"))
        if not (isinstance(written, Mapping) and "direction" in written):
            objective["direction"] = direction(self.catalogue.better(metric))

    def user_models(self, search: Mapping[Any, Any]) -> None:
        """Check what differs for user models: they may configure their optimizers themselves."""
        tried = [self.catalogue.models[name] for name in self.names["model"]]
        stepping = [entry.name for entry in tried if entry.own_optimizer]
        for axis in search if stepping else ():
            if key_text(axis).startswith(("optimizer.", "schedule.")):
                allowed = f"keys of the model, as {stepping[0]} configures its optimizers itself"
                self.add(refusal("search", key_text(axis), allowed))
        self.coupled.refuse_optimizers_of(stepping)

    def claims(self, spec: Spec) -> Spec:
        """The sweep with its claims, which are checked last, since they have to be about what is searched."""
        if self.raw.get("claim") is None:
            return spec
        with collect(self.problems):
            return dataclasses.replace(spec, claim=spec_claims.read(self.raw["claim"], spec, self.catalogue))
        return spec

    def tasks(self, search: Mapping[Any, Any]) -> None:
        """Refuse a model that cannot be trained on one of the data sets that are tried."""
        key = "search.model.name" if "model.name" in search else "model.name"
        if (coupled := self.coupled.setter("model.name") or self.coupled.setter("data.name")) is not None:
            key = f"search.{coupled}.settings"
        for dataset, model in self.coupled.trained_together():
            fitting = self.catalogue.models_for(dataset)
            if model not in fitting:
                entry = self.catalogue.datasets[dataset]
                able = not set(entry.asks).isdisjoint(self.catalogue.models[model].tasks)
                reason = f"whose inputs are: {entry.gives}" if able else f"which is {' or '.join(entry.asks)}"
                self.add(refusal(key, model, f"{', '.join(fitting)} for data {dataset}, {reason}"))

    def budget(self, spec: Spec) -> None:
        """Check how many trials and runs there are, and what confirms them, now that the search is known."""
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
            runs = f"{trials:,} trials x {repeats(spec)} are {trials * spec.seeds:,} runs"
            self.problems.append(f"search: {runs}, which is not allowed; allowed: at most {MOST_RUNS:,} runs.")
        if spec.confirm and spec.confirm.per is not None:
            axis = spec.search.get(spec.confirm.per)
            listed = [key for key, searched in spec.search.items() if searched.points is not None]
            if axis is None or axis.points is None:
                allowed = f"a searched key with listed values ({', '.join(listed) or 'there is none'}), or nothing"
                self.add(refusal("confirm.per", spec.confirm.per, allowed, nearest(spec.confirm.per, listed)))
        if spec.sampler in ADAPTIVE and not spec.search:
            allowed = f"grid where nothing is searched, as {spec.sampler} has no choice"
            self.add(refusal("sampler", spec.sampler, allowed))


def check(raw: Any, *, accepted_with: Sequence[str] | None = None) -> Spec:
    """The sweep that plain data (a form's, or a YAML file's) describes.

    Args:
        raw: The data.
        accepted_with: The paths of the user modules that are read by the process which has accepted the sweep
            already; None if none has.

    Raises:
        SpecError: It cannot be run as written; one sentence for each fault.
    """
    if raw is None or raw == {}:
        raise SpecError("sweep: it is empty; allowed: keys such as name, model, data and search.")
    if not isinstance(raw, Mapping):
        kind = "a list" if isinstance(raw, list) else f"the single value {show(raw)}"
        raise SpecError(f"sweep: {kind} is not allowed; allowed: keys such as name, model, data and search.")
    return _Checker(raw, accepted_with).spec()


def parse(text: str, *, accepted_with: Sequence[str] | None = None) -> Spec:
    """The sweep that YAML text describes.

    Args:
        text: The YAML.
        accepted_with: See `check`.

    Raises:
        SpecError: It is not YAML, or cannot be run as written; one sentence for each fault.
    """
    return check(yaml_text.read(text), accepted_with=accepted_with)
