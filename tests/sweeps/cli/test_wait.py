"""Waiting for a sweep: what is shown meanwhile, and how it ends."""

import io
import json
from types import SimpleNamespace

import pytest
from two_rates import row

from sweeps import __main__ as cli
from sweeps.cli import rows as cli_rows
from sweeps.cli import wait as waiting
from sweeps.client import ServiceStatus


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def story(monkeypatch):
    """Plays rows to `wait`, one a look; time passes without waiting."""

    def play(*rows):
        left = list(rows)
        reader = SimpleNamespace(version=lambda: str(len(left)))
        clock = iter(range(0, 10**6, 4))
        monkeypatch.setattr(cli_rows, "open_store", lambda uri: reader)
        monkeypatch.setattr(cli_rows, "sweep_row", lambda reader, sweep: left.pop(0))
        monkeypatch.setattr(waiting, "sleep", lambda seconds: None)
        monkeypatch.setattr(waiting, "monotonic", lambda: next(clock))

    return play


ENDINGS = [
    (row(state="finished", done=4, ok=3, diverged=1), 0, "s finished: 4 runs, 3 ok, 1 diverged."),
    (row(state="finished", done=4, ok=3, crashed=1), 1,
     "s finished: 4 runs, 3 ok, 1 crashed. Why runs crashed: sweepboard show abc123"),
    (row(state="failed"), 1, "s failed: 4 runs, none trained."),
    (row(state="stopped", done=2, stopped=2, best=0.25, best_name="lr 0.1"), 1,
     "s was stopped: 4 runs, 2 stopped. Best: lr 0.1, val/loss 0.25."),
]  # fmt: skip


@pytest.mark.parametrize(("end", "code", "text"), ENDINGS)
def test_waiting_ends_with_the_sweep_and_says_how(client, story, spec_file, capsys, end, code, text):
    story(row(state="queued"), row(running=2), end)
    assert cli.main(["run", spec_file, "--wait"]) == code
    assert capsys.readouterr().out == f"{text}\n"


def test_waiting_in_json_answers_once_on_stdout(client, story, spec_file, capsys):
    story(row(running=2), row(state="finished", done=4, ok=4, best=0.5, best_name="lr 0.1"))
    assert cli.main(["run", spec_file, "--wait", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["state"] == "finished" and json.loads(out)["runs"] == 4
    assert "s: 0 of 4 runs, running, 2 running" in err


def test_waiting_starts_a_service_that_ended_and_says_what_is_wrong_once(client, story):
    story(*[row(running=1, done=n % 2) for n in range(8)], row(state="finished"))
    client.uri = "uri"
    client.status.return_value = ServiceStatus(alive=False, problem="The disk is full.")
    sentences = []
    waiting.wait(client, "abc123", sentences.append)
    assert sentences == ["The disk is full."]
    assert client.start_service.call_count > 1


def test_ctrl_c_leaves_the_sweep_running_and_says_how_to_stop_it(client, story, spec_file, monkeypatch, capsys):
    def interrupt(seconds):
        raise KeyboardInterrupt

    story(row(running=2))
    monkeypatch.setattr(waiting, "sleep", interrupt)
    assert cli.main(["run", spec_file, "--wait"]) == 130
    assert "To stop it: sweepboard stop abc123" in capsys.readouterr().err
    client.stop.assert_not_called()


def test_progress_is_one_line_in_place_on_a_terminal_and_a_line_every_ten_seconds_elsewhere():
    terminal, file = Terminal(), io.StringIO()
    on_terminal, in_file = waiting.Progress(terminal), waiting.Progress(file)
    for second in range(21):
        for progress in (on_terminal, in_file):
            progress.show(row(done=second // 10, ok=second // 10, running=1), float(second))
    on_terminal.close()
    in_file.close()
    assert terminal.getvalue().count("\r") == 21 and terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().rpartition("\r")[2].startswith("\x1b[2K[##########..........] 2 of 4 runs, running")
    assert file.getvalue().splitlines() == [
        "s: 0 of 4 runs, running, 1 running",
        "s: 1 of 4 runs, running, 1 running, 30 s left",
        "s: 2 of 4 runs, running, 1 running, 20 s left",
    ]
