"""A dashboard without a service: made-up sweeps behind `app.shared.store`, or a store that is written by SQL.

Also a double of the client that remembers what it is asked for, and the one way in which tests open a page.
"""

from __future__ import annotations

import functools
import math
import re
import sqlite3
import sys
import time
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

import app
from app.shared import store
from sweeps.client import Client, ServiceStatus
from tracking import schema
from tracking.frames import Records
from tracking.labels import label
from tracking.sweep_frames import EVENTS, SWEEPS

RUN_COLUMNS = [
    "run_id", "name", "status", "trial", "seed", "group", "phase", "outcome", "counts", "start_time", "end_time",
    "objective", "error",
]  # fmt: skip
SEARCHED = ["optimizer.name", "optimizer.lr"]
APP = Path(app.__file__).with_name("streamlit_app.py")
COMMANDS = (
    *("pause", "resume", "stop", "retry", "stop_run", "extend", "change"),
    *("edit", "edit_experiment", "delete", "restore", "clean"),
)
"""The methods of the client whose calls a double only remembers; the name of one that is no more is an error."""


def fake_client() -> Any:
    """A double of the service's client: it answers as told, remembers the commands, and has no other methods.

    Its attributes say what it answers: `state`, `estimates`, `overfits` and `landscapes`; `fails` is what every request
    raises. `commands`, `launched` and `checked` are what it was asked for.
    """
    client = _double()
    client.reset_mock(return_value=True, side_effect=True)
    client.commands, client.launched, client.checked = [], [], []
    client.state = ServiceStatus(alive=True, pid=1, started=0.0, workers=2)
    client.fails = client.estimates = client.overfits = None
    client.landscapes = {}

    def may_fail() -> None:
        if client.fails:
            raise client.fails

    def start_service(wait: float = 0.0) -> bool:
        assert wait == 0, "a page must not wait for the service"
        client.commands.append(("start_service", ""))
        return False

    def launch(text: str) -> str:
        may_fail()
        client.launched.append(text)
        return "running"

    def check(text: str, wait: float | None = None) -> dict[str, Any]:
        assert wait is not None and wait <= 0.3, "a page must not wait for an estimate"
        if client.estimates is None:
            raise ConnectionError("no service runs")
        client.checked.append(text)
        return client.estimates  # type: ignore[no-any-return]

    def overfit(text: str, act: str = "ask", wait: float = 0.0) -> dict[str, Any]:
        assert wait <= 0.3, "a page must not wait for a test"
        if client.overfits is None:
            raise ConnectionError("no service runs")
        client.commands.append((f"overfit {act}", text))
        return client.overfits  # type: ignore[no-any-return]

    def landscape(run: str, act: str = "ask", wait: float | None = None) -> dict[str, Any]:
        assert wait is None or wait <= 0.5, "a page must not wait for a landscape"
        may_fail()
        if act != "look":
            client.commands.append((f"landscape {act}", run))
        return {"state": client.landscapes.get(run, "none"), "doing": "", "share": 0.25, "problem": "It fell over."}

    def command(name: str) -> Any:
        def remember(*values: Any, **named: Any) -> int | None:
            may_fail()
            client.commands.append((name, *values, *([named] if named else [])))
            return 2_500_000 if name == "clean" else None

        return remember

    client.status.side_effect = lambda: client.state
    client.start_service.side_effect = start_service
    client.launch.side_effect = launch
    client.check.side_effect = check
    client.overfit.side_effect = overfit
    client.landscape.side_effect = landscape
    client.mlflow_ui.return_value = ("http://127.0.0.1:5999", True)
    for name in COMMANDS:
        getattr(client, name).side_effect = command(name)
    return client


@functools.cache
def _double() -> Any:
    """The double of all tests, which `fake_client` sets anew; to make one takes longer than many a test."""
    return mock.create_autospec(Client, instance=True)


class Refused(Exception):
    """An edit that MLflow refuses too."""


class Rows:
    """Writes into a store by SQL, in a hundredth of the time, what MlflowClient would write: it has its methods.

    test_runs_kept.py compares the two, table by table.
    """

    def __init__(self, uri: str) -> None:
        self.path = Path(uri.removeprefix("sqlite:///"))
        # A page calls from a thread of its own, while the test waits for it.
        self.database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Everything that is written inside is one transaction."""
        self.database.execute("BEGIN")
        yield
        self.database.execute("COMMIT")

    def create_experiment(self, name: str, artifact_location: str | None = None) -> str:
        with self.at_once():
            (number,) = self.database.execute("SELECT max(experiment_id) + 1 FROM experiments").fetchone()
            location = artifact_location or (self.path.parent / f"artifacts-{number}").as_uri()
            times = (now(), now())
            self.database.execute(
                "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time,"
                " last_update_time) VALUES (?, ?, ?, 'active', ?, ?)",
                (number, name, location, *times),
            )
        return str(number)

    def set_experiment_tag(self, experiment: str, key: str, value: str) -> None:
        self.database.execute(
            "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)",
            (key, value, int(experiment)),
        )

    def create_run(
        self,
        experiment: str,
        *,
        run_name: str,
        start_time: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Begin a run; returns its id."""
        run = uuid.uuid4().hex
        where = "SELECT artifact_location FROM experiments WHERE experiment_id = ?"
        (location,) = self.database.execute(where, (int(experiment),)).fetchone()
        values = (run, run_name, start_time or now(), f"{location}/{run}/artifacts", int(experiment))
        self.database.execute(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,"
            " source_version, lifecycle_stage, artifact_uri, experiment_id)"
            " VALUES (?, ?, 'UNKNOWN', '', '', 'unknown', 'RUNNING', ?, '', 'active', ?, ?)",
            values,
        )
        for key, value in {**(tags or {}), schema.RUN_NAME: run_name}.items():
            self._tag(run, key, value)
        return run

    def _tag(self, run: str, key: str, value: str) -> None:
        self.database.execute(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (key, value, run),
        )

    def _only_active(self, run: str) -> None:
        stage = self.database.execute("SELECT lifecycle_stage FROM runs WHERE run_uuid = ?", (run,)).fetchone()
        if stage != ("active",):
            raise Refused(f"The run {run} is not active.")

    def log_param(self, run: str, key: str, value: str) -> None:
        self._only_active(run)
        stored = "SELECT value FROM params WHERE run_uuid = ? AND key = ?"
        row = self.database.execute(stored, (run, key)).fetchone()
        if row is None:
            self.database.execute("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", (key, value, run))
        elif row != (value,):
            raise Refused(f"The param {key} has another value.")

    def log_metric(self, run: str, key: str, value: float, timestamp: int | None = None, step: int = 0) -> None:
        self._only_active(run)
        largest = sys.float_info.max
        lost = math.isnan(value)
        number = 0.0 if lost else max(-largest, min(largest, value))
        row = (key, number, now() if timestamp is None else timestamp, run, step, lost)
        added = self.database.execute(
            "INSERT OR IGNORE INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )
        if added.rowcount:
            self.database.execute(
                "INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp,"
                " step = excluded.step, is_nan = excluded.is_nan"
                " WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)",
                row,
            )

    def set_tag(self, run: str, key: str, value: str) -> None:
        self._only_active(run)
        if key == schema.RUN_NAME:
            self.database.execute("UPDATE runs SET name = ? WHERE run_uuid = ?", (value, run))
        self._tag(run, key, value)

    def delete_tag(self, run: str, key: str) -> None:
        self._only_active(run)
        if not self.database.execute("DELETE FROM tags WHERE run_uuid = ? AND key = ?", (run, key)).rowcount:
            raise Refused(f"The run {run} has no tag {key}.")

    def set_terminated(self, run: str, status: str = "FINISHED", end_time: int | None = None) -> None:
        self._only_active(run)
        end = end_time or now()
        self.database.execute("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", (status, end, run))

    def delete_run(self, run: str) -> None:
        change = "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE run_uuid = ?"
        self.database.execute(change, (now(), run))

    def restore_run(self, run: str) -> None:
        change = "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE run_uuid = ?"
        self.database.execute(change, (run,))

    def log_run(
        self,
        experiment: str,
        name: str,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, float | list[float]] | None = None,
        tags: Mapping[str, str] | None = None,
        *,
        start: int | None = None,
        status: str | None = "FINISHED",
    ) -> str:
        """Write a whole run in one transaction.

        Args:
            metrics: name -> its values, one for each step from 0 on; times are the step plus one millisecond
            status: that of a run that has ended now; None for one that still runs

        Returns:
            its id
        """
        with self.at_once():
            run = self.create_run(experiment, run_name=name, start_time=start, tags=tags)
            for key, value in (params or {}).items():
                self.log_param(run, key, value)
            for key, values in (metrics or {}).items():
                for step, number in enumerate(values if isinstance(values, list) else [values]):
                    self.log_metric(run, key, number, timestamp=step + 1, step=step)
            if status:
                self.set_terminated(run, status)
        return run

    def artifacts(self, run: str) -> Path:
        """The folder of a run's files, made if need be."""
        (address,) = self.database.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run,)).fetchone()
        folder = Path(unquote(urlsplit(address).path))
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


class Fake:
    """Sweeps by hand: `add` one, then look at its pages."""

    two_optimizers = """
name: x
model: {name: mlp}
data: {name: digits}
search:
  optimizer.name: {values: [adam, sgd]}
"""
    """The beginning of a spec, as far as what is searched beside the optimizer."""

    def __init__(self, client: Any) -> None:
        self.rows: list[dict[str, Any]] = []
        self.runs_of: dict[str, pd.DataFrame] = {}
        self.spec = "name: x"
        self.client = client
        self.labs: dict[str, dict[str, Any]] = {}
        self.now = int(time.time() * 1000)

    def add(
        self,
        sweep: str,
        state: str,
        outcomes: dict[tuple[str, float], list[str]],
        objectives: Mapping[tuple[str, float], list[float]] | None = None,
        **more: Any,
    ) -> None:
        """Add a sweep with its runs.

        Args:
            outcomes: (optimizer, lr) -> the outcome of each seed.
            objectives: (optimizer, lr) -> the objective of each seed; by default each is higher than the one before.
            more: columns of the sweep's row that are to differ.
        """
        runs = []
        for trial, ((name, lr), seeds) in enumerate(outcomes.items()):
            for seed, outcome in enumerate(seeds):
                start = self.now - 60_000 + 1000 * len(runs)
                objective = (trial + 1) / 10 + seed / 100 if objectives is None else objectives[name, lr][seed]
                runs.append(
                    {
                        "run_id": f"{sweep}-{trial}-{seed}", "name": f"{name} · lr {lr} · seed {seed}", "status": "",
                        "trial": trial, "seed": seed, "group": f"g{trial}", "phase": "search", "outcome": outcome,
                        "counts": True, "start_time": start,
                        "end_time": math.nan if outcome == "running" else start + 2000,
                        "objective": objective if outcome == "ok" else math.nan,
                        "error": "ValueError: <b>broken</b>" if outcome == "crashed" else "",
                        "optimizer.name": name, "optimizer.lr": lr,
                    }
                )  # fmt: skip
        frame = pd.DataFrame(runs, columns=None if runs else [*RUN_COLUMNS, *SEARCHED])
        count = frame["outcome"].value_counts().to_dict() if len(frame) else {}
        ended = sum(number for outcome, number in count.items() if outcome != "running")
        first = next(iter(outcomes), ("", 0.0))
        counts = {name: count.get(name, 0) for name in ("ok", "diverged", "pruned", "stopped", "crashed", "running")}
        row = {
            "sweep": sweep, "name": sweep, "experiment_id": "1", "experiment": "e", "state": state, "question": "",
            "created": self.now - 60_000 - len(self.rows), "trials": len(outcomes), "seeds": 3,
            "planned": 3 * len(outcomes), "metric": "val/loss", "direction": "minimize", "searched": SEARCHED,
            "owner": "", "lease": "", **counts, "done": ended, "best": 0.1 if count.get("ok") else math.nan,
            "best_group": "g0", "best_name": label(dict(zip(SEARCHED, first, strict=True))) if count.get("ok") else "",
        }  # fmt: skip
        self.rows.append(row | more)
        self.runs_of[sweep] = frame

    def sweeps(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.rows, columns=list(SWEEPS))
        return frame.sort_values("created", ascending=False, ignore_index=True)

    def runs(self, sweep: str) -> pd.DataFrame:
        return self.runs_of[sweep]

    def histories(self, run_ids: tuple[str, ...], metric: str) -> pd.DataFrame:
        rows = [(run, metric, step, self.now, 1.0 / step) for run in run_ids for step in range(1, 6)]
        return pd.DataFrame(rows, columns=["run_id", "key", "step", "time", "value"])

    def records(self, sweeps: tuple[str, ...] = (), runs: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> Any:
        """The runs as a store holds them: params, tags and metrics in long form."""
        rows, params, tags, metrics = [], [], [], []
        for sweep, frame in self.runs_of.items():
            for run in frame.to_dict("records"):
                if not (sweep in sweeps or run["run_id"] in runs or run["group"] in groups):
                    continue
                name = run["run_id"]
                status = {"ok": "FINISHED", "diverged": "FINISHED", "running": "RUNNING"}.get(run["outcome"], "FAILED")
                rows.append((name, run["name"], "1", status, run["start_time"], run["end_time"], sweep))
                params += [(name, key, str(run[key])) for key in SEARCHED]
                run_tags = {key: str(run[key]) for key in ("trial", "seed", "group", "phase")} | {"kind": "run"}
                run_tags |= {} if run["outcome"] == "running" else {"outcome": run["outcome"]}
                run_tags |= {} if run["counts"] else {"superseded_by": "other"}
                tags += [(name, key, value) for key, value in run_tags.items()]
                if math.isfinite(run["objective"]):
                    metrics += [(name, key, run["objective"], 5, self.now) for key in ("objective", "val/loss")]
        columns = ["run_id", "name", "experiment_id", "status", "start_time", "end_time", "parent"]
        tables = (
            pd.DataFrame(rows, columns=columns),
            *(pd.DataFrame(part, columns=["run_id", "key", "value"]) for part in (params, tags)),
        )
        return Records(*tables, pd.DataFrame(metrics, columns=["run_id", "key", "value", "step", "time"]))

    def events(self, sweep: str) -> pd.DataFrame:
        return pd.DataFrame([(self.now, "Queued <i>now</i>.", None)], columns=list(EVENTS))


def open_at(page: str = "overview", *, user: dict[str, Any] | None = None, **address: Any) -> AppTest:
    """A page of the dashboard, opened in one run.

    Before the first run, Streamlit takes a page for the one whose address is the name of its file. All our addresses
    are; test_shell.py opens every page to see that it is the one that was asked for.

    Args:
        page: the name of its file
        user: what `st.user` holds; by default nobody can log in
        address: the parameters of the URL; a list for one that is repeated
    """
    at = AppTest.from_file(str(APP), default_timeout=120)
    if user is not None:
        at.user = user
    at.switch_page(f"views/{page}.py")
    for name, value in address.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    return at


@pytest.fixture(scope="session", autouse=True)
def _quick_streamlit() -> Iterator[None]:
    """Streamlit runs pages as the shipped configuration says, and looks only once for components of other packages.

    A test's page is a new program for Streamlit, which would look through all installed packages each time: half of
    the time of a test.
    """
    shipped = tomllib.loads((APP.parent / ".streamlit" / "config.toml").read_text())
    config.set_option("runner.magicEnabled", shipped["runner"]["magicEnabled"])
    components = manifest_scanner.scan_component_manifests()
    with mock.patch.object(manifest_scanner, "scan_component_manifests", lambda: components):
        yield


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """Streamlit makes the page's script the main module, which each process that this one forks later would run: a
    whole dashboard, which starts a service."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`visit("runs", experiment="1")`: `open_at` from this machine, where no password is asked for."""
    monkeypatch.delenv("SWEEPBOARD_PASSWORD", raising=False)
    config.set_option("server.address", "127.0.0.1")
    return open_at


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A double of the service's client (see `fake_client`), which the pages ask."""
    double = fake_client()
    monkeypatch.setattr(store, "client", lambda: double)
    return double


@pytest.fixture
def fake(client: Any, visit: Any, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Made-up sweeps instead of a store, and a double of the client."""
    fake = Fake(client)
    for name in ("sweeps", "runs", "histories", "events", "records"):
        monkeypatch.setattr(store, name, getattr(fake, name))
    monkeypatch.setattr(store, "spec_text", lambda sweep: fake.spec)
    monkeypatch.setattr(store, "labs", lambda: fake.labs)
    monkeypatch.setattr(store, "uri", lambda: "sqlite:///nowhere.db")
    monkeypatch.setattr(store, "experiment_tags", lambda experiment_id: {})
    return fake


@pytest.fixture
def open_page(fake: Fake, visit: Any) -> Any:
    """`open_page("sweep", sweep="id")`: the page on the made-up sweeps, run once."""
    return visit


@pytest.fixture(scope="session")
def make_rows() -> type[Rows]:
    """The class `Rows`: test modules cannot import this file by name."""
    return Rows


@pytest.fixture
def rows(uri: str) -> Iterator[Rows]:
    """Writes rows into the store of this test."""
    written = Rows(uri)
    yield written
    written.close()


@pytest.fixture
def bare() -> Any:
    """Checks that Markdown holds no markup but ours, whatever the names; returns the texts."""

    def checked(texts: list[str]) -> list[str]:
        assert any("img src" in text for text in texts), "the name is shown at all"
        for text in texts:
            unescaped = re.sub(r"\\.", "", text)
            for active in ("<img", "[link]", "(http", "bold**", ":material/bug", ":red[r]", "$x$"):
                assert active not in unescaped
            assert "://" not in text, "what looks like a link would become one"
        return texts

    return checked


@pytest.fixture
def words() -> Any:
    """Everything that a page says, as one text."""

    def text_of(at: AppTest) -> str:
        parts = [*at.title, *at.subheader, *at.markdown, *at.caption, *at.error, *at.warning]
        return "\n".join([element.value for element in parts] + [str(bar.text) for bar in at.progress])

    return text_of
