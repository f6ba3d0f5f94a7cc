"""Stores that someone else filled: odd names and values, runs that never ended, and schemas of years ago."""

from __future__ import annotations

import hashlib
import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tracking.frames import Selection
from tracking.reader import ClientReader, SqliteReader, open_reader, sweeps
from tracking.store import StoreError, ensure_store, read_only_because

HTML = "<img src=x onerror=alert(1)>"


@pytest.fixture
def strange(uri: str, tmp_path: Path) -> tuple[str, str]:
    """A store with every oddity that MLflow's client can write; its URI and the experiment."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient(uri)
    experiment = client.create_experiment(HTML, artifact_location=str(tmp_path / "artifacts"))
    odd = client.create_run(experiment, run_name=HTML, start_time=1).info.run_id
    client.log_param(odd, "config", "{'lr': 0.1, 'layers': [1, 2]}")
    client.log_metric(odd, "val loss: best", 0.5)
    for step, value in enumerate((1.0, math.nan, math.inf, -math.inf)):
        client.log_metric(odd, "odd values", value, step=step)
    client.create_run(experiment, run_name="bare", start_time=2)
    many = client.create_run(experiment, run_name="many", start_time=3).info.run_id
    client.log_batch(many, [Metric(f"system/gpu_{k}_utilization", k, 1, 0) for k in range(300)])
    gone = client.create_run(experiment, run_name="gone", start_time=4).info.run_id
    client.delete_run(gone)
    return uri, experiment


@pytest.mark.parametrize("kind", [SqliteReader, ClientReader])
def test_every_oddity_is_read_as_it_is(strange: tuple[str, str], kind: type) -> None:
    uri, experiment = strange
    reader = open_reader(uri) if kind is SqliteReader else ClientReader(uri)
    assert isinstance(reader, kind)
    frame = reader.frame(experiment_ids=[experiment]).set_index("name")
    assert list(frame.index) == [HTML, "bare", "many"]
    assert frame.loc[HTML, "params.config"] == "{'lr': 0.1, 'layers': [1, 2]}"
    assert frame.loc[HTML, "metrics.val loss: best"] == 0.5
    assert frame.loc["bare"].filter(like="metrics.").isna().all()
    assert frame.loc["many"].filter(like="metrics.system").notna().sum() == 300
    assert set(frame["status"]) == {"RUNNING"} and frame["end_time"].isna().all()
    values = reader.histories([frame.loc[HTML, "run_id"]], ["odd values"])["value"].tolist()
    assert values[0] == 1.0 and math.isnan(values[1]) and values[2:] == [math.inf, -math.inf]
    hidden = reader.runs([experiment], deleted=True)
    assert set(hidden["name"]) - set(frame.index) == {"gone"}


def test_experiment_tags_are_the_same_from_both_readers(strange: tuple[str, str]) -> None:
    from mlflow import MlflowClient

    uri, experiment = strange
    MlflowClient(uri).set_experiment_tag(experiment, "sweepboard.roles", '{"a":["test","higher"]}')
    MlflowClient(uri).set_experiment_tag(experiment, "api_token", "secret")
    ours = open_reader(uri).experiment_tags(experiment)
    assert ours == ClientReader(uri).experiment_tags(experiment)
    assert ours["sweepboard.roles"] == '{"a":["test","higher"]}' and "secret" not in ours.values()
    assert open_reader(uri).experiment_tags("no such") == {}


def test_the_writers_experiment_tags_are_read_back(strange: tuple[str, str]) -> None:
    from tracking.writer import set_experiment_tags

    uri, experiment = strange
    set_experiment_tags(uri, experiment, {"a": "b"})
    assert open_reader(uri).experiment_tags(experiment)["a"] == "b"
    with pytest.raises(StoreError):
        set_experiment_tags(uri, "987654", {"a": "b"})


# MLflow 1.0's tables, as its first migrations left them: no latest_metrics, no experiment_tags, metrics without is_nan.
OLD = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR(256), artifact_location VARCHAR(256),
  lifecycle_stage VARCHAR(32));
CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), source_type VARCHAR(20),
  source_name VARCHAR(500), entry_point_name VARCHAR(50), user_id VARCHAR(256), status VARCHAR(20), start_time BIGINT,
  end_time BIGINT, source_version VARCHAR(50), lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200),
  experiment_id INTEGER);
CREATE TABLE tags (key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32), PRIMARY KEY (key, run_uuid));
CREATE TABLE params (key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32), PRIMARY KEY (key, run_uuid));
CREATE TABLE metrics (key VARCHAR(250), value FLOAT, timestamp BIGINT, run_uuid VARCHAR(32), {step}
  PRIMARY KEY (key, timestamp, run_uuid, value));
CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('{revision}');
INSERT INTO experiments VALUES (0, 'Default', '/nowhere', 'active');
INSERT INTO runs VALUES ('r1', '', 'LOCAL', 'train.py', '', 'ann', 'FINISHED', 10, 20, '', 'active', '{root}/r1', 0);
INSERT INTO tags VALUES ('mlflow.runName', 'from 2019', 'r1');
INSERT INTO params VALUES ('lr', '0.1', 'r1');
INSERT INTO metrics (key, value, timestamp, run_uuid) VALUES ('loss', 2.0, 11, 'r1'), ('loss', 1.0, 12, 'r1');
"""


@pytest.fixture(params=["step BIGINT DEFAULT 0 NOT NULL,", ""], ids=["with steps", "without steps"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD.format(step=request.param, revision="451aebb31d03", root=tmp_path))
    connection.close()
    return path


def test_an_old_schema_is_read_as_far_as_it_goes(old: Path) -> None:
    reader = open_reader(f"sqlite:///{old}")
    before = hashlib.sha256(old.read_bytes()).hexdigest()
    frame = reader.frame()
    assert frame["name"].tolist() == ["from 2019"] and frame["params.lr"].tolist() == ["0.1"]
    assert frame["metrics.loss"].tolist() == [1.0], "the latest, though there is no table of the latest"
    assert sorted(reader.histories(["r1"])["value"]) == [1.0, 2.0]
    assert reader.experiment_tags("0") == {} and reader.artifacts("r1").empty and sweeps(reader).empty
    assert hashlib.sha256(old.read_bytes()).hexdigest() == before, "never migrated, never written"


def test_an_old_schema_is_read_anew_each_time(old: Path) -> None:
    reader = SqliteReader(old)
    for _ in range(2):
        look, runs, again = reader.changes(Selection(), None)
        assert look is None and again is None and runs.empty, "it cannot tell what changed"


def test_an_old_store_says_how_to_migrate_and_is_not_written(old: Path) -> None:
    uri = f"sqlite:///{old}"
    sentence = read_only_because(uri)
    assert sentence is not None and "mlflow db upgrade" in sentence and "older" in sentence and "back it up" in sentence
    before = hashlib.sha256(old.read_bytes()).hexdigest()
    with pytest.raises(StoreError, match="mlflow db upgrade"):
        ensure_store(uri)
    assert hashlib.sha256(old.read_bytes()).hexdigest() == before


def test_a_store_of_today_can_be_written(uri: str, tmp_path: Path) -> None:
    assert read_only_because(uri) is None
    assert read_only_because(f"sqlite:///{tmp_path}/none.db") is None
    assert read_only_because("http://127.0.0.1:1") is None


def test_a_table_that_is_missing_for_good_is_named(blank: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    shutil.copy(blank, path)
    connection: Any = sqlite3.connect(path)
    connection.executescript("DROP TABLE params")
    connection.close()
    with pytest.raises(StoreError, match="no MLflow tables"):
        open_reader(f"sqlite:///{path}").frame()
