"""Cells by hand, and a surface that must give a plane back as it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.search.contour import FEW, contour_info, plot_contour
from analysis.search.history import trial_results

KEYS = ["model.width", "optimizer.lr", "optimizer.name"]


def trials(rows: list[tuple[Any, Any, Any, Any]]) -> Any:
    """The trials of a search, each given as (width, lr, name, result or outcome)."""
    frame = pd.DataFrame(
        [
            {
                "run_id": str(number), "trial": number, "outcome": result if isinstance(result, str) else "ok",
                "counts": True, "objective": math.nan if isinstance(result, str) else result, "model.width": width,
                "optimizer.lr": lr, "optimizer.name": name,
            }
            for number, (width, lr, name, result) in enumerate(rows)
        ]
    )  # fmt: skip
    return trial_results(frame, KEYS)


def test_few_values_are_cells_of_means() -> None:
    rows = [
        (8, 0.1, "adam", 0.5), (8, 0.1, "sgd", 0.7), (16, 0.1, "adam", 0.2), (16, 1.0, "adam", "diverged"),
        (8, 1.0, "adam", 0.4),
    ]  # fmt: skip
    info = contour_info(trials(rows), "model.width", "optimizer.lr", "val/loss", "minimize")
    assert info.cells is not None and info.surface is None
    assert (info.cells.x, info.cells.y) == ((8.0, 16.0), (0.1, 1.0))
    np.testing.assert_allclose(info.cells.means, [[0.6, 0.2], [0.4, math.nan]])
    assert info.cells.counts.tolist() == [[2, 1], [1, 0]] and info.cells.diverged.tolist() == [[0, 0], [0, 1]]
    heat, lost = plot_contour(info).data
    np.testing.assert_allclose(heat.z, info.cells.means)
    assert (list(lost.x), list(lost.y)) == ([1], [1]), "a cell of which every trial diverged has a red cross"


def random_trials(height: Any, n: int = 60) -> Any:
    generator = np.random.default_rng(3)
    widths, rates = generator.uniform(10, 20, n), 10 ** generator.uniform(-3, 0, n)
    return trials([(w, lr, "adam", height(w, lr)) for w, lr in zip(widths.tolist(), rates.tolist(), strict=True)])


def test_a_plane_in_the_scales_of_the_axes_is_given_back_exactly() -> None:
    def plane(width: Any, lr: Any) -> Any:
        return 2.0 + 0.1 * width - 0.5 * np.log10(lr)

    info = contour_info(
        random_trials(lambda w, lr: float(plane(w, lr))), "model.width", "optimizer.lr", "val/loss", "minimize"
    )
    assert info.cells is None and info.surface is not None and info.y.log and not info.log
    expected = plane(*np.meshgrid(info.surface.x, info.surface.y))
    inside = np.isfinite(info.surface.z)
    assert 0.5 < inside.mean() < 1.0, "nothing is guessed outside of what was tried"
    np.testing.assert_allclose(info.surface.z[inside], expected[inside], rtol=1e-6)


def test_an_objective_over_powers_of_ten_is_interpolated_by_its_logarithm() -> None:
    info = contour_info(
        random_trials(lambda w, lr: float(10 ** (0.3 * w - 3))), "model.width", "optimizer.lr", "val/loss", "minimize"
    )
    assert info.log and info.surface is not None
    inside = np.isfinite(info.surface.z)
    expected = np.broadcast_to(10 ** (0.3 * info.surface.x - 3), info.surface.z.shape)
    np.testing.assert_allclose(info.surface.z[inside], expected[inside], rtol=1e-5)


def test_trials_on_a_line_or_beside_words_are_dots() -> None:
    line = trials([(float(k), 0.1 * k + 0.1, "adam", 0.1 * k + 0.5) for k in range(FEW + 3)])
    info = contour_info(line, "model.width", "optimizer.lr", "val/loss", "minimize")
    assert info.cells is None and info.surface is None and "interpolated" not in info.sentence
    words = contour_info(random_trials(lambda w, lr: w), "optimizer.name", "optimizer.lr", "val/loss", "minimize")
    assert words.cells is None and words.surface is None
    (dots,) = plot_contour(words).data
    assert list(dots.marker.color) == [trial.mean for trial in words.trials], "dots carry the objective"


@pytest.mark.parametrize(("direction", "reverse"), [("minimize", False), ("maximize", True)])
@pytest.mark.parametrize("dark", [False, True])
def test_the_best_has_the_strongest_colour(direction: str, reverse: bool, dark: bool) -> None:
    info = contour_info(random_trials(lambda w, lr: w), "model.width", "optimizer.lr", "acc", direction)
    surface, dots = plot_contour(info, dark=dark).data
    assert bool(surface.reversescale) is reverse and ("higher" in info.sentence) is reverse
    assert len(dots.x) == 60


def test_trials_without_one_of_the_keys_are_left_out_and_nothing_is_drawn_of_none() -> None:
    info = contour_info(
        trials([(8, None, "adam", 0.5), (8, 0.1, "adam", 0.5)]), "model.width", "optimizer.lr", "val/loss", "minimize"
    )
    assert [trial.number for trial in info.trials] == [1]
    empty = contour_info([], "model.width", "optimizer.lr", "val/loss", "minimize")
    assert empty.cells is None and empty.surface is None and not empty.with_result
