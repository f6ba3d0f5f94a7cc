"""What pages ask of the numbers behind a figure, every topic's info answers."""

from __future__ import annotations

import pytest

from analysis.bias_variance.capacity import CapacityInfo
from analysis.bias_variance.fits import FitsInfo
from analysis.bias_variance.learning_curve import LearningCurveInfo
from analysis.figures.info import FigureInfo, Info
from analysis.layers.gradients import HeatInfo, ProfileInfo, RatioInfo
from analysis.optimizers.learning_rates import RatesInfo
from analysis.optimizers.range_test import RangeInfo
from analysis.optimizers.time_to_target import TargetsInfo
from analysis.optimizers.tuning_budget import BudgetsInfo
from analysis.regularization.decision_regions import RegionsInfo
from analysis.regularization.early_stopping import EarlyStoppingInfo
from analysis.regularization.factorial import FactorialInfo
from analysis.regularization.forest import ForestInfo
from analysis.regularization.one_regularizer import IsolationInfo
from analysis.regularization.train_eval_gap import ModesInfo
from analysis.regularization.weight_histograms import RidgelinesInfo
from analysis.regularization.weight_paths import PathInfo

WHOLE = [
    CapacityInfo, EarlyStoppingInfo, FactorialInfo, FitsInfo, ForestInfo, IsolationInfo, LearningCurveInfo, ModesInfo,
    PathInfo, ProfileInfo, RatesInfo, RegionsInfo, RidgelinesInfo, TargetsInfo,
]  # fmt: skip
FIGURES = [BudgetsInfo, HeatInfo, RangeInfo, RatioInfo]
"""Infos whose page asks for their answer in another way, or that have none."""


def members(protocol: type) -> set[str]:
    return {name for base in protocol.__mro__ for name in vars(base) if not name.startswith("_")}


def test_a_protocol_names_what_a_page_asks() -> None:
    assert members(FigureInfo) == {"shows", "n", "interval", "reading", "frame"}
    assert members(Info) == members(FigureInfo) | {"problem", "sentence"}


@pytest.mark.parametrize(("info", "protocol"), [(i, Info) for i in WHOLE] + [(i, FigureInfo) for i in FIGURES])
def test_an_info_has_every_member(info: type, protocol: type) -> None:
    lacking = [name for name in members(protocol) if not hasattr(info, name)]
    assert not lacking
