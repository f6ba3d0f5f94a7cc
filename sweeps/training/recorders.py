"""The recorders that there are, and those of one run: whatever happens in them, the run goes on unchanged."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sweeps.training.layer_records import LayerRecorder
from sweeps.training.predictions import PredictionRecorder, RegionRecorder, ReplicateRecorder
from sweeps.training.process_state import undisturbed
from sweeps.training.recorder import Recorder, RunView
from sweeps.training.references import ReferenceRecorder
from sweeps.training.translations import TranslationRecorder

RECORDERS: Final[dict[str, type[Recorder]]] = {
    "layers": LayerRecorder,
    "regions": RegionRecorder,
    "replicate": ReplicateRecorder,
    "predictions": PredictionRecorder,
    "translations": TranslationRecorder,
    "references": ReferenceRecorder,
}
"""By name, as `record:` of a sweep turns them off; `sweeps.catalogue.entries.SECTIONS` has a help text for each."""


class Recorded(NamedTuple):
    """The arrays of one artifact."""

    artifact: str
    words: str
    """What is in it."""
    arrays: dict[str, NDArray[Any]]


class RecorderCost(NamedTuple):
    """The seconds that a recorder took of a run."""

    once: float
    """Before training and after the last epoch."""
    epoch: float
    """In each epoch."""


class Recorders:
    """The recorders of one run.

    Args:
        names: Those that are turned on; of them the ones that fit take part.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._active = {name: RECORDERS[name]() for name in names}
        self.problems: dict[str, str] = {}
        """By recorder that failed: a sentence. It takes part no more, and leaves no file."""
        self._epochs = 0
        self._once = defaultdict[str, float](float)
        self._measuring = defaultdict[str, float](float)
        self._looking = defaultdict[str, float](float)

    def __iter__(self) -> Iterator[Recorder]:
        return iter(self._active.values())

    @property
    def finishes(self) -> bool:
        """Whether one of them looks at the weights that validation chose."""
        return any(type(recorder).finish is not Recorder.finish for recorder in self)

    @property
    def costs(self) -> dict[str, RecorderCost]:
        """By recorder that took part: its seconds."""
        return {
            name: RecorderCost(
                self._once[name],
                self._measuring[name] / max(self._epochs, 1) + self._looking[name] / max(self._epochs - 1, 1),
            )
            for name in self._active
        }

    def begin(self, run: RunView) -> None:
        """Find out which of them fit, and let those look at the run before its first step."""
        for name, recorder in list(self._active.items()):
            with self._guarded(name, "before training", run, self._once):
                if recorder.fits(run.module, run.data):
                    recorder.begin(run)
                else:
                    del self._active[name]

    def measure(self, run: RunView) -> dict[str, float]:
        """The metrics of this epoch that recorders measure."""
        self._epochs += 1
        metrics: dict[str, float] = {}
        for name, recorder in self._overriding("measure"):
            with self._guarded(name, f"after epoch {run.epoch}", run, self._measuring):
                metrics |= _numbers(recorder.measure(run))
        return metrics

    def epoch(self, run: RunView, last: bool) -> None:
        """Let them keep what they need of this epoch."""
        for name, recorder in self._overriding("epoch"):
            with self._guarded(name, f"after epoch {run.epoch}", run, self._once if last else self._looking):
                recorder.epoch(run, last)

    def finish(self, run: RunView) -> dict[str, float]:
        """Let them look at the weights that validation chose; the metrics that they measure there."""
        metrics: dict[str, float] = {}
        for name, recorder in list(self._active.items()):
            with self._guarded(name, "at the end", run, self._once):
                metrics |= _numbers(recorder.finish(run))
        return metrics

    def files(self, run: RunView) -> list[Recorded]:
        """What the run leaves behind: one artifact per recorder that has something to show."""
        files = []
        for name, recorder in list(self._active.items()):
            with self._guarded(name, "at the end", run, self._once):
                arrays = {key: _loadable(key, array) for key, array in recorder.arrays(run).items()}
                if arrays:
                    files.append(Recorded(recorder.artifact, recorder.words, arrays))
        return files

    def state_dict(self) -> dict[str, Any]:
        """What has to survive a kill; a recorder that failed stays out of the run after it."""
        states: dict[str, Any] = {}
        for name, recorder in list(self._active.items()):
            with self._guarded(name, "when the run was saved"):
                state = recorder.state_dict()
                _check_plain(state)
                states[name] = state
        return {"recorders": states, "recorder_problems": dict(self.problems)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up such a state; that of an earlier version had the states of two recorders beside all others."""
        states = state.get("recorders", {name: state[name] for name in RECORDERS if name in state})
        self.problems = dict(state.get("recorder_problems", {}))
        for name, recorder in list(self._active.items()):
            if name in self.problems:
                del self._active[name]
            elif name in states:
                with self._guarded(name, "when the run went on after a kill"):
                    recorder.load_state_dict(states[name])

    def _overriding(self, moment: str) -> list[tuple[str, Recorder]]:
        """The recorders that look at this moment of every epoch: guarding one that does not would cost for nothing."""
        base = getattr(Recorder, moment)
        return [
            (name, recorder) for name, recorder in self._active.items() if getattr(type(recorder), moment) is not base
        ]

    @contextmanager
    def _guarded(
        self, name: str, when: str, run: RunView | None = None, seconds: defaultdict[str, float] | None = None
    ) -> Iterator[None]:
        """Let a recorder work: its error ends the recorder and not the run, and its seconds are added up."""
        began = time.perf_counter()
        try:
            if run is None:
                yield
            else:
                with undisturbed(run.module):
                    yield
        except Exception as error:
            self._active.pop(name, None)
            self.problems[name] = f"The recorder {name} failed {when}, and its file is left out: {_reason(error)}."
        if seconds is not None:
            seconds[name] += time.perf_counter() - began


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "it needed more memory than there is"
    return f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}".rstrip(": ")


def _numbers(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}


def _loadable(name: str, array: Any) -> NDArray[Any]:
    """The array itself; one of Python objects is refused, as only pickle could read it."""
    values = np.asarray(array)
    if values.dtype.hasobject:
        raise TypeError(f"the array {name} holds Python objects; allowed: numbers and texts")
    return values


def _check_plain(value: Any) -> None:
    """Refuse a state that torch would not load without pickle: the whole run would begin afresh after a kill."""
    if isinstance(value, Mapping):
        for inner in (*value.keys(), *value.values()):
            _check_plain(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_plain(inner)
    elif not (value is None or isinstance(value, Tensor) or type(value) in (bool, int, float, str)):
        raise TypeError(f"its state holds {type(value).__name__}; allowed: tensors, numbers and texts")
