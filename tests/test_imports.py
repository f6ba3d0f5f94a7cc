"""No part imports anything heavy before it is needed, and the app imports nothing that trains.

One fresh Python imports one part after the other, the lightest first, and notes after each which modules are new.
So a test names the part that imported a module, and all tests together cost one start of Python.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
APP = ROOT / "app" / "streamlit_app.py"

GROUND = ("data", "learning_tasks", "lightning_modules")
TRAINS = ("torch", "pytorch_lightning", "lightning", "mlflow", "optuna", "sklearn", *GROUND)
FORBIDDEN = {
    "help": ("mlflow", "torch", "pandas", "numpy", "pydantic", "yaml", "optuna"),
    "data_files": ("torch", "data", "learning_tasks", "numpy"),
    "settings": ("torch",),
    "user_models": ("torch", "pytorch_lightning", "sweeps.catalogue.read_user_models"),
    "catalogue": ("torch", "pytorch_lightning", "mlflow", "optuna", "data", "learning_tasks"),
    "tracking": ("mlflow", "torch", "lightning", "sqlalchemy", "alembic"),
    "overview": (*TRAINS, "scipy", "scipy.stats"),
    "app": TRAINS,
}
"""Part -> the modules that it must not import, in the order of `PARTS`."""

PARTS = """
import contextlib, io, json, runpy, sys, traceback, warnings

def help():
    sys.argv = ["sweeps", "--help"]
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            runpy.run_module("sweeps", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            assert not end.code
        else:
            raise AssertionError("it did not end")

def data_files():
    import sweeps.catalogue.data_files

def settings():
    import sweeps.settings, sweeps.service.alerts, sweeps.catalogue.user_models

def user_models():
    from sweeps.catalogue import current, user_models
    from sweeps.spec import checks
    current.load()

def catalogue():
    from sweeps.catalogue.current import load
    from sweeps.search import trials
    from sweeps.spec import checks
    load()

def tracking():
    complaints = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stderr(complaints):
        warnings.simplefilter("error")
        from tracking import reader, schema, store, writer
        store.ensure_store(uri)
        opened = reader.open_reader(uri)
        (sweep,) = reader.sweeps(opened)["sweep"]
        assert len(opened.frame()) and len(opened.artifacts(sweep)) and opened.version()
    assert complaints.getvalue() == ""

def opens(*pages):
    from streamlit import config
    from streamlit.testing.v1 import AppTest
    from sweeps.client import Client, ServiceStatus
    config.set_option("server.address", "127.0.0.1")
    Client.status = lambda self: ServiceStatus(alive=True)
    Client.launch = lambda self, text: "none"
    for page in pages:
        at = AppTest.from_file(file, default_timeout=120).run()
        if page:
            at.switch_page(page).run()
        assert not at.exception, at.exception
        assert at.title

def overview():
    opens(None)

def app():
    opens("views/launch.py", "views/sweep.py")

uri, file, *names = sys.argv[1:]
report = {}
for name in names:
    before = set(sys.modules)
    try:
        globals()[name]()
        problem = ""
    except BaseException:
        problem = traceback.format_exc()
    report[name] = {"new": sorted(set(sys.modules) - before), "problem": problem}
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def imported(store_template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Part -> the modules that are new after it, and its traceback if it failed."""
    from tracking.writer import create_sweep

    folder = tmp_path_factory.mktemp("imports")
    shutil.copy(store_template, folder / "mlflow.db")
    uri = f"sqlite:///{folder}/mlflow.db"
    create_sweep(uri, experiment="first", name="sweep", note="Which?", tags={}, files={"spec.yaml": "name: x\n"})
    process = subprocess.run(
        [sys.executable, "-c", PARTS, uri, str(APP), *FORBIDDEN],
        env={**os.environ, "MLFLOW_TRACKING_URI": uri, "SWEEPBOARD_STATE": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    report: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return report


@pytest.mark.parametrize("part", FORBIDDEN)
def test_a_part_imports_nothing_that_it_must_not(part: str, imported: dict[str, Any]) -> None:
    assert not imported[part]["problem"], imported[part]["problem"]
    assert not set(FORBIDDEN[part]) & set(imported[part]["new"])


def test_no_part_hides_what_a_later_one_imports(imported: dict[str, Any]) -> None:
    """A module that an earlier part may import is not new after a later one, so it must not be forbidden there."""
    earlier: set[str] = set()
    for part, modules in FORBIDDEN.items():
        hidden = set(modules) & earlier
        assert not hidden, f"{part}: move it before the parts that import {hidden}"
        earlier |= set(imported[part]["new"])


def test_what_is_installed_has_every_file_that_is_no_python() -> None:
    """setuptools leaves out what pyproject.toml does not name: the catalogue, icons, Streamlit's settings."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    shipped = {
        file.relative_to(ROOT)
        for package, patterns in settings["package-data"].items()
        for pattern in patterns
        for file in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    folders = [pattern.removesuffix("*") for pattern in settings["packages"]["find"]["include"]]
    others = {
        file.relative_to(ROOT)
        for folder in folders
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
    }
    assert others and others <= shipped, f"pyproject.toml, package-data: {others - shipped} would not be installed"
