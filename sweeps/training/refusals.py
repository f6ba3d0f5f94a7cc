"""The sentence that refuses a name which is not one of those allowed.

Beside `sweeps.fields`, since a run says the value as it is, not as one writes it in YAML.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def one_of(key: str, value: object, allowed: Iterable[str]) -> None:
    """Refuse a value that is not one of those allowed.

    Raises:
        ValueError: It is not: the sentence names the key, the value, what is allowed, and the nearest of that.
    """
    names = list(allowed)
    if str(value) not in names:
        near = difflib.get_close_matches(str(value), names, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise ValueError(f"{key}: {value} is not allowed; allowed: {', '.join(names)}{hint}")
