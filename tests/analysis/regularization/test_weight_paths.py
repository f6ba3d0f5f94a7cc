"""Paths: the measures of a run's layers against numpy, seeds paired, poor files left out and counted."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.regularization.strengths import Strengths, strengths
from analysis.regularization.weight_paths import MEASURES, path_info, plot_paths, whole_network
from tracking.schema import NEAR_ZERO

L2 = "regularization.l2"
EDGES = np.linspace(-1, 1, 42)


def effective_rank(matrix: np.ndarray) -> float:
    share = np.linalg.svd(matrix, compute_uv=False)
    share = share[share > 0] / share.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def arrays_of(weights: list[np.ndarray]) -> dict[str, np.ndarray]:
    """What a run with these weights leaves, from numpy."""
    norms = np.array([np.linalg.norm(matrix) for matrix in weights])
    return {
        "names": np.array([f"layer{k}" for k in range(len(weights))]),
        "epochs": np.array([1, 2], dtype=np.int32),
        "weight_norm": np.stack([2 * norms, norms]).astype(np.float32),
        "near_zero": np.array([(np.abs(matrix) < NEAR_ZERO).mean() for matrix in weights]),
        "effective_rank": np.array([effective_rank(matrix) for matrix in weights]),
        "histogram": np.stack([np.histogram(np.clip(matrix, -1, 1), EDGES)[0] for matrix in weights]),
        "edges": EDGES,
    }


def swept(
    strength_runs: Any, scales: dict[float, float], n: int = 4
) -> tuple[Strengths, dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(0)
    runs = strength_runs({(value,): [0.1 + k / 100 for k in range(n)] for value in scales}, [L2])
    weights = {
        run: [scales[value] * (np.eye(4) + 0.05 * seed), scales[value] * rng.normal(size=(2, 4))]
        for run, value, seed in zip(runs["run_id"], runs[L2], runs["seed"], strict=True)
    }
    return strengths(runs, L2), {run: arrays_of(matrices) for run, matrices in weights.items()}, weights


def test_the_effective_rank_of_the_identity_is_its_size() -> None:
    assert whole_network(arrays_of([np.eye(7)]))["effective_rank"] == pytest.approx(7)
    assert whole_network(arrays_of([np.ones((5, 3)), np.eye(3)]))["effective_rank"] == pytest.approx((1 + 3) / 2)


def test_the_whole_network_is_all_its_weights() -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(30, 20)) * (rng.random((30, 20)) > 0.4), rng.normal(size=(3, 30))]
    flat = np.concatenate([matrix.ravel() for matrix in weights])
    network = whole_network(arrays_of(weights))
    assert network["weight_norm"] == pytest.approx(np.linalg.norm(flat), rel=1e-6)
    assert network["near_zero"] == pytest.approx((np.abs(flat) < NEAR_ZERO).mean())


def test_layers_along_the_strengths_with_scipys_intervals(strength_runs: Any) -> None:
    of_axis, layers, weights = swept(strength_runs, {0.0: 1.0, 0.01: 0.5, 0.1: 0.1})
    info = path_info(of_axis, layers)
    assert info.layers == ("layer0", "layer1") and len(info.cells) == 6 and info.n == "n=4 seeds each"
    cell = next(cell for cell in info.of("layer1") if cell.strength == 1)
    norms = [np.linalg.norm(weights[run][1]) for run in of_axis.members(1)["run_id"]]
    low, high = stats.t.interval(0.95, 3, np.mean(norms), stats.sem(norms))
    interval = cell.interval("weight_norm")
    assert (interval.mean, interval.low, interval.high) == pytest.approx((np.mean(norms), low, high), rel=1e-6)


def test_the_change_from_none_to_the_strongest_is_paired_on_seeds(strength_runs: Any) -> None:
    of_axis, layers, weights = swept(strength_runs, {0.0: 1.0, 0.1: 0.1})
    info = path_info(of_axis, layers)

    def norm(run: str) -> float:
        return float(np.linalg.norm(np.concatenate([part.ravel() for part in weights[run]])))

    gaps = [norm(b) - norm(a) for a, b in zip(of_axis.members(0)["run_id"], of_axis.members(1)["run_id"], strict=True)]
    change = info.changes["weight_norm"][2]
    assert change.paired_on == "seed" and change.interval.mean == pytest.approx(np.mean(gaps), rel=1e-6)
    assert "weight norm" in info.sentence and "lower" in info.sentence and "l2 0.1" in info.sentence
    # Scaling a matrix leaves the shares of its singular values: the rank of the identity's layer stays.
    ranks = [cell.interval("effective_rank").mean for cell in info.of("layer0")]
    assert ranks[0] == pytest.approx(ranks[1])


def test_of_epochs_the_strongest_is_the_fewest(strength_runs: Any) -> None:
    axis = "trainer.max_epochs"
    runs = strength_runs({(5,): [0.2, 0.2], (20,): [0.2, 0.2], (50,): [0.1, 0.1]}, [axis])
    of_axis = strengths(runs, axis)
    info = path_info(of_axis, {run: arrays_of([np.eye(2)]) for run in runs["run_id"]})
    assert (of_axis.none, info.strongest) == (2, 0) and info.sentence.startswith("From max_epochs 50 to max_epochs 5")


def test_runs_without_files_or_with_broken_ones_are_counted(strength_runs: Any) -> None:
    of_axis, layers, _ = swept(strength_runs, {0.0: 1.0, 0.1: 0.1})
    first, second, third = list(layers)[:3]
    del layers[first]
    layers[second]["weight_norm"] = np.array([[np.nan, 1.0]])
    del layers[third]["near_zero"]
    info = path_info(of_axis, layers)
    assert info.left_out == 3 and "3 runs left nothing" in info.reading
    assert len(info.frame()) == 2 * 5, "two layers of the five runs that are left"
    nothing = path_info(of_axis, {})
    assert nothing.empty and "layers.npz" in nothing.problem and nothing.sentence == nothing.problem


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("n", [1, 4])
def test_the_figure_shows_every_layer_in_three_panels(strength_runs: Any, dark: bool, n: int) -> None:
    of_axis, layers, _ = swept(strength_runs, {0.0: 1.0, 0.01: 0.5, 0.1: 0.001}, n)
    info = path_info(of_axis, layers)
    figure = plot_paths(info, dark=dark)
    assert json.loads(figure.to_json())["layout"]
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [trace.name for trace in lines] == ["layer0", "layer1"] * len(MEASURES)
    assert [trace.name for trace in plot_paths(info, layers=["layer1"]).data if trace.showlegend] == ["layer1"]
    assert lines[0].y == pytest.approx([cell.interval("weight_norm").mean for cell in info.of("layer0")])
    assert (max(lines[0].error_y.array) > 0) is (n > 2)


def test_a_layer_too_large_for_a_rank_has_the_other_measures(strength_runs: Any) -> None:
    of_axis, layers, _ = swept(strength_runs, {0.0: 1.0, 0.1: 0.1})
    for arrays in layers.values():
        arrays["effective_rank"][0] = np.nan
    info = path_info(of_axis, layers)
    assert info.left_out == 0 and all(not cell.values["effective_rank"] for cell in info.of("layer0"))
    ranks = [cell.interval("effective_rank").mean for cell in info.of("layer1")]
    assert info.changes["effective_rank"][0].mean == pytest.approx(ranks[0])
    assert info.frame()["effective rank"].isna().sum() == 8 and json.loads(plot_paths(info).to_json())


def test_runs_on_one_training_set_are_one_value(strength_runs: Any) -> None:
    of_axis, layers, weights = swept(strength_runs, {0.0: 1.0, 0.1: 0.1}, n=6)
    of_axis = strengths(of_axis.runs.assign(seed_data=of_axis.runs["seed"] // 2), L2)
    info = path_info(of_axis, layers)
    norms = np.array([np.linalg.norm(weights[run][1]) for run in of_axis.members(1)["run_id"]])
    norms = norms.reshape(3, 2).mean(axis=1)
    low, high = stats.t.interval(0.95, 2, norms.mean(), stats.sem(norms))
    interval = next(cell for cell in info.of("layer1") if cell.strength == 1).interval("weight_norm")
    assert (interval.mean, interval.low, interval.high) == pytest.approx((norms.mean(), low, high), rel=1e-6)
    assert info.n == "n=3 training sets each" and of_axis.over == "training sets"
