"""A sweep of coupled settings, trained by a real service: its runs, and how the command line and the pages name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweeps import __main__ as cli
from tracking import sweep_frames
from tracking.reader import open_reader

pytestmark = [pytest.mark.timeout(240)]

SPEC = """
name: equal-parameters
data: {name: iris}
trainer: {max_epochs: 2, device: cpu}
search:
  cell:
    settings:
      narrow: {model.name: mlp, model.hidden_sizes: [4]}
      straight: {model.name: softmax_regression, optimizer.lr: 0.1}
seeds: 2
claim: {text: The hidden layer helps., better: {cell: narrow}, than: {cell: straight}}
workers: 1
"""


def test_all(uri: str, visit: Any, words: Any, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "equal.yaml"
    file.write_text(SPEC, encoding="utf-8")
    assert cli.main(["run", str(file), "--wait", "--tracking-uri", uri]) == 0
    print(capsys.readouterr().out)
    reader = open_reader(uri)
    row = sweep_frames.sweeps(reader).iloc[0]
    print(dict(row))
    runs = sweep_frames.sweep_runs(reader, row["sweep"])
    print(runs.T.to_string())
    print(reader.params(runs["run_id"]).pivot(index="key", columns="run_id", values="value").to_string())
    print(reader.tags(runs["run_id"]).to_string())
    cli.main(["show", row["sweep"], "--tracking-uri", uri])
    print(capsys.readouterr().out)
    for page in ("sweep", "compare", "optimizers", "bias_variance", "regularization", "quality"):
        at = visit(page, sweep=row["sweep"])
        print("=====", page)
        print(words(at))
        for frame in at.dataframe:
            print(frame.value.to_string()[:3000])
    at = visit("runs")
    print(words(at))
    for frame in at.dataframe:
        print(frame.value.to_string()[:3000])
    at = visit("run", run=runs["run_id"][0])
    print(words(at))
    for frame in at.dataframe:
        print(frame.value.to_string()[:3000])
    at = visit("launch", copy=row["sweep"])
    print(words(at))
    print(at.code[0].value)
