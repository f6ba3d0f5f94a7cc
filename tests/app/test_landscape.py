"""The tab of the loss landscape: what it offers, how it follows what is computed, what it draws."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from app.shared import store, ui
from tracking import schema


def packed(problem: str = "") -> bytes:
    """A small landscape file."""
    x, file = np.linspace(-1, 1, 5), io.BytesIO()
    path = np.array([[-0.8, 0.1], [-0.3, 0.2], [0.0, 0.0]])
    arrays = {"epochs": np.array([0, 1, 2]), "losses": np.array([2.0, 1.0, 0.5])}
    for plane in ("random", "pca"):
        arrays |= {
            f"{plane}_x": x, f"{plane}_y": x, f"{plane}_loss": 0.5 + x**2 + x[:, None] ** 2, f"{plane}_path": path,
            f"{plane}_outside": np.array(0.4),
        }  # fmt: skip
    rest = {
        "pca_shares": np.array([0.9, 0.1]), "null_shares": np.full((9, 2), 0.3), "weights": np.array(10),
        "loss_of": np.array("train_eval/loss"), "reproduced": np.array(not problem), "problem": np.array(problem),
        "seconds": np.array([1.0, 1.0]),
    }  # fmt: skip
    np.savez(file, **arrays, **rest)
    return file.getvalue()


@pytest.fixture
def files(fake: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The landscape file of each run of a finished sweep; two of its runs, s-0-0 and s-0-1, ended well."""
    contents: dict[str, bytes] = {}

    def artifact(run_id: str, path: str) -> bytes:
        if path == schema.LANDSCAPE_FILE and run_id in contents:
            return contents[run_id]
        raise FileNotFoundError(path)

    monkeypatch.setattr(store, "artifact", artifact)
    fake.add("s", "finished", {("adam", 0.1): ["ok", "ok"], ("sgd", 0.1): ["diverged", "crashed"]})
    return contents


def opened(open_page: Any, **more: str) -> Any:
    return open_page("optimizers", sweep="s", look="Landscape", **more)


def test_a_run_without_one_offers_to_compute_it_and_says_how_long_it_took(
    fake: Any, files: Any, open_page: Any, words: Any
) -> None:
    at = opened(open_page)
    assert "trains this run once more" in words(at) and "2 seconds" in words(at)
    assert len(at.selectbox(key="landscape-run").options) == 2, "only those that ended ok"
    fake.client.landscapes["s-0-0"] = "queued"
    at.button(key="landscape-compute").click().run()
    assert fake.client.commands[-1][1] == "s-0-0" and ("landscape ask", "s-0-0") in fake.client.commands
    (bar,) = at.progress
    assert bar.value == 25 or "waiting for a free worker" in str(bar.text)
    files["s-0-0"] = packed()
    fake.client.landscapes["s-0-0"] = "cached"
    at.run()
    assert len(at.get("plotly_chart")) == 1 and "random directions" in words(at)


def test_what_is_being_computed_can_be_given_up(fake: Any, files: Any, open_page: Any) -> None:
    fake.client.landscapes["s-0-0"] = "computing"
    at = opened(open_page)
    fake.client.landscapes["s-0-0"] = "none"
    at.button(key="landscape-stop").click().run()
    assert ("landscape stop", "s-0-0") in fake.client.commands
    assert at.button(key="landscape-compute").label == "Compute the landscape"


def test_a_failure_is_said_and_can_be_tried_again(fake: Any, files: Any, open_page: Any, words: Any) -> None:
    fake.client.landscapes["s-0-0"] = "failed"
    at = opened(open_page)
    assert ui.text("It fell over.") in words(at)
    at.button(key="landscape-compute").click().run()
    assert ("landscape again", "s-0-0") in fake.client.commands


def test_without_a_service_it_says_why_when_it_is_asked(fake: Any, files: Any, open_page: Any, words: Any) -> None:
    fake.client.fails = ConnectionError("no service runs")
    at = opened(open_page)
    assert not at.exception and "trains this run once more" in words(at)
    at.button(key="landscape-compute").click().run()
    assert "no service runs" in words(at) and at.button(key="landscape-compute")


def test_both_planes_are_drawn_and_another_run_can_be_chosen(fake: Any, files: Any, open_page: Any, words: Any) -> None:
    files["s-0-1"] = packed("The run could not be reproduced: <b>x</b>.")
    at = opened(open_page)
    assert not at.get("plotly_chart")
    box = at.selectbox(key="landscape-run")
    box.set_value(box.options[1]).run()
    assert len(at.get("plotly_chart")) == 1
    text = words(at)
    assert ui.text("The landscape is that of the run as it was trained again.") in text and "<b>" not in text
    at = opened(open_page, plane="Principal components", **{"landscape-run": box.options[1]})
    assert ui.text("random walks of the same 2 steps in 10 dimensions") in words(at)
    at.button(key="landscape-again").click().run()
    assert ("landscape again", "s-0-1") in fake.client.commands


def test_a_file_that_is_torn_counts_for_none(fake: Any, files: Any, open_page: Any) -> None:
    files["s-0-0"] = packed()[:100]
    at = opened(open_page)
    assert at.button(key="landscape-compute")


def test_runs_of_strangers_have_none_and_it_is_said_why(
    fake: Any, files: Any, open_page: Any, words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = open_page("optimizers", runs="s-0-0,s-0-1", look="Landscape")
    assert not at.exception
    fake.runs_of["s"]["outcome"] = "diverged"
    at = opened(open_page)
    assert "Only a run that a sweep trained to its end" in words(at)
