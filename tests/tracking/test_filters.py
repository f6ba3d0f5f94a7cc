"""The filter language: it agrees with MLflow's own search, goes beyond it, and says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tracking.filters import SearchError, matches, quoted_key, quoted_value
from tracking.reader import open_reader

RUNS = [
    ({"lr": "0.01", "model": "mlp", "odd key": "it's"}, {"val/loss": 0.5, "acc": 0.9}, {"team": "red", "Mixed": "ABC"}),
    ({"lr": "1e-3", "model": "cnn"}, {"val/loss": 0.25, "acc": float("nan")}, {"team": "blue"}),
    ({"lr": "0.1", "model": "MLP_big"}, {"val/loss": 2.0}, {}),
    ({"lr": "auto"}, {}, {"team": "red%"}),
    ({}, {"val loss": 1.0}, {"note": 'say "hi"'}),
]


@pytest.fixture(scope="module")
def store(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A store that MLflow's own client filled; its URI and the experiment."""
    import shutil

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    path = tmp_path_factory.mktemp("search") / "mlflow.db"
    shutil.copy(blank, path)
    uri = f"sqlite:///{path}"
    client = MlflowClient(uri)
    experiment = client.create_experiment("e", artifact_location=str(path.parent / "artifacts"))
    for place, (params, metrics, tags) in enumerate(RUNS):
        run = client.create_run(experiment, start_time=1000 * (place + 1), run_name=f"run {place}").info.run_id
        client.log_batch(
            run,
            [Metric(key, value, 1, 0) for key, value in metrics.items()],
            [Param(key, value) for key, value in params.items()],
            [RunTag(key, value) for key, value in tags.items()],
        )
        if place % 2:
            client.set_terminated(run, status="FAILED" if place == 3 else "FINISHED", end_time=5000)
    return uri, experiment


@pytest.fixture(scope="module")
def frame(store: tuple[str, str]) -> pd.DataFrame:
    return open_reader(store[0]).frame()


def names(frame: pd.DataFrame, text: str) -> list[str]:
    return sorted(frame[matches(text, frame)]["name"])


@pytest.mark.parametrize(
    "text",
    [
        "metrics.`val/loss` < 1", "metrics.`val/loss` <= 0.5", "metrics.\"val/loss\" != 0.5", "metric.acc > 0.5",
        "metrics.`val loss` = 1", "params.model = 'mlp'",
        "params.model != 'mlp'", "param.model LIKE 'm%'", "params.model ILIKE 'm%'", "parameters.`odd key` = \"it's\"",
        "params.model LIKE 'ml_'",
        "tags.team = 'red' AND params.lr = '0.01'", "tag.team LIKE '%e%'", "tags.team IS NULL", "params.lr IS NOT NULL",
        "tags.Mixed ILIKE 'abc'", "tags.Mixed LIKE 'abc'", "attributes.status = 'FINISHED'", "status != 'RUNNING'",
        "run_name LIKE 'run %' and start_time > 2000", "end_time >= 5000",
        "start_time <= 3000 AND metrics.`val/loss` > 0", "attr.start_time = 1000", "",
    ],
)  # fmt: skip
def test_it_agrees_with_mlflow(store: tuple[str, str], frame: pd.DataFrame, text: str) -> None:
    from mlflow import MlflowClient

    theirs = sorted(run.info.run_name for run in MlflowClient(store[0]).search_runs([store[1]], text))
    assert names(frame, text) == theirs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.lr > 0.005", ["run 0", "run 2"]),
        ("params.lr <= 1e-3", ["run 1"]),
        ("params.lr = 1e-2", ["run 0"]),
        ("params.lr = '1e-2'", []),
        ("params.lr != 0.1", ["run 0", "run 1", "run 3"]),
        ("params.model = mlp", ["run 0"]),
        ("params.model IN (mlp, 'cnn')", ["run 0", "run 1"]),
        ("params.model NOT IN ('mlp')", ["run 1", "run 2"]),
        ("status = 'finished'", ["run 1"]),
        ("attributes.run_name IN ('run 1', 'run 3')", ["run 1", "run 3"]),
        ("run_name NOT IN ('run 1')", ["run 0", "run 2", "run 3", "run 4"]),
        ("params.model = 'mlp' OR metrics.`val loss` > 0", ["run 0", "run 4"]),
        ("NOT params.model = 'mlp' AND (params.lr > 0 OR tags.team = 'red%')", ["run 1", "run 2", "run 3"]),
        ("params.model = 'mlp' OR params.model = 'cnn' AND params.lr > 0.005", ["run 0"]),
        ("start_time < '1970-01-01 00:00:02.5'", ["run 0", "run 1"]),
        ("  ", ["run 0", "run 1", "run 2", "run 3", "run 4"]),
    ],
)
def test_it_goes_beyond_mlflow(frame: pd.DataFrame, text: str, expected: list[str]) -> None:
    assert names(frame, text) == expected


def test_nan_is_found_by_no_comparison(frame: pd.DataFrame) -> None:
    assert pd.isna(frame.set_index("name").loc["run 1", "metrics.acc"])
    assert names(frame, "metrics.acc < 99 OR metrics.acc >= 0 OR metrics.acc != 7") == ["run 0"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("params.modle = 'x'", ["params.modle", "nearest: params.model"]),
        ("metrics.`val los` < 1", ["val los", "nearest: metrics.`val loss`"]),
        ("metrc.acc < 1", ["metrc", "allowed: metrics., params., tags., attributes."]),
        ("statu = 'x'", ["statu", "nearest: status"]),
        ("metrics.acc LIKE 'x'", ["metrics.acc", "LIKE", "allowed: =, !=, <"]),
        ("run_name > 'x'", ["run_name", ">", "LIKE"]),
        ("metrics.acc == 1", ["==", "allowed: ="]),
        ("params.lr > high", ["params.lr > high", "a number"]),
        ("metrics.acc < 'low'", ["metrics.acc < low", "a number"]),
        ("metrics.acc <", ["metrics.acc <", "a value is missing", "the end"]),
        ("metrics.acc", ["metrics.acc", "an operator is missing"]),
        ("metrics.acc < 1 params.lr > 1", ["'params.lr > 1'", "AND, OR"]),
        ("(metrics.acc < 1", ["parenthesis"]),
        ("params.model IN ('a', 'b'", ["params.model IN", "a comma or )"]),
        ("params.model IN 'a'", ["params.model IN", "a list"]),
        ("start_time > 'yesterday-ish'", ["start_time", "yesterday-ish", "a date"]),
        ("AND", ["AND"]),
        ("= 1", ["'= 1'", "a key is missing"]),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(frame: pd.DataFrame, text: str, words: list[str]) -> None:
    with pytest.raises(SearchError) as refused:
        matches(text, frame)
    sentence = str(refused.value)
    assert all(word in sentence for word in words), sentence
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 300


def test_an_empty_frame_has_no_unknown_keys() -> None:
    empty: pd.DataFrame = pd.DataFrame({"run_id": []})
    assert matches("params.anything = 'x'", empty).tolist() == []
    with pytest.raises(SearchError):
        matches("params.anything =", empty)


@pytest.mark.parametrize("key", ["plain", "with space", "a/b.c", "x=1", "<b>"])
@pytest.mark.parametrize("value", ["plain", "it's", 'say "hi"', "", "100%"])
def test_what_is_clicked_is_found_again(key: str, value: str) -> None:
    frame: Any = pd.DataFrame({f"params.{key}": [value, "other"]})
    assert matches(f"params.{quoted_key(key)} = {quoted_value(value)}", frame).tolist() == [True, False]
