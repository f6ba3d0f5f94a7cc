"""The written-out GRU against torch's, against its own equations, and against itself with more padding."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad_and_value, stack_module_state
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lightning_modules.blocks.dropout import Dropout, dropout_mask
from lightning_modules.blocks.recurrent import GRU, GRUCell

B, T, INPUTS, HIDDEN = 4, 7, 5, 3
LENGTHS = torch.tensor([7, 2, 5, 1])
SHAPES = [(1, False), (1, True), (2, False), (2, True), (3, True)]
CLOSE = {torch.float32: {"rtol": 1e-5, "atol": 1e-6}, torch.float64: {"rtol": 1e-12, "atol": 1e-14}}

every_shape = pytest.mark.parametrize(("num_layers", "bidirectional"), SHAPES)
every_dtype = pytest.mark.parametrize("dtype", list(CLOSE), ids=str)


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def both(num_layers, bidirectional, dtype=torch.float64, seed=0):
    """Our GRU and torch's, with the same weights."""
    ours = seeded(lambda: GRU(INPUTS, HIDDEN, num_layers, bidirectional), seed).to(dtype)
    theirs = nn.GRU(INPUTS, HIDDEN, num_layers, bidirectional=bidirectional, batch_first=True).to(dtype)
    with torch.no_grad():
        for parameter, one_of_theirs in zip(ours.parameters(), theirs.parameters(), strict=True):
            one_of_theirs.copy_(parameter)
    return ours, theirs


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def first_states(num_layers, bidirectional, seed=1, dtype=torch.float64):
    return normal(num_layers * (1 + bidirectional), B, HIDDEN, seed=seed, dtype=dtype)


def mask_behind(lengths, length=T):
    return torch.arange(length) < lengths[:, None]


def packed(theirs, inputs, state):
    """The outputs and states of torch's GRU over packed sequences."""
    sequences = pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
    outputs, last = theirs(sequences, state)
    return pad_packed_sequence(outputs, batch_first=True)[0], last


def assert_equal_with_gradients(ours, theirs, run_ours, run_theirs, dtype, **leaves):
    """The outputs, the states and the gradients of all parameters and leaves are those of torch's GRU."""
    results, gradients = [], []
    for module, run in ((ours, run_ours), (theirs, run_theirs)):
        copies = {name: leaf.clone().requires_grad_() for name, leaf in leaves.items()}
        outputs, states = run(**copies)
        loss = (outputs * normal(*outputs.shape, seed=8, dtype=dtype)).sum()
        loss = loss + (states * normal(*states.shape, seed=9, dtype=dtype)).sum()
        gradients.append(torch.autograd.grad(loss, [*module.parameters(), *copies.values()]))
        results.append((outputs, states))
    torch.testing.assert_close(results[0], results[1], **CLOSE[dtype])
    torch.testing.assert_close(gradients[0], gradients[1], **CLOSE[dtype])


@every_dtype
@every_shape
def test_it_equals_torchs_gru(num_layers, bidirectional, dtype):
    ours, theirs = both(num_layers, bidirectional, dtype)
    inputs, state = normal(B, T, INPUTS, dtype=dtype), first_states(num_layers, bidirectional, dtype=dtype)
    assert_equal_with_gradients(
        ours,
        theirs,
        lambda inputs, state: ours(inputs, state=state),
        lambda inputs, state: theirs(inputs, state),
        dtype,
        inputs=inputs,
        state=state,
    )
    torch.testing.assert_close(ours(inputs), theirs(inputs), **CLOSE[dtype])


@every_dtype
@every_shape
def test_padded_it_equals_torchs_gru_over_packed_sequences(num_layers, bidirectional, dtype):
    ours, theirs = both(num_layers, bidirectional, dtype)
    assert_equal_with_gradients(
        ours,
        theirs,
        lambda inputs, state: ours(inputs, mask_behind(LENGTHS), state),
        lambda inputs, state: packed(theirs, inputs, state),
        dtype,
        inputs=normal(B, T, INPUTS, dtype=dtype),
        state=first_states(num_layers, bidirectional, dtype=dtype),
    )


@every_shape
def test_padding_in_front_or_behind_changes_nothing(num_layers, bidirectional):
    ours, _ = both(num_layers, bidirectional)
    inputs, state = normal(B, T, INPUTS), first_states(num_layers, bidirectional)
    expected = ours(inputs, state=state)
    for front, behind in ((0, 4), (3, 0), (2, 5)):
        padded = torch.cat([1e3 * normal(B, front, INPUTS), inputs, -1e3 * normal(B, behind, INPUTS)], dim=1)
        mask = torch.zeros(B, front + T + behind, dtype=torch.bool)
        mask[:, front : front + T] = True
        outputs, last = ours(padded, mask, state)
        torch.testing.assert_close((outputs[:, front : front + T], last), expected, rtol=1e-12, atol=1e-14)
        assert outputs[~mask].eq(0).all()


@every_shape
def test_a_batch_of_different_lengths_equals_its_sequences_one_by_one(num_layers, bidirectional):
    ours, _ = both(num_layers, bidirectional)
    inputs, state = normal(B, T, INPUTS), first_states(num_layers, bidirectional)
    in_front = mask_behind(LENGTHS).flip(1)
    outputs, last = ours(inputs, in_front, state)
    for index, length in enumerate(LENGTHS.tolist()):
        alone, last_alone = ours(inputs[index : index + 1, T - length :], state=state[:, index : index + 1])
        torch.testing.assert_close(outputs[index, T - length :], alone[0], rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(last[:, index], last_alone[:, 0], rtol=1e-12, atol=1e-14)


def test_a_sequence_of_padding_alone_keeps_its_first_state():
    ours, _ = both(2, True)
    state = first_states(2, True)
    outputs, last = ours(normal(B, T, INPUTS), torch.zeros(B, T, dtype=torch.bool), state)
    assert torch.equal(last, state) and outputs.eq(0).all()


def test_one_step_follows_its_equations():
    cell = seeded(lambda: GRUCell(INPUTS, HIDDEN)).double()
    x, h = normal(INPUTS), normal(HIDDEN, seed=1)
    w_r, w_z, w_n = cell.input_weight.split(HIDDEN)
    u_r, u_z, u_n = cell.state_weight.split(HIDDEN)
    b_r, b_z, b_n = cell.input_bias.split(HIDDEN)
    c_r, c_z, c_n = cell.state_bias.split(HIDDEN)
    r = torch.sigmoid(w_r @ x + b_r + u_r @ h + c_r)
    z = torch.sigmoid(w_z @ x + b_z + u_z @ h + c_z)
    n = torch.tanh(w_n @ x + b_n + r * (u_n @ h + c_n))
    torch.testing.assert_close(cell(cell.project(x[None]), h[None])[0], (1 - z) * n + z * h)


@every_shape
def test_a_seed_gives_the_weights_of_torchs_gru(num_layers, bidirectional):
    ours = seeded(lambda: GRU(INPUTS, HIDDEN, num_layers, bidirectional))
    theirs = seeded(lambda: nn.GRU(INPUTS, HIDDEN, num_layers, bidirectional=bidirectional))
    for parameter, one_of_theirs in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(parameter, one_of_theirs)


class Loss(nn.Module):
    """A GRU whose forward is a loss, as `functional_call` calls it."""

    def __init__(self, gru):
        super().__init__()
        self.gru = gru

    def forward(self, inputs, mask):
        outputs, states = self.gru(inputs, mask)
        return outputs.square().mean() + states.sin().mean()


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_stacked_copies_under_plain_vmap_equal_a_loop(dropout):
    copies = [Loss(seeded(lambda: GRU(INPUTS, HIDDEN, 2, True, dropout), seed)).double() for seed in range(3)]
    inputs = torch.stack([normal(B, T, INPUTS, seed=seed) for seed in range(3)])
    masks = torch.stack([mask_behind(LENGTHS.roll(seed)) for seed in range(3)])
    drawn = [
        dropout_mask((B, T, 2 * HIDDEN), 0.4, torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in range(3)
    ]
    dropouts = {"gru.dropouts.0.mask": torch.stack(drawn)} if dropout else {}
    parameters, _ = stack_module_state(copies)
    base = copy.deepcopy(copies[0])

    def loss(parameters, dropouts, inputs, mask):
        return functional_call(base, (parameters, dropouts), (inputs, mask))

    arguments = (parameters, dropouts, inputs, masks)
    losses = torch.vmap(loss)(*arguments)
    gradients, losses_with_gradients = torch.vmap(grad_and_value(loss))(*arguments)
    assert len(set(losses.tolist())) == 3
    torch.testing.assert_close(losses, losses_with_gradients)
    for index, module in enumerate(copies):
        one = functional_call(
            module, {name: value[index] for name, value in dropouts.items()}, (inputs[index], masks[index])
        )
        one.backward()
        torch.testing.assert_close(losses[index], one)
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(gradients[name][index], parameter.grad, rtol=1e-10, atol=1e-14)


def test_dropout_stands_between_the_layers_while_training_only():
    gru, plain = (seeded(lambda p=p: GRU(INPUTS, HIDDEN, 3, dropout=p)) for p in (0.5, 0.0))
    inputs = normal(B, T, INPUTS, dtype=torch.float32)
    silent = {f"dropouts.{index}.mask": torch.zeros(B, T, HIDDEN) for index in range(2)}
    outputs, _ = functional_call(gru, silent, (inputs,))
    assert not torch.equal(outputs, gru(torch.zeros_like(inputs))[0])
    assert torch.equal(outputs[0], outputs[1]), "the last layer sees zeros, whatever the inputs"
    assert sum(isinstance(layer, Dropout) for layer in gru.modules()) == 2
    torch.testing.assert_close(gru.eval()(inputs), plain(inputs))


@pytest.mark.parametrize("given", [False, True])
def test_it_runs_in_mixed_precision(given):
    gru = seeded(lambda: GRU(INPUTS, HIDDEN, 2, True))
    inputs, state = normal(B, T, INPUTS, dtype=torch.float32), first_states(2, True, dtype=torch.float32)
    state = state if given else None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs, last = gru(inputs, mask_behind(LENGTHS), state)
    expected = gru(inputs, mask_behind(LENGTHS), state)
    torch.testing.assert_close((outputs.float(), last.float()), expected, rtol=0.05, atol=0.05)
    outputs.float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in gru.parameters())
