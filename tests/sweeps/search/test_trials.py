"""From a sweep to its trials."""

import itertools
import json
import math
from collections import Counter

import pytest

from sweeps.search import (
    CONFIRM_SEEDS,
    count,
    count_text,
    enumerate_trials,
    flatten,
    group_of,
    run_name,
    seeds_for,
    trials_from_json,
    trials_to_json,
)
from sweeps.spec import FIELDS, check
from tracking.configurations import parse_value

BASE = {"name": "a sweep", "model": {"name": "mlp"}, "data": {"name": "digits"}}


def sweep(search, **more):
    return check({**BASE, **more, "search": search})


def values(trials, key):
    return [trial.params[key] for trial in trials]


LR = {"low": 1e-4, "high": 1.0, "log": True, "steps": 5}
CONDITIONAL = {
    "optimizer.name": {"values": ["sgd", "momentum", "rmsprop", "adam"]},
    "optimizer.lr": LR,
    "optimizer.betas": {"values": [[0.9, 0.999], [0.5, 0.9]]},
    "optimizer.momentum": {"values": [0.5, 0.9, 0.99]},
    "model.dropout": {"values": [0.0, 0.5]},
}


def test_a_grid_is_the_product_in_the_order_of_the_spec():
    first, second, third = [0.1, 0.01], ["tanh", "relu"], [True, False]
    spec = sweep(
        {
            "optimizer.lr": {"values": first},
            "model.activation": {"values": second},
            "data.standardize": {"values": third},
        }
    )
    trials = enumerate_trials(spec)
    assert [tuple(trial.params.values()) for trial in trials] == list(itertools.product(first, second, third))
    assert [trial.number for trial in trials] == list(range(8))
    one = trials[3].configuration
    assert (one["optimizer"]["lr"], one["model"]["activation"], one["data"]["standardize"]) == (0.1, "relu", False)


def test_without_a_search_there_is_one_trial():
    (trial,) = enumerate_trials(sweep({}))
    assert trial.params == {} and trial.configuration["optimizer"]["name"] == "adam"


def test_linear_and_log_steps():
    spaced = enumerate_trials(sweep({"model.dropout": {"low": 0, "high": 0.8, "steps": 5}}))
    assert values(spaced, "model.dropout") == [0.0, 0.2, 0.4, 0.6, 0.8]
    by_log = values(
        enumerate_trials(sweep({"optimizer.lr": {"low": 1e-4, "high": 1, "log": True, "steps": 9}})), "optimizer.lr"
    )
    assert by_log[::2] == [1e-4, 1e-3, 1e-2, 1e-1, 1.0]  # exactly, so that 0.001 hashes like a written 0.001
    assert by_log == pytest.approx([10 ** (-4 + k / 2) for k in range(9)])


def test_whole_number_ranges_are_rounded_and_tried_once():
    spec = sweep({"trainer.max_epochs": {"low": 1, "high": 8, "log": True, "steps": 10}})
    epochs = values(enumerate_trials(spec), "trainer.max_epochs")
    assert epochs == [1, 2, 3, 4, 5, 6, 8] and all(type(value) is int for value in epochs)
    spec = sweep({"model.init_std": {"low": 1, "high": 3, "steps": 9, "integer": True}})
    assert values(enumerate_trials(spec), "model.init_std") == [1.0, 2.0, 3.0]


def brute_force(search, names_with):
    """The distinct configurations of the whole product in the order in which it first meets them."""
    configurations = {}
    for chosen in itertools.product(*search.values()):
        params = dict(zip(search, chosen, strict=True))
        name = params["optimizer.name"]
        configuration = {key: value for key, value in params.items() if name in names_with.get(key, [name])}
        configurations.setdefault(json.dumps(configuration, sort_keys=True), configuration)
    return list(configurations.values())


def test_keys_that_a_name_does_not_have_are_left_out_and_equal_configurations_tried_once():
    spec = sweep(CONDITIONAL)
    plain = {key: list(axis.points) for key, axis in spec.search.items()}
    expected = brute_force(plain, {"optimizer.betas": ["adam"], "optimizer.momentum": ["momentum"]})
    trials = enumerate_trials(spec)
    assert [trial.params for trial in trials] == expected
    assert len({trial.group for trial in trials}) == len(trials)
    assert count(spec) == (len(expected), len(expected)) and len(expected) == (1 + 3 + 1 + 2) * 5 * 2
    assert all(
        ("betas" in trial.configuration["optimizer"]) == (trial.params["optimizer.name"] == "adam") for trial in trials
    )


def test_counting_agrees_with_listing():
    for search in (
        {},
        CONDITIONAL,
        {"model.name": {"values": ["mlp", "softmax_regression"]}, "model.dropout": {"values": [0.0, 0.5]}},
        {"data.name": {"values": ["moons", "xor"]}, "data.noise": {"values": [0.1, 0.2]}, "optimizer.lr": LR},
    ):
        spec = sweep(search, seeds=3)
        assert count(spec) == (len(enumerate_trials(spec)), 3 * len(enumerate_trials(spec)))


@pytest.mark.parametrize(
    "search",
    [
        {"optimizer.lr": {"low": 1e-4, "high": 1.0, "log": True}},
        {
            "optimizer.name": {"values": ["sgd", "adam"]},
            "optimizer.betas": {"values": [[0.9, 0.99], [0.5, 0.9]]},
            "optimizer.lr": LR,
        },
        {"trainer.max_epochs": {"low": 1, "high": 100_000, "log": True}, "data.batch_size": {"low": 1, "high": 1000}},
    ],
)
def test_random_search_repeats_itself_exactly_and_only_with_its_seed(search):
    def drawn(trials, seed):
        return [trial.params for trial in enumerate_trials(sweep(search, sampler="random", trials=trials, seed=seed))]

    assert drawn(12, 3) == drawn(12, 3)
    assert drawn(12, 3) != drawn(12, 4)
    assert drawn(12, 3)[:5] == drawn(5, 3)


@pytest.mark.parametrize("trials", [1, 30, 70])
def test_random_search_never_draws_a_configuration_twice(trials):
    spec = sweep(CONDITIONAL, sampler="random", trials=trials, seed=1)
    drawn = enumerate_trials(spec)
    assert len({trial.group for trial in drawn}) == len(drawn) == trials == count(spec)[0]


def test_random_search_can_draw_all_there_is():
    listed = {trial.group for trial in enumerate_trials(sweep(CONDITIONAL))}
    spec = sweep(CONDITIONAL, sampler="random", trials=len(listed))
    assert {trial.group for trial in enumerate_trials(spec)} == listed


def test_random_search_draws_each_key_evenly():
    # sgd has one configuration, adam a thousand: half of the first draws are sgd's all the same.
    search = {
        "optimizer.name": {"values": ["sgd", "adam"]},
        "optimizer.eps": {"low": 1e-8, "high": 1e-2, "log": True, "steps": 1000},
    }
    first = [
        enumerate_trials(sweep(search, sampler="random", trials=1, seed=seed))[0].params["optimizer.name"]
        for seed in range(200)
    ]
    assert 70 < Counter(first)["sgd"] < 130  # 100 expected, four standard deviations are 28


def test_random_ranges_are_covered_evenly_on_their_own_scale():
    spec = sweep(
        {"optimizer.lr": {"low": 1e-4, "high": 1.0, "log": True}, "model.dropout": {"low": 0.0, "high": 0.5}},
        sampler="random",
        trials=2000,
    )
    trials = enumerate_trials(spec)
    for shares in (
        [(math.log10(lr) + 4) / 4 for lr in values(trials, "optimizer.lr")],
        [dropout / 0.5 for dropout in values(trials, "model.dropout")],
    ):
        assert all(0 <= share <= 1 for share in shares)
        # Kolmogorov's distance of an even sample stays below 1.95 / sqrt(n) but once in a thousand; the seed is fixed.
        distance = max(abs(share - (k + 0.5) / 2000) for k, share in enumerate(sorted(shares)))
        assert distance < 1.95 / math.sqrt(2000)


def test_random_whole_numbers_include_both_ends_as_often_as_others():
    for integers in ({"low": 1, "high": 4}, {"low": 1, "high": 4, "steps": 4}):
        drawn = Counter(
            enumerate_trials(sweep({"trainer.max_epochs": integers}, sampler="random", trials=1, seed=seed))[0].params[
                "trainer.max_epochs"
            ]
            for seed in range(400)
        )
        assert set(drawn) == {1, 2, 3, 4} and min(drawn.values()) > 60


def test_whole_numbers_beside_a_continuous_key_include_both_ends_as_often_as_others():
    for bounds in ({"low": 1, "high": 4}, {"low": 1, "high": 4, "log": True}):
        search = {"trainer.max_epochs": bounds, "optimizer.lr": {"low": 0.1, "high": 1.0}}
        trials = enumerate_trials(sweep(search, sampler="random", trials=2000))
        drawn = Counter(values(trials, "trainer.max_epochs"))
        if "log" in bounds:
            expected = [math.log((n + 0.5) / (n - 0.5)) / math.log(4.5 / 0.5) for n in (1, 2, 3, 4)]
        else:
            expected = [0.25] * 4
        # four standard deviations of a share of 2000 draws are at most 0.045
        assert [drawn[n] / 2000 for n in (1, 2, 3, 4)] == pytest.approx(expected, abs=0.045)


def test_a_very_narrow_range_still_gives_many_trials():
    spec = sweep({"optimizer.lr": {"low": 0.1, "high": 0.1000002}}, sampler="random", trials=3000)
    rates = values(enumerate_trials(spec), "optimizer.lr")
    assert len(set(rates)) == 3000 and all(0.1 <= lr <= 0.1000002 for lr in rates)


def test_a_group_is_its_configuration_and_phase_and_nothing_else():
    search = {"optimizer.lr": {"values": [0.1, 1]}}
    base = [trial.group for trial in enumerate_trials(sweep(search))]
    same = sweep(
        {"optimizer.lr": {"values": [1.0, "1e-1"]}},
        name="another", question="why?", experiment="elsewhere", seeds=7, seed=3, workers=1, vary=["init"],
        model={"name": "mlp", "hidden_sizes": [64]},
    )  # fmt: skip
    assert [trial.group for trial in enumerate_trials(same)] == base[::-1]
    drawn = sweep({**search}, sampler="random", trials=2)
    assert {trial.group for trial in enumerate_trials(drawn)} == set(base)
    for other in (
        {"data": {"name": "digits", "batch_size": 32}},
        {"trainer": {"max_epochs": 21}},
        {"schedule": {"name": "cosine"}},
    ):
        assert not set(base) & {trial.group for trial in enumerate_trials(sweep(search, **other))}
    assert all(len(group) == 12 and int(group, 16) >= 0 for group in base)


def test_the_group_ignores_seeds_and_the_order_of_keys_but_not_the_phase():
    configuration = enumerate_trials(sweep({}))[0].configuration
    shuffled = {key: configuration[key] for key in reversed(configuration)}
    assert group_of({**shuffled, "seeds": {"data": 1}}) == group_of(configuration)
    assert group_of(configuration, "confirm") != group_of(configuration)


def test_trials_survive_json():
    trials = enumerate_trials(sweep(CONDITIONAL))
    assert trials_from_json(trials_to_json(trials)) == trials
    assert trials_from_json(trials_to_json([])) == []


def test_seeds_vary_together_or_as_the_spec_says():
    assert seeds_for(sweep({}, seeds=4), 3) == {"data": 3, "init": 3, "order": 3}
    assert seeds_for(sweep({}, seeds=4, vary=["order", "init"]), 3) == {"data": 0, "init": 3, "order": 3}


def test_initialisations_are_nested_in_data_sets():
    spec = sweep({}, replicate={"datasets": 4, "inits": 3})
    seeds = [seeds_for(spec, k) for k in range(spec.seeds)]
    assert Counter(slot["data"] for slot in seeds) == dict.fromkeys(range(4), 3)
    assert [slot["init"] for slot in seeds] == [slot["order"] for slot in seeds] == list(range(12))
    assert [slot["data"] for slot in seeds[:4]] == [0, 1, 2, 3], "every data set is seen once before any again"


def test_more_initialisations_keep_the_seeds_of_the_fewer():
    few, many = (sweep({}, replicate={"datasets": 4, "inits": inits}) for inits in (2, 5))
    assert [seeds_for(few, k) for k in range(8)] == [seeds_for(many, k) for k in range(8)]


def test_no_run_of_a_search_has_a_seed_of_a_confirm_run():
    assert FIELDS["seeds"].maximum <= CONFIRM_SEEDS
    assert sweep({}, replicate={"datasets": 2, "inits": 500}).seeds <= CONFIRM_SEEDS


def test_replicated_trials_are_groups_of_their_own_whose_params_say_so():
    search = {"optimizer.lr": {"values": [0.1, 1]}}
    plain = enumerate_trials(sweep(search, seeds=6))
    replicated = enumerate_trials(sweep(search, replicate={"datasets": 3, "inits": 2}))
    assert not {trial.group for trial in plain} & {trial.group for trial in replicated}
    flat = flatten(replicated[0].configuration)
    assert (flat.pop("replicate.datasets"), flat.pop("replicate.inits")) == ("3", "2")
    assert flat == flatten(plain[0].configuration)
    assert trials_from_json(trials_to_json(replicated)) == replicated


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"seeds": 3}, "2 trials x 3 seeds = 6 runs"),
        ({"replicate": {"datasets": 8, "inits": 4}}, "2 trials x 8 data sets x 4 initialisations = 64 runs"),
        ({"replicate": {"datasets": 500, "inits": 1}}, "2 trials x 500 data sets x 1 initialisation = 1,000 runs"),
    ],
)
def test_runs_are_counted_in_words(more, text):
    assert count_text(sweep({"optimizer.lr": {"values": [0.1, 1]}}, **more)) == text


@pytest.mark.parametrize(
    ("search", "name"),
    [
        ({}, "mlp · seed 2"),
        ({"optimizer.name": {"values": ["adam"]}, "optimizer.lr": {"values": [0.01]}}, "adam · lr 0.01 · seed 2"),
        ({"optimizer.lr": {"values": [0.000316227766017]}}, "lr 0.0003162 · seed 2"),
        ({"model.hidden_sizes": {"values": [[64, 32]]}, "data.standardize": {"values": [False]}},
         "hidden_sizes [64, 32] · standardize false · seed 2"),
        ({"data.train_size": {"values": [None]}, "model.activation": {"values": ["tanh"]}},
         "train_size null · activation tanh · seed 2"),
    ],
)  # fmt: skip
def test_runs_are_named_by_what_is_searched(search, name):
    assert run_name(enumerate_trials(sweep(search))[0], 2) == name


def test_params_are_the_configuration_whole_and_read_back():
    configuration = {**enumerate_trials(sweep({}))[0].configuration, "seeds": {"data": 1, "init": 2, "order": 3}}
    flat = flatten(configuration)
    assert flat["model.hidden_sizes"] == "[64]" and flat["data.standardize"] == "true" and flat["model.name"] == "mlp"
    assert flat["data.train_size"] == "null" and flat["optimizer.lr"] == "0.001" and flat["seeds.order"] == "3"
    for key, text in flat.items():
        section, _, field = key.partition(".")
        assert parse_value(text) == (configuration[section][field] if field else configuration[section])
