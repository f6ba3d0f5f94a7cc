"""Regions: boundaries of known length, seeds that agree or not, colours of two and of many classes."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from analysis.figures.panels import together
from analysis.regularization.decision_regions import boundary_length, plot_regions, regions_info, shaded
from analysis.regularization.strengths import strengths

DROPOUT = "model.dropout"
GRID = np.linspace(-2, 2, 80)
X, Y = np.meshgrid(GRID, GRID)


def test_the_boundary_of_half_a_plane_is_one_side_long() -> None:
    upright, level = (X > 0.3).astype(int), (Y > -1).astype(int)
    assert boundary_length(upright, GRID, GRID) == pytest.approx(1)
    assert boundary_length(level, GRID, GRID) == pytest.approx(1)
    assert boundary_length((X > 9).astype(int), GRID, GRID) == 0
    assert boundary_length(upright + 2 * level, GRID, GRID) == pytest.approx(2)
    wide = np.linspace(-4, 4, 80)
    assert boundary_length(upright, wide, GRID) == pytest.approx(0.5), "half as tall as the plane is wide"


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.5])
def test_along_the_grid_a_circle_is_as_long_as_its_square(radius: float) -> None:
    length = boundary_length((np.hypot(X, Y) < radius).astype(int), GRID, GRID)
    assert length == pytest.approx(8 * radius / 4, rel=0.05)


def logistic(slope: float, shift: float = 0.0) -> np.ndarray:
    p = 1 / (1 + np.exp(-slope * (X - shift)))
    return np.stack([1 - p, p], axis=2)


def left(probabilities: np.ndarray, **more: Any) -> dict[str, np.ndarray]:
    count = probabilities.shape[2]
    points = np.array([[0.5, 0.5], [-0.5, 0.2], [1.0, -1.0]])
    return {
        "x": GRID, "y": GRID, "probabilities": probabilities.astype(np.float16), "points": points,
        "labels": np.arange(3) % count, "classes": np.array([f"class {k}" for k in range(count)]),
    } | more  # fmt: skip


def two(strength_runs: Any, n: int = 2) -> tuple[Any, dict[str, Any]]:
    """Two strengths: seeds that agree, and seeds whose boundary moves by a quarter of the plane."""
    runs = strength_runs({(0.0,): [0.1] * n, (0.5,): [0.2] * n}, [DROPOUT])
    arrays = {
        run: left(logistic(4, 0.0 if strength == 0 else seed - (n - 1) / 2))
        for run, strength, seed in zip(runs["run_id"], runs[DROPOUT], runs["seed"], strict=True)
    }
    return strengths(runs, DROPOUT), arrays


def test_the_mean_of_the_seeds_or_one_of_them(strength_runs: Any) -> None:
    of_axis, arrays = two(strength_runs)
    info = regions_info(of_axis, arrays)
    runs = [run for run in arrays if "0.5" in run]
    mean = np.mean([arrays[run]["probabilities"].astype(float) for run in runs], axis=0)
    assert info.regions[1].probabilities == pytest.approx(mean) and info.seeds == (0, 1)
    one = regions_info(of_axis, arrays, seed=1)
    assert one.regions[1].probabilities == pytest.approx(arrays[runs[1]]["probabilities"].astype(float))
    assert "seed 1" in one.reading and regions_info(of_axis, arrays, seed=7).empty


def test_seeds_agree_where_they_answer_as_their_mean(strength_runs: Any) -> None:
    info = regions_info(*two(strength_runs, 3))
    same, moved = info.regions
    assert same.agreement == 1
    # Three boundaries, one apart in a plane of four: the mean answers as the one in the middle, the others each answer
    # a quarter otherwise.
    assert moved.agreement == pytest.approx(1 - 2 / 3 * 1 / 4, abs=0.01)
    assert same.length.mean == moved.length.mean == pytest.approx(1)
    assert "100% and 83" in info.sentence and "1 and 1 times as long as a side of the square shown" in info.sentence


def test_boundaries_are_compared_seed_from_seed(strength_runs: Any) -> None:
    of_axis, arrays = two(strength_runs, 3)
    rings = np.stack([X**2 + Y**2 < 1, X**2 + Y**2 >= 1], axis=2)
    arrays |= {run: left(rings) for run in arrays if "0.5" in run}
    info = regions_info(of_axis, arrays)
    assert info.longer is not None and info.longer.paired_on == "seed"
    assert info.longer.interval.mean == pytest.approx(2 - 1, rel=0.06) and "sides longer)" in info.sentence
    table = info.frame()
    assert table["seed"].tolist() == [0, 1, 2] * 2 and table["boundary"][:3].tolist() == pytest.approx([1, 1, 1])


def test_lengths_are_the_mean_of_the_seeds_own_boundaries_in_longer_sides(strength_runs: Any) -> None:
    """The seeds' steps stand apart, so that their mean answers with one step of its own; all of them are one side."""
    of_axis, arrays = two(strength_runs, 3)
    rings = np.stack([X**2 + Y**2 < 1, X**2 + Y**2 >= 1], axis=2)
    moved = [run for run in arrays if "0.5" in run]
    arrays |= {moved[0]: left(rings)}
    info = regions_info(of_axis, arrays)
    assert info.regions[1].length.mean == pytest.approx((2 + 1 + 1) / 3, rel=0.03)
    assert regions_info(of_axis, arrays, seed=1).regions[1].length.mean == info.regions[1].length.mean
    assert "the boundary of a seed is on average 1 and 1.3" in info.sentence
    wide = regions_info(of_axis, {run: stored | {"x": 2 * GRID} for run, stored in arrays.items()})
    assert "a side of the plane shown, the longer one" in wide.sentence


def test_files_of_another_plane_or_broken_ones_are_left_out(strength_runs: Any) -> None:
    of_axis, arrays = two(strength_runs, 4)
    first, second, third = [run for run in arrays if "0.5" in run][:3]
    arrays[first] = left(logistic(4), x=GRID * 2)
    arrays[second] = left(np.full((80, 80, 2), math.nan))
    del arrays[third]["points"]
    assert [region.seeds for region in regions_info(of_axis, arrays).regions] == [4, 1]
    nothing = regions_info(of_axis, {})
    assert nothing.empty and "regions.npz" in nothing.problem and nothing.sentence == nothing.problem
    assert nothing.frame().empty


def test_colours_are_pale_where_unsure_and_pure_where_sure() -> None:
    even = shaded(np.full((2, 2, 3), 1 / 3), dark=False).astype(int)
    sure = shaded(np.eye(3)[None], dark=False).astype(int)
    assert even.min() > 225 and sure.shape == (1, 3, 3)
    assert len({tuple(pixel) for pixel in sure[0].tolist()}) == 3 and sure.min() < 200


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_panels_show_regions_boundaries_and_examples(strength_runs: Any, dark: bool, classes: int) -> None:
    runs = strength_runs({(0.0,): [0.1, 0.1], (0.5,): [0.2, 0.3]}, [DROPOUT])
    scores = np.stack(
        [np.cos(2 * np.pi * k / classes) * X + np.sin(2 * np.pi * k / classes) * Y for k in range(classes)]
    )
    soft = np.exp(scores) / np.exp(scores).sum(axis=0)
    info = regions_info(strengths(runs, DROPOUT), {run: left(np.moveaxis(soft, 0, 2)) for run in runs["run_id"]})
    figure = plot_regions(info, 0, dark=dark)
    assert json.loads(figure.to_json())["layout"]["yaxis"]["scaleanchor"] == "x"
    kinds = [trace.type for trace in figure.data]
    assert kinds.count("contour") == (1 if classes == 2 else classes) and kinds[0] == "image"
    drawn = [pair for trace in figure.data if trace.type == "scatter" for pair in zip(trace.x, trace.y, strict=True)]
    assert sorted(drawn) == sorted(map(tuple, info.regions[0].points.tolist()))
    both = together([plot_regions(info, place, dark=dark) for place in (0, 1)])
    assert json.loads(both.to_json())["layout"]["yaxis2"]["scaleanchor"] == "x2"
    assert len(both.data) == 2 * len(figure.data) and {trace.xaxis for trace in both.data} == {"x", "x2"}


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 7])
def test_panels_stand_in_rows_that_do_not_overlap(columns: int) -> None:
    import plotly.graph_objects as go

    figures = [go.Figure(go.Scatter(x=[0, 1], y=[k, k], name="line"), {"title": {"text": f"no {k}"}}) for k in range(5)]
    figure = together(figures, columns=columns)
    axes = json.loads(figure.to_json())["layout"]
    boxes = [(axes[f"xaxis{k}"]["domain"], axes[f"yaxis{k}"]["domain"]) for k in ("", 2, 3, 4, 5)]
    for k, (x, y) in enumerate(boxes):
        assert 0 <= x[0] < x[1] <= 1 and 0 <= y[0] < y[1] <= 1
        for other_x, other_y in boxes[k + 1 :]:
            assert x[1] < other_x[0] or other_x[1] < x[0] or y[1] < other_y[0] or other_y[1] < y[0]
    assert [note.text for note in figure.layout.annotations] == [f"no {k}" for k in range(5)]
    assert [trace.showlegend for trace in figure.data] == [True] + [False] * 4
    with pytest.raises(ValueError, match="one or more"):
        together([])


def test_runs_on_one_training_set_are_one_boundary(strength_runs: Any) -> None:
    of_axis, arrays = two(strength_runs, n=6)
    of_axis = strengths(of_axis.runs.assign(seed_data=of_axis.runs["seed"] // 2), DROPOUT)
    info = regions_info(of_axis, arrays)
    assert info.n == "n=3 training sets each" and info.regions[1].length.n == 3 and info.longer is not None
    assert info.longer.interval.n == 3
    assert list(info.frame()["training set"]) == [0, 1, 2] * 2
