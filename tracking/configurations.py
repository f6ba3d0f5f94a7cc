"""What the params of any runs stand for, and which runs are one group: those equal in everything but the seed.

MLflow keeps a param as text. How our own runs write it is known, so that each text is read back as what it was: "none"
is a choice, and 32 is a number beside "full". Strangers (runs that no sweep of ours trained) write one value in several
ways ("0.003", "3e-3", 0.0030000000000000005): a param is read as numbers if every value that they logged in view is a
plain number; else its values stay texts, so that no hash or version is taken for a number. Their "none" means that
there is no value only where all other values are numbers. Numbers that agree to nine significant digits are one value.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise, repeat
from typing import Any, Final

import pandas as pd

from tracking.legible import legible_value

DIGITS: Final = 9
"""Numbers that agree to this many significant digits are one value."""
_PLAIN: Final = re.compile(r"[-+]?((0|[1-9]\d{0,14})(\.\d*)?|\.\d+)(e[-+]?\d+)?|[-+]?inf(inity)?", re.IGNORECASE)
"""A number without a leading zero; whole numbers of more than 15 digits are identifiers."""
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
"""A number as Python or JSON writes it."""
_EMPTY: Final = frozenset({"", "nan"})
"""What a stranger logs for a missing value."""
_NONE: Final = frozenset({"none", "null"})
"""What a stranger logs for a missing value among numbers; among words these are a choice like others."""
_WORDS: Final = {"None": None, "True": True, "False": False}
_TRUTH: Final = {"true": True, "false": False}
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SEEDS: Final = frozenset({"seed", "seeds", "rng"})
_IDENTIFIERS: Final = frozenset({"id", "ids", "uuid", "commit", "sha", "hash", "checksum", "revision", "version"})
"""The last word of a key whose values are identifiers even if they look like numbers: 1.10 is not version 1.1."""


# Keys


def words_of(key: str) -> list[str]:
    """The words of a key in lower case: `use_nesterov` -> use, nesterov."""
    return [word.lower() for word in _WORD.findall(key)]


def is_seed(key: str) -> bool:
    """Whether a key names a seed: `seeds.init`, `data.seed`, `random_state`, `rng`."""
    words = words_of(key)
    return bool(_SEEDS & set(words)) or ("random", "state") in pairwise(words)


# Values


def is_missing(value: Any) -> bool:
    """Whether a run has no such param: None, nan, or pandas' NA."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def all_plain_numbers(key: str, texts: Iterable[Any]) -> bool:
    """Whether a param is numeric: each of its texts in view is a plain number, and at least one is there.

    Args:
        key: The param; one that its name calls an identifier is not numeric.
        texts: Its values as they were logged; those that are missing, or mean it, do not count.
    """
    if set(words_of(key)[-1:]) & _IDENTIFIERS:
        return False
    present = _with_a_value(text for text in texts if isinstance(text, str))
    return bool(present) and all(_PLAIN.fullmatch(text) for text in present)


def _with_a_value(texts: Iterable[str]) -> list[str]:
    """The texts that stand for a value, without the spaces around it."""
    return [text.strip() for text in texts if text.strip().lower() not in _EMPTY | _NONE]


def values_of(key: str, texts: Iterable[Any], ours: Iterable[bool] | None = None) -> list[Any]:
    """The values that the texts of one param stand for, in their order.

    Args:
        key: The param.
        texts: Its values in all runs in view; a value that is not text stands for itself.
        ours: Which of these runs a sweep of ours has trained (`parse_value`); if not given, none of them.
    """
    logged = list(texts)
    by_us = [False] * len(logged) if ours is None else list(ours)
    pairs = {(text, is_ours) for text, is_ours in zip(logged, by_us, strict=True) if isinstance(text, str)}
    our_values = {text: canonical(parse_value(text)) for text, is_ours in pairs if is_ours}
    strangers = {text for text, is_ours in pairs if not is_ours}
    strangers_values = _values_of_strangers(key, strangers, our_values.values())
    return [
        (our_values if is_ours else strangers_values)[text] if isinstance(text, str) else canonical(text)
        for text, is_ours in zip(logged, by_us, strict=True)
    ]


def parse_value(text: str) -> Any:
    """The Python value that a param of our own run was written from: all but texts were written as JSON."""
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text) and not text.lstrip("+-").isdigit():
        return float(text)
    try:
        return legible_value(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _values_of_strangers(key: str, texts: Collection[str], beside: Iterable[Any]) -> dict[str, Any]:
    """Text -> the value it stands for, where strangers logged it as a param that has these values in our own runs."""
    numeric = all_plain_numbers(key, texts)
    numbers = all(value is None or type(value) in (int, float) for value in beside)
    none = None if numbers and (numeric or not _with_a_value(texts)) else "none"
    return {text: none if text.strip().lower() in _NONE else _value(text, numeric) for text in texts}


def _value(text: str, numeric: bool) -> Any:
    """The value that a stranger's text stands for; `numeric` says whether its param is."""
    text = text.strip()
    word = text.lower()
    if word in _EMPTY:
        return None
    if word in _TRUTH:
        return _TRUTH[word]
    if _PLAIN.fullmatch(text):
        whole = text.lstrip("+-").isdigit()
        return text if not numeric else int(text) if whole else canonical(float(text))
    try:
        return canonical(_structured(text)) if text[:1] in ("[", "(", "{", '"') else text
    except RecursionError:
        return text


def _structured(text: str) -> Any:
    """The list, mapping or quoted text that JSON or Python has written so; the text itself where it is none."""
    for as_json in (text, re.sub(r",\s*\)", ")", text).translate(str.maketrans("()'", '[]"'))):
        try:
            return legible_value(json.loads(as_json))
        except ValueError:
            continue
    return text


def canonical(value: Any) -> Any:
    """The value with its numbers to nine significant digits, member by member of a list; None for a missing one."""
    # Most values are of these types, and to check that is ten times faster.
    if type(value) in (str, int, bool):
        return value
    if type(value) is float:
        return None if math.isnan(value) else _rounded(value)
    if isinstance(value, Mapping):
        return {str(key): canonical(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(inner) for inner in value]
    if not isinstance(value, float) and hasattr(value, "item"):
        return canonical(value.item())
    if is_missing(value):
        return None
    return _rounded(value) if isinstance(value, float) else value


def _rounded(value: float) -> float:
    """The number to nine significant digits."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) and not value.is_integer() else value


def identity(value: Any) -> str:
    """A text that is the same for equal values and another for different ones."""
    plain = _whole(canonical(value))
    if type(plain) in (int, float):
        return repr(plain)
    if plain is None or isinstance(plain, str | bool):
        return json.dumps(plain)
    return json.dumps(plain, sort_keys=True, default=str)


def _whole(value: Any) -> Any:
    """The value with 3.0 as 3, so that both are written alike."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


_MISSING: Final = identity(None)
"""The identity of a missing value."""


def identities(values: Sequence[Any]) -> list[str]:
    """The identities of many values, most of them equal, in their order."""
    texts: dict[tuple[type, Any], str] = {}
    column = []
    for value in values:
        # 1, 1.0 and True are equal keys of a dictionary, and not one value. Equal lists are mostly one list.
        key = (type(value), id(value) if type(value) in (dict, list) else value)
        if key not in texts:
            texts[key] = identity(value)
        column.append(texts[key])
    return column


# Groups


def group_names(values: pd.DataFrame, tagged: Sequence[str], parents: Sequence[str]) -> list[str]:
    """The name of each run's group: the one in its tag, else a hash of its params without the seeds.

    One configuration in two sweeps makes two groups, since its seeds come twice. The parent runs of strangers do not
    divide groups: each seed of a configuration may have its own parent.

    Args:
        values: One row per run, one column per param, as `values_of` reads them.
        tagged: The group that a sweep's run is tagged with, one per run; empty for a stranger's run.
        parents: The parent run of each; empty without one.
    """
    return groups_of_identities({str(key): identities(values[key].tolist()) for key in values}, tagged, parents)


def groups_of_identities(
    identities_of: Mapping[str, Sequence[str]], tagged: Sequence[str], parents: Sequence[str]
) -> list[str]:
    """The name of each run's group, as by `group_names`, where the identities of the params are already known.

    Args:
        identities_of: Param -> the identity of its value in each run.
        tagged: As for `group_names`.
        parents: As for `group_names`.
    """
    keys = [key for key in identities_of if not is_seed(key)]
    sweeps: dict[str, set[str]] = {}
    for tag, parent in zip(tagged, parents, strict=True):
        sweeps.setdefault(tag, set()).add(parent)
    rows = zip(*(identities_of[key] for key in keys), strict=True) if keys else repeat((), len(tagged))
    hashes: dict[tuple[str, ...], str] = {}
    names = []
    for tag, parent, row in zip(tagged, parents, rows, strict=True):
        if tag:
            names.append(f"{tag}@{parent[:8]}" if len(sweeps[tag]) > 1 else tag)
            continue
        if row not in hashes:
            hashes[row] = _hash(keys, row)
        names.append(hashes[row])
    return names


def _hash(keys: Sequence[str], row: Sequence[str]) -> str:
    """The hash of a configuration, made of the params that it has."""
    present = [(key, text) for key, text in zip(keys, row, strict=True) if text != _MISSING]
    return hashlib.sha1(json.dumps(present).encode()).hexdigest()[:12]


def summaries(
    run_ids: Sequence[str], parents: Sequence[str], values: pd.DataFrame, metrics: pd.DataFrame
) -> list[bool]:
    """For each run, whether it only sums up its child runs in view, as a search logs its best trial: it is no result.

    Such a run has no configuration and no seed of its own: the params that it shares with its children are those of one
    of them. Its metrics are values of theirs, or it has only params that they have too, and each of its metrics lies
    between the smallest and the largest of theirs (the mean over folds).

    Args:
        run_ids: The runs.
        parents: The parent run of each; empty without one.
        values: One row per run, one column per param, as `values_of` reads them.
        metrics: One row per run, one column per metric: its last values, nan where there is none.
    """
    children: dict[str, list[int]] = {}
    for row, parent in enumerate(parents):
        if parent:
            children.setdefault(parent, []).append(row)
    return [run in children and _sums_up(row, children[run], values, metrics) for row, run in enumerate(run_ids)]


def _present(frame: pd.DataFrame, rows: Sequence[int]) -> list[dict[str, Any]]:
    """For each of these rows, column -> value, without the missing values."""
    return [
        {str(key): value for key, value in row.items() if not is_missing(value)}
        for row in frame.iloc[list(rows)].to_dict("records")
    ]


def _sums_up(parent: int, children: Sequence[int], values: pd.DataFrame, metrics: pd.DataFrame) -> bool:
    """Whether a run, by its row, only sums up the runs in these other rows."""
    params, *params_of_children = (
        {key: identity(value) for key, value in row.items()} for row in _present(values, [parent, *children])
    )
    if not any(all(params.get(key, value) == value for key, value in child.items()) for child in params_of_children):
        return False
    results, *results_of_children = _present(metrics, [parent, *children])
    if set(results.values()) <= {value for child in results_of_children for value in child.values()}:
        return True
    keys = {key for child in params_of_children for key in child}
    return set(params) <= keys and all(
        _between(value, [child[name] for child in results_of_children if name in child])
        for name, value in results.items()
    )


def _between(value: float, others: Sequence[float]) -> bool:
    """Whether a number lies between the smallest and the largest of others, to nine digits."""
    return bool(others) and canonical(min(others)) <= canonical(value) <= canonical(max(others))
