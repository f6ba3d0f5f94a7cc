"""The palette is told apart with normal and colour-blind sight on both backgrounds, and a method keeps its colour."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.figures import theme

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


def linear(colour: str) -> np.ndarray:
    """The linear RGB of an sRGB colour."""
    value = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """A linear RGB colour in CIELAB, under D65."""
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    )
    ratio = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK])
def test_colours_stay_apart(palette: tuple[str, ...], sight: str) -> None:
    colours = [lab(SIGHT[sight] @ linear(colour)) for colour in palette]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(colours, 2)) > 20


@pytest.mark.parametrize(("palette", "page"), [(theme.LIGHT, "light"), (theme.DARK, "dark")])
def test_lines_stand_out_from_the_page(palette: tuple[str, ...], page: str) -> None:
    for colour in (*palette, theme.DIVERGED[page]):
        assert contrast(colour, theme.BACKGROUND[page]) >= 3


def test_a_method_keeps_its_colour_whatever_it_is_compared_with() -> None:
    alone = theme.colour_indices(["adam"])
    among = theme.colour_indices(["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "adagrad"])
    assert among["adam"] == alone["adam"] and len(set(among.values())) == 7


def test_unknown_names_have_stable_and_different_colours() -> None:
    names = [f"something {k}" for k in range(7)]
    places = theme.colour_indices(names)
    assert len(set(places.values())) == 7
    assert theme.colour_indices(reversed(names)) == places
    assert set(theme.colour_indices([f"x{k}" for k in range(50)]).values()) == set(range(7))


def test_lines_of_one_colour_differ_by_their_dash() -> None:
    chosen = theme.dashes([0, 1, 0, 0])
    assert chosen[0] == chosen[1] == "solid" and len({chosen[0], chosen[2], chosen[3]}) == 3


def test_labels_are_no_markup_and_not_endless() -> None:
    assert theme.plain("<img src=x> & <b>") == "&lt;img src=x&gt; &amp; &lt;b&gt;"
    assert len(theme.shortened("W" * 500)) == 48 and theme.shortened("adam") == "adam"


def test_the_page_and_the_figures_know_the_same_colours() -> None:
    import tomllib
    from pathlib import Path

    import app

    config = tomllib.loads((Path(app.__file__).parent / ".streamlit" / "config.toml").read_text())["theme"]
    for page, palette in (("light", theme.LIGHT), ("dark", theme.DARK)):
        assert tuple(config[page]["chartCategoricalColors"]) == palette
        assert config[page]["backgroundColor"] == theme.BACKGROUND[page]
        assert contrast(config[page]["textColor"], config[page]["backgroundColor"]) >= 7
        assert contrast(config[page]["primaryColor"], "#ffffff") >= 4


@pytest.mark.parametrize(
    ("low", "high"), [(6, 9), (0.93, 0.98), (0.011, 0.04), (1.0, 3.9), (2.0, 2.0001), (7e-9, 8e-9)]
)
def test_a_narrow_logarithmic_axis_has_ticks_too(low: float, high: float) -> None:
    ticks = theme.log_ticks(low, high)
    inside = [value for value in ticks["tickvals"] if low <= value <= high]
    assert 2 <= len(inside) <= 7
    assert [float(text) for text in ticks["ticktext"]] == pytest.approx(ticks["tickvals"], rel=1e-5)


def test_a_label_is_legible_and_no_html() -> None:
    assert theme.plain("\u202e<b>evil") == "[U+202E]&lt;b&gt;evil"
