"""The recorder of references: what a run could at best reach, or has to beat, measured like the run itself.

- The closed form of a linear regression, fitted to the training part in float64, with the run's l2. No weights have a
  lower training loss (with l2: a lower sum of loss and penalty).
- The best answer that is the same everywhere in a part, for tasks that give it a name: the unigram model of a text,
  each token by its share in the very part that is measured. What a network reads has to be worth more than that.

All three parts are measured. Neither reference depends on how the run trains, so both are found before its first step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.plugins.precision import DoublePrecision

from data import DataModule
from data.parts import Part
from lightning_modules import Module
from lightning_modules.closed_form import ClosedForm, Solvable
from sweeps.training.evaluation import scores_of
from sweeps.training.recorder import Recorder, RunView
from tracking import schema

CLOSED_FORM: Final = "closed form"


class ReferenceRecorder(Recorder):
    """Finds the references of a run before training, and keeps the value of each metric for them."""

    artifact = schema.REFERENCES_FILE
    words = "references"

    def __init__(self) -> None:
        self._references: dict[str, dict[str, Any]] = {}
        """By name of the reference: `words`, and `values` by metric."""

    def state_dict(self) -> dict[str, Any]:
        return {"references": self._references}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._references = dict(state["references"])

    def fits(self, module: pl.LightningModule, data: DataModule) -> bool:
        """Whether a built-in model may have a closed form, or its task a constant answer that has a name."""
        return isinstance(module, Module) and (isinstance(module, Solvable) or bool(module.task.constant_name))

    def begin(self, run: RunView) -> None:
        """Find the references; after a kill they are there already."""
        module = run.module
        if self._references:
            return
        assert isinstance(module, Module)
        if isinstance(module, Solvable):
            inputs, targets = run.data.parts.train.batch(slice(None))
            solution = module.closed_form(inputs, targets)
            if solution is not None:
                self._references[CLOSED_FORM] = {
                    "words": _closed_form_words(module.recipe.l2, solution.unique),
                    "values": _closed_form_scores(module, solution, run.data),
                }
        if name := module.task.constant_name:
            words = f"{module.task.constant_words}, the best answer that is the same everywhere in the part measured"
            self._references[name] = {"words": words, "values": _constant_scores(module, run.data)}

    def arrays(self, run: RunView) -> dict[str, NDArray[Any]]:
        """The arrays of REFERENCES_FILE."""
        if not self._references:
            return {}
        references = self._references.values()
        metrics = list(dict.fromkeys(metric for reference in references for metric in reference["values"]))
        rows = [[reference["values"].get(metric, math.nan) for metric in metrics] for reference in references]
        return {
            "names": np.array(list(self._references)),
            "words": np.array([reference["words"] for reference in references]),
            "metrics": np.array(metrics),
            "values": np.array(rows, dtype=np.float64),
        }


def _parts(data: DataModule) -> dict[str, Part]:
    """The parts that a run measures, by how the names of their metrics begin."""
    return {"train_eval": data.parts.train_eval, "val": data.parts.validation, "test": data.parts.test}


def _closed_form_words(l2: float, unique: bool) -> str:
    penalty = f" plus penalty (l2 = {l2:g})" if l2 else ""
    smallest = "" if unique else " (of several that reach it, the smallest ones)"
    best = f"the weights with the least squared error{penalty} on the training part, computed exactly{smallest}"
    return f"{best}; on other data other weights may do better"


def _closed_form_scores(module: Module, solution: ClosedForm, data: DataModule) -> dict[str, float]:
    """Every metric of these parameters on each part, in float64 on the CPU."""

    def answer(inputs: Any) -> Any:
        return torch.func.functional_call(module, solution.parameters, (inputs,))

    scores: dict[str, float] = {}
    module.eval()
    for split, part in _parts(data).items():
        scores |= scores_of(answer, module.task, DoublePrecision(), part.to("cpu"), split)
    return scores


def _constant_scores(module: Module, data: DataModule) -> dict[str, float]:
    return {
        f"{split}/{name}": value
        for split, part in _parts(data).items()
        for name, value in module.task.constant(part.batch(slice(None)).targets).items()
    }
