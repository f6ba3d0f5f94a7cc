"""The loss around the weights of a run's last epoch, along two directions, with the path of the training drawn in.

Li, Xu, Taylor, Studer and Goldstein (2018), "Visualizing the loss landscape of neural nets": a direction is drawn from
a normal distribution and each row of it (the weights into one unit or filter) is scaled to the length of the same row
of the weights, so that a step of 1 changes each row by its own size. Only weights move, parameters of more than one
axis that are trained; biases and the parameters of norms stay as they are, and so do the statistics of batch norm. The
loss is that of `train_eval`: evaluation mode, no penalty. For a user module it is what its `training_step` returns on
those examples in evaluation mode.

No run keeps the weights of its epochs. It is trained once more from its configuration and its seeds, which on one
machine gives the same numbers, and is compared with what was recorded.

A plane of random directions holds next to nothing of the path, and the arrays say how much; a second plane, along the
first two principal components of the path, holds most of it, as it would of any random walk (see
`sweeps.training.weight_path`).

The file, `schema.LANDSCAPE_FILE`, holds NumPy arrays. T points of the path, G grid points along an axis:

    epochs (T,) int32          0 before training, then the epochs that were kept, the run's last one at the end
    losses (T,) float64        of the whole network at these epochs
    random_x (G,), random_y (G,), random_loss (G, G) float64, rows along y; 0 on both axes is the last epoch
    random_path (T, 2), random_outside ()   the shadow of the path on the plane, the share of Σ‖point - end‖² off it
    random_seed () int64       of the directions
    pca_x, pca_y, pca_loss, pca_path, pca_outside   the same along the principal components, in units of distance;
                               missing if the path has no two of them (a single epoch, or weights that did not move)
    pca_shares (2,), null_shares (W, 2)     shares of the variance that the two explain: of the path, of W random walks
    weights () int64           the number of weights that move
    checked (C,) str, recorded (C,), retrained (C,) float64   the metrics compared, as stored and as they came out now
    reproduced () bool         whether all of them agree
    problem () str             how they differ, in one sentence; empty if they agree
    loss_of () str             what the loss is
    seconds (2,) float64       training, computing the grids
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules import Module
from sweeps.training.crashes import raised_by_module
from sweeps.training.loss_surface import (
    State,
    Surface,
    filter_normalised,
    flat_weights,
    grid_axes,
    state_of,
    weight_names,
)
from sweeps.training.measuring import Run
from sweeps.training.train import Result, train
from sweeps.training.user_run import UserModuleRun
from sweeps.training.weight_path import principal, shadow, walk_shares
from tracking import schema
from tracking.schema import Outcome

GRIDS: Final = (41, 31, 21, 15, 11)
"""Points along an axis: odd, so that the last epoch is one of them."""
GRID_SECONDS: Final = 120.0
"""The finest grid is taken on which both planes take no longer; the coarsest in any case."""
KEPT: Final = 60
"""Epochs of the path that are kept at most, evenly spaced, beside the first and the last point."""
KEPT_BYTES: Final = 256 * 1024 * 1024
"""Fewer are kept of a network so large that they would take more memory than this."""
REACH: Final = 1.0
"""How far the random plane goes to each side, at least: there each row of weights has moved by its own size."""
WALKS: Final = 500
"""Random walks that the path is compared with."""
TOLERANCE: Final = 1e-3
"""Metrics whose relative difference is not larger count as the same."""
COMPARED: Final = (schema.TRAIN_EVAL_LOSS, schema.VAL_LOSS, schema.TRAIN_LOSS)
CIRCUMSTANCES: Final = {
    schema.DATA_HASH: "the data",
    schema.MODEL_SOURCE: "the model's source",
    schema.VERSIONS: "versions",
    schema.MACHINE: "the machine",
}
"""By tag: what may be different from when the run was trained, in words."""

Arrays = dict[str, NDArray[Any]]
Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done."""


class EndedError(Exception):
    """The computation was asked to end."""


class _StateKeeper(pl.Callback):
    """Keeps the state of a module before training and after its epochs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stride = 1
        self._epoch = 0
        self._states: dict[int, State] = {}
        self._last: State = {}

    @property
    def states(self) -> dict[int, State]:
        """Epoch -> parameters and buffers; 0 before training, the last epoch at the end."""
        return {**self._states, self._epoch: self._last}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.module, self.precision, self.device = pl_module, trainer.precision_plugin, pl_module.device
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        (run,) = (callback for callback in callbacks if isinstance(callback, Run | UserModuleRun))
        self.part = run.data.parts.train_eval
        size = sum(tensor.numel() * tensor.element_size() for tensor in state_of(pl_module).values())
        self._limit = max(2, min(KEPT + 1, KEPT_BYTES // max(size, 1)))
        self._keep()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch += 1
        self._keep()
        self._progress("training it once more", self._epoch / (trainer.max_epochs or self._epoch))

    def _keep(self) -> None:
        self._last = {name: tensor.to("cpu", copy=True) for name, tensor in state_of(self.module).items()}
        if self._epoch % self._stride == 0:
            self._states[self._epoch] = self._last
        if len(self._states) > self._limit:
            self._stride *= 2
            self._states = {epoch: state for epoch, state in self._states.items() if epoch % self._stride == 0}


def _comparison(result: Result, tags: Mapping[str, str], recorded: Mapping[str, Any]) -> Arrays:
    """The metrics of the run as they were recorded and as they came out now, and whether they agree.

    Args:
        result: Of training it once more.
        tags: What it reported of itself while it was.
        recorded: See `landscape`.
    """
    recorded_metrics: Mapping[str, float] = recorded.get("metrics", {})
    recorded_tags: Mapping[str, str] = recorded.get("tags", {})
    names = [name for name in COMPARED if name in recorded_metrics and name in result.metrics]
    pairs = [(float(recorded_metrics[name]), float(result.metrics[name])) for name in names]
    differences = [
        f"{name} is {now:.4g} where {then:.4g} was recorded"
        for name, (then, now) in zip(names, pairs, strict=True)
        if not math.isclose(now, then, rel_tol=TOLERANCE, abs_tol=1e-6)
    ]
    changed = [
        words for tag, words in CIRCUMSTANCES.items() if tag in recorded_tags and recorded_tags[tag] != tags.get(tag)
    ]
    problem = ""
    if differences:
        verb = "is" if changed == ["the machine"] else "are"
        why = f"; {' and '.join(changed)} {verb} not what it was trained with" if changed else ""
        problem = f"The run could not be reproduced: {', '.join(differences)}{why}."
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
    """The largest number of points along an axis that GRID_SECONDS allow, else the last one.

    Args:
        seconds: That one point takes.
        planes: The number of planes.
        grids: Numbers of points along an axis, the largest first.
    """
    return next((points for points in grids if planes * points**2 * seconds <= GRID_SECONDS), grids[-1])


def _centred_axis(path: NDArray[Any], points: int) -> NDArray[Any]:
    """An axis of a random plane: from -r to r, where r is REACH or goes beyond the path (T, 2)."""
    reach = max(REACH, 1.1 * float(np.abs(path).max()))
    return reach * np.arange(-(points // 2), points // 2 + 1) / (points // 2)


def _plane(
    name: str, directions: Tensor, path: Tensor, surface: Surface, points: int, progress: Callable[[float], None]
) -> Arrays:
    """The arrays of one plane.

    Args:
        name: random or pca.
        directions: (2, D), which span it.
        path: (T, D), minus its last point.
        surface: The loss, around the last point of the path.
        points: Along an axis.
        progress: Called with the share that is done.
    """
    coordinates, outside = shadow(path.numpy(), directions.numpy())
    coordinates[-1] = 0.0
    if name == "random":
        x = y = _centred_axis(coordinates, points)
    else:
        x, y = grid_axes(coordinates, points)
    loss = surface.on(directions, x, y, progress)
    arrays = {"x": x, "y": y, "loss": loss, "path": coordinates, "outside": np.array(outside)}
    return {f"{name}_{key}": array for key, array in arrays.items()}


def _planes(
    keeper: _StateKeeper, seed: int, grids: Sequence[int], check: Callable[[], None], progress: Progress
) -> Arrays:
    """The arrays of both planes and of the path.

    Raises:
        ValueError: The run has no landscape: why, in a sentence.
    """
    states, names = keeper.states, weight_names(keeper.module)
    end = states[max(states)]
    if not names:
        raise ValueError("it has no weights: no parameter of it has more than one axis")
    if flat_weights(end, names).numel() < 2:
        raise ValueError("it has a single weight, and a landscape needs two")
    surface = Surface(keeper.module.to(keeper.device), keeper.precision, keeper.part, end, names, check)
    path = torch.stack([flat_weights(state, names) for state in states.values()])
    path -= path[-1].clone()
    directions = filter_normalised(end, names, seed)
    if not directions.any(dim=1).all():
        raise ValueError("all its weights are 0, and so are directions of their length")
    components = principal(path.numpy())
    planes = 1 if components is None else 2
    points = finest_grid(surface.seconds_per_point(), planes, grids)

    def progress_of(plane: int) -> Callable[[float], None]:
        return lambda share: progress("computing the loss on the grid", (plane + share) / planes)

    arrays: Arrays = {
        "epochs": np.array(list(states), dtype=np.int32),
        "losses": np.array([surface.at(state) for state in states.values()]),
        "random_seed": np.array(seed, dtype=np.int64),
        "weights": np.array(path.shape[1], dtype=np.int64),
        "loss_of": np.array(schema.TRAIN_EVAL_LOSS if isinstance(keeper.module, Module) else "its own training loss"),
        **_plane("random", directions, path, surface, points, progress_of(0)),
    }
    if components is not None:
        shares, axes = components
        arrays |= _plane("pca", torch.from_numpy(axes), path, surface, points, progress_of(1))
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
    """Train a run once more and compute the loss around its end: the arrays that the module's docstring lists.

    Args:
        configuration: As `sweeps.training.train.train` takes it, seeds included.
        recorded: What the store holds of the run: `metrics`, the last value of each, and `tags`.
        seed: Decides the random directions.
        grids: Odd numbers of points along an axis, of which the largest is taken that GRID_SECONDS allow.
        should_end: Asked after every batch and before every point; once it gives an outcome, all of it ends.
        progress: Called with what is being done and the share of it that is done.

    Raises:
        ValueError: It cannot be trained once more, or has no landscape: why, in a sentence.
        EndedError: It was asked to end.
    """
    began = time.perf_counter()
    keeper, tags = _StateKeeper(progress), dict[str, str]()

    def report(kind: str, record: dict[str, Any]) -> None:
        if kind == "info":
            tags.update(record["tags"])

    def check() -> None:
        if should_end() is not None:
            raise EndedError

    result = train(configuration, report, should_end, callbacks=[keeper])
    check()
    if result.outcome is not Outcome.OK:
        why = f": {result.error}" if result.error else "."
        raise ValueError(f"Trained once more, it {'crashed' if result.outcome is Outcome.CRASHED else 'diverged'}{why}")
    trained = time.perf_counter()
    arrays = _comparison(result, tags, recorded)
    devices = [keeper.device] if keeper.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            arrays |= _planes(keeper, seed, grids, check, progress)
        except ValueError as error:
            why = raised_by_module(configuration["model"]["name"], error) or f"{error}."
            raise ValueError(f"The run has no landscape: {why}") from error
    return {**arrays, "seconds": np.array([trained - began, time.perf_counter() - trained])}
