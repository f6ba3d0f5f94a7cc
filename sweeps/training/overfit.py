"""overfit(configuration) -> result: can the code learn ten examples by heart? The test of any code that trains.

A network that cannot learn ten examples will not learn a thousand: something in the program is broken, from the data to
the optimizer. One that can has a loss, gradients and updates that work. The first ten training examples are one batch,
and the model trains on it until the loss comes as low as it can: what is left above the smallest possible loss
(`smallest_loss`) is less than 2% of what the best constant answer leaves. Of ten classified examples each is right then
(p > 0.6). A loss within 5% when the steps or the time are up shows the same, and is not tried again.

What hinders learning by heart is switched off: penalties, weight decay, dropout, noise, shift, early stopping, and the
schedule. Label smoothing stays: it only lifts the smallest loss.

The optimizer of the configuration is part of the code, but a learning rate that is too small or too large breaks none.
So that optimizer tries first, and where it does not get there, Adam tries at three rates: the answer tells "not with
this optimizer and learning rate" from what no optimizer can learn.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytorch_lightning as pl

from data import DataModule
from data.parts import Part
from learning_tasks.graphs import Graph
from lightning_modules import Module
from lightning_modules.schedules import SCHEDULES
from sweeps.catalogue.read_user_models import own_optimizer
from sweeps.training import user_module
from sweeps.training.crashes import why_crashed
from sweeps.training.hardware import choose_device
from sweeps.training.overfit_attempt import FIRST_LOOKS, Attempt, attempt, without_dropout
from sweeps.training.overfit_faults import fault_of_the_step, fault_of_the_training, listed
from sweeps.training.overfit_limits import Limits, limits_of
from sweeps.training.overfit_result import OverfitResult, Verdict
from sweeps.training.process_state import seeded
from sweeps.training.train import data_of, module_of
from sweeps.words import number

EXAMPLES: Final = 10
STEPS: Final = 2000
SECONDS: Final = 18.0
"""All attempts together."""
OWN_SECONDS: Final = 6.0
"""The attempt with the optimizer of the configuration."""
HINDERED: Final = 0.1
"""A linear model that can go less than this share of that way has nothing to learn from the examples."""
FELL: Final = 0.1
"""A loss of a model's own that fell by this share of its first value shows that something was learnt."""
RATES: Final = (0.01, 0.1, 0.001)
"""Learning rates of Adam."""
LINEAR_RATES: Final = (1.0, 0.1, 0.01)
"""Those for a linear model, whose weights must grow without end where hyperplanes separate the classes."""
NO_JUDGEMENT: Final = (
    "Ten examples cannot tell whether this model learns: its training_step steps the optimizers itself and returns no "
    "loss."
)

Progress = Callable[[str, float], None]
"""(what is being done, the share of it that is done)"""


@dataclass
class _Overfit:
    """One test: what it is of, and the attempts so far."""

    configuration: dict[str, Any]
    model: type[pl.LightningModule]
    data: DataModule
    part: Part
    device: str
    limits: Limits
    should_end: Callable[[], bool]
    progress: Progress
    attempts: list[Attempt] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    @property
    def examples(self) -> str:
        """`10 examples`."""
        batch = self.part.batch(slice(0, 1))
        noun = "labelled node" if isinstance(batch.inputs, Graph) else "example"
        return f"{len(self.part)} {noun}{'' if len(self.part) == 1 else 's'}"

    @property
    def built_in(self) -> bool:
        return issubclass(self.model, Module)

    def try_optimizer(self, optimizer: Mapping[str, Any] | None, seconds: float) -> Attempt:
        """Make an attempt with an optimizer; None is that of the configuration, or the model's own."""
        configuration = self.configuration if optimizer is None else {**self.configuration, "optimizer": optimizer}
        given = optimizer is not None or not (self.built_in or own_optimizer(self.model))
        words = optimizer_words(configuration["optimizer"]) if given or self.built_in else "its own optimizer"
        tried = len(self.attempts)

        def progress(record: Attempt) -> None:
            share = min(max(len(record.losses) / STEPS, record.seconds / max(seconds, 1e-9)), 1.0)
            loss = f"loss {number(record.end)} after {record.steps} steps"
            self.progress(f"{words}: {loss}", (tried + share) / (1 + len(RATES)))

        record = attempt(
            configuration,
            self.model,
            self.data,
            self.part,
            self.device,
            optimizer=words,
            given_optimizer=given,
            target=self.limits.target,
            steps=STEPS,
            seconds=seconds,
            should_end=self.should_end,
            progress=progress,
        )
        self.attempts.append(record)
        return record

    def try_adam(self) -> None:
        """Make attempts with Adam until one gets there or the time is up."""
        before = self.configuration["optimizer"]
        rates = LINEAR_RATES if self.limits.linear else RATES
        for place, rate in enumerate(rates):
            left = SECONDS - (time.perf_counter() - self.began)
            if left <= 0 or (before.get("name"), before.get("lr")) == ("adam", rate):
                continue
            record = self.try_optimizer({"name": "adam", "lr": rate}, left / (len(rates) - place))
            if record.reached:
                return

    def lowest(self) -> Attempt:
        """The attempt whose last loss is the lowest."""
        finite = [record for record in self.attempts if math.isfinite(record.end)]
        return min(finite, key=lambda record: record.end) if finite else self.attempts[0]


def optimizer_words(optimizer: Mapping[str, Any]) -> str:
    """`sgd at learning rate 0.1`."""
    rate = optimizer.get("lr")
    return str(optimizer["name"]) + (f" at learning rate {rate:g}" if rate is not None else "")


# Before the training


def prepared(configuration: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The configuration without what hinders learning by heart, and the names of what was switched off."""
    sections = {name: dict(value) if isinstance(value, Mapping) else value for name, value in configuration.items()}
    switched_off = []
    for section, names in {
        "regularization": ("l1", "l2", "early_stopping_patience"),
        "optimizer": ("weight_decay",),
        "data": ("input_noise", "shift"),
    }.items():
        for name in names:
            if sections.get(section, {}).get(name):
                sections[section][name] = 0
                switched_off.append(name)
    schedule = sections.get("schedule", {}).get("name", "constant")
    if schedule != "constant" and schedule in SCHEDULES:  # else it is the module's own
        switched_off.append("schedule")
    sections["schedule"] = {"name": "constant"}
    sections["trainer"] = {**sections.get("trainer", {}), "max_epochs": 1, "limit_train_batches": None}
    return sections, switched_off


# The answer


def _learnt(test: _Overfit, record: Attempt) -> tuple[Verdict, str]:
    limits, first = test.limits, test.attempts[0]
    if limits.limited and limits.constant is not None:
        way = limits.constant - limits.floor
        if limits.reachable > limits.constant - HINDERED * way:
            return Verdict.TOO_SIMPLE, (
                f"This model cannot represent these {test.examples}: no linear model comes below a loss of "
                f"{number(limits.reachable)}, and an answer that is the same for every example has "
                f"{number(limits.constant)}."
            )
    least = f"the smallest possible is {number(limits.reachable)}"
    if limits.limited:
        least = f"a linear model can reach {number(limits.reachable)}, any other model {number(limits.floor)}"
    if not limits.known:
        least = "the loss is the model's own, and 0 is taken for the smallest possible"
    course = f"from {number(record.losses[0])} to {number(record.end)} in {_steps(record)}"
    falls = ", and still falls" if record.still_falls else ""
    if record.steps == 0:
        return Verdict.LEARNS, (
            f"The loss of {test.examples} is {number(record.end)} before any training; {least}. Other seeds tell more."
        )
    if record is first:
        fell = f"the loss of {test.examples} fell {course} of {record.optimizer}{falls}"
        return Verdict.LEARNS, f"The code can learn: {fell}; {least}."
    slow = first.still_falls or first.timed_out
    how = "only slowly" if slow else "not"
    return Verdict.OTHER_OPTIMIZER, (
        f"The code can learn, but {how} with this optimizer and learning rate: {first.optimizer} {_course(first)}, "
        f"while with {record.optimizer} the loss of {test.examples} fell {course}{falls}; {least}."
    )


def _course(record: Attempt) -> str:
    """`took the loss from 2.3 to 2.2 in 2,000 steps and still falls`."""
    if not record.losses:
        return f"failed ({record.error})" if record.error else "made no step"
    time_up = ", when the time was up" if record.timed_out else ""
    falls = " and still falls" if record.still_falls else ""
    course = f"from {number(record.losses[0])} to {number(record.end)} in {_steps(record)}"
    return f"took the loss {course}{falls}{time_up}"


def _steps(record: Attempt) -> str:
    return f"{record.steps:,} step{'' if record.steps == 1 else 's'}"


def _not_learnt(test: _Overfit) -> tuple[Verdict, str, str]:
    """Verdict, sentence and problem of a test in which no attempt got there."""
    limits, record = test.limits, test.lowest()
    start, end = record.losses[0], record.end
    if not limits.separable:
        sentence = (
            f"This model cannot represent these {test.examples}: it is linear, and no hyperplane separates their "
            f"classes. The loss went from {number(start)} to {number(end)}."
        )
        return Verdict.TOO_SIMPLE, sentence, ""
    if not limits.known and end < 0:
        problem = (
            f"the loss falls below 0, to {number(end)}: it has the wrong sign (a loss is minimised), unless it is "
            "minus the log density of continuous values, which has no smallest value"
        )
        return Verdict.STUCK, f"{_capital(problem)}.", problem
    fault = fault_of_the_training(record, limits.floor, limits.constant)
    learns_something = not limits.known and end < start - FELL * abs(start) and end >= 0
    tried = " nor ".join(dict.fromkeys(other.optimizer for other in test.attempts))
    least = f"the smallest possible is {number(limits.reachable)}"
    if learns_something:
        sentence = (
            f"The loss of {test.examples} fell from {number(start)} to {number(end)} in {_steps(record)} and not "
            f"to 0. The loss is the model's own: whether it can become smaller, its author knows."
        )
        return Verdict.STUCK, _two(sentence, fault), ""
    if fault:
        return Verdict.BROKEN, f"Something is broken: {fault}.", fault
    few = _few(record)
    result = f"The code does not learn {test.examples} by heart"
    if record.timed_out and record.still_falls:  # a slow or busy machine is no fault of the code
        result = f"The time was up before the code had learnt {test.examples} by heart"
    brought = f"neither {tried} brought the loss below" if " nor " in tried else f"{tried} brought the loss to"
    late = (" and still falls" if record.still_falls else "") + (", when the time was up" if record.timed_out else "")
    went = f"{brought} {number(end)} (from {number(start)}, in {_steps(record)}{late})"
    return Verdict.STUCK, f"{result}: {went}; {least}.{few}", ""


def _few(record: Attempt) -> str:
    parameters = sum(parameter.numel() for parameter in record.module.parameters())
    numbers = record.batch[1].numel()
    return f" Its {parameters} parameters may be too few for {numbers} targets." if parameters < 10 * numbers else ""


def _two(sentence: str, fault: str | None) -> str:
    return f"{sentence} {_capital(fault)}." if fault else sentence


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _remarks(test: _Overfit, switched_off: list[str], record: Attempt) -> tuple[str, ...]:
    remarks = []
    if switched_off:
        remarks.append(f"Switched off, since it hinders learning by heart: {', '.join(switched_off)}.")
    if len(test.part) < EXAMPLES:
        remarks.append(f"There are only {test.examples} to train on.")
    limits = test.limits
    if limits.constant is not None and limits.constant - limits.floor <= 1e-9:
        remarks.append("An answer that is the same for every example has the smallest loss here, so this tells little.")
    elif limits.known and limits.floor > 1e-9:
        remarks.append(
            f"No model comes below {number(limits.floor)}: labels are smoothed, or equal inputs have other targets."
        )
    first = test.attempts[0]
    if record is not first and first.unchanged:
        remarks.append(f"{_capital(first.optimizer)} does not change {listed(first.unchanged)}.")
    if record.reached and record.steps >= FIRST_LOOKS and record.without_gradient:
        remarks.append(f"No gradient reaches {listed(record.without_gradient)}.")
    return tuple(remarks)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _result(
    test: _Overfit, switched_off: list[str], record: Attempt, verdict: Verdict, sentence: str, problem: str = ""
) -> OverfitResult:
    floor = test.limits.reachable if test.limits.known and test.limits.separable else None
    return OverfitResult(
        verdict=verdict,
        sentence=sentence,
        examples=len(test.part),
        optimizer=record.optimizer,
        start=_finite(record.losses[0]) if record.losses else None,
        end=_finite(record.end),
        floor=floor,
        steps=record.steps,
        seconds=time.perf_counter() - test.began,
        problem=problem,
        remarks=_remarks(test, switched_off, record),
    )


def overfit(
    configuration: Mapping[str, Any],
    should_end: Callable[[], bool] = lambda: False,
    progress: Progress = lambda doing, share: None,
) -> OverfitResult:
    """Train one configuration on its first ten training examples until it knows them by heart, and say what came of it.

    Args:
        configuration: As `sweeps.training.train.train` takes it. Epochs, validation and objective mean nothing here.
        should_end: Asked after every step.
        progress: Called after every step.

    Raises:
        ValueError: Data or model cannot be built: why, in a sentence.
        AbandonedError: `should_end` returned True.
    """
    sections, switched_off = prepared(configuration)
    data = data_of(sections)
    model = user_module.model_class(sections["model"].get("name"))
    device = choose_device(sections.get("trainer", {}).get("device", "auto"))
    part = data.parts.train.first(EXAMPLES)
    smoothing = float(sections.get("regularization", {}).get("label_smoothing", 0.0))
    with seeded(device, sections.get("seeds", {}).get("init", 0)):
        module = module_of(sections, model, data)
        if without_dropout(module):
            switched_off.append("dropout")
        limits = limits_of(module, part.batch(slice(None)), smoothing)
    test = _Overfit(sections, model, data, part.to(device), device, limits, should_end, progress)
    first = test.try_optimizer(None, OWN_SECONDS)
    if fault := fault_of_the_step(first, limits.known):
        return _result(test, switched_off, first, Verdict.BROKEN, f"Something is broken: {fault}.", fault)
    if isinstance(first.error, ValueError) and test.built_in:  # a setting that is refused, such as label smoothing
        raise first.error
    if first.error is not None:
        fault = why_crashed(sections, first.error).rstrip(".")
        return _result(test, switched_off, first, Verdict.BROKEN, f"Something is broken: {fault}.", fault)
    if not first.returns_loss:
        return _result(test, switched_off, first, Verdict.STUCK, NO_JUDGEMENT)
    if limits.separable and not limits.nearly(first) and first.module.automatic_optimization:
        test.try_adam()
    lowest = test.lowest()
    if limits.nearly(lowest):
        return _result(test, switched_off, lowest, *_learnt(test, lowest))
    return _result(test, switched_off, lowest, *_not_learnt(test))
