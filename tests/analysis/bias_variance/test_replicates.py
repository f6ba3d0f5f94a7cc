"""Which runs enter a decomposition, and what is said of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.bias_variance.replicates import Replicates, epochs_of, replicates

POINTS = 5


def frame(cells: dict[tuple[int, int], str]) -> pd.DataFrame:
    """A frame of runs with these outcomes, by (seed_data, seed_init)."""
    return pd.DataFrame(
        [
            {"run_id": f"{data}-{init}", "outcome": outcome, "seed_data": data, "seed_init": init,
             "replicate.datasets": 4, "replicate.inits": 2}
            for (data, init), outcome in cells.items()
        ]
    )  # fmt: skip


def whole(datasets: int = 4, inits: int = 2) -> dict[tuple[int, int], str]:
    return {(data, init * datasets + data): "ok" for data in range(datasets) for init in range(inits)}


def content(value: float, epochs: tuple[int, ...] = (1, 2, 5), **more: Any) -> dict[str, np.ndarray]:
    """The answers value, value + 1, ... at the epochs."""
    outputs = np.array([np.full((POINTS, 1), value + k) for k in range(len(epochs))], dtype=np.float32)
    return {"epochs": np.array(epochs, dtype=np.int32), "outputs": outputs,
            "targets": np.zeros(POINTS, dtype=np.float32), **more}  # fmt: skip


def answers(runs: pd.DataFrame, **more: Any) -> dict[str, Any]:
    return {run: content(10.0 * place, **more) for place, run in enumerate(runs["run_id"])}


def test_runs_stand_by_training_set_and_initialisation_whatever_their_order() -> None:
    runs = frame(whole())
    arrays = answers(runs)
    mixed = replicates(runs.sample(frac=1, random_state=0), arrays)
    assert isinstance(mixed, Replicates) and mixed.outputs.shape == (4, 2, POINTS, 1)
    assert mixed.datasets == (0, 1, 2, 3)
    assert mixed.run_ids.tolist() == [[f"{k}-{k}", f"{k}-{k + 4}"] for k in range(4)]
    places = {run: place for place, run in enumerate(runs["run_id"])}
    assert mixed.outputs[2, 1, 0, 0] == 10 * places["2-6"] + 2, "the last epoch"
    assert mixed.note == "" and mixed.losses == ("squared error",) and not mixed.classes


def test_an_epoch_is_chosen_by_its_number() -> None:
    runs = frame(whole())
    arrays = answers(runs)
    stack = replicates(runs, arrays, epoch=2)
    assert isinstance(stack, Replicates) and stack.outputs[0, 0, 0, 0] == 1
    arrays["0-0"] = content(0.0, (1, 2, 4))
    assert epochs_of(runs, arrays) == [1, 2]
    missing = replicates(runs, arrays, epoch=5)
    assert isinstance(missing, Replicates) and missing.outputs.shape[:2] == (3, 2), "the one that stopped at 4 is out"


def test_only_complete_training_sets_enter_and_the_others_are_counted() -> None:
    runs = frame(whole() | {(1, 5): "diverged"})
    stack = replicates(runs, answers(runs))
    assert isinstance(stack, Replicates)
    assert stack.datasets == (0, 2, 3) and stack.outputs.shape[:2] == (3, 2)
    assert stack.left_out == 2 and "2 runs are left out" in stack.note and "1 of which diverged" in stack.note


def test_where_few_sets_are_complete_fewer_initialisations_enter_of_more_sets() -> None:
    lost = {(data, data + 4): "running" for data in range(2)}
    runs = frame(whole() | lost)
    stack = replicates(runs, answers(runs))
    assert isinstance(stack, Replicates) and stack.outputs.shape[:2] == (4, 1)
    assert stack.run_ids.ravel().tolist() == ["0-0", "1-1", "2-2", "3-3"], "the first by their seed"
    first = frame({key: value for key, value in whole().items() if key[1] < 6})
    assert "2 of 8 runs are still to come" in replicates(first, answers(first)).note  # type: ignore[union-attr]


def test_answers_that_are_no_numbers_do_not_enter() -> None:
    runs = frame(whole())
    arrays = answers(runs)
    arrays["3-3"]["outputs"][-1, 0, 0] = np.nan
    stack = replicates(runs, arrays)
    assert isinstance(stack, Replicates) and stack.datasets == (0, 1, 2)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({}, "No run has left its answers"),
        ({(0, 0): "diverged", (1, 1): "diverged"}, "No run has left its answers"),
        ({(0, 0): "ok"}, "one training set"),
        ({(0, 0): "ok", (0, 1): "ok", (0, 2): "ok"}, "one training set"),
    ],
)
def test_what_cannot_be_taken_apart_says_why(cells: Any, words: str) -> None:
    runs = frame(cells) if cells else frame(whole()).head(0)
    problem = replicates(runs, answers(runs))
    assert isinstance(problem, str) and words in problem


def test_answers_to_different_examples_are_not_set_side_by_side() -> None:
    runs = frame(whole())
    arrays = answers(runs)
    arrays["1-1"]["targets"] = np.ones(POINTS, dtype=np.float32)
    problem = replicates(runs, arrays)
    assert isinstance(problem, str) and "different examples" in problem


def test_classes_and_noise_are_known_by_the_file() -> None:
    runs = frame(whole())
    arrays = answers(runs)
    for stored in arrays.values():
        stored["targets"] = np.zeros(POINTS, dtype=np.int32)
        stored["outputs"] = np.full((3, POINTS, 4), 0.25, dtype=np.float32)
    stack = replicates(runs, arrays)
    assert isinstance(stack, Replicates) and stack.classes and len(stack.losses) == 3
    noisy = answers(runs, truth=np.full(POINTS, 0.5), noise=np.array(0.25), inputs=np.arange(POINTS))
    noisy_stack = replicates(runs, noisy)
    assert isinstance(noisy_stack, Replicates) and noisy_stack.noisy and noisy_stack.noise == 0.25
    assert "noise" in noisy_stack.taken_apart("squared error")
    clean = replicates(runs, answers(runs, truth=np.zeros(POINTS), noise=np.array(0.0)))
    assert isinstance(clean, Replicates) and not clean.noisy and "noise" not in clean.taken_apart("squared error")


def test_a_file_that_lacks_an_array_counts_as_none() -> None:
    runs = frame(whole())
    arrays = answers(runs)
    del arrays["0-0"]["outputs"]
    stack = replicates(runs, arrays)
    assert isinstance(stack, Replicates) and stack.datasets == (1, 2, 3)
