"""What every model shares: its steps by the task, and the penalty on its weights.

Modules are pure: `forward` and `loss(batch)` depend on parameters, buffers and the batch alone. They store nothing on
the module, so that many copies can be stacked and trained as one (`torch.func.stack_module_state`, `vmap`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from learning_tasks import TASKS, Batch, Task
from lightning_modules.recipe import Recipe, optimizers_of


class Module(pl.LightningModule):
    """The base of every model. A subclass says which tasks it can do and defines `forward(inputs) -> outputs`.

    What the outputs mean, unless a subclass has other `criteria`:

    | task | outputs | loss | error |
    |---|---|---|---|
    | regression | (B, 1) the target | mean squared error (1/B)·Σ(output - target)², without a half | its root |
    | binary | (B, 1) the logit of class 1 | mean cross-entropy in nats | share misclassified |
    | multiclass | (B, classes) logits | mean cross-entropy in nats | share misclassified |

    With label smoothing s (Szegedy et al. 2016) a classification is trained by the mean cross-entropy with the targets
    (1 - s)·y + s/K for K classes; what is measured is always the loss above.

    In a plain `pl.Trainer` it logs `train/loss`, `val/loss`, `val/error`, `train_eval/loss`, ... An error over several
    batches is then the mean over the batches; the data sets here evaluate each part whole, in one batch.

    Args:
        task: regression, binary or multiclass, as the data set says.
    """

    tasks: ClassVar[tuple[str, ...]]
    criteria: ClassVar[Mapping[str, Task]] = TASKS
    evaluated: ClassVar[tuple[str, ...]] = ("val", "train_eval")

    recipe: Recipe = Recipe()
    logs: bool = True
    """Whether steps call `self.log`, which costs more than a step of a small network."""

    def __init__(self, *, task: str) -> None:
        super().__init__()
        if task not in self.tasks:
            raise ValueError(f"{type(self).__name__} cannot do the task {task!r}; it can do: {', '.join(self.tasks)}")
        self.task = task

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss over a batch (), without the penalty."""
        inputs, targets = batch
        return self.criteria[self.task].loss(self(inputs), targets)

    def evaluate(self, batch: Batch, clean: Tensor | None = None) -> dict[str, Tensor]:
        """The `loss` and the `error` over a batch, from one forward pass, without the penalty.

        Args:
            batch: Inputs and targets.
            clean: The true targets, where those of the batch are noisy: `clean_error` is the error against these.
        """
        inputs, targets = batch
        outputs = self(inputs)
        task = self.criteria[self.task]
        measured = {"loss": task.loss(outputs, targets), "error": task.error(outputs, targets)}
        return measured if clean is None else {**measured, "clean_error": task.error(outputs, clean)}

    def probabilities(self, inputs: Tensor) -> Tensor:
        """The probability of each class (B, classes) float32; for a classification only."""
        probabilities = self.criteria[self.task].probabilities
        assert probabilities is not None, f"{self.task} has no classes"
        return probabilities(self(inputs).float())

    def weights(self) -> list[nn.Parameter]:
        """The parameters that are penalised: those of more than one axis, so no biases, norms or activations."""
        return [parameter for parameter in self.parameters() if parameter.ndim > 1]

    def penalty(self) -> Tensor:
        """The penalty l1·Σ|w| + (l2/2)·Σw² over the weights, ()."""
        l1, l2, weights = self.recipe.l1, self.recipe.l2, self.weights()
        terms = [l1 * weight.abs().sum() for weight in weights] if l1 else []
        terms += [l2 / 2 * weight.square().sum() for weight in weights] if l2 else []
        return torch.stack(terms).sum() if terms else torch.zeros((), device=self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """The `loss`, which is minimised, and the `data_loss`, which has neither label smoothing nor penalty."""
        loss, data_loss = self._losses(batch)
        if self.logs:
            self.log("train/loss", data_loss, on_step=False, on_epoch=True, batch_size=len(batch[1]))
        penalised = bool(self.recipe.l1 or self.recipe.l2)
        return {"loss": loss + self.penalty() if penalised else loss, "data_loss": data_loss.detach()}

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss with label smoothing, and the loss without."""
        smoothing, task = self.recipe.label_smoothing, self.criteria[self.task]
        if not smoothing:
            loss = self.loss(batch)
            return loss, loss
        if task.smoothed is None:
            model = f"{type(self).__name__} and the task {self.task}"
            raise ValueError(f"regularization.label_smoothing: {smoothing} is not allowed for {model}; allowed: 0.")
        inputs, targets = batch
        outputs = self(inputs)
        return task.smoothed(outputs, targets, smoothing), task.loss(outputs, targets)

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._step(batch, self.evaluated[dataloader_idx])

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "test")

    def _step(self, batch: Batch, split: str) -> None:
        for name, value in self.evaluate(batch).items():
            self.log(f"{split}/{name}", value, batch_size=len(batch[1]), add_dataloader_idx=False)

    def configure_optimizers(self) -> Any:
        """The optimizer of the recipe, and its schedule."""
        return optimizers_of(self, self.recipe)
