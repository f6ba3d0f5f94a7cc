"""Losses of different kinds are different numbers, and that is said where they are compared."""

import pytest

from analysis.runs.losses import losses_sentence


def test_different_losses_are_named_with_what_to_compare_instead():
    assert losses_sentence("val/loss", ["squared", "cross_entropy", "squared"]) == (
        "The runs minimise different losses (cross_entropy and squared), so that val/loss is another number for "
        "each of them: compare val/error instead."
    )
    assert losses_sentence("train_eval/loss", ["a", "b"]).endswith("compare train_eval/error instead.")


@pytest.mark.parametrize(
    ("metric", "losses"),
    [
        ("val/error", ["squared", "cross_entropy"]),
        ("val/loss", ["squared", "squared"]),
        ("val/loss", ["squared", ""]),
        ("val_loss", ["squared", "hinge"]),
        ("val/loss", []),
    ],
)
def test_nothing_is_said_of_errors_of_equal_losses_and_of_unknown_ones(metric, losses):
    assert losses_sentence(metric, losses) == ""
