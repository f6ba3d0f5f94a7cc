"""Which metric stands where in figures of bias and variance: error on validation data, on training data, and so on.

The metrics of Sweepboard's runs are known by their names. Other programs' are guessed from the words of their names
(`val_acc` belongs to `train_acc`), shown, and corrected by the user who knows better; the user's choice is kept with
the experiment as JSON.

Figures speak of errors, of which less is better. A metric of which more is better is turned into one: 1 minus it where
it is a share, else its negative.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.runs import metric_roles as roles
from analysis.runs.metric_roles import Role
from tracking import schema

DEV, TRAIN, TRAIN_DEV, TRAINING = "dev", "train", "train_dev", "training"
SLOTS: Final[dict[str, str]] = {
    DEV: "Error on validation data, by which models are chosen; on test data where nothing else was logged.",
    TRAIN: "The same on training data, in evaluation mode.",
    TRAIN_DEV: "The same on held-out data that are like the training data, where validation data are not.",
    TRAINING: "Loss on training data in training mode, as dropout and batch norm make it.",
}
"""What each slot holds, as pages explain it."""
CLEAN, MEMORISED, DEV_CLEAN = "train_clean", "memorised", "dev_clean"
TRUTH: Final[dict[str, str]] = {
    CLEAN: schema.TRAIN_EVAL_CLEAN_ERROR,
    MEMORISED: schema.MEMORISED,
    DEV_CLEAN: schema.VAL_CLEAN_ERROR,
}
"""The metrics that only Sweepboard's runs can measure, by slot: errors on the true labels of noisy data."""
_ON_NOISY_LABELS: Final = (
    (schema.VAL_ERROR, schema.TRAIN_EVAL_ERROR),
    (schema.VAL_CLEAN_ERROR, schema.TRAIN_EVAL_CLEAN_ERROR),
)
"""The metrics of DEV and TRAIN beside which those of TRUTH stand."""
PLAIN, COMPLEMENT, NEGATIVE = "", "1 − ", "-"


@dataclass(frozen=True)
class Slots:
    """The metric in each slot; an empty text where there is none."""

    dev: str = ""
    train: str = ""
    train_dev: str = ""
    training: str = ""
    turned: Mapping[str, str] = field(default_factory=dict)
    """COMPLEMENT or NEGATIVE for each metric of which more is better."""
    part: str = roles.UNKNOWN
    """The data that `dev` is of: a part of `analysis.runs.metric_roles`."""
    assumption: str = ""
    """A sentence where nobody said whether less of `dev` is better; empty where it is known."""
    train_clean: str = ""
    memorised: str = ""
    dev_clean: str = ""

    def __getitem__(self, slot: str) -> str:
        return str(getattr(self, slot))

    def label(self, slot: str) -> str:
        """The slot's name on an axis: `val/error`, `1 − val_acc`; empty where the slot is empty."""
        metric = self[slot]
        return f"{self.turned.get(metric, PLAIN)}{metric}" if metric else ""

    def error(self, metric: str, values: pd.Series[Any]) -> pd.Series[Any]:
        """The values of a metric as errors."""
        how = self.turned.get(metric, PLAIN)
        return 1 - values if how == COMPLEMENT else -values if how == NEGATIVE else values


_WHEN: Final = frozenset(("epoch", "step", "mean", "avg"))
"""Words that say how a metric was gathered: Lightning logs `train_loss_epoch` beside `val_loss`."""


def _quantity(name: str) -> frozenset[str]:
    """The words of a name without those that say which data it is of and how it was gathered."""
    return frozenset(word for word in roles.words(name) if not roles.is_part(word)) - _WHEN


def _is_train_dev(name: str) -> bool:
    words = set(roles.words(name))
    return "traindev" in words or {"train", "dev"} <= words


def _ours(dev: str, chosen: Mapping[str, Role]) -> dict[str, str] | None:
    """The metrics that go with `dev` in runs of Sweepboard, by their exact names; None where they are to be guessed.

    For the loss and the error, which other programs log by the same names, nothing else is taken for them: a metric in
    training mode is no training error.
    """
    part, _, score = dev.partition("/")
    if part != schema.VALIDATION_PART or chosen[dev].source != roles.KNOWN:
        return None
    named = {TRAIN: f"{schema.TRAIN_EVAL_PART}/{score}"}
    named |= {TRAINING: schema.TRAIN_LOSS} if dev == schema.VAL_LOSS else {}
    logged = {slot: name for slot, name in named.items() if name in chosen}
    return logged if TRAIN in logged or dev in (schema.VAL_LOSS, schema.VAL_ERROR) else None


def _partners(dev: str, chosen: Mapping[str, Role]) -> dict[str, str]:
    """The metrics of the other slots that measure the same as `dev`."""
    if (ours := _ours(dev, chosen)) is not None:
        return ours
    same = [name for name in roles.ordered(chosen) if _quantity(name) == _quantity(dev) and name != dev]
    train = [name for name in same if chosen[name].part == roles.TRAIN and not _is_train_dev(name)]
    # Rather in evaluation mode (train_eval_loss before train_loss), rather of an epoch than of a batch.
    train.sort(key=lambda name: ("eval" not in roles.words(name), "step" in roles.words(name)))
    train_dev = [name for name in same if _is_train_dev(name)]
    losses = [name for name in train if "eval" not in roles.words(name) and "loss" in roles.words(name)]
    candidates = {TRAIN: train, TRAIN_DEV: train_dev, TRAINING: losses}
    return {slot: names[0] for slot, names in candidates.items() if names}


def read(setting: str) -> dict[str, str]:
    """The metric of each slot, from the JSON that `remembered` returns; anything else counts as nothing."""
    try:
        content = json.loads(setting or "{}")
    except ValueError:
        return {}
    pairs = content.items() if isinstance(content, dict) else ()
    return {slot: name for slot, name in pairs if slot in SLOTS and isinstance(name, str)}


def remembered(slots: Slots) -> str:
    """The user's choice as JSON."""
    return json.dumps({slot: slots[slot] for slot in SLOTS}, ensure_ascii=False, separators=(",", ":"))


def slots_of(
    chosen: Mapping[str, Role], last: Mapping[str, Iterable[float]], *, setting: str = "", dev: str = ""
) -> Slots:
    """The metric of each slot: as asked for, else as said for the experiment, else guessed.

    Args:
        chosen: The role of each metric, from `analysis.runs.metric_roles.roles`.
        last: The last values of each metric, which show whether it is a share.
        setting: The user's choice, as `remembered` returns it.
        dev: The metric that is asked for as the error on validation data; the others are those that go with it.
    """
    by_user = {slot: name if name in chosen else "" for slot, name in read(setting).items()}
    if not by_user.get(DEV) or dev not in ("", by_user[DEV]):
        by_user = {}  # the user spoke of other metrics
    dev = dev or by_user.get(DEV) or next(iter(roles.judges(chosen)), "")
    named = {DEV: dev} | _partners(dev, chosen) | by_user if dev else {}
    dev, train, train_dev, training = (named.get(slot, "") for slot in SLOTS)
    beside_truth = (dev, train) in _ON_NOISY_LABELS
    truth = {slot: name if beside_truth and name in chosen else "" for slot, name in TRUTH.items()}
    role = chosen.get(dev, Role())
    slots = Slots(
        dev,
        train,
        train_dev,
        training,
        train_clean=truth[CLEAN],
        memorised=truth[MEMORISED],
        dev_clean=truth[DEV_CLEAN],
        part=role.part,
        assumption=roles.assumption(dev, role) if dev else "",
    )
    return replace(slots, turned=_turned(slots, chosen, last))


def _turned(slots: Slots, chosen: Mapping[str, Role], last: Mapping[str, Iterable[float]]) -> dict[str, str]:
    """COMPLEMENT or NEGATIVE for each metric of which more is better."""
    higher = [name for name in (slots[slot] for slot in SLOTS) if name and chosen[name].better == roles.HIGHER]
    values = [np.asarray(list(last.get(name, ())), dtype=float) for name in higher]
    # One way for all of them, or their differences would mean nothing.
    are_shares = all(((x >= 0) & (x <= 1) | ~np.isfinite(x)).all() for x in values)
    return dict.fromkeys(higher, COMPLEMENT if are_shares else NEGATIVE)
