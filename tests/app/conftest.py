"""A dashboard without a service: made-up sweeps behind `app.store`, a client that writes down what it is asked."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

import app
from analysis.ranking import label
from app import store
from sweeps.client import ServiceStatus
from tracking.frames import Records
from tracking.sweeps import EVENTS, SWEEPS

RUN_COLUMNS = [
    "run_id", "name", "status", "trial", "seed", "group", "phase", "outcome", "counts", "start_time", "end_time",
    "objective", "error",
]  # fmt: skip
SEARCHED = ["optimizer.name", "optimizer.lr"]


class FakeClient:
    """Answers like the service's client and remembers the commands."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, str]] = []
        self.launched: list[str] = []
        self.state = ServiceStatus(alive=True, pid=1, started=0.0, workers=2)
        self.fails: Exception | None = None
        self.checked: list[str] = []
        self.estimates: dict[str, Any] | None = None
        self.landscapes: dict[str, str] = {}

    def status(self) -> ServiceStatus:
        return self.state

    def start_service(self, wait: float = 0.0) -> bool:
        assert wait == 0, "a page must not wait for the service"
        self.commands.append(("start_service", ""))
        return False

    def launch(self, text: str) -> str:
        if self.fails:
            raise self.fails
        self.launched.append(text)
        return "running"

    def check(self, text: str, wait: float | None = None) -> dict[str, Any]:
        assert wait is not None and wait <= 0.3, "a page must not wait for an estimate"
        if self.estimates is None:
            raise ConnectionError("no service runs")
        self.checked.append(text)
        return self.estimates

    def landscape(self, run: str, act: str = "ask", wait: float | None = None) -> dict[str, Any]:
        assert wait is None or wait <= 0.5, "a page must not wait for a landscape"
        if self.fails:
            raise self.fails
        if act != "look":
            self.commands.append((f"landscape {act}", run))
        return {"state": self.landscapes.get(run, "none"), "doing": "", "share": 0.25, "problem": "It fell over."}

    def mlflow_ui(self) -> tuple[str, bool]:
        return "http://127.0.0.1:5999", True

    def __getattr__(self, name: str) -> Any:
        def command(target: str) -> str | None:
            if self.fails:
                raise self.fails
            self.commands.append((name, target))
            return None

        return command


class Fake:
    """Sweeps by hand: `add` one, then look at its pages."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.runs_of: dict[str, pd.DataFrame] = {}
        self.spec = "name: x"
        self.client = FakeClient()
        self.labs: dict[str, dict[str, Any]] = {}
        self.now = int(time.time() * 1000)

    def add(self, sweep: str, state: str, outcomes: dict[tuple[str, float], list[str]], **more: Any) -> None:
        """`outcomes`: (optimizer, lr) -> the outcome of each seed."""
        runs = []
        for trial, ((name, lr), seeds) in enumerate(outcomes.items()):
            for seed, outcome in enumerate(seeds):
                start = self.now - 60_000 + 1000 * len(runs)
                runs.append(
                    {
                        "run_id": f"{sweep}-{trial}-{seed}", "name": f"{name} · lr {lr} · seed {seed}", "status": "",
                        "trial": trial, "seed": seed, "group": f"g{trial}", "phase": "search", "outcome": outcome,
                        "counts": True, "start_time": start,
                        "end_time": math.nan if outcome == "running" else start + 2000,
                        "objective": (trial + 1) / 10 + seed / 100 if outcome == "ok" else math.nan,
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
                own = {key: str(run[key]) for key in ("trial", "seed", "group", "phase")} | {"kind": "run"}
                own |= {} if run["outcome"] == "running" else {"outcome": run["outcome"]}
                own |= {} if run["counts"] else {"superseded_by": "other"}
                tags += [(name, key, value) for key, value in own.items()]
                if math.isfinite(run["objective"]):
                    metrics += [(name, key, run["objective"], 5, self.now) for key in ("objective", "val/loss")]
        columns = ["run_id", "name", "experiment_id", "status", "start_time", "end_time", "parent"]
        made = pd.DataFrame(rows, columns=columns), *(
            pd.DataFrame(part, columns=["run_id", "key", "value"]) for part in (params, tags)
        )  # fmt: skip
        return Records(*made, pd.DataFrame(metrics, columns=["run_id", "key", "value", "step", "time"]))

    def events(self, sweep: str) -> pd.DataFrame:
        return pd.DataFrame([(self.now, "Queued <i>now</i>.", None)], columns=list(EVENTS))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Made-up sweeps instead of a store, and a made-up client."""
    made = Fake()
    for name in ("sweeps", "runs", "histories", "events", "records"):
        monkeypatch.setattr(store, name, getattr(made, name))
    monkeypatch.setattr(store, "spec_text", lambda sweep: made.spec)
    monkeypatch.setattr(store, "client", lambda: made.client)
    monkeypatch.setattr(store, "labs", lambda: made.labs)
    monkeypatch.setattr(store, "uri", lambda: "sqlite:///nowhere.db")
    monkeypatch.setattr(store, "experiment_tags", lambda experiment_id: {})
    monkeypatch.delenv("SWEEPBOARD_PASSWORD", raising=False)
    config.set_option("server.address", "127.0.0.1")
    return made


@pytest.fixture
def open_page(fake: Fake) -> Any:
    """`open_page("sweep", sweep="id")`: the page, run once."""

    def opened(page: str = "overview", **params: str) -> AppTest:
        at = AppTest.from_file(str(Path(app.__file__).parent / "streamlit_app.py"), default_timeout=30)
        if page != "overview":
            at.run()
            at.switch_page(f"views/{page}.py")
        for name, value in params.items():
            at.query_params[name] = value
        at.run()
        assert not at.exception, at.exception
        return at

    return opened


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

    def said(at: AppTest) -> str:
        parts = [*at.title, *at.subheader, *at.markdown, *at.caption, *at.error, *at.warning]
        return "\n".join([element.value for element in parts] + [str(bar.text) for bar in at.progress])

    return said
