"""All that can be chosen: what the program brings, and the user's models."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweeps.catalogue.user_models import UserModels
from sweeps.catalogue.entries import Catalogue, ours


def load() -> Catalogue:
    """All there is, the models of the user's own included; imports nothing that trains.

    It takes microseconds, but for the first call after a change of those modules: it waits until a process of its own
    has read them, some ten seconds.
    """
    from sweeps.catalogue import user_models

    return _with(user_models.current())


@functools.lru_cache(maxsize=2)
def _with(users: UserModels) -> Catalogue:
    return replace(ours(), models={**ours().models, **users.entries})
