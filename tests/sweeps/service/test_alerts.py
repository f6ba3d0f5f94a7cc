"""A command or a webhook is sent an event of a sweep, and delays nothing when it fails."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sweeps.service import alerts
from sweeps.service.alerts import Alerts, diverging
from sweeps.settings import AlertSettings

EVENT = {"event": "finished", "sweep": "3f2a", "name": "naïve", "text": "Finished: 4 ok."}


def problems_of(settings, event=EVENT):
    """The sentences about events that could not be sent."""
    problems = []
    for thread in Alerts(settings, problems.append).send(event):
        thread.join(20)
        assert not thread.is_alive()
    return problems


def python(code, *arguments):
    return (sys.executable, "-c", code, *arguments)


@pytest.fixture
def server():
    """A web server on loopback that keeps what it is sent and answers with `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.received.append((self.path, self.headers["Content-Type"], body))
            self.send_response(server.status)
            if server.status == 302:
                self.send_header("Location", f"http://127.0.0.1:{server.server_port}/elsewhere")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.received, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.address = f"http://127.0.0.1:{server.server_port}/hooks/secret-path"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_command_gets_the_event_as_json_and_in_its_environment(tmp_path):
    file = tmp_path / "event.json"
    code = (
        "import json, os, sys; event = json.load(sys.stdin);"
        "variables = {key: value for key, value in os.environ.items() if key.startswith('SWEEPBOARD_ALERT_')};"
        "json.dump([event, variables, sys.argv[2:]], open(sys.argv[1], 'w'))"
    )
    hostile = {**EVENT, "name": "$(touch /tmp/x); \0 `id`"}
    assert problems_of(AlertSettings(python(code, str(file), "a b; c")), hostile) == []
    event, variables, arguments = json.loads(file.read_text())
    assert event == hostile and arguments == ["a b; c"]
    assert variables["SWEEPBOARD_ALERT_EVENT"] == "finished" and variables["SWEEPBOARD_ALERT_SWEEP"] == "3f2a"
    assert variables["SWEEPBOARD_ALERT_NAME"] == "$(touch /tmp/x);  `id`"


def test_the_webhook_gets_the_event_as_json(server):
    assert problems_of(AlertSettings(webhook=server.address)) == []
    ((path, kind, body),) = server.received
    assert path == "/hooks/secret-path" and kind.startswith("application/json") and json.loads(body) == EVENT


def test_only_events_in_the_settings_are_sent(server):
    assert Alerts(AlertSettings(webhook=server.address, on=("failed",))).send(EVENT) == []
    assert Alerts(AlertSettings()).send(EVENT) == []
    assert server.received == []


def test_settings_are_asked_at_each_event(server):
    now = AlertSettings(on=())
    alerts_of_now = Alerts(lambda: now)
    assert alerts_of_now.send(EVENT) == []
    now = AlertSettings(webhook=server.address)
    for thread in alerts_of_now.send(EVENT):
        thread.join(20)
    assert len(server.received) == 1


def test_a_command_that_fails_is_one_sentence():
    code = "import sys; sys.exit('no\\nbell')"
    assert problems_of(AlertSettings(python(code))) == [
        f"The alert's command {sys.executable} failed with exit code 1: no bell"
    ]
    assert problems_of(AlertSettings(("/no/such/program",))) == [
        "The alert's command /no/such/program could not be started: No such file or directory."
    ]


def test_a_command_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(alerts, "COMMAND_SECONDS", 0.2)
    (problem,) = problems_of(AlertSettings(python("import time; time.sleep(60)")))
    assert "took longer than" in problem


def test_a_webhook_that_fails_is_one_sentence_without_its_path(server):
    server.status = 500
    (problem,) = problems_of(AlertSettings(webhook=server.address))
    host = f"http://127.0.0.1:{server.server_port}"
    assert problem == f"The alert's webhook at {host} answered 500 Internal Server Error."


def test_a_redirect_is_not_followed(server):
    server.status = 302
    (problem,) = problems_of(AlertSettings(webhook=server.address))
    assert "answered 302" in problem and [path for path, *_ in server.received] == ["/hooks/secret-path"]


def test_nobody_there_is_one_sentence(server):
    server.shutdown()
    server.server_close()
    (problem,) = problems_of(AlertSettings(webhook=f"http://user:word@127.0.0.1:{server.server_port}/x"))
    assert "could not be told: " in problem and "word" not in problem and "/x" not in problem


@pytest.mark.parametrize(
    ("diverged", "ended", "alarm"), [(2, 2, False), (3, 3, True), (3, 6, True), (3, 7, False), (50, 100, True)]
)
def test_when_a_sweep_diverges(diverged, ended, alarm):
    assert diverging(diverged, ended) is alarm
