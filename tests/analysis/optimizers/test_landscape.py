"""The loss landscape as it is shown: its numbers, its sentences, and that it draws in every state."""

import json
import math

import numpy as np
import pytest

from analysis.optimizers.landscape import LIMIT, PCA, RANDOM, landscape_info, plot_landscape


def arrays(shares=(0.9, 0.06), **more):
    """The arrays of a quadratic loss, along a way of 5 points."""
    x = np.linspace(-1, 1, 11)
    loss = 0.1 + x**2 + 4 * x[:, None] ** 2
    path = np.array([[-0.9, 0.5], [-0.6, 0.2], [-0.3, 0.1], [-0.1, 0.0], [0.0, 0.0]])
    stored = {
        "epochs": np.array([0, 1, 2, 3, 4], dtype=np.int32), "losses": np.array([3.0, 2.0, 1.0, 0.5, 0.1]),
        "random_x": x, "random_y": x, "random_loss": loss, "random_path": path / 50, "random_outside": np.array(0.9996),
        "pca_x": x, "pca_y": x, "pca_loss": loss, "pca_path": path, "pca_outside": np.array(0.02),
        "pca_shares": np.array(shares),
        "null_shares": np.stack([np.linspace(0.6, 0.7, 401), np.linspace(0.14, 0.18, 401)], axis=1),
        "weights": np.array(4736), "random_seed": np.array(0), "loss_of": np.array("train_eval/loss"),
        "reproduced": np.array(True), "problem": np.array(""), "seconds": np.array([0.5, 3.0]),
    }  # fmt: skip
    return {**stored, **more}


def test_the_limit_is_that_of_an_infinite_walk():
    np.testing.assert_allclose(LIMIT, (0.608, 0.152), atol=5e-4)


def test_it_reads_the_file_whole():
    info = landscape_info(arrays())
    assert not info.empty and info.problem == "" and info.warning == "" and set(info.planes) == {RANDOM, PCA}
    assert info.shares == (0.9, 0.06) and info.weights == 4736 and info.steps == 4 and info.seconds == 3.5
    plane = info.planes[PCA]
    assert plane.range == (pytest.approx(0.1), pytest.approx(5.1)) and plane.log and plane.overflown == 0
    walks = info.walks
    assert walks is not None and walks.count == 401
    for k, (low, high) in enumerate(((0.6, 0.7), (0.14, 0.18))):
        assert low < walks.low[k] < walks.median[k] < walks.high[k] < high
    assert walks.median[0] == np.median(arrays()["null_shares"][:, 0])


def test_its_sentences_state_what_lies_outside_and_what_noise_would_show():
    info = landscape_info(arrays())
    text = info.sentence(RANDOM)
    assert "11 x 11 points about the weights of epoch 4" in text
    assert "More than 99.9% of the way trained lies outside this plane" in text
    assert text.endswith("its shadow, here no more than a dot.")
    text = info.sentence(PCA)
    walks = "random walks of the same 4 steps in 4,736 dimensions 65% ("
    assert f"They explain 90% and 6% of its variance; {walks}" in text
    assert "95% range of 401; 61% and 15% in the limit" in text and "straighter than noise" in text
    assert "2% of the way trained lies outside" in text and "dot" not in text


@pytest.mark.parametrize(
    ("shares", "verdict", "words"),
    [
        ((0.9, 0.06), 1, "straighter than noise"),
        ((0.65, 0.16), 0, "noise alone would look like this"),
        ((0.4, 0.2), -1, "turns more than noise"),
    ],
)
def test_the_verdict_is_whether_the_plane_holds_more_than_that_of_a_walk(shares, verdict, words):
    info = landscape_info(arrays(shares))
    assert info.verdict == verdict and words in info.sentence(PCA)


def test_components_are_never_shown_without_what_noise_would_show():
    for missing in ("null_shares", "pca_loss", "pca_shares"):
        stored = arrays()
        del stored[missing]
        info = landscape_info(stored)
        assert set(info.planes) == {RANDOM} and info.walks is None and info.verdict == 0
        assert math.isnan(info.shares[0]) and "no principal components" in info.sentence(PCA)
    assert set(landscape_info(arrays(null_shares=np.zeros((0, 2)))).planes) == {RANDOM}


@pytest.mark.parametrize("stored", [None, {}, {"epochs": np.array([0])}, arrays(random_loss=np.zeros((3, 3)))])
def test_without_a_landscape_there_is_a_sentence(stored):
    info = landscape_info(stored)
    assert RANDOM not in info.planes
    if info.empty:
        assert "has not been computed" in info.problem == info.sentence(RANDOM)


def test_a_run_that_came_out_otherwise_is_told_of():
    info = landscape_info(arrays(reproduced=np.array(False), problem=np.array("The run could not be reproduced: x.")))
    assert info.warning.startswith("The run could not be reproduced: x. The landscape is that of the run as it was")


def test_the_numbers_are_the_grid_and_the_way():
    frame = landscape_info(arrays()).frame(PCA)
    grid, way = frame[frame["what"] == "grid"], frame[frame["what"] == "way"]
    assert len(grid) == 121 and grid["epoch"].isna().all()
    np.testing.assert_allclose(grid["loss"], 0.1 + grid["x"] ** 2 + 4 * grid["y"] ** 2)
    assert way["epoch"].tolist() == [0, 1, 2, 3, 4] and way["loss"].tolist() == [3.0, 2.0, 1.0, 0.5, 0.1]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("view", [RANDOM, PCA])
def test_it_draws_the_surface_the_way_and_its_ends(view, dark):
    figure = plot_landscape(landscape_info(arrays()), view, dark=dark)
    drawn = json.loads(figure.to_json())
    kinds = [trace["type"] for trace in drawn["data"]]
    assert kinds == ["contour", "scatter", "scatter", "scatter", "scatter"]
    assert [trace["name"] for trace in drawn["data"][2:]] == ["way trained", "before training", "epoch 4"]
    assert drawn["layout"]["yaxis"]["scaleanchor"] == "x"
    shown = [note["text"] for note in drawn["layout"]["annotations"]]
    assert shown == (["4"] if view == RANDOM else ["4", "0", "1", "2"]), "only those that have room"
    assert "before training<br>the network's own loss 3" in drawn["data"][2]["text"]


def test_losses_that_are_not_finite_are_left_empty_and_counted():
    stored = arrays()
    loss = stored["pca_loss"].copy()
    loss[0, :2] = np.inf, np.nan
    info = landscape_info(arrays(pca_loss=loss))
    assert "At 2 points, left empty, the loss is not finite." in info.sentence(PCA)
    figure = plot_landscape(info, PCA)
    assert np.isnan(np.array(figure.data[0].z, dtype=float)).sum() == 2
    empty = landscape_info(arrays(pca_loss=np.full((11, 11), np.nan)))
    assert not empty.planes[PCA].log and plot_landscape(empty, PCA)


def test_a_loss_that_varies_little_or_falls_below_zero_has_a_linear_scale():
    flat = landscape_info(arrays(pca_loss=np.full((11, 11), 2.0) + np.arange(11) / 100))
    below = landscape_info(arrays(pca_loss=np.linspace(-1, 1, 121).reshape(11, 11)))
    for info in (flat, below):
        assert not info.planes[PCA].log
        assert "tickvals" not in plot_landscape(info, PCA).data[0].colorbar.to_plotly_json()


def test_names_from_a_module_are_text():
    figure = plot_landscape(landscape_info(arrays(loss_of=np.array("<b>bad</b>"))), RANDOM)
    assert "<b>" not in figure.data[0].colorbar.title.text and "<b>" not in figure.data[0].hovertemplate
