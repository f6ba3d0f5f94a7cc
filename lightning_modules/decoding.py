"""From what a decoder finds probable to the tokens that it writes: greedy search.

The search knows no network. It asks a `Decoder` step by step, so that every encoder-decoder is decoded by the same
code. Each leaf of a decoder's memory and of its state has the batch as its axis 0.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from learning_tasks.base import leaves
from learning_tasks.language import Tokens
from learning_tasks.refusals import require


@runtime_checkable
class Decoder(Protocol):
    """A model that reads a source and writes a target token by token."""

    def encode(self, source: Any) -> Any:
        """The memory: what the decoder may know of the source."""

    def decode(self, memory: Any, decoded: Tokens) -> Tensor:
        """The logits (B, T, V) of all steps at once, given the tokens before each place (B, T)."""

    def start(self, memory: Any) -> Any:
        """The state before the first step."""

    def step(self, state: Any, ids: Tensor) -> tuple[Tensor, Any]:
        """The logits (B, V) of the next token, given the last one (B,), and the state after it: `decode` in steps."""


def greedy(model: Decoder, source: Any, begin: int, end: int, max_length: int) -> Tensor:
    """The most probable token at each step, given those before it, down to the end token.

    The model is asked as it is: it should be in evaluation mode.

    Args:
        model: The model that decodes.
        source: A batch of sources (B, S), as the model encodes them.
        begin: The number of the token that the decoder is given first.
        end: The number of the token that ends a text.
        max_length: The most tokens of a text, with its end token, 1 or more.

    Returns:
        The tokens (B, L) int64, L at most max_length; behind its first end token a row holds nothing but that token.
    """
    require("max_length", max_length, max_length >= 1, "1 or more")
    with torch.inference_mode():
        sources = next(leaves(source))
        ids = torch.full((len(sources),), begin, device=sources.device)
        ended = torch.zeros_like(ids, dtype=torch.bool)
        state = model.start(model.encode(source))
        written: list[Tensor] = []
        while len(written) < max_length and not ended.all():
            logits, state = model.step(state, ids)
            ids = torch.where(ended, end, logits.argmax(dim=-1))
            ended = ended | (ids == end)
            written.append(ids)
    return torch.stack(written, dim=1)
