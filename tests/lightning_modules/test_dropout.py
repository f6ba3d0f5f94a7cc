"""Dropout: the same numbers as torch's to the bit, a mask from outside, and no other place that draws."""

import ast
import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad_and_value, stack_module_state

from lightning_modules import MODELS
from lightning_modules.blocks.dropout import Dropout, dropout_mask

FOLDER = Path(__file__).parents[2] / "lightning_modules"
SHAPES = [(1,), (17, 5), (4, 3, 8, 8), (1000, 33), (0, 3)]

every_case = [
    pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str),
    pytest.mark.parametrize("shape", SHAPES, ids=str),
    pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.999]),
]


def by_torch(values, p, seed=3):
    """What `nn.Dropout` makes of the values and of their gradient, and the state of torch's generator after it."""
    values = values.clone().requires_grad_()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        outputs = nn.Dropout(p)(values)
        state = torch.get_rng_state()
    outputs.backward(torch.ones_like(outputs))
    return outputs.detach(), values.grad, state


def normal(shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


@every_case[0]
@every_case[1]
@every_case[2]
def test_dropout_equals_torchs_to_the_bit_and_leaves_the_generator_in_the_same_state(p, shape, dtype):
    values = normal(shape, dtype)
    expected, expected_gradient, expected_state = by_torch(values, p)
    values.requires_grad_()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        outputs = Dropout(p)(values)
        assert torch.equal(torch.get_rng_state(), expected_state)
    outputs.backward(torch.ones_like(outputs))
    assert torch.equal(outputs, expected) and torch.equal(values.grad, expected_gradient)


@every_case[0]
@every_case[1]
@every_case[2]
def test_a_mask_drawn_outside_gives_what_torch_gives_from_the_same_seed(p, shape, dtype):
    values = normal(shape, dtype)
    expected, _, expected_state = by_torch(values, p)
    generator = torch.Generator().manual_seed(3)
    before = torch.get_rng_state()
    mask = dropout_mask(shape, p, generator, dtype=dtype)
    assert torch.equal(functional_call(Dropout(p), {"mask": mask}, (values,)), expected)
    assert torch.equal(generator.get_state(), expected_state)
    assert torch.equal(torch.get_rng_state(), before), "nothing was drawn from the global generator"


def test_nothing_changes_in_evaluation_mode_whatever_the_mask():
    dropout, values = Dropout(0.5).eval(), normal((4, 3))
    before = torch.get_rng_state()
    assert torch.equal(dropout(values), values)
    assert torch.equal(functional_call(dropout, {"mask": torch.zeros(4, 3)}, (values,)), values)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_tensor_for_p_draws_each_copys_own_share_under_vmap():
    shares = torch.tensor([0.1, 0.5, 0.9])
    outputs = torch.vmap(lambda p: Dropout(p)(torch.ones(40_000)), randomness="different")(shares)
    zeros = outputs == 0
    torch.testing.assert_close(zeros.float().mean(1), shares, atol=0.01, rtol=0)  # four standard errors
    for row, empty, share in zip(outputs, zeros, shares, strict=True):
        torch.testing.assert_close(row[~empty], (1 / (1 - share)).expand(int((~empty).sum())))


@pytest.mark.parametrize("p", [-0.1, 1, 1.5])
def test_a_share_that_cannot_be_is_refused(p):
    with pytest.raises(
        ValueError, match=rf"^dropout: {p} is not allowed; allowed: a number of 0 or more and below 1.$"
    ):
        Dropout(p)


def network(seed, dropout=0.4):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MODELS["mlp"](
            input_shape=(3,), num_outputs=1, task="regression", hidden_sizes=[8, 5], norm="layer", dropout=dropout
        )


class Loss(nn.Module):
    """A module whose forward is the loss, as `functional_call` calls it."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, batch):
        return self.module.loss(batch)


def test_the_mlp_with_masks_takes_the_losses_and_gradients_of_copies_that_draw_themselves():
    copies = [Loss(network(seed)) for seed in range(3)]
    names = [f"{name}.mask" for name, layer in copies[0].named_modules() if isinstance(layer, Dropout)]
    batches = [(normal((6, 3)) + seed, normal((6,)) - seed) for seed in range(3)]
    generators = [torch.Generator().manual_seed(seed) for seed in range(3)]
    masks = {
        name: torch.stack([dropout_mask((6, width), 0.4, generator) for generator in generators])
        for name, width in zip(names, [8, 5], strict=True)
    }
    parameters, buffers = stack_module_state(copies)
    assert buffers == {}
    base = copy.deepcopy(copies[0])

    def loss(parameters, masks, batch):
        return functional_call(base, (parameters, masks), (batch,))

    stacked = tuple(torch.stack(tensors) for tensors in zip(*batches, strict=True))
    gradients, losses = torch.vmap(grad_and_value(loss))(parameters, masks, stacked)
    for index, (module, batch) in enumerate(zip(copies, batches, strict=True)):
        with torch.random.fork_rng():
            torch.manual_seed(index)
            alone = module(batch)
        alone.backward()
        torch.testing.assert_close(losses[index], alone.detach())
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(gradients[name][index], parameter.grad, rtol=1e-5, atol=1e-6)
    assert all(layer.mask is None for layer in base.modules() if isinstance(layer, Dropout)), "no mask stays behind"


def test_old_weights_fit_and_no_key_is_new():
    old = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.4), nn.Linear(4, 1))
    new = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), Dropout(0.4), nn.Linear(4, 1))
    assert list(new.state_dict()) == list(old.state_dict())
    assert new.load_state_dict(old.state_dict(), strict=True)
    with_mask = Dropout(0.4)
    with_mask.mask = torch.ones(2)
    assert with_mask.state_dict() == {}, "a mask is never saved"


def drawing(source):
    """The lines of a source that use torch's own dropout."""
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    from_torch = {
        alias.asname or alias.name.partition(".")[0]
        for node in imports
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).partition(".")[0] == "torch"
    }

    def is_torchs(node):
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in from_torch

    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            draws = is_torchs(node) and "dropout" in name.lower()
        elif isinstance(node, ast.Call):
            keys = {keyword.arg for keyword in node.keywords}
            draws = "dropout_p" in keys or ("dropout" in keys and is_torchs(node.func))
        else:
            draws = False
        if draws:
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    "line",
    [
        "nn.Dropout(0.1)",
        "torch.nn.Dropout2d(0.1)",
        "F.dropout(x, 0.1)",
        "AlphaDropout(0.1)",
        "nn.LSTM(3, 4, num_layers=2, dropout=0.1)",
        "F.scaled_dot_product_attention(q, k, v, dropout_p=0.1)",
        "attention(q, k, v, dropout_p=0.1)",
    ],
)
def test_the_search_for_dropout_finds(line):
    header = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\nfrom torch.nn import AlphaDropout\n"
    assert drawing(header + line) == [5]


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_only_the_block_of_dropout_uses_torchs(path):
    lines = drawing(path.read_text())
    if path == FOLDER / "blocks" / "dropout.py":
        assert lines, "it is the one file that does"
    else:
        assert lines == [], f"{path.name}, lines {lines}: use lightning_modules.blocks.dropout.Dropout"
