"""The recorder of translations: what an encoder-decoder writes by itself, and how much of it is right.

The losses of a translation are measured with the right tokens before each place. Here the model goes on from what it
wrote itself, as it will be used, and decodes greedily.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from data import DataModule
from data.parts import slices
from data.text.pairs import PairPart, TextPairs
from learning_tasks.base import Metric
from learning_tasks.language import Translation
from learning_tasks.translation import EXACT_MATCH, exactly_right
from lightning_modules.decoding import Decoder, greedy
from sweeps.training.recorder import Recorder, RunView
from tracking import schema

VALIDATION_LIMIT: Final = 500
"""Texts of the validation part that are decoded after each epoch: the first ones."""


def decode(run: RunView, part: PairPart) -> tuple[list[list[int]], Tensor]:
    """What the model writes for each pair of a part, decoded greedily in evaluation mode.

    Returns:
        The tokens of each text, the end token among them, and whether each text (n,) bool is exactly right
    """
    module, dims, precision = run.module, run.data.dims, run.trainer.precision_plugin
    assert isinstance(module, Decoder)
    hypotheses: list[list[int]] = []
    right = []
    run.module.eval()
    with torch.inference_mode(), precision.forward_context():
        for rows in slices(part, part.at_once):
            inputs, targets = precision.convert_input(part.batch(rows))
            ids = greedy(module, inputs.source, dims["begin"], dims["end"], part.longest_target)
            hypotheses += ids.tolist()
            right.append(exactly_right(ids, targets, dims["end"]).cpu())
    return hypotheses, torch.cat(right)


def exact_match(run: RunView, part: PairPart) -> float:
    """The share of a part's pairs whose target the model writes exactly right."""
    _, right = decode(run, part)
    return int(right.sum()) / len(right)


class TranslationRecorder(Recorder):
    """Measures exact match on the validation part after each epoch, and on the test part at the end; keeps some texts.

    The texts are what it writes for the probes: after epochs 1, 2, 4, 8, ... and the last one, and by the weights that
    validation chose.
    """

    artifact = schema.TRANSLATIONS_FILE
    words = "translations"
    metrics: ClassVar[tuple[Metric, ...]] = (EXACT_MATCH,)
    tasks: ClassVar[tuple[str, ...]] = (Translation.name,)

    def __init__(self) -> None:
        self._hypotheses: dict[int, list[str]] = {}
        self._chosen: list[str] = []

    def state_dict(self) -> dict[str, Any]:
        return {"hypotheses": self._hypotheses}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._hypotheses = dict(state["hypotheses"])

    def fits(self, module: pl.LightningModule, data: DataModule) -> bool:
        """Whether the module decodes step by step, and the data are pairs of texts."""
        return isinstance(module, Decoder) and isinstance(data, TextPairs)

    def measure(self, run: RunView) -> dict[str, float]:
        """Exact match of the first VALIDATION_LIMIT pairs of the validation part."""
        return {f"val/{EXACT_MATCH.name}": exact_match(run, _pairs(run, "validation").first(VALIDATION_LIMIT))}

    def epoch(self, run: RunView, last: bool) -> None:
        """Keep what is written after some of the epochs."""
        if last or run.epoch & (run.epoch - 1) == 0:  # a power of 2
            self._hypotheses[run.epoch] = _texts(run)

    def finish(self, run: RunView) -> dict[str, float]:
        """Keep what is written by the weights that validation chose, and measure the whole test part."""
        self._chosen = _texts(run)
        return {f"test/{EXACT_MATCH.name}": exact_match(run, _pairs(run, "test"))}

    def arrays(self, run: RunView) -> dict[str, NDArray[Any]]:
        """The arrays of TRANSLATIONS_FILE."""
        data, part = run.data, _pairs(run, "probes")
        assert isinstance(data, TextPairs)
        return {
            "sources": np.array([data.source_text(row) for row in part.sources.tolist()]),
            "references": np.array([data.target_text(row) for row in part.targets.tolist()]),
            "epochs": np.array(list(self._hypotheses), dtype=np.int32),
            "hypotheses": np.array(list(self._hypotheses.values())),
            "chosen": np.array(self._chosen),
            "epoch": np.array(run.best_epoch, dtype=np.int32),
        }


def _pairs(run: RunView, name: str) -> PairPart:
    part = getattr(run.data.parts, name)
    assert isinstance(part, PairPart)
    return part


def _texts(run: RunView) -> list[str]:
    """What the model writes for the probes."""
    assert isinstance(run.data, TextPairs)
    hypotheses, _ = decode(run, _pairs(run, "probes"))
    return [run.data.target_text(ids) for ids in hypotheses]
