"""Columns as axes, diverged runs in sight, importance that finds what matters, captions that say what they must."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest

from analysis.figures import export
from analysis.search.importance import EVALUATORS, FANOVA, PED_ANOVA, importance_info, plot_importance
from analysis.search.relations import column, parallel_info, plot_parallel, plot_scatter, scatter_info


def runs(values: list[float], outcomes: list[str] | None = None) -> pd.DataFrame:
    """Runs with these objectives."""
    return pd.DataFrame({"objective": values, "outcome": outcomes or ["ok"] * len(values), "counts": True})


def test_columns_of_numbers_and_of_words() -> None:
    assert column("lr", [0.001, 0.1, None]).log and not column("lr", [0.0, 0.1]).log
    assert math.isnan(column("lr", [0.001, 0.1, None]).values[2])
    words = column("x", ["b", "a", None, True])
    assert words.words == ("a", "b", "true", "–") and words.values.tolist() == [1, 0, 3, 2]
    assert words.text(0) == "b" and column("lr", [0.5]).text(0) == "0.5"


@pytest.mark.parametrize("maximize", [False, True])
def test_parallel_coordinates_put_diverged_runs_at_the_worse_end_in_red(maximize: bool) -> None:
    table = pd.DataFrame({"lr": [0.1, 0.2, 0.3, 9.0], "name": ["<b>a</b>", "b", "b", "b"]}, dtype=object)
    frame = runs([1.0, 2.0, 3.0, math.nan], ["ok", "ok", "ok", "diverged"])
    info = parallel_info(frame, table, "loss", maximize=maximize)
    (trace,) = plot_parallel(info).data
    places = trace.dimensions[-1]["values"]
    assert places[3] < 1 if maximize else places[3] > 3
    assert trace.dimensions[-1]["ticktext"][-1] == "diverged" and trace.line.color[3] == 1
    assert max(trace.line.color[:3]) < 0.85, "red is for diverged ones alone"
    best = 2 if maximize else 0
    assert np.argmin(trace.line.color) == best
    assert "<b>" not in plot_parallel(info).to_json()


def test_what_has_no_result_is_counted_out_and_what_does_not_count_is_not() -> None:
    frame = runs([1.0, math.nan, math.nan], ["ok", "running", "ok"])
    info = parallel_info(frame, pd.DataFrame({"lr": [1, 2, 3]}), "loss")
    assert (info.n, info.left_out, info.diverged.tolist()) == (2, 1, [False, True])
    frame.loc[0, "counts"] = False
    assert parallel_info(frame, pd.DataFrame({"lr": [1, 2, 3]}), "loss").n == 1


def test_a_scatter_shows_diverged_runs_as_crosses_over_their_param() -> None:
    table = pd.DataFrame(
        {"lr": [0.1, 0.2, 5.0], "loss": [1.0, 2.0, None], "name": ["a", "<i>b</i>", "a"]}, dtype=object
    )
    frame = runs([1.0, 2.0, math.nan], ["ok", "ok", "diverged"])
    for colour in ("name", "lr"):
        info = scatter_info(frame, table, "lr", "loss", colour, ["r0", "r1", "<b>r2"])
        figure = plot_scatter(info, dark=True)
        (cross,) = [trace for trace in figure.data if trace.name == "diverged"]
        assert list(cross.x) == [5.0] and cross.yaxis == "y2" and (info.n, info.left_out) == (3, 0)
        assert "<i>" not in figure.to_json() and "<b>r2" not in figure.to_json()
        assert sum(len(trace.x) for trace in figure.data if trace is not cross) == 2


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_importance_finds_the_param_that_matters(evaluator: str, direction: str) -> None:
    rng = np.random.default_rng(0)
    matters, noise = rng.uniform(0.001, 1, 60), rng.uniform(0, 1, 60)
    words = rng.choice(["a", "b"], 60)
    params = pd.DataFrame({"noise": noise, "matters": matters, "word": words, "same": 1.0}, dtype=object)
    values = 5 * matters + 0.01 * rng.normal(size=60)
    info = importance_info(runs(list(values)), params, direction=direction, evaluator=evaluator)
    assert next(iter(info.shares)) == "matters" and set(info.shares) == {"matters", "noise", "word"}
    assert sum(info.shares.values()) == pytest.approx(1) and info.n == 60
    assert next(iter(plot_importance(info).data[0].customdata)) == "matters"


def test_diverged_runs_are_the_worst_for_ped_anova_and_left_out_by_fanova() -> None:
    rng = np.random.default_rng(1)
    lr, other = rng.uniform(0, 1, 60), rng.uniform(0, 1, 60)
    lost = lr > 0.5
    frame = runs([math.nan if gone else 0.5 for gone in lost], ["diverged" if gone else "ok" for gone in lost])
    params = pd.DataFrame({"lr": lr, "other": other}, dtype=object)
    info = importance_info(frame, params, direction="minimize", evaluator=PED_ANOVA)
    assert (info.n, info.left_out) == (60, 0) and next(iter(info.shares)) == "lr"
    info = importance_info(frame, params, direction="minimize", evaluator=FANOVA)
    assert info.left_out == int(lost.sum()) and "same result" in info.problem


@pytest.mark.parametrize(
    ("values", "params", "sentence"),
    [
        ([1.0] * 9, {"a": range(9)}, "at least 10 runs"),
        ([1.0] * 12, {"a": range(12)}, "same result"),
        (list(range(12)), {"a": [1] * 12}, "No param varies"),
        (list(range(12)), {"a": [None, *range(11)]}, "No param varies in all"),
        (list(range(12)), {"a": [math.nan, *range(11)]}, "No param varies in all"),
    ],
)
def test_where_there_is_nothing_to_say_a_sentence_says_why(values: list, params: dict, sentence: str) -> None:
    info = importance_info(runs([float(v) for v in values]), pd.DataFrame(params, dtype=object), direction="minimize")
    assert sentence in info.problem and not info.shares


def test_an_unknown_evaluator_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed: PED-ANOVA, fANOVA"):
        importance_info(runs([1.0]), pd.DataFrame({"a": [1]}), direction="minimize", evaluator="guess")


CAPTION = export.Caption("loss against epoch", export.sizes([8, 8]), "95% t-interval, n=8", "Runs of s", "open x")


def test_a_caption_states_n_interval_and_how_to_make_it_again() -> None:
    for part in ("n=8 seeds each", "95% t-interval, n=8", "Runs of s", "To make it again: open x"):
        assert part in CAPTION.text
    assert "No interval is drawn" in export.Caption("a", "", "", "", "b").text
    assert [export.sizes(counts) for counts in ([], [1], [3, 8])] == ["", "n=1 seed", "n=3 to 8 seeds"]


def test_the_figure_for_a_document_carries_its_caption_and_leaves_the_page_s_alone() -> None:
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=[1], y=[1], name="a"))
    document = export.for_document(figure, CAPTION)
    (note,) = document.layout.annotations
    assert " ".join(note.text.split("<br>")) == CAPTION.text and not figure.layout.annotations
    options = export.button("a/../<b>", "svg", 600)["toImageButtonOptions"]
    assert (options["width"], options["height"], options["format"]) == (export.WIDTH, 600, "svg")
    assert not set(options["filename"]) & set("/<>")
    with pytest.raises(ValueError, match="allowed: svg, png"):
        export.button("a", "exe", 600)


def test_a_csv_is_harmless_and_whole() -> None:
    frame = pd.DataFrame({"=cmd()": ["=1+1", "plain", "-x"], "value": [-1.5, 0.1 + 0.2, math.nan]})
    text = export.csv(frame, CAPTION).decode()
    assert text.startswith(f"# {CAPTION.text}\n")
    rows = list(csv.reader(io.StringIO(text.split("\n", 1)[1])))
    assert rows[0] == ["'=cmd()", "value"] and [row[0] for row in rows[1:]] == ["'=1+1", "plain", "'-x"]
    assert float(rows[2][1]) == 0.1 + 0.2 and float(rows[1][1]) == -1.5


def test_a_csv_holds_legible_text_only() -> None:
    text = export.csv(pd.DataFrame({"na\u202eme": ["\u200badam", "\x1b[31m"]}), CAPTION).decode()
    assert text.splitlines()[1:] == ["na[U+202E]me", "[U+200B]adam", "[U+001B][31m"]


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_a_number_of_which_few_values_were_tried_is_a_category(evaluator: str) -> None:
    # The usual protocol: two optimizers at three rates with one seed each, at the middle one with ten.
    rates = [0.1] * 10 + [0.05, 0.2]
    params = pd.DataFrame({"optimizer": ["sgd"] * 12 + ["adam"] * 12, "lr": rates * 2}, dtype=object)
    noise = np.random.default_rng(0).normal(0, 0.01, 10).tolist()
    values = [mean + change for mean in (0.5, 0.4) for change in (*noise, -0.02, 0.1)]
    info = importance_info(runs(values), params, direction="minimize", evaluator=evaluator)
    assert info.shares["optimizer"] > 0.5, "all of the best quarter have adam"
