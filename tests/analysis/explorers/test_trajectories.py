"""Ways down: counted steps against theory, outcomes, sentences, and one optimizer under two names."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.explorers.convergence import best
from analysis.explorers.surfaces import bowl, himmelblau, rosenbrock, saddle
from analysis.explorers.trajectories import (
    METHODS,
    RATES,
    Entry,
    Settings,
    TrajectoriesInfo,
    best_rate,
    settled,
    trajectories_info,
)
from analysis.explorers.trajectory_figure import edge, plot_distances, plot_surface
from analysis.explorers.update_rules import Adam, GradientDescent, Momentum, path

FLAT = (-2.0, 0.0)
"""On the flat axis of the bowl: only its curvature counts."""


def entries(lr: float, *methods: str, **settings: float) -> list[Entry]:
    return [Entry(name, METHODS[name], Settings(**settings).rule(name, lr)) for name in methods or METHODS]  # type: ignore[arg-type]


def down(lr: float, *methods: str, start: tuple[float, float] = (-1.8, 1.0), steps: int = 500) -> TrajectoriesInfo:
    return trajectories_info(bowl(100), start, entries(lr, *methods), steps)


def test_gradient_descent_takes_the_steps_of_the_closed_form() -> None:
    (way,) = down(0.1, "sgd", start=FLAT).trajectories
    expected = math.ceil(math.log(0.01) / math.log(0.99))
    assert way.arrived == expected == 459 and way.close is None
    assert way.distances == pytest.approx(0.99 ** np.arange(501))
    assert way.bound == pytest.approx(way.distances), "theory is exact here"
    info = down(0.1, "sgd", start=FLAT)
    assert (
        info.sentence == "Gradient descent stays within 1% of the starting distance from the minimum, after 459 steps."
    )
    assert "multiplies the flat direction by 0.990 and the steep one by 0.000 a step: 459 steps" in info.theory
    assert "0.980 for gradient descent (lr 0.198)" in info.theory and "0.818 for momentum (lr 0.331" in info.theory


def test_every_distance_stays_below_what_theory_foretells() -> None:
    for lr in (0.02, 0.1, 0.19, 0.3):
        for way in down(lr).trajectories:
            assert (way.bound is None) == (way.entry.method in ("rmsprop", "adam"))
            if way.bound is not None:
                assert (way.distances <= way.bound * (1 + 1e-9) + 1e-12).all()


def test_settled_counts_to_the_last_return() -> None:
    distances = np.array([[1.0, 1.0, 0.001], [0.005, 0.5, math.nan], [0.02, 0.2, 0.001], [0.004, 0.1, 0.001]])
    assert settled(distances, 0.01).tolist() == [3.0, math.inf, 2.0]
    assert settled(distances[:2, :1], 0.01).tolist() == [1.0]
    assert settled(np.zeros((3, 1)), 0.01).tolist() == [0.0]


def test_one_optimizer_under_two_names_is_a_tie() -> None:
    twice = [replace(entries(0.1, "momentum")[0], label=name) for name in ("one", "other")]
    info = trajectories_info(bowl(100), (-1.8, 1.0), twice, 300)
    one, other = info.trajectories
    assert (one.points == other.points).all() and one.arrived == other.arrived
    assert info.sentence.startswith("One and other are the first to stay within 1% of the starting distance")
    assert f"both after {one.arrived} steps" in info.sentence and "then" not in info.sentence


def test_what_diverges_is_drawn_to_the_edge_counted_and_said() -> None:
    info = down(0.25, "sgd", "momentum")
    lost, inside = info.trajectories
    assert lost.diverged and lost.arrived is None and not inside.diverged
    assert np.isfinite(lost.points).all() and np.isfinite(lost.distances).all() and len(lost.points) < 40
    assert info.order[-1] is lost and info.sentence.endswith("gradient descent diverged.")
    assert "the steep one by 1.500 a step: it does not converge" in info.theory
    place = edge(info.surface, lost)
    assert place is not None and np.abs(place).max() == pytest.approx(2.0) and info.surface.inside(place * 0.999)
    assert edge(info.surface, inside) is None
    drawn = plot_surface(info).data
    red = [trace for trace in drawn if trace.type == "scatter" and trace.marker.symbol == "x-thin"]
    assert len(red) == 1 and (red[0].x[0], red[0].y[0]) == pytest.approx(tuple(place))
    assert len(info.frame().query("method == 'gradient descent'")) == len(lost.points)
    assert info.table()["at the end"].tolist()[-1] == "diverged"


def test_when_all_diverge_it_says_so() -> None:
    info = trajectories_info(rosenbrock(), (-1.2, 1.0), entries(1.0, "sgd", "momentum", "nesterov"), 100)
    assert info.sentence == "All of them diverged."
    assert plot_surface(info).data and plot_distances(info, dark=True).data
    alone = trajectories_info(rosenbrock(), (-1.2, 1.0), entries(1.0, "sgd"), 100)
    assert alone.sentence == "Gradient descent diverged."


def test_who_has_not_arrived_is_told_by_what_is_left() -> None:
    info = down(0.01, "sgd", "momentum", start=FLAT, steps=50)
    left = 0.999**50
    assert info.sentence.endswith("of the starting distance left after 50 steps.")
    assert f"gradient descent {100 * left:.0f}%" in info.sentence and info.sentence.startswith("Momentum has ")


@pytest.mark.parametrize(
    "surface", [bowl(20, 30), rosenbrock(), saddle(), himmelblau()], ids=lambda surface: surface.name
)
@pytest.mark.parametrize("method", list(METHODS))
def test_the_searched_rate_is_the_best_of_all(surface, method: str) -> None:  # type: ignore[no-untyped-def]
    settings, steps = Settings(), 100
    chosen = best_rate(surface, method, settings, surface.start, steps)

    def score(lr: float) -> tuple[float, float]:
        (way,) = trajectories_info(
            surface, surface.start, [Entry(method, "", settings.rule(method, lr))], steps
        ).trajectories
        end = math.inf if way.diverged else float(way.distances[-1])
        return (math.inf if way.arrived is None else way.arrived), end

    scores = [score(lr) for lr in RATES]
    assert score(chosen)[0] == min(scores)[0]
    if math.isinf(min(scores)[0]):
        assert score(chosen)[1] == pytest.approx(min(scores)[1])


def test_different_minima_are_told_apart() -> None:
    info = trajectories_info(himmelblau(), (0.0, -0.5), entries(0.01, "sgd", "momentum"), 300)
    assert info.trajectories[0].minimum == pytest.approx((3, 2))
    assert info.ends.startswith("They end in 2 different minima: gradient descent at (3, 2)")
    assert trajectories_info(himmelblau(), (0.0, -0.5), entries(0.01, "sgd"), 300).ends == ""


def test_gradient_descent_and_momentum_do_not_notice_a_turned_bowl_and_adam_does() -> None:
    turn = bowl(100, 30).eigenvectors
    assert turn is not None
    start = np.array([-1.2, 0.5])
    turned = tuple((turn @ start).tolist())
    for name in METHODS:
        straight = trajectories_info(bowl(100), tuple(start.tolist()), entries(0.1, name), 60).trajectories[0]
        other = trajectories_info(bowl(100, 30), turned, entries(0.1, name), 60).trajectories[0]
        same = np.allclose(straight.distances, other.distances, rtol=1e-6, atol=1e-9)
        assert same == (name in ("sgd", "momentum", "nesterov")), name


def test_without_methods_or_on_a_minimum_there_is_a_sentence_and_no_crash() -> None:
    none = trajectories_info(bowl(), (-1.0, 1.0), [], 10)
    still = trajectories_info(bowl(), (0.0, 0.0), entries(0.1), 10)
    assert none.sentence == "Choose at least one method." and "is a minimum already" in still.sentence
    for info in (none, still):
        assert plot_surface(info).data and plot_distances(info).layout.yaxis.type == "log"
        assert len(info.frame().columns) == 8


def test_one_step_is_drawn() -> None:
    info = down(0.1, steps=1)
    assert "after 1 step." in info.sentence
    assert plot_surface(info).data and plot_distances(info).data


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="method: adagrad is not allowed; allowed: sgd, "):
        Settings().rule("adagrad", 0.1)


def test_settings_reach_the_rules() -> None:
    settings = Settings(0.8, 0.95, 1e-3, corrected=False)
    assert settings.rule("adam", 0.1) == Adam(0.1, 0.8, 0.95, 1e-3, corrected=False)
    assert settings.rule("momentum", 0.1) == Momentum(0.1, 0.8)
    assert Entry("momentum", "", settings.rule("momentum", 0.1)).setting == "lr 0.1, β 0.8"


@pytest.mark.parametrize("dark", [True, False])
def test_the_figures_show_every_way(dark: bool) -> None:
    ways = [*entries(0.1), Entry("adam", "Adam <b>raw</b>", Adam(0.1, corrected=False))]
    info = trajectories_info(bowl(100), (-1.8, 1.0), ways, 200)
    surface, distances = plot_surface(info, dark=dark), plot_distances(info, dark=dark)
    for figure in (surface, distances):
        named = [trace for trace in figure.data if trace.name and trace.showlegend is not False]
        assert {trace.name for trace in named} == {*METHODS.values(), "Adam &lt;b&gt;raw&lt;/b&gt;"}
        lines = {(trace.line.color, trace.line.dash) for trace in named}
        assert len(lines) == len(named), "two of one colour differ by their dash"
    assert tuple(surface.layout.xaxis.range) == (-2, 2) and surface.layout.yaxis.scaleanchor == "x"
    dotted = [trace for trace in distances.data if trace.line.dash == "dot" and trace.showlegend is False]
    assert len(dotted) == 3, "a bound for each method that theory knows"
    assert all(np.nanmin(np.array(trace.y, dtype=float)) >= 1e-7 for trace in distances.data)


def test_the_best_of_theory_beats_the_search_by_rate() -> None:
    surface = bowl(100)
    assert surface.eigenvalues is not None
    for kind, name in ((GradientDescent, "sgd"), (Momentum, "momentum")):
        rule = best(kind, surface.eigenvalues)
        assert rule is not None
        searched = Settings().rule(name, best_rate(surface, name, Settings(), surface.start, 1000))
        far = [
            surface.distance(path(candidate, surface.gradient, np.array(surface.start), 1000))[200]
            for candidate in (rule, searched)
        ]
        assert far[0] <= far[1] * 1.2
