"""Stores with anything in them: every page still answers, without a traceback, a dialog or an error."""

import contextlib
import json
import math
import re
import shutil
import sqlite3
import sys

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example) :material/bug: $x$"
START = 1_700_000_000_000


def a_run(number, *, params=None, metrics=None, tags=None, name=None, status="FINISHED", stage="active"):
    """A run as `insert` takes it; a metric is its values, first to last."""
    return {
        "id": f"{number:032x}",
        "name": f"run {number}" if name is None else name,
        "params": {"lr": 0.1 * (1 + number % 3), "seed": number} if params is None else params,
        "metrics": {"val loss": [2.0, 1.0 + number / 10]} if metrics is None else metrics,
        "tags": tags or {},
        "status": status,
        "stage": stage,
        "start": START + 1000 * number,
    }


TABLES = ("latest_metrics", "metrics", "params", "tags", "runs")


def insert(path, runs, experiment="strange"):
    """Write runs as MLflow would have, only faster, in place of all runs in the store."""
    with sqlite3.connect(path) as store:
        for table in TABLES:
            store.execute(f"DELETE FROM {table}")
        store.execute("DELETE FROM experiments WHERE experiment_id = 1")
        store.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) VALUES (1, ?, ?, ?)",
            (experiment, f"file://{path.parent}/mlartifacts/1", "active"),
        )
        store.executemany(
            "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage,"
            " artifact_uri, experiment_id) VALUES (?, ?, 'LOCAL', 'ann', ?, ?, ?, ?, ?, 1)",
            (
                (
                    *(run["id"], run["name"], run["status"], run["start"]),
                    *(None if run["status"] == "RUNNING" else run["start"] + 900, run["stage"]),
                    f"file://{path.parent}/mlartifacts/1/{run['id']}/artifacts",
                )
                for run in runs
            ),
        )
        store.executemany(
            "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)",
            ((run["id"], key, str(value)) for run in runs for key, value in run["params"].items()),
        )
        store.executemany(
            "INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)",
            (
                (run["id"], key, str(value))
                for run in runs
                for key, value in {"mlflow.runName": run["name"], **run["tags"]}.items()
            ),
        )
        values = [
            (run["id"], key, *stored(value), run["start"] + step, step)
            for run in runs
            for key, history in run["metrics"].items()
            for step, value in enumerate(history)
        ]
        last = {(row[0], row[1]): row for row in values}.values()
        for table, rows in (("metrics", values), ("latest_metrics", last)):
            store.executemany(
                f"INSERT INTO {table} (run_uuid, key, value, is_nan, timestamp, step) VALUES (?, ?, ?, ?, ?, ?)", rows
            )
    store.close()


def stored(value):
    """A metric's (value, is_nan) as MLflow keeps them: infinity is the largest number, nan is 0 with is_nan."""
    if math.isnan(value):
        return 0.0, True
    return max(-sys.float_info.max, min(sys.float_info.max, value)), False


def ours(number, outcome, **more):
    """A run with the tags of one of our sweeps, without that sweep."""
    tags = {"kind": "run", "group": f"g{number % 2}", "seed": str(number // 2), "trial": str(number % 2)}
    return a_run(number, tags={**tags, "outcome": outcome, "phase": "search"}, **more)


STORES = {
    "empty": [],
    "one_run": [a_run(0)],
    "all_diverged": [ours(n, "diverged", metrics={"val/loss": [1.0, math.inf]}) for n in range(6)],
    "markup_in_names": [
        a_run(n, name=HOSTILE, params={HOSTILE: n % 2, "lr": n}, metrics={f"{HOSTILE} loss": [1.0, n]},
              tags={HOSTILE: HOSTILE, "mlflow.note.content": HOSTILE}) for n in range(4)
    ],
    "params_like_dicts": [
        a_run(n, params={"model": json.dumps({"name": "mlp", "sizes": [n, 2]}), "list": "[1, [2, {3: 4}]]",
                         "empty": "", "none": "None", "long": "x" * 6000, "quote`'\"": "it's"}) for n in range(4)
    ],
    "no_params": [a_run(n, params={}) for n in range(4)],
    "no_metrics": [a_run(n, metrics={}) for n in range(4)],
    "nothing_logged": [a_run(n, params={}, metrics={}, name="") for n in range(4)],
    "stuck_and_deleted": [a_run(0, status="RUNNING"), a_run(1, stage="deleted"), a_run(2), a_run(3, status="FAILED")],
    "no_numbers": [
        a_run(n, metrics={"val loss": [math.nan, 1.0, math.inf], "nan": [math.nan], "-inf": [1.0, -math.inf]})
        for n in range(4)
    ],
    "hundreds_of_metrics": [
        a_run(n, metrics={f"layer {i}/norm of weights": [1.0, i + n] for i in range(300)}) for n in range(4)
    ],
}  # fmt: skip


for place, store_runs in enumerate(STORES.values(), 1):  # one dashboard shows all of them, one after the other
    for run in store_runs:
        run["id"] = f"{place:02x}{run['id'][2:]}"


@pytest.fixture(scope="module")
def strange(store_template, tmp_path_factory, new_dashboard, instead_of_a_service):
    """(the path of a store whose runs are replaced, a dashboard on it), without a service."""
    folder = tmp_path_factory.mktemp("strange")
    path, state = folder / "mlflow.db", folder / "state"
    shutil.copy(store_template, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWEEPBOARD_STATE", str(state))
        with instead_of_a_service(f"sqlite:///{path}"):
            dashboard = new_dashboard(f"sqlite:///{path}", state).start()
            yield path, dashboard
            dashboard.kill()


@pytest.fixture
def served_store(strange):
    """`served_store(runs)`: a dashboard on a store that holds these runs and nothing else."""

    def make(runs):
        path, dashboard = strange
        insert(path, runs)
        return dashboard

    return make


def addresses(runs):
    """The addresses of every page, as a user would come to it with these runs; none twice in a row."""
    ids = [run["id"] for run in runs[:50]]
    all_ids = ",".join(ids)
    yield from ("/", "/runs", "/sweep", "/runs?rows=Groups", "/compare", "/runs?show=Deleted", "/quality")
    if ids:
        yield from (f"/compare?runs={all_ids}", f"/run?run={ids[0]}", f"/compare?runs={all_ids}&show=runs")
        yield from (f"/quality?runs={all_ids}", f"/compare?runs={all_ids}&view=Scatter")
        yield from (f"/run?run={ids[-1]}&about=Params", f"/compare?runs={all_ids}&view=Parallel+coordinates")
        yield from ("/", f"/compare?runs={all_ids}&view=Importance")
    yield "/run?run=none"


FAST = "markup_in_names"


@pytest.mark.parametrize("name", [n if n == FAST else pytest.param(n, marks=pytest.mark.slow) for n in STORES])
def test_every_page_answers(name, served_store, visit):
    runs = STORES[name]
    visitor = visit(served_store(runs)).open("/sweep")
    for address in addresses(runs):
        visitor.go(address)
        assert len(visitor.text()) > 20, f"{address} says nothing"
        assert visitor.page.locator("img[src=x]").count() == 0
        assert visitor.page.locator("a[href*='evil.example']").count() == 0
    visitor.go("/runs")
    num_active = sum(run["stage"] == "active" for run in runs)
    visitor.rows(num_active)
    if num_active:
        visitor.says(rf"{num_active} runs?")
        visitor.mark(0)
        visitor.says(r"1 run")
    else:
        visitor.go("/").says("No sweep has been launched here yet").says("Ready-made sweeps")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_overview_of_an_empty_store_fits_a_phone(served_store, fits_a_phone, theme):
    fits_a_phone(served_store([]), theme, "/")


def test_names_with_markup_are_shown_letter_by_letter(served_store, visit):
    visitor = visit(served_store(STORES["markup_in_names"]))
    run = STORES["markup_in_names"][0]["id"]
    visitor.open(f"/run?run={run}")
    assert HOSTILE in visitor.text().replace("\u200b", "")
    visitor.open("/runs").rows(4)
    assert any(HOSTILE in cell for cell in visitor.cells()[0])


def test_what_is_stuck_deleted_or_no_number_is_said(served_store, visit):
    visitor = visit(served_store(STORES["stuck_and_deleted"]))
    visitor.open("/runs").rows(3)
    assert [row for row in visitor.cells() if any("running" in cell for cell in row)]
    visitor.open("/runs?show=Deleted")
    visitor.rows(1)
    assert any("run 1" in cell for cell in visitor.cells()[0])
    visitor.open(f"/run?run={STORES['stuck_and_deleted'][1]['id']}").says("deleted")


@pytest.fixture
def older_store(uri, tmp_path):
    """The path of a store with one run, as an older MLflow left it."""
    path = tmp_path / "mlflow.db"
    insert(path, STORES["one_run"])
    with contextlib.closing(sqlite3.connect(path)) as store:
        store.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
        store.commit()
    return path


@pytest.mark.slow
def test_a_service_does_not_migrate_a_store_of_an_older_mlflow(older_store, served, visit):
    reads_an_older_store(older_store, visit(served().start()))


def test_a_store_of_an_older_mlflow_is_only_read_and_says_how_to_migrate(older_store, no_service, served, visit):
    reads_an_older_store(older_store, visit(served().start()))


def reads_an_older_store(path, visitor):
    before = path.read_bytes()
    visitor.open("/runs").rows(1).mark(0).says("mlflow db upgrade")
    for name in ("edit-runs", "archive", "delete-runs"):
        assert visitor.page.locator(f".st-key-{name} button").first.is_disabled()
    run = STORES["one_run"][0]["id"]
    for address in (f"/run?run={run}", f"/compare?runs={run}"):
        visitor.open(address).says("val loss")
    assert path.read_bytes() == before, "nobody migrated it"


def test_nan_and_infinity_are_shown_as_what_they_are(served_store, visit):
    visitor = visit(served_store(STORES["no_numbers"]))
    visitor.open("/runs?columns=metrics.nan&columns=metrics.-inf").rows(4)
    assert all({"NaN", "-Infinity"} <= set(row) for row in visitor.cells())


@pytest.mark.slow
def test_ten_thousand_runs_are_filtered_grouped_and_opened(served_store, visit):
    runs = [
        a_run(n, params={"lr": n % 40, "seed": n % 250, "model": "mlp"}, metrics={"val loss": [2.0, 1.0 + n % 40]})
        for n in range(10_000)
    ]
    visitor = visit(served_store(runs))
    visitor.open("/runs").says(r"10,000 runs")
    visitor.rows(10_000)
    visitor.fill("Filter", "params.lr < 4 AND metrics.`val loss` > 1.5").says(r"750 of 10,000 runs")
    visitor.rows(750)
    visitor.fill("Filter", "").choose("Groups")
    visitor.rows(40)
    assert any("250 of 250" in cell for cell in visitor.cells()[0])
    visitor.open(f"/run?run={runs[-1]['id']}").says(re.escape("val loss"))


@pytest.mark.slow
def test_two_thousand_columns_can_be_looked_at(served_store, visit):
    runs = [
        a_run(
            n,
            params={f"param {i}": (n * i) % 7 for i in range(1000)},
            metrics={f"metric {i}": [1.0, n + i] for i in range(1000)},
        )
        for n in range(20)
    ]
    visitor = visit(served_store(runs))
    visitor.open("/runs").says(r"20 runs")
    visitor.rows(20)
    visitor.says(r"more columns can be shown")
    visitor.choose("Groups")
    visitor.rows(7)
    visitor.open(f"/run?run={runs[0]['id']}").says("metric")
    visitor.open("/compare?runs=" + ",".join(run["id"] for run in runs[:6])).says("Parameters")


def test_a_store_in_use_by_another_program_stays_readable(strange, served_store, visit):
    """Another program holds the store for writing while the page is looked at."""
    dashboard = served_store(STORES["one_run"])
    visitor = visit(dashboard)
    holder = sqlite3.connect(strange[0], isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("UPDATE runs SET name = 'half written'")
    try:
        visitor.open("/runs")
        visitor.rows(1)
        assert not any("half written" in cell for cell in visitor.cells()[0])
    finally:
        holder.execute("ROLLBACK")
        holder.close()
