"""`run` and `check`: a YAML file is launched, or judged."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from two_rates import FOUND, SPEC, requests_of

from sweeps import __main__ as cli
from sweeps.client import ServiceStatus
from sweeps.spec import parse
from tracking import schema


def python(code, *arguments, **options):
    return subprocess.run([sys.executable, *code, *arguments], capture_output=True, text=True, check=False, **options)


def test_run_launches_the_text_as_it_is(client, spec_file, capsys):
    assert cli.main(["run", spec_file, "--tracking-uri", "sqlite:///x.db"]) == 0
    assert client.uri == "sqlite:///x.db" and requests_of(client) == [("launch", SPEC)]
    assert capsys.readouterr().out == "two-rates is queued as abc123: 2 trials x 2 seeds = 4 runs.\n"


def test_run_takes_another_name_and_answers_in_json(client, spec_file, capsys):
    assert cli.main(["--json", "run", spec_file, "--name", "renamed"]) == 0
    launched = parse(requests_of(client)[-1][1])
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
    assert requests_of(client) == []


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
    assert requests_of(client)[-1] == ("check", SPEC)
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
    answer = json.loads(capsys.readouterr().out)
    assert answer["replicate"] == {"datasets": 3, "inits": 2}
    assert [claim["margin"] for claim in answer["claims"]] == [0.05, None]


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
    assert requests_of(client) == []
