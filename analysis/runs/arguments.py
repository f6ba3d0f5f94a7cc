"""Arguments that only some choices have: `momentum` of one optimizer, `beta1` of another.

Runs without such an argument have another choice, not a weaker strength of it: over it they cannot be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from tracking.configurations import identities
from tracking.labels import is_name


def choice_of(runs: pd.DataFrame, key: str, keys: Sequence[str]) -> str:
    """The param (`optimizer`) of which only some values have the argument; empty where there is none.

    Args:
        runs: One column per param.
        key: The argument.
        keys: The params in which the runs differ.
    """
    lacking = runs[key].isna().to_numpy()
    if not lacking.any() or lacking.all():
        return ""
    for choice in keys:
        if choice == key or choice not in runs or not is_name(choice):
            continue
        chosen = pd.Series(identities(runs[choice].tolist()))
        if not set(chosen[lacking]) & set(chosen[~lacking]):
            return choice
    return ""


def having(runs: pd.DataFrame, key: str, keys: Sequence[str]) -> pd.DataFrame:
    """The runs that can be compared over a param: those that have it, where only some choices do; else all.

    Args:
        runs: One column per param.
        key: The param.
        keys: The params in which the runs differ.
    """
    return runs[runs[key].notna()] if choice_of(runs, key, keys) else runs
