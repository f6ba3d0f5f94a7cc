"""The command line: what it prints, where, and with which exit code."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest

from sweeps import __main__ as cli
from sweeps import words
from sweeps.cli import parser
from sweeps.cli import rows as cli_rows
from sweeps.cli import wait as waiting
from sweeps.client import Client, CommandError, ServiceStatus
from sweeps.spec import parse
from tracking import schema
from tracking.schema import Outcome, State

SPEC = """
name: two-rates
question: Which rate?
model: {name: mlp}
data: {name: iris}
search: {optimizer.lr: {values: [0.1, 0.01]}}
seeds: 2
"""
COMMANDS = ("run", "check", "list", "show", "stop", "pause", "resume", "retry", "landscape", "catalogue", "service")


@pytest.fixture(scope="session")
def filled(store_template, tmp_path_factory):
    """A store with one finished sweep (a run of it crashed) and one that waits; path and the sweeps' ids."""
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
    """(URI, id of the finished sweep, id of the waiting one); the tests only read it."""
    path, done, waits = filled
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    return f"sqlite:///{path}", done, waits


FOUND = {
    "trials": 2, "runs": 4, "workers": 2, "seconds": 125.0, "low": 90.0, "high": 181.0, "at_most": False,
    "disk_bytes": 2_100_000, "memory_bytes": 90e6, "problems": [], "warnings": ["It is late."], "pending": False,
    "architectures": [{"what": "mlp on iris", "parameters": 1234, "seconds_per_epoch": 0.01234}],
}  # fmt: skip


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


def told(client):
    """What a client was told to do: names and arguments, in their order."""
    return [(name, *arguments) for name, arguments, _ in client.mock_calls if name != "status"]


@pytest.fixture
def spec_file(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return str(file)


def python(code, *arguments, **options):
    return subprocess.run([sys.executable, *code, *arguments], capture_output=True, text=True, check=False, **options)


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert not end.value.code
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n    {command}" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_takes_the_shared_options(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert f"example:\n  sweepboard {command}" in text and "--json" in text and "--tracking-uri" in text


def test_every_example_can_be_parsed():
    for example in parser.EXAMPLES.values():
        for line in example.splitlines():
            parser.parser().parse_args(line.split()[1:])


def test_no_command_or_an_unknown_one_is_bad_input(capsys):
    for arguments in ([], ["launch"], ["run"], ["service", "--stop", "--status"]):
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        assert end.value.code == cli.BAD_INPUT
    assert capsys.readouterr().out == ""


def test_run_launches_the_text_as_it_is(client, spec_file, capsys):
    assert cli.main(["run", spec_file, "--tracking-uri", "sqlite:///x.db"]) == 0
    assert client.uri == "sqlite:///x.db" and told(client) == [("launch", SPEC)]
    assert capsys.readouterr().out == "two-rates is queued as abc123: 2 trials x 2 seeds = 4 runs.\n"


def test_run_takes_another_name_and_answers_in_json(client, spec_file, capsys):
    assert cli.main(["--json", "run", spec_file, "--name", "renamed"]) == 0
    launched = parse(told(client)[-1][1])
    assert launched == parse(SPEC.replace("two-rates", "renamed"))
    assert json.loads(capsys.readouterr().out) == {"sweep": "abc123", "name": "renamed", "trials": 2, "runs": 4}


def test_run_reads_stdin(client, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(("\ufeff" + SPEC).encode())))
    assert cli.main(["run", "-"]) == 0
    assert "two-rates is queued" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SPEC.replace("seeds: 2", "seeds: 0"), "seeds: 0 is not allowed; allowed: a whole number from 1 to 1,000."),
        ("- a", "sweep: a list is not allowed; allowed: keys such as name, model, data and search."),
        (SPEC.replace("0.1,", ".nan,"), "search.optimizer.lr.values: NaN is not allowed; allowed: a number above 0."),
    ],
)
def test_a_bad_spec_is_one_sentence_and_nothing_is_launched(client, tmp_path, capsys, text, sentence):
    file = tmp_path / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    assert cli.main(["run", str(file)]) == cli.BAD_INPUT
    assert capsys.readouterr() == ("", f"{sentence}\n")
    assert cli.main(["run", str(file), "--json"]) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": sentence} and err == f"{sentence}\n"
    assert told(client) == []


def test_a_bad_spec_writes_nothing(tmp_path):
    (tmp_path / "bad.yaml").write_text("modle: 1", encoding="utf-8")
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "SWEEPBOARD_STATE": str(tmp_path / "s"),
    }
    answer = python(["-m", "sweeps"], "run", "bad.yaml", cwd=tmp_path, env=environment)
    assert answer.returncode == 2 and answer.stderr.startswith("modle: unknown key, given 1; ") and answer.stdout == ""
    assert [file.name for file in tmp_path.iterdir()] == ["bad.yaml"]


def test_files_that_cannot_be_read(client, tmp_path, capsys):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.yaml", ".", "binary.yaml"):
        assert cli.main(["run", str(tmp_path / name)]) == cli.BAD_INPUT
        assert capsys.readouterr().err.startswith(f"{tmp_path / name}: ")


def test_check_says_what_the_service_found(client, spec_file, monkeypatch, capsys):
    assert cli.main(["check", spec_file]) == 0
    assert told(client)[-1] == ("check", SPEC)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "2 trials, 4 runs: about 2 min on 2 workers · 2.1 MB on disk · 90 MB of memory",
        "From 2 min to 3 min, judged by how long these took:",
        "",
        "architecture  parameters  seconds an epoch",
        "mlp on iris        1,234           0.01234",
        "",
        "Note: It is late.",
        "Too few seeds: at least 4 more make a verdict possible, as an exact test needs 6.",
    ]
    assert err == ""
    assert cli.main(["check", spec_file, "--json"]) == 0
    decides = {"seeds": 2, "seeds_needed": 6, "comparisons": 1}
    assert json.loads(capsys.readouterr().out) == {**FOUND, "replicate": None, "claims": [], "decides": decides}
    monkeypatch.setitem(FOUND, "problems", ["One thing is wrong.", "Another, too."])
    assert cli.main(["check", spec_file]) == cli.BAD_INPUT
    assert capsys.readouterr() == ("", "One thing is wrong.\nAnother, too.\n")
    assert cli.main(["check", spec_file, "--json"]) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert json.loads(out)["problems"] == FOUND["problems"] and err == "One thing is wrong.\nAnother, too.\n"


PROMISES = """
replicate: {datasets: 3, inits: 2}
claim:
  - {text: A small rate is better., better: {optimizer.lr: 0.01}, than: {optimizer.lr: 0.1}, margin: 0.05}
  - {text: And slower., better: {optimizer.lr: 0.1}, than: {optimizer.lr: 0.01}, metric: opt/steps, direction: maximize}
"""
PROMISED = [
    "Every trial: 3 data sets x 2 initialisations, 6 runs",
    "Claim: A small rate is better. (val/loss lower with optimizer.lr 0.01 than with optimizer.lr 0.1; "
    "up to 0.05 is no difference)",
    "Claim: And slower. (opt/steps higher with optimizer.lr 0.1 than with optimizer.lr 0.01)",
]


def test_check_says_what_is_claimed_and_how_often_a_trial_is_trained(client, tmp_path, capsys):
    file = tmp_path / "claims.yaml"
    file.write_text(SPEC.replace("seeds: 2\n", PROMISES))
    assert cli.main(["check", str(file)]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == PROMISED
    assert cli.main(["check", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["replicate"] == {"datasets": 3, "inits": 2}
    assert [claim["margin"] for claim in found["claims"]] == [0.05, None]


def test_show_says_what_is_claimed_and_how_often_a_trial_is_trained(store_template, tmp_path, monkeypatch, capsys):
    from sweeps.service.launching import store_sweep
    from tracking.reader import open_reader

    shutil.copy(store_template, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    sweep = store_sweep(uri, parse(SPEC.replace("seeds: 2\n", PROMISES)))
    assert cli.main(["show", sweep]) == 0
    assert capsys.readouterr().out.splitlines()[2:5] == PROMISED
    assert cli.main(["show", sweep, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["claims"][1]["metric"] == "opt/steps"
    artifacts = open_reader(uri).runs(run_ids=[sweep])["artifact_uri"].iloc[0]
    Path(artifacts.removeprefix("file://"), schema.SPEC_FILE).write_text("name: [")
    assert cli.main(["show", sweep]) == 0, "a spec of another version is no reason to show nothing"
    assert "Claim" not in capsys.readouterr().out


def test_check_needs_no_service_and_starts_and_stores_nothing(client, spec_file, monkeypatch, capsys):
    client.status.return_value = ServiceStatus(alive=False)
    monkeypatch.setattr("sweeps.preflight.check.check_here", lambda text: {**FOUND, "problems": [text]})
    assert cli.main(["check", spec_file]) == cli.BAD_INPUT
    assert capsys.readouterr().err == f"{SPEC}\n"
    assert told(client) == []


def test_list(store, capsys):
    _, done, waits = store
    assert cli.main(["list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["id", "name", "state", "runs", "crashed", "best", "metric", "of", "launched"]
    by_name = {line.split()[1]: line for line in lines}
    assert "finished" in by_name["two-rates"] and "4 of 4" in by_name["two-rates"] and done[:8] in by_name["two-rates"]
    assert "queued" in by_name["later"] and "0 of 4" in by_name["later"]
    assert cli.main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["sweep"] for row in rows} == {done, waits}
    assert {row["name"]: row["best"] for row in rows} == {"later": None, "two-rates": pytest.approx(0.55)}


def test_list_of_a_store_that_is_not_there_yet(tmp_path, capsys):
    assert cli.main(["list", "--tracking-uri", f"sqlite:///{tmp_path}/none.db"]) == 0
    assert capsys.readouterr().out.startswith("There is no sweep yet.")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_bad_input(tmp_path, capsys):
    (tmp_path / "text.db").write_text("hello")
    assert cli.main(["list", "--tracking-uri", f"sqlite:///{tmp_path}/text.db"]) == cli.BAD_INPUT
    assert "no SQLite database" in capsys.readouterr().err


def test_show_ranks_configurations_and_names_what_crashed(store, capsys):
    _, done, _ = store
    assert cli.main(["show", "two-rates"]) == 0
    text = capsys.readouterr().out
    assert "finished, 4 of 4 runs (3 ok, 1 crashed)" in text and "Which rate?" in text
    ranked = [line.split() for line in text.splitlines() if line.startswith("lr ")]
    assert ranked == [["lr", "0.1", "0.55", "2", "of", "2"], ["lr", "0.01", "0.3", "1", "of", "2"]], "one may be luck"
    assert "lr 0.01 · seed 1: The  [2Jmemory was full." in text and "\x1b" not in text
    assert text.rstrip().endswith("Training.")
    assert cli.main(["show", done[:6], "--json"]) == 0
    detail = json.loads(capsys.readouterr().out)
    assert len(detail["runs"]) == 4 and detail["groups"][0]["name"] == "lr 0.1" and detail["state"] == "finished"


@pytest.mark.parametrize("action", ["pause", "resume", "stop", "retry"])
def test_sweeps_are_steered_by_id_beginning_or_name(store, client, capsys, action):
    _, done, _ = store
    for wanted in (done, done[:10], "two-rates"):
        assert cli.main([action, wanted]) == 0
        assert told(client)[-1] == (action, done)
        assert capsys.readouterr().out.startswith("two-rates ")


def test_an_unknown_or_ambiguous_sweep_is_bad_input(store, client, capsys):
    assert cli.main(["stop", "two-rate"]) == cli.BAD_INPUT
    assert "'two-rate' is not in this store; " in (text := capsys.readouterr().err)
    assert text.endswith("did you mean two-rates?\n")
    assert cli.main(["stop", ""]) == cli.BAD_INPUT
    assert capsys.readouterr().err.startswith("sweep: ")
    client.stop.assert_not_called()


def test_two_sweeps_of_one_name_are_told_apart_by_id(client, monkeypatch, capsys):
    rows = [{"sweep": "aa1", "name": "same"}, {"sweep": "aa2", "name": "same"}]
    monkeypatch.setattr(cli_rows, "sweep_rows", lambda uri: rows)
    assert cli.main(["stop", "same"]) == cli.BAD_INPUT
    assert "'same' fits 2 sweeps; allowed: one of the ids aa1, aa2" in capsys.readouterr().err
    assert cli.main(["stop", "aa2"]) == 0 and told(client) == [("stop", "aa2")]


def test_one_run_is_stopped_by_the_beginning_of_its_id(store, client, capsys):
    uri, done, _ = store
    run_id = cli_rows.run_ids(uri)[0]
    assert cli.main(["stop", "--run", run_id[:20]]) == 0
    assert told(client)[-1] == ("stop_run", run_id)
    for arguments in (
        ["stop"],
        ["stop", done, "--run", run_id],
        ["stop", "--run", "zz"],
        ["stop", "--run", ""],
        ["stop", ""],
    ):
        capsys.readouterr()
        assert cli.main(arguments) == cli.BAD_INPUT
        assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("end", "code"), [("cached", cli.DONE), ("failed", cli.NOT_DONE), ("none", cli.NOT_DONE)])
def test_a_landscape_is_waited_for_and_its_end_said(store, client, monkeypatch, capsys, end, code):
    answers = [
        {"state": "queued", "doing": "", "share": 0.0, "problem": ""},
        {"state": "computing", "doing": "training it once more", "share": 0.5, "problem": ""},
        {"state": end, "doing": "", "share": 0.0, "problem": "It has no weights." if end == "failed" else ""},
    ]
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    client.landscape.side_effect = answers
    run_id = cli_rows.run_ids(store[0])[0]
    assert cli.main(["landscape", run_id[:20], "--again"]) == code
    assert told(client) == [("landscape", run_id, act) for act in ("again", "ask", "ask")]
    out, err = capsys.readouterr()
    assert "queued, 0%" in err and "training it once more, 50%" in err
    said = {"cached": "landscape.npz", "failed": "It has no weights.", "none": "It was given up."}
    assert said[end] in out


def test_a_refused_command_is_a_sentence(store, client, capsys):
    client.retry.side_effect = CommandError("retry: none of the sweep's runs has crashed")
    assert cli.main(["retry", "two-rates"]) == cli.NOT_DONE
    assert capsys.readouterr() == ("", "retry: none of the sweep's runs has crashed\n")


def test_no_traceback_reaches_the_user(client, spec_file, monkeypatch, capsys):
    client.launch.side_effect = KeyError("oops")
    assert cli.main(["run", spec_file]) == cli.NOT_DONE
    assert capsys.readouterr().err == "KeyError: 'oops'\n"
    monkeypatch.setenv("SWEEPBOARD_DEBUG", "1")
    with pytest.raises(KeyError):
        cli.main(["run", spec_file])


def test_a_reader_that_has_seen_enough_is_no_error():
    code = "import sys; from sweeps.__main__ import main; sys.exit(main(['catalogue']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_catalogue(monkeypatch, tmp_path, capsys):
    from sweeps.catalogue import build, entries

    assert cli.main(["catalogue"]) == 0
    text = capsys.readouterr().out
    assert (
        "  mlp (regression, binary, multiclass): " in text and "\n    betas  [0.9, 0.999]  (a list of 2 numbers" in text
    )
    assert cli.main(["catalogue", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(entries.FILE.read_text(encoding="utf-8"))
    copy = tmp_path / "catalogue.json"
    monkeypatch.setattr(entries, "FILE", copy)
    monkeypatch.setattr(build, "build", lambda: {"models": {}})
    for changed in (True, False):
        assert cli.main(["catalogue", "--write", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["changed"] is changed
    assert json.loads(copy.read_text()) == {"models": {}}


def test_service(client, capsys):
    assert cli.main(["service", "--status"]) == 0
    client.start_service.assert_not_called()
    assert "as process 7: 1 sweep under way, 2 workers." in capsys.readouterr().out
    assert cli.main(["service", "--stop"]) == 0 and told(client)[-1] == ("shutdown",)
    capsys.readouterr()
    client.status.return_value = ServiceStatus(alive=False)
    client.start_service.return_value = False
    assert cli.main(["service", "--json"]) == cli.NOT_DONE
    assert json.loads(capsys.readouterr().out)["alive"] is False


def test_the_service_can_be_this_process(monkeypatch):
    served = []
    monkeypatch.setitem(sys.modules, "sweeps.service.loop", SimpleNamespace(serve=lambda uri: served.append(uri) or 2))
    assert cli.main(["service", "--foreground", "--tracking-uri", "sqlite:///y.db"]) == 2
    assert served == ["sqlite:///y.db"]


def row(**changes):
    counts = dict.fromkeys(("ok", "diverged", "pruned", "stopped", "crashed", "running", "done"), 0)
    base = {"name": "s", "state": "running", "planned": 4, "metric": "val/loss", "best": float("nan"), "best_name": ""}
    return {"sweep": "abc123", **base, **counts, **changes}


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
    said = []
    waiting.wait(client, "abc123", said.append)
    assert said == ["The disk is full."]
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


@pytest.mark.parametrize(
    ("direction", "ranked"), [("minimize", ["b", "a", "c", "d"]), ("maximize", ["a", "b", "c", "d"])]
)
def test_configurations_rank_by_divergence_first_then_by_their_mean(direction, ranked):
    import pandas as pd

    outcomes = {"a": ["ok", "ok"], "b": ["ok", "ok", "crashed"], "c": ["ok", "diverged"], "d": ["diverged", "diverged"]}
    measured = {"a": 0.5, "b": 0.4, "c": 0.1, "d": float("nan")}
    runs = pd.DataFrame(
        [
            {"group": group, "name": f"{group} · seed {seed}", "outcome": outcome, "counts": True, "phase": "search",
             "objective": measured[group] if outcome == "ok" else float("nan"), "optimizer.name": group}
            for group, own in outcomes.items() for seed, outcome in enumerate(own)
        ]
    )  # fmt: skip
    groups = cli_rows.group_rows(runs, {"direction": direction, "searched": ["optimizer.name"]})
    assert [group["name"] for group in groups] == ranked
    assert [(group["finite"], group["diverged"], group["runs"]) for group in groups[2:]] == [(1, 1, 2), (0, 2, 2)]


def test_tables_and_numbers():
    assert words.table(["a", "long"], [["x", "1"], ["yy\n", "22"]], right=[1]) == "a    long\nx       1\nyy     22"
    assert [words.number(value) for value in (None, float("nan"), 0.123456, 12.0)] == ["–", "–", "0.1235", "12"]
    assert [words.duration(seconds) for seconds in (0.2, 59, 61, 5399, 7200)] == [
        "1 s",
        "59 s",
        "1 min",
        "90 min",
        "2.0 h",
    ]


def test_a_name_steers_no_terminal_and_is_exact_in_json(capsys, monkeypatch, store):
    row = cli_rows.sweep_rows(store[0])[0] | {"name": "\u202eevil"}
    monkeypatch.setattr(cli_rows, "sweep_rows", lambda uri: [row])
    assert cli.main(["list"]) == 0
    text = capsys.readouterr().out
    assert "[U+202E]evil" in text and "\u202e" not in text
    assert cli.main(["list", "--json"]) == 0
    text = capsys.readouterr().out
    assert "\u202e" not in text and json.loads(text)[0]["name"] == "\u202eevil"
    assert cli.main(["pause", "\u202eother"]) == cli.BAD_INPUT
    assert "\u202e" not in capsys.readouterr().err
