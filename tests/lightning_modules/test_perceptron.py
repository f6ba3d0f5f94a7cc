"""The perceptron against its rule written out, scikit-learn's, Novikoff's bound, and the gates it can learn or not."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Perceptron as Reference
from sklearn.metrics import zero_one_loss

from data import DATASETS
from lightning_modules import MODELS
from sweeps.training.train import train


def perceptron(inputs, **fields):
    return MODELS["perceptron"](input_shape=(inputs,), num_outputs=1, task="binary", **fields)


def one_step(module, inputs, targets, lr):
    optimizer = torch.optim.SGD(module.parameters(), lr=lr)
    module.loss((inputs, targets)).backward()
    optimizer.step()


def state(module):
    return torch.cat([module.linear.weight[0], module.linear.bias]).detach()


def examples(size, inputs, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(size, inputs, generator=random), torch.randint(0, 2, (size,), generator=random)


@pytest.mark.parametrize("lr", [0.3, 1.0])
def test_a_step_of_gradient_descent_on_one_example_is_the_rule(lr):
    torch.manual_seed(0)
    cases = set()
    for x, target in zip(*examples(40, 5), strict=True):
        module = perceptron(5, initialization="normal", init_std=1.0)
        before, one = state(module), torch.cat([x, torch.ones(1)])
        answer = 1 if before @ one > 0 else 0
        one_step(module, x[None], target[None], lr)
        torch.testing.assert_close(state(module), before + lr * (int(target) - answer) * one)
        cases.add((int(target), answer))
    assert len(cases) == 4


def test_a_step_on_a_batch_is_the_mean_of_the_rule():
    torch.manual_seed(0)
    module = perceptron(5, initialization="normal", init_std=1.0)
    inputs, targets = examples(30, 5)
    before, ones = state(module), torch.cat([inputs, torch.ones(30, 1)], dim=1)
    wrong = targets - (ones @ before > 0).long()
    one_step(module, inputs, targets, 0.5)
    torch.testing.assert_close(state(module), before + 0.5 * (wrong[:, None] * ones).mean(dim=0))


def test_three_epochs_give_the_weights_of_scikit_learns():
    inputs, targets = examples(60, 4)
    targets[0] = 1  # on the line itself, where all begins, scikit-learn counts class 0 as wrong too
    module = perceptron(4)
    for _ in range(3):
        for x, target in zip(inputs, targets, strict=True):
            module.zero_grad()
            one_step(module, x[None], target[None], 1.0)
    reference = Reference(eta0=1.0, max_iter=3, tol=None, shuffle=False).fit(inputs.double().numpy(), targets.numpy())
    expected = np.concatenate([reference.coef_[0], reference.intercept_])
    torch.testing.assert_close(state(module).double(), torch.tensor(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_separable_examples_are_learnt_within_novikoffs_bound(seed):
    inputs, _ = examples(200, 3, seed)
    separator = torch.nn.functional.normalize(torch.randn(4, generator=torch.Generator().manual_seed(seed)), dim=0)
    ones = torch.cat([inputs, torch.ones(200, 1)], dim=1)
    apart = (ones @ separator).abs() > 0.1
    inputs, ones = inputs[apart], ones[apart]
    targets = (ones @ separator > 0).long()
    bound = (ones.norm(dim=1).max() / (ones @ separator).abs().min()) ** 2
    module, changes, epochs = perceptron(3), 0, 0
    while module.scores((inputs, targets))["error"] > 0:
        epochs += 1
        assert epochs <= bound  # an epoch without a change would have been the last
        for x, target in zip(inputs, targets, strict=True):
            before = state(module)
            module.zero_grad()
            one_step(module, x[None], target[None], 1.0)
            changes += not torch.equal(before, state(module))
    assert 0 < changes <= bound


def trained(gate):
    return train(
        {
            "model": {"name": "perceptron"},
            "data": {"name": "logic_gate", "gate": gate, "noise": 0.0, "batch_size": 1, "num_samples": 100},
            "optimizer": {"name": "sgd", "lr": 1.0},
            "trainer": {"max_epochs": 4, "device": "cpu"},
        }
    )


@pytest.mark.parametrize("gate", ["and", "or"])
def test_it_finds_a_line_for_and_and_or(gate):
    metrics = trained(gate).metrics
    assert metrics["train_eval/error"] == metrics["val/error"] == metrics["test/error"] == 0


def test_it_fails_at_xor():
    result = trained("xor")
    test = DATASETS["logic_gate"](gate="xor", noise=0.0).parts.test
    rarest_corner = min(np.unique(test.inputs.numpy(), axis=0, return_counts=True)[1]) / len(test)
    assert result.metrics["test/error"] >= rarest_corner > 0.2  # no line has all four corners right


def test_the_loss_is_the_share_of_wrong_answers_and_the_answers_are_certain():
    torch.manual_seed(0)
    module = perceptron(3, initialization="normal", init_std=1.0)
    inputs, targets = examples(50, 3)
    with torch.no_grad():
        measured, probabilities = module.scores((inputs, targets)), module.probabilities(inputs)
    wrong = zero_one_loss(targets.numpy(), probabilities.argmax(dim=1).numpy())
    assert 0 < float(measured["loss"]) == pytest.approx(wrong) == float(measured["error"])
    assert set(probabilities.flatten().tolist()) == {0.0, 1.0}


def test_on_the_line_itself_the_answer_is_0():
    assert perceptron(2).probabilities(torch.ones(1, 2)).tolist() == [[1.0, 0.0]]
