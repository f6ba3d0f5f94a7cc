"""The commands that list and show: rows, tables and the catalogue."""

import json

import pytest

from sweeps import __main__ as cli
from sweeps import words
from sweeps.cli import rows as cli_rows


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


def test_catalogue(monkeypatch, tmp_path, capsys):
    from sweeps.catalogue import architectures, build, entries

    assert cli.main(["catalogue"]) == 0
    text = capsys.readouterr().out
    assert "  mlp (regression, binary, multiclass, multilabel): " in text
    assert "\n    betas  [0.9, 0.999]  (a list of 2 numbers" in text
    assert cli.main(["catalogue", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(entries.FILE.read_text(encoding="utf-8"))
    copy = tmp_path / "catalogue.json"
    monkeypatch.setattr(entries, "FILE", copy)
    monkeypatch.setattr(architectures, "FILE", page := tmp_path / "architectures.md")
    monkeypatch.setattr(build, "build", lambda recorders: {"models": {}})
    for changed in (True, False):
        assert cli.main(["catalogue", "--write", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["changed"] is changed
    assert json.loads(copy.read_text()) == {"models": {}}
    assert page.read_text().startswith("# Architectures")


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
            for group, ends in outcomes.items() for seed, outcome in enumerate(ends)
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
