"""What a run of an encoder-decoder writes, beside its sources and references, read from the file that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from analysis.runs.array_files import ArrayFileError, checked_arrays
from tracking import schema
from tracking.legible import legible

MOST_TEXTS: Final = 1000
MOST_EPOCHS: Final = 1000
LONGEST: Final = 1000
"""Characters of a text that are shown."""
_KINDS: Final = {"sources": "U", "references": "U", "epochs": "iu", "hypotheses": "U", "chosen": "U", "epoch": "iu"}


class TextsError(ValueError):
    """The texts cannot be shown; the message says why in one sentence."""


@dataclass(frozen=True)
class Texts:
    """The texts that one run wrote, decoded greedily, for its probes: pairs that no run is trained on."""

    sources: np.ndarray
    """(n,)."""
    references: np.ndarray
    """(n,)."""
    hypotheses: dict[int, np.ndarray]
    """By epoch: (n,)."""
    chosen: np.ndarray
    """(n,) by the weights that validation chose."""
    epoch: int
    """The epoch of these weights."""

    def outputs(self, epoch: int | None = None) -> np.ndarray:
        """The written texts (n,) after an epoch; without an epoch those by the weights that validation chose."""
        return self.chosen if epoch is None else self.hypotheses[epoch]

    def frame(self, epoch: int | None = None) -> pd.DataFrame:
        """A row per pair: `source`, `reference`, `output`, and as `verdict` right or wrong."""
        outputs = self.outputs(epoch)
        texts = {"source": self.sources, "reference": self.references, "output": outputs}
        columns = {name: [_shown(text) for text in column] for name, column in texts.items()}
        verdicts = ["right" if right else "wrong" for right in outputs == self.references]
        return pd.DataFrame({**columns, "verdict": verdicts})

    def sentence(self, epoch: int | None = None) -> str:
        """How many outputs are right, and by which weights."""
        right, count = int((self.outputs(epoch) == self.references).sum()), len(self.sources)
        weights = f"those that validation chose (epoch {self.epoch})" if epoch is None else f"those of epoch {epoch}"
        right_ones = f"{right} of these {count} texts, never trained on, are right to the last token."
        return f"{right_ones} The weights are {weights}."


def _shown(text: str) -> str:
    text = legible(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _parsed(content: bytes) -> Texts:
    sources, references, epochs, hypotheses, chosen, epoch = checked_arrays(content, _KINDS)
    count = sources.size
    shapes = [sources.shape, references.shape, chosen.shape, hypotheses.shape, epochs.shape, epoch.shape]
    if shapes != [(count,), (count,), (count,), (epochs.size, count), (epochs.size,), ()]:
        raise ArrayFileError("its arrays do not fit each other")
    if not 1 <= count <= MOST_TEXTS or epochs.size > MOST_EPOCHS:
        allowed = f"allowed: 1 to {MOST_TEXTS:,} texts, at most {MOST_EPOCHS:,} epochs"
        raise ArrayFileError(f"it holds {count} texts of {epochs.size} epochs; {allowed}")
    by_epoch = {int(number): row for number, row in zip(epochs, hypotheses, strict=True)}
    return Texts(sources, references, by_epoch, chosen, int(epoch))


def read(content: bytes) -> Texts:
    """The texts in the bytes of a run's TRANSLATIONS_FILE.

    Raises:
        TextsError: The file is not one that runs of Sweepboard write.
    """
    try:
        return _parsed(content)
    except ArrayFileError as error:
        raise TextsError(f"{schema.TRANSLATIONS_FILE} cannot be read: {error}.") from error.__cause__
