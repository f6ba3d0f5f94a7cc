"""A sweep as the user writes it: parsed, checked, and written back."""

from sweeps.fields import SpecError
from sweeps.spec.checks import check, parse
from sweeps.spec.model import Claim, Confirm, Objective, Replicate, Spec, configuration, fixed_by, repeats, to_yaml
from sweeps.spec.options import (
    ADAPTIVE,
    ANY_METRIC,
    FIELDS,
    MOST_RUNS,
    MOST_SEEDS,
    NAMED,
    OWN,
    PRUNERS,
    SAMPLERS,
    SEED_KINDS,
    UNNAMED,
    default_workers,
    metric_field,
)
from sweeps.spec.search_axis import Axis

__all__ = [
    "ADAPTIVE",
    "ANY_METRIC",
    "FIELDS",
    "MOST_RUNS",
    "MOST_SEEDS",
    "NAMED",
    "OWN",
    "PRUNERS",
    "SAMPLERS",
    "SEED_KINDS",
    "UNNAMED",
    "Axis",
    "Claim",
    "Confirm",
    "Objective",
    "Replicate",
    "Spec",
    "SpecError",
    "check",
    "configuration",
    "default_workers",
    "fixed_by",
    "metric_field",
    "parse",
    "repeats",
    "to_yaml",
]
