"""What the tests of the command line share: a store that is filled, and a client that answers."""

import json
import shutil
import sys
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from sweeps.client import Client, ServiceStatus
from sweeps.spec import parse
from tracking import schema
from tracking.schema import Outcome, State

sys.path.insert(0, str(Path(__file__).parent))  # a folder of tests is no package
from two_rates import FOUND, SPEC

sys.path.pop(0)


@pytest.fixture(scope="session")
def filled(store_template, tmp_path_factory):
    """A store with one finished sweep (a run of it crashed) and one that waits: its path and the sweeps' ids."""
    from sweeps.search import enumerate_trials, flatten, run_name, seeds_for
    from sweeps.service.launching import store_sweep
    from tracking.reader import open_reader
    from tracking.writer import NewRun, Writer

    path = tmp_path_factory.mktemp("filled") / "mlflow.db"
    shutil.copy(store_template, path)
    uri = f"sqlite:///{path}"
    spec = parse(SPEC)
    done = store_sweep(uri, spec)
    waits = store_sweep(uri, parse(SPEC.replace("two-rates", "later")))
    experiment = str(open_reader(uri).runs(run_ids=[done])["experiment_id"].iloc[0])
    refused = []
    writer = Writer(uri, lambda key, run_id: None, lambda key, sentence: refused.append(sentence), interval=0.01)
    writer.start()
    for trial in enumerate_trials(spec):
        for seed in range(spec.seeds):
            key = f"{trial.number}.{seed}"
            tags = {
                schema.KIND: schema.RUN_KIND, schema.SWEEP: done, schema.TRIAL: str(trial.number),
                schema.GROUP: trial.group, schema.PHASE: schema.SEARCH_PHASE, schema.SEED: str(seed),
            }  # fmt: skip
            params = flatten({**trial.configuration, "seeds": seeds_for(spec, seed)})
            writer.start_run(key, NewRun(experiment, run_name(trial, seed), tags, params, 1000 + seed, done))
            crashed = key == "1.1"
            if not crashed:
                writer.log_metrics(key, {schema.OBJECTIVE: 0.5 - 0.2 * trial.number + 0.1 * seed}, 1, 2000)
            tags = {schema.ERROR: "The \x1b[2Jmemory was full."} if crashed else {}
            writer.end(key, Outcome.CRASHED if crashed else Outcome.OK, tags, 3000)
    writer.set_tags(done, {f"{schema.EVENT}1": json.dumps({"at": 1000, "text": "Training.", "run": None})})
    writer.set_state(done, State.FINISHED)
    assert writer.close(30) and not refused
    return path, done, waits


@pytest.fixture
def store(filled, monkeypatch):
    """The store's URI and the ids of the finished and the waiting sweep; the tests only read it."""
    path, done, waits = filled
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    return f"sqlite:///{path}", done, waits


COMMANDS_OF_CLIENT = ("pause", "resume", "stop", "retry", "stop_run", "start_service", "shutdown")


@pytest.fixture
def client(monkeypatch):
    """The client that a command makes: its service answers, and does what it is asked to do."""
    client = create_autospec(Client, instance=True)

    def make(uri):
        client.uri = uri
        return client

    def launch(text):
        parse(text)
        return "abc123"

    client.launch.side_effect = launch
    client.check.return_value = FOUND
    client.status.return_value = ServiceStatus(alive=True, pid=7, started=0.0, active=("abc123",), workers=2)
    for name in COMMANDS_OF_CLIENT:
        getattr(client, name).return_value = None
    monkeypatch.setattr("sweeps.client.Client", create_autospec(Client, side_effect=make))
    return client


@pytest.fixture
def spec_file(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return str(file)
