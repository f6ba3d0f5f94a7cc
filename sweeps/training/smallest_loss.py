"""The smallest loss that a batch allows: for any model, and for a linear one.

Examples with equal inputs get equal outputs. Where their targets differ, no model can do better than the best constant
answer for this group: the smallest loss of a batch is the mean of that over the groups. Without label smoothing and
without such examples it is 0.

    cross-entropy with label smoothing s, K classes, shares p_k of the classes in a group:
        the entropy of q_k = (1 - s)·p_k + s/K, which is reached at the logits log q_k; two classes are K = 2

For tasks that ask for the next token, the inputs of a place are the tokens up to it, and what a decoder reads beside
them. The nodes of a graph all count as different: two that no network tells apart are rare.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from torch import Tensor

from learning_tasks import IGNORED, Batch, Task
from learning_tasks.base import leaves
from learning_tasks.classification import Binary, Multiclass
from learning_tasks.graphs import Graph, NodeClassification
from learning_tasks.language import NextTokens, Pair
from learning_tasks.regression import Regression

LBFGS_STEPS: Final = 500
"""Enough for a convex loss of ten examples in at most ten dimensions."""


def rows(inputs: Any) -> list[Hashable]:
    """For each example its inputs as a value that is equal for equal inputs."""
    parts = [leaf.cpu().numpy() + 0 for leaf in leaves(inputs)]  # -0.0 becomes 0.0
    return [tuple(part[example].tobytes() for part in parts) for example in range(len(parts[0]))]


def _prefixes(inputs: Any) -> Iterator[Hashable]:
    """For each place of each text a value that is equal for equal beginnings, up to and with that place."""
    source, decoded = (inputs.source, inputs.decoded) if isinstance(inputs, Pair) else (None, inputs)
    tokens = [leaf.cpu().numpy() for leaf in leaves(decoded)]
    sources: list[Hashable] = rows(source) if source is not None else [None] * len(tokens[0])
    numbers: dict[Hashable, int] = {}  # a beginning -> its number
    for example, beginning in enumerate(sources):
        place: Hashable = beginning
        for time in range(tokens[0].shape[1]):
            place = (place, *(leaf[example, time].tobytes() for leaf in tokens))
            place = numbers.setdefault(place, len(numbers))
            yield place


def groups(task: Task, batch: Batch) -> list[Tensor]:
    """The targets of a batch that count, those of equal inputs together."""
    inputs, targets = batch
    if isinstance(task, NextTokens):
        keys, targets = list(_prefixes(inputs)), targets.flatten()
    elif isinstance(inputs, Graph):
        keys = list(range(len(targets)))
    else:
        keys = rows(inputs)
    targets = targets.cpu()
    places: dict[Hashable, list[int]] = {}
    counted = targets != IGNORED if isinstance(task, NextTokens | NodeClassification) else None
    for place, key in enumerate(keys):
        if counted is None or counted[place]:
            places.setdefault(key, []).append(place)
    return [targets[group] for group in places.values()]


def constant_loss(task: Task, targets: Tensor, smoothing: float, classes: int) -> float:
    """The loss of the best answer that is the same for all of these targets.

    Args:
        task: Whose loss it is.
        targets: Those that count.
        smoothing: Share of each target that is spread evenly over all classes.
        classes: How many classes or tokens there are; 2 for two classes, whatever the number of outputs.
    """
    if not smoothing:
        return task.constant(targets)["loss"]
    shares = targets.flatten().long().bincount(minlength=classes).double() / targets.numel()
    smoothed = (1 - smoothing) * shares + smoothing / classes
    return float(torch.special.entr(smoothed).sum())


def smallest_loss(task: Task, batch: Batch, smoothing: float, classes: int) -> float:
    """The smallest loss of a batch that any model can reach; arguments as of `constant_loss`."""
    total, count = 0.0, 0
    losses: dict[Hashable, float] = {}
    for group in groups(task, batch):
        key = (len(group), group.numpy().tobytes())
        if key not in losses:
            losses[key] = constant_loss(task, group, smoothing, classes)
        total += len(group) * losses[key]
        count += len(group)
    return total / max(count, 1)


# Linear models


def smallest_linear_loss(task: Task, batch: Batch, smoothing: float, classes: int) -> float | None:
    """The smallest loss of a batch that a linear map of the inputs, with a bias, can reach.

    It is exact for squared and absolute error and for cross-entropy, which are convex. For any other loss it is known
    only where hyperplanes separate the classes.

    Args:
        task: Whose loss it is.
        batch: Inputs (n, ...); targets (n,).
        smoothing: As of `constant_loss`.
        classes: As of `constant_loss`.

    Returns:
        None where it is not known: hyperplanes do not separate the classes.
    """
    inputs, targets = batch
    columns = inputs.detach().cpu().double().flatten(1).numpy()
    design = _reduced(np.column_stack([columns, np.ones(len(columns))]))
    floor = smallest_loss(task, batch, smoothing, classes)
    if isinstance(task, Regression):
        reachable: float | None = _regression(task, design, targets.cpu().double().numpy())
    elif isinstance(task, Binary | Multiclass) and task.loss_name == "cross_entropy":
        reachable = _cross_entropy(design, targets.cpu().long(), smoothing, classes)
    else:
        reachable = floor if separable(design, targets.cpu().long().numpy(), classes) else None
    return None if reachable is None else max(floor, reachable)


def _reduced(design: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows (n, d) in the at most n dimensions that they span: linear maps of both reach the same outputs."""
    left, lengths, _ = np.linalg.svd(design, full_matrices=False)
    spanned = lengths > 1e-9 * lengths[0]
    return np.asarray(left[:, spanned] * lengths[spanned])


def _regression(task: Regression, design: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    if task.loss_name == "squared":
        weights = np.linalg.lstsq(design, targets, rcond=None)[0]
        return float(np.mean((design @ weights - targets) ** 2))
    count, dimensions = design.shape  # least absolute deviations as a linear programme: |residual| <= slack
    cost = np.concatenate([np.zeros(dimensions), np.ones(count)])
    above, below = np.hstack([design, -np.eye(count)]), np.hstack([-design, -np.eye(count)])
    bounds = [(None, None)] * dimensions + [(0, None)] * count
    solved = linprog(cost, np.vstack([above, below]), np.concatenate([targets, -targets]), bounds=bounds)
    return float(solved.fun / count)


def _cross_entropy(design: NDArray[np.float64], targets: Tensor, smoothing: float, classes: int) -> float:
    inputs = torch.tensor(design)
    weights = torch.zeros(inputs.shape[1], classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=LBFGS_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        return torch.nn.functional.cross_entropy(inputs @ weights, targets, label_smoothing=smoothing)

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return float(loss().detach())


def separable(design: NDArray[np.float64], targets: NDArray[np.int64], classes: int) -> bool:
    """Whether linear outputs can put the right class of every row first, by a linear programme.

    Args:
        design: Inputs (n, d), a column of ones among them.
        targets: Classes (n,).
        classes: How many there are.
    """
    dimensions = design.shape[1]
    rules = []
    for row, target in zip(design, targets, strict=True):
        for other in set(range(classes)) - {int(target)}:
            rule = np.zeros((classes, dimensions))
            rule[target], rule[other] = -row, row
            rules.append(rule.ravel())
    free = [(None, None)] * (classes * dimensions)
    solved = linprog(np.zeros(classes * dimensions), np.array(rules), -np.ones(len(rules)), bounds=free)
    return bool(solved.success)
