"""The fields of a sweep outside the sections of a configuration, and the words that they allow."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Final

from sweeps.catalogue import Catalogue
from sweeps.devices import OPEN, gpus
from sweeps.fields import Field
from tracking import schema

MOST_RUNS: Final = 100_000
MOST_SEEDS: Final = 1000
"""Runs of one trial. Numbers from here on are those of confirm runs: see `sweeps.search.trials.CONFIRM_SEEDS`."""
SEED_KINDS: Final = ("data", "init", "order")
NAMED: Final = ("model", "data", "optimizer", "schedule")
UNNAMED: Final = ("regularization", "trainer")
RECORD: Final = "record"
"""The section that turns recorders off: it has no name, and nothing in it can be searched."""
DEFAULT_NAMES: Final = {"optimizer": "adam", "schedule": "constant"}
SAMPLERS: Final = ("grid", "random", "qmc", "tpe", "gp")
ADAPTIVE: Final = ("tpe", "gp")
"""Samplers that look at the trials so far before they choose the next."""
PRUNERS: Final = ("none", "median", "hyperband")
OWN: Final = "own"
"""In a configuration, the optimizer and schedule of a model that configures them itself."""


def default_workers(device: str = "auto") -> int:
    """How many workers there are by default.

    One per GPU; without a GPU one per core that this process may use, at most 8, since each holds a few hundred MB.

    Args:
        device: The value of `trainer.device`: a GPU that is named is one GPU, and cpu leaves GPUs idle.
    """
    if device.startswith(("cuda:", "mps")):
        return 1
    if device in OPEN and gpus():
        return gpus()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, 8))


RANKED_BY: Final = "What trials are ranked by; never a test metric."
ANY_METRIC: Final = Field(
    "objective.metric",
    "str",
    schema.VAL_LOSS,
    min_length=1,
    help="What trials are ranked by: a metric that the model logs in training or validation, never a test metric.",
)
"""The objective where a model logs metrics of its own; else `metric_field` says what there is to choose from."""

FIELDS: Final[dict[str, Field]] = {
    field.name: field
    for field in (
        Field("name", "str", "", help="What the sweep is called."),
        Field("question", "str", "", help="What the sweep should answer, in one sentence."),
        Field("experiment", "str", "", help="The experiment it belongs to; its own name if left empty."),
        Field(
            "keep", "choice", "best", choices=("best", "none"),
            help="Weights to keep of each run: those of the epoch that validation chose, or none.",
        ),
        Field(
            "sampler", "choice", "grid", choices=SAMPLERS,
            help="grid tries every combination; random, qmc (evenly spread), tpe and gp (both learn from the trials so "
            "far) try as many as trials says.",
        ),
        Field(
            "trials", "int", None, minimum=1, maximum=MOST_RUNS,
            help="How many configurations are tried; the grid needs no number.",
        ),
        Field(
            "pruner", "choice", "none", choices=PRUNERS,
            help="Whether poor trials are ended early: those below the median of the others at the same epoch, or by "
            "Hyperband. A trial is judged by its first seed; its other seeds start only if that survives.",
        ),
        Field(
            "seeds", "int", 1, minimum=1, maximum=MOST_SEEDS, help="Runs of each trial, each with a seed of its own."
        ),
        Field(
            "replicate.datasets", "int", 8, minimum=2, maximum=MOST_SEEDS,
            help="Training sets that every trial is trained on: fresh ones where the data are generated, else disjoint "
            "parts of the training data.",
        ),
        Field(
            "replicate.inits", "int", 4, minimum=1, maximum=MOST_SEEDS,
            help="Initialisations on each of those training sets, every one a run with initial weights of its own.",
        ),
        Field("seed", "int", 0, minimum=0, maximum=2**32 - 1, help="The sampler's: the same seed, the same trials."),
        Field(
            "confirm.top", "int", 1, minimum=1, maximum=100,
            help="How many winners, for each value of confirm.per, are retrained with fresh seeds.",
        ),
        Field(
            "confirm.per", "str", None, optional=True,
            help="A searched key each of whose values has winners of its own; empty, the winners are the sweep's.",
        ),
        Field(
            "confirm.seeds", "int", 10, minimum=1, maximum=MOST_SEEDS,
            help="Fresh seeds that each winner is retrained with: no run that chose it is among those that judge it.",
        ),
        Field("workers", "int", default_workers(), minimum=1, maximum=64, help="Processes that train at one time."),
        ANY_METRIC,
        Field(
            "objective.direction", "choice", schema.MINIMIZE, choices=(schema.MINIMIZE, schema.MAXIMIZE),
            help="Whether lower or higher is better; left out, what is better of the metric.",
        ),
        Field(
            "objective.at", "choice", "last", choices=("last", "best"),
            help="Take the metric at the last epoch, or at its best one.",
        ),
    )
}  # fmt: skip
"""The fields of a sweep outside the sections of a configuration, with their help texts."""


def metric_field(catalogue: Catalogue, trained: Iterable[tuple[str, str]], off: Collection[str] = ()) -> Field:
    """The field for the objective of a sweep: what all its runs measure.

    Args:
        catalogue: What there is to choose from.
        trained: The data sets that are tried, each with a model that is trained on it: where one of these logs metrics
            of its own, any metric is allowed.
        off: The recorders that are turned off.
    """
    trained = list(trained)
    if any(catalogue.models[model].foreign for _, model in trained):
        return ANY_METRIC
    choices = tuple(catalogue.rankings(trained, off))
    return Field(ANY_METRIC.name, "choice", schema.VAL_LOSS, choices=choices, help=RANKED_BY)
