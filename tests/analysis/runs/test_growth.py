"""A stranger's training loss that grew: ten times its first value and more, in numbers that mean something."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from analysis.runs import metric_roles as roles
from analysis.runs.growth import grown, sentence, training_loss


def histories(**runs: list[float]) -> pd.DataFrame:
    return pd.DataFrame([(run, step, value) for run, values in runs.items() for step, value in enumerate(values)],
                        columns=["run_id", "step", "value"])  # fmt: skip


def test_only_what_ends_above_ten_times_its_first_value_grew() -> None:
    names = grown(
        histories(
            grew=[0.5, 0.1, 5.01], just=[0.5, 5.0], fell=[100.0, 1.0], back=[1.0, 4e24, 2.0], negative=[-1.0, 40.0],
            broken=[0.2, 3.0, math.inf, math.nan], empty=[math.nan], zero=[0.0, 7.0],
        )
    )  # fmt: skip
    assert names == ["grew", "broken"]


def test_the_later_step_is_the_last_whatever_the_order_of_the_rows() -> None:
    frame = histories(a=[1.0, 2.0, 30.0])
    assert grown(frame.iloc[::-1]) == ["a"] and grown(frame.iloc[:0]) == []


@pytest.mark.parametrize(
    ("names", "metric"),
    [
        (["train_loss", "val_loss", "train_acc"], "train_loss"),
        (["loss", "val_loss"], "loss"),
        (["val_loss", "train_time"], ""),
        (["train_acc"], ""),
    ],
)
def test_the_training_loss_is_found_by_its_role(names: list[str], metric: str) -> None:
    assert training_loss(roles.roles(names)) == metric


def test_a_sentence_names_them() -> None:
    assert sentence([], "loss") == ""
    assert sentence(["a"], "loss").startswith(
        "loss ended more than 10 times above its first value in 1 run (a). It counts"
    )
    assert "5 runs (a, b, c and 2 more). They count" in sentence(list("abcde"), "loss")
