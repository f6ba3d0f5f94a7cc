"""The confound guard: what else differs between groups that are compared in one thing.

A comparison varies one or a few keys. Whatever else differs between its groups could as well be the cause of the
result, and is named above the figure. Seeds do not count. A key that only some groups have because a varied choice
brings it along (SGD with momentum has a field that plain gradient descent does not have) belongs to what is varied.
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
"""How many keys a sentence names; it counts the others."""
_OWN_MEANING: Final = {"schedule.gamma"}
"""Keys that mean another thing with each choice of their section: a factor per step, or a factor per epoch."""
_OF_OPTIMIZERS: Final = frozenset(
    {"momentum", "nesterov", "dampening", "beta", "betas", "eps", "epsilon", "rho", "alpha", "amsgrad", "centered"}
)
"""Words of params that one optimizer has and another does not have."""


@dataclass(frozen=True)
class Confound:
    """A key that the comparison does not vary, and in which its groups differ."""

    key: str
    values: Mapping[str, tuple[str, ...]]
    """Each group's values as they are shown, NOT_SET among them."""


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

    Such a choice is the name in the key's section (`optimizer.name` for `optimizer.momentum`), or any optimizer for a
    param that only optimizers have.
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
        groups: For each name the group's configuration, or those of all its runs: values (not texts) by dotted key.
        varied: The dotted keys that the comparison varies.
        ignored: Keys that may differ beside the seeds.
    """
    by_group = {name: _configurations(group) for name, group in groups.items()}
    by_group = {name: configurations for name, configurations in by_group.items() if configurations}
    keys = dict.fromkeys(key for rows in by_group.values() for row in rows for key in row)
    differing = []
    for key in keys:
        if key in varied or key in ignored or is_seed(key):
            continue
        values = {
            name: dict.fromkeys(_shown(canonical(row.get(key))) for row in rows) for name, rows in by_group.items()
        }
        compared = {frozenset(texts) for texts in values.values()}
        if _brought_along(key, varied):
            if key in _OWN_MEANING:
                continue
            # The key comes and goes with the varied choice; where it exists its values must still agree.
            compared = {texts - {NOT_SET} for texts in compared} - {frozenset()}
        if len(compared) > 1:
            differing.append(Confound(key, {name: tuple(texts) for name, texts in values.items()}))
    return differing


def confound_sentence(confounds: Sequence[Confound], varied: Collection[str]) -> str:
    """One sentence of plain text, for above the figure, on what else differs; empty if nothing does.

    `Not only optimizer.name differs, but also data.batch_size: ...`. The values stand in the table of params.
    """
    if not confounds:
        return ""
    what = some(sorted(varied), NAMED)
    others = some([confound.key for confound in confounds], NAMED)
    if not what:
        return f"The groups differ in {others}: any of it may be the cause."
    verb = "differ" if len(varied) > 1 else "differs"
    return f"Not only {what} {verb}, but also {others}: either may be the cause of a difference."


def configurations_of(frame: pd.DataFrame, by: str, prefix: str = "params.") -> dict[str, list[dict[str, Any]]]:
    """The configurations of a wide frame's runs, for `confounds`: the different ones of each value of `by`.

    Params that are the same in every run are left out: they cannot differ between groups.

    Args:
        frame: One row per run, values of params in columns named `params.<key>`.
        by: The column that tells groups apart.
        prefix: The beginning of the names of the params' columns.
    """
    columns = [column for column in frame.columns if str(column).startswith(prefix)]
    params = frame[columns].astype(object)
    values = params.where(params.notna(), None).to_numpy()
    varying = [k for k in range(len(columns)) if any(value != values[0, k] for value in values[:, k])]
    keys = [str(columns[k]).removeprefix(prefix) for k in varying]
    by_group: dict[str, list[dict[str, Any]]] = {}
    for name, row in zip(frame[by], values, strict=True):
        configuration = dict(zip(keys, row[varying], strict=True))
        configurations = by_group.setdefault(str(name), [])
        if configuration not in configurations[-1:]:  # neighbours are mostly equal
            configurations.append(configuration)
    return by_group
