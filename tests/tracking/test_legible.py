"""What steers text is spelled out where it is shown; what is looked up by it stays exact."""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tracking.frames import Keys, Selection
from tracking.legible import as_json, exact, legible, legible_value, one_line, spelled_out
from tracking.legible_reader import LegibleReader
from tracking.reader import open_reader

STEERING = [
    *range(0x00, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0), 0x061C, *range(0x200B, 0x2010),
    *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xD800, 0xDFFF, *range(0xE0000, 0xE0080),
]  # fmt: skip
"""Controls, separators, marks, overrides, isolates, zero-width characters, surrogates, tag characters."""
KEPT = [
    "adam, lr 0.1", "שלום עולם", "مرحبا 123", "می‌خواهم", "क्‍ष", "🚀", "👩‍💻", "🏳️‍🌈", "1️⃣", "Fehlerquote ü", "准确率",
    "two\nlines\tand a tab",
]  # fmt: skip
"""Text of people: right to left, with the joiners of Persian and Hindi, emoji whole."""


@pytest.mark.parametrize("code", STEERING)
def test_what_steers_text_is_spelled_out_and_found_again(code: int) -> None:
    for text in (chr(code), f"a{chr(code)}b", f"{chr(code)}evil", f"{chr(code)}{chr(code)}"):
        assert legible(text) == text.replace(chr(code), f"[U+{code:04X}]")
        assert legible(legible(text)) == legible(text)
        assert exact(spelled_out(text)) == text
        assert json.loads(as_json({"name": text}, indent=1)) == {"name": text}
        assert chr(code) not in as_json({"name": text}) and chr(code) not in one_line(text)
        assert legible_value({text: [text, 1, None]}) == {legible(text): [legible(text), 1, None]}


@pytest.mark.parametrize("text", KEPT)
def test_what_people_write_stays(text: str) -> None:
    assert legible(text) == spelled_out(text) == exact(text) == text
    assert json.loads(as_json(text)) == text


def test_two_texts_that_differ_stay_two() -> None:
    texts = ["adam", "adam\u200b", "\u200badam", "adam\u200d", "adam[U+200B]", "adam[U+005B]U+200B]", "ad\u202eam"]
    shown = [spelled_out(text) for text in texts]
    assert len(set(shown)) == len(texts)
    assert [exact(text) for text in shown] == texts


def test_on_one_line_there_are_no_ends_of_lines() -> None:
    assert one_line("a\r\nb\tc\u2028d\x1b[2J\u202ee") == "a  b c d [2J[U+202E]e"


@pytest.fixture
def hostile(uri: str, tmp_path: Path) -> Any:
    """A store whose names, keys, values and file hold steering characters, and the id of its run.

    MLflow refuses such keys, so these are written by SQL.
    """
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.create_experiment("experiment\u2066")
    run = client.create_run(experiment, run_name="\u202eevil").info.run_id
    client.log_param(run, "opt", "adam\u200b")
    client.log_metric(run, "loss", 0.5, step=3)
    (tmp_path / "no\u200ete.txt").write_text("text")
    client.log_artifact(run, str(tmp_path / "no\u200ete.txt"))
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database, database:
        for table in ("metrics", "latest_metrics", "params"):
            database.execute(f"UPDATE {table} SET key = key || ? WHERE run_uuid = ?", ("\u200f", run))
    return open_reader(uri), run


def test_a_legible_reader_shows_text_and_asks_for_the_exact_one(hostile: Any) -> None:
    stored, run = hostile
    reader = LegibleReader(stored)
    records = reader.records(Selection.of(run_ids=[run]))
    assert records.runs["name"].tolist() == ["[U+202E]evil"]
    assert dict(zip(records.params["key"], records.params["value"], strict=True)) == {"opt[U+200F]": "adam[U+200B]"}
    assert reader.histories([run], records.metrics["key"].tolist())["value"].tolist() == [0.5]
    opt_records = reader.records(Selection.of(run_ids=[run]), Keys(("opt[U+200F]",), (), ()))
    assert opt_records.params["key"].tolist() == ["opt[U+200F]"]
    (path,) = reader.artifacts(run)["path"]
    assert path == "no[U+200E]te.txt" and reader.artifact(run, path) == b"text"
    assert "experiment[U+2066]" in reader.experiments()["name"].tolist()
    assert stored.records(Selection.of(run_ids=[run])).runs["name"].tolist() == ["\u202eevil"], "the service's is exact"


def test_the_list_of_what_steers_is_that_of_unicode() -> None:
    """Every format character that no script needs to be read is spelled out."""
    visible = {*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD}
    formats = [code for code in range(0x10000) if unicodedata.category(chr(code)) in ("Cf", "Cc", "Zl", "Zp")]
    assert [code for code in formats if code not in visible | {9, 10, 13} and legible(chr(code)) == chr(code)] == []
