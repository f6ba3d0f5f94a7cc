"""What a person may set, and one sentence for each fault of the file."""

import os
import subprocess
import sys

import pytest

from sweeps.settings import MOMENTS, AlertSettings, Settings, environment, settings


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes the settings file that the environment names."""
    file = tmp_path / "mine.toml"
    monkeypatch.setenv("SWEEPBOARD_SETTINGS", str(file))

    def written(text):
        file.write_text(text, encoding="utf-8")
        return settings()

    return written


def test_without_a_file_nothing_is_set():
    assert settings() == Settings()


def test_everything_is_read_with_paths_from_the_file(write, tmp_path):
    text = """
    modules = ["models", "/elsewhere/net.py"]
    data = "../data"
    [alerts]
    command = ["notify", "--now"]
    webhook = "https://chat.example/hook"
    on = ["failed"]
    """
    now = write(text)
    assert [str(path) for path in now.modules] == [str(tmp_path / "models"), "/elsewhere/net.py"]
    assert now.data == tmp_path.parent / "data"
    assert now.alerts == AlertSettings(("notify", "--now"), "https://chat.example/hook", ("failed",))
    assert now.problems == ()


def test_an_alert_s_program_may_lie_beside_the_file(write, tmp_path):
    write('[alerts]\ncommand = ["./tell.sh", "./as it is"]')
    assert settings().alerts.command == (str(tmp_path / "tell.sh"), "./as it is")


def test_the_environment_wins(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWEEPBOARD_MODULES", os.pathsep.join(["here", "/there"]))
    monkeypatch.setenv("SWEEPBOARD_DATA", "tables")
    now = write('modules = ["a"]\ndata = "b"')
    assert [str(path) for path in now.modules] == [str(tmp_path / "here"), "/there"]
    assert now.data == tmp_path / "tables"


def test_a_change_of_the_file_is_seen(write):
    assert write('data = "a"').data.name == "a"
    assert write('data = "bc"').data.name == "bc"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('module = ["a"]', 'module: unknown key, given ["a"]; allowed at the top: modules, data, alerts; did'),
        ('modules = "a"', 'modules: "a" is not allowed; allowed: a list of paths in quotes.'),
        ("modules = [1]", "modules: [1] is not allowed; allowed: a list of paths in quotes."),
        ("data = 3", "data: 3 is not allowed; allowed: the path of a folder, in quotes."),
        ("alerts = true", "alerts: true is not allowed; allowed: a table: [alerts]."),
        ('[alerts]\ncommand = "say hi"', 'alerts.command: "say hi" is not allowed; allowed: a list of a program '),
        ('[alerts]\nwebhook = "file:///etc/passwd"', 'alerts.webhook: "file:///etc/passwd" is not allowed; allowed: '),
        ('[alerts]\nwebhook = "http://["', 'alerts.webhook: "http://[" is not allowed'),
        ('[alerts]\non = ["done"]', 'alerts.on: ["done"] is not allowed; allowed: a list of finished, failed, '),
        ("[alerts]\nhook = 1", "alerts.hook: unknown key, given 1; allowed under alerts: alerts.command, alerts."),
        ("modules = [", "it cannot be read as TOML: "),
        ("\udcff", "it cannot be read as TOML: "),
    ],
)
def test_what_is_wrong_is_one_sentence_with_the_file_and_the_key(text, sentence, tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    monkeypatch.setenv("SWEEPBOARD_SETTINGS", str(file))
    (problem,) = settings().problems
    assert problem.startswith(f"{file}: {sentence}") and "\n" not in problem
    assert settings().alerts == AlertSettings()
    assert settings().modules == ()


def test_what_is_right_beside_a_fault_is_kept(write):
    now = write('data = "a"\nmodels = []')
    assert now.data.name == "a" and len(now.problems) == 1


def test_a_file_that_is_named_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_SETTINGS", str(tmp_path / "none.toml"))
    assert settings().problems == (
        f"SWEEPBOARD_SETTINGS: {tmp_path / 'none.toml'} is not there; allowed: the path of a TOML file.",
    )


def test_a_process_in_another_folder_finds_the_same(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text('modules = ["models"]\ndata = "tables"\n[alerts]\non = []')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    for more in ({}, {"SWEEPBOARD_MODULES": "own"}):
        monkeypatch.setenv("SWEEPBOARD_SETTINGS", "mine.toml")
        for name, value in more.items():
            monkeypatch.setenv(name, value)
        here = settings()
        assert here.modules == (tmp_path / ("own" if more else "models"),) and here.alerts.on == () != MOMENTS
        code = "from sweeps.settings import settings; print(repr(settings()))"
        process = subprocess.run(
            [sys.executable, "-c", code],
            cwd=elsewhere,
            env={**os.environ, **environment()},
            capture_output=True,
            text=True,
        )
        assert process.stdout.strip() == repr(here)
