"""What every model must keep to, whichever it is."""

import copy
import inspect

import pytest
import torch
from torch import nn

from lightning_modules import MODELS, Recipe
from lightning_modules.blocks.activations import ACTIVATIONS

INPUT_SHAPE = (1, 6, 5)
OUTPUTS = {"regression": 1, "binary": 1, "multiclass": 3}
PLAIN = [(name, task, {}) for name, model in MODELS.items() for task in model.tasks]
VARIANTS = [
    *[("mlp", "multiclass", {"activation": activation}) for activation in ACTIVATIONS],
    *[("mlp", "multiclass", {"norm": norm, "hidden_sizes": [8, 6]}) for norm in ("none", "batch", "layer")],
    *[("mlp", "binary", {"initialization": name}) for name in ("normal", "xavier", "he")],
    ("mlp", "regression", {"dropout": 0.3}),
    ("mlp", "regression", {"hidden_sizes": []}),
    ("softmax_regression", "multiclass", {"initialization": "normal", "init_std": 0.5}),
    ("perceptron", "binary", {"initialization": "normal", "init_std": 0.5}),
    *[
        ("lenet", "multiclass", fields)
        for fields in ({"activation": "relu", "pooling": "max", "initialization": "he"}, {"activation": "sigmoid"})
    ],
]


def case_id(case):
    return "-".join([case[0], case[1], *(f"{key}={value}" for key, value in case[2].items())])


every_model = pytest.mark.parametrize("case", PLAIN + VARIANTS, ids=case_id)


def make(case, seed=0):
    name, task, fields = case
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MODELS[name](input_shape=INPUT_SHAPE, num_outputs=OUTPUTS[task], task=task, **fields)


def batch(task, seed=0, size=10):
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(size, *INPUT_SHAPE, generator=random)
    targets = {
        "regression": torch.randn(size, generator=random),
        "binary": (torch.arange(size) % 3 == 0).long(),
        "multiclass": torch.arange(size) % 3,
    }[task]
    return inputs, targets


@every_model
def test_outputs_have_their_shape_and_the_loss_is_finite(case):
    module = make(case)
    inputs, targets = batch(case[1])
    assert module(inputs).shape == (len(targets), OUTPUTS[case[1]])
    loss = module.loss((inputs, targets))
    assert loss.shape == ()
    assert loss.isfinite()
    measured = module.evaluate((inputs, targets))
    assert set(measured) == {"loss", "error"}
    assert all(value.shape == () and value.isfinite() for value in measured.values())


@pytest.mark.parametrize("case", [case for case in PLAIN + VARIANTS if case[1] != "regression"], ids=case_id)
def test_the_most_probable_class_is_the_answer(case):
    module = make(case).eval()
    inputs, targets = batch(case[1])
    with torch.no_grad():
        probabilities, error = module.probabilities(inputs), module.evaluate((inputs, targets))["error"]
    assert probabilities.shape == (len(inputs), max(OUTPUTS[case[1]], 2)) and probabilities.min() >= 0
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(len(inputs)))
    torch.testing.assert_close(error, (probabilities.argmax(dim=1) != targets).float().mean())


@pytest.mark.parametrize("case", PLAIN + VARIANTS, ids=case_id)
def test_a_smoothed_target_is_a_mixture_of_all_classes_or_refused(case):
    module, (inputs, targets) = make(case).eval(), batch(case[1])
    module.recipe, module.logs = Recipe(label_smoothing=0.25), False
    if module.criteria[case[1]].smoothed is None:
        with pytest.raises(
            ValueError, match=r"label_smoothing: 0\.25 is not allowed for .* and the task .*; allowed: 0\."
        ):
            module.training_step((inputs, targets), 0)
        return
    step, logs = module.training_step((inputs, targets), 0), module.probabilities(inputs).log()
    chosen = logs[range(len(targets)), targets]
    torch.testing.assert_close(step["loss"], -(0.75 * chosen + 0.25 * logs.mean(dim=1)).mean())
    assert (step["data_loss"], step["data_loss"].requires_grad) == (module.loss((inputs, targets)), False)
    step["loss"].backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())


@every_model
def test_ten_examples_can_be_learnt_by_heart(case):
    module, ten = make(case), batch(case[1])
    before = make(case).eval().evaluate(ten)["loss"]
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(20):
            for _ in range(20):
                optimizer.zero_grad()
                module.loss(ten).backward()
                optimizer.step()
            measured = module.eval().evaluate(ten)
            if learnt := measured["loss"] < 0.05 * before and (case[1] == "regression" or measured["error"] == 0):
                break
            module.train()
    assert learnt, measured


@every_model
def test_the_same_seed_gives_the_same_numbers(case):
    states = [make(case, seed).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    default = inspect.signature(MODELS[case[0]]).parameters["initialization"].default
    started_at_random = case[2].get("initialization", default) != "zeros"
    assert started_at_random == any(not torch.equal(states[0][key], states[2][key]) for key in states[0])


@every_model
def test_gradients_reach_every_parameter(case):
    module = make(case)
    module.loss(batch(case[1])).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 1e-6, name


def test_from_zeros_only_the_output_bias_of_an_mlp_learns():
    module = make(("mlp", "multiclass", {"initialization": "zeros"}))
    module.loss(batch("multiclass")).backward()
    moved = {name for name, parameter in module.named_parameters() if parameter.grad.abs().max() > 0}
    assert moved == {"layers.2.bias"}


class Loss(nn.Module):
    """A module whose forward is the loss, as `functional_call` wants it."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, batch):
        return self.module.loss(batch)


@pytest.mark.parametrize("case", [case for case in PLAIN + VARIANTS if not case[2].get("dropout")], ids=case_id)
def test_three_stacked_copies_give_each_its_own_loss_and_gradients(case):
    copies = [Loss(make(case, seed)) for seed in range(3)]
    for seed, module in enumerate(copies):  # apart also where they start from zeros
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=random)
    batches = [batch(case[1], seed) for seed in range(3)]
    stacked = tuple(torch.stack(tensors) for tensors in zip(*batches, strict=True))
    parameters, buffers = torch.func.stack_module_state([copy.deepcopy(module) for module in copies])
    skeleton = copy.deepcopy(copies[0])

    def loss(parameters, buffers, batch):
        return torch.func.functional_call(skeleton, (parameters, buffers), (batch,))

    gradients, losses = torch.vmap(torch.func.grad_and_value(loss), randomness="different")(
        parameters, buffers, stacked
    )
    for index, (module, one_batch) in enumerate(zip(copies, batches, strict=True)):
        alone = module(one_batch)
        alone.backward()
        torch.testing.assert_close(losses[index], alone.detach())
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(gradients[name][index], parameter.grad, rtol=1e-4, atol=1e-6)
        for name, buffer in module.named_buffers():
            torch.testing.assert_close(buffers[name][index], buffer)
    gradients_by_copy = torch.cat([gradient.flatten(1) for gradient in gradients.values()], dim=1)
    assert len({tuple(row) for row in gradients_by_copy.tolist()}) == 3


@every_model
def test_forward_and_loss_store_nothing_on_the_module(case):
    module = make(case).eval()
    before = {id(part): set(vars(part)) for part in module.modules()}
    state = {key: value.clone() for key, value in module.state_dict().items()}
    module.loss(batch(case[1]))
    module.evaluate(batch(case[1]))
    assert before == {id(part): set(vars(part)) for part in module.modules()}
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())


@every_model
def test_weights_are_those_of_linear_maps(case):
    module = make(case)
    expected = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)}
    assert {id(weight) for weight in module.weights()} == expected


@pytest.mark.parametrize("name", list(MODELS))
def test_a_task_that_a_model_cannot_do_is_refused(name):
    with pytest.raises(ValueError, match=r"cannot do the task 'ranking'; it can do: "):
        MODELS[name](input_shape=(2,), num_outputs=1, task="ranking")
