"""The names under which sweeps and runs are stored in MLflow: tags, metrics, artifacts, outcomes and states.

A sweep is a parent run (tag `kind` = "sweep"), and each of its runs is a child of that (tag `kind` = "run"). MLflow's
step is the epoch, counted from 1. A run counts if and only if it has no tag `superseded_by`.
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
    """Ended by the user."""
    CRASHED = "crashed"
    """An error, a killed worker or a killed service."""


OUTCOME_TO_STATUS: Final[dict[Outcome, str]] = {
    Outcome.OK: "FINISHED",
    Outcome.DIVERGED: "FINISHED",
    Outcome.PRUNED: "FINISHED",
    Outcome.STOPPED: "KILLED",
    Outcome.CRASHED: "FAILED",
}
"""The MLflow status of a run with that outcome."""


class State(StrEnum):
    """The state of a sweep."""

    DRAFT = "draft"
    """Being written: it must not be started yet."""
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
"""The states that change without a command."""

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
"""Command -> the states in which a sweep accepts it. `extend` takes trials and seeds, `change` workers and pruner."""

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
"""The phase of runs that retrain a winner of the search with seeds that did not choose it."""
SEED: Final = "seed"
SEED_DATA: Final = "seed_data"
SEED_INIT: Final = "seed_init"
SEED_ORDER: Final = "seed_order"
OUTCOME: Final = "outcome"
OWNER: Final = "owner"
LEASE: Final = "lease"
SUPERSEDED_BY: Final = "superseded_by"
RERUN: Final = "rerun"
"""YES on a run whose trial and seed will be trained again when the sweep goes on; it is then superseded."""
YES: Final = "yes"
ATTEMPT: Final = "attempt"
"""1 for the first training of a trial and seed, 2 for the next one after a worker died, and so on."""
QUEUED_AT: Final = "queued_at"
"""Milliseconds since the epoch: queued sweeps are taken in this order."""
STATE: Final = "state"
PLANNED: Final = "planned"
"""How many runs the sweep will have, as far as is known: without those that a pruner saves, with the confirm runs."""
ESTIMATED: Final = "estimate.seconds"
"""How long the sweep was expected to take when it was launched, from its first run's start to its last one's end."""
WINNERS: Final = "winners"
"""JSON list of the numbers of the trials to confirm: chosen at the end of the search."""
PARAMS: Final = "params"
"""On a run: the searched keys of its trial and their values, in JSON; a sampler that learns is rebuilt from it."""
ALARMED: Final = "alarmed"
"""YES on a sweep whose divergence has been reported: it is reported once."""
PRUNED_AT: Final = "pruned_at"
"""On a pruned run: the epoch at which it was judged; what it measured later does not count in the search."""
TRIALS: Final = "trials"
SEEDS: Final = "seeds"
METRIC: Final = "objective.metric"
DIRECTION: Final = "objective.direction"
MINIMIZE: Final = "minimize"
MAXIMIZE: Final = "maximize"
SEARCHED: Final = "searched"
"""JSON list of the dotted keys that the sweep searches."""
ERROR: Final = "error"
"""One sentence: why the run crashed or the sweep failed."""
DATA_HASH: Final = "data_hash"
MACHINE: Final = "machine"
TICKET: Final = "ticket"
"""A random text that a run is created with, so that a creation whose answer was lost is found again, not repeated."""
VERSIONS: Final = "versions"
MODEL_SOURCE: Final = "model_source"
"""On a run of a user model: the model's file, and a hash of the sources it was trained from."""
OPTIMIZER_OF: Final = "optimizer_of"
"""On such a run: MODEL if the module configured its optimizers itself, CONFIGURATION if the sweep's was used."""
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
"""On an experiment: it tells MLflow's UI which of its views to open."""
MODEL_TRAINING: Final = "custom_model_development"

# Artifacts: the first two lie on the parent run
SPEC_FILE: Final = "spec.yaml"
TRIALS_FILE: Final = "trials.json"
WEIGHTS_FILE: Final = "weights/best.pt"
TRACEBACK_FILE: Final = "traceback.txt"
PREDICTIONS_FILE: Final = "predictions.npz"
"""The predictions of a classification run that ended ok, by the weights that validation chose: NumPy arrays.

`classes` (K,) are the names of the classes, `epoch` is that of the weights; for each part of PREDICTED, such as `test`,
there are `test_probabilities` (n, K) float32, `test_targets` (n,) int32 and `test_size`, the number of examples in that
part, of which the file holds the first n.
"""
PREDICTED: Final = ("val", "test")
"""The parts of the data in PREDICTIONS_FILE."""
LAYERS_FILE: Final = "layers.npz"
"""Statistics of the layers of a run that ended ok, one layer per weight (a parameter with several axes): NumPy arrays.

`names` (L,) of the layers from input to output; `epochs` (E,) int32, up to 100 of them, the last one included;
`grad_norm` (E, L) float32, of the gradient of the loss by the layer's weight, the mean over the epoch's steps;
`weight_norm` (E, L). At the last epoch: `near_zero` (L,), the share of |w| < NEAR_ZERO; `effective_rank` (L,), exp of
the entropy of the weight's normalised singular values (Roy and Vetterli 2007), NaN for a very large weight; `histogram`
(L, B) int64 counts over `edges` (B + 1,), which are the same for every run, the first and the last bin open. Before
training, over up to 256 training examples: `activation_std` (L,) of each layer's output after its norm and activation,
and `condition` (L,), the largest over the smallest eigenvalue of the second-moment matrix of the layer's input with a
constant 1 appended (inf where that is singular); both are NaN where the model is not built in.
"""
NEAR_ZERO: Final = 1e-3
REPLICATE_FILE: Final = "replicate.npz"
"""The outputs of a run of a sweep with `replicate` on the first n <= 1000 examples of the test part: NumPy arrays.

`epochs` (E,) int32, up to 5 of them, doubling, the last one included; `outputs` (E, n, K) float32, the probabilities of
the K classes, or the one output of a regression; `targets` (n,) float32, or int32 classes. For a regression with a
known truth: `truth` (n,) float32, and `noise`, the variance of the targets about it; for one in one dimension also
`inputs` (n,) float32 as they are before standardisation.
"""
REGIONS_FILE: Final = "regions.npz"
"""The decision regions of a classification in two dimensions, by the weights of the last epoch: NumPy arrays.

`x` (G,), `y` (G,), a grid in the inputs as they are before standardisation, the same for every run of a data set;
`probabilities` (G, G, K) float16, rows along y; `points` (m, 2) float32 and `labels` (m,) int32, up to 500 training
examples; `classes` (K,) names them.
"""
TRANSLATIONS_FILE: Final = "translations.npz"
"""What an encoder-decoder that ended ok writes for the n probes of its data set: NumPy arrays of texts.

`sources` (n,), `references` (n,); `hypotheses` (E, n), decoded greedily after each of `epochs` (E,) int32, which are
1, 2, 4, 8, ... and the last one; `chosen` (n,) by the weights that validation chose, those of `epoch` () int32.
"""
REFERENCES_FILE: Final = "references.npz"
"""What a run that ended ok could at best reach, or has to beat, to be drawn beside its curves: NumPy arrays.

`names` (R,) of the references, such as `closed form`, and `words` (R,), what each is; `metrics` (M,), such as
`train_eval/loss`; `values` (R, M) float64, NaN where a reference has no such metric.
"""
LANDSCAPE_FILE: Final = "landscape.npz"
"""The loss about the weights of a run's last epoch, made when the user asks for it: see `sweeps.training.landscape`."""

# Metrics. The scores of a task (`learning_tasks`) are logged by the part of the data and their name: `val/perplexity`.
# Only those that code must name stand here: the loss, and what a task calls its error.
VALIDATION_PART, TRAIN_EVAL_PART, TEST_PART = "val", "train_eval", "test"
RANKING_PARTS: Final = (VALIDATION_PART, TRAIN_EVAL_PART)
"""The parts that are measured after each epoch: runs are ranked by scores on these, never on the test part."""
TRAIN_LOSS: Final = "train/loss"
"""Running mean while training, in training mode."""
TRAIN_EVAL_LOSS: Final = "train_eval/loss"
"""Evaluation mode, on a fixed part of the training data, without the penalty."""
TRAIN_EVAL_ERROR: Final = "train_eval/error"
TRAIN_EVAL_CLEAN_ERROR: Final = "train_eval/clean_error"
"""The error of the same predictions against the true labels (for a noisy curve: the function's values). This metric and
the next are logged, like VAL_CLEAN_ERROR, only where the data set itself made its labels noisy; elsewhere they would
say nothing new."""
MEMORISED: Final = "train_eval/memorised"
"""How much of that error comes from wrong labels that the network has memorised: see `measuring.against_truth`."""
VAL_LOSS: Final = "val/loss"
VAL_ERROR: Final = "val/error"
VAL_CLEAN_ERROR: Final = "val/clean_error"
"""For a noisy curve, the error on validation data against the function's values; other validation labels are true."""
TEST_LOSS: Final = "test/loss"
TEST_ERROR: Final = "test/error"
PENALTY: Final = "reg/penalty"
TRAIN_SECONDS: Final = "time/train_s"
"""Seconds spent training, evaluation excluded."""
LR: Final = "opt/lr"
"""The learning rate at the start of an epoch; under a schedule by the step, that of the epoch's last step."""
GRAD_NORM: Final = "opt/grad_norm"
UPDATE_NORM: Final = "opt/update_norm"
PARAM_NORM: Final = "opt/param_norm"
STEPS: Final = "opt/steps"
"""Optimizer updates so far; for a user module, the batches it was trained on."""
EVERY_EPOCH: Final = {
    PENALTY: "The penalty on the weights, which training adds to the loss.",
    TRAIN_SECONDS: "Seconds spent training so far, evaluation excluded.",
    LR: "The learning rate.",
    GRAD_NORM: "The norm of the gradient, the mean over the updates of the epoch.",
    UPDATE_NORM: "The norm of the change of the parameters, the mean over the updates of the epoch.",
    PARAM_NORM: "The norm of the parameters, the mean over the updates of the epoch.",
    STEPS: "Optimizer updates so far.",
}
"""What every run measures after each epoch beside its training loss and the scores of its task, each in a sentence."""
OBJECTIVE: Final = "objective"
"""The value that the run is ranked by, logged once at its end."""

MASK: Final = "••••"

_SECRETS: Final = (
    "secret", "password", "passwd", "passphrase", "pwd", "credential", "apikey", "accesskey", "privatekey", "secretkey",
)  # fmt: skip
"""Endings of a word that means a secret; one such as apikey may be written as two words."""
_TEXT_TOKENS: Final = (
    "bos", "eos", "sos", "eot", "eod", "pad", "padding", "unk", "unknown", "oov", "cls", "class", "sep", "separator",
    "mask", "masked", "blank", "newline", "special", "start", "stop", "begin", "end", "decoder", "encoder", "prompt",
    "prefix", "image", "img", "patch", "audio", "video", "word", "subword", "char", "distillation", "endoftext",
    "n", "num", "number", "max", "min", "total",
)  # fmt: skip
"""Words before `token` where it means a piece of a text or a picture, or their number."""
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
