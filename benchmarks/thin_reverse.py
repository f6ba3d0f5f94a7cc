"""The share of strings that an encoder-decoder of two GRUs reverses exactly, of strings that it was not trained on.

    python -m benchmarks.thin_reverse

Strings of 3 to 6 of 10 symbols, 6,400 to train on; 128 features of the state, Adam with learning rate 0.005 that falls
to 0 along half a cosine over 25 epochs. The weights are those of the epoch with the highest exact match in validation.
"""

from __future__ import annotations

from typing import Any, Final

import torch

from benchmarks.measure import write
from sweeps.training.train import train

CONFIGURATION: Final[dict[str, Any]] = {
    "model": {"name": "seq2seq", "hidden_size": 128},
    "data": {"name": "reverse", "max_length": 6, "num_samples": 8000},
    "optimizer": {"name": "adam", "lr": 0.005},
    "schedule": {"name": "cosine"},
    "trainer": {"max_epochs": 25, "device": "cpu"},
    "objective": {"metric": "val/exact_match", "direction": "maximize", "at": "best"},
}


if __name__ == "__main__":
    torch.set_num_threads(1)  # the products are too small for two
    result = train(CONFIGURATION)
    assert result.error is None, result.error
    numbers = {
        "epochs": result.epochs,
        "validation_exact_match": result.objective,
        "test_exact_match": result.metrics["test/exact_match"],
        "training_seconds": round(result.metrics["time/train_s"], 1),
        "seconds": round(result.seconds, 1),
        "decoding_seconds_per_epoch": round(result.recorders["translations"].epoch, 3),
    }
    write("thin_reverse", numbers)
