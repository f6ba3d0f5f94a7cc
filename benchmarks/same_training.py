"""Whether a change of the code changed any training: the same runs in two commits, on this machine.

    python -m benchmarks.same_training BASE

Trains one run after the other in the tree as it stands and in a checkout of the commit BASE, and compares: digests of
the data and final weights must be equal to the bit, every metric that both measure to a relative 1e-6. The command
fails where one is not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import write

ROOT = Path(__file__).resolve().parents[1]
CLOSE: Final = 1e-6
PART_OF: Final = {"train_eval/memorised": "train_eval/clean_error"}
"""By metric that is a difference: the one that it is a part of."""

MOMENTUM = {"name": "momentum", "lr": 0.05}
ADAM = {"name": "adam", "lr": 0.003}
RUNS: Final[dict[str, dict[str, Any]]] = {
    "linear regression": {"model": {"name": "linear_regression"}, "data": {"name": "diabetes"}, "optimizer": MOMENTUM},
    "noisy curve": {
        "model": {"name": "mlp", "hidden_sizes": [16]},
        "data": {"name": "noisy_curve", "noise": 0.2},
        "optimizer": ADAM,
    },
    "logistic regression, L1": {
        "model": {"name": "logistic_regression"},
        "data": {"name": "breast_cancer"},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "regularization": {"l1": 0.001},
    },
    "perceptron": {
        "model": {"name": "perceptron"},
        "data": {"name": "logic_gate"},
        "optimizer": {"name": "sgd", "lr": 1.0},
    },
    "softmax regression, cosine": {
        "model": {"name": "softmax_regression"},
        "data": {"name": "digits"},
        "optimizer": {"name": "nesterov", "lr": 0.05},
        "schedule": {"name": "cosine", "warmup_epochs": 1},
    },
    "MLP, dropout": {
        "model": {"name": "mlp", "hidden_sizes": [32, 16], "dropout": 0.3},
        "data": {"name": "digits", "label_noise": 0.1},
        "optimizer": {"name": "adamw", "lr": 0.003},
    },
    "MLP, batch norm": {
        "model": {"name": "mlp", "hidden_sizes": [32, 16], "norm": "batch", "activation": "gelu"},
        "data": {"name": "digits", "batch_size": 128},
        "optimizer": {"name": "rmsprop", "lr": 0.001},
        "regularization": {"label_smoothing": 0.1, "l2": 0.001},
    },
    "MLP, early stopping": {
        "model": {"name": "mlp", "hidden_sizes": [64]},
        "data": {"name": "wine", "train_size": 60},
        "optimizer": {"name": "adagrad", "lr": 0.05},
        "regularization": {"early_stopping_patience": 2},
        "trainer": {"max_epochs": 30},
    },
    "MLP, clipped, float64": {
        "model": {"name": "mlp", "hidden_sizes": [16], "norm": "layer"},
        "data": {"name": "spirals"},
        "optimizer": MOMENTUM,
        "trainer": {"gradient_clip_val": 0.5, "precision": 64},
    },
    "LeNet": {"model": {"name": "lenet"}, "data": {"name": "digits", "train_size": 300}, "optimizer": ADAM},
    "LeNet, shifted images": {
        "model": {"name": "lenet"},
        "data": {"name": "digits", "train_size": 300, "shift": 1, "input_noise": 0.1},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "schedule": {"name": "step"},
    },
    "replicate": {
        "model": {"name": "mlp", "hidden_sizes": [8]},
        "data": {"name": "moons", "train_size": 60},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "replicate": {"datasets": 2, "inits": 2},
    },
}
"""Over all models, optimizers and ways to regularize; each trains five epochs where it says nothing else."""

TRAIN = """
import hashlib, json, sys, tempfile, warnings
from pathlib import Path
import torch
warnings.simplefilter("ignore")
torch.set_num_threads(1)
import sweeps
assert Path(sweeps.__file__).is_relative_to(Path.cwd()), sweeps.__file__
try:
    from sweeps.training.train import train
except ImportError:
    from sweeps.train import train  # before the rooms of sweeps

for name, configuration in json.load(sys.stdin).items():
    records = []
    with tempfile.TemporaryDirectory() as scratch:
        result = train(configuration, lambda kind, record: records.append((kind, record)), scratch=Path(scratch))
        files = {record["artifact"]: record["path"] for kind, record in records if kind == "file"}
        weights = [path for artifact, path in files.items() if "weights" in artifact]
        sha = hashlib.sha256()
        for key, value in torch.load(weights[0], weights_only=True).items() if weights else ():
            sha.update(key.encode() + value.contiguous().numpy().tobytes())
    print(json.dumps({
        "run": name,
        "outcome": str(result.outcome),
        "error": result.error,
        "data": next((record["dataset"]["digest"] for kind, record in records if kind == "info"), None),
        "weights": sha.hexdigest() if weights else None,
        "metrics": [record["metrics"] for kind, record in records if kind == "metrics"],
    }), flush=True)
"""


def configuration(sections: dict[str, Any]) -> dict[str, Any]:
    """A whole configuration of a run."""
    trainer = {"max_epochs": 5, "device": "cpu", **sections.get("trainer", {})}
    return {**sections, "trainer": trainer, "seeds": {"data": 0, "init": 1, "order": 2}}


def trained(tree: Path) -> dict[str, dict[str, Any]]:
    """What every run came to with the code of a tree: outcome, digests, and its metrics, a mapping per epoch."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        input=json.dumps({name: configuration(sections) for name, sections in RUNS.items()}),
        cwd=tree,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return {row["run"]: row for row in map(json.loads, done.stdout.splitlines())}


def farthest(base: list[dict[str, float]], now: list[dict[str, float]]) -> tuple[float, str]:
    """The largest relative difference of a metric that both measured, seconds left out, and the metric's name.

    What is memorised is a small difference of errors: it is compared as a share of the error that it is a part of.
    """
    largest = (0.0, "")
    for before, after in zip(base, now, strict=True):
        for name in before.keys() & after.keys():
            if not name.startswith("time/"):
                whole = before[PART_OF.get(name, name)]
                apart = abs(after[name] - before[name]) / max(abs(whole), 1e-12)
                largest = (apart, name) if apart > largest[0] else largest
    return largest


def main(base: str) -> int:
    """Compare, write the result, and return 1 where a training changed."""
    with tempfile.TemporaryDirectory(prefix="sweepboard-base-") as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(tree), base], cwd=ROOT, check=True)
        try:
            before = trained(tree)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)
    after = trained(ROOT)
    rows = {}
    for name in RUNS:
        old, new = before[name], after[name]
        apart, metric = farthest(old["metrics"], new["metrics"])
        rows[name] = {
            "outcome": new["outcome"],
            "epochs": len(new["metrics"]),
            "same_outcome": old["outcome"] == new["outcome"],
            "same_data": old["data"] == new["data"] and new["data"] is not None,
            "same_weights": old["weights"] == new["weights"] and new["weights"] is not None,
            "largest_relative_difference": apart,
            "in": metric,
        }
    same = all(
        row["same_outcome"] and row["same_data"] and row["same_weights"] and row["largest_relative_difference"] <= CLOSE
        for row in rows.values()
    )
    revision = subprocess.run(["git", "rev-parse", "--short", base], cwd=ROOT, capture_output=True, text=True)
    write("same_training", {"base": revision.stdout.strip(), "same": same, "runs": rows})
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
