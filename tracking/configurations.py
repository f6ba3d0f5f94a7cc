"""What the params of any runs stand for, and which runs are one group: those equal in everything but the seed.

MLflow keeps a param as text, and scripts write one value in several ways ("0.003", "3e-3", 0.0030000000000000005). A
param is read as numbers if every value of it in view is a plain number; else its values stay texts, so that of hashes
and versions none is taken for a number. Numbers that agree to nine significant digits are one value.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, repeat
from typing import Any, Final

import pandas as pd

from tracking.legible import legible_value

DIGITS: Final = 9
"""Numbers that agree to so many significant digits are one value."""
_PLAIN: Final = re.compile(r"[-+]?((0|[1-9]\d{0,14})(\.\d*)?|\.\d+)(e[-+]?\d+)?|[-+]?inf(inity)?", re.IGNORECASE)
"""A number without a leading zero; whole numbers of more than 15 digits are identifiers."""
_ABSENT: Final = frozenset({"", "none", "null", "nan"})
_TRUTH: Final = {"true": True, "false": False}
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SEEDS: Final = frozenset({"seed", "seeds", "rng"})
_IDENTIFIERS: Final = frozenset({"id", "ids", "uuid", "commit", "sha", "hash", "checksum", "revision", "version"})
"""The last word of a key whose values name something, whatever they look like: version 1.10 is not version 1.1."""


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
        key: The param; what its name calls an identifier is not numeric.
        texts: Its values as they were logged; those that are missing, or say so, are of no account.
    """
    if set(words_of(key)[-1:]) & _IDENTIFIERS:
        return False
    there = [text.strip() for text in texts if isinstance(text, str) and text.strip().lower() not in _ABSENT]
    return bool(there) and all(_PLAIN.fullmatch(text) for text in there)


def values_of(key: str, texts: Iterable[Any]) -> list[Any]:
    """The values that the texts of one param stand for, in their order.

    Args:
        key: The param.
        texts: Its values in all runs in view; what is not text is taken for what it is.
    """
    listed = list(texts)
    different = {text for text in listed if isinstance(text, str)}
    numeric = all_plain_numbers(key, different)
    read = {text: _value(text, numeric) for text in different}
    return [read[text] if isinstance(text, str) else canonical(text) for text in listed]


def _value(text: str, numeric: bool) -> Any:
    """What one text stands for, where it is known whether its param is numeric."""
    text = text.strip()
    word = text.lower()
    if word in _ABSENT:
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
    """A list, mapping or quoted text, as JSON or Python writes it; the text itself where it is neither."""
    for written in (text, re.sub(r",\s*\)", ")", text).translate(str.maketrans("()'", '[]"'))):
        try:
            return legible_value(json.loads(written))
        except ValueError:
            continue
    return text


def canonical(value: Any) -> Any:
    """The value with its numbers to nine significant digits, member by member of a list; None for a missing one."""
    if type(value) in (str, int, bool):  # almost all of them: to look for what is rare takes long
        return value
    if isinstance(value, Mapping):
        return {str(key): canonical(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(inner) for inner in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if is_missing(value):
        return None
    if isinstance(value, float) and math.isfinite(value) and not value.is_integer():
        return float(f"{value:.{DIGITS}g}")
    return value


def identity(value: Any) -> str:
    """A text that is the same for equal values and another for different ones."""
    written = _whole(canonical(value))
    if type(written) is int or (type(written) is float and math.isfinite(written)):
        return repr(written)  # as JSON writes it, in a tenth of the time
    if written is None or isinstance(written, str | int | float):
        return json.dumps(written)
    return json.dumps(written, sort_keys=True, default=str)


def _whole(value: Any) -> Any:
    """The value with 3.0 as 3, so that both are written alike."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


_MISSING: Final = identity(None)
"""The identity of a value that is not there."""


def identities(values: Sequence[Any]) -> list[str]:
    """The identity of each of many values, of which most are equal."""
    texts: dict[tuple[type, Any], str] = {}
    column = []
    for value in values:
        if type(value) in (dict, list):
            column.append(identity(value))
            continue
        # 1, 1.0 and True are equal keys of a dictionary, and not one value.
        key = (type(value), value)
        if key not in texts:
            texts[key] = identity(value)
        column.append(texts[key])
    return column


# Groups


def group_names(values: pd.DataFrame, tagged: Sequence[str], parents: Sequence[str]) -> list[str]:
    """The name of the group of each run: that of its tag, else one made of its params without the seeds.

    One configuration in two sweeps makes two groups, since its seeds come twice. A stranger's parent runs say nothing
    of that kind: the seeds of a configuration may have a parent each.

    Args:
        values: One row per run, one column per param, as `values_of` reads them.
        tagged: The group that a sweep's run is tagged with; nothing for a stranger's run.
        parents: The parent run of each; nothing without one.
    """
    return groups_of_identities({str(key): identities(values[key].tolist()) for key in values}, tagged, parents)


def groups_of_identities(
    identities_of: Mapping[str, Sequence[str]], tagged: Sequence[str], parents: Sequence[str]
) -> list[str]:
    """The same where the identity of each run's value is there already.

    Args:
        identities_of: By param, one for each run.
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
    """The name of a configuration, made of the params that it has."""
    present = [(key, text) for key, text in zip(keys, row, strict=True) if text != _MISSING]
    return hashlib.sha1(json.dumps(present).encode()).hexdigest()[:12]


def summaries(
    run_ids: Sequence[str], parents: Sequence[str], values: pd.DataFrame, metrics: pd.DataFrame
) -> list[bool]:
    """Which of the runs only sum up their child runs in view, as a search logs its best trial: they are no results.

    Such a run has no configuration and no seed of its own: what it shares with its children is what one of them has.
    Its metrics are values of theirs, or it has only params and metrics that they have too (the mean over folds).

    Args:
        run_ids: The runs.
        parents: The parent run of each; nothing without one.
        values: One row per run, one column per param, as `values_of` reads them.
        metrics: One row per run, one column per metric: its last values, nan where there is none.
    """
    children: dict[str, list[int]] = {}
    for row, parent in enumerate(parents):
        if parent:
            children.setdefault(parent, []).append(row)
    return [run in children and _sums_up(row, children[run], values, metrics) for row, run in enumerate(run_ids)]


def _present(frame: pd.DataFrame, rows: Sequence[int]) -> list[dict[str, Any]]:
    """What each of these rows has, column -> value."""
    return [
        {str(key): value for key, value in row.items() if not is_missing(value)}
        for row in frame.iloc[list(rows)].to_dict("records")
    ]


def _sums_up(parent: int, children: Sequence[int], values: pd.DataFrame, metrics: pd.DataFrame) -> bool:
    """Whether a run, by its row, only sums up the runs in these other rows."""
    params, *theirs = (
        {key: identity(value) for key, value in row.items()} for row in _present(values, [parent, *children])
    )
    if not any(all(params.get(key, value) == value for key, value in child.items()) for child in theirs):
        return False
    logged, *results = _present(metrics, [parent, *children])
    copied = {value for result in results for value in result.values()}
    if set(logged.values()) <= copied:
        return True
    names, keys = {name for result in results for name in result}, {key for child in theirs for key in child}
    return set(logged) <= names and set(params) <= keys
