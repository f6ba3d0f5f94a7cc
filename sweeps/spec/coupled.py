"""Coupled settings: one searched key, each of whose named settings gives several keys of the configuration a value.

    search:
      cell:
        settings:
          lstm: {model.name: lstm, model.hidden_size: 56}
          gru: {model.name: gru, model.hidden_size: 64}

A product of searched keys cannot say which values belong together, such as the two hidden sizes with which two models
have the same number of parameters. A setting may leave out what another one sets, since two models have different
fields: there the value of the sweep holds, else the default.

`Coupled` holds what the user wrote, as far as its form is right; `sweeps.spec.checks` checks the values.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sweeps.fields import collect, key_text, refusal
from tracking import schema

MOST_SETTINGS: Final = 100
LONGEST: Final = 60
"""Characters of the key, and of a setting's name."""
_KEYS_OF_A_SWEEP: Final = """
    name question experiment model data optimizer schedule regularization trainer keep search sampler trials pruner
    confirm seeds seed vary replicate objective claim workers record
"""
_COLUMNS: Final = """
    run run_id experiment_id parent status trial seed_data seed_init group phase outcome counts start_time end_time
    error label side level place dev train train_dev training train_clean memorised dev_clean order rank method length
    start end mean remarks seconds metric value time step key params param sweep result
"""
"""What frames and tables of runs have beside their params."""
TAKEN: Final = frozenset(f"{_KEYS_OF_A_SWEEP} {_COLUMNS}".split())
"""Words that no coupled key may be, since they have a meaning of their own."""
_KEY: Final = re.compile(r"[^\W\d_][\w-]*")
_KEY_ALLOWED: Final = f"a word of at most {LONGEST} letters, digits, - and _, without a dot, such as cell"
_SETTING: Final = "a mapping of dotted keys to values, such as {model.name: mlp}"
_SETTINGS: Final = "a mapping of names to settings, such as {wide: {model.name: mlp}}"
_NAME_ALLOWED: Final = f"at most {LONGEST} printable characters, the first a letter, no truth value and no number"

Settings = dict[str, dict[str, Any]]
"""By a setting's name: its dotted keys and their values."""


def _check_key(key: str) -> None:
    """Refuse a key that could not be told from another one, or that could not be stored."""
    from tracking.configurations import is_seed  # takes pandas, which few sweeps need here

    if not _KEY.fullmatch(key) or len(key) > LONGEST:
        raise refusal("search", key, f"for coupled settings, {_KEY_ALLOWED}")
    if key.lower() in TAKEN or is_seed(key) or schema.secret_like(key):
        raise refusal("search", key, "for coupled settings, a word that means nothing else, such as cell")


def _check_name(place: str, name: Any) -> str:
    from tracking.configurations import parse_value

    text = " ".join(name.split()) if isinstance(name, str) else ""
    legible = text[:1].isalpha() and text.isprintable() and len(text) <= LONGEST
    if not legible or parse_value(text) != text:  # a run's param would be read back as no text
        raise refusal(place, name, f"for the name of a setting, {_NAME_ALLOWED}")
    return text


def _settings(place: str, raw: Any) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """(name, what it sets) of each setting."""
    if not isinstance(raw, Mapping) or not raw:
        raise refusal(place, raw, _SETTINGS)
    if len(raw) > MOST_SETTINGS:
        raise refusal(place, f"{len(raw)} settings", f"at most {MOST_SETTINGS}")
    for name, setting in raw.items():
        text = _check_name(place, name)
        if not isinstance(setting, Mapping):
            raise refusal(f"{place}.{text}", setting, _SETTING)
        yield text, setting
    if not any(raw.values()):
        raise refusal(place, raw, f"at least one setting that sets something, as {_SETTING}")


class Coupled:
    """The coupled keys of a search, as they are written.

    Args:
        search: What the user wrote under `search`.
        problems: Gets the sentences about what is no coupled key.
    """

    def __init__(self, search: Mapping[Any, Any], problems: list[str]) -> None:
        self.settings: dict[str, Settings] = {}
        """By coupled key."""
        self.written: set[str] = set()
        """All keys that are written with settings, those with a fault too."""
        searched = {key_text(key) for key in search}
        for raw_key, axis in search.items():
            if isinstance(axis, Mapping) and "settings" in axis:
                key = key_text(raw_key)
                self.written.add(key)
                with collect(problems):
                    self.settings[key] = self._read(key, axis, searched)

    def _read(self, key: str, axis: Mapping[Any, Any], searched: set[str]) -> Settings:
        _check_key(key)
        place = f"search.{key}"
        for other in axis:
            if other != "settings":
                raise refusal(f"{place}.{key_text(other)}", axis[other], "nothing beside settings")
        settings: Settings = {}
        for name, written in _settings(f"{place}.settings", axis["settings"]):
            if name in settings:
                raise refusal(f"{place}.settings", name, "every name once")
            settings[name] = {key_text(dotted): value for dotted, value in written.items()}
            for dotted in settings[name]:
                where = f"{place}.settings.{name}"
                if dotted in searched:
                    raise refusal(where, dotted, f"in a setting, a key that is not searched beside {key}")
                if (other_key := self.setter(dotted)) is not None:
                    raise refusal(where, dotted, f"in a setting, a key that {other_key} does not set as well")
        return settings

    @property
    def faulty(self) -> bool:
        """Whether some settings could not be read, so that it is not known what they set."""
        return self.written != self.settings.keys()

    def setter(self, dotted: str) -> str | None:
        """The coupled key that sets this key, in one of its settings at least; None if there is none."""
        return next((key for key, settings in self.settings.items() if dotted in keys_of(settings)), None)

    def always_set(self, dotted: str) -> bool:
        """Whether every setting of a coupled key sets this key, so that what the sweep has for it does not count."""
        key = self.setter(dotted)
        return key is not None and all(dotted in setting for setting in self.settings[key].values())

    def values(self, dotted: str) -> list[tuple[str, Any]]:
        """(place, value) for each setting that sets this key."""
        key = self.setter(dotted)
        return [
            (f"search.{key}.settings.{name}.{dotted}", setting[dotted])
            for name, setting in (self.settings[key] if key else {}).items()
            if dotted in setting
        ]


def keys_of(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The dotted keys that the settings set, in the order in which they are first written."""
    return list(dict.fromkeys(itertools.chain.from_iterable(settings.values())))
