"""Models against closed forms, scikit-learn and formulas written out by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn import linear_model
from sklearn.metrics import log_loss
from torch.nn import functional as F

from data import DATASETS
from lightning_modules import MODELS, Recipe


def model(name, data, **fields):
    return MODELS[name](**data.dims, **fields)


def set_linear(module, weight, bias):
    with torch.no_grad():
        module.linear.weight.copy_(torch.as_tensor(weight).float().reshape_as(module.linear.weight))
        module.linear.bias.copy_(torch.as_tensor(bias).float().reshape_as(module.linear.bias))


def whole(data):
    return data.parts.train.batch(slice(None))


def test_gradient_of_linear_regression_is_that_of_the_mean_square_without_a_half():
    data = DATASETS["diabetes"]()
    module = model("linear_regression", data, initialization="normal", init_std=1.0)
    inputs, targets = whole(data)
    residual = module.linear.bias + inputs @ module.linear.weight[0] - targets
    loss = module.loss((inputs, targets))
    torch.testing.assert_close(loss, residual.square().sum() / len(targets))
    loss.backward()
    torch.testing.assert_close(module.linear.weight.grad[0], 2 / len(targets) * inputs.T @ residual.detach())
    assert module.scores((inputs, targets))["error"] ** 2 == pytest.approx(loss.item())


def test_gradient_descent_finds_the_closed_form_of_linear_regression():
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 3, generator=random)
    targets = inputs @ torch.tensor([1.0, -2.0, 0.5]) + 3 + 0.3 * torch.randn(60, generator=random)
    module = MODELS["linear_regression"](input_shape=(3,), num_outputs=1, task="regression")
    optimizer = torch.optim.SGD(module.parameters(), lr=0.2)
    for _ in range(300):
        optimizer.zero_grad()
        module.loss((inputs, targets)).backward()
        optimizer.step()
    design = torch.cat([inputs, torch.ones(60, 1)], dim=1)
    solution = torch.linalg.solve(design.T @ design, design.T @ targets)
    fitted = torch.cat([module.linear.weight[0], module.linear.bias]).detach()
    torch.testing.assert_close(fitted, solution, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "set_name"), [("logistic_regression", "breast_cancer"), ("softmax_regression", "wine")]
)
def test_scikit_learns_regularised_optimum_is_ours(name, set_name):
    data = DATASETS[set_name]()
    inputs, targets = whole(data)
    l2 = 0.05
    # scikit-learn minimises C·(sum of losses) + (1/2)·Σw²; divided by C·n that is our mean loss + (l2/2)·Σw².
    reference = linear_model.LogisticRegression(C=1 / (l2 * len(targets)), tol=1e-8, max_iter=10_000)
    reference.fit(inputs.double().numpy(), targets.numpy())
    module = model(name, data)
    module.recipe = Recipe(l2=l2)
    start = module.loss((inputs, targets)) + module.penalty()
    start.backward()
    steep = max(parameter.grad.abs().max() for parameter in module.parameters())
    module.zero_grad()
    set_linear(module, reference.coef_, reference.intercept_)
    (module.loss((inputs, targets)) + module.penalty()).backward()
    flat = max(parameter.grad.abs().max() for parameter in module.parameters())
    assert flat < 1e-4 * steep
    with torch.no_grad():
        measured = module.scores((inputs, targets))
    probabilities = reference.predict_proba(inputs.double().numpy())
    assert float(measured["loss"]) == pytest.approx(log_loss(targets.numpy(), probabilities), rel=1e-4)
    assert float(measured["error"]) == pytest.approx(1 - reference.score(inputs.double().numpy(), targets.numpy()))


def test_losses_of_classification_by_hand():
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(9, 4, generator=random)
    classes, sides = torch.arange(9) % 3, torch.arange(9) % 2
    softmax = MODELS["softmax_regression"](
        input_shape=(4,), num_outputs=3, task="multiclass", initialization="normal", init_std=1.0
    )
    logits = inputs @ softmax.linear.weight.T + softmax.linear.bias
    exponentials = logits.exp()
    probabilities = exponentials / exponentials.sum(dim=1, keepdim=True)
    torch.testing.assert_close(softmax.loss((inputs, classes)), -probabilities[range(9), classes].log().mean())
    logistic = MODELS["logistic_regression"](
        input_shape=(4,), num_outputs=1, task="binary", initialization="normal", init_std=1.0
    )
    chance = 1 / (1 + (-(inputs @ logistic.linear.weight[0]) - logistic.linear.bias).exp())
    expected = -(torch.where(sides == 1, chance, 1 - chance)).log().mean()
    torch.testing.assert_close(logistic.loss((inputs, sides)), expected)


def test_an_mlp_is_the_composition_of_its_parts():
    torch.manual_seed(0)
    module = MODELS["mlp"](
        input_shape=(2, 3), num_outputs=4, task="multiclass", hidden_sizes=[5, 7], activation="tanh", norm="layer"
    )
    inputs = torch.randn(8, 2, 3)
    first, norm1, _, second, norm2, _, last = module.layers
    hidden = inputs.reshape(8, 6)
    for linear, norm in ((first, norm1), (second, norm2)):
        hidden = hidden @ linear.weight.T + linear.bias
        centred = hidden - hidden.mean(dim=1, keepdim=True)
        hidden = torch.tanh(
            norm.weight * centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt() + norm.bias
        )
    torch.testing.assert_close(module(inputs), hidden @ last.weight.T + last.bias)


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("identity", lambda x: x),
        ("sigmoid", lambda x: 1 / (1 + math.exp(-x))),
        ("tanh", math.tanh),
        ("relu", lambda x: max(x, 0)),
        ("leaky_relu", lambda x: x if x > 0 else 0.01 * x),
        ("prelu", lambda x: x if x > 0 else 0.25 * x),
        ("gelu", lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2)))),
    ],
)
def test_activations(activation, formula):
    module = MODELS["mlp"](input_shape=(1,), num_outputs=1, task="regression", hidden_sizes=[1], activation=activation)
    with torch.no_grad():
        for layer in (module.layers[0], module.layers[2]):
            layer.weight.fill_(1.0)
    values = [-2.0, -0.5, 0.5, 2.0]
    expected = [formula(value) for value in values]
    assert module(torch.tensor(values)[:, None])[:, 0].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("initialization", "std"), [("normal", 0.05), ("xavier", math.sqrt(2 / 600)), ("he", math.sqrt(2 / 200))]
)
def test_initialisation_has_the_deviation_of_its_formula(initialization, std):
    torch.manual_seed(0)
    module = MODELS["mlp"](
        input_shape=(200,),
        num_outputs=1,
        task="regression",
        hidden_sizes=[400],
        initialization=initialization,
        init_std=0.05,
    )
    weight = module.layers[0].weight.detach()
    assert abs(float(weight.std()) - std) < 4 * std / math.sqrt(2 * weight.numel())
    assert abs(float(weight.mean())) < 4 * std / math.sqrt(weight.numel())
    assert all((layer.bias == 0).all() for layer in (module.layers[0], module.layers[2]))


def test_dropout_silences_its_share_while_training_only():
    torch.manual_seed(0)
    module = MODELS["mlp"](
        input_shape=(3,), num_outputs=1, task="regression", hidden_sizes=[10_000], activation="identity", dropout=0.3
    )
    hidden = module.layers[:3]
    inputs = torch.randn(1, 3)
    share = float((hidden(inputs) == 0).float().mean())
    assert abs(share - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 10_000)
    assert (module.eval().layers[:3](inputs) != 0).all()


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.7), (0.3, 0.7)])
def test_penalty_and_its_gradient(l1, l2):
    torch.manual_seed(0)
    module = MODELS["mlp"](input_shape=(4,), num_outputs=2, task="multiclass", norm="batch", activation="prelu")
    module.recipe = Recipe(l1=l1, l2=l2)
    weights = [layer.weight for layer in module.layers if isinstance(layer, torch.nn.Linear)]
    values = np.concatenate([weight.detach().double().numpy().ravel() for weight in weights])
    assert float(module.penalty().detach()) == pytest.approx(
        l1 * np.abs(values).sum() + l2 / 2 * (values**2).sum(), rel=1e-5
    )
    if not (l1 or l2):
        return
    module.penalty().backward()
    for name, parameter in module.named_parameters():
        if any(parameter is weight for weight in weights):
            torch.testing.assert_close(parameter.grad, l1 * parameter.detach().sign() + l2 * parameter.detach())
        else:
            assert parameter.grad is None, name


def test_the_step_minimises_loss_and_penalty_and_says_the_loss_alone():
    module = MODELS["logistic_regression"](
        input_shape=(4,), num_outputs=1, task="binary", initialization="normal", init_std=1.0
    )
    module.recipe, module.logs = Recipe(l2=0.7), False
    inputs, targets = torch.randn(6, 4), torch.arange(6) % 2
    step = module.training_step((inputs, targets), 0)
    expected = F.binary_cross_entropy_with_logits(module(inputs)[:, 0], targets.float())
    torch.testing.assert_close(step["data_loss"], expected.detach())
    torch.testing.assert_close(step["loss"], expected + 0.35 * module.linear.weight.square().sum())


@pytest.mark.parametrize("smoothing", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("name", "task", "outputs"), [("mlp", "multiclass", 4), ("mlp", "binary", 1)])
def test_label_smoothing_is_that_of_torch(name, task, outputs, smoothing):
    torch.manual_seed(0)
    module = MODELS[name](input_shape=(3,), num_outputs=outputs, task=task)
    module.recipe, module.logs = Recipe(label_smoothing=smoothing), False
    inputs, targets = torch.randn(20, 3), torch.arange(20) % max(outputs, 2)
    step, logits = module.training_step((inputs, targets), 0), module(inputs)
    if task == "binary":
        logits = torch.cat([torch.zeros(20, 1), logits], dim=1)  # a logit z is the two logits 0 and z
    torch.testing.assert_close(step["loss"], F.cross_entropy(logits, targets, label_smoothing=smoothing))
    torch.testing.assert_close(step["data_loss"], module.loss((inputs, targets)).detach())
    assert module.scores((inputs, targets))["loss"] == pytest.approx(module.loss((inputs, targets)).item(), rel=1e-6)


def test_without_smoothing_the_training_loss_is_the_loss():
    module = MODELS["mlp"](input_shape=(3,), num_outputs=1, task="binary")
    module.logs = False
    batch = torch.randn(5, 3), torch.arange(5) % 2
    assert torch.equal(module.training_step(batch, 0)["loss"], module.loss(batch))


def test_unknown_values_are_refused_with_what_is_allowed():
    with pytest.raises(ValueError, match=r"activation: 'swish' is not allowed; allowed: identity, sigmoid"):
        MODELS["mlp"](input_shape=(2,), num_outputs=1, task="binary", activation="swish")
    with pytest.raises(ValueError, match=r"initialization: 'ones' is not allowed; allowed: zeros, normal"):
        MODELS["mlp"](input_shape=(2,), num_outputs=1, task="binary", initialization="ones")
    with pytest.raises(ValueError, match=r"hidden_sizes: \[0\] is not allowed"):
        MODELS["mlp"](input_shape=(2,), num_outputs=1, task="binary", hidden_sizes=[0])


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if "vector" in model.takes])
def test_the_constant_loss_is_that_of_the_best_answer_that_is_the_same_for_all(name):
    """Found again by trying constant outputs; a multiclass one by scikit-learn, from the shares of the classes."""
    torch.manual_seed(1)
    model_class = MODELS[name]
    for task in {"regression", "binary", "multiclass"} & set(model_class.tasks):
        if task == "regression":
            targets, outputs = torch.randn(200) * 3 + 5, torch.linspace(0, 10, 2001)
        else:
            targets = (torch.rand(200) < 0.3).long() + (torch.rand(200) < 0.2).long() * (task == "multiclass")
            outputs = torch.linspace(-6, 6, 2401)
        criterion = model_class.criteria[task]()
        constant = criterion.constant(targets)["loss"]
        if task == "multiclass":
            shares = np.bincount(targets.numpy()) / len(targets)
            assert constant == pytest.approx(log_loss(targets, np.tile(shares, (len(targets), 1))), rel=1e-5)
        else:
            losses = [float(criterion.loss(output.expand(len(targets), 1), targets)) for output in outputs]
            assert min(losses) == pytest.approx(constant, rel=1e-4) and min(losses) >= constant - 1e-6
