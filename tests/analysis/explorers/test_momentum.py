"""The two ways of writing momentum: one path at the right learning rates, and what the wrong ones do."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.explorers.momentum import momentum_info
from analysis.explorers.surfaces import bowl
from analysis.explorers.trajectory_figure import plot_distances, plot_surface

START = (-1.8, 1.0)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("condition", [5, 100])
def test_at_lr_over_one_minus_beta_the_paths_are_one(beta: float, condition: float) -> None:
    info = momentum_info(bowl(condition), START, lr=0.1, beta=beta, steps=200)
    right, same, small, large = info.trajectories.trajectories
    assert info.gap < 1e-12 and same.points == pytest.approx(right.points, abs=1e-12)
    assert float(same.entry.rule.lr) == pytest.approx(0.1 / (1 - beta)) == 0.1 * info.factor
    if beta:
        # One step from the same start is 1 - beta as long, and 1 / (1 - beta).
        first = right.points[1] - right.points[0]
        assert small.points[1] - small.points[0] == pytest.approx((1 - beta) * first)
        if len(large.points) > 1:
            assert large.points[1] - large.points[0] == pytest.approx(first / (1 - beta))


def test_the_sentence_tells_what_forgetting_does() -> None:
    info = momentum_info(bowl(100), START, lr=0.1, beta=0.9, steps=300)
    right, _, small, large = info.trajectories.trajectories
    assert large.diverged and small.arrived is None and right.arrived
    assert "10 times as large" in info.sentence and f"within 1% after {right.arrived} steps" in info.sentence
    assert "10 times too large (it diverges after " in info.sentence and "left after 300 steps" in info.sentence
    assert (
        "both ways of writing it are gradient descent"
        in momentum_info(bowl(), START, lr=0.1, beta=0.0, steps=10).sentence
    )
    assert "is a minimum already" in momentum_info(bowl(), (0.0, 0.0), lr=0.1, beta=0.9, steps=10).sentence


def test_the_right_path_is_a_band_beneath_the_same_path_of_the_other() -> None:
    info = momentum_info(bowl(100), START, lr=0.1, beta=0.9, steps=100)
    for figure in (plot_surface(info.trajectories), plot_distances(info.trajectories, dark=True)):
        named = [trace for trace in figure.data if trace.name and trace.showlegend is not False]
        assert len({trace.line.color for trace in named}) == 4
        assert named[0].line.width > 3 * named[1].line.width
        assert np.array(named[0].y, dtype=float) == pytest.approx(np.array(named[1].y, dtype=float), nan_ok=True)
    assert set(info.frame()["method"]) == {way.label for way in info.trajectories.trajectories}


def test_a_beta_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="beta: 1 is not allowed; allowed: 0 to less than 1"):
        momentum_info(bowl(), START, lr=0.1, beta=1, steps=10)
