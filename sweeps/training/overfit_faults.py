"""What is broken in a program that does not learn a few examples by heart, as far as its training shows it.

Every function returns a sentence without its full stop, or None where this is not what is wrong.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor, nn

from learning_tasks.base import leaves
from learning_tasks.graphs import Graph
from sweeps.training.overfit_attempt import Attempt, loss_in
from sweeps.training.smallest_loss import rows
from sweeps.words import number

MOST_NAMES: Final = 3
"""Parameters that a sentence names; of more it gives the number."""
NEAR: Final = 0.02
"""A loss that differs from another one by less than this share of what there is to learn is the same."""
EQUAL: Final = 1e-6
"""Outputs that differ by less than this share of their size are the same."""
NO_GRADIENT_MESSAGE: Final = "does not require grad"
"""Part of what torch raises where a backward pass has nowhere to go."""


def listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


# What one step shows


def fault_of_the_step(attempt: Attempt, floor_is_known: bool) -> str | None:
    """What is wrong whatever the optimizer is: no loss, no gradient, a loss that is no number.

    A module that steps its optimizers itself may return no loss.
    """
    if not attempt.trainable:
        frozen = "requires_grad is False for all of them" if attempt.frozen else "it has none"
        return f"no parameter of the model can be trained: {frozen}"
    if attempt.error is not None and NO_GRADIENT_MESSAGE in str(attempt.error):
        return (
            "the loss is detached from the parameters (by .detach(), .item(), torch.no_grad() or a new tensor), so "
            "that no gradient can be computed"
        )
    if not attempt.losses and attempt.returns_loss and attempt.error is None:
        return "no training step was made"
    if not attempt.returns_loss and attempt.module.automatic_optimization:
        return "training_step returns no loss, so that nothing is learnt"
    if attempt.losses and not math.isfinite(attempt.losses[0]):
        broken = [leaf for leaf in leaves(attempt.batch) if leaf.is_floating_point() and not leaf.isfinite().all()]
        where = ": the examples hold values that are not finite" if broken else ", before anything was learnt"
        return f"the loss is {attempt.losses[0]} at the first step{where}"
    if attempt.losses and attempt.losses[0] == 0 and not floor_is_known:
        return "the loss is 0 at the first step, before anything was learnt"
    if attempt.losses and not attempt.reached and not attempt.with_gradient and attempt.module.automatic_optimization:
        return f"the gradient of every parameter is 0 or missing ({listed(list(attempt.trainable))})"
    return None


# What a training shows


def fault_of_the_training(attempt: Attempt, floor: float, constant: float | None) -> str | None:
    """What a training that did not reach the smallest loss shows to be broken; None where it shows nothing.

    Args:
        attempt: The training that came lowest.
        floor: The smallest loss that is possible; 0 where it is not known.
        constant: The loss of the best answer that is the same for every example, where it is known.
    """
    start, end = attempt.losses[0], attempt.end
    scale = max(constant if constant is not None else abs(start), abs(floor)) - floor or 1.0
    if not math.isfinite(end):
        return f"the loss became {end} after {attempt.steps} steps"
    if not attempt.changed:
        return f"the optimizer changed no parameter, though gradients reach {listed(sorted(attempt.with_gradient))}"
    causes = _causes(attempt)
    if outputs_ignore_inputs(attempt.module, attempt.batch):
        at_constant = constant is not None and abs(end - constant) < NEAR * scale
        answer = ", that of the best answer that is the same for every example" if at_constant else ""
        return _with_causes(
            f"the outputs are the same whatever the inputs are; the loss stays at {number(end)}{answer}", causes
        )
    if end > start + NEAR * scale:
        return _with_causes(
            f"the loss rises, from {number(start)} to {number(end)}; the loss or the update may have the wrong sign",
            causes,
        )
    if constant is not None and abs(end - constant) < NEAR * scale:
        return _with_causes(
            f"the loss stays at {number(end)}, that of the best answer that is the same for every example", causes
        )
    return _with_causes(None, causes)


def _with_causes(sentence: str | None, causes: list[str]) -> str | None:
    return ". ".join([part for part in (sentence, *causes) if part]) or None


def _causes(attempt: Attempt) -> list[str]:
    """Sentences about what may be the cause, each of them true."""
    causes = []
    if attempt.alike and attempt.without_gradient:
        causes.append("All units of a layer start alike (all weights 0, for instance) and can only learn the same")
    if dead := dead_units(attempt):
        causes.append(f"Every unit of {listed(dead)} gives 0 for every example (dead ReLUs)")
    if attempt.without_gradient:
        causes.append(f"No gradient reaches {listed(attempt.without_gradient)}")
    if attempt.unchanged:
        causes.append(f"The optimizer does not change {listed(attempt.unchanged)}")
    if attempt.frozen:
        causes.append(f"Frozen (requires_grad is False): {listed(list(attempt.frozen))}")
    return causes


# Looks into the module after the training


@contextmanager
def _quiet(module: pl.LightningModule) -> Iterator[None]:
    """Let a module run outside of a trainer: without gradients, with the same random numbers each time."""
    devices = [module.device] if module.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, at `self.log` without a trainer
        torch.manual_seed(0)
        yield


def _outputs(module: pl.LightningModule, inputs: Any) -> Tensor | None:
    """What the module answers, where its forward takes inputs and gives one tensor with a row per example."""
    if not is_overridden("forward", module):
        return None
    was_training = module.training
    try:
        with _quiet(module):
            outputs = module.eval()(inputs)
    except Exception:  # a user's forward may want other arguments
        return None
    finally:
        module.train(was_training)
    size = len(next(leaves(inputs)))
    usable = isinstance(outputs, Tensor) and outputs.ndim > 0 and len(outputs) == size and outputs.is_floating_point()
    return outputs.float() if usable else None


def loss_of(module: pl.LightningModule, batch: Any) -> float | None:
    """The training loss of a batch; None where the module does not give it outside of a trainer."""
    if not module.automatic_optimization:
        return None
    try:
        with _quiet(module):
            return loss_in(module.training_step(batch, 0))
    except Exception:  # it may ask its trainer
        return None


def outputs_ignore_inputs(module: pl.LightningModule, batch: Any) -> bool:
    """Whether different inputs get equal outputs; False where that cannot be told."""
    inputs, targets = batch
    if len(set(rows(inputs.x if isinstance(inputs, Graph) else inputs))) < 2:
        return False
    outputs = _outputs(module, inputs)
    if outputs is not None:
        return bool((outputs - outputs[:1]).abs().max() <= EQUAL * (outputs.abs().max() + EQUAL))
    before = loss_of(module, batch)
    if before is None or len(set(rows(targets))) < 2:
        return False
    turned = [loss_of(module, type(batch)(_turned(inputs, by), targets)) for by in (1, 2, 3)]
    return all(loss is not None and abs(loss - before) <= EQUAL * abs(before) for loss in turned)


def _turned(tree: Any, by: int) -> Any:
    """The inputs of other examples of the batch for each example."""
    return tree.roll(by, dims=0) if isinstance(tree, Tensor) else type(tree)(*(_turned(part, by) for part in tree))


def dead_units(attempt: Attempt) -> list[str]:
    """The ReLU layers that give 0 for every unit of every example."""
    highest: dict[str, float] = {}

    def watch(name: str) -> Any:
        def note(layer: nn.Module, inputs: Any, outputs: Tensor) -> None:
            highest[name] = max(highest.get(name, 0.0), float(outputs.abs().max()))

        return note

    relus = [(name, layer) for name, layer in attempt.module.named_modules() if isinstance(layer, nn.ReLU)]
    handles = [layer.register_forward_hook(watch(name)) for name, layer in relus]
    try:
        if _outputs(attempt.module, attempt.batch[0]) is None:
            loss_of(attempt.module, attempt.batch)
    finally:
        for handle in handles:
            handle.remove()
    return [name for name, value in highest.items() if value == 0]


def is_linear(module: pl.LightningModule, inputs: Any) -> bool:
    """Whether the outputs are a linear map of the inputs plus a constant, whatever the parameters are.

    It is tried with random parameters, at random inputs x and y: f(x) + f(y) = f(x + y) + f(0).
    """
    if not (isinstance(inputs, Tensor) and inputs.is_floating_point() and is_overridden("forward", module)):
        return False
    generator = torch.Generator().manual_seed(0)

    def random(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, dtype=torch.float64)

    try:
        with _quiet(module):
            drawn = copy.deepcopy(module).cpu().double().eval()
            for parameter in drawn.parameters():
                parameter.copy_(random(parameter) / math.sqrt(max(parameter[0].numel() if parameter.ndim else 1, 1)))
            first, second = random(inputs), random(inputs)
            left = drawn(first) + drawn(second)
            right = drawn(first + second) + drawn(torch.zeros_like(first))
    except Exception:  # a user's forward may want other arguments
        return False
    return bool((left - right).abs().max() <= 1e-9 * (left.abs().max() + 1e-9))
