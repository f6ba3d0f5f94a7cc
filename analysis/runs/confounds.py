"""The confound guard: what else differs between groups that are compared in one thing.

A comparison varies one or a few keys. Whatever else differs between its groups could as well be the cause of what is
seen, and is named above the figure. Seeds do not count. A key that only some groups have, because what is varied brings
it along (momentum has a field that plain gradient descent has not), belongs to what is varied.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from analysis.statistics import number
from analysis.words import chained, some
from tracking.configurations import canonical, identity, is_seed, words_of
from tracking.labels import NOT_SET

NAMED: Final = 4
"""A sentence names so many keys, and counts the others."""
_OWN_MEANING: Final = {"schedule.gamma"}
"""Keys that mean another thing with each choice of their section: a factor of each step, and of each epoch."""
_OF_OPTIMIZERS: Final = frozenset(
    {"momentum", "nesterov", "dampening", "beta", "betas", "eps", "epsilon", "rho", "alpha", "amsgrad", "centered"}
)
"""Words of params that one optimizer has and another has not."""


@dataclass(frozen=True)
class Confound:
    """A key that the comparison does not vary, and in which its groups differ."""

    key: str
    values: Mapping[str, tuple[str, ...]]
    """Group -> its values as they are shown, NOT_SET among them."""


def _shown(value: Any) -> str:
    if value is None:
        return NOT_SET
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        short = number(value) if math.isfinite(value) else ""
        return short if short and float(short) == value else f"{value:.15g}"
    if isinstance(value, list):
        return chained([_shown(inner) for inner in value]) or "empty"
    return identity(value) if isinstance(value, Mapping) else str(value)


def _configurations(group: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [group] if isinstance(group, Mapping) else list(group)


def _brought_along(key: str, varied: Collection[str]) -> bool:
    """Whether a varied choice may bring the key along.

    It is one of its section (`optimizer.name` for `optimizer.momentum`), or an optimizer for what only optimizers have.
    """
    section = key.rpartition(".")[0]
    if any(choice.rpartition(".")[0] == section and choice.rpartition(".")[2] == "name" for choice in varied):
        return True
    optimizers = any({"optimizer", "optim"} & set(words_of(choice)) for choice in varied)
    return optimizers and bool(_OF_OPTIMIZERS & set(words_of(key)))


def confounds(
    groups: Mapping[str, Mapping[str, Any] | Iterable[Mapping[str, Any]]],
    varied: Collection[str],
    ignored: Collection[str] = (),
) -> list[Confound]:
    """What differs between groups beside what their comparison varies, in the order in which it is configured.

    A group with several configurations (each optimizer with the same learning rates) differs from another in a key if
    the sets of their values differ.

    Args:
        groups: Name -> its configuration, or those of all its runs: dotted key -> value, read from its text already.
        varied: The dotted keys that the comparison varies.
        ignored: Keys that may differ beside the seeds.
    """
    listed = {name: _configurations(group) for name, group in groups.items()}
    listed = {name: configurations for name, configurations in listed.items() if configurations}
    keys = dict.fromkeys(key for configurations in listed.values() for each in configurations for key in each)
    found = []
    for key in keys:
        if key in varied or key in ignored or is_seed(key):
            continue
        values = {
            name: dict.fromkeys(_shown(canonical(row.get(key))) for row in configurations)
            for name, configurations in listed.items()
        }
        compared = {frozenset(own) for own in values.values()}
        if _brought_along(key, varied):
            if key in _OWN_MEANING:
                continue
            # With what is varied the key comes and goes; where it exists its values must still agree.
            compared = {own - {NOT_SET} for own in compared} - {frozenset()}
        if len(compared) > 1:
            found.append(Confound(key, {name: tuple(own) for name, own in values.items()}))
    return found


def confound_sentence(found: Sequence[Confound], varied: Collection[str]) -> str:
    """What differs beside what is compared, in one sentence of plain text for above the figure; "" if nothing does.

    `Not only optimizer.name differs, but also data.batch_size: ...`. The values stand in the table of params.
    """
    if not found:
        return ""
    what = some(sorted(varied), NAMED)
    others = some([confound.key for confound in found], NAMED)
    if not what:
        return f"The groups differ in {others}: any of it may be the cause."
    verb = "differ" if len(varied) > 1 else "differs"
    return f"Not only {what} {verb}, but also {others}: either may be the cause of a difference."


def configurations_of(frame: pd.DataFrame, by: str, prefix: str = "params.") -> dict[str, list[dict[str, Any]]]:
    """The configurations of a wide frame's runs, for `confounds`: value of `by` -> its different ones.

    Params that are the same in every run are left out: they cannot differ between groups.

    Args:
        frame: One row a run, values of params in columns named `params.<key>`.
        by: The column that tells groups apart.
        prefix: What the columns of params begin with.
    """
    columns = [column for column in frame.columns if str(column).startswith(prefix)]
    params = frame[columns].astype(object)
    values = params.where(params.notna(), None).to_numpy()
    varying = [k for k in range(len(columns)) if any(value != values[0, k] for value in values[:, k])]
    keys = [str(columns[k]).removeprefix(prefix) for k in varying]
    found: dict[str, list[dict[str, Any]]] = {}
    for name, row in zip(frame[by], values, strict=True):
        configuration = dict(zip(keys, row[varying], strict=True))
        own = found.setdefault(str(name), [])
        if configuration not in own[-1:]:  # neighbours are mostly equal
            own.append(configuration)
    return found
