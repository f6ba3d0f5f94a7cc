"""Checks the values of coupled settings, each for the models, data sets, ... that its setting is trained with.

`sweeps.spec.coupled` has read their form. A value has to be allowed for all that it meets: of a key that is searched
alone, a model without the field takes no notice; a setting says of its own model what it is to have.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sweeps.catalogue import Catalogue
from sweeps.fields import Field, collect, refusal, unknown
from sweeps.spec.coupled import Coupled
from sweeps.spec.model import Spec, configuration, fixed_by
from sweeps.spec.options import NAMED, UNNAMED
from sweeps.spec.search_axis import Axis


class CoupledChecks(Coupled):
    """The coupled keys of a search, and what has to hold for them.

    Args:
        catalogue: The models, data sets, optimizers, ... and their fields.
        search: What the user wrote under `search`.
        problems: Gets the sentences of all faults.
    """

    def __init__(self, catalogue: Catalogue, search: Mapping[Any, Any], problems: list[str]) -> None:
        super().__init__(search, problems)
        self.catalogue = catalogue
        self.problems = problems
        self.names: dict[str, list[str]] = {}
        """By section: all names that are tried; `names_with` fills it."""
        self.uncoupled_names: dict[str, list[str]] = {}
        """By section: the names where no setting chooses one."""

    def names_with(self, section: str, uncoupled: Sequence[str]) -> list[str]:
        """All names that are tried in a section.

        Args:
            section: A named section.
            uncoupled: The names where no setting chooses one.
        """
        key = f"{section}.name"
        field = Field("name", "choice", None, choices=tuple(self.catalogue.named[section]))
        names = [] if self.always_set(key) else list(uncoupled)
        for place, value in self.values(key):
            with collect(self.problems):
                names.append(field.check(place, value))
        self.uncoupled_names[section] = list(uncoupled)
        self.names[section] = list(dict.fromkeys(names))
        return self.names[section]

    def met(self, key: str, setting: str, section: str) -> list[str]:
        """The models (data sets, optimizers ...) that a setting is trained with."""
        name = f"{section}.name"
        chosen = self.settings[key][setting].get(name)
        if chosen is not None:
            return [tried for tried in self.names[section] if tried == str(chosen)]
        return self.uncoupled_names[section] if self.setter(name) == key else self.names[section]

    def lacking(self, section: str, name: str, key: str) -> list[str]:
        """Where a field that a model (data set ...) needs has no value: its key, or the settings that leave it out."""
        coupled = self.setter(key)
        if coupled is None:
            return [key]
        return [
            f"search.{coupled}.settings.{setting}.{key}"
            for setting, values in self.settings[coupled].items()
            if key not in values and name in self.met(coupled, setting, section)
        ]

    def axis(self, key: str) -> Axis:
        """The axis of a coupled key; what is wrong with its values is among the problems then."""
        checked: dict[str, dict[str, Any]] = {}
        for setting, written in self.settings[key].items():
            checked[setting] = {}
            for dotted, value in written.items():
                with collect(self.problems):
                    checked[setting][dotted] = self._value(key, setting, dotted, value)
        return Axis(values=tuple(checked), settings=checked)

    def _value(self, key: str, setting: str, dotted: str, value: Any) -> Any:
        """The value that a setting gives a dotted key.

        Raises:
            SpecError: A model that the setting is trained with has no such field, or does not allow the value.
        """
        section, _, name = dotted.partition(".")
        place = f"search.{key}.settings.{setting}.{dotted}"
        if section not in (*NAMED, *UNNAMED) or not name:
            raise unknown(place, value, self._keys(key, setting), "in a setting")
        if section in NAMED and name == "name":
            return str(value)  # checked in `names_with`
        checked = None
        for where, fields in self._fields(key, setting, section).items():
            if name not in fields:
                raise unknown(place, value, fields, where)
            checked = fields[name].check(place, value)
        return checked

    def _fields(self, key: str, setting: str, section: str) -> dict[str, Mapping[str, Field]]:
        """The fields of all that the setting is trained with in a section, by words for it."""
        if section in UNNAMED:
            return {f"under {section}": self.catalogue.sections[section]}
        entries = self.catalogue.named[section]
        return {f"for {name}": entries[name].fields for name in self.met(key, setting, section)}

    def _keys(self, key: str, setting: str) -> list[str]:
        """The dotted keys that the setting could set."""
        keys = [f"{section}.name" for section in NAMED]
        for section in (*NAMED, *UNNAMED):
            for fields in self._fields(key, setting, section).values():
                keys += [f"{section}.{name}" for name in fields]
        return list(dict.fromkeys(keys))

    def refuse_optimizers_of(self, models: Collection[str]) -> None:
        """Refuse settings that say how one of these models is optimized, which it configures itself."""
        for key, settings in self.settings.items():
            for setting, values in settings.items():
                model = next((name for name in self.met(key, setting, "model") if name in models), None)
                for dotted in values if model else ():
                    if dotted.startswith(("optimizer.", "schedule.")):
                        allowed = f"keys of the model, as {model} configures its optimizers itself"
                        with collect(self.problems):
                            raise refusal(f"search.{key}.settings.{setting}", dotted, allowed)

    def trained_together(self) -> list[tuple[str, str]]:
        """Every data set with every model that is trained on it."""
        coupled = self.setter("model.name")
        if coupled is None or coupled != self.setter("data.name"):
            return list(itertools.product(self.names["data"], self.names["model"]))
        pairs = [
            itertools.product(self.met(coupled, setting, "data"), self.met(coupled, setting, "model"))
            for setting in self.settings[coupled]
        ]
        return list(dict.fromkeys(itertools.chain.from_iterable(pairs)))

    def refuse_equal(self, spec: Spec) -> None:
        """Refuse two settings that stand for one configuration: their runs could not be told apart.

        Args:
            spec: The sweep with the axes of these keys.
        """
        for key, settings in spec.settings.items():
            with collect(self.problems):
                _refuse_equal(spec, key, settings)


def _refuse_equal(spec: Spec, key: str, settings: Collection[str]) -> None:
    first: dict[str, str] = {}
    for names in spec.combinations():
        for setting in [names[key]] if key in names else settings:
            text = json.dumps(configuration(spec, {**fixed_by(names), key: setting}), sort_keys=True)
            if first.setdefault(text, setting) != setting:
                allowed = f"settings that differ, as {first[text]} stands for the same configuration"
                raise refusal(f"search.{key}.settings", setting, allowed)
