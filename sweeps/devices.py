"""The GPUs of this machine, counted without torch, for the service and the app; and which run trains on which.

Runs that leave the device open (`auto`, `cuda`) are spread over the GPUs: those that train at the same time have
different places, counted from 0, and the worker turns the place into a GPU (`placed`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

OPEN: Final = ("auto", "cuda")
"""The devices that leave open on which GPU a run is trained."""
_DRIVER: Final = Path("/proc/driver/nvidia/gpus")


def visible(installed: int, setting: str | None) -> int:
    """How many of the installed GPUs a setting of CUDA_VISIBLE_DEVICES leaves visible.

    As in CUDA, it is read up to its first entry that names no installed GPU.
    """
    if setting is None:
        return installed
    count = 0
    for entry in setting.split(","):
        name = entry.strip()
        if not name.startswith(("GPU-", "MIG-")) and not (name.isdecimal() and int(name) < installed):
            break
        count += 1
    return min(count, installed)


@cache
def gpus() -> int:
    """How many NVIDIA GPUs can be used here, according to the driver; 0 if torch is installed without CUDA."""
    try:
        installed = len(list(_DRIVER.iterdir()))
        if "+cpu" in metadata.version("torch"):
            return 0
    except (OSError, metadata.PackageNotFoundError):
        return 0
    return visible(installed, os.environ.get("CUDA_VISIBLE_DEVICES"))


def free_place(taken: Collection[int]) -> int:
    """The lowest place that no run has."""
    return next(place for place in range(len(taken) + 1) if place not in taken)


def placed(configuration: Mapping[str, Any], place: int, count: int) -> dict[str, Any]:
    """The configuration with the GPU of a place in it, if it leaves the device open and there are several GPUs.

    Args:
        configuration: the run's
        place: the number of the run among those that train at the same time, from 0
        count: how many GPUs there are
    """
    trainer = configuration.get("trainer", {})
    if count < 2 or trainer.get("device", "auto") not in OPEN:
        return dict(configuration)
    return {**configuration, "trainer": {**trainer, "device": f"cuda:{place % count}"}}
