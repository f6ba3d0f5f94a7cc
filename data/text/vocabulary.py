"""The vocabulary of a data set of texts: its tokens, and the number of each.

A data set learns it once, from everything outside its test part and its probes, before the data seed and `train_size`
choose: so all runs have equally many parameters, and their losses compare. What it has not seen is `<unknown>`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

UNKNOWN: Final = "<unknown>"
"""Stands for each token that the vocabulary does not have, where it has this one."""

LearntFrom = Literal["pool", "training_part"]
"""What a vocabulary is learnt from: everything outside test part and probes, or only what a run trains on."""


@dataclass(frozen=True)
class Vocabulary:
    """Tokens, numbered from 0 in their order.

    Padding is no token: padded places hold a 0 whatever that stands for, and the mask of `Tokens` says which they are.
    """

    tokens: tuple[str, ...]

    @classmethod
    def learnt(
        cls, texts: Iterable[Iterable[str]], min_count: int = 1, special: Sequence[str] = (UNKNOWN,)
    ) -> "Vocabulary":
        """The special tokens, then those of the texts that occur often enough: the most frequent first.

        Args:
            texts: The tokens of each text.
            min_count: How often a token must occur.
            special: Tokens that stand for no text, the first ones of the vocabulary.
        """
        counts = Counter(token for text in texts for token in text)
        frequent = [token for token, count in counts.items() if count >= min_count and token not in special]
        return cls((*special, *sorted(frequent, key=lambda token: (-counts[token], token))))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each token."""
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def characters(self) -> tuple[int, ...]:
        """How many characters each token stands for; `<unknown>` counts as one."""
        return tuple(1 if token == UNKNOWN else len(token) for token in self.tokens)

    def encode(self, text: Iterable[str]) -> list[int]:
        """The numbers of the tokens of a text.

        Raises:
            KeyError: The vocabulary has neither the token nor `<unknown>`.
        """
        numbers = self.numbers
        if UNKNOWN not in numbers:
            return [numbers[token] for token in text]
        unknown = numbers[UNKNOWN]
        return [numbers.get(token, unknown) for token in text]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens that have these numbers."""
        return [self.tokens[number] for number in ids]
