"""The catalogue: models, data sets, optimizers and schedules with their fields; fields of the other sections; tasks.

It is generated from the classes (`sweeps.catalogue.build`, which imports torch) and kept beside this file as JSON, so
that the launch form and the checks of a sweep need neither torch nor the classes. `sweeps.catalogue.current` adds the
models of the user's modules. After a change of a class: `python -m sweeps catalogue --write`.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sweeps.catalogue.metrics import TaskMetric, distinct, parts_of, ranking_names
from sweeps.fields import Field, nearest, refusal

FILE: Final = Path(__file__).with_suffix(".json")

NOT_FIELDS: Final = frozenset(
    {
        "self", "input_shape", "num_outputs", "task", "recipe", "disjoint", "seed_data", "seed_init", "seed_order",
        "vocab_size", "characters", "source_vocab_size", "target_vocab_size", "num_features", "task_fields",
        "begin", "end",
    }
)  # fmt: skip
"""Arguments that the data, the seeds or a sweep's `replicate` decide."""


LOSS, AUTO = "loss", "auto"
"""The field of models that says what is minimised, and its value for the first loss of the task."""
LATER_FIELDS: Final = frozenset({LOSS})
"""Fields that models did not have at first. At its default, such a field is left out of a configuration, so that a
sweep that was launched before goes on in the same groups."""


def _section(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


SECTIONS: Final[dict[str, dict[str, Field]]] = {
    "regularization": _section(
        Field("l1", "float", 0.0, minimum=0, help="Strength of the penalty l1·Σ|w|, over weights only."),
        Field("l2", "float", 0.0, minimum=0, help="Strength of the penalty (l2/2)·Σw², over weights only."),
        Field(
            "label_smoothing", "float", 0.0, minimum=0, maximum=1, exclusive_maximum=True,
            help="While training a classification, the target has this share spread evenly over all classes.",
        ),
        Field(
            "early_stopping_patience", "int", 0, minimum=0, maximum=100_000,
            help="Stop after this many epochs in a row without a better validation loss; 0 trains to the last epoch.",
        ),
    ),
    "trainer": _section(
        Field("max_epochs", "int", 20, minimum=1, maximum=100_000, help="Passes over the training data."),
        Field(
            "device", "choice", "auto", choices=("auto", "cpu", "cuda", "mps"), numbered=("cuda",),
            help="Where to train: auto takes a GPU if there is one, auto and cuda spread runs over several, cuda:1 is "
            "the second.",
        ),
        Field(
            "precision", "choice", 32, choices=(32, 64, "bf16-mixed", "16-mixed"),
            help="Bits of the numbers to compute with; mixed ones keep the weights in 32, and 16-mixed needs cuda.",
        ),
        Field(
            "gradient_clip_val", "float", 0.0, minimum=0,
            help="A longer gradient is scaled down to this norm; 0 never clips.",
        ),
    ),
    "record": _section(
        Field(
            "layers", "bool", True,
            help="Keep the norms of each layer's weights and gradients by epoch, and what its weights are at the end.",
        ),
        Field(
            "regions", "bool", True,
            help="Keep what a classification in two dimensions predicts on a grid, to draw its decision regions.",
        ),
        Field(
            "replicate", "bool", True,
            help="In a sweep with replicate, keep the answers to the test part, for bias and variance.",
        ),
        Field(
            "predictions", "bool", True,
            help="Keep what a classification predicts for the validation and the test part, for its error pages.",
        ),
        Field(
            "translations", "bool", True,
            help="Let an encoder-decoder write the first 500 texts of the validation part after each epoch, to measure "
            "how many are exactly right, and keep some of its texts.",
        ),
        Field(
            "references", "bool", True,
            help="Keep what a run could at best reach, to be drawn beside its curves: the closed form of a linear "
            "regression, the unigram model of a text.",
        ),
    ),
}  # fmt: skip


PLAIN_INPUTS: Final = ("vector", "image")
"""The inputs that are one tensor of numbers."""


@dataclass(frozen=True)
class Entry:
    """One name of the catalogue: a model, a data set, an optimizer or a schedule."""

    name: str
    summary: str
    """The docstring's first line."""
    help: str
    """The rest of the docstring, down to `Args:`."""
    fields: dict[str, Field]
    """In the order of the constructor's arguments, the common ones last."""
    tasks: tuple[str, ...] = ()
    """The tasks that a model can be trained for (regression, binary, multiclass), or that a data set may ask for."""
    task: str = ""
    """The task that a data set asks for, if that is known before its files are read."""
    gives: str = ""
    """What the inputs of a data set are: vector, image, tokens, sequence_pair or graph."""
    takes: tuple[str, ...] = ()
    """What the inputs of a model may be, in the same words; a user model that says nothing takes PLAIN_INPUTS."""
    source: str = ""
    """The file or package that defines a user model."""
    class_name: str = ""
    """The name of the class of a user model."""
    foreign: bool = False
    """A plain LightningModule, which has a loss and metrics of its own."""
    own_optimizer: bool = False
    """It configures its optimizers itself: those of a configuration are not used."""
    own_loss: str = ""
    """What a model minimises where that is no loss of its task."""

    @property
    def asks(self) -> tuple[str, ...]:
        """The tasks that a data set may ask for: more than one where its files decide."""
        return self.tasks or (self.task,)

    def as_json(self) -> dict[str, Any]:
        """The entry as the catalogue's file holds it."""
        kind = {"task": self.task} if self.task else {"tasks": list(self.tasks)} if self.tasks else {}
        fields = [field.as_json() for field in self.fields.values()]
        more = {name: getattr(self, name) for name in _WHERE_TRUE if getattr(self, name)}
        return {"summary": self.summary, "help": self.help, **kind, **more, "fields": fields}

    @classmethod
    def from_json(cls, name: str, stored: Mapping[str, Any]) -> Entry:
        """The entry that `as_json` was made from."""
        fields = {field["name"]: Field.from_json(field) for field in stored["fields"]}
        tasks, task = tuple(stored.get("tasks", ())), stored.get("task", "")
        more = {name: stored[name] for name in _WHERE_TRUE if name in stored}
        if "takes" in more:
            more["takes"] = tuple(more["takes"])
        return cls(name, stored["summary"], stored["help"], fields, tasks, task, **more)


_WHERE_TRUE: Final = ("gives", "takes", "source", "class_name", "foreign", "own_optimizer", "own_loss")


def fits(model: Entry, dataset: Entry) -> bool:
    """Whether a model takes the inputs of a data set and can do one of the tasks that it may ask for."""
    return dataset.gives in (model.takes or PLAIN_INPUTS) and not set(dataset.asks).isdisjoint(model.tasks)


@dataclass(frozen=True)
class Catalogue:
    """All models, data sets, optimizers and schedules that can be chosen."""

    models: dict[str, Entry]
    datasets: dict[str, Entry]
    optimizers: dict[str, Entry]
    schedules: dict[str, Entry]
    sections: dict[str, dict[str, Field]]
    """The parts of a configuration that have fields but no name: regularization, trainer, record."""
    tasks: dict[str, tuple[TaskMetric, ...]]
    """By task: its metrics, the loss first, then what is called its error, then others."""
    losses: dict[str, tuple[str, ...]]
    """By task: the losses that it can be trained by, the first of which is auto."""

    @property
    def named(self) -> dict[str, dict[str, Entry]]:
        """By section of a configuration that has a name: the entries that may be named there."""
        return {"model": self.models, "data": self.datasets, "optimizer": self.optimizers, "schedule": self.schedules}

    def entry(self, section: str, name: str) -> Entry:
        """The entry of this name in a section.

        Raises:
            SpecError: There is none, or no more: a user module may have been taken away.
        """
        entries = self.named[section]
        if name not in entries:
            raise refusal(f"{section}.name", name, ", ".join(entries), nearest(name, entries))
        return entries[name]

    def models_for(self, *datasets: str) -> list[str]:
        """The models that fit each of these data sets: they take its inputs and can do one of its tasks."""
        entries = [self.datasets[name] for name in datasets]
        return [name for name, model in self.models.items() if all(fits(model, entry) for entry in entries)]

    def tasks_of(self, *datasets: str) -> list[str]:
        """The tasks that these data sets may ask for; names that are no data set of the catalogue are passed over."""
        entries = [self.datasets[name] for name in datasets if name in self.datasets]
        return list(dict.fromkeys(task for entry in entries for task in entry.asks))

    @cached_property
    def scores(self) -> dict[str, TaskMetric]:
        """By name: the metrics of all tasks; what is said of one may differ between tasks, its direction may not."""
        return distinct(metric for metrics in self.tasks.values() for metric in metrics)

    def metrics(self, *tasks: str) -> list[TaskMetric]:
        """The metrics that at least one of these tasks has; without any task those that all tasks have."""
        if tasks:
            return list(distinct(metric for task in tasks for metric in self.tasks.get(task, ())).values())
        by_task = [{metric.name for metric in metrics} for metrics in self.tasks.values()]
        return [metric for metric in self.scores.values() if all(metric.name in names for names in by_task)]

    def better(self, name: str) -> str:
        """Whether "lower" or "higher" is better of a score such as `val/f1_macro`; empty for what is no score."""
        part, score = parts_of(name)
        return self.scores[score].better if part and score in self.scores else ""

    def rankings(self, trained: Iterable[tuple[str, str]], off: Collection[str] = ()) -> list[str]:
        """The metrics by which runs can be ranked, whichever of these pairs is trained.

        A data set whose files decide its task may have the metrics of each. A model that does not fit counts for none,
        as it is refused elsewhere.

        Args:
            trained: The names of data sets, each with that of a model.
            off: The recorders that are turned off: what they measure is not there.
        """
        pairs = [(self.datasets[data], self.models[model]) for data, model in trained]
        tasks = [[task for task in data.asks if task in model.tasks] for data, model in pairs if fits(model, data)]
        by_pair = [
            ranking_names(metric for metric in self.metrics(*pair) if metric.recorder not in off)
            for pair in tasks or [self.tasks_of(*(data.name for data, _ in pairs))]
        ]
        return [name for name in by_pair[0] if all(name in names for names in by_pair)]

    def losses_for(self, model: str, *datasets: str) -> tuple[str, ...]:
        """What the field `loss` of a model may be on each of these data sets; empty where it has none of ours.

        A loss is allowed on a data set if it is one of any task that the set may ask for and the model can do.
        """
        entry = self.models[model]
        field = entry.fields.get(LOSS)
        if field is None or entry.source:  # a user model may call anything its loss
            return ()
        allowed = set(field.choices)
        for name in datasets:
            tasks = set(self.datasets[name].asks) & set(entry.tasks)
            if not tasks:  # the model is refused for that
                return ()
            allowed &= {AUTO, *itertools.chain.from_iterable(self.losses[task] for task in tasks)}
        return tuple(choice for choice in field.choices if choice in allowed)

    def loss_of(self, model: str, dataset: str, loss: str = AUTO) -> str:
        """What a model minimises on a data set: the name of a loss, empty where that is not known.

        Args:
            model: The name of the model.
            dataset: The name of the data set.
            loss: The value of the model's field `loss`.
        """
        if model not in self.models or dataset not in self.datasets or self.models[model].source:
            return ""
        entry = self.models[model]
        tasks = set(self.datasets[dataset].asks) & set(entry.tasks)
        chosen = "" if loss == AUTO or LOSS not in entry.fields else loss
        names = {entry.own_loss or chosen or self.losses[task][0] for task in tasks}
        return names.pop() if len(names) == 1 else ""

    def fields_on(self, model: str, *datasets: str) -> dict[str, Field]:
        """The fields of a model, of whose losses only those are left that these data sets allow."""
        fields = self.models[model].fields
        losses = self.losses_for(model, *datasets)
        return {**fields, LOSS: replace(fields[LOSS], choices=losses)} if losses else fields


KINDS: Final = ("models", "datasets", "optimizers", "schedules")


@functools.cache
def ours(file: Path = FILE) -> Catalogue:
    """The built-in catalogue, from its file; imports nothing that trains."""
    stored = json.loads(file.read_text(encoding="utf-8"))
    kinds = {kind: {name: Entry.from_json(name, entry) for name, entry in stored[kind].items()} for kind in KINDS}
    losses = {task: tuple(names) for task, names in stored["losses"].items()}
    tasks = {task: tuple(TaskMetric(**metric) for metric in metrics) for task, metrics in stored["tasks"].items()}
    return Catalogue(**kinds, sections=SECTIONS, losses=losses, tasks=tasks)
