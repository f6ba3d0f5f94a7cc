"""How good the texts are that a model writes by itself, without the right tokens before each place."""

from typing import Final

from torch import Tensor
from torch.nn import functional as F

from learning_tasks.base import IGNORED, Metric

EXACT_MATCH: Final = Metric(
    "exact_match", "higher", "The share of texts that greedy decoding writes right, from the first token to the last."
)


def exactly_right(hypotheses: Tensor, references: Tensor, end: int) -> Tensor:
    """Which texts (B,) bool equal their references from the first token to the end token.

    Args:
        hypotheses: What a model wrote (B, L); what stands behind the first end token does not count.
        references: The targets (B, T), each with its end token, IGNORED where padded.
        end: The number of the end token.
    """
    width = max(hypotheses.shape[1], references.shape[1])
    hypotheses, references = (F.pad(ids, (0, width - ids.shape[1]), value=IGNORED) for ids in (hypotheses, references))
    ends = references == end
    behind = ends.cumsum(dim=1) > ends  # behind the first end token
    right: Tensor = ((hypotheses == references) | behind).all(dim=1)
    return right
