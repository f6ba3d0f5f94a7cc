"""A run leaves its process as it was: random numbers, the handler of Ctrl-C, warnings, the level of Lightning's log."""

from __future__ import annotations

import logging
import random
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


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
