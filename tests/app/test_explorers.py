"""The explorers of optimizers: every setting draws, comes from the URL, and changes the answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from analysis.explorers.surfaces import SURFACES
from analysis.explorers.trajectories import METHODS, Settings, best_rate


def _surface() -> None:
    from app.optimizers import explorers

    explorers.surface()


def _averages() -> None:
    from app.optimizers import explorers

    explorers.averages()


def _momentum() -> None:
    from app.optimizers import explorers

    explorers.momentum()


def opened(script: Any, **params: str) -> AppTest:
    at = AppTest.from_function(script, default_timeout=30)
    for key, value in params.items():
        at.query_params[key.replace("_", "-")] = value
    at.run()
    assert not at.exception
    return at


def answer(at: AppTest) -> str:
    """The sentence in bold, as it is read."""
    (bold,) = [element.value for element in at.markdown if element.value.startswith("**")]
    return re.sub(r"\\(?=[^\w\s])", "", bold).strip("*").replace("\u2060", "")


def captions(at: AppTest) -> str:
    return re.sub(r"\\(?=[^\w\s])", "", " ".join(element.value for element in at.caption)).replace("\u2060", "")


@pytest.mark.parametrize("name", list(SURFACES))
@pytest.mark.parametrize("rates", ["one for all", "best of each"])
def test_every_surface_draws_at_one_rate_and_at_the_best(name: str, rates: str) -> None:
    at = opened(_surface, surface=name, **{f"surface-rates-{name}": rates})
    assert len(at.get("plotly_chart")) == 2 and len(at.dataframe[0].value) == 4
    assert "distance" in answer(at)
    taken = dict(zip(at.dataframe[0].value["method"], at.dataframe[0].value["setting"], strict=True))
    ground = SURFACES[name]()
    for method in ("sgd", "adam"):
        lr = ground.lr if rates == "one for all" else best_rate(ground, method, Settings(), ground.start, 300)
        assert taken[METHODS[method]] == f"lr {lr:g}"
    assert ("One learning rate for all says little" in captions(at)) == (rates == "one for all")
    assert ("the best of 51 learning rates from 0.0001 to 10" in captions(at)) == (rates == "best of each")
    assert at.select_slider(key=f"surface-lr-{name}").disabled == (rates == "best of each")
    assert ("Theory:" in captions(at)) == (name == "bowl")


def test_theory_sets_its_own_best_rates_on_the_bowl_alone() -> None:
    at = opened(_surface, **{"surface-rates-bowl": "theory's best"})
    settings = dict(zip(at.dataframe[0].value["method"], at.dataframe[0].value["setting"], strict=True))
    assert settings["gradient descent"] == "lr 0.198" and settings["momentum"] == "lr 0.331, β 0.669"
    rates = dict(zip(at.dataframe[0].value["method"], at.dataframe[0].value["rate"], strict=True))
    assert rates["momentum"] == pytest.approx(9 / 11, abs=1e-6)
    at = opened(_surface, surface="saddle")
    assert at.segmented_control(key="surface-rates-saddle").options == ["one for all", "best of each"]


def test_settings_come_from_the_url_and_change_the_answer() -> None:
    at = opened(
        _surface,
        **{"surface-lr-bowl": "0.25", "surface-condition": "20", "surface-methods": "momentum", "surface-steps": "50"},
    )
    assert at.select_slider(key="surface-lr-bowl").value == 0.25
    assert at.select_slider(key="surface-condition").value == 20
    assert at.dataframe[0].value["method"].tolist() == ["momentum"]
    at.slider(key="surface-beta").set_value(0.5).run()
    at.slider(key="surface-x-bowl").set_value(1.25).run()
    assert not at.exception and "lr 0.25, β 0.5" in captions(at)


def test_a_rate_too_large_is_said_to_diverge() -> None:
    at = opened(_surface, **{"surface-lr-bowl": "0.25"})
    assert answer(at).endswith("gradient descent diverged.")
    at.select_slider(key="surface-lr-bowl").set_value(0.1).run()
    assert "diverged" not in answer(at)


def test_adam_is_drawn_with_without_and_with_both_kinds_of_averages() -> None:
    at = opened(_surface, **{"surface-bias": "both"})
    assert {"Adam", "Adam without correction"} <= set(at.dataframe[0].value["method"])
    at.segmented_control(key="surface-bias").set_value("off").run()
    assert "Adam" not in set(at.dataframe[0].value["method"]) and len(at.dataframe[0].value) == 4


def test_without_a_method_or_on_the_minimum_one_sentence_says_so() -> None:
    at = opened(_surface)
    at.pills(key="surface-methods").set_value([]).run()
    assert not at.exception and answer(at) == "Choose at least one method." and not at.get("plotly_chart")
    at.pills(key="surface-methods").set_value(list(METHODS)).run()
    at.slider(key="surface-x-bowl").set_value(0.0).run()
    at.slider(key="surface-y-bowl").set_value(0.0).run()
    assert not at.exception and "is a minimum already" in answer(at)


def test_averages_follow_their_beta_and_another_seed_is_other_noise() -> None:
    at = opened(_averages)
    assert len(at.get("plotly_chart")) == 2 and "remembers about 10 days" in answer(at)
    assert "1 − β¹⁰ = 0.6513" in captions(at)
    at.slider(key="averages-beta").set_value(0.5).run()
    assert "remembers about 2 days" in answer(at)
    before = captions(at)
    at.button(key="averages-another").click().run()
    assert at.number_input(key="averages-seed").value == 1 and captions(at) != before


def test_momentum_is_equal_at_the_right_rates_and_told_when_not() -> None:
    at = opened(_momentum)
    assert len(at.get("plotly_chart")) == 2
    assert "10 times as large" in answer(at) and "diverges" in answer(at)
    at.slider(key="momentum-beta").set_value(0.5).run()
    assert "2 times as large" in answer(at)
    at.slider(key="momentum-beta").set_value(0.0).run()
    assert "gradient descent" in answer(at) and not at.exception


@pytest.mark.parametrize(
    ("script", "params"),
    [
        (_surface, {"surface": "cone", "surface-lr-bowl": "seven", "surface-steps": "-1", "surface-methods": "<b>"}),
        (_averages, {"averages-beta": "1.5", "averages-day": "0", "averages-seed": "x"}),
        (_momentum, {"momentum-lr": "0", "momentum-beta": "nan"}),
    ],
)
def test_nonsense_in_the_url_is_no_crash(script: Any, params: dict[str, str]) -> None:
    at = opened(script, **params)
    assert len(at.get("plotly_chart")) == 2


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("script", [_surface, _averages, _momentum])
def test_each_figure_can_be_taken_along(script: Any, place: int) -> None:
    at = opened(script)
    assert len(at.get("download_button")) == 2
    [button for button in at.button if str(button.key).startswith("image-")][place].click().run()
    assert not at.exception and len(at.get("plotly_chart")) == 3
