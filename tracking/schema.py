"""The names under which sweeps and runs are stored in MLflow: tags, metrics, artifacts, outcomes and states.

A sweep is a parent run (tag `kind` = "sweep"), each of its runs is a child of it (tag `kind` = "run"). MLflow's step is
the epoch, counted from 1. A run counts if and only if it has no tag `superseded_by`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final


class Outcome(StrEnum):
    """How a run ended. A run without an outcome has not ended."""

    OK = "ok"
    """Trained to its end: the last epoch, or where early stopping chose to stop."""
    DIVERGED = "diverged"
    """The loss or a parameter stopped being finite."""
    PRUNED = "pruned"
    """Ended by the sweep's pruner."""
    STOPPED = "stopped"
    """Ended by a person."""
    CRASHED = "crashed"
    """An error, a killed worker or a killed service."""


OUTCOME_TO_STATUS: Final[dict[Outcome, str]] = {
    Outcome.OK: "FINISHED",
    Outcome.DIVERGED: "FINISHED",
    Outcome.PRUNED: "FINISHED",
    Outcome.STOPPED: "KILLED",
    Outcome.CRASHED: "FAILED",
}
"""The MLflow status of a run that ended so."""


class State(StrEnum):
    """Where a sweep stands."""

    DRAFT = "draft"
    """Being written: not yet to be started."""
    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    """Running runs finish, no others start."""
    PAUSED = "paused"
    STOPPING = "stopping"
    """Running runs are being ended."""
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


STATE_TO_STATUS: Final[dict[State, str]] = {
    State.DRAFT: "SCHEDULED",
    State.QUEUED: "SCHEDULED",
    State.RUNNING: "RUNNING",
    State.PAUSING: "RUNNING",
    State.PAUSED: "SCHEDULED",
    State.STOPPING: "RUNNING",
    State.STOPPED: "KILLED",
    State.FINISHED: "FINISHED",
    State.FAILED: "FAILED",
}
"""The MLflow status of a sweep's parent run in that state."""

COMMANDS: Final[dict[str, tuple[State, ...]]] = {
    "pause": (State.QUEUED, State.RUNNING),
    "resume": (State.PAUSED, State.PAUSING, State.STOPPED, State.FAILED),
    "stop": (State.QUEUED, State.RUNNING, State.PAUSING, State.PAUSED),
    "retry": (State.RUNNING, State.PAUSED, State.STOPPED, State.FINISHED, State.FAILED),
    "extend": (State.QUEUED, State.RUNNING, State.PAUSED, State.STOPPED, State.FINISHED),
    "change": (State.QUEUED, State.RUNNING, State.PAUSED, State.STOPPED),
}
"""In which states a sweep can be given each command. `extend` takes trials and seeds, `change` workers and pruner."""

# Tags
KIND: Final = "kind"
"""SWEEP_KIND on the parent run, RUN_KIND on its children."""
SWEEP_KIND: Final = "sweep"
RUN_KIND: Final = "run"
SWEEP: Final = "sweep"
"""Run id of the parent; on the parent its own."""
TRIAL: Final = "trial"
GROUP: Final = "group"
PHASE: Final = "phase"
SEARCH_PHASE: Final = "search"
CONFIRM_PHASE: Final = "confirm"
"""Of runs that retrain a winner of the search with seeds that did not choose it."""
SEED: Final = "seed"
SEED_DATA: Final = "seed_data"
SEED_INIT: Final = "seed_init"
SEED_ORDER: Final = "seed_order"
OUTCOME: Final = "outcome"
OWNER: Final = "owner"
LEASE: Final = "lease"
SUPERSEDED_BY: Final = "superseded_by"
RERUN: Final = "rerun"
"""YES on a run whose trial and seed are to be trained again when the sweep goes on; it is then superseded."""
YES: Final = "yes"
ATTEMPT: Final = "attempt"
"""1 for the first training of a trial and seed, 2 for the one after a worker died, and so on."""
QUEUED_AT: Final = "queued_at"
"""Milliseconds since the epoch: queued sweeps are taken in this order."""
STATE: Final = "state"
PLANNED: Final = "planned"
"""How many runs the sweep will have, as far as is known: what a pruner saves is taken off, confirm runs are added."""
ESTIMATED: Final = "estimate.seconds"
"""How long the sweep was expected to take when it was launched, from its first run's start to its last one's end."""
WINNERS: Final = "winners"
"""JSON list of the numbers of the trials that are confirmed: chosen when the search was done."""
PARAMS: Final = "params"
"""Of a run: the searched keys of its trial and their values, in JSON; from it a sampler that learns is rebuilt."""
ALARMED: Final = "alarmed"
"""YES on a sweep of which it has been told that it diverges: it is told once."""
PRUNED_AT: Final = "pruned_at"
"""Of a pruned run: the epoch at which it was judged; what it measured later does not count in the search."""
TRIALS: Final = "trials"
SEEDS: Final = "seeds"
METRIC: Final = "objective.metric"
DIRECTION: Final = "objective.direction"
MINIMIZE: Final = "minimize"
MAXIMIZE: Final = "maximize"
SEARCHED: Final = "searched"
"""JSON list of the dotted keys that the sweep searches."""
ERROR: Final = "error"
"""One sentence: why it crashed or failed."""
DATA_HASH: Final = "data_hash"
MACHINE: Final = "machine"
TICKET: Final = "ticket"
"""A random text that a run is created with, so that a creation whose answer was lost is found again, not repeated."""
VERSIONS: Final = "versions"
MODEL_SOURCE: Final = "model_source"
"""Of a run of a model of the user's own: its file, and a hash of the sources it was trained from."""
OPTIMIZER_OF: Final = "optimizer_of"
"""Of such a run: MODEL if the module configured its optimizers itself, CONFIGURATION if ours was used."""
MODEL: Final = "model"
CONFIGURATION: Final = "configuration"
COMMAND: Final = "cmd."
"""Prefix: `cmd.<uuid>` holds one command to the service, in JSON."""
EVENT: Final = "event."
"""Prefix: `event.<...>` holds JSON {"at": ms, "text": str, "run": run id or null}."""

# MLflow's own tags
RUN_NAME: Final = "mlflow.runName"
PARENT: Final = "mlflow.parentRunId"
NOTE: Final = "mlflow.note.content"
COMMIT: Final = "mlflow.source.git.commit"
EXPERIMENT_KIND: Final = "mlflow.experimentKind"
"""Of an experiment: by it MLflow's UI knows which of its views to open."""
MODEL_TRAINING: Final = "custom_model_development"

# Artifacts: the first two lie on the parent run
SPEC_FILE: Final = "spec.yaml"
TRIALS_FILE: Final = "trials.json"
WEIGHTS_FILE: Final = "weights/best.pt"
TRACEBACK_FILE: Final = "traceback.txt"
PREDICTIONS_FILE: Final = "predictions.npz"
"""What a classification run that ended ok says of its examples, by the weights that validation chose: NumPy arrays.

`classes` (K,) names them, `epoch` is that of the weights; for each part of PREDICTED, such as `test`, there are
`test_probabilities` (n, K) float32, `test_targets` (n,) int32 and `test_size`: the file holds the first n of so many.
"""
PREDICTED: Final = ("val", "test")
"""The parts of the data in PREDICTIONS_FILE."""

# Metrics. `error` is the share of misclassified examples (classification) or the root mean squared error (regression).
TRAIN_LOSS: Final = "train/loss"
"""Running mean while training, in training mode."""
TRAIN_EVAL_LOSS: Final = "train_eval/loss"
"""Evaluation mode, on a fixed part of the training data, without the penalty."""
TRAIN_EVAL_ERROR: Final = "train_eval/error"
VAL_LOSS: Final = "val/loss"
VAL_ERROR: Final = "val/error"
TEST_LOSS: Final = "test/loss"
TEST_ERROR: Final = "test/error"
PENALTY: Final = "reg/penalty"
TRAIN_SECONDS: Final = "time/train_s"
"""Seconds spent training, evaluation excluded."""
LR: Final = "opt/lr"
GRAD_NORM: Final = "opt/grad_norm"
UPDATE_NORM: Final = "opt/update_norm"
PARAM_NORM: Final = "opt/param_norm"
STEPS: Final = "opt/steps"
"""Optimizer updates so far; of a module of the user's own, batches it was trained on."""
OBJECTIVE: Final = "objective"
"""One value at the run's end: what it is ranked by."""

MASK: Final = "••••"

_SECRETS: Final = ("secret", "password", "passwd", "passphrase", "credential", "apikey", "accesskey", "privatekey")
_NUMBER: Final = re.compile(r"\s*[-+]?[\d._]+(e[-+]?\d+)?\s*", re.IGNORECASE)


@lru_cache(maxsize=10_000)
def secret_like(key: str) -> bool:
    """Whether a key's last dotted part looks like the name of a secret: `mask` hides most values of such keys."""
    words = [word.lower() for word in re.findall(r"[A-Z]*[a-z]+|[A-Z]+", key.rsplit(".", 1)[-1])]
    name = "".join(words)
    return any(secret in name for secret in _SECRETS) or name.endswith(("token", "tokens")) or "pwd" in words


def mask(key: str, value: str) -> str:
    """The value as it may be shown: MASK if the key looks like that of a secret.

    `token` counts where it ends the name (`hf_token`, not `tokenizer`); the plural only if its value is no number
    (`max_tokens: 512` is a size).
    """
    if not secret_like(key) or (key.lower().endswith("tokens") and _NUMBER.fullmatch(value)):
        return value
    return MASK
