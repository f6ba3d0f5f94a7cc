"""Seconds of sixteen digits-MLP runs: two workers of ours against Optuna + Lightning + MLFlowLogger in one process.

What a user would otherwise write stands in optuna_loop.py. Ours measures more of each run (training part in evaluation
mode, norms, test set, weights). The service is warm, as it is from the moment the dashboard has been open for ten
seconds; both sides alternate in one run of this script.
"""

from __future__ import annotations

from benchmarks import optuna_loop
from benchmarks.measure import REPEATS, empty_store, median, seconds_to_finish, write

RUNS, EPOCHS = 16, 20
SPEC = """
name: throughput
model: {name: mlp, hidden_sizes: [64]}
data: {name: digits, batch_size: 64}
optimizer: {name: adam}
trainer: {max_epochs: 20}
search:
  optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true, steps: 8}
seeds: 2
workers: 2
"""


def ours(uri: str) -> float:
    """Seconds from the launch until the sweep is finished and its last metric stored."""
    return seconds_to_finish(uri, SPEC)


def theirs() -> float:
    """Seconds of study.optimize, with the store made before."""
    import optuna

    return optuna_loop.seconds(
        lambda: optuna.samplers.RandomSampler(seed=0),
        lambda trial: {"lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True)},
        RUNS,
        EPOCHS,
    )


def main() -> None:
    from sweeps.client import Client

    theirs()  # first calls take longer
    with empty_store() as uri:
        Client(uri).start_service(wait=120)
        ours(uri)
        pairs = [(ours(uri), theirs()) for _ in range(REPEATS)]
    write(
        "throughput",
        {
            "what": f"{RUNS} runs of {EPOCHS} epochs, digits, MLP 64-64-10, batch 64",
            "seconds_ours": [round(a, 2) for a, _ in pairs],
            "seconds_optuna_lightning_mlflowlogger": [round(b, 2) for _, b in pairs],
            "median_seconds_ours": median([a for a, _ in pairs]),
            "median_seconds_theirs": median([b for _, b in pairs]),
            "median_ratio": median([b / a for a, b in pairs]),
            "goal_ratio": 1.8,
        },
    )


if __name__ == "__main__":
    main()
