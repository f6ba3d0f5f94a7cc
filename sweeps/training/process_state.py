"""A run leaves its process as it was: random numbers, the handler of Ctrl-C, warnings, the level of Lightning's log."""

from __future__ import annotations

import logging
import random
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C reach the caller as KeyboardInterrupt; Lightning would leave the process and ignore the next one."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as leaving:
        if isinstance(leaving.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


@contextmanager
def seeded(device: str, seed: int) -> Iterator[None]:
    """Give random numbers that depend on the seed alone, put the old ones back, and keep Lightning quiet meanwhile."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    python_state, numpy_state, dtype = random.getstate(), np.random.get_state(), torch.get_default_dtype()
    with torch.random.fork_rng(devices), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="pytorch_lightning")
        warnings.simplefilter("ignore", FutureWarning)  # of torch, at how Lightning uses it
        logger.setLevel(logging.ERROR)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            logger.setLevel(level)
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            torch.set_default_dtype(dtype)


def random_state(device: torch.device) -> dict[str, Any]:
    """The states of the random numbers that a run on this device draws: tensors and plain values."""
    name, words, *rest = np.random.get_state()
    states = {
        "python": random.getstate(),
        "numpy": [name, torch.from_numpy(words), *rest],
        "cpu": torch.get_rng_state(),
    }
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def set_random_state(states: Mapping[str, Any]) -> None:
    """Go on drawing random numbers from such states."""
    random.setstate(states["python"])
    name, words, *rest = states["numpy"]
    np.random.set_state((name, words.numpy(), *rest))
    torch.set_rng_state(states["cpu"])
    for device in states.keys() - {"python", "numpy", "cpu"}:
        torch.get_device_module(device).set_rng_state(states[device])


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Put back the random numbers and the training mode of each layer, whatever happens inside."""
    states = random_state(next((parameter.device for parameter in module.parameters()), torch.device("cpu")))
    modes = [(layer, layer.training) for layer in module.modules()]
    try:
        yield
    finally:
        set_random_state(states)
        for layer, training in modes:
            layer.training = training
