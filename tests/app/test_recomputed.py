"""What the pages of some labs say, computed again by SciPy from the rows of the store, with no code of ours.

The runs have the labs' configurations, seeds and tags; their results are drawn, since training them takes minutes.
Errors are shares of 180 examples kept as 32-bit floats, so that some are equal, as in real runs.
"""

from __future__ import annotations

import itertools
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics import number
from sweeps.search import enumerate_trials, flatten, group_of, seeds_for
from sweeps.spec import parse
from tracking import schema

LABS = Path(__file__).parents[2] / "labs"
EXAMPLES = 180


def float32(value: float) -> float:
    return float(np.float32(value))


def share(value: float) -> float:
    """A share of the examples, as a float of 32 bits."""
    return float32(round(max(value, 0.0) * EXAMPLES) / EXAMPLES)


def of_l2(params: dict[str, Any], seed: int, draw: np.random.Generator) -> dict[str, float]:
    place = [0.0, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0].index(params["regularization.l2"])
    error = [0.20, 0.19, 0.17, 0.15, 0.11, 0.11, 0.38, 0.9][place] + 0.01 * seed + draw.normal(0, 0.02)
    training = [0.0, 0.0, 0.0, 0.01, 0.14, 0.22, 0.4, 0.9][place] + draw.uniform(0, 0.01)
    return {schema.VAL_ERROR: share(error), schema.TRAIN_EVAL_ERROR: share(training)}


def of_sizes(params: dict[str, Any], seed: int, draw: np.random.Generator) -> dict[str, float]:
    size = params["data.train_size"]
    wrong = 0.1 * size / 800
    noisy, clean = share(wrong + draw.uniform(0, 0.01)), share(0.02 + draw.uniform(0, 0.02))
    return {
        schema.VAL_ERROR: share(1.0 / np.sqrt(size) + 0.01 + draw.normal(0, 0.01)), schema.TRAIN_EVAL_ERROR: noisy,
        schema.TRAIN_EVAL_CLEAN_ERROR: clean, schema.MEMORISED: max(0.0, (clean + 0.1 - noisy) / 2),
    }  # fmt: skip


def of_optimizers(params: dict[str, Any], seed: int, draw: np.random.Generator) -> dict[str, float]:
    best = {"sgd": 1.0, "momentum": 0.1, "rmsprop": 0.003, "adam": 0.01}[params["optimizer.name"]]
    ends = {"sgd": 0.13, "momentum": 0.125, "rmsprop": 0.10, "adam": 0.095}
    away = abs(np.log10(params["optimizer.lr"] / best))
    loss = ends[params["optimizer.name"]] + 0.2 * away + 0.002 * (seed % 10) + draw.normal(0, 0.01)
    return {schema.VAL_LOSS: float32(loss), schema.TRAIN_EVAL_LOSS: float32(loss / 10 + draw.normal(0, 0.002))}


def of_norms(params: dict[str, Any], seed: int, draw: np.random.Generator) -> dict[str, float]:
    base = {"none": 0.4, "batch": 0.2, "layer": 0.3}[params["model.norm"]]
    loss = base + 0.1 * abs(np.log10(params["optimizer.lr"] / 0.3)) + 0.01 * draw.uniform()
    return {schema.VAL_LOSS: loss, schema.TRAIN_EVAL_LOSS: loss / 10}


def of_batches(params: dict[str, Any], seed: int, draw: np.random.Generator) -> dict[str, float]:
    base, seconds = {1: (0.3, 9.0), 32: (0.2, 2.0), "full": (0.4, 1.0)}[params["data.batch_size"]]
    loss = base + 0.1 * abs(np.log10(params["optimizer.lr"] / 0.3)) + 0.01 * draw.uniform()
    return {schema.VAL_LOSS: loss, schema.TRAIN_EVAL_LOSS: loss / 10, "time/train_s": seconds + draw.uniform()}


RESULTS = {
    "batch-norm": of_norms, "batch-size": of_batches, "l2": of_l2, "training-set-size": of_sizes,
    "optimizers-on-digits": of_optimizers,
}  # fmt: skip


def store_lab(rows: Any, stem: str) -> str:
    """Store a lab as if it had been trained, confirm runs included; returns its id."""
    text = (LABS / f"{stem}.yaml").read_text(encoding="utf-8")
    spec, draw = parse(text), np.random.default_rng(7)
    trials = list(enumerate_trials(spec))
    objective, experiment = spec.objective, rows.create_experiment(stem)
    sweep = rows.log_run(
        experiment, spec.name,
        tags={
            schema.KIND: schema.SWEEP_KIND, schema.STATE: "finished", schema.METRIC: objective.metric,
            schema.DIRECTION: objective.direction, schema.SEARCHED: json.dumps(list(spec.search)),
            schema.TRIALS: str(len(trials)), schema.SEEDS: str(spec.seeds), schema.NOTE: spec.question or "",
        },
    )  # fmt: skip
    (rows.artifacts(sweep) / schema.SPEC_FILE).write_text(text, encoding="utf-8")

    def store(trial: Any, seed: int, phase: str, number_of_seed: int) -> float:
        seeds = seeds_for(spec, number_of_seed)
        metrics = RESULTS[stem](trial.params, number_of_seed, draw)
        rows.log_run(
            experiment, f"trial {trial.number} · seed {seed}", flatten(trial.configuration),
            metrics | {schema.OBJECTIVE: metrics[objective.metric]},
            {
                schema.KIND: schema.RUN_KIND, schema.SWEEP: sweep, schema.PARENT: sweep, schema.PHASE: phase,
                schema.TRIAL: str(trial.number), schema.GROUP: group_of(trial.configuration, phase),
                schema.SEED: str(number_of_seed), schema.SEED_DATA: str(seeds["data"]),
                schema.SEED_INIT: str(seeds["init"]), schema.SEED_ORDER: str(seeds["order"]),
                schema.PARAMS: json.dumps(trial.params), schema.OUTCOME: "ok",
            },
        )  # fmt: skip
        return metrics[objective.metric]

    means = {}
    for trial in trials:
        means[trial.number] = np.mean([store(trial, seed, schema.SEARCH_PHASE, seed) for seed in range(spec.seeds)])
    if spec.confirm:
        by_method: dict[str, Any] = {}
        for trial in sorted(trials, key=lambda trial: means[trial.number]):
            by_method.setdefault(trial.params[spec.confirm.per], trial)
        for trial in by_method.values():
            for seed in range(spec.confirm.seeds):
                store(trial, seed, schema.CONFIRM_PHASE, 1000 + seed)
    return str(sweep)


def read_store(path: Path) -> pd.DataFrame:
    """The runs in the store, by SQL: params, last metrics and tags as columns."""
    with sqlite3.connect(path) as database:
        tables = [
            pd.read_sql(f"SELECT run_uuid, key, value FROM {table}", database).pivot(
                index="run_uuid", columns="key", values="value"
            )
            for table in ("params", "latest_metrics", "tags")
        ]
    runs = pd.concat(tables, axis=1)
    return runs[runs[schema.KIND] == schema.RUN_KIND]


def exact_p(differences: np.ndarray) -> float:
    """The p of the sign-flip test, by SciPy, of whole numbers where the differences are shares of the examples."""
    whole = differences * EXAMPLES
    x = np.rint(whole) if np.abs(whole - np.rint(whole)).max() < 1e-3 else differences
    result = stats.permutation_test((x,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=False)
    return float(result.pvalue)


def holm(p: list[float]) -> list[float]:
    """Holm's step-down correction, by its definition (1979)."""
    order, corrected, worst = np.argsort(p), [0.0] * len(p), 0.0
    for place, at in enumerate(order):
        worst = max(worst, (len(p) - place) * p[at])
        corrected[at] = min(1.0, worst)
    return corrected


def t_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95% t-interval of a mean, by SciPy."""
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    return float(interval.low), float(interval.high)


def paired(a: pd.DataFrame, b: pd.DataFrame, metric: str) -> np.ndarray:
    """b minus a, seed by seed."""
    first, second = (side.set_index(schema.SEED)[metric].astype(float) for side in (a, b))
    assert set(first.index) == set(second.index)
    return (second - first[second.index]).to_numpy()


def side(runs: pd.DataFrame, values: dict[str, Any]) -> pd.DataFrame:
    """The runs with these values; the confirmed ones where there are some."""
    for key, value in values.items():
        same = runs[key] == value if isinstance(value, str) else np.isclose(runs[key].astype(float), value)
        runs = runs[same]
    fresh = runs[runs[schema.PHASE] == schema.CONFIRM_PHASE]
    return fresh if len(fresh) else runs


def plain(text: str) -> str:
    """What a page says, without the marks that keep it text."""
    return text.replace("\\", "").replace("\u2060", "")


@pytest.mark.parametrize(
    ("stem", "study"),
    [("l2", "regularization"), ("training-set-size", "bias_variance"), ("optimizers-on-digits", "optimizers")],
)
def test_the_verdict_p_and_interval_of_every_claim_are_those_of_scipy(
    rows: Any, client: Any, visit: Any, words: Any, stem: str, study: str
) -> None:
    sweep = store_lab(rows, stem)
    runs, spec = read_store(rows.path), parse((LABS / f"{stem}.yaml").read_text(encoding="utf-8"))
    differences = [
        paired(side(runs, dict(claim.better)), side(runs, dict(claim.than)), claim.metric) for claim in spec.claim
    ]
    corrected = holm([exact_p(gaps) for gaps in differences])
    pages = {page: visit(page, sweep=sweep) for page in ("sweep", "compare", study)}
    corrections = f"after Holm's correction for {len(spec.claim)} pairs"
    lines = {
        page: [line for line in (plain(element.value) for element in at.caption) if corrections in line]
        for page, at in pages.items()
    }
    for place, (claim, gaps, p) in enumerate(zip(spec.claim, differences, corrected, strict=True)):
        low, high = t_interval(gaps)
        decided = p <= 0.05 and (low > 0 or high < 0)
        verdict = ("Supported" if gaps.mean() > 0 else "Refuted") if decided else "Undecided"
        ends = [low, high] if gaps.mean() > 0 else [-high, -low]
        span = f"{number(ends[0], 3)} to {number(ends[1], 3)}"
        for page, at in pages.items():
            assert f"-badge[{verdict}] {claim.text}" in plain(words(at)), (page, claim.text)
            line = lines[page][place]
            assert f"{claim.metric} {number(abs(gaps.mean()), 3)} " in line and f"t-interval {span}" in line, (
                page,
                line,
            )
            assert f"p={number(p, 2)} {corrections}" in line and f"n={len(gaps)} paired seeds" in line, (page, line)


@pytest.mark.parametrize("stem", ["l2", "training-set-size", "optimizers-on-digits"])
def test_the_ranking_on_compare_and_its_places_are_those_of_scipy(
    rows: Any, client: Any, visit: Any, stem: str
) -> None:
    sweep = store_lab(rows, stem)
    runs = read_store(rows.path)
    spec = parse((LABS / f"{stem}.yaml").read_text(encoding="utf-8"))
    if spec.confirm:
        runs = runs[runs[schema.PHASE] == schema.CONFIRM_PHASE]
    metric = spec.objective.metric
    groups = sorted((group for _, group in runs.groupby(schema.GROUP)), key=lambda group: group[metric].mean())
    pairs = list(itertools.combinations(range(len(groups)), 2))
    gaps = [paired(groups[a], groups[b], metric) for a, b in pairs]
    corrected = holm([exact_p(gap) for gap in gaps])
    behind, before = [0] * len(groups), [0] * len(groups)
    for (a, b), gap, p in zip(pairs, gaps, corrected, strict=True):
        if p <= 0.05 and t_interval(gap)[0] > 0:
            before[a] += 1
            behind[b] += 1
    places = [
        f"{1 + won}" if 1 + won == len(groups) - lost else f"{1 + won}–{len(groups) - lost}"
        for won, lost in zip(behind, before, strict=True)
    ]
    at = visit("compare", sweep=sweep)
    table = next(frame.value for frame in at.dataframe if "place" in frame.value)
    assert table["place"].tolist() == places
    assert table["mean"].tolist() == pytest.approx([group[metric].mean() for group in groups])
    halves = [np.diff(t_interval(group[metric].to_numpy(dtype=float)))[0] / 2 for group in groups]
    assert table["±"].tolist() == pytest.approx(halves)


def test_the_diagnosis_is_that_of_scipys_t_tests(rows: Any, client: Any, visit: Any, words: Any) -> None:
    """Bias is the clean training error beyond what was memorised; variance the rest of the validation error."""
    sweep = store_lab(rows, "training-set-size")
    runs = read_store(rows.path)
    threshold, gaps = 0.03, {}
    for size, group in runs.groupby("data.train_size"):
        values = group[[schema.VAL_ERROR, schema.TRAIN_EVAL_CLEAN_ERROR, schema.MEMORISED]].to_numpy(dtype=float)
        bias = values[:, 1] - values[:, 2]
        gaps[size, "bias"], gaps[size, "variance"] = bias, values[:, 0] - bias
    at = visit("bias_variance", sweep=sweep)
    text = plain(words(at))
    p = holm([stats.ttest_1samp(gap, threshold, alternative="greater").pvalue for gap in gaps.values()])
    faults = {
        key for key, value in zip(gaps, p, strict=True) if value <= 0.025 and t_interval(gaps[key])[0] > threshold
    }
    suffering = sum(name == "variance" for _, name in faults)
    assert 1 < suffering < 6 and f"{suffering} of 6 groups suffer from variance" in text
    drawn = " ".join(chart.proto.spec for chart in at.get("plotly_chart")).replace("\\u00b1", "±")
    labels = [(float(mean), float(half)) for mean, half in re.findall(r"(-?[\d.]+) ± ([\d.]+)", drawn)]
    for name in ("bias", "variance"):
        low, high = t_interval(gaps["800", name])
        expected = pytest.approx((gaps["800", name].mean(), (high - low) / 2), abs=1e-3)
        assert any(label == expected for label in labels), (name, labels)


@pytest.mark.parametrize(
    ("stem", "named", "misread"),
    [
        ("batch-norm", "norm none", "norm not set"),
        ("batch-size", "batch_size 1", "There is no result yet"),
    ],
)
def test_every_page_judges_claims_about_none_and_about_numbers_beside_words(
    rows: Any, client: Any, visit: Any, words: Any, stem: str, named: str, misread: str
) -> None:
    sweep = store_lab(rows, stem)
    for page in ("sweep", "compare", "optimizers", "regularization"):
        text = plain(words(visit(page, sweep=sweep)))
        assert "2 claims: all supported." in text, page
        assert named in text and misread not in text, page
