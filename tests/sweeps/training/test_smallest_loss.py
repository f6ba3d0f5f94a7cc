"""The smallest loss of a batch, against a minimiser that tries every answer."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from learning_tasks import IGNORED, TASKS, Batch
from learning_tasks.graphs import Graph
from learning_tasks.language import Pair, Tokens
from sweeps.training.smallest_loss import constant_loss, separable, smallest_linear_loss, smallest_loss


def descend(loss_of, parameters, seed):
    """The loss that L-BFGS reaches from random parameters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    optimizer = torch.optim.LBFGS(parameters, max_iter=1000, line_search_fn="strong_wolfe", tolerance_grad=1e-12)

    def closure():
        optimizer.zero_grad()
        value = loss_of()
        value.backward()
        return value

    optimizer.step(closure)
    return float(closure().detach())


def minimum(task, outputs_of, parameters, targets, smoothing=0.0):
    """The smallest loss that a minimiser reaches over these parameters, without any knowledge of the task."""
    smoothed = type(task)(task.loss_name, smoothing)
    return min(descend(lambda: smoothed.loss(outputs_of(), targets), parameters, seed) for seed in range(3))


def by_group(task, numbers, targets, outputs, smoothing=0.0):
    """The smallest loss where examples of one number must get the same output: a free output for each number."""
    table = torch.zeros(int(max(numbers)) + 1, outputs, dtype=torch.float64, requires_grad=True)
    return minimum(task, lambda: table[torch.tensor(numbers)], [table], targets, smoothing)


GROUPS = [0, 0, 0, 1, 1, 2, 3, 3, 3, 3]
CLASSES = {"binary": [0, 1, 1, 0, 1, 1, 0, 0, 1, 0], "multiclass": [0, 2, 2, 0, 1, 1, 3, 0, 1, 0]}
OUTPUTS = {"binary": 1, "multiclass": 4}


def inputs_of(numbers):
    return torch.tensor(numbers, dtype=torch.float32)[:, None] * torch.tensor([[1.0, -2.0]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("name", CLASSES)
def test_label_smoothing_and_equal_inputs_lift_the_floor_as_a_minimiser_finds(name, smoothing):
    task, targets = TASKS[name](), torch.tensor(CLASSES[name])
    floor = smallest_loss(task, Batch(inputs_of(GROUPS), targets), smoothing, max(OUTPUTS[name], 2))
    assert floor == pytest.approx(by_group(task, GROUPS, targets, OUTPUTS[name], smoothing), abs=2e-4)
    apart = smallest_loss(task, Batch(inputs_of(range(10)), targets), smoothing, max(OUTPUTS[name], 2))
    assert apart == pytest.approx(by_group(task, range(10), targets, OUTPUTS[name], smoothing), abs=2e-4)
    assert apart < floor


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("loss", ["squared"])
def test_of_another_loss_too(name, loss):
    task, targets = TASKS[name](loss_name=loss), torch.tensor(CLASSES[name])
    floor = smallest_loss(task, Batch(inputs_of(GROUPS), targets), 0.0, max(OUTPUTS[name], 2))
    assert floor == pytest.approx(by_group(task, GROUPS, targets, OUTPUTS[name]), abs=2e-4)


@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_equal_inputs_of_a_regression_get_their_mean_or_median(loss):
    task, targets = TASKS["regression"](loss_name=loss), torch.tensor([1.0, 2.0, 6.0, 0.5, 0.5])
    batch = Batch(torch.tensor([[0.0], [-0.0], [0.0], [1.0], [1.0]]), targets)
    among = {"squared": (4 + 1 + 9) / 5, "absolute": (1 + 0 + 4) / 5}
    assert smallest_loss(task, batch, 0.0, 2) == pytest.approx(among[loss])


def tokens(ids):
    ids = torch.tensor(ids)
    return Tokens(ids, ids >= 0, torch.zeros_like(ids))


@pytest.mark.parametrize("wrap", [tokens, torch.tensor], ids=["tokens", "ids"])
def test_texts_with_equal_beginnings_cannot_be_told_apart(wrap):
    """a b c | a b d: after `a b` one of two tokens follows, log 2 nats for two of the six places."""
    targets = torch.tensor([[1, 2, 5], [1, 3, 5]])
    floor = smallest_loss(TASKS["language_model"](), Batch(wrap([[0, 1, 2], [0, 1, 3]]), targets), 0.0, 6)
    assert floor == pytest.approx(2 * math.log(2) / 6)
    ignored = targets.clone()
    ignored[0, 1] = IGNORED
    assert smallest_loss(TASKS["language_model"](), Batch(wrap([[0, 1, 2], [0, 1, 3]]), ignored), 0.0, 6) == 0
    assert smallest_loss(TASKS["language_model"](), Batch(wrap([[0, 1, 2], [4, 1, 3]]), targets), 0.0, 6) == 0


def test_of_a_pair_the_source_counts_too():
    decoded, targets = tokens([[0, 1], [0, 1]]), torch.tensor([[1, 2], [1, 3]])
    task = TASKS["translation"]()
    same, other = tokens([[4, 5, 6], [4, 5, 6]]), tokens([[4, 5, 6], [4, 5, 7]])
    assert smallest_loss(task, Batch(Pair(same, decoded), targets), 0.0, 8) == pytest.approx(2 * math.log(2) / 4)
    assert smallest_loss(task, Batch(Pair(other, decoded), targets), 0.0, 8) == 0
    smoothed = smallest_loss(task, Batch(Pair(other, decoded), targets), 0.2, 8)
    right, wrong = 0.8 + 0.2 / 8, 0.2 / 8
    assert smoothed == pytest.approx(-right * math.log(right) - 7 * wrong * math.log(wrong))


def test_the_nodes_of_a_graph_are_all_different_and_ignored_ones_do_not_count():
    nodes, none = torch.zeros(4, 2), torch.zeros(2, 0, dtype=torch.int64)
    graph = Graph(nodes, none, torch.zeros(0, 0), torch.zeros(4, dtype=torch.int64), torch.tensor([4]))
    targets = torch.tensor([0, 1, IGNORED, IGNORED])
    assert smallest_loss(TASKS["node_classification"](), Batch(graph, targets), 0.0, 2) == 0


def test_several_labels_at_once():
    targets = torch.tensor([[0, 1], [1, 1], [1, 0]])
    batch = Batch(inputs_of([0, 0, 1]), targets)
    assert smallest_loss(TASKS["multilabel"](), batch, 0.0, 2) == pytest.approx(2 * math.log(2) / 6)


# Linear models


def linear_minimum(task, inputs, targets, outputs, smoothing=0.0):
    layer = nn.Linear(inputs.shape[1], outputs).double()
    return minimum(task, lambda: layer(inputs.double()), list(layer.parameters()), targets, smoothing)


def drawn(name, features, seed=0, count=10):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, features, generator=generator)
    if name == "regression":
        return inputs, torch.randn(count, generator=generator)
    return inputs, torch.randint(0, max(OUTPUTS[name], 2), (count,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("features", [1, 2])
@pytest.mark.parametrize("name", CLASSES)
def test_the_cross_entropy_that_a_linear_model_can_reach(name, features, smoothing):
    task, (inputs, targets) = TASKS[name](), drawn(name, features)
    outputs = OUTPUTS[name]
    reachable = smallest_linear_loss(task, Batch(inputs, targets), smoothing, max(outputs, 2))
    assert reachable == pytest.approx(linear_minimum(task, inputs, targets, outputs, smoothing), abs=1e-3)


def test_the_squared_and_the_absolute_error_that_a_linear_model_can_reach():
    inputs, targets = drawn("regression", 3)
    squared, absolute = (TASKS["regression"](loss_name=loss) for loss in ("squared", "absolute"))
    truth = linear_minimum(squared, inputs, targets.double(), 1)
    assert smallest_linear_loss(squared, Batch(inputs, targets), 0.0, 2) == pytest.approx(truth, rel=1e-6)
    subsets = [np.random.default_rng(seed).choice(10, 4, replace=False) for seed in range(3000)]
    design = np.column_stack([inputs.double().numpy(), np.ones(10)])  # an optimal plane passes through four points
    planes = [np.linalg.lstsq(design[chosen], targets.double().numpy()[chosen], rcond=None)[0] for chosen in subsets]
    best = min(np.abs(design @ plane - targets.double().numpy()).mean() for plane in planes)
    assert smallest_linear_loss(absolute, Batch(inputs, targets), 0.0, 2) == pytest.approx(best, rel=1e-6)


def test_with_as_many_features_as_examples_a_linear_model_can_do_everything():
    for name in ("regression", *CLASSES):
        inputs, targets = drawn(name, 20)
        assert smallest_linear_loss(TASKS[name](), Batch(inputs, targets), 0.0, 4) < 1e-3


CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def test_a_line_separates_and_but_not_xor():
    design = np.column_stack([CORNERS.double().numpy(), np.ones(4)])
    assert separable(design, np.array([0, 0, 0, 1]), 2)
    assert not separable(design, np.array([0, 1, 1, 0]), 2)
    assert separable(design, np.array([0, 1, 2, 1]), 3)
    batch = Batch(CORNERS, torch.tensor([0, 1, 1, 0]))
    assert smallest_linear_loss(TASKS["binary"](), batch, 0.0, 2) == pytest.approx(math.log(2))
    assert smallest_linear_loss(TASKS["binary"](loss_name="hinge"), batch, 0.0, 2) is None


def test_a_constant_answer_is_the_floor_of_one_group():
    targets = torch.tensor([0, 2, 2, 1])
    one_input = Batch(torch.zeros(4, 2), targets)
    for smoothing in (0.0, 0.3):
        floor = smallest_loss(TASKS["multiclass"](), one_input, smoothing, 3)
        assert constant_loss(TASKS["multiclass"](), targets, smoothing, 3) == pytest.approx(floor)
