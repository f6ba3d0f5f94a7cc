"""The gated recurrent unit (Cho et al. 2014), written out in torch's variant, over padded sequences.

With x_t the input, h the state before it and σ the sigmoid:

    r = σ(W_r·x_t + b_r + U_r·h + c_r)             the reset gate
    z = σ(W_z·x_t + b_z + U_z·h + c_z)             the update gate
    n = tanh(W_n·x_t + b_n + r * (U_n·h + c_n))    the new state; Cho et al. reset h before the product: U_n·(r * h)
    h <- (1 - z) * n + z * h

A padded step leaves the state as it is. There is no packing, no choice of elements by a mask and no branch on a value,
so that many copies can be trained as one by `vmap`, where torch's own GRU raises.
"""

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.blocks.dropout import Dropout


class GRUCell(nn.Module):
    """One direction of one layer. The rows of its parameters are those of r, z and n, as in torch.

    Args:
        input_size: Features of an input.
        hidden_size: Features of the state.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_weight = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.state_weight = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.input_bias = nn.Parameter(torch.empty(3 * hidden_size))
        self.state_bias = nn.Parameter(torch.empty(3 * hidden_size))
        for parameter in self.parameters():  # in torch's order, so that one seed gives the weights of `nn.GRU`
            nn.init.uniform_(parameter, -1 / sqrt(hidden_size), 1 / sqrt(hidden_size))

    def project(self, inputs: Tensor) -> Tensor:
        """The part of the gates that comes from the inputs (..., input_size) alone, (..., 3 * hidden_size)."""
        return F.linear(inputs, self.input_weight, self.input_bias)

    def forward(self, projected: Tensor, state: Tensor) -> Tensor:
        """The state after one step.

        Args:
            projected: `project(inputs)` of this step (B, 3 * hidden_size).
            state: The state before it (B, hidden_size).
        """
        sizes = [2 * self.hidden_size, self.hidden_size]
        by_state = F.linear(state, self.state_weight, self.state_bias)
        gates, new = projected.split_with_sizes(sizes, dim=-1)
        gates_by_state, new_by_state = by_state.split_with_sizes(sizes, dim=-1)
        reset, update = torch.sigmoid(gates + gates_by_state).chunk(2, dim=-1)
        return torch.lerp(torch.tanh(torch.addcmul(new, reset, new_by_state)), state, update)


class GRU(nn.Module):
    """Gated recurrent units in layers, each in one direction or two; equal to `nn.GRU(..., batch_first=True)`.

    A seed gives the same weights as there. Dropout is drawn for padded steps too.

    Args:
        input_size: Features of an input.
        hidden_size: Features of the state of each layer and direction.
        num_layers: Layers on top of one another; each but the first reads the outputs of the one below.
        bidirectional: Whether each layer also runs from the end to the beginning.
        dropout: Share of the outputs of each layer but the last that is set to 0 in training mode.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float | Tensor = 0.0,
    ) -> None:
        super().__init__()
        self.num_layers, self.directions = num_layers, 2 if bidirectional else 1
        input_sizes = [input_size, *[self.directions * hidden_size] * (num_layers - 1)]
        self.cells = nn.ModuleList(GRUCell(size, hidden_size) for size in input_sizes for _ in range(self.directions))
        self.dropouts = nn.ModuleList(Dropout(dropout) for _ in range(num_layers - 1))

    def forward(self, inputs: Tensor, mask: Tensor | None = None, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The outputs of the last layer and the states of all layers after the last step.

        Args:
            inputs: (B, T, input_size); those of padded steps change nothing, as long as they are finite.
            mask: (B, T) bool, False where padded, in front or behind; without it no step is padded.
            state: The states before the first step (num_layers * directions, B, hidden_size), the directions of the
                first layer first; zeros if there are none.

        Returns:
            The outputs (B, T, directions * hidden_size), which are 0 where padded, and the states, shaped as above. The
            state of the second direction is that after the first step of a sequence.
        """
        outputs, last_states = inputs, []
        for layer in range(self.num_layers):
            if layer > 0:
                outputs = self.dropouts[layer - 1](outputs)
            by_direction = []
            for direction in range(self.directions):
                index = layer * self.directions + direction
                cell, first_state = self.cells[index], None if state is None else state[index]
                assert isinstance(cell, GRUCell)
                states, last_state = _run(cell, outputs, mask, first_state, backwards=direction == 1)
                by_direction.append(states)
                last_states.append(last_state)
            outputs = torch.cat(by_direction, dim=-1)
        if mask is not None:
            outputs = torch.where(mask[..., None], outputs, 0)
        return outputs, torch.stack(last_states)


def _run(
    cell: GRUCell, inputs: Tensor, mask: Tensor | None, state: Tensor | None, backwards: bool
) -> tuple[Tensor, Tensor]:
    """The states (B, T, H) of one cell after each step, in the order of the inputs, and its last state (B, H)."""
    projected = cell.project(inputs)  # (B, T, 3H), in one product
    steps = projected.unbind(1)
    present = None if mask is None else mask[..., None].unbind(1)
    state = steps[0].new_zeros(len(inputs), cell.hidden_size) if state is None else state.to(projected.dtype)
    states = list(steps)
    for t in reversed(range(len(steps))) if backwards else range(len(steps)):
        following = cell(steps[t], state)
        state = following if present is None else torch.where(present[t], following, state)
        states[t] = state
    return torch.stack(states, dim=1), state
