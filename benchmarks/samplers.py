"""Trials per minute, by sampler: two workers of ours against Optuna's own loop with the same samplers, in one process.

The same search on both sides: a learning rate on a logarithmic scale and one of four hidden sizes of an MLP on digits,
ranked by the validation loss after the last epoch. What a user would otherwise write stands in optuna_loop.py. Ours
measures more of each run, and rebuilds its sampler for every trial, so that a killed sweep goes on as it would have;
that is in the time. The service is warm; both sides alternate in one run of this script.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import optuna_loop
from benchmarks.measure import REPEATS, empty_store, median, seconds_to_finish, write

if TYPE_CHECKING:
    import optuna

TRIALS, EPOCHS = 12, 20
SAMPLERS = ("random", "qmc", "tpe", "gp")
HIDDEN_SIZES = (16, 32, 64, 128)
SPEC = """
name: samplers
model: {{name: mlp}}
data: {{name: digits, batch_size: 64}}
optimizer: {{name: adam}}
trainer: {{max_epochs: {epochs}}}
search:
  optimizer.lr: {{low: 1.0e-4, high: 1.0e-1, log: true}}
  model.hidden_sizes: {{values: [[16], [32], [64], [128]]}}
sampler: {sampler}
trials: {trials}
seed: {seed}
workers: 2
"""


def make(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's sampler of this name."""
    from optuna import samplers

    classes: dict[str, Any] = {
        "random": samplers.RandomSampler,
        "qmc": samplers.QMCSampler,
        "tpe": samplers.TPESampler,
        "gp": samplers.GPSampler,
    }
    sampler: optuna.samplers.BaseSampler = classes[name](seed=seed)
    return sampler


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """The params of a trial, from the same ranges as in SPEC."""
    return {
        "lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True),
        "hidden_size": trial.suggest_categorical("hidden_size", HIDDEN_SIZES),
    }


def main() -> None:
    from sweeps.client import Client

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="two short trials each, once; nothing is written")
    dry = parser.parse_args().dry_run
    trials, epochs, repeats = (2, 2, 1) if dry else (TRIALS, EPOCHS, REPEATS)
    ours: dict[str, list[float]] = {name: [] for name in SAMPLERS}
    theirs: dict[str, list[float]] = {name: [] for name in SAMPLERS}
    with empty_store() as uri:
        Client(uri).start_service(wait=120)
        for turn in range(repeats + 1):
            for name in SAMPLERS if turn else SAMPLERS[:1]:
                spec = SPEC.format(sampler=name, trials=trials, epochs=epochs, seed=turn)
                our_seconds = seconds_to_finish(uri, spec)
                new_sampler = partial(make, name, seed=turn)
                their_seconds = optuna_loop.seconds(new_sampler, suggest, trials, epochs)
                if turn:  # the first only imports, and warms both sides
                    ours[name].append(60 * trials / our_seconds)
                    theirs[name].append(60 * trials / their_seconds)
    if dry:
        print(ours, theirs)
        return
    write(
        "samplers",
        {
            "what": f"trials a minute: {trials} trials of {epochs} epochs, digits, MLP, batch 64, one seed; two "
            "workers of ours, and study.optimize with Lightning and MLFlowLogger in one process",
            "median_trials_a_minute_ours": {name: median(values) for name, values in ours.items()},
            "median_trials_a_minute_optuna": {name: median(values) for name, values in theirs.items()},
            "median_ratio": {
                name: median([a / b for a, b in zip(ours[name], theirs[name], strict=True)]) for name in SAMPLERS
            },
            "all_ours": {name: [round(value, 1) for value in values] for name, values in ours.items()},
            "all_optuna": {name: [round(value, 1) for value in values] for name, values in theirs.items()},
        },
    )


if __name__ == "__main__":
    main()
