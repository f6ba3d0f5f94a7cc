"""No process of this program imports from the current directory, whatever folders with its names lie there."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps import interpreter

SPEC = """
name: one-run
model: {name: softmax_regression}
data: {name: iris}
trainer: {max_epochs: 1, device: cpu}
"""

COMMANDS = """
import json, re, sys
from unittest.mock import create_autospec

from sweeps import __main__ as cli

spec, sweep, run = sys.argv[1:]
if not sys.flags.safe_path:
    cli.main()
    sys.exit("it was not started again")

import sweeps.client
from sweeps.client import Client, ServiceStatus

client = create_autospec(Client, instance=True)
client.status.return_value = ServiceStatus(alive=True, pid=1, started=0.0)
client.launch.return_value = sweep
client.check.return_value = {"trials": 1, "runs": 1, "seconds": None, "problems": [], "warnings": []}
client.overfit.return_value = {"results": [], "problems": [], "pending": False, "doing": "", "left_out": ""}
client.clean.return_value = 0
client.landscape.return_value = {"state": "cached"}
for name in ("pause", "resume", "stop", "retry", "extend", "change", "delete", "restore"):
    getattr(client, name).return_value = None
sweeps.client.Client = create_autospec(Client, return_value=client)

arguments = {
    "run": [spec], "check": [spec], "overfit": [spec], "list": [], "landscape": [run], "catalogue": [],
    "service": ["--status"],
    "extend": [sweep, "--seeds", "1"], "change": [sweep, "--workers", "1"], "clean": [sweep, "weights"],
}
commands = re.findall(r"^    (\\w+)", cli.parser().format_help(), re.MULTILINE)
codes = {name: cli.main([name, *arguments.get(name, [sweep]), "--json"]) for name in commands}
print(json.dumps(codes))
"""
"""Runs every command in one process, with a client that does nothing; prints their exit codes."""


@pytest.fixture
def stand(namesakes, tmp_path, uri):
    """`stand(command, ...)` runs it in the folder of namesakes, on an empty store."""
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")

    def run(*command):
        return subprocess.run(command, cwd=namesakes, capture_output=True, text=True, check=False, timeout=120)

    return run


def test_workers_of_a_check_import_ours(stand, tmp_path):
    answer = stand(Path(sys.executable).with_name("sweepboard"), "check", tmp_path / "spec.yaml")
    assert (answer.returncode, answer.stderr) == (0, "") and answer.stdout.startswith("1 trials, ")


def test_every_command_imports_ours(stand, tmp_path, uri):
    from sweeps.service.launching import store_sweep
    from sweeps.spec import parse
    from tracking import schema
    from tracking.writer import create_sweep

    sweep = store_sweep(uri, parse(SPEC))
    run = create_sweep(uri, experiment="one-run", name="run", note="", tags={schema.PARENT: sweep}, files={})
    (tmp_path / "commands.py").write_text(COMMANDS, encoding="utf-8")
    answer = stand(sys.executable, tmp_path / "commands.py", tmp_path / "spec.yaml", sweep, run)
    assert answer.returncode == 0, answer.stderr
    codes = json.loads(answer.stdout.splitlines()[-1])
    assert len(codes) == 17 and not any(codes.values()), answer.stderr


def test_started_as_a_module_it_imports_ours(namesakes, tmp_path, uri):
    others = shutil.copytree(namesakes, tmp_path / "others")
    shutil.rmtree(others / "sweeps")  # Python itself takes that for the module which it is asked to run
    command = [sys.executable, "-m", "sweeps", "service", "--status"]
    answer = subprocess.run(command, cwd=others, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_folder_that_was_deleted_is_no_obstacle(tmp_path):
    code = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
    (tmp_path / "gone").mkdir()
    command = [sys.executable, "-c", code, Path(sys.executable).with_name("sweepboard"), "--help"]
    answer = subprocess.run(command, cwd=tmp_path / "gone", capture_output=True, text=True, check=False)
    assert answer.returncode == 0 and answer.stdout.startswith("usage: sweepboard")


def test_what_we_start_has_the_flag(namesakes):
    command = interpreter.command("timeit", "-n", "1", "-s", "import sys", "assert sys.flags.safe_path")
    assert subprocess.run(command, cwd=namesakes, capture_output=True, check=False).returncode == 0
    assert subprocess.run([*command[:1], *command[2:]], cwd=namesakes, capture_output=True, check=False).returncode
