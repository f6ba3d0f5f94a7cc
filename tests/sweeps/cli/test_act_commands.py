"""The commands that steer: which sweep or run is meant, and what the client is told."""

import json
import sys
from types import SimpleNamespace

import pytest
from two_rates import requests_of

from sweeps import __main__ as cli
from sweeps.cli import rows as cli_rows
from sweeps.client import ServiceStatus


@pytest.mark.parametrize("action", ["pause", "resume", "stop", "retry"])
def test_sweeps_are_steered_by_id_beginning_or_name(store, client, capsys, action):
    _, done, _ = store
    for wanted in (done, done[:10], "two-rates"):
        assert cli.main([action, wanted]) == 0
        assert requests_of(client)[-1] == (action, done)
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
    assert cli.main(["stop", "aa2"]) == 0 and requests_of(client) == [("stop", "aa2")]


def test_one_run_is_stopped_by_the_beginning_of_its_id(store, client, capsys):
    uri, done, _ = store
    run_id = cli_rows.run_ids(uri)[0]
    assert cli.main(["stop", "--run", run_id[:20]]) == 0
    assert requests_of(client)[-1] == ("stop_run", run_id)
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
    assert requests_of(client) == [("landscape", run_id, act) for act in ("again", "ask", "ask")]
    out, err = capsys.readouterr()
    assert "queued, 0%" in err and "training it once more, 50%" in err
    sentences = {"cached": "landscape.npz", "failed": "It has no weights.", "none": "It was given up."}
    assert sentences[end] in out


def test_service(client, capsys):
    assert cli.main(["service", "--status"]) == 0
    client.start_service.assert_not_called()
    assert "as process 7: 1 sweep under way, 2 workers." in capsys.readouterr().out
    assert cli.main(["service", "--stop"]) == 0 and requests_of(client)[-1] == ("shutdown",)
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
