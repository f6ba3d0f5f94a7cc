"""The Quality page: figures from the answers that runs leave, sentences where there are none."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import numpy as np
import pytest
import streamlit as st

from app.shared import store, ui

HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example)"


def packed(classes: tuple[str, ...], seed: int) -> bytes:
    """A run's answers: right with probability 0.8, of 60 examples, the last class the rarest."""
    rng = np.random.default_rng(seed)
    file, arrays = io.BytesIO(), {"classes": np.array(classes), "epoch": np.int32(1)}
    for part in ("val", "test"):
        targets = rng.choice(len(classes), 60, p=[0.7, *[0.3 / (len(classes) - 1)] * (len(classes) - 1)])
        targets[: len(classes)] = range(len(classes))
        chances = np.full((60, len(classes)), 0.2 / (len(classes) - 1))
        answers = np.where(rng.random(60) < 0.8, targets, rng.integers(0, len(classes), 60))
        chances[np.arange(60), answers] = 0.8
        arrays |= {
            f"{part}_probabilities": chances.astype(np.float32),
            f"{part}_targets": targets.astype(np.int32),
            f"{part}_size": np.int32(60),
        }
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@pytest.fixture
def answers(fake: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`answers("no", "yes")`: every run that ended ok left its answers over these classes."""

    def left(*classes: str) -> None:
        def artifact(run_id: str, path: str) -> bytes:
            if path != "predictions.npz":
                raise FileNotFoundError(path)
            return packed(classes, int(run_id.rsplit("-", 1)[1]))

        monkeypatch.setattr(store, "artifact", artifact)

    def missing(run_id: str, path: str) -> bytes:
        raise FileNotFoundError(path)

    st.cache_data.clear()
    monkeypatch.setattr(store, "artifact", missing)
    return left


@pytest.mark.parametrize(("look", "charts"), [("Classes", 3), ("Separation", 3), ("Calibration", 2), ("Threshold", 2)])
@pytest.mark.parametrize("run", ["all", "seed 1"])
def test_every_figure_draws(
    fake: Any, answers: Any, open_page: Any, words: Any, look: str, charts: int, run: str
) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"] * 3})
    answers("no", "yes")
    at = open_page("quality", sweep="s", look=look, run=run)
    assert len(at.get("plotly_chart")) == charts
    assert "always answering" in words(at) and "Balanced accuracy" in words(at)
    assert ("n=3" in words(at).replace("\\", "")) == (run == "all")


def test_the_slider_moves_the_threshold(fake: Any, answers: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"] * 3})
    answers("no", "yes")
    at = open_page("quality", sweep="s", look="Threshold", at="0.9")
    assert "is never answered" in words(at), "no probability is above 0.8"
    at.slider(key="at").set_value(0.5).run()
    assert "is never answered" not in words(at) and ui.text("from 0.5 on") in words(at)
    assert at.query_params["look"] in ("Threshold", ["Threshold"])


def test_the_best_threshold_of_the_validation_part_is_one_click_away(fake: Any, answers: Any, open_page: Any) -> None:
    from sklearn.metrics import f1_score

    fake.add("s", "finished", {("a", 1.0): ["ok"] * 3})
    answers("no", "yes")
    at = open_page("quality", sweep="s", look="Threshold")
    at.button(key="best-threshold").click().run()
    chosen = at.slider(key="at").value

    def mean_f1(threshold: float) -> float:
        stored = [np.load(io.BytesIO(packed(("no", "yes"), seed))) for seed in range(3)]
        scores = [f1_score(s["val_targets"], s["val_probabilities"][:, 1] >= threshold) for s in stored]
        return float(np.mean(scores))

    assert mean_f1(chosen) == pytest.approx(max(mean_f1(step / 100) for step in range(1, 100)))


def test_the_parts_of_the_data_differ(fake: Any, answers: Any, open_page: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"] * 3})
    answers("no", "yes")
    shown = [json.loads(open_page("quality", sweep="s", split=part).get("plotly_chart")[1].proto.spec)["data"][0]
             for part in ("test", "validation")]  # fmt: skip
    assert shown[0]["customdata"] != shown[1]["customdata"]


def test_diverged_seeds_are_named(fake: Any, answers: Any, open_page: Any, words: Any, monkeypatch: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok", "ok", "diverged"]})

    def artifact(run_id: str, path: str) -> bytes:
        if run_id.endswith("-2"):
            raise FileNotFoundError(path)
        return packed(("no", "yes"), int(run_id.rsplit("-", 1)[1]))

    monkeypatch.setattr(store, "artifact", artifact)
    assert ui.text("Seed 2: diverged") in words(open_page("quality", sweep="s"))


def test_without_answers_the_page_says_what_is_missing(fake: Any, answers: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"] * 2})
    at = open_page("quality", sweep="s")
    assert ui.text("without predictions.npz") in words(at) and "Only classification runs" in words(at)
    assert not at.get("plotly_chart")
    assert "Launch a sweep" in [button.label for button in at.button]


def test_names_of_classes_are_text(fake: Any, answers: Any, open_page: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"] * 3})
    answers("no", HOSTILE)
    for look in ("Classes", "Separation", "Threshold"):
        at = open_page("quality", sweep="s", look=look)
        assert not any("<img" in chart.proto.spec for chart in at.get("plotly_chart"))
        assert not any("<img" in re.sub(r"\\.", "", element.value) for element in [*at.markdown, *at.caption])


def test_empty_and_gone(fake: Any, answers: Any, open_page: Any, words: Any) -> None:
    at = open_page("quality")
    assert "There is no run yet" in words(at) and [button.label for button in at.button] == ["New sweep"]
    fake.add("s", "finished", {("a", 1.0): ["ok"]})
    assert "none of the runs" in words(open_page("quality", sweep="gone"))
    assert "Choose a sweep" in words(open_page("quality"))
