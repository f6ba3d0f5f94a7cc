"""The whole catalogue: what is built in, and the user models."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweeps.catalogue.user_models import UserModels
from sweeps.catalogue.entries import Catalogue, ours


def load() -> Catalogue:
    """The catalogue with the user models; imports nothing that trains.

    It takes microseconds, except the first call after a change of the user modules: that waits until a separate process
    has read them, some ten seconds.
    """
    from sweeps.catalogue import user_models

    return _with(user_models.current())


@functools.lru_cache(maxsize=2)
def _with(users: UserModels) -> Catalogue:
    return replace(ours(), models={**ours().models, **users.entries})
