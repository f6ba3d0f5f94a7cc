"""The Bias and variance page: its verdict, its four looks, and what it says where something is missing."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from app.shared import store, ui
from tracking.frames import Records
from tracking.schema import REPLICATE_FILE
from tracking.store import StoreError

LOOKS = ["Diagnosis", "Learning curve", "Decomposition", "Fits"]
READ_FILES = ("Decomposition", "Fits")
"""The looks that read the runs' files."""
EVERY = pytest.mark.parametrize("look", LOOKS)
X = np.linspace(-1, 1, 21)


def row(run: str, params: dict[str, Any], dev: float, train: float, **more: Any) -> dict[str, Any]:
    seeds = {"seed": 0, "seed_data": 0, "seed_init": 0} | {key: more[key] for key in more if key.startswith("seed")}
    return {"run": run, "params": params, "dev": dev, "train": train, "seeds": seeds,
            "outcome": more.get("outcome", "ok"), "group": more.get("group", json.dumps(params)),
            "metrics": more.get("metrics", {})}  # fmt: skip


def records(rows: Sequence[dict[str, Any]], names: tuple[str, str] = ("val/error", "train_eval/error")) -> Records:
    """The runs as a store holds them."""
    runs, params, tags, metrics = [], [], [], []
    for place, row in enumerate(rows):
        run = row["run"]
        runs.append((run, run, "1", "FINISHED", place, place + 1000, None))
        params += [(run, key, json.dumps(value) if isinstance(value, list) else str(value))
                   for key, value in row["params"].items()]  # fmt: skip
        run_tags = {"kind": "run", "trial": 0, "group": row["group"], "phase": "search", **row["seeds"]}
        run_tags |= {"outcome": row["outcome"]} if row["outcome"] != "running" else {}
        tags += [(run, key, str(value)) for key, value in run_tags.items()]
        last = zip(names, (row["dev"], row["train"]), strict=True)
        for name, value in [*last, *row["metrics"].items()]:
            if not math.isnan(value):
                metrics.append((run, name, value, 5, 1))
    return Records(
        pd.DataFrame(runs, columns=["run_id", "name", "experiment_id", "status", "start_time", "end_time", "parent"]),
        pd.DataFrame(params, columns=["run_id", "key", "value"]),
        pd.DataFrame(tags, columns=["run_id", "key", "value"]),
        pd.DataFrame(metrics, columns=["run_id", "key", "value", "step", "time"]),
    )


def sizes(n: int = 8, **more: Any) -> list[dict[str, Any]]:
    """Growing training sets: training error rises to .05, validation error falls to it."""
    return [
        row(f"{size}-{seed}", {"data.train_size": size}, 0.05 + 5 / size + 0.001 * (seed % 3), 0.05 - 1 / size,
            seed=seed, seed_data=seed, **more)
        for size in (25, 50, 100) for seed in range(n)
    ]  # fmt: skip


def widths(datasets: int = 4, inits: int = 2) -> list[dict[str, Any]]:
    """Replicated runs of a narrow network, which is wrong alike, and of a wide one, right on the average."""
    rows = []
    for width in (1, 64):
        for k in range(datasets * inits):
            params = {"model.hidden_sizes": [width], "replicate.datasets": datasets, "replicate.inits": inits,
                      "data.name": "noisy_curve", "data.noise": 0.2}  # fmt: skip
            rows.append(row(f"{width}-{k}", params, 0.5 / width + 0.01 * k, 0.4 / width, seed=k,
                            seed_data=k % datasets, seed_init=k))  # fmt: skip
    return rows


def answers(run: str, classes: bool = False) -> dict[str, np.ndarray]:
    """REPLICATE_FILE of a run of `widths`."""
    width, k = (int(part) for part in run.split("-"))
    random = np.random.default_rng([width, k])
    outputs = (X**2 if width > 1 else 0 * X) + (0.3 if width > 1 else 0.01) * random.standard_normal(21)
    if classes:
        right = 1 / (1 + np.exp(-outputs))
        return {"epochs": np.array([4]), "outputs": np.stack([1 - right, right], -1)[None].astype(np.float32),
                "targets": (X > 0).astype(np.int32)}  # fmt: skip
    return {"epochs": np.array([2, 4]), "outputs": np.stack([0 * outputs, outputs])[..., None].astype(np.float32),
            "targets": (X**2).astype(np.float32), "truth": (X**2).astype(np.float32), "noise": np.array(0.0),
            "inputs": X.astype(np.float32)}  # fmt: skip


@pytest.fixture
def shown(fake: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`shown(rows, look=...)`: the page on these runs."""
    reads: list[str] = []

    def open_on(rows: Sequence[dict[str, Any]], *, files: Any = None, names: Any = None, **address: str) -> Any:
        st.cache_resource.clear()
        run_records = records(rows, *([names] if names else []))
        monkeypatch.setattr(store, "records", lambda *chosen: run_records)

        def artifact(run: str, path: str) -> bytes:
            reads.append(run)
            if files is None or path != REPLICATE_FILE:
                raise StoreError("no such file")
            content = io.BytesIO()
            np.savez(content, **files(run))
            return content.getvalue()

        monkeypatch.setattr(store, "artifact", artifact)
        at = open_page("bias_variance", runs="any", **address)
        at.reads = reads
        return at

    yield open_on
    st.cache_resource.clear()


def figure(at: Any, place: int = 0) -> Any:
    return json.loads(at.get("plotly_chart")[place].proto.spec)


def headline(at: Any) -> str:
    return next(element.value for element in at.markdown if element.value.startswith("## "))


def test_the_answer_comes_first_whatever_look_is_open(shown: Any) -> None:
    for look in LOOKS:
        text = headline(shown(sizes(), look=look))
        assert ui.text("all 3 groups suffer from variance") in text.lower()


def test_the_diagnosis_has_a_waterfall_advice_and_all_groups(shown: Any, words: Any) -> None:
    at = shown(sizes())
    text = words(at)
    assert "more training data" in text and "All 3 groups" in text and "Against variance" in text
    assert len(at.get("plotly_chart")) == 2
    ticks = figure(at)["layout"]["yaxis"]["ticktext"]
    assert ticks == ["reference", "avoidable bias", "train_eval/error", "variance", "val/error"]
    at.selectbox(key="waterfall-of").set_value("train_size 25").run()
    assert ui.text("train_size 25 suffers from variance") in words(at) and not at.exception


def test_reference_and_threshold_decide_what_a_fault_is(shown: Any, words: Any) -> None:
    at = shown(sizes(), threshold="0.9")
    assert "no fault above the threshold 0" in words(at).replace("\\", "")
    at.number_input(key="threshold").set_value(0.001).run()
    assert "suffer from avoidable bias" in headline(at)
    at.number_input(key="reference").set_value(0.05).run()
    assert "avoidable bias" not in headline(at)


def test_the_noise_of_a_known_curve_is_the_reference(shown: Any) -> None:
    at = shown(widths())
    assert "0.2 (noise)" in at.number_input(key="reference").placeholder
    assert figure(at)["data"][0]["x"] == [0.2]
    assert (
        shown(widths(), names=("val/loss", "train_eval/loss")).number_input(key="reference").placeholder[:4] == "0.04"
    )


def test_a_text_is_not_said_to_be_predictable_without_error(shown: Any, words: Any) -> None:
    rows = [{**run, "params": {**run["params"], "data.name": "text_file"}} for run in sizes()]
    names, sentence = ("val/perplexity", "train_eval/perplexity"), "no model knows every next token of a text"
    at = shown(rows, names=names, reference="1")
    assert sentence in words(at)
    at.number_input(key="reference").set_value(2.5).run()
    assert sentence not in words(at) and not at.exception
    assert sentence not in words(shown(sizes()))


def noisy(rows: Sequence[dict[str, Any]], share: float, **metrics: float) -> list[dict[str, Any]]:
    """The same runs, trained with this share of wrong labels."""
    params = {"data.name": "digits", "data.label_noise": share}
    return [row | {"params": row["params"] | params, "metrics": metrics} for row in rows]


def test_wrong_training_labels_are_no_bias(shown: Any, words: Any) -> None:
    at = shown(noisy(sizes(), 0.04, **{"train_eval/clean_error": 0.001, "train_eval/memorised": 0.0}))
    text = words(at)
    assert ui.text("Training labels were made noisy (data.label_noise up to 0.04)") in text
    assert "bias" not in headline(at) and "larger network" not in text and "more training data" in text
    ticks = figure(at)["layout"]["yaxis"]["ticktext"]
    assert ticks[2] == "train_eval/clean_error", "the errors are those on the true labels"
    curve = words(shown(noisy(sizes(), 0.04, **{"train_eval/clean_error": 0.001}), look="Learning curve"))
    assert ui.text("This is variance: more examples help.") in curve


def test_a_network_that_memorised_wrong_labels_is_not_told_to_grow(shown: Any, words: Any) -> None:
    text = words(shown(noisy(sizes(), 0.2, **{"train_eval/clean_error": 0.2, "train_eval/memorised": 0.2})))
    assert "memorised wrong labels" in text and "label smoothing" in text and "larger network" not in text


def test_runs_from_before_say_that_bias_is_not_told_from_wrong_labels(shown: Any, words: Any) -> None:
    for look in ("Diagnosis", "Learning curve"):
        text = words(shown(noisy(sizes(), 0.04), look=look)).lower()
        assert ui.text("bias and variance cannot be told from wrong labels") in text
        assert "against avoidable bias" not in text and "more examples" not in text
    by_loss = noisy(sizes(), 0.04, **{"val/error": 0.1, "train_eval/error": 0.1, "train_eval/clean_error": 0.0})
    text = words(shown(by_loss, names=("val/loss", "train_eval/loss")))
    assert ui.text("Judged by val/error, it is.") in text


def test_of_strangers_runs_it_says_what_it_cannot_know(shown: Any, words: Any) -> None:
    rows = [row | {"params": {"n_train": row["params"]["data.train_size"]}} for row in sizes()]
    text = words(shown(rows, names=("valid_err", "train_err")))
    assert "do not say whether some of their labels are wrong" in text
    assert "whether some of their labels" not in words(shown(noisy(sizes(), 0.0)))


def test_single_runs_carry_no_interval(shown: Any, words: Any) -> None:
    for at in (shown(sizes(n=1)), shown(sizes(), of="runs")):
        text = words(at)
        assert ui.text("carries no interval: no fault is named") in text and "Against" not in text
    one = words(shown(sizes()[:1]))
    assert ui.text("One seed carries no interval: no fault is named for") in one


def test_the_learning_curve_takes_sizes_first_and_the_reference_error(shown: Any, words: Any) -> None:
    at = shown(sizes(), look="Learning curve", reference="0.02", threshold="0.01")
    text = words(at)
    assert ui.text("At 100 examples validation error is 0.1") in text
    assert ui.text("This is variance and avoidable bias: more examples help against variance alone.") in text
    names = [trace.get("name") for trace in figure(at)["data"]]
    assert {"val/error", "train_eval/error", "reference error 0.02"} <= set(names)
    at.segmented_control(key="scale").set_value("log").run()
    assert figure(at)["layout"]["yaxis"]["type"] == "log"


def test_any_number_of_a_stranger_may_stand_for_the_size(shown: Any, words: Any) -> None:
    rows = [row | {"params": {"n_train": row["params"]["data.train_size"], "lr": 0.1}} for row in sizes()]
    at = shown(rows, look="Learning curve", names=("valid_err", "train_err"))
    assert at.selectbox(key="size").value == "n_train" and "valid_err" in json.dumps(figure(at))
    assert ui.text("At 100 examples") in words(at)


def test_without_a_number_it_says_what_would_fill_the_curve(shown: Any, fake: Any, words: Any) -> None:
    lab = {
        "text": "name: t",
        "name": "training-set-size",
        "question": "What do more examples cure? So it says.",
        "runs": 48,
    }
    fake.labs = {"training-set-size": lab}
    rows = [row(f"{k}", {"optimizer.name": "adam" if k < 3 else "sgd"}, 0.2, 0.1, seed=k % 3) for k in range(6)]
    at = shown(rows, look="Learning curve")
    assert "a learning curve takes training sets of several sizes" in words(at)
    at.button(key="offer-training-set-size").click().run()
    assert fake.client.launched == ["name: t"]


def test_the_decomposition_is_drawn_along_the_width(shown: Any, words: Any) -> None:
    at = shown(widths(), files=answers, look="Decomposition")
    text = words(at)
    assert ui.text("From model.hidden_sizes 1 to 64 bias² goes from ") in text
    assert "jackknife over n" in text.replace("\\", "") and not at.exception
    names = {trace.get("name") for trace in figure(at)["data"]}
    assert {"bias²", "variance from data", "variance from initialisation", "risk, measured"} <= names
    at.segmented_control(key="epoch").set_value("2").run()
    assert ui.text("variance from data goes from 0 ± 0 to 0 ± 0") in words(at), "after epoch 2 all said 0"
    at.selectbox(key="along").set_value("epoch").run()
    assert not at.exception and at.selectbox(key="rest").value == "hidden_sizes 1"
    assert [trace["x"] for trace in figure(at)["data"] if trace.get("name") == "risk, measured"] == [[2.0, 4.0]]


@pytest.mark.parametrize("loss", ["squared error", "0-1 loss", "cross-entropy"])
def test_a_classification_has_three_losses(shown: Any, words: Any, loss: str) -> None:
    at = shown(widths(), files=lambda run: answers(run, classes=True), look="Decomposition", loss=loss)
    assert ui.text(f"the {loss} is lowest at") in words(at)
    assert ("variance on biased examples (helps)" in json.dumps(figure(at))) == (loss == "0-1 loss")


def test_a_regression_has_one_loss_whatever_the_address_asks_for(shown: Any, words: Any) -> None:
    at = shown(widths(), files=answers, look="Decomposition", loss="0-1 loss")
    assert ui.text("the squared error is lowest at") in words(at)
    assert "loss" not in [control.key for control in at.segmented_control]


def test_replicates_without_answers_are_not_said_to_be_no_replicates(shown: Any, words: Any) -> None:
    text = words(shown(widths(), look="Decomposition"))
    assert "These runs were replicated, but left no answers to the test part" in text
    assert "not replicated" not in text


def test_without_replicates_the_risk_is_drawn_whole(shown: Any, fake: Any, words: Any) -> None:
    fake.labs = {"decomposition": {"text": "name: d", "name": "decomposition", "question": "Of what? So.", "runs": 128}}
    rows = [row(f"{w}-{k}", {"model.hidden_sizes": [w]}, dev + 0.001 * k, max(0.0, 0.3 - 0.1 * w), seed=k, seed_data=k)
            for w, dev in ((1, 0.5), (2, 0.3), (4, 0.6), (8, 0.4), (16, 0.2)) for k in range(6)]  # fmt: skip
    at = shown(rows, look="Decomposition")
    text = words(at)
    assert "These runs were not replicated" in text and "Of what?" in text
    assert ui.text("There is a second descent: from 2 to 4 the risk rises by 0.3") in text
    assert "fits its training set" in json.dumps(figure(at))


def test_the_fits_are_drawn_of_one_configuration(shown: Any, words: Any) -> None:
    at = shown(widths(), files=answers, look="Fits")
    assert len([trace for trace in figure(at)["data"] if trace.get("legendgroup") == "fits"]) == 8
    at.selectbox(key="fits-of").set_value("hidden_sizes 64").run()
    assert "Most of the error is variance from " in words(at) and not at.exception
    classes = words(shown(widths(), files=lambda run: answers(run, classes=True), look="Fits"))
    assert "regression with one input" in classes


def test_only_the_open_look_reads_files(shown: Any) -> None:
    for look in LOOKS:
        reads = shown(widths(), files=answers, look=look).reads
        assert bool(reads) == (look in READ_FILES), look
        reads.clear()
    assert len(set(shown(widths(), files=answers, look="Decomposition").reads)) == 16


def test_files_that_cannot_be_read_are_as_if_they_were_not_there(shown: Any, words: Any) -> None:
    broken = shown(widths(), files=lambda run: {"other": np.zeros(1)}, look="Decomposition")
    assert "No run has left its answers" in words(broken) and not broken.exception


@EVERY
def test_one_run_two_seeds_and_nothing_judged(shown: Any, look: str) -> None:
    for rows in (
        sizes()[:1],
        sizes(n=2),
        sizes(outcome="running"),
        sizes(outcome="crashed"),
        widths(1, 1),
        [row | {"train": math.nan} for row in sizes()],
    ):
        for files in (None, lambda run: answers("64-1")) if look in READ_FILES else (None,):
            assert not shown(rows, files=files, look=look).exception


@EVERY
def test_all_diverged_and_nan_ridden_sweeps_say_so(shown: Any, words: Any, look: str) -> None:
    lost = [row | {"dev": math.nan, "train": math.nan, "outcome": "diverged"} for row in sizes()]
    lost[0] |= {"dev": 0.3}  # a store needs one value of a metric to know it
    at = shown(lost, look=look)
    assert not at.exception and "diverged" in words(at)
    half = [row | {"outcome": "diverged", "dev": math.nan} if k % 2 else row for k, row in enumerate(sizes())]
    assert not shown(half, look=look).exception
    mixed = [row | {"dev": math.nan} if k % 3 else row for k, row in enumerate(widths())]
    assert not shown(mixed, files=answers, look=look).exception


def test_runs_that_ended_well_with_an_infinite_error_are_counted_as_diverged(shown: Any, words: Any) -> None:
    rows = [row(f"{lr}-{seed}", {"lr": lr}, 0.4 if lr == 0.1 else math.inf, 0.39, seed=seed)
            for lr in (0.1, 10) for seed in range(3)]  # fmt: skip
    at = shown(rows, threshold="0.05")
    assert headline(at).startswith(
        f"## {ui.text('1 of 2 groups suffers from avoidable bias; lr 10 diverged in all its runs. The best: lr 0.1')}"
    )
    (crosses,) = [trace for trace in figure(at, 1)["data"] if trace.get("name") == "diverged runs"]
    assert crosses["customdata"] == ["3 of 3 runs"] and "Both groups" in words(at)


def test_a_missing_training_error_is_asked_for_once_where_another_metric_may_be_it(shown: Any, words: Any) -> None:
    text = words(shown([row | {"train": math.nan, "metrics": {"train/top5": 0.1}} for row in sizes()]))
    assert text.count("choose one under Metrics") == 1


def test_runs_without_a_training_metric_are_told_so_once_and_nothing_of_labels(shown: Any, words: Any) -> None:
    rows = [row | {"train": math.nan, "params": {"n": row["params"]["data.train_size"]}} for row in sizes()]
    text = words(shown(rows, names=("val_acc", "train_acc")))
    assert text.count(ui.text("These runs logged no training metric: bias cannot be told from variance.")) == 1
    assert "choose one under Metrics" not in text and "look like avoidable bias" not in text


def test_that_labels_are_noisy_is_said_at_the_head_and_of_the_chosen_group_alone(shown: Any, words: Any) -> None:
    text = words(shown(noisy(sizes(), 0.04)))
    assert text.lower().count("cannot be told from wrong labels") == 2
    assert headline(shown(noisy(sizes(), 0.04))).startswith("## In all 3 groups bias and variance cannot be told")


def test_names_are_text(shown: Any, bare: Any) -> None:
    hostile = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example) :red[r]"
    rows = [row(f"{k}", {"optimizer.name": hostile if k < 4 else "sgd"}, 0.5 if k < 4 else 0.6, 0.1, seed=k % 4)
            for k in range(8)]  # fmt: skip
    at = shown(rows)
    bare([element.value for element in [*at.markdown, *at.caption] if "img" in element.value])
