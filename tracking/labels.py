"""Labels of configurations, such as `adam, lr 0.01`: the fewest params that tell them apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations, count
from math import comb
from typing import Any, Final

from tracking.configurations import DIGITS, identities, identity, is_missing, is_seed, words_of

NOT_SET: Final = "not set"
"""What a label says of a param that a configuration does not have."""
ONLY: Final = "the one configuration"
LONGEST: Final = 24
"""Characters of a value in a label."""
_NAMES: Final = (
    "optimizer", "optim", "model", "method", "algorithm", "algo", "architecture", "arch", "network", "net",
    "classifier", "regressor", "estimator", "learner", "agent", "scheduler", "schedule", "dataset", "data",
)  # fmt: skip
"""Choices whose value is a label without the key, the ones that users compare most often first."""
_KINDS: Final = frozenset({"name", "type", "class", "kind"})
_OF_THE_RUN: Final = frozenset(
    {"name", "title", "dir", "directory", "folder", "path", "file", "url", "uri", "host", "user", "date", "timestamp",
     "id", "uuid", "commit", "sha", "hash"}
)  # fmt: skip
"""The last word of a key that says which run it is and not how it trained, unless it names a choice."""
_MOST_TRIED: Final = 100_000
"""How many configurations to compare, at most, in search of the fewest params; beyond it params are added greedily."""


# Words


def _name_rank(key: str) -> int | None:
    """The place of a key among those that name a choice (`optimizer`, `model.name`); None if it does not name one."""
    words = words_of(key)
    thing = words[-2] if len(words) > 1 and words[-1] in _KINDS else words[-1] if words else ""
    if thing in _NAMES:
        return _NAMES.index(thing)
    return len(_NAMES) if key.endswith(".name") else None


def is_name(key: str) -> bool:
    """Whether a key names a choice, such as the optimizer or the model: its value is clear without the key."""
    return _name_rank(key) is not None


def _of_the_run(key: str) -> bool:
    return not is_name(key) and bool(_OF_THE_RUN & set(words_of(key)[-1:]))


def _word(value: Any, digits: int = 4) -> str:
    """A value in a label."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.{digits}g}"
    if isinstance(value, list | tuple):
        members = [_word(member, digits) for member in value]
        same = len(members) > 3 and len(set(members)) == 1
        return (f"{len(members)} × {members[0]}" if same else "-".join(members)) or "none"
    if isinstance(value, Mapping):
        return json.dumps(value, default=str)
    return "none" if value is None else " ".join(str(value).split())


def _alike(words: Mapping[str, str]) -> list[list[str]]:
    """Groups of several keys that have the same word."""
    keys: dict[str, list[str]] = {}
    for key, word in words.items():
        keys.setdefault(word, []).append(key)
    return [together for together in keys.values() if len(together) > 1]


def _where_they_differ(words: Sequence[str], length: int) -> dict[str, str]:
    """Word -> `length` letters of it, from a little before the first place where the words differ."""
    differing = (place for place, letters in enumerate(zip(*words, strict=False)) if len(set(letters)) > 1)
    start = max(0, next(differing, min(map(len, words))) - 4)
    return {word: f"…{word[start : start + length]}" for word in words}


def _cut(words: Collection[str]) -> dict[str, str]:
    """Word -> the word in LONGEST characters; of words that begin alike, the parts around one or two differences."""
    cut = {word: word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…" for word in words}
    for alike in _alike(cut):
        cut |= _where_they_differ(alike, LONGEST - 1)
    half = LONGEST // 2
    for alike in _alike(cut):
        cut |= {word: f"{cut[word][:half]}{end}" for word, end in _where_they_differ(alike, half - 1).items()}
    return cut


def _numbered(words: Mapping[str, str]) -> dict[str, str]:
    """Key -> word; equal words get a number at the end."""
    numbered, unnumbered = dict(words), set(words.values())
    for keys in _alike(words):
        free = (word for number in count(1) if (word := f"{words[keys[0]]} ({number})") not in unnumbered)
        numbered |= dict(zip(sorted(keys), free, strict=False))
    return numbered


def _words(values: Sequence[Any]) -> list[str]:
    """The words for the values of one param, empty for a missing one; different values get different words."""
    keys = ["" if is_missing(value) else identity(value) for value in values]
    different = {key: value for key, value in zip(keys, values, strict=True) if key}
    short = {key: _word(value) for key, value in different.items()}
    if len(set(short.values())) < len(short):
        short = {key: _word(value, DIGITS) for key, value in different.items()}
    cut = _cut(set(short.values()))
    words = _numbered({key: cut[word] for key, word in short.items()})
    return [words.get(key, "") for key in keys]


# The params that tell configurations apart


def _codes(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Key -> a number for the value of each configuration; only keys that differ, without seeds."""
    codes: dict[str, list[int]] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        if is_seed(key):
            continue
        numbers: dict[str, int] = {}
        column = [numbers.setdefault(text, len(numbers)) for text in identities([row.get(key) for row in rows])]
        if len(numbers) > 1:
            codes[key] = column
    return codes


def _apart(columns: Sequence[Sequence[int]]) -> int:
    """How many configurations these columns tell apart."""
    return len(set(zip(*columns, strict=True))) if columns else 1


def _short_text(value: Any) -> bool:
    return is_missing(value) or (isinstance(value, str) and len(value) <= LONGEST)


def _leading(rows: Sequence[Mapping[str, Any]], codes: Mapping[str, list[int]]) -> list[str]:
    """The keys of choices that tell configurations apart, without those that follow from others."""
    choices = [key for key in codes if is_name(key) and all(_short_text(row.get(key)) for row in rows)]
    chosen: list[str] = []
    for key in sorted(choices, key=lambda key: _name_rank(key) or 0):
        columns = [codes[name] for name in chosen]
        if _apart([*columns, codes[key]]) > _apart(columns):
            chosen.append(key)
    return chosen


def _cost(key: str, rows: Sequence[Mapping[str, Any]]) -> tuple[bool, bool, bool]:
    """What params are sorted by, best first: those that say how a run trained, short ones, those that none lacks."""
    values = [row.get(key) for row in rows]
    long = any(isinstance(value, Mapping) or len(_word(value)) > LONGEST for value in values)
    return _of_the_run(key), long, any(map(is_missing, values))


def telling(configurations: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fewest params that tell configurations apart, choices such as optimizer, model or method first.

    Args:
        configurations: The params of each: key -> value.
    """
    codes = _codes(configurations)
    target = _apart(list(codes.values()))
    chosen = _leading(configurations, codes)
    costs = {key: _cost(key, configurations) for key in codes}
    others: dict[tuple[int, ...], str] = {}
    for key in sorted((key for key in codes if key not in chosen), key=lambda key: costs[key]):
        others.setdefault(tuple(codes[key]), key)
    rest = list(others.values())

    def apart(more: Sequence[str]) -> int:
        return _apart([codes[key] for key in (*chosen, *more)])

    for size in range(len(rest) + 1):
        if size and comb(len(rest), size) * len(configurations) > _MOST_TRIED:
            break
        for few in combinations(rest, size):
            if apart(few) == target:
                return [*chosen, *few]
    more: tuple[str, ...] = ()
    while apart(more) < target:
        more = (*more, max((key for key in rest if key not in more), key=lambda key: apart((*more, key))))
    return [*chosen, *more]


def meant(configurations: Sequence[Mapping[str, Any]]) -> list[str]:
    """The params that configurations were meant to differ in, as in a grid: those of `telling` that stand alone.

    A param that changes together with another is left out, since either may be meant, unless it names a choice.

    Args:
        configurations: The params of each: key -> value.
    """
    codes = _codes(configurations)
    together = Counter(tuple(column) for key, column in codes.items() if not _of_the_run(key))
    return [key for key in telling(configurations) if is_name(key) or together[tuple(codes[key])] == 1]


# Labels


def _lacking(key: str, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
    """For each configuration, whether its choice (`optimizer.name`) has no such param anywhere: `momentum` of sgd."""
    choice = f"{key.rpartition('.')[0]}.name"
    names = [None if is_missing(row.get(choice)) else identity(row[choice]) for row in rows]
    having = {name for name, row in zip(names, rows, strict=True) if not is_missing(row.get(key))}
    return [name is not None and name not in having for name in names]


def _title(key: str, keys: Sequence[str]) -> str:
    """The title of a param in a label: the last part of its key, if no other key of the label ends so."""
    section, _, last = key.rpartition(".")
    if last == "name" and section:
        return section.rpartition(".")[2]
    return last if [other.rpartition(".")[2] for other in keys].count(last) == 1 or not section else key


def _speaks_for_itself(key: str, value: Any) -> bool:
    return key.rpartition(".")[2] == "name" or (is_name(key) and isinstance(value, str))


def labels(
    configurations: Mapping[str, Mapping[str, Any]], keys: Sequence[str] | None = None, *, empty: str = ONLY
) -> dict[str, str]:
    """Name -> label of each configuration among the others: `adam, lr 0.01`, `sgd, dropout not set`.

    Args:
        configurations: Name -> its params, key -> value.
        keys: The params that labels hold, in this order but choices first; if not given, the fewest that tell
            configurations apart.
        empty: The label of a configuration that has none of them.
    """
    rows = list(configurations.values())
    chosen = telling(rows) if keys is None else sorted(keys, key=lambda key: not is_name(key))
    words = {key: _words([row.get(key) for row in rows]) for key in chosen}
    foreign = {key: _lacking(key, rows) for key in chosen}
    label_of = {}
    for place, (name, row) in enumerate(configurations.items()):
        phrases = []
        for key in chosen:
            value = row.get(key)
            if not is_missing(value):
                word = words[key][place]
                phrases.append(word if _speaks_for_itself(key, value) else f"{_title(key, chosen)} {word}")
            elif not foreign[key][place]:
                phrases.append(f"{_title(key, chosen)} {NOT_SET}")
        label_of[name] = ", ".join(phrases) or empty
    return label_of


def label(params: Mapping[str, Any]) -> str:
    """The label of one configuration that names all of these params: `adam, lr 0.01`."""
    return labels({"": params}, list(params))[""]
