"""A good sweep, and ways to change it."""

import pytest
import yaml

from sweeps.spec import SpecError, check, parse

GOOD = """
name: optimizers-on-digits
question: Which optimizer reaches the lowest validation loss, each at its own best learning rate?
model: {name: mlp, hidden_sizes: [64], activation: relu}
data: {name: digits, batch_size: 64}
optimizer: {name: adam, lr: 1.0e-3}
regularization: {l1: 0.0, l2: 0.0}
trainer: {max_epochs: 20, device: auto, precision: 32}
keep: best               # weights: best, none
search:
  optimizer.name: {values: [sgd, momentum, rmsprop, adam]}
  optimizer.lr: {low: 1.0e-4, high: 1.0, log: true, steps: 9}
sampler: grid
pruner: none
seeds: 3
objective: {metric: val/loss, direction: minimize}
workers: 2
"""


def changed(**changes):
    """The good sweep as plain data, with `section__key=value` replaced; None drops the key."""
    raw = yaml.safe_load(GOOD)
    for path, value in changes.items():
        *sections, key = path.split("__")
        place = raw
        for section in sections:
            place = place[section]
        if value is None:
            del place[key]
        else:
            place[key] = value
    return raw


def searched(key, axis, **changes):
    """The good sweep searching this key alone."""
    raw = changed(**changes)
    raw["search"] = {key: axis}
    return raw


CLAIM = {
    "text": "Adam is better than plain gradient descent.",
    "better": {"optimizer.name": "adam"},
    "than": {"optimizer.name": "sgd", "optimizer.lr": 0.0001},
}


def claimed(**changes):
    """The good sweep with a claim that differs from the good one in these keys; None drops the key."""
    return changed(claim={key: value for key, value in {**CLAIM, **changes}.items() if value is not None})


def problems(raw):
    with pytest.raises(SpecError) as caught:
        parse(raw) if isinstance(raw, str) else check(raw)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)
