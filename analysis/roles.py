"""Which metric is which: of the training, the validation or the test data, and whether more of it is better.

Guessed from the words of a metric's name (`val_acc`, `eval/f1`, `trainLoss`), shown, and changed by a person who knows
better. What they say is kept with the experiment as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

TRAIN, VALIDATION, TEST, SYSTEM, UNKNOWN = "train", "validation", "test", "system", ""
PARTS: Final = (TRAIN, VALIDATION, TEST, SYSTEM, UNKNOWN)
HIGHER, LOWER = "higher", "lower"
BETTER: Final = (HIGHER, LOWER, "")

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
        " correlation pearson spearman likelihood agreement throughput",
    )
)
_LOWER: Final = frozenset(
    re.findall(
        r"\w+",
        "loss error err mse rmse mae mape nll perplexity ppl ce bce crossentropy entropy regret wer cer ter fid kl"
        " brier ece cost distance seconds time latency penalty deviation",
    )
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


@dataclass(frozen=True)
class Role:
    """What a metric is. `guessed`: nobody has said so."""

    part: str = UNKNOWN
    better: str = ""
    guessed: bool = True

    @property
    def words(self) -> str:
        """`validation, lower is better, guessed`."""
        known = [*([self.part] if self.part else []), *([f"{self.better} is better"] if self.better else [])]
        return ", ".join([*known, *(["guessed"] if self.guessed and known else [])])

    @property
    def direction(self) -> str:
        """As a sweep's objective names it; lower is assumed where nobody knows."""
        return "maximize" if self.better == HIGHER else "minimize"


def words(name: str) -> list[str]:
    """The words of a name, in lower case: `valAcc_top1` -> val, acc, top1."""
    return [word.lower() for word in _WORD.findall(name)]


def is_part(word: str) -> bool:
    """Whether a word of a name says of which data a metric is."""
    return word.lower() in _PARTS


def guess(name: str) -> Role:
    """What the words of a name say; the first word that names a part, the last that names a quantity."""
    found = words(name)
    part = next((_PARTS[word] for word in found if word in _PARTS), UNKNOWN)
    better = ""
    for word in found:
        better = HIGHER if word in _HIGHER else LOWER if word in _LOWER else better
    # scikit-learn's scorers (neg_mean_squared_error); but the negative log-likelihood is a loss.
    if better == LOWER and "neg" in found:
        better = HIGHER
    elif better == HIGHER and {"neg", "negative"} & set(found):
        better = LOWER
    return Role(part, better)


def roles(names: Iterable[str], said: str = "") -> dict[str, Role]:
    """The role of each metric: what was said of it, else a guess.

    Args:
        names: The metrics.
        said: What `remembered` made; anything else counts as nothing.
    """
    known = _read(said)
    return {name: known.get(name) or guess(name) for name in names}


def _read(said: str) -> dict[str, Role]:
    try:
        content = json.loads(said or "{}")
    except ValueError:
        return {}
    found = {}
    for name, pair in content.items() if isinstance(content, dict) else ():
        if isinstance(pair, list) and len(pair) == 2 and pair[0] in PARTS and pair[1] in BETTER:
            found[str(name)] = Role(pair[0], pair[1], guessed=False)
    return found


def remembered(chosen: Mapping[str, Role]) -> str:
    """What a person said, as JSON; guesses are left out, so that better guesses may follow."""
    return json.dumps(
        {name: [role.part, role.better] for name, role in sorted(chosen.items()) if not role.guessed},
        ensure_ascii=False,
        separators=(",", ":"),
    )


_RANKS: Final = {VALIDATION: 0, TEST: 2, UNKNOWN: 1, TRAIN: 3, SYSTEM: 4}


def ordered(chosen: Mapping[str, Role]) -> list[str]:
    """Metrics by how much a person wants to see them: validation first, then the rest, quantities before diagnostics.

    Selection never looks at the test set, so its metrics come after those of validation.
    """

    def key(name: str) -> tuple[int, int, bool, str]:
        role = chosen[name]
        return (0 if role.better and role.part != SYSTEM else 1, _RANKS[role.part], "loss" not in words(name), name)

    return sorted(chosen, key=key)


def main_metric(chosen: Mapping[str, Role]) -> str | None:
    """The metric that runs are judged by as long as nobody names one: of validation, never of test if another is there.

    None where there is no metric.
    """
    found = ordered(chosen)
    return found[0] if found else None
