"""The ready-made sweeps are ready: valid, small enough for a lecture, with claims that their runs can decide."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.runs.claims import Status, compared
from analysis.runs.comparison import comparison
from analysis.statistics.exact import enough_pairs
from app.study.page import PAGES
from sweeps.preflight.decidable import plan_of
from sweeps.search import count, enumerate_trials, flatten, seeds_for
from sweeps.spec import Spec, parse, to_yaml
from sweeps.spec.yaml_text import read
from tracking import schema
from tracking.configurations import identity

LABS = sorted((Path(__file__).parents[1] / "labs").glob("*.yaml"))
MOST_RUNS = 150  # at about 1.5 s a run and two workers

every_lab = pytest.mark.parametrize("file", LABS, ids=lambda file: file.stem)


def spec_of(file: Path) -> Spec:
    return parse(file.read_text(encoding="utf-8"))


def test_the_pages_offer_labs_that_there_are():
    offered = {stem for page in PAGES.values() for stem in page.labs}
    assert offered <= {file.stem for file in LABS}
    assert len(LABS) >= 20


@every_lab
def test_a_lab_is_named_like_its_file_and_asks_a_question(file):
    spec = spec_of(file)
    assert spec.name == file.stem
    assert "?" in spec.question and spec.question.endswith(".")
    assert "lecture notes say" in spec.question
    assert parse(to_yaml(spec)) == spec
    assert "workers" not in read(file.read_text(encoding="utf-8")), "a lab uses the machine it runs on"


@every_lab
def test_a_lab_ends_within_minutes(file):
    _, runs = count(spec_of(file))
    assert runs <= MOST_RUNS


@every_lab
def test_a_lab_claims_something_about_groups_that_it_trains(file):
    spec = spec_of(file)
    assert spec.claim
    trials = [trial.params for trial in enumerate_trials(spec)]
    for claim in spec.claim:
        sides = [
            [
                place
                for place, params in enumerate(trials)
                if all(identity(params.get(k)) == identity(v) for k, v in side.items())
            ]
            for side in (claim.better, claim.than)
        ]
        assert all(sides), "each side is a group"
        assert not set(sides[0]) & set(sides[1]), "no group is on both sides"
        assert claim.text.endswith(".")


@every_lab
def test_a_lab_has_the_seeds_to_decide_all_its_claims(file):
    """The exact test of m claims, corrected for each other, needs 2 / 2^n <= 0.05 / m."""
    plan = plan_of(spec_of(file))
    assert plan.claims and plan.seeds >= enough_pairs(0.05 / plan.claims) and not plan.missing


def long(rows):
    """Rows of key -> value, one per run, as the frame [run_id, key, value]."""
    triples = [(run, key, value) for run, row in enumerate(rows) for key, value in row.items()]
    return pd.DataFrame(triples, columns=["run_id", "key", "value"]).astype({"run_id": str})


@every_lab
def test_the_claims_of_a_lab_are_judged_on_the_params_that_its_runs_log(file):
    spec = spec_of(file)
    trials = list(enumerate_trials(spec))
    runs = pd.DataFrame({"run_id": [str(place) for place in range(len(trials))]}).assign(
        name="", experiment_id="1", status="FINISHED", start_time=0, end_time=1, parent="sweep"
    )
    tags = [
        {schema.KIND: schema.RUN_KIND, schema.GROUP: f"g{place}", schema.SEED: "0", schema.OUTCOME: "ok"}
        for place in range(len(trials))
    ]
    metrics = {schema.OBJECTIVE: 1.0, **{claim.metric: 1.0 for claim in spec.claim}}
    sweeps = pd.DataFrame(
        [("sweep", spec.name, spec.objective.metric, spec.objective.direction, list(spec.search))],
        columns=["sweep", "name", "metric", "direction", "searched"],
    )
    params = long([flatten(trial.configuration) for trial in trials])
    groups = comparison(runs, params, long(tags), long([metrics] * len(trials)), sweeps)
    verdicts = compared(groups, "sweep", spec.claim, list(spec.search), objective=spec.objective.metric)
    assert len(verdicts) == len(spec.claim)
    for info in verdicts:
        assert info.better.sample.n and info.than.sample.n and info.status is not Status.NOT_YET, info.sentence


MOST_EXAMPLES = 64


def quick(configuration):
    """The configuration cut to one epoch of two batches of few examples, on the CPU."""
    trainer = {**configuration["trainer"], "max_epochs": 1, "limit_train_batches": 2, "device": "cpu"}
    train_size = min(configuration["data"].get("train_size") or MOST_EXAMPLES, MOST_EXAMPLES)
    if configuration.get("replicate"):
        train_size = None  # the training sets are small pieces already
    return {
        **configuration,
        "data": {**configuration["data"], "train_size": train_size},
        "trainer": trainer,
        "keep": "none",
    }


def words_of(trial):
    """The names, words and switches that a trial tries, as (key, word) pairs."""
    return {(key, str(value)) for key, value in trial.params.items() if isinstance(value, str | bool)}


def few_with_every_word(trials):
    """The first trial, and every later one that tries a word for the first time."""
    chosen, tried = [], set()
    for trial in trials:
        if not chosen or words_of(trial) - tried:
            chosen.append(trial)
            tried |= words_of(trial)
    return chosen


def assert_trains(configuration, spec):
    from sweeps.training.train import train
    from tracking.schema import Outcome

    result = train({**configuration, "seeds": seeds_for(spec, 0)})
    assert result.outcome is Outcome.OK, result.error
    assert result.objective is not None


@every_lab
def test_few_trials_of_a_lab_hold_every_word_that_it_tries(file):
    trials = enumerate_trials(spec_of(file))
    chosen = few_with_every_word(trials)
    words = set().union(*map(words_of, trials))
    assert set().union(*map(words_of, chosen)) == words
    assert 1 <= len(chosen) <= len(words) + 1


@every_lab
def test_a_lab_trains_with_every_name_and_word_that_it_tries(file):
    spec = spec_of(file)
    for trial in few_with_every_word(enumerate_trials(spec)):
        assert_trains(quick(trial.configuration), spec)


@pytest.mark.slow
@every_lab
def test_a_lab_trains_with_every_combination_of_names_and_words_that_it_tries(file):
    """One whole epoch of each combination of names, words and switches, with the first value of every other key."""
    spec = spec_of(file)
    combinations = {}
    for trial in enumerate_trials(spec):
        combinations.setdefault(frozenset(words_of(trial)), trial.configuration)
    for configuration in combinations.values():
        trainer = {**configuration["trainer"], "max_epochs": 1, "device": "cpu"}
        assert_trains({**configuration, "trainer": trainer, "keep": "none"}, spec)
