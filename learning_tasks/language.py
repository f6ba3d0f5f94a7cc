"""Texts: tokens, pairs of texts, and tasks whose targets are tokens.

The targets of padded places are IGNORED: they count in no loss and no score. Perplexity is exp of the mean
cross-entropy per token, in nats; bits per character is the cross-entropy in bits over the number of characters that
the tokens stand for, so that models of different vocabularies compare.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from learning_tasks.base import IGNORED, Metric, Sums, Task, numbers, ratio, total
from learning_tasks.classification import counted_cross_entropy


class Tokens(NamedTuple):
    """Texts as numbers of tokens, padded to the longest."""

    ids: Tensor
    """(B, T) int64."""
    mask: Tensor
    """(B, T) bool: False where padded, in front or behind."""
    segments: Tensor
    """(B, T) int64: the number of the sentence that a token belongs to; zeros where there is only one."""


class Series(NamedTuple):
    """Series of vectors, padded to the longest."""

    x: Tensor
    """(B, T, F)."""
    mask: Tensor
    """(B, T) bool: False where padded."""


class Pair(NamedTuple):
    """What is read, and the tokens that the decoder is given: the target, moved by one place to the right."""

    source: Any
    """A tensor, `Tokens` or a `Series`."""
    decoded: Tokens


LOSS = Metric("loss", "lower", "The mean cross-entropy per token, in nats.")
ERROR = Metric("error", "lower", "The share of tokens that are not the most probable one.")
PERPLEXITY = Metric(
    "perplexity", "lower", "exp of the loss: among so many equally likely tokens the model chooses.", 1.0
)
BITS = Metric("bits_per_character", "lower", "The cross-entropy in bits, divided by the characters of the text.")


def exp(nats: float) -> float:
    """exp of a loss; infinite where that is too large for a number."""
    return math.exp(nats) if nats < 700 else math.inf


class NextTokens(Task):
    """A token at each place: outputs (B, T, vocabulary) logits, targets (B, T) int64, IGNORED where nothing is asked.

    The loss is the mean cross-entropy over all tokens of the batch that count.
    """

    metrics: ClassVar[tuple[Metric, ...]] = (LOSS, ERROR, PERPLEXITY)
    losses = ("cross_entropy",)
    smooths = ("cross_entropy",)
    constant_name = "unigram model"
    constant_words = "each token by its share"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return counted_cross_entropy(outputs.flatten(0, -2), targets.flatten(), self.smoothing)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probability of each token at each place (B, T, vocabulary)."""
        return outputs.softmax(dim=-1)

    def sums(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        places, counted = targets.flatten(), targets.flatten() != IGNORED
        flat = outputs.flatten(0, -2)
        losses = F.cross_entropy(flat, places, ignore_index=IGNORED, reduction="none")
        return {
            "loss": total(losses),
            "wrong": total((flat.argmax(dim=-1) != places) & counted),
            "n": total(counted),
        }

    def scores(self, sums: Sums) -> dict[str, float]:
        loss = ratio(sums, "loss")
        return {"loss": loss, "error": ratio(sums, "wrong"), "perplexity": exp(loss)}

    def constant(self, targets: Tensor) -> dict[str, float]:
        """The scores of the unigram model: each token by how often it occurs among these targets."""
        counts = targets[targets != IGNORED].cpu().bincount(minlength=1).double()
        return self.scores(numbers(self.unigram_sums(counts)))

    def unigram_sums(self, counts: Tensor) -> dict[str, Tensor]:
        """The sums of the unigram model over texts in which each token occurs so often.

        Args:
            counts: (V,) float64, by the number of the token; at least one.
        """
        total_count = counts.sum()
        logs = torch.special.xlogy(counts, counts / total_count.clamp(min=1))  # (V,), 0 for tokens that never occur
        return {"loss": -logs.sum(), "wrong": total_count - counts.max(), "n": total_count}

    def count(self, targets: Any) -> Tensor:
        counted: Tensor = targets != IGNORED
        return counted.sum()


@dataclass(frozen=True)
class LanguageModel(NextTokens):
    """The next token at each place of a text.

    Args:
        characters: How many characters each token of the vocabulary stands for.
    """

    characters: tuple[int, ...] = ()

    name: ClassVar[str] = "language_model"
    metrics = (LOSS, ERROR, PERPLEXITY, BITS)

    def sums(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        table = torch.tensor(self.characters or (1,) * outputs.shape[-1], device=targets.device)
        counted = targets != IGNORED
        characters = torch.where(counted, table[targets.clamp(min=0)], 0)
        return {**super().sums(outputs, targets), "characters": total(characters)}

    def unigram_sums(self, counts: Tensor) -> dict[str, Tensor]:
        table = torch.tensor(self.characters or (1,) * len(counts), dtype=counts.dtype)
        return {**super().unigram_sums(counts), "characters": counts @ table[: len(counts)]}

    def scores(self, sums: Sums) -> dict[str, float]:
        return {**super().scores(sums), "bits_per_character": ratio(sums, "loss", "characters") / math.log(2)}


class Translation(NextTokens):
    """The next token of the target text, given the source and the right tokens before it (teacher forcing)."""

    name: ClassVar[str] = "translation"
