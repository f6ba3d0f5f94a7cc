"""Sequence to sequence: a GRU reads the source, another one writes the target from the state in which the first ends.

    h_t = GRU(E_s·x_t, h_{t-1})                  the encoder, from h_0 = 0; memory = its last state of each layer
    s_t = GRU(E_t·y_{t-1}, s_{t-1})              the decoder, from s_0 = memory; y_0 is the begin token
    logits_t = W·s_t + b,   p(y_t | y_<t, x) = softmax(logits_t)

Sutskever, Vinyals and Le (2014), with the cell of Cho et al. (2014) in place of the LSTM. Of theirs it leaves out the
reversed source. Cho et al. give the memory to each step of the decoder; here, as in the former, to the first alone.
"""

from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn

from learning_tasks.language import Pair, Tokens
from learning_tasks.refusals import require
from lightning_modules.base import Module
from lightning_modules.blocks.dropout import Dropout
from lightning_modules.blocks.recurrent import GRU


class Seq2Seq(Module):
    """Encoder-decoder of two GRUs: all that the decoder knows of the source is one vector of fixed size per layer.

    Args:
        embedding_size: Features of the vector that each token is looked up as.
        hidden_size: Features of the state of each layer.
        num_layers: Layers of the encoder, and of the decoder.
        dropout: Share of the values set to 0 in each training step: of the embeddings, between layers, and before the
            output layer.

    Paper:
        Sutskever, Vinyals and Le (2014), Sequence to sequence learning with neural networks, with the unit of Cho et
        al. (2014) in place of the LSTM.
    Written out:
        The gates, the loops of encoder and decoder, greedy decoding, dropout. torch: nn.Embedding, nn.Linear, the
        gradients.
    Checked against:
        Two of torch's GRUs with the same weights; pairs one by one, decoding step by step, and greedy texts whose every
        token is the most probable one (tests/lightning_modules/test_seq2seq.py).
    """

    tasks = ("translation",)
    takes = ("sequence_pair",)

    def __init__(
        self,
        *,
        source_vocab_size: int,
        target_vocab_size: int,
        task: str,
        embedding_size: Annotated[int, Interval(ge=1, le=8192)] = 64,
        hidden_size: Annotated[int, Interval(ge=1, le=8192)] = 128,
        num_layers: Annotated[int, Interval(ge=1, le=16)] = 1,
        dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
    ) -> None:
        super().__init__(task=task)
        sizes = {"embedding_size": embedding_size, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, size in sizes.items():
            require(name, size, size >= 1, "1 or more")
        self.source_embedding = nn.Embedding(source_vocab_size, embedding_size)
        self.target_embedding = nn.Embedding(target_vocab_size, embedding_size)
        self.encoder = GRU(embedding_size, hidden_size, num_layers, dropout=dropout)
        self.decoder = GRU(embedding_size, hidden_size, num_layers, dropout=dropout)
        self.output = nn.Linear(hidden_size, target_vocab_size)
        self.source_dropout, self.target_dropout, self.output_dropout = (Dropout(dropout) for _ in range(3))

    def forward(self, inputs: Pair) -> Tensor:
        """The logits (B, T, target_vocab_size) of the token after each of those that the decoder is given."""
        return self.decode(self.encode(inputs.source), inputs.decoded)

    def encode(self, source: Tokens) -> Tensor:
        """The memory (B, num_layers, hidden_size): all that is known of the source (B, S) from here on."""
        embedded = self.source_dropout(self.source_embedding(source.ids))  # (B, S, embedding_size)
        _, states = self.encoder(embedded, source.mask)
        memory: Tensor = states.transpose(0, 1)
        return memory

    def decode(self, memory: Tensor, decoded: Tokens) -> Tensor:
        """The logits (B, T, target_vocab_size), given the tokens before each place (B, T)."""
        logits, _ = self._run(decoded.ids, decoded.mask, memory)
        return logits

    def start(self, memory: Tensor) -> Tensor:
        """The state of the decoder before the first step; its axis 0 is the batch."""
        return memory

    def step(self, state: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """The logits (B, target_vocab_size) of the next token, given the last one (B,), and the state after it."""
        logits, state = self._run(ids[:, None], None, state)
        return logits[:, 0], state

    def _run(self, ids: Tensor, mask: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.target_dropout(self.target_embedding(ids))  # (B, T, embedding_size)
        outputs, states = self.decoder(embedded, mask, state.transpose(0, 1))
        logits: Tensor = self.output(self.output_dropout(outputs))
        return logits, states.transpose(0, 1)
