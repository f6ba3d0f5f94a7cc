"""What regularization does to least squares, where it can be written down: each through `train` itself.

The design is orthogonal: with X'X/n = diag(eigenvalues) and b the least-squares solution, our loss (1/n)·Σ(y - x·w)²,
which has no half, is Σ eigenvalue·(w - b)² and a constant, so each weight is a problem of its own.
"""

import pytest
import pytorch_lightning as pl
import torch

from data import DATASETS
from data.parts import ScaledParts, Scaling, TensorPart
from data.tabular import Tabular
from lightning_modules import MODELS, Recipe
from sweeps.training.train import train
from tracking.schema import Outcome

SIZE, B = 40, torch.tensor([2.0, -1.0, 0.5, -0.2, 0.05])
ONES = torch.ones(5)


def orthogonal(eigenvalues, seed=0):
    """Inputs (n, d) with mean 0 and X'X/n = diag(eigenvalues), and targets of which B is the least-squares solution."""
    random = torch.Generator().manual_seed(seed)
    start = torch.cat([torch.ones(SIZE, 1), torch.randn(SIZE, len(eigenvalues) + 1, generator=random)], dim=1).double()
    columns = torch.linalg.qr(start).Q[:, 1:]  # orthonormal, and orthogonal to the constant
    inputs = columns[:, :-1] * (SIZE * eigenvalues.double()).sqrt()
    return inputs.float(), (inputs @ B.double() + columns[:, -1]).float()


class LastWeights(pl.Callback):
    """The weights at the end of each epoch: those that a run keeps are the best by its validation part."""

    def __init__(self):
        self.of_epoch = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.of_epoch.append(pl_module.linear.weight.detach()[0].clone())

    @property
    def last(self):
        return self.of_epoch[-1]


@pytest.fixture
def trained(monkeypatch):
    """Trains linear regression on such a design by full batches: `trained(eigenvalues, epochs, ...)`."""

    def fit(eigenvalues, epochs, **sections):
        inputs, targets = orthogonal(eigenvalues)

        parts = [TensorPart(inputs, targets)] * 3

        class Orthogonal(Tabular):
            task, source, gives = "regression", "generated", "vector"
            dims = {"input_shape": (5,), "num_outputs": 1, "task": "regression"}  # noqa: RUF012

            def make_parts(self):
                return ScaledParts(*parts, scaling=Scaling(torch.zeros(5), torch.ones(5)))

            def examples(self):
                raise AssertionError

        monkeypatch.setitem(DATASETS, "orthogonal", Orthogonal)
        weights = LastWeights()
        result = train(
            {
                "model": {"name": "linear_regression"}, "data": {"name": "orthogonal", "batch_size": "full"},
                "optimizer": {"name": "sgd", "lr": 0.25}, "trainer": {"max_epochs": epochs, "device": "cpu"},
                **sections,
            },
            callbacks=[weights],
        )  # fmt: skip
        assert (result.outcome, result.error) == (Outcome.OK, None)
        return weights

    return fit


def test_the_design_is_what_it_is_said_to_be():
    eigenvalues = torch.tensor([1.0, 0.5, 2.0, 0.1, 1.5])
    inputs, targets = orthogonal(eigenvalues)
    torch.testing.assert_close(inputs.T @ inputs / SIZE, eigenvalues.diag(), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.lstsq(inputs, targets[:, None]).solution[:, 0], B, atol=1e-4, rtol=0)


@pytest.mark.parametrize("l1", [0.2, 1.0, 3.0])
def test_l1_on_an_orthonormal_design_is_soft_thresholding(l1, trained):
    # (w - b)² + l1·|w| is least at sign(b)·max(|b| - l1/2, 0). The subgradient never rests at 0: the rate must fall.
    schedule = {"name": "exponential", "gamma": 0.95}
    weights = trained(ONES, 150, regularization={"l1": l1}, schedule=schedule).last
    expected = B.sign() * (B.abs() - l1 / 2).clamp_min(0)
    torch.testing.assert_close(weights, expected, atol=1e-3, rtol=0)
    assert (expected == 0).any() and (weights[expected == 0].abs() < 1e-3).all()


@pytest.mark.parametrize("strength", [0.1, 1.0, 7.0])
def test_l2_on_an_orthonormal_design_divides_by_1_and_its_strength(strength, trained):
    # (w - b)² + (l2/2)·w² is least at b / (1 + l2/2): the strength is l2/2, for our loss has no half.
    training = trained(
        ONES, 60, regularization={"l2": 2 * strength}, optimizer={"name": "sgd", "lr": 0.25 / (1 + strength)}
    )
    torch.testing.assert_close(training.last, B / (1 + strength), atol=1e-5, rtol=1e-4)


def test_gradient_descent_stopped_at_k_has_come_the_share_of_theory(trained):
    # From 0, w_k = (1 - (1 - a·eigenvalue)^k)·b, where a = 2·lr, for the gradient is 2·eigenvalue·(w - b).
    eigenvalues, lr = torch.tensor([1.0, 0.5, 2.0, 0.1, 1.5]), 0.2
    path = trained(eigenvalues, 30, optimizer={"name": "sgd", "lr": lr}).of_epoch
    for k, weights in enumerate(path, start=1):
        share = 1 - (1 - 2 * lr * eigenvalues.double()) ** k
        torch.testing.assert_close(weights, (share * B).float(), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("k", [3, 10])
def test_few_small_steps_are_nearly_a_penalty_of_1_over_their_length(k, trained):
    # Goodfellow et al. (2016, 7.8): for a·k·eigenvalue << 1 early stopping is L2 with strength 1/(a·k).
    eigenvalues, lr = torch.tensor([1.0, 0.5, 2.0, 0.1, 1.5]), 5e-4
    stopped = trained(eigenvalues, k, optimizer={"name": "sgd", "lr": lr}).last
    strength = 1 / (2 * lr * k)
    torch.testing.assert_close(stopped, eigenvalues * B / (eigenvalues + strength), rtol=0.02, atol=0)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.8])
def test_dropout_in_least_squares_is_ridge_regression(p):
    # Srivastava et al. (2014, 9.1): the mean over the masks adds p/(1 - p)·Σ (X'X)_jj·w_j² to the sum of squares.
    random = torch.Generator().manual_seed(1)
    mixing = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.8, 0.3], [0.0, 0.0, 0.6]])
    inputs = torch.randn(60, 3, generator=random) @ mixing
    inputs -= inputs.mean(dim=0)
    targets = inputs @ torch.tensor([1.0, -0.5, 0.3]) + 0.2 * torch.randn(60, generator=random)
    targets -= targets.mean()
    module = MODELS["mlp"](
        input_shape=(3,), num_outputs=1, task="regression", hidden_sizes=[3], activation="identity", dropout=p,
        initialization="zeros",
    )  # fmt: skip
    module.layers[0].weight.data.copy_(torch.eye(3))  # so that the dropout is one of the inputs
    output = module.layers[-1]
    optimizer, weights = torch.optim.SGD(output.parameters(), lr=0.1), []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        batch = inputs.repeat(100, 1), targets.repeat(100)  # a mask for each copy of an example
        for _ in range(400):
            optimizer.zero_grad()
            module.loss(batch).backward()
            optimizer.step()
            weights.append(output.weight.detach()[0].clone())
    mean = torch.stack(weights[100:]).mean(dim=0)
    gram = (inputs.T @ inputs).double()
    ridge = torch.linalg.solve(gram + p / (1 - p) * gram.diagonal().diag(), inputs.T.double() @ targets.double())
    torch.testing.assert_close(mean.double(), ridge, atol=0.003, rtol=0)
    plain = torch.linalg.solve(gram, inputs.T.double() @ targets.double())
    assert (plain - ridge).abs().max() > 0.05, "which is another solution than that without dropout"


def steps_of(trained, optimizer, **more):
    """The first weights, those after a step of the optimizer from them, and the gradient there."""
    lr = 0.01
    model = {"name": "linear_regression", "initialization": "normal", "init_std": 1.0}
    sections = {"model": model, "optimizer": {"name": optimizer, "lr": lr, **more.pop("fields", {})}, **more}
    after = trained(ONES, 1, **sections).last
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = MODELS["linear_regression"](
            input_shape=(5,), num_outputs=1, task="regression", initialization="normal", init_std=1.0
        ).linear.weight.detach()[0]
    return before, after, 2 * (before - B), lr


def test_the_decay_of_adamw_is_decoupled_from_the_gradient(trained):
    # Adam's first step is lr·sign(g). AdamW takes lr·weight_decay·w off besides; a penalty would only change g.
    before, after, gradient, lr = steps_of(trained, "adamw", fields={"weight_decay": 3.0})
    torch.testing.assert_close(after, before - lr * gradient.sign() - lr * 3.0 * before, atol=1e-6, rtol=1e-5)
    before, after, gradient, lr = steps_of(trained, "adam", regularization={"l2": 3.0})
    torch.testing.assert_close(after, before - lr * (gradient + 3.0 * before).sign(), atol=1e-6, rtol=1e-5)


def test_label_smoothing_is_the_optimum_of_its_formula():
    # With no inputs but a constant, the smoothed optimum answers (1 - s)·share + s/K for each class.
    module = MODELS["softmax_regression"](input_shape=(1,), num_outputs=3, task="multiclass")
    module.recipe, module.logs = Recipe(label_smoothing=0.3), False
    batch = torch.zeros(10, 1), torch.tensor([0] * 6 + [1] * 3 + [2])
    optimizer = torch.optim.SGD(module.parameters(), lr=2.0)
    for _ in range(300):
        optimizer.zero_grad()
        module.training_step(batch, 0)["loss"].backward()
        optimizer.step()
    answered = module.probabilities(batch[0]).detach()[0]
    torch.testing.assert_close(answered, 0.7 * torch.tensor([0.6, 0.3, 0.1]) + 0.1, atol=1e-5, rtol=0)


def test_input_noise_is_an_l2_of_twice_its_variance(trained):
    # Bishop (1995): noise adds σ²·Σw² to the mean loss, which is our penalty with l2 = 2·σ².
    sigma = 0.7
    data = {"name": "orthogonal", "batch_size": "full", "input_noise": sigma}
    noisy = trained(ONES, 200, data=data, optimizer={"name": "sgd", "lr": 0.05}).of_epoch
    mean = torch.stack(noisy[50:]).mean(dim=0)
    exact = trained(ONES, 60, regularization={"l2": 2 * sigma**2}, optimizer={"name": "sgd", "lr": 0.2}).last
    torch.testing.assert_close(exact, B / (1 + sigma**2), atol=1e-5, rtol=1e-4)
    assert (mean - exact).norm() < 0.1 * (B - exact).norm()
