"""Why a run crashed, in one sentence for the user; the traceback is among the run's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lightning_modules import MODELS
from sweeps.catalogue import load, user_files
from sweeps.training.user_module import source_of


def why_crashed(configuration: Mapping[str, Any], error: Exception) -> str:
    """One sentence that says why a run of this configuration crashed.

    Args:
        configuration: As `sweeps.training.train.train` takes it.
        error: What was raised: a ValueError is a sentence of Sweepboard's own, unless user code raised it.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "The run needed more memory than there is."
    if sentence := raised_by_module(configuration.get("model", {}).get("name"), error):
        return sentence
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


def raised_by_module(name: Any, error: Exception) -> str | None:
    """What the code of a user's model raised in a run, in a sentence with the model, its file and the line.

    Returns:
        None where it is not that code's error: the model is built in, or Sweepboard refused a value or could not read
        a file.
    """
    if name in MODELS or name not in load().models:
        return None
    try:
        source = source_of(str(name))
    except ValueError:  # it has been taken away meanwhile
        return None
    if isinstance(error, ValueError | OSError) and user_files.line_of(source, error) is None:
        return None
    cause = error.__cause__ if isinstance(error.__cause__, SystemExit) else error  # see `user_run.exit_as_error`
    return f"model {name}: {user_files.sentence(source, cause, 'training it')}"
