"""Ridgelines: no weight is lost when bins are joined, edges are shared, shares are those of the weights."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from analysis.regularization.strengths import Strengths, strengths
from analysis.regularization.weight_histograms import MOST_BINS, SCALES, plot_ridgelines, rebinned, ridgelines_info
from tracking.schema import NEAR_ZERO

L1 = "regularization.l1"
EDGES = np.concatenate([[-np.inf], np.linspace(-2, 2, 401), [np.inf]])


def left(weights: np.ndarray, edges: np.ndarray = EDGES) -> dict[str, np.ndarray]:
    """What a run with these weights leaves of its histogram."""
    counts, _ = np.histogram(weights, edges)
    near = np.full(2, (np.abs(weights) < NEAR_ZERO).mean())
    both = np.stack([counts, counts[::-1]])
    return {"names": np.array(["first", "second"]), "histogram": both, "edges": edges, "near_zero": near}


def swept(
    strength_runs: Any, widths: dict[float, float], n: int = 3
) -> tuple[Strengths, dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(0)
    runs = strength_runs({(value,): [0.1] * n for value in widths}, [L1])
    weights = {run: rng.laplace(0, widths[value], 5000) for run, value in zip(runs["run_id"], runs[L1], strict=True)}
    return strengths(runs, L1), {run: left(values) for run, values in weights.items()}, weights


@pytest.mark.parametrize("every", [1, 2, 7, 100])
def test_joined_bins_hold_what_their_bins_held(every: int) -> None:
    counts = np.random.default_rng(every).integers(0, 50, (3, len(EDGES) - 1))
    edges = sorted({0, len(EDGES) - 1, *range(0, len(EDGES), every)})
    joined = rebinned(counts, EDGES, EDGES[edges])
    assert joined.sum(axis=1).tolist() == counts.sum(axis=1).tolist()
    direct = np.array([[row[a:b].sum() for a, b in itertools.pairwise(edges)] for row in counts])
    assert np.array_equal(joined, direct)


@pytest.mark.parametrize("coarse", [EDGES[1:], EDGES[:-1], np.array([-np.inf, 0.0051, np.inf]), EDGES[:1]])
def test_edges_that_would_split_a_bin_are_refused(coarse: np.ndarray) -> None:
    with pytest.raises(ValueError, match="some of the edges"):
        rebinned(np.ones(len(EDGES) - 1), EDGES, coarse)


def test_seeds_are_pooled_and_every_ridge_has_the_same_area(strength_runs: Any) -> None:
    of_axis, layers, weights = swept(strength_runs, {0.0: 0.2, 0.01: 0.1, 0.1: 0.02})
    info = ridgelines_info(of_axis, layers)
    assert info.layers == ("first", "second") and info.layer == "first" and info.n == "n=3 seeds each"
    for ridge in info.ridges:
        pooled = np.concatenate([weights[run] for run in of_axis.members(ridge.strength)["run_id"]])
        inside = np.histogram(pooled, info.edges)[0] / len(pooled)
        assert ridge.density * np.diff(info.edges) == pytest.approx(inside) and ridge.total == len(pooled)
    areas = [(ridge.density * np.diff(info.edges)).sum() for ridge in info.ridges]
    assert min(areas) >= 0.999 and info.beyond == pytest.approx(1 - min(areas))
    assert len(info.edges) - 1 <= MOST_BINS and set(info.edges) <= set(EDGES)


def test_shares_and_spreads_are_those_of_the_weights(strength_runs: Any) -> None:
    of_axis, layers, weights = swept(strength_runs, {0.0: 0.3, 0.1: 0.02})
    for ridge in ridgelines_info(of_axis, layers).ridges:
        pooled = np.abs(np.concatenate([weights[run] for run in of_axis.members(ridge.strength)["run_id"]]))
        for bound in (0.02, 0.1, 0.5):
            assert ridge.within(bound) == pytest.approx((pooled <= bound).mean(), abs=0.01)
        assert ridge.spread(0.9) == pytest.approx(np.quantile(pooled, 0.9), abs=0.011), "to the edge of a bin"
        assert ridge.within(100.0) == pytest.approx(1.0)
        # Bins are far wider than NEAR_ZERO: this share is what the runs measured, not a part of a bin.
        assert ridge.near_zero == pytest.approx((pooled < NEAR_ZERO).mean())


def test_what_lies_in_open_bins_is_said(strength_runs: Any) -> None:
    of_axis, layers, _ = swept(strength_runs, {0.0: 3.0, 0.1: 0.1})
    info = ridgelines_info(of_axis, layers)
    assert info.beyond > 0.3 and "lie beyond" in info.reading
    assert info.edges[0] == EDGES[1] and info.edges[-1] == EDGES[-2]


def test_a_run_with_other_edges_is_left_out_and_counted(strength_runs: Any) -> None:
    of_axis, layers, weights = swept(strength_runs, {0.0: 0.3, 0.1: 0.1})
    run = next(iter(layers))
    layers[run] = left(weights[run], EDGES * 2)
    info = ridgelines_info(of_axis, layers)
    assert info.left_out == 1 and "1 runs with other edges" in info.reading
    assert [ridge.seeds for ridge in info.ridges] == [2, 3]


def test_another_layer_and_none_at_all(strength_runs: Any) -> None:
    of_axis, layers, _ = swept(strength_runs, {0.0: 0.3, 0.1: 0.1})
    second = ridgelines_info(of_axis, layers, "second")
    assert second.layer == "second" and not second.empty and "second" in second.sentence
    missing = ridgelines_info(of_axis, layers, "third")
    assert missing.empty and "third" in missing.problem and len(missing.frame()) == 0
    assert ridgelines_info(of_axis, {}).empty and plot_ridgelines(ridgelines_info(of_axis, {})).data == ()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("scale", SCALES)
def test_ridges_share_their_scale_and_stand_above_each_other(strength_runs: Any, dark: bool, scale: str) -> None:
    of_axis, layers, _ = swept(strength_runs, {0.0: 0.3, 0.01: 0.1, 0.1: 0.02}, 1)
    info = ridgelines_info(of_axis, layers)
    figure = plot_ridgelines(info, scale=scale, dark=dark)
    assert json.loads(figure.to_json())["layout"]["yaxis"]["ticktext"] == ["0", "0.01", "0.1"]
    ridges = [trace for trace in figure.data if trace.fill == "tonexty"]
    bases = [min(trace.y) for trace in ridges]
    assert bases == [2, 1, 0], "drawn from the back"
    tops = [max(trace.y) - base for trace, base in zip(ridges, bases, strict=True)]
    assert tops[0] == max(tops) and tops == sorted(tops, reverse=True), "the narrowest is the highest"
    highest = [max(ridge.density) for ridge in info.ridges]
    share = {"linear": lambda s: s, "square root": np.sqrt, "log": lambda s: 1 + np.log10(s) / 3}[scale]
    assert tops[2] / tops[0] == pytest.approx(float(share(highest[0] / highest[2])))
    with pytest.raises(ValueError, match="square root"):
        plot_ridgelines(info, scale="cube")


def test_the_table_holds_what_is_drawn(strength_runs: Any) -> None:
    of_axis, layers, _ = swept(strength_runs, {0.0: 0.3, 0.1: 0.1})
    info = ridgelines_info(of_axis, layers)
    table = info.frame()
    assert len(table) == 2 * (len(info.edges) - 1) and set(table[L1]) == {0.0, 0.1}
    assert (table["density"] * (table["high"] - table["low"])).sum() == pytest.approx(2, abs=2e-3)


@pytest.mark.parametrize(("narrow", "suited"), [(0.15, "linear"), (0.03, "square root"), (0.004, "log")])
def test_a_high_spike_asks_for_another_scale(strength_runs: Any, narrow: float, suited: str) -> None:
    of_axis, layers, _ = swept(strength_runs, {0.0: 0.2, 0.1: narrow})
    assert ridgelines_info(of_axis, layers).suited == suited
