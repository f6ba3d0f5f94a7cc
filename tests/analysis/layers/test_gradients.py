"""Layers: factors over seeds, vanishing and exploding, heat maps and profiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.layers.gradient_figures import plot_heat, plot_profile, plot_ratio
from analysis.layers.gradients import FIRST, GRADIENT, LAST, heat_info, profile_info, ratio_info
from analysis.layers.layer_runs import CONDITION, SPREAD, deepest, layer_runs
from analysis.statistics.geometric_mean import geometric_mean


def chain(depth: int, gain: float, seed: int, epochs: int = 4) -> dict[str, np.ndarray]:
    """A linear chain whose gradient grows by 1 / `gain` a layer on its way to the input, with a little noise."""
    generator = np.random.default_rng(seed)
    noise = np.exp(generator.normal(0, 0.05, size=(epochs, depth)))
    return {
        "names": np.array([f"layer {k}" for k in range(depth)]), "epochs": np.arange(1, epochs + 1, dtype=np.int32),
        "grad_norm": (gain ** np.arange(depth, 0, -1)[None, :] * noise).astype(np.float32),
        "activation_std": gain ** np.arange(depth) * noise[0],
        "condition": np.array([1e3, *([math.inf] * (depth - 1))]),
    }  # fmt: skip


def runs_of(gains: dict[str, tuple[float, tuple[int, ...]]], seeds: int = 4) -> Any:
    """Runs of methods, each given as (gain a layer, depths)."""
    arrays, rows, methods = {}, [], {}
    for method, (gain, depths) in gains.items():
        for depth in depths:
            for seed in range(seeds):
                run = f"{method}-{depth}-{seed}"
                arrays[run] = chain(depth, gain, seed)
                rows.append((run, seed))
                methods[run] = method
    return layer_runs(arrays, pd.DataFrame(rows, columns=["run_id", "seed"]), methods)


def test_a_factor_is_a_geometric_mean_with_the_interval_of_the_logarithms() -> None:
    values = np.random.default_rng(0).lognormal(size=6)
    interval = geometric_mean(values)
    logs = np.log(values)
    assert interval.mean == pytest.approx(stats.gmean(values))
    low, high = stats.t.interval(0.95, 5, logs.mean(), stats.sem(logs))
    assert (interval.low, interval.high) == pytest.approx((math.exp(low), math.exp(high)))
    mixed = geometric_mean([1.0, 0.0, math.inf, math.nan])
    assert (mixed.n, mixed.zeros, mixed.infinite, mixed.mean) == (1, 1, 1, 1.0)
    assert geometric_mean([115920.0]).words == "1.2e+05"
    assert (geometric_mean([]).words, geometric_mean([0.0]).words, geometric_mean([math.inf]).words) == (
        "–",
        "0",
        "infinite",
    )


def test_the_ratio_follows_the_gain_and_is_named_by_its_interval() -> None:
    info = ratio_info(runs_of({"sigmoid": (0.25, (2, 4, 8)), "relu": (1.0, (2, 4, 8)), "wild": (4.0, (8,))}))
    assert info.n == "n=4 seeds each" and info.interval == info.band and f"bars the {info.band}." in info.reading
    by_key = {(ratio.method, ratio.depth): ratio for ratio in info.ratios}
    for (method, depth), ratio in by_key.items():
        gain = {"sigmoid": 0.25, "relu": 1.0, "wild": 4.0}[method]
        # From the last layer's gradient, gain, to the first's, gain^depth.
        assert math.log(ratio.over.mean) == pytest.approx((depth - 1) * math.log(gain), abs=0.2)
    assert by_key["sigmoid", 8].verdict == "vanishing" and by_key["wild", 8].verdict == "exploding"
    assert by_key["relu", 8].verdict == by_key["sigmoid", 2].verdict == "neither"
    assert "sigmoid, 8 layers" in info.sentence and "(vanishing, n=4)" in info.sentence
    assert info.depths == [2, 4, 8] and info.band == "95% t-interval of the logarithms, n=4"


def test_two_seeds_name_nothing_and_a_dead_first_layer_vanishes() -> None:
    assert ratio_info(runs_of({"sigmoid": (0.1, (8,))}, seeds=2)).ratios[0].verdict == "too few seeds"
    unsure = runs_of({"sigmoid": (1.0, (2,))}, seeds=3)
    for run, ratio in zip(unsure, (0.001, 0.05, 1.0), strict=True):
        run.gradients[0] = [ratio, 1.0]
    (first_ratio,) = ratio_info(unsure).ratios
    assert first_ratio.over.mean < 0.1 < first_ratio.over.high and first_ratio.verdict == "neither", (
        "the whole interval must lie below"
    )
    dead = runs_of({"relu": (1.0, (3,))})
    for run in dead:
        run.gradients[:, 0] = 0
    (ratio,) = ratio_info(dead).ratios
    assert ratio.verdict == "vanishing" and ratio.over.zeros == 4 and ratio.over.words == "0"
    assert len(plot_ratio(ratio_info(dead)).data)


def test_the_epoch_is_chosen() -> None:
    runs = runs_of({"a": (1.0, (3,))})
    for run in runs:
        run.gradients[-1, 0] = 1000 * run.gradients[-1, -1]
    assert ratio_info(runs, FIRST).ratios[0].verdict == "neither"
    assert ratio_info(runs, LAST).ratios[0].verdict == "exploding"
    with pytest.raises(ValueError, match="when"):
        ratio_info(runs, "middle")


def test_a_heat_map_holds_geometric_means_at_shared_epochs() -> None:
    runs = runs_of({"a": (0.5, (3, 5))})
    info = heat_info(runs)
    assert [panel.label for panel in info.panels] == ["a, 3 layers", "a, 5 layers"]
    norms = [run.gradients for run in runs if run.depth == 3]
    assert info.panels[0].norms == pytest.approx(stats.gmean(np.stack(norms), axis=0))
    assert info.range == pytest.approx(
        (min(p.norms.min() for p in info.panels), max(p.norms.max() for p in info.panels))
    )
    assert len(info.frame()) == 4 * 3 + 4 * 5 and not info.zeros
    assert info.n == "n=4 seeds each" and not info.interval and "Gaps" not in info.reading
    info.panels[0].norms[0, 0] = 0
    assert info.reading.endswith("Gaps: some run had no gradient there at all.")


def test_a_profile_has_a_line_a_method_and_keeps_what_is_infinite_apart() -> None:
    runs = runs_of({"he": (1.0, (3,)), "normal": (0.1, (3,))})
    spread = profile_info(runs, SPREAD)
    assert [profile.label for profile in spread.profiles] == ["he", "normal"]
    assert spread.profiles[1].means[2].mean / spread.profiles[1].means[0].mean == pytest.approx(0.01, rel=0.2)
    assert "normal 0.0098 (" in spread.sentence
    condition = profile_info(runs, CONDITION)
    assert condition.infinite == 2 * 4 * 2 and condition.profiles[0].means[1].infinite == 4
    assert condition.sentence.endswith("1000 (1000 to 1000) for all.")
    runs[0].before[CONDITION][0] = 10.0
    assert "normal 1000 (1000 to 1000)." in profile_info(runs, CONDITION).sentence
    (triangles,) = [trace for trace in plot_profile(condition).data if trace.name == "infinite"]
    assert list(triangles.x) == [2, 3, 2, 3]
    assert "Triangles: infinite" in condition.reading and "Triangles" not in spread.reading
    assert spread.shows == "Activation spread before training by layer" and spread.n == "n=4 seeds each"
    assert spread.interval == spread.band and f"Bars: {spread.band}." in spread.reading
    assert profile_info(runs, GRADIENT, FIRST).shows == "Gradient norm by layer in the first epoch"
    assert profile_info(runs, GRADIENT).shows == "Gradient norm by layer in the last epoch"
    assert profile_info(runs, GRADIENT, FIRST).profiles[0].values.shape == (4, 3)
    for run in runs:
        run.before[SPREAD][:] = 0
    assert "is 0 in every layer" in profile_info(runs, SPREAD).problem
    with pytest.raises(ValueError, match="what"):
        profile_info(runs, "colour")


def test_the_deepest_networks_of_each_method() -> None:
    runs = deepest(runs_of({"a": (1.0, (2, 5)), "b": (1.0, (3,))}))
    assert {(run.method, run.depth) for run in runs} == {("a", 5), ("b", 3)} and len(runs) == 8


def test_unreadable_arrays_are_left_out() -> None:
    whole = chain(3, 1.0, 0)
    arrays = {
        "a": whole, "b": {}, "c": whole | {"grad_norm": whole["grad_norm"][:, :2]},
        "d": whole | {"names": np.array([])},
        "e": {key: value for key, value in whole.items() if key not in ("condition", "activation_std")},
    }  # fmt: skip
    frame = pd.DataFrame({"run_id": list("abcdef"), "seed": 0})
    runs = layer_runs(arrays, frame, dict.fromkeys("abcdef", "m"))
    assert [run.run_id for run in runs] == ["a", "e"]
    assert len(profile_info(runs, SPREAD).profiles[0].seeds) == 1


def test_empty_states() -> None:
    assert "left the gradient norms" in heat_info([]).problem and ratio_info([]).sentence == ""
    assert "left the condition" in profile_info([], CONDITION).problem
    one_layer = runs_of({"linear": (1.0, (1,))})
    assert not ratio_info(one_layer).ratios and not heat_info(one_layer).problem
    assert heat_info(one_layer).range[0] > 0 and len(plot_heat(heat_info(one_layer)).data) == 1


@pytest.mark.parametrize("dark", [False, True])
def test_the_figures_render(dark: bool) -> None:
    runs = runs_of({"sigmoid": (0.25, (2, 4)), "<b>": (1.0, (2, 4))})
    heat, ratio, profile = heat_info(runs), ratio_info(runs), profile_info(runs, SPREAD)
    figure = plot_heat(heat, dark=dark)
    assert len(figure.data) == 4 and figure.layout.yaxis.autorange == "reversed"
    assert figure.data[0].z.shape == (2, 4) and "&lt;b&gt;" in figure.layout.annotations[2].text
    assert sum(len(trace.x) for trace in plot_ratio(ratio, dark=dark).data if trace.customdata is not None) == 16
    assert len(plot_profile(profile, dark=dark).data) == 8
    assert len(ratio.frame()) == 16 and len(profile.frame()) == 2 * 4 * (2 + 4)


def test_runs_on_one_training_set_are_one_value() -> None:
    values, sets = np.random.default_rng(1).lognormal(size=6), [0, 0, 1, 1, 2, 2]
    logs = np.log(values).reshape(3, 2).mean(axis=1)
    low, high = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))
    interval = geometric_mean(values, sets)
    assert (interval.low, interval.high, interval.n) == pytest.approx((math.exp(low), math.exp(high), 3))
    arrays = {f"r{k}": chain(3, 1.1, k) for k in range(6)}
    rows = pd.DataFrame({"run_id": list(arrays), "seed": range(6), "seed_data": sets})
    (ratio,) = ratio_info(layer_runs(arrays, rows, dict.fromkeys(arrays, "m"))).ratios
    assert ratio.over.n == 3 and len(ratio.seeds) == 6


def test_a_gradient_that_is_zero_in_some_runs_only_is_no_explosion() -> None:
    arrays = {f"r{k}": chain(3, 20.0, k) for k in range(5)}
    for name in ("r3", "r4"):
        arrays[name]["grad_norm"][:, 0] = 0
    rows = pd.DataFrame({"run_id": list(arrays), "seed": range(5)})
    info = ratio_info(layer_runs(arrays, rows, dict.fromkeys(arrays, "m")))
    assert info.ratios[0].verdict == "mixed" and "(mixed, n=3, 0 in 2 more)" in info.sentence
