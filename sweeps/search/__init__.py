"""The trials of a sweep: listed, drawn at random, or proposed from what earlier trials came to."""

from sweeps.search.trials import (
    CONFIRM_SEEDS,
    Trial,
    canonical,
    confirm_runs,
    count,
    count_text,
    enumerate_trials,
    flatten,
    group_of,
    run_name,
    seeds_for,
    settings_of,
    trial_of,
    trials_from_json,
    trials_text,
    trials_to_json,
)

__all__ = [
    "CONFIRM_SEEDS",
    "Trial",
    "canonical",
    "confirm_runs",
    "count",
    "count_text",
    "enumerate_trials",
    "flatten",
    "group_of",
    "run_name",
    "seeds_for",
    "settings_of",
    "trial_of",
    "trials_from_json",
    "trials_text",
    "trials_to_json",
]
