"""The trials of coupled settings: every sampler draws each setting whole, and a run can be told by its setting."""

import json
from collections import Counter

import pytest

from sweeps.search import canonical, count, enumerate_trials, group_of, run_name, settings_of, trial_of
from sweeps.search.progress import Progress, StoredRun, winners
from sweeps.search.pruning import longest
from sweeps.search.samplers import TrialRecord, propose
from sweeps.spec import configuration, parse, to_yaml
from sweeps.spec.changes import extended
from tracking import schema
from tracking.schema import Outcome

SPEC = """
name: coupled
data: {name: digits}
search:
  network:
    settings:
      wide: {model.name: mlp, model.hidden_sizes: [99], optimizer.name: sgd, optimizer.lr: 0.5}
      deep: {model.name: mlp, model.hidden_sizes: [9, 9]}
      straight: {model.name: softmax_regression}
  model.activation: {values: [relu, tanh]}
  optimizer.eps: {values: [0.1, 0.2]}
"""
SETTINGS = {"wide": ("mlp", [99]), "deep": ("mlp", [9, 9]), "straight": ("softmax_regression", None)}
POSSIBLE = [
    *({"network": "wide", "model.activation": word} for word in ("relu", "tanh")),  # sgd has no eps
    *({"network": "deep", "model.activation": w, "optimizer.eps": e} for w in ("relu", "tanh") for e in (0.1, 0.2)),
    *({"network": "straight", "optimizer.eps": eps} for eps in (0.1, 0.2)),
]
"""Every configuration that there is: keys that a setting's model or optimizer does not have are left out."""


def spec_of(sampler, trials=None):
    return parse(f"{SPEC}sampler: {sampler}\n" + (f"trials: {trials}\n" if trials else ""))


def proposed(spec):
    """The trials of a sampler that learns, told that deep networks are best."""
    records = []
    for number in range(spec.trials):
        params = propose(spec, number, records)
        value = {"deep": 0.1, "wide": 0.5, "straight": 0.9}[params["network"]]
        records.append(TrialRecord(number, params, Outcome.OK, value))
    return [trial_of(spec, record.number, dict(record.params)) for record in records]


def trials_of(sampler, trials):
    spec = spec_of(sampler, trials)
    return proposed(spec) if sampler in ("tpe", "gp") else enumerate_trials(spec)


def sorted_texts(params):
    return sorted(map(canonical, params))


@pytest.mark.parametrize("sampler", ["grid", "random", "qmc", "tpe", "gp"])
def test_every_sampler_tries_each_configuration_once_and_each_setting_whole(sampler):
    trials = trials_of(sampler, None if sampler == "grid" else len(POSSIBLE))
    assert sorted_texts(trial.params for trial in trials) == sorted_texts(POSSIBLE)
    for trial in trials:
        model = trial.configuration["model"]
        assert (model["name"], model.get("hidden_sizes")) == SETTINGS[trial.params["network"]]
        rate = trial.configuration["optimizer"]["lr"]
        assert (
            (trial.configuration["optimizer"]["name"] == "sgd") == (rate == 0.5) == (trial.params["network"] == "wide")
        )


def test_the_grid_stands_in_the_order_of_the_spec():
    assert [trial.params for trial in enumerate_trials(spec_of("grid"))] == POSSIBLE
    assert count(spec_of("grid")) == (8, 8)


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_settings_beside_a_continuous_key_are_drawn_alike_often(sampler):
    text = SPEC.partition("  model.activation")[0] + "  data.label_noise: {low: 0, high: 0.5}\n"
    spec = parse(f"{text}sampler: {sampler}\ntrials: 60\n")
    trials = (
        [propose(spec, number, []) for number in range(60)]
        if sampler == "tpe"
        else [trial.params for trial in enumerate_trials(spec)]
    )
    settings = Counter(params["network"] for params in trials)
    assert set(settings) == set(SETTINGS) and min(settings.values()) >= 8, "20 each are to be expected"
    assert all(0 <= params["data.label_noise"] <= 0.5 for params in trials)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_sampler_that_learns_prefers_the_setting_that_was_better(sampler):
    text = SPEC.partition("  model.activation")[0] + "  data.label_noise: {low: 0, high: 0.5}\n"
    spec = parse(f"{text}sampler: {sampler}\ntrials: 30\n")
    values = {"deep": 0.1, "wide": 0.5, "straight": 0.9}
    records = [
        TrialRecord(number, {"network": name, "data.label_noise": number / 60}, Outcome.OK, values[name] + number / 1e3)
        for number, name in enumerate(["deep", "wide", "straight"] * 5)
    ]
    chosen = Counter(propose(spec, number, records)["network"] for number in range(15, 20))
    assert chosen["deep"] > 5 / 2


def test_a_trial_is_rebuilt_from_what_its_run_stores():
    spec = spec_of("tpe", 4)
    params = propose(spec, 0, [])
    trial = trial_of(spec, 0, params)
    stored = json.loads(json.dumps(params))
    again = parse(to_yaml(spec))
    progress = Progress(again)
    tags = {schema.TRIAL: "0", schema.SEED: "0", schema.OUTCOME: "ok", schema.PARAMS: json.dumps(stored)}
    progress.restore([StoredRun("run", 1, "FINISHED", tags, objective=0.5)])
    assert progress.trials[0] == trial and stored["network"] in SETTINGS
    assert settings_of(spec, trial.params) == {"network": params["network"]}


def test_runs_are_named_by_their_setting_and_grouped_by_what_they_train():
    trial = enumerate_trials(spec_of("grid"))[0]
    assert run_name(trial, 3) == "network wide · activation relu · seed 3"
    plain = parse(
        "{name: other, model: {name: mlp, hidden_sizes: [99]}, data: {name: digits}, optimizer: {name: sgd, lr: 0.5}}"
    )
    assert trial.group == group_of(configuration(plain)), "the same configuration, written without settings"


def test_each_setting_has_winners_of_its_own_to_confirm():
    spec = parse(f"{SPEC}confirm: {{per: network, top: 1, seeds: 5}}\n")
    assert count(spec) == (8, 8 + 3 * 5)
    progress = Progress(spec, enumerate_trials(spec))
    while slot := progress.take():
        progress.end(slot, Outcome.OK, objective=10.0 - slot.trial.number)
    best = {params["network"]: number for number, params in enumerate(POSSIBLE)}  # the last of each is the best
    assert winners(progress) == sorted(best.values())


def test_a_sweep_of_settings_can_be_extended():
    spec = spec_of("random", 3)
    more = extended(spec, {"trials": 2, "seeds": 1})
    assert (more.trials, more.seeds, more.search) == (5, 2, spec.search)
    assert enumerate_trials(more)[:3] == enumerate_trials(spec)


def test_a_pruner_knows_the_longest_of_coupled_trainings():
    text = "{name: a, model: {name: mlp}, data: {name: iris}, trainer: {max_epochs: 5}, pruner: median, search: "
    spec = parse(text + "{pace: {settings: {slow: {trainer.max_epochs: 40, optimizer.lr: 0.01}, quick: {}}}}}")
    assert longest(spec) == 40
    quick = parse(text + "{pace: {settings: {short: {trainer.max_epochs: 2}, quick: {}}}}}")
    assert longest(quick) == 5
