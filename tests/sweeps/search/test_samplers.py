"""QMC, TPE and Gaussian process: what they choose, against the libraries they come from."""

import math
from dataclasses import replace

import optuna
import pytest
from scipy.stats import qmc

from sweeps.search import canonical, enumerate_trials
from sweeps.search.samplers import TrialRecord, propose
from sweeps.search.trials import shuffled
from sweeps.spec import parse
from tracking.schema import Outcome

HEAD = "name: samplers\nmodel: {name: mlp}\ndata: {name: iris}\n"
LEARNING = ("tpe", "gp")


def spec_of(search, sampler, trials, **more):
    lines = [f"sampler: {sampler}", f"trials: {trials}", *(f"{key}: {value}" for key, value in more.items())]
    return parse(f"{HEAD}search: {search}\n" + "\n".join(lines))


def params(spec):
    return [trial.params for trial in enumerate_trials(spec)]


def test_qmc_is_the_scrambled_sobol_sequence_of_scipy():
    spec = spec_of("{optimizer.lr: {low: 0.001, high: 1, log: true}, model.dropout: {low: 0, high: 0.5}}", "qmc", 32)
    points = qmc.Sobol(2, scramble=True, rng=0).random_base2(5)
    for choice, (first, second) in zip(params(spec), points, strict=True):
        assert choice["optimizer.lr"] == pytest.approx(10 ** (3 * first - 3), rel=1e-9)
        assert choice["model.dropout"] == pytest.approx(second / 2, rel=1e-9)


def test_qmc_spreads_more_evenly_than_random_and_more_of_it_begins_with_the_fewer():
    search = "{optimizer.lr: {low: 0.0001, high: 1}, model.dropout: {low: 0, high: 0.9}}"

    def discrepancy(sampler):
        choices = params(spec_of(search, sampler, 64))
        return qmc.discrepancy([[one["optimizer.lr"], one["model.dropout"] / 0.9] for one in choices])

    assert discrepancy("qmc") < discrepancy("random") / 3
    assert params(spec_of(search, "qmc", 64))[:11] == params(spec_of(search, "qmc", 11))


def test_qmc_exhausts_a_finite_search_and_never_repeats():
    search = "{optimizer.lr: {values: [0.1, 0.2, 0.3]}, optimizer.name: {values: [sgd, momentum, adam]}}"
    choices = params(spec_of(search, "qmc", 9))
    assert sorted(map(canonical, choices)) == sorted(map(canonical, shuffled(spec_of(search, "qmc", 9))))
    assert params(parse(f"{HEAD}sampler: qmc\ntrials: 1\n")) == [{}]


def loss(params):
    """A bowl in the logarithm of the rate, lowest for adam at 0.03."""
    return (math.log10(params["optimizer.lr"]) + 1.5) ** 2 + (params["optimizer.name"] != "adam")


SEARCH = """{optimizer.name: {values: [sgd, momentum, adam]}, optimizer.lr: {low: 0.0001, high: 1, log: true},
  optimizer.momentum: {values: [0.5, 0.9]}, model.hidden_sizes: {values: [[8], [8, 8]]}}"""


def search_with(spec, rate=loss):
    records = []
    for number in range(spec.trials):
        choice = propose(spec, number, records)
        records.append(TrialRecord(number, choice, Outcome.OK, rate(choice)))
    return records


@pytest.mark.parametrize("sampler", LEARNING)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_learns_in_both_directions(sampler, direction):
    sign = 1 if direction == "minimize" else -1
    spec = spec_of(SEARCH, sampler, 40, objective=f"{{metric: val/loss, direction: {direction}}}")
    late = [sign * one.value for one in search_with(spec, lambda choice: sign * loss(choice))[20:]]
    blind = [loss(choice) for choice in params(spec_of(SEARCH, "random", 40))[20:]]
    assert sorted(late)[len(late) // 2] < sorted(blind)[len(blind) // 2]


@pytest.mark.parametrize("sampler", LEARNING)
def test_what_it_chooses_depends_on_what_it_is_told_alone(sampler):
    spec = spec_of(SEARCH, sampler, 16)
    records = search_with(spec)
    running = [TrialRecord(one.number, one.params) for one in records[12:]]
    choice = propose(spec, 16, records[:12] + running)
    assert choice == propose(spec, 16, list(reversed(records[:12] + running)))
    assert propose(replace(spec, seed=1), 16, records[:12]) != propose(spec, 16, records[:12])


def test_keys_that_do_not_exist_for_a_name_are_left_out_and_values_come_from_their_axis():
    spec = spec_of(SEARCH, "tpe", 60)
    for one in search_with(spec):
        assert ("optimizer.momentum" in one.params) == (one.params["optimizer.name"] == "momentum")
        assert one.params["model.hidden_sizes"] in ([8], [8, 8])
        assert 0.0001 <= one.params["optimizer.lr"] <= 1


def test_every_outcome_is_told_to_optuna_as_design_says(monkeypatch):
    added = []
    monkeypatch.setattr(optuna.Study, "add_trials", lambda self, trials: added.extend(trials))
    params = {"optimizer.name": "adam", "optimizer.lr": 0.1, "model.hidden_sizes": [8, 8]}
    outcomes = [
        (Outcome.OK, 0.5, 0), (Outcome.PRUNED, 0.9, 3), (Outcome.DIVERGED, None, 0), (Outcome.CRASHED, None, 0),
        (None, None, 0),
    ]  # fmt: skip
    propose(spec_of(SEARCH, "tpe", 20), 9, [TrialRecord(n, params, *result) for n, result in enumerate(outcomes)])
    assert [trial.state.name for trial in added] == ["COMPLETE", "PRUNED", "FAIL", "FAIL", "RUNNING"]
    assert added[0].value == 0.5 and added[1].intermediate_values == {3: 0.9}
    assert {trial.params["model.hidden_sizes"] for trial in added} == {1}


def test_a_finite_search_is_exhausted_without_repetition():
    search = "{optimizer.lr: {values: [0.1, 0.2, 0.3]}, optimizer.name: {values: [sgd, adam]}}"
    tried = [canonical(one.params) for one in search_with(spec_of(search, "tpe", 6))]
    assert len(set(tried)) == 6


def test_whole_numbers_stay_whole_and_ordered_lists_are_an_order():
    search = "{data.batch_size: {low: 8, high: 64, log: true}, trainer.max_epochs: {values: [2, 4, 8]}}"
    choices = [one.params for one in search_with(spec_of(search, "tpe", 30), lambda choice: choice["data.batch_size"])]
    assert all(type(one["data.batch_size"]) is int and 8 <= one["data.batch_size"] <= 64 for one in choices)
    assert {one["trainer.max_epochs"] for one in choices} == {2, 4, 8}
