"""The device that a run trains on, and the precision that it computes with there."""

from __future__ import annotations

import re
from typing import Final

import torch

from learning_tasks.refusals import require_name

PRECISIONS: Final = {"32": "32-true", "64": "64-true", "bf16-mixed": "bf16-mixed", "16-mixed": "16-mixed"}
"""By the name in a configuration: what Lightning calls it."""
UNFIT: Final = {"cpu": ("16-mixed",), "cuda": (), "mps": ("64", "16-mixed")}
"""Precisions that a kind of device cannot compute with: float16 needs a GPU's loss scaling, mps has no float64."""


def _usable_devices() -> list[str]:
    """The devices that torch can use here."""
    cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def choose_device(name: str) -> str:
    """The device to train on, as torch names it: cpu, cuda:0, cuda:1, ... or mps.

    Args:
        name: One of these, cuda for the first GPU, or auto for a GPU if there is one.

    Raises:
        ValueError: It is no device, or this machine does not have it.
    """
    usable = _usable_devices()
    if name == "auto":
        return usable[1] if len(usable) > 1 else "cpu"
    if not re.fullmatch(r"cuda:\d+", name):
        require_name("trainer.device", name, ["auto", "cpu", "cuda", "cuda:N", "mps"])
    device = "cuda:0" if name == "cuda" else name
    if device not in usable:
        has = ", ".join(usable)
        raise ValueError(f"trainer.device: this machine has no {name} device that torch can use; it has: {has}.")
    return device


def lightning_precision(precision: object, device: str) -> str:
    """The precision as Lightning calls it.

    Raises:
        ValueError: There is no such precision, or this kind of device cannot compute with it.
    """
    require_name("trainer.precision", precision, list(PRECISIONS))
    kind = device.partition(":")[0]
    fit = [candidate for candidate in PRECISIONS if candidate not in UNFIT[kind]]
    if str(precision) not in fit:
        allowed = ", ".join(fit)
        raise ValueError(f"trainer.precision: {precision} is not allowed on {kind}; allowed: {allowed}.")
    return PRECISIONS[str(precision)]


def device_label(device: str) -> str:
    """The device with the name of its GPU, if it is one: `cuda:0 (NVIDIA H200)`."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device
