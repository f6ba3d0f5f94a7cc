"""The tools of the suite: which tests a change can break, which are tried again, the named moments of a kill."""

import json
import re
import signal
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from tracking.kill_points import KILL_POINTS

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def tool(name):
    """A script of this folder, which is no package."""
    spec = util.spec_from_file_location(f"tests_{name}", TESTS / f"{name}.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def affected():
    return tool("affected")


def test_a_change_is_tested_where_it_is_and_above(affected):
    chosen = affected.affected_tests({"analysis/explorers/momentum.py"})
    assert {"tests/analysis/explorers/test_momentum.py", "tests/app/test_optimizers.py"} <= set(chosen)
    assert not [path for path in chosen if path.startswith(("tests/data", "tests/sweeps", "tests/tracking"))]


def test_a_page_a_test_and_a_lab_are_tested_by_the_tests_that_name_them(affected):
    assert "tests/app/test_run.py" in affected.affected_tests({"app/views/run.py"})
    assert affected.affected_tests({"tests/data/files/test_idx.py"}) == ["tests/data/files/test_idx.py"]
    assert affected.affected_tests({"labs/l1.yaml"}) == ["tests/test_labs.py"]
    assert affected.affected_tests({"tests/app/conftest.py", "tests/app/test_run.py"}) == ["tests/app"]
    assert affected.affected_tests({"README.md"}) == []


def test_the_command_finds_the_packages_and_not_the_rooms_of_tests():
    command = [sys.executable, "tests/affected.py", "analysis/explorers/momentum.py"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    printed = set(process.stdout.split())
    assert {"tests/analysis/explorers/test_momentum.py", "tests/app/test_optimizers.py"} <= printed


def test_a_change_of_what_every_test_stands_on_is_tested_by_all(affected):
    assert affected.affected_tests({"requirements.txt", "README.md"}) == ["tests"]


def test_a_file_and_a_room_of_real_processes_stay_in_one_pytest_worker(tmp_path):
    files = ("browser/test_a.py", "browser/test_b.py", "faults/test_c.py", "faults/test_d.py", "test_e.py", "test_f.py")
    for name in files:
        file = tmp_path / "tests" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("def test_one(): pass\ndef test_two(): pass\n")
    (tmp_path / "tests/conftest.py").write_text((TESTS / "conftest.py").read_text())
    options = ["-n", "2", "--dist", "loadfile", "-v", "--import-mode=importlib", "tests"]
    process = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    ran = re.findall(r"\[(gw\d)\] \[ *\d+%\] PASSED tests/(\S+)::", process.stdout)
    assert len(ran) == 2 * len(files)
    rooms = {name.split("/")[0] for name in files}
    workers = {room: {worker for worker, name in ran if name.startswith(room)} for room in rooms}
    assert all(len(of_room) == 1 for of_room in workers.values()), workers
    assert workers["browser"] != workers["faults"], "they start at the same time"


@pytest.fixture
def second_try(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tool("second_try")


def leave(names):
    """Write the file of failed tests that tests/conftest.py leaves after a run of the suite."""
    file = Path(".pytest_cache/v/sweepboard/failed")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(names))


TWO_TESTS = """
from pathlib import Path

def test_a_race():
    with Path("tries").open("a") as tries:
        tries.write("x")

def test_broken():
    assert False
"""


def test_a_second_try_that_passes_makes_the_run_green_and_is_named(second_try, capfd):
    Path("test_it.py").write_text(TWO_TESTS)
    leave({"test_it.py::test_a_race": True})
    assert second_try.main() == 0
    assert Path("tries").read_text() == "x", "once"
    assert re.search(r"Passed at the second try:\s+test_it.py::test_a_race", capfd.readouterr().out)


def test_a_second_try_that_fails_stays_red(second_try, capfd):
    Path("test_it.py").write_text(TWO_TESTS)
    leave({"test_it.py::test_broken": True})
    assert second_try.main() == 1
    assert "Failed at the second try too: test_it.py::test_broken" in capfd.readouterr().out


def test_no_other_test_is_ever_repeated(second_try):
    Path("test_it.py").write_text(TWO_TESTS)
    assert second_try.main() == 1, "the run broke before it could say what failed"
    leave({"test_it.py::test_a_race": True, "test_it.py::test_broken": False})
    assert second_try.main() == 1
    assert not Path("tries").exists()


KILLED = """
from tracking.kill_points import reached
for place in range(5):
    reached("metrics taken")
    print(place, flush=True)
"""


@pytest.mark.parametrize(
    ("text", "printed", "code", "text_afterwards"),
    [
        ("0 1 KILL 1", 0, -signal.SIGKILL, None),
        ("0 4 KILL 1", 3, -signal.SIGKILL, None),
        ("0 2 KILL 3", 1, -signal.SIGKILL, "0 2 KILL 2"),
        (None, 5, 0, None),
    ],
)
def test_a_process_dies_at_a_named_moment(tmp_path, text, printed, code, text_afterwards):
    file = tmp_path / "metrics taken"
    if text:
        file.write_text(text)
    (tmp_path / "run created").write_text("0 1 KILL 1")
    environment = {"SWEEPBOARD_KILL_POINTS": str(tmp_path)}
    command = [sys.executable, "-c", KILLED]
    process = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (process.returncode, len(process.stdout.split())) == (code, printed), process.stderr
    assert (file.read_text() if file.exists() else None) == text_afterwards and (tmp_path / "run created").exists()


def test_every_named_moment_stands_in_the_code():
    code = "".join(path.read_text() for room in ("sweeps", "tracking") for path in (ROOT / room).rglob("*.py"))
    moments = set(re.findall(r'reached\("([^"]+)"\)', code))
    assert 'reached(f"worker: {kind} sent")' in code
    assert moments | {"worker: metrics sent", "worker: progress sent"} == KILL_POINTS.keys()
