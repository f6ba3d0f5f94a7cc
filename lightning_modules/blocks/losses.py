"""The losses that models offer, as the annotations that the form is made from; `learning_tasks` defines each."""

from typing import Literal

ClassLoss = Literal["auto", "cross_entropy", "squared", "absolute", "hinge"]
"""Of a classification; auto is the cross-entropy."""
