"""The members on texts, trained on real data as the defaults have them: how good they are, and how long they take.

    python -m benchmarks.thin_text FOLDER     a folder with trec/ and tinyshakespeare/; also the variable SHARED_DATA

The texts are read where they lie and never copied: TREC (Li and Roth 2002; questions by what is asked for, as in
github.com/harvardnlp/sent-conv-torch) and tiny Shakespeare (github.com/karpathy/char-rnn). A GRU learns parity, which
is generated. Each run is measured beside the best constant answer on its test part, which for a language model is the
unigram model. One thread.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.measure import write
from data import DATASETS
from learning_tasks import TASKS
from sweeps.training.train import train

TREC: Final = {
    "path": "trec/TREC.train.all",
    "test_path": "trec/TREC.test.all",
    "encoding": "latin-1",
}
SHAKESPEARE: Final = {"path": "tinyshakespeare/input.txt"}
RUNS: Final[dict[str, dict[str, Any]]] = {
    "parity, gru": {
        "model": {"name": "gru", "embedding_size": 8, "hidden_size": 32},
        "data": {"name": "parity", "batch_size": 32},
        "optimizer": {"name": "adam", "lr": 0.03},
        "trainer": {"max_epochs": 30},
    },
    "TREC, gru": {
        "model": {"name": "gru", "embedding_size": 64, "dropout": 0.3},
        "data": {"name": "labelled_lines", **TREC},
        "optimizer": {"name": "adam", "lr": 0.002},
        "trainer": {"max_epochs": 10},
    },
    "Alice, rnn_lm": {
        "model": {"name": "rnn_lm"},
        "data": {"name": "text_file", "batch_size": 16},
        "optimizer": {"name": "adam", "lr": 0.005},
        "trainer": {"max_epochs": 15},
    },
    "tiny Shakespeare, rnn_lm": {
        "model": {"name": "rnn_lm"},
        "data": {"name": "text_file", **SHAKESPEARE},
        "optimizer": {"name": "adam", "lr": 0.003},
        "trainer": {"max_epochs": 2},
    },
}


def constant(configuration: dict[str, Any]) -> tuple[dict[str, int], dict[str, float]]:
    """The sizes of the parts, and the scores of the best constant answer on the test part."""
    fields = {name: value for name, value in configuration["data"].items() if name != "name"}
    data = DATASETS[configuration["data"]["name"]](**fields)
    characters = {"characters": data.dims["characters"]} if "characters" in data.dims else {}
    targets = data.parts.test.batch(slice(None)).targets
    return data.sizes, TASKS[data.task](**characters).constant(targets)


def measured(configuration: dict[str, Any]) -> dict[str, Any]:
    """What a run reaches on its test part beside the best constant answer, and its seconds."""
    trainer = {**configuration["trainer"], "device": "cpu"}
    result = train({**configuration, "trainer": trainer, "keep": "none"})
    assert result.error is None, result.error
    sizes, baseline = constant(configuration)
    return {
        "sizes": sizes,
        "test": {name: round(result.metrics[f"test/{name}"], 4) for name in baseline},
        "constant": {name: round(value, 4) for name, value in baseline.items()},
        "epochs": result.epochs,
        "seconds": round(result.seconds, 1),
        "seconds_training": round(result.metrics["time/train_s"], 1),
    }


def main() -> None:
    """Train each run on the folder that the command names."""
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SHARED_DATA", "")
    if not (Path(folder) / "trec").is_dir():
        sys.exit(f"{folder or 'no folder'}: expected a folder with trec/ and tinyshakespeare/; see the first lines.")
    os.environ["SWEEPBOARD_DATA"] = folder
    torch.set_num_threads(1)
    results = {name: measured(configuration) for name, configuration in RUNS.items()}
    write("thin_text", {"what": "test part at the best epoch, beside the best constant answer", "runs": results})


if __name__ == "__main__":
    main()
