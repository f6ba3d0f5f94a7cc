"""What every model shares: its steps by the task, and the penalty on its weights.

Modules are pure: `forward` and `loss(batch)` depend on parameters, buffers and the batch alone. They store nothing on
the module, so that many copies can be stacked and trained as one (`torch.func.stack_module_state`, `vmap`).
"""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from learning_tasks import TASKS, Batch, Task
from learning_tasks.base import numbers
from lightning_modules.recipe import Recipe, optimizers_of


def _arguments(model: type) -> set[str]:
    """The names of a constructor's arguments, following `**kwargs` to the base classes."""
    names: set[str] = set()
    for base in model.__mro__:
        if "__init__" in base.__dict__:
            parameters = inspect.signature(base.__dict__["__init__"]).parameters.values()
            names |= {parameter.name for parameter in parameters}
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
                break
    return names


class Module(pl.LightningModule):
    """The base of every model. A subclass says which tasks it can do and defines `forward(inputs) -> outputs`.

    What the outputs mean is the task's to say (`learning_tasks`), unless a subclass has other `criteria`. With label
    smoothing it is trained by another loss; what is measured is always the loss without.

    In a plain `pl.Trainer` it logs `train/loss`, `val/loss`, `val/error`, `train_eval/loss`, ... A score over several
    batches is then the mean over the batches; the data sets here evaluate each part whole, in one batch.

    Args:
        task: A name of `TASKS`, as the data set says.
        task_fields: The fields of that task, such as `loss_name`.
    """

    tasks: ClassVar[tuple[str, ...]]
    takes: ClassVar[tuple[str, ...]] = ("vector", "image")
    """The kinds of inputs that it can read: what data sets call `gives`."""
    criteria: ClassVar[Mapping[str, type[Task]]] = TASKS
    evaluated: ClassVar[tuple[str, ...]] = ("val", "train_eval")

    recipe: Recipe = Recipe()
    logs: bool = True
    """Whether steps call `self.log`, which costs more than a step of a small network."""

    def __init__(self, *, task: str, **task_fields: Any) -> None:
        super().__init__()
        if task not in self.tasks:
            raise ValueError(f"{type(self).__name__} cannot do the task {task!r}; it can do: {', '.join(self.tasks)}")
        self.task = self.criteria[task](**task_fields)

    @classmethod
    def for_data(cls, dims: Mapping[str, Any], **fields: Any) -> Self:
        """A model for data of these `dims`, of which its constructor gets those that it names.

        Args:
            dims: What is known of the data, as data sets tell it.
            fields: The other arguments of the constructor.
        """
        return cls(**{name: value for name, value in dims.items() if name in _arguments(cls)}, **fields)

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss over a batch (), without label smoothing and penalty."""
        inputs, targets = batch
        return self.task.loss(self(inputs), targets)

    def sums(self, batch: Batch) -> dict[str, Tensor]:
        """What the batch adds to the sums that its part is scored by, in float64, without penalty."""
        inputs, targets = batch
        return self.task.sums(self(inputs), targets)

    def scores(self, batch: Batch) -> dict[str, float]:
        """The value of each metric of the task over one batch."""
        return self.task.scores(numbers(self.sums(batch)))

    def probabilities(self, inputs: Any) -> Tensor:
        """The probability of each class (B, classes) float32; for a classification only."""
        return self.task.probabilities(self(inputs).float())

    def weights(self) -> list[nn.Parameter]:
        """The parameters that are penalised: those of more than one axis, without biases, norms and embeddings."""
        embedded = {id(layer.weight) for layer in self.modules() if isinstance(layer, nn.Embedding)}
        return [parameter for parameter in self.parameters() if parameter.ndim > 1 and id(parameter) not in embedded]

    def penalty(self) -> Tensor:
        """The penalty l1·Σ|w| + (l2/2)·Σw² over the weights, ()."""
        l1, l2, weights = self.recipe.l1, self.recipe.l2, self.weights()
        terms = [l1 * weight.abs().sum() for weight in weights] if l1 else []
        terms += [l2 / 2 * weight.square().sum() for weight in weights] if l2 else []
        return torch.stack(terms).sum() if terms else torch.zeros((), device=self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """The `loss`, which is minimised, the `data_loss` without label smoothing and penalty, and its `count`.

        The count is what the data loss is a mean over: examples, or tokens.
        """
        loss, data_loss = self._losses(batch)
        count = self.task.count(batch[1])
        if self.logs:
            self.log("train/loss", data_loss, on_step=False, on_epoch=True, batch_size=int(count))
        penalised = bool(self.recipe.l1 or self.recipe.l2)
        return {
            "loss": loss + self.penalty() if penalised else loss,
            "data_loss": data_loss.detach(),
            "count": count,
        }

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss with label smoothing, and the loss without."""
        smoothing, task = self.recipe.label_smoothing, self.task
        if not smoothing:
            loss = self.loss(batch)
            return loss, loss
        if task.loss_name not in task.smooths:
            loss_name = f"the loss {task.loss_name}" if task.smooths else f"the task {task.name}"
            model = f"{type(self).__name__} and {loss_name}"
            raise ValueError(f"regularization.label_smoothing: {smoothing} is not allowed for {model}; allowed: 0.")
        inputs, targets = batch
        outputs = self(inputs)
        return replace(task, smoothing=smoothing).loss(outputs, targets), task.loss(outputs, targets)

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._step(batch, self.evaluated[dataloader_idx])

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "test")

    def _step(self, batch: Batch, split: str) -> None:
        count = int(self.task.count(batch[1]))
        for name, value in self.scores(batch).items():
            self.log(f"{split}/{name}", value, batch_size=count, add_dataloader_idx=False)

    def configure_optimizers(self) -> Any:
        """The optimizer of the recipe, and its schedule."""
        return optimizers_of(self, self.recipe)
