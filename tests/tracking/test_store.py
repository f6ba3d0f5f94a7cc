"""Stores are made once, whole, by whoever comes first; one that is not ours to write is refused and left as it was."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tracking import store
from tracking.reader import open_reader
from tracking.schema import MASK
from tracking.store import StoreError, artifact_root, default_uri, ensure_store, scrub, sqlite_path, sqlite_uri


def change(path: Path, sql: str) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()
    return path.read_bytes()


def test_eight_first_starts_at_once(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    folder = tmp_path / "new, with ü and %41?" / "deep"
    uri = sqlite_uri(folder / "mlflow.db")
    code = f"from tracking.store import ensure_store; ensure_store({uri!r})"
    starts = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code], stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    errors = [start.communicate(timeout=120)[1] for start in starts]
    assert [start.returncode for start in starts] == [0] * 8 and set(errors) == {""}
    assert [file.name for file in folder.iterdir()] == ["mlflow.db"]
    client = MlflowClient(uri)
    default = client.get_experiment("0")
    assert default.name == "Default" and default.artifact_location == f"{artifact_root(uri)}/0"
    assert client.create_run("0").info.status == "RUNNING"


def test_an_existing_store_is_left_alone(uri: str) -> None:
    path = sqlite_path(uri)
    assert path is not None
    before = path.read_bytes(), path.stat().st_mtime_ns
    ensure_store(uri)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    ("schema", "words"),
    [("ffffffffffff", ["newer", "update MLflow"]), ("0a8213491aaa", ["older", "mlflow db upgrade sqlite:///"])],
)
def test_a_store_of_another_version_is_refused(uri: str, schema: str, words: list[str]) -> None:
    path = sqlite_path(uri)
    assert path is not None
    before = change(path, f"UPDATE alembic_version SET version_num = '{schema}'")
    with pytest.raises(StoreError, match="another version of MLflow") as caught:
        ensure_store(uri)
    assert schema in str(caught.value) and all(word in str(caught.value) for word in words)
    assert path.read_bytes() == before and [file.name for file in path.parent.iterdir()] == ["mlflow.db"]


def test_the_version_is_the_one_that_mlflow_wants(uri: str) -> None:
    from mlflow.store.db.utils import _get_latest_schema_revision

    revisions, head = store.revisions()
    assert head == _get_latest_schema_revision() and head in revisions


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("no database " * 1000)
    optuna = tmp_path / "optuna.db"
    change(optuna, "CREATE TABLE studies (a)")
    for path, words in ((text, "no SQLite database"), (optuna, "no MLflow store")):
        before = path.read_bytes()
        with pytest.raises(StoreError, match=words):
            ensure_store(sqlite_uri(path))
        assert path.read_bytes() == before


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:", "./mlruns", "file:///tmp/mlruns", "http://"])
def test_unsuitable_uris_are_refused(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(StoreError, match="name"):
        ensure_store(uri)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_of_runs_is_refused_alike_by_readers_and_writers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The command line once said that a server answered with error 400, and cut MLflow's advice in a word."""
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("experiment_id: '0'\nlifecycle_stage: active\nname: Default\n")
    uri = f"{scheme}{tmp_path}/mlruns"
    texts = []
    for use in (ensure_store, lambda uri: open_reader(uri).runs()):
        with pytest.raises(StoreError) as caught:
            use(uri)
        texts.append(str(caught.value))
    assert texts[0] == texts[1] and "mlflow migrate-filestore" in texts[0] and texts[0].endswith("holds mlruns.")


def test_a_failed_creation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store._mlflow, "prepare", fail)
    with pytest.raises(StoreError, match="the disk is full"):
        ensure_store(sqlite_uri(tmp_path / "mlflow.db"))
    assert not (tmp_path / "mlflow.db").exists() and not list(tmp_path.glob("*.new*"))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        ensure_store(sqlite_uri(tmp_path / "file" / "mlflow.db"))


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert sqlite_path(default_uri()) == Path(__file__).resolve().parents[2] / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert default_uri() == "http://host:5000" and artifact_root("http://host:5000") is None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    assert default_uri() == f"sqlite:///{tmp_path}/here.db"


@pytest.mark.parametrize("name", ["a.db", "with space.db", "ü.db", "100%.db", "what?.db", "a#b.db", "%41.db"])
def test_uris_of_odd_paths(name: str, tmp_path: Path) -> None:
    from sqlalchemy.engine import make_url

    uri = sqlite_uri(tmp_path / name)
    assert sqlite_path(uri) == tmp_path / name
    assert make_url(uri).database == str(tmp_path / name)


@pytest.mark.parametrize("uri", ["sqlite:////tmp/a.db", "sqlite:////tmp/a.db?timeout=5", "sqlite:///a%20b.db"])
def test_paths_are_those_of_sqlalchemy(uri: str) -> None:
    from sqlalchemy.engine import make_url

    assert sqlite_path(uri) == Path(str(make_url(uri).database)).absolute()


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://host:5000/path", "http://host:5000/path"),
        ("https://me:pw@host:5000", "https://host:5000"),
        ("postgresql://me:p@w/d@host/db", "postgresql://host/db"),
        ("postgresql://host/db?password=pw&x=1", f"postgresql://host/db?password={MASK}&x=1"),
        ("sqlite:////home/me@work/a.db", "sqlite:////home/me@work/a.db"),
        ("/some/path", "/some/path"),
    ],
)
def test_what_is_shown_of_a_uri(uri: str, shown: Any) -> None:
    assert scrub(uri) == shown
