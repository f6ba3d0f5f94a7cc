"""The loss about the weights of a run's last epoch, along two directions, with the way there drawn in.

Li, Xu, Taylor, Studer and Goldstein (2018), "Visualizing the loss landscape of neural nets": a direction is drawn from
a normal distribution and each row of it (the weights into one unit or filter) is brought to the length of the same row
of the weights, so that a step of 1 changes each row by its own size. Only weights move, parameters of more than one
axis that are trained; along them biases and the parameters of norms stay as they are, and so do the statistics of batch
norm. The loss is that of `train_eval`: evaluation mode, no penalty. Of a module of the user's own it is what its
`training_step` returns on those examples in evaluation mode.

No run keeps its weights along the way. It is trained once more from its configuration and its seeds, which on one
machine gives the same numbers, and is compared with what was recorded.

In random directions the plane holds next to nothing of the way trained, which is said; a second plane, along the first
two principal components of the way, holds most of it, as it would of any random walk (see
`sweeps.training.weight_path`).

The file, `schema.LANDSCAPE_FILE`, holds NumPy arrays. T points of the way, G grid points along an axis:

    epochs (T,) int32          0 before training, then the epochs that were kept, the run's last one at the end
    losses (T,) float64        of the whole network at these epochs
    random_x (G,), random_y (G,), random_loss (G, G) float64, rows along y; 0 on both axes is the last epoch
    random_path (T, 2), random_outside ()   the shadow of the way on the plane, and the share of Σ‖point - end‖² off it
    random_seed () int64       of the directions
    pca_x, pca_y, pca_loss, pca_path, pca_outside   the same along the principal components, in units of distance;
                               not there if the way has no two of them (a single epoch, or weights that did not move)
    pca_shares (2,), null_shares (W, 2)     shares of the variance that the two explain: of the way, of W random walks
    weights () int64           how many weights move
    checked (C,) str, recorded (C,), retrained (C,) float64   the metrics compared, as stored and as they came out now
    reproduced () bool         whether all of them agree
    problem () str             in what they differ, in one sentence; empty if they agree
    loss_of () str             what the loss is
    seconds (2,) float64       training, computing the grids
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from data.base import Part
from lightning_modules import Module
from sweeps.training.crashes import raised_by_module
from sweeps.training.measuring import EVALUATION_BATCH, Run
from sweeps.training.train import Result, train
from sweeps.training.weight_path import principal, shadow, walk_shares
from tracking import schema
from tracking.schema import Outcome

GRIDS: Final = (41, 31, 21, 15, 11)
"""Points along an axis: odd, so that the last epoch is one of them."""
GRID_SECONDS: Final = 120.0
"""The finest grid is taken that both planes take no longer for; the coarsest in any case."""
KEPT: Final = 60
"""Epochs of the way that are kept at most, evenly spaced, beside the first and the last point."""
KEPT_BYTES: Final = 256 * 1024 * 1024
"""Fewer are kept of a network of which so many would take more memory than this."""
REACH: Final = 1.0
"""How far the random plane goes to each side, at least: there each row of weights has moved by its own size."""
WALKS: Final = 500
AGREE: Final = 1e-3
"""Relative: metrics that differ by no more came out the same."""
CHECKED: Final = (schema.TRAIN_EVAL_LOSS, schema.VAL_LOSS, schema.TRAIN_LOSS)
DIFFER: Final = {schema.DATA_HASH: "the data", schema.MODEL_SOURCE: "the model's source", schema.VERSIONS: "versions",
                 schema.MACHINE: "the machine"}  # fmt: skip
"""What a run says of itself, and how it is called where that is another now."""

Arrays = dict[str, NDArray[Any]]
State = dict[str, Tensor]
Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done."""


class EndedError(Exception):
    """It was asked to end."""


class _Keeper(pl.Callback):
    """Keeps the state of a module before training and after its epochs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._every = 1
        self._epoch = 0
        self._states: dict[int, State] = {}
        self._last: State = {}

    @property
    def states(self) -> dict[int, State]:
        """Epoch -> parameters and buffers; 0 before training, the last epoch at the end."""
        return {**self._states, self._epoch: self._last}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.module, self.precision, self.device = pl_module, trainer.precision_plugin, pl_module.device
        (run,) = (callback for callback in trainer.callbacks if isinstance(callback, Run))  # type: ignore[attr-defined]
        self.part = run.data.parts.train_eval
        size = sum(tensor.numel() * tensor.element_size() for tensor in _state(pl_module).values())
        self._most = max(2, min(KEPT + 1, KEPT_BYTES // max(size, 1)))
        self._keep()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch += 1
        self._keep()
        self._progress("training it once more", self._epoch / (trainer.max_epochs or self._epoch))

    def _keep(self) -> None:
        self._last = {name: tensor.to("cpu", copy=True) for name, tensor in _state(self.module).items()}
        if self._epoch % self._every == 0:
            self._states[self._epoch] = self._last
        if len(self._states) > self._most:
            self._every *= 2
            self._states = {epoch: state for epoch, state in self._states.items() if epoch % self._every == 0}


class _LossOf(nn.Module):
    """A module whose forward is another one's loss, so that `functional_call` may give that other weights."""

    def __init__(self, module: pl.LightningModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        if isinstance(self.module, Module):
            return self.module.evaluate(batch)["loss"]
        answer = self.module.training_step(batch, 0)
        loss = answer.get("loss") if isinstance(answer, Mapping) else answer
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            raise ValueError("its training_step returns no loss, so that there is nothing to be drawn")
        return loss


class _Loss:
    """The mean loss over a part of the data, in evaluation mode, as a function of the state of a module."""

    def __init__(self, module: pl.LightningModule, precision: Any, part: Part) -> None:
        if not module.automatic_optimization:
            raise ValueError("it steps its optimizers itself, so that its training_step is no loss that can be drawn")
        module.eval()
        module.log = module.log_dict = _nowhere  # type: ignore[method-assign]  # it is called outside of any training
        self._of = _LossOf(module)
        self._context: Callable[[], AbstractContextManager[Any]] = precision.forward_context
        slices = [slice(begin, begin + EVALUATION_BATCH) for begin in range(0, len(part), EVALUATION_BATCH)]
        self._batches = [precision.convert_input(part[each]) for each in slices]
        self._shares = [len(batch[1]) / len(part) for batch in self._batches]

    def __call__(self, state: State) -> float:
        named = {f"module.{name}": tensor for name, tensor in state.items()}
        torch.manual_seed(0)  # a loss that draws random numbers draws the same ones at every point
        with torch.inference_mode(), self._context():
            losses = [functional_call(self._of, named, (batch,)) for batch in self._batches]
        return sum(float(loss) * share for loss, share in zip(losses, self._shares, strict=True))


def _nowhere(*arguments: Any, **more: Any) -> None:
    """Where goes what a module of the user's own logs when it is only asked for its loss."""


def _state(module: nn.Module) -> State:
    """Parameters and buffers by name, each once."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach() for name, tensor in named}


def _weights(module: nn.Module) -> list[str]:
    """The names of the parameters that move."""
    return [name for name, parameter in module.named_parameters() if parameter.requires_grad and parameter.ndim > 1]


def _flat(state: State, names: Sequence[str]) -> Tensor:
    return torch.cat([state[name].reshape(-1) for name in names])


def filter_normalised(state: State, names: Sequence[str], seed: int) -> Tensor:
    """Two random directions (2, D) in which each row of each weight has the length of that row of the weights.

    Args:
        state: The weights.
        names: Of those that the directions move, in their order.
        seed: Decides the directions.
    """
    numbers = torch.Generator().manual_seed(seed)
    directions = []
    for _ in range(2):
        parts = []
        for name in names:
            rows = state[name].flatten(1)  # (outputs, the rest)
            drawn = torch.randn(rows.shape, generator=numbers, dtype=rows.dtype)
            drawn *= rows.norm(dim=1, keepdim=True) / drawn.norm(dim=1, keepdim=True).clamp(min=1e-30)
            parts.append(drawn.reshape(-1))
        directions.append(torch.cat(parts))
    return torch.stack(directions)


def grid_axes(path: NDArray[Any], points: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The axes x and y of a square grid about a path in the plane, of equal steps, both with a point at exactly 0.

    Args:
        path: (T, 2), its end at 0.
        points: On each axis.
    """
    low, high = path.min(axis=0), path.max(axis=0)
    side = 1.3 * float((high - low).max())
    step = side / (points - 1)
    first = np.round((low + high - side) / (2 * step))
    x, y = ((first[axis] + np.arange(points)) * step for axis in range(2))
    return x, y


class _Surface:
    """The loss on planes through the end of the way."""

    def __init__(self, keeper: _Keeper, end: State, names: Sequence[str], should_end: Callable[[], object]) -> None:
        self._device = keeper.device
        self._loss = _Loss(keeper.module.to(keeper.device), keeper.precision, keeper.part)
        self._rest = {name: tensor.to(self._device) for name, tensor in end.items() if name not in names}
        self._shapes = {name: end[name].shape for name in names}
        self._end = _flat(end, names).to(self._device)
        self._should_end = should_end

    def at(self, state: State) -> float:
        """The loss of a whole network."""
        return self._loss({name: tensor.to(self._device) for name, tensor in state.items()})

    def seconds(self) -> float:
        """What one point takes."""
        self._moved(self._end)
        began = time.perf_counter()
        for _ in range(2):
            self._moved(self._end)
        return (time.perf_counter() - began) / 2

    def _moved(self, flat: Tensor) -> float:
        if self._should_end() is not None:
            raise EndedError
        parts = torch.split(flat, [math.prod(shape) for shape in self._shapes.values()])
        moved = {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
        return self._loss({**self._rest, **moved})

    def on(self, plane: Tensor, x: NDArray[Any], y: NDArray[Any], progress: Callable[[float], None]) -> NDArray[Any]:
        """The loss (len(y), len(x)) on a plane (2, D).

        Point by point: `vmap` over many points was tried and is no faster but for the smallest networks, on whose grids
        a second is spent, and several times slower for wide ones and convolutions.
        """
        across, up = plane.to(self._device)
        losses = np.empty((len(y), len(x)))
        for row, b in enumerate(y):
            base = self._end + float(b) * up
            losses[row] = [self._moved(torch.add(base, across, alpha=float(a))) for a in x]
            progress((row + 1) / len(y))
        return losses


def _compared(result: Result, told: Mapping[str, str], recorded: Mapping[str, Any]) -> Arrays:
    """Whether the run came out as it was recorded."""
    before: Mapping[str, float] = recorded.get("metrics", {})
    names = [name for name in CHECKED if name in before and name in result.metrics]
    pairs = [(float(before[name]), float(result.metrics[name])) for name in names]
    other = [
        f"{name} is {now:.4g} where {then:.4g} was recorded"
        for name, (then, now) in zip(names, pairs, strict=True)
        if not math.isclose(now, then, rel_tol=AGREE, abs_tol=1e-6)
    ]
    tags: Mapping[str, str] = recorded.get("tags", {})
    changed = [words for tag, words in DIFFER.items() if tag in tags and tags[tag] != told.get(tag)]
    why = f"; {' and '.join(changed)} {'is' if changed == ['the machine'] else 'are'} not what it was trained with"
    problem = ""
    if other:
        problem = f"The run could not be reproduced: {', '.join(other)}{why if changed else ''}."
    elif not names:
        problem = "Whether the run was reproduced is not known: it recorded no loss that is measured again."
    return {
        "checked": np.array(names, dtype=np.str_),
        "recorded": np.array([then for then, _ in pairs]),
        "retrained": np.array([now for _, now in pairs]),
        "reproduced": np.array(not problem),
        "problem": np.array(problem),
    }


def finest_grid(seconds: float, planes: int, grids: Sequence[int]) -> int:
    return next((points for points in grids if planes * points**2 * seconds <= GRID_SECONDS), grids[-1])


def _drawn(
    keeper: _Keeper, seed: int, grids: Sequence[int], should_end: Callable[[], object], progress: Progress
) -> Arrays:
    states, names = keeper.states, _weights(keeper.module)
    end = states[max(states)]
    if not names:
        raise ValueError("it has no weights: no parameter of it has more than one axis")
    surface = _Surface(keeper, end, names, should_end)
    path = torch.stack([_flat(state, names) for state in states.values()])
    path -= path[-1].clone()
    directions = filter_normalised(end, names, seed)
    if not directions.any(dim=1).all():
        raise ValueError("all its weights are 0, and so are directions of their length")
    main = principal(path.numpy())
    points = finest_grid(surface.seconds(), 1 if main is None else 2, grids)
    arrays: Arrays = {
        "epochs": np.array(list(states), dtype=np.int32),
        "losses": np.array([surface.at(state) for state in states.values()]),
        "random_seed": np.array(seed, dtype=np.int64),
        "weights": np.array(path.shape[1], dtype=np.int64),
        "loss_of": np.array(schema.TRAIN_EVAL_LOSS if isinstance(keeper.module, Module) else "its own training loss"),
    }

    def draw(plane: str, spanned: Tensor, share: Callable[[float], float]) -> None:
        way, outside = shadow(path.numpy(), spanned.numpy())
        way[-1] = 0.0
        if plane == "random":
            reach = max(REACH, 1.1 * float(np.abs(way).max()))
            x = y = reach * np.arange(-(points // 2), points // 2 + 1) / (points // 2)
        else:
            x, y = grid_axes(way, points)
        losses = surface.on(spanned, x, y, lambda done: progress("computing the loss on the grid", share(done)))
        drawn = {"x": x, "y": y, "loss": losses, "path": way, "outside": np.array(outside)}
        arrays.update({f"{plane}_{name}": array for name, array in drawn.items()})

    draw("random", directions, lambda done: done if main is None else done / 2)
    if main is not None:
        shares, spanned = main
        draw("pca", torch.from_numpy(spanned), lambda done: (1 + done) / 2)
        lengths = np.linalg.norm(np.diff(path.numpy(), axis=0), axis=1)
        walks = walk_shares(lengths, path.shape[1], WALKS, np.random.default_rng(seed))
        arrays |= {"pca_shares": shares, "null_shares": walks}
    return arrays


def landscape(
    configuration: Mapping[str, Any],
    recorded: Mapping[str, Any],
    *,
    seed: int = 0,
    grids: Sequence[int] = GRIDS,
    should_end: Callable[[], Outcome | None] = lambda: None,
    progress: Progress = lambda doing, share: None,
) -> Arrays:
    """Train a run once more and compute the loss about its end; the arrays of the module's docstring.

    Args:
        configuration: As `sweeps.training.train.train` takes it, seeds included.
        recorded: What the store holds of the run: `metrics`, the last value of each, and `tags`.
        seed: Decides the random directions.
        grids: Odd numbers of points along an axis, of which the largest is taken that GRID_SECONDS allow.
        should_end: Asked after every batch and every point; once it gives something, all of it ends.
        progress: Called with what is being done and the share of it that is done.

    Raises:
        ValueError: It cannot be trained once more, or has no landscape: why, in a sentence.
        EndedError: It was asked to end.
    """
    began = time.perf_counter()
    keeper, told = _Keeper(progress), dict[str, str]()

    def report(kind: str, record: dict[str, Any]) -> None:
        if kind == "info":
            told.update(record["tags"])

    result = train(configuration, report, should_end, callbacks=[keeper])
    if should_end() is not None:
        raise EndedError
    if result.outcome is not Outcome.OK:
        why = f": {result.error}" if result.error else "."
        raise ValueError(f"Trained once more, it {'crashed' if result.outcome is Outcome.CRASHED else 'diverged'}{why}")
    trained = time.perf_counter()
    arrays = _compared(result, told, recorded)
    devices = [keeper.device] if keeper.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            arrays |= _drawn(keeper, seed, grids, should_end, progress)
        except ValueError as error:
            why = raised_by_module(configuration["model"]["name"], error) or f"{error}."
            raise ValueError(f"The run has no landscape: {why}") from error
    return {**arrays, "seconds": np.array([trained - began, time.perf_counter() - trained])}
