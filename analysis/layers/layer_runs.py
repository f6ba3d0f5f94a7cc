"""What runs left of their layers: gradient norms, and how activations and inputs stood before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from analysis.words import counted

SPREAD: Final = "activation spread before training"
CONDITION: Final = "condition of what comes in"
ARRAYS: Final = {SPREAD: "activation_std", CONDITION: "condition"}


@dataclass(frozen=True)
class LayerRun:
    """What one run left of its layers."""

    run_id: str
    method: str
    seed: int
    names: tuple[str, ...]
    epochs: np.ndarray
    gradients: np.ndarray
    """(epochs, layers)"""
    before: Mapping[str, np.ndarray]
    """SPREAD and CONDITION -> (layers,), where they were measured."""
    data: int = -1
    """The seed of its training set; -1 where it is not known."""

    @property
    def depth(self) -> int:
        """Layers."""
        return len(self.names)


def _layer_run(run_id: str, method: str, seed: int, data: int, arrays: Mapping[str, np.ndarray]) -> LayerRun | None:
    """None where the arrays do not belong together."""
    try:
        names = tuple(str(name) for name in arrays["names"])
        epochs = np.asarray(arrays["epochs"], dtype=int)
        gradients = np.asarray(arrays["grad_norm"], dtype=float)
    except (KeyError, ValueError, TypeError):
        return None
    if not names or not len(epochs) or gradients.shape != (len(epochs), len(names)):
        return None
    before = {
        what: np.asarray(arrays[key], dtype=float)
        for what, key in ARRAYS.items()
        if key in arrays and np.shape(arrays[key]) == (len(names),)
    }
    return LayerRun(run_id, method, seed, names, epochs, gradients, before, data)


def layer_runs(
    arrays: Mapping[str, Mapping[str, np.ndarray]], runs: pd.DataFrame, methods: Mapping[str, str]
) -> list[LayerRun]:
    """The runs that left readable arrays of their layers, in the order of `runs`.

    Args:
        arrays: Run -> the content of its LAYERS_FILE.
        runs: One row per run: run_id, seed, and where it is known seed_data.
        methods: Run -> its method; runs that are missing are left out.
    """
    readable = []
    for row in runs.to_dict("records"):
        run_id = str(row["run_id"])
        if run_id in arrays and run_id in methods:
            data = int(row.get("seed_data", -1))
            layer_run = _layer_run(run_id, methods[run_id], int(row["seed"]), data, arrays[run_id])
            readable += [layer_run] if layer_run else []
    return readable


def by_method_and_depth(runs: Sequence[LayerRun]) -> dict[tuple[str, int], list[LayerRun]]:
    """The runs by method and depth: methods in their order, each from shallow to deep."""
    order = list(dict.fromkeys(run.method for run in runs))
    keys = sorted({(run.method, run.depth) for run in runs}, key=lambda key: (order.index(key[0]), key[1]))
    return {key: [run for run in runs if (run.method, run.depth) == key] for key in keys}


def label_of(method: str, depth: int, several: bool) -> str:
    return f"{method}, {counted(depth, 'layer')}" if several else method


def deepest(runs: Sequence[LayerRun]) -> list[LayerRun]:
    """The runs of the deepest networks of each method."""
    depths = {run.method: 0 for run in runs}
    for run in runs:
        depths[run.method] = max(depths[run.method], run.depth)
    return [run for run in runs if run.depth == depths[run.method]]
