"""Recurrent networks over tokens: one that names the class of a text, and one that says which token comes next.

    e_t = dropout(E[token_t]);  h_t = GRU(e_t, h_{t-1}), h_0 = 0
    classifier:       outputs = W·dropout(h_T) + b        T the last token of the text
    language model:   outputs_t = W·dropout(h_t) + b      at every t

Language models by recurrent networks: Mikolov et al. (2010), with a plain recurrent layer; the gated recurrent unit is
that of Cho et al. (2014) (`blocks.recurrent` has its equations). Dropout stands where Zaremba, Sutskever and Vinyals
(2014) put it: on what goes from layer to layer, never on what goes from step to step. They carry the state on from one
window of the text to the next one; here each text begins with h_0 = 0, so that windows can be shuffled.
"""

from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn

from learning_tasks.language import Tokens
from lightning_modules.base import Module
from lightning_modules.blocks.dropout import Dropout
from lightning_modules.blocks.losses import ClassLoss
from lightning_modules.blocks.recurrent import GRU

Size = Annotated[int, Interval(ge=1, le=65_536)]
Layers = Annotated[int, Interval(ge=1, le=16)]
Share = Annotated[float, Interval(ge=0, lt=1)]


class GRUClassifier(Module):
    """GRU classifier: embedding, gated recurrent units, and a linear layer on the last state.

    Args:
        embedding_size: Numbers that stand for each token.
        hidden_size: Size of the state of each layer.
        num_layers: Recurrent layers, each reading the states of the one below.
        dropout: Share of the embeddings, of what goes from layer to layer and of the last state that is set to 0 in
            each training step.
        loss: What is minimised, and shown as the loss: the cross-entropy (auto); squared or absolute, the distance
            between the probabilities and the true class, summed over the classes; or hinge, where the right class must
            lead by 1. The error is the share misclassified, whatever the loss.

    Paper:
        Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, for the unit; dropout as Zaremba,
        Sutskever and Vinyals (2014).
    Written out:
        The gates and the loop over a padded sequence, dropout. torch: nn.Embedding, nn.Linear, the gradients.
    Checked against:
        torch's GRU with the same weights, gradients included, and padding that changes nothing
        (tests/lightning_modules/test_rnn.py, tests/lightning_modules/test_recurrent.py).
    """

    tasks = ("binary", "multiclass")
    takes = ("tokens",)

    def __init__(
        self,
        *,
        vocab_size: int,
        num_outputs: int,
        task: str,
        embedding_size: Size = 32,
        hidden_size: Size = 64,
        num_layers: Layers = 1,
        dropout: Share = 0.0,
        loss: ClassLoss = "auto",
    ) -> None:
        super().__init__(task=task, loss_name=loss)
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.embedding_dropout = Dropout(dropout)
        self.gru = GRU(embedding_size, hidden_size, num_layers, dropout=dropout)
        self.state_dropout = Dropout(dropout)
        self.output = nn.Linear(hidden_size, num_outputs)

    def forward(self, inputs: Tokens) -> Tensor:
        embedded = self.embedding_dropout(self.embedding(inputs.ids))  # (B, T, embedding_size)
        _, states = self.gru(embedded, inputs.mask)  # (num_layers, B, hidden_size)
        outputs: Tensor = self.output(self.state_dropout(states[-1]))  # (B, num_outputs)
        return outputs


class RNNLanguageModel(Module):
    """Recurrent language model: embedding, gated recurrent units, and a linear layer at every token.

    Args:
        embedding_size: Numbers that stand for each token.
        hidden_size: Size of the state of each layer.
        num_layers: Recurrent layers, each reading the states of the one below.
        dropout: Share of the embeddings, of what goes from layer to layer and of the states that is set to 0 in each
            training step.

    Paper:
        Mikolov et al. (2010), Recurrent neural network based language model, with the unit of Cho et al. (2014);
        dropout as Zaremba, Sutskever and Vinyals (2014).
    Written out:
        The gates and the loop over a padded sequence, dropout, perplexity and bits per character. torch: nn.Embedding,
        nn.Linear, the gradients.
    Checked against:
        torch's GRU with the same weights, torch's cross-entropy for perplexity and bits per character, and a later
        token that changes no earlier output (tests/lightning_modules/test_rnn.py).
    """

    tasks = ("language_model",)
    takes = ("tokens",)

    def __init__(
        self,
        *,
        vocab_size: int,
        task: str,
        characters: tuple[int, ...] = (),
        embedding_size: Size = 32,
        hidden_size: Size = 128,
        num_layers: Layers = 1,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__(task=task, characters=characters)
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.embedding_dropout = Dropout(dropout)
        self.gru = GRU(embedding_size, hidden_size, num_layers, dropout=dropout)
        self.state_dropout = Dropout(dropout)
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(self, inputs: Tokens) -> Tensor:
        embedded = self.embedding_dropout(self.embedding(inputs.ids))  # (B, T, embedding_size)
        states, _ = self.gru(embedded, inputs.mask)  # (B, T, hidden_size)
        outputs: Tensor = self.output(self.state_dropout(states))  # (B, T, vocab_size)
        return outputs
