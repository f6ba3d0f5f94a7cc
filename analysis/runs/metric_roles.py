"""What each metric measures on which data, and by which metric runs are judged.

A metric is of the training, the validation or the test data, more or less of it is better, and it measures how good a
model is or something else, such as seconds or the learning rate. The metrics of Sweepboard's runs are known, and what a
sweep minimizes or maximizes is known from its spec. Other programs' metrics are guessed from their names (`val_acc`,
`eval/f1`, `trainLoss`), shown, and corrected by the user who knows better. What the user says is kept with the
experiment as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tracking import schema

TRAIN, VALIDATION, TEST, SYSTEM, UNKNOWN = "train", "validation", "test", "system", ""
PARTS: Final = (TRAIN, VALIDATION, TEST, SYSTEM, UNKNOWN)
HIGHER, LOWER = "higher", "lower"
BETTER: Final = (HIGHER, LOWER, "")

GUESSED, SAID, KNOWN = "guessed", "said", "known"
"""Where a role comes from: the metric's name, the user, or the sweep and the program that logged it."""

_PARTS: Final = {
    **dict.fromkeys(("train", "training", "trn", "fit"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "evaluation", "cv"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "heldout", "holdout"), TEST),
    **dict.fromkeys(("system", "gpu", "cpu", "time"), SYSTEM),
}
_HIGHER: Final = frozenset(
    re.findall(
        r"\w+",
        "acc accuracy f1 f2 fbeta auc auroc auprc roc ap map precision recall specificity sensitivity r2 bleu chrf"
        " rouge meteor iou miou dice jaccard score reward return psnr ssim top1 top5 hit hits ndcg mrr kappa mcc"
        " correlation pearson spearman likelihood agreement",
    )
)
_LOWER: Final = frozenset(
    re.findall(
        r"\w+",
        "loss error err mse rmse mae mape nll perplexity ppl ce bce crossentropy entropy regret wer cer ter fid kl"
        " brier ece cost distance penalty deviation",
    )
)
_SLOW: Final = frozenset(
    re.findall(r"\w+", "time seconds second secs sec minutes mins hours duration latency runtime walltime elapsed")
)
_FAST: Final = frozenset(("throughput", "speed", "fps"))
_NO_QUALITY: Final = frozenset(
    re.findall(
        r"\w+",
        "s ms memory mem ram vram bytes kb mb gb kib mib gib lr learning epoch epochs step steps iteration iterations"
        " iter iters batch batches samples examples tokens size norm grad grads gradient gradients momentum decay beta"
        " eta count num params parameters flops seed utilization temperature watts",
    )
)
_PER_SECOND: Final = frozenset(("per", "samples", "examples", "tokens", "batches", "steps", "iterations", "it"))
"""Beside one of these, seconds may be the divisor, as in `samples_per_second`: it is not known which way is better."""
_RESOURCES: Final = _SLOW | _FAST
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


@dataclass(frozen=True)
class Role:
    """The role of a metric: of which data it is, which direction is better, and whether it measures quality."""

    part: str = UNKNOWN
    better: str = ""
    source: str = GUESSED
    quality: bool = True
    """Whether it measures how good a model is. Seconds, memory, a learning rate and a norm do not."""
    objective: bool = False
    """Whether the sweep of the runs ranks by it."""
    place: int = 0
    """Its place among the scores of a task: the loss, the error, others."""

    @property
    def guessed(self) -> bool:
        """Whether it is only guessed from the metric's name."""
        return self.source == GUESSED

    @property
    def words(self) -> str:
        """`validation, lower is better, guessed`."""
        facts = [*([self.part] if self.part else []), *([f"{self.better} is better"] if self.better else [])]
        facts += [] if self.quality else ["no measure of quality"]
        return ", ".join([*facts, *(["guessed"] if self.guessed and facts else [])])

    @property
    def direction(self) -> str:
        """The direction in the words of a sweep's objective; lower is assumed to be better where nobody knows."""
        return schema.MAXIMIZE if self.better == HIGHER else schema.MINIMIZE


_PARTS_OF_OURS: Final = {
    schema.TRAIN_EVAL_PART: TRAIN,
    schema.VALIDATION_PART: VALIDATION,
    schema.TEST_PART: TEST,
}


def of_sweepboard(better: Mapping[str, str]) -> dict[str, Role]:
    """The roles of the metrics that runs of Sweepboard log, by name.

    Args:
        better: HIGHER or LOWER for each score of a task, such as `error`, in the order in which a task has them.
    """
    roles = {schema.TRAIN_LOSS: Role(TRAIN, LOWER, KNOWN)}
    for place, (score, direction) in enumerate(better.items()):
        for part, of in _PARTS_OF_OURS.items():
            roles[f"{part}/{score}"] = Role(of, direction, KNOWN, place=place)
    roles[schema.TRAIN_EVAL_CLEAN_ERROR] = Role(TRAIN, LOWER, KNOWN)
    roles[schema.VAL_CLEAN_ERROR] = Role(VALIDATION, LOWER, KNOWN)
    settings = Role(TRAIN, "", KNOWN, quality=False)
    roles |= dict.fromkeys((schema.MEMORISED, *schema.EVERY_EPOCH), settings)
    return roles | {schema.TRAIN_SECONDS: Role(SYSTEM, LOWER, KNOWN, quality=False)}


def words(name: str) -> list[str]:
    """The words of a name, in lower case: `valAcc_top1` -> val, acc, top1."""
    return [word.lower() for word in _WORD.findall(name)]


def is_part(word: str) -> bool:
    """Whether a word of a name says which data a metric is of."""
    return word.lower() in _PARTS


def _better(name_words: list[str]) -> tuple[str, bool]:
    """Which direction is better, and whether it is a quality: the last word that names a quantity decides."""
    better, quality = "", not _NO_QUALITY & set(name_words)
    for word in name_words:
        if word in _HIGHER or word in _LOWER:
            better, quality = HIGHER if word in _HIGHER else LOWER, True
        elif word in _RESOURCES:
            better, quality = HIGHER if word in _FAST else LOWER, False
    if not quality and _PER_SECOND & set(name_words):
        better = ""
    # scikit-learn's scorers (neg_mean_squared_error); but the negative log-likelihood is a loss.
    if better == LOWER and "neg" in name_words:
        better = HIGHER
    elif better == HIGHER and {"neg", "negative"} & set(name_words):
        better = LOWER
    return better, quality


def guess(name: str) -> Role:
    """The role by the words of a name: its first word that names a part, its last that names a quantity."""
    name_words = words(name)
    part = next((_PARTS[word] for word in name_words if word in _PARTS), UNKNOWN)
    better, quality = _better(name_words)
    return Role(part, better, quality=quality and part != SYSTEM)


def roles(
    names: Iterable[str],
    setting: str = "",
    goals: Iterable[tuple[str, str]] = (),
    known: Mapping[str, Role] | None = None,
) -> dict[str, Role]:
    """The role of each metric: from the sweeps' specs, else as the user said, else known or guessed by its name.

    Args:
        names: The metrics.
        setting: The user's choice, as `remembered` returns them; anything else counts as nothing.
        goals: (metric, direction) of the sweeps that the runs belong to. It is the objective if all agree on one.
        known: The roles that need no guess, by name: those of `of_sweepboard`.
    """
    names, by_user, known = list(names), _read(setting), known or {}
    by_name = {name: by_user.get(name) or known.get(name) or guess(name) for name in names}
    # Keras logs `loss` beside `val_loss`: the one that names no part is of the training data.
    for name, role in by_name.items():
        if role == Role(UNKNOWN, role.better) and f"val_{name}" in by_name:
            by_name[name] = replace(role, part=TRAIN)
    stated = sorted(set(goals))
    if len(stated) == 1 and stated[0][0] in by_name:
        metric, direction = stated[0]
        role = by_name[metric]
        better = HIGHER if direction == schema.MAXIMIZE else LOWER
        source = SAID if role.source == SAID else KNOWN
        by_name[metric] = replace(role, better=better, source=source, quality=True, objective=True)
    return by_name


def _read(setting: str) -> dict[str, Role]:
    """The roles that the user gave to metrics, from the JSON that `remembered` returns."""
    try:
        content = json.loads(setting or "{}")
    except ValueError:
        return {}
    by_name = {}
    for name, pair in content.items() if isinstance(content, dict) else ():
        if isinstance(pair, list) and len(pair) == 2 and pair[0] in PARTS and pair[1] in BETTER:
            part, better = pair
            # A metric to which the user gives a direction counts as a quality, even the seconds of an epoch.
            by_name[str(name)] = Role(part, better, SAID, quality=bool(better) or guess(str(name)).quality)
    return by_name


def remembered(chosen: Mapping[str, Role]) -> str:
    """What the user said, as JSON: without known and guessed roles, so that guesses can get better."""
    return json.dumps(
        {name: [role.part, role.better] for name, role in sorted(chosen.items()) if role.source == SAID},
        ensure_ascii=False,
        separators=(",", ":"),
    )


_RANKS: Final = {VALIDATION: 0, TEST: 1, UNKNOWN: 2, TRAIN: 3, SYSTEM: 4}


def _judges(role: Role) -> bool:
    return role.objective or (role.quality and role.part not in (TRAIN, SYSTEM))


def ordered(chosen: Mapping[str, Role]) -> list[str]:
    """Metrics by how much the user wants to see them: those of `judges` first, in the same order."""

    def key(name: str) -> tuple[bool, bool, bool, bool, int, bool, int, str]:
        role = chosen[name]
        first = (not role.objective, not _judges(role), not role.quality, not role.better)
        return (*first, _RANKS[role.part], "loss" not in words(name), role.place, name)

    return sorted(chosen, key=key)


def choices(chosen: Mapping[str, Role]) -> list[str]:
    """The metrics as they are offered to judge by, in the order of `ordered`: those of test data last."""
    return sorted(ordered(chosen), key=lambda name: chosen[name].part == TEST and not chosen[name].objective)


def judges(chosen: Mapping[str, Role]) -> list[str]:
    """The metrics that runs may be judged by as long as nobody names one; the first is the one to take.

    Every page asks here. The objective of the runs' sweeps comes first, then validation, then test data, then metrics
    that do not say which data they are of; of equals the loss. Metrics of the training data say little about new data,
    and seconds or a learning rate nothing: they are only taken where a sweep or the user names them.
    """
    return [name for name in ordered(chosen) if _judges(chosen[name])]


def assumption(name: str, role: Role) -> str:
    """A sentence on a direction that nobody has said and the name does not show; empty where it is known."""
    return "" if role.better else f"It is assumed that lower {name} is better."


def judged_on(role: Role) -> str:
    """A sentence on what a choice by this metric is worth; empty for validation data."""
    return {
        TEST: "Judged on test data: if you choose by them, no data are left to test the choice.",
        TRAIN: "Judged on training data: this says little about new data.",
    }.get(role.part, "")


def nothing_to_judge_by(chosen: Mapping[str, Role]) -> str:
    """Why no metric is taken where `judges` has none."""
    if any(role.quality for role in chosen.values()):
        return "These runs logged no metric of validation or test data. Choose what they are to be judged by."
    return "These runs logged no metric that says how good a model is. Choose what they are to be judged by."
