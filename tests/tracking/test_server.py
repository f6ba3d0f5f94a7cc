"""The same through an MLflow server: written by the writer, which waits for it, and read by the client's reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal

from tracking import schema
from tracking.reader import ClientReader, SqliteReader, events, open_reader, sweep_runs, sweeps
from tracking.schema import Outcome, State
from tracking.store import StoreError
from tracking.writer import NewRun, Writer


def test_a_sweep_through_a_server(
    mlflow_server: Any, helpers: Any, listener: Any, open_writer: Callable[[str], Writer], tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="the server does not answer"):
        helpers.sweep(mlflow_server.uri)
    writer = open_writer(mlflow_server.uri)
    writer.start_run("first", NewRun("0", "first", {schema.KIND: "run"}, {"x": "y" * 7000}, helpers.now, None))
    helpers.wait_for(lambda: writer.problem)
    assert writer.problem and "the server does not answer" in writer.problem
    mlflow_server.start()
    assert writer.flush(90), writer.problem
    assert writer.problem is None and set(listener.created) == {"first"}

    sweep = helpers.sweep(mlflow_server.uri, searched='["optimizer.lr"]')
    experiment = open_reader(mlflow_server.uri).runs(run_ids=[sweep])["experiment_id"][0]
    weights = tmp_path / "weights"
    weights.write_bytes(bytes(1000))
    for key in ("a", "b"):
        writer.start_run(key, helpers.run(sweep, experiment))
        writer.log_dataset(key, {"name": "digits", "digest": "1", "source": "s", "profile": {}, "context": "training"})
        for epoch in range(3):
            writer.log_metrics(key, {"val/loss": 1 / (epoch + 1), schema.OBJECTIVE: 1.0}, epoch, epoch)
    writer.set_tags(sweep, {"event.1": '{"at": 1, "text": "began", "run": null}'})
    writer.log_metrics("b", {"a @ b": 1.0, "fine": 2.0}, 1, 1)
    assert writer.flush(60) and [key for key, _ in listener.refused] == ["b"]

    writer.log_file("a", weights, schema.WEIGHTS_FILE, delete=True)
    writer.end("a", Outcome.OK, {}, helpers.now)
    writer.set_state(sweep, State.PAUSED)
    assert writer.flush(60), writer.problem

    ours, theirs = SqliteReader(mlflow_server.database), open_reader(mlflow_server.uri)
    assert isinstance(theirs, ClientReader)
    everything = list(ours.runs()["run_id"])
    assert len(everything) == 4
    assert_frame_equal(ours.frame(), theirs.frame(), check_exact=True)
    assert_frame_equal(ours.metrics(everything), theirs.metrics(everything), check_exact=True)
    assert_frame_equal(ours.histories(everything), theirs.histories(everything), check_exact=True)
    assert_frame_equal(ours.experiments(), theirs.experiments(), check_exact=True)
    assert_frame_equal(sweeps(ours), sweeps(theirs), check_exact=True)
    assert_frame_equal(sweep_runs(ours, sweep), sweep_runs(theirs, sweep), check_exact=True)
    assert_frame_equal(events(ours, sweep), events(theirs, sweep), check_exact=True)
    assert sweeps(theirs)["state"].tolist() == ["paused"]
    assert len(theirs.histories([listener.created["a"]], ["val/loss"])) == 3

    assert theirs.artifacts(listener.created["a"]).values.tolist() == [[schema.WEIGHTS_FILE, 1000]]
    assert theirs.artifact(listener.created["a"], schema.WEIGHTS_FILE) == bytes(1000) and not weights.exists()
    assert theirs.artifact(listener.created["first"], "params/x.txt") == b"y" * 7000
    assert theirs.artifact(sweep, "spec.yaml") == b"name: x\n"
    with pytest.raises(StoreError, match="leads out"):
        theirs.artifact(sweep, "../spec.yaml")
    with pytest.raises(FileNotFoundError):
        theirs.artifact(sweep, "none")
