"""The fits of a one-dimensional regression, and the parts of their error along x."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.bias_variance.fits import MOST, fits_info, plot_fits
from analysis.bias_variance.replicates import Replicates, replicates

X = np.linspace(-1, 1, 201)


def stack_of(datasets=10, inits=6, *, noise=0.3, truth=True, shuffled=False, inputs=True):
    """Fits that are f, but for a bump of .5 about x = -.5 in all and a spread of x^2 between the training sets."""
    random = np.random.default_rng(0)
    order = random.permutation(len(X)) if shuffled else np.arange(len(X))
    f = X**2
    targets = f + noise * random.standard_normal(len(X))
    bump = 0.5 * np.exp(-(((X + 0.5) / 0.1) ** 2))
    rows, arrays = [], {}
    shifts = random.standard_normal(datasets)
    shifts = (shifts - shifts.mean()) / shifts.std(ddof=1)
    for k in range(datasets * inits):
        data = k % datasets
        rows.append({"run_id": str(k), "outcome": "ok", "seed_data": data, "seed_init": k})
        stored = {"epochs": np.array([3]), "outputs": (f + bump + shifts[data] * X**2 * (X > 0))[order][None, :, None],
               "targets": targets[order]}  # fmt: skip
        stored |= {"inputs": X[order]} if inputs else {}
        arrays[str(k)] = stored | ({"truth": f[order], "noise": np.array(noise**2)} if truth else {})
    return replicates(pd.DataFrame(rows), arrays)


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_parts_lie_where_they_were_put(shuffled):
    info = fits_info(stack_of(shuffled=shuffled))
    assert info.x == pytest.approx(X) and info.truth == pytest.approx(X**2)
    bump = 0.25 * np.exp(-2 * ((X + 0.5) / 0.1) ** 2)
    spread = np.where(X > 0, X**4, 0)
    assert info.parts["data"] == pytest.approx(spread, abs=1e-9)
    assert info.mean == pytest.approx(X**2 + 0.5 * np.exp(-(((X + 0.5) / 0.1) ** 2)))
    assert info.parts["init"] == pytest.approx(0, abs=1e-12) and (info.parts["noise"] == 0.09).all()
    assert info.parts["bias"] == pytest.approx(bump - spread / 10, abs=1e-9), "corrected for ten training sets"
    assert "Most of the error beyond the noise is variance from data, largest about x = 0.9" in info.sentence


def test_at_most_fifty_are_drawn_and_all_training_sets_are_among_them():
    info = fits_info(stack_of())
    assert info.total == 60 and info.fits.shape == (MOST, len(X))
    assert info.n == "n=60 fits to 10 training sets" and "training sets (50 of 60)" in info.reading
    assert info.shows.startswith("Fits to 10 training sets, ") and not info.interval
    assert fits_info(stack_of(), "degree 5").shows.startswith("Fits of degree 5 to 10 training sets, ")
    assert np.bincount(info.datasets).tolist() == [5] * 10
    for dataset in range(10):
        same = info.fits[info.datasets == dataset]
        assert (same == same[0]).all() and (info.fits[info.datasets != dataset] != same[0]).any(axis=1).all()
    assert info.mean == pytest.approx(X**2 + 0.5 * np.exp(-(((X + 0.5) / 0.1) ** 2)))
    small = fits_info(stack_of(3, 2))
    assert len(small.fits) == 6 and small.datasets.tolist() == [0, 1, 2, 0, 1, 2]


def test_the_figure_holds_fits_truth_mean_and_stacked_parts():
    info = fits_info(stack_of())
    for dark in (False, True):
        traces = plot_fits(info, dark=dark).data
        stacked = [trace for trace in traces if trace.stackgroup]
        assert len(traces) == MOST + 2 + 4 and [trace.name for trace in stacked] == [
            "noise", "bias²", "variance from data", "variance from initialisation",
        ]  # fmt: skip
    table = info.frame()
    assert len(table) == len(X) and {"x", "f", "mean fit", "bias", "noise"} <= set(table)


def test_without_a_known_f_the_targets_stand_for_it_and_noise_is_in_the_bias():
    info = fits_info(stack_of(truth=False))
    assert not info.known and "noise" not in info.parts
    assert info.parts["bias"].mean() > fits_info(stack_of()).parts["bias"].mean() + 0.05
    assert plot_fits(info).data[MOST].name == "targets" and "beyond the noise" not in info.sentence


def test_noise_free_targets_have_no_noise():
    assert "noise" not in fits_info(stack_of(noise=0.0)).parts


def test_what_cannot_be_drawn_says_why():
    assert fits_info("No run.").problem == "No run." and fits_info("No run.").empty
    assert "one input" in fits_info(stack_of(inputs=False)).problem
    stack = stack_of(3, 2)
    assert isinstance(stack, Replicates)
    classes = Replicates(**{**vars(stack), "targets": np.zeros(len(X), dtype=int)})
    assert "one input" in fits_info(classes).problem and fits_info("x").sentence == ""
    plot_fits(fits_info("x"))
