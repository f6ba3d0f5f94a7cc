"""The names under which sweeps and runs are stored in MLflow: tags, metrics, artifacts, outcomes and states.

A sweep is a parent run (tag `kind` = "sweep"), each of its runs is a child of it (tag `kind` = "run"). MLflow's step is
the epoch, counted from 1. A run counts if and only if it has no tag `superseded_by`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
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


ACTIVE: Final = frozenset({State.QUEUED, State.RUNNING, State.PAUSING, State.STOPPING})
"""States that change by themselves."""

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
LAYERS_FILE: Final = "layers.npz"
"""What the layers of a run that ended ok did, a layer a weight (a parameter of more than one axis): NumPy arrays.

`names` (L,) of the layers from input to output; `epochs` (E,) int32, up to 100 of them, the last among them;
`grad_norm` (E, L) float32, of the loss by the layer's weight, the mean over the epoch's steps; `weight_norm` (E, L).
At the last epoch: `near_zero` (L,), the share of |w| < NEAR_ZERO; `effective_rank` (L,), exp of the entropy of the
weight's normalised singular values (Roy and Vetterli 2007), NaN of a very large one; `histogram` (L, B) int64 counts
over `edges` (B + 1,), which are the same for every run, the first and the last bin open. Before training, over up to
256 training examples: `activation_std` (L,) of what each layer gives to the next one, behind its norm and activation,
and `condition` (L,), the largest over the smallest eigenvalue of the second-moment matrix of what comes into it with a
constant 1 appended (inf where that is singular); both are NaN where the model is none of ours.
"""
NEAR_ZERO: Final = 1e-3
REPLICATE_FILE: Final = "replicate.npz"
"""What a run of a sweep with `replicate` says of the examples of the test part: NumPy arrays.

`epochs` (E,) int32, up to 5 of them, doubling, the last among them; `outputs` (E, n, K) float32, the probabilities of
the K classes, or of a regression the one output; `targets` (n,) float32, or int32 classes; the first n <= 1000. Of a
regression with a known truth: `truth` (n,) float32, and `noise`, the variance of the targets about it; of one in one
dimension also `inputs` (n,) float32 as they are before standardisation.
"""
REGIONS_FILE: Final = "regions.npz"
"""Of a classification in two dimensions: what is answered where, by the weights of the last epoch: NumPy arrays.

`x` (G,), `y` (G,), a grid in the inputs as they are before standardisation, the same for every run of a data set;
`probabilities` (G, G, K) float16, rows along y; `points` (m, 2) float32 and `labels` (m,) int32, up to 500 training
examples; `classes` (K,) names them.
"""
LANDSCAPE_FILE: Final = "landscape.npz"
"""The loss about the weights of a run's last epoch, made when a person asks for it: see `sweeps.training.landscape`."""

# Metrics. `error` is the share of misclassified examples (classification) or the root mean squared error (regression).
TRAIN_LOSS: Final = "train/loss"
"""Running mean while training, in training mode."""
TRAIN_EVAL_LOSS: Final = "train_eval/loss"
"""Evaluation mode, on a fixed part of the training data, without the penalty."""
TRAIN_EVAL_ERROR: Final = "train_eval/error"
TRAIN_EVAL_CLEAN_ERROR: Final = "train_eval/clean_error"
"""The same answers against the true labels (of a noisy curve: the function's values). This and the next two are logged
only where the data set itself made its labels noisy; elsewhere they would say nothing new."""
MEMORISED: Final = "train_eval/memorised"
"""How much of that error comes from wrong labels that the network has memorised: see `measuring.against_truth`."""
VAL_LOSS: Final = "val/loss"
VAL_ERROR: Final = "val/error"
VAL_CLEAN_ERROR: Final = "val/clean_error"
"""The error on validation data against the function's values, of a noisy curve; all other validation labels are true.
"""
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

_SECRETS: Final = (
    "secret", "password", "passwd", "passphrase", "pwd", "credential", "apikey", "accesskey", "privatekey", "secretkey",
)  # fmt: skip
"""How a word ends that means a secret; such as apikey may be two words."""
_TEXT_TOKENS: Final = (
    "bos", "eos", "sos", "eot", "eod", "pad", "padding", "unk", "unknown", "oov", "cls", "class", "sep", "separator",
    "mask", "masked", "blank", "newline", "special", "start", "stop", "begin", "end", "decoder", "encoder", "prompt",
    "prefix", "image", "img", "patch", "audio", "video", "word", "subword", "char", "distillation", "endoftext",
    "n", "num", "number", "max", "min", "total",
)  # fmt: skip
"""What stands before `token` where it means a piece of a text or a picture, or how many of them."""
_NUMBER: Final = re.compile(r"\s*[-+]?[\d._]+(e[-+]?\d+)?\s*", re.IGNORECASE)


@lru_cache(maxsize=10_000)
def secret_like(key: str) -> bool:
    """Whether a key's last dotted part looks like the name of a secret: `mask` hides most values of such keys."""
    words = [word.lower() for word in re.findall(r"[A-Z]*[a-z]+|[A-Z]+", key.rsplit(".", 1)[-1])]
    singular = [re.sub(r"(?<=..[^s])s$", "", word) for word in words]
    if any(word.endswith(_SECRETS) for word in singular) or any(a + b in _SECRETS for a, b in pairwise(singular)):
        return True
    *before, last = singular or [""]
    meaning, token, after = last.rpartition("token")
    return bool(token) and not after and (meaning or "".join(before[-1:])) not in _TEXT_TOKENS


def mask(key: str, value: str) -> str:
    """The value as it may be shown: MASK if the key looks like that of a secret.

    `token` counts where it ends the name (`hf_token`, not `tokenizer`) and is no piece of a text (`eos_token`); the
    plural only if its value is no number (`completion_tokens: 512` is a size).
    """
    if not secret_like(key) or (key.lower().endswith("tokens") and _NUMBER.fullmatch(value)):
        return value
    return MASK
