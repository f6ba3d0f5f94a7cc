"""Coupled settings: what may be written, what is refused in which words, and which configurations they stand for."""

import json

import pytest
import yaml
from good_sweep import problems

from analysis.runs.comparison import TAKEN as TAKEN_BY_PAGES
from sweeps.spec import FIELDS, Spec, check, configuration, parse, to_yaml
from sweeps.spec.coupled import TAKEN
from sweeps.spec.model import fixed_by

SETTINGS = {
    "wide": {"model.name": "mlp", "model.hidden_sizes": [99], "optimizer.lr": 0.1},
    "deep": {"model.name": "mlp", "model.hidden_sizes": [9, 9]},
    "straight": {"model.name": "softmax_regression"},
}

CLAIM = {"text": "Width helps.", "better": {"network": "wide"}, "than": {"network": "deep"}}


def written(settings=None, key="network", beside=None, **more):
    """A sweep as plain data that searches these settings, and what stands beside them."""
    search = {key: {"settings": SETTINGS if settings is None else settings}, **(beside or {})}
    return {"name": "equal", "data": {"name": "digits"}, "search": search, **more}


def with_model(settings, **more):
    return problems(written(settings, model={"name": "mlp"}, **more))


def test_each_setting_gives_its_keys_and_leaves_the_rest_to_the_sweep_or_the_default():
    spec = check(written(optimizer={"name": "adam", "lr": 0.5}))
    configurations = {name: configuration(spec, {"network": name}) for name in SETTINGS}
    assert configurations["wide"]["model"]["hidden_sizes"] == [99]
    assert configurations["deep"]["model"]["hidden_sizes"] == [9, 9]
    assert configurations["straight"]["model"]["name"] == "softmax_regression"
    assert "hidden_sizes" not in configurations["straight"]["model"]
    rates = {name: values["optimizer"]["lr"] for name, values in configurations.items()}
    assert rates == {"wide": 0.1, "deep": 0.5, "straight": 0.5}
    assert all("network" not in values for values in configurations.values()), "equal runs of any sweep are one group"


def test_a_setting_is_the_configuration_that_one_writes_without_it():
    coupled = configuration(check(written()), {"network": "wide"})
    plain = parse("{name: a, model: {name: mlp, hidden_sizes: [99]}, data: {name: digits}, optimizer: {lr: 0.1}}")
    assert coupled == configuration(plain)


@pytest.mark.parametrize(
    "raw",
    [
        written(),
        written({"a": {}, "b": {"trainer.max_epochs": 3, "schedule.name": "cosine"}}, model={"name": "mlp"}),
        written(beside={"model.activation": {"values": ["relu"]}, "pace": {"settings": {"x": {"data.batch_size": 8}}}}),
        written(confirm={"per": "network"}, claim=CLAIM),
        written({"a b": {"model.name": "mlp"}, "é-2": {"model.name": "softmax_regression"}}, key="größe"),
        written(sampler="tpe", trials=2),
    ],
)
def test_what_is_written_is_read_back_as_it_was(raw):
    spec = check(raw)
    assert parse(to_yaml(spec)) == spec and to_yaml(parse(to_yaml(spec))) == to_yaml(spec)
    assert yaml.safe_load(to_yaml(spec))["search"].keys() == raw["search"].keys()


def test_names_and_size_are_those_of_the_settings():
    spec = check(written(beside={"model.activation": {"values": ["relu", "tanh"]}}))
    assert spec.names("model") == ["mlp", "softmax_regression"] and spec.names("optimizer") == ["adam"]
    assert spec.size() == 2 + 2 + 1, "the straight network has no activation"
    with_own = check(written({"a": {"model.name": "lenet"}, "b": {"optimizer.lr": 0.1}}, model={"name": "mlp"}))
    assert with_own.names("model") == ["lenet", "mlp"]
    assert [fixed_by(names)["model.name"] for names in with_own.combinations()] == ["lenet", "mlp"]


def test_two_coupled_keys_are_a_product_and_beside_a_searched_name_too():
    pace = {"slow": {"optimizer.lr": 0.001, "trainer.max_epochs": 9}, "fast": {"optimizer.lr": 0.1}}
    spec = check(
        {
            "name": "two", "model": {"name": "mlp"}, "data": {"name": "digits"},
            "search": {
                "pace": {"settings": pace},
                "model.name": {"values": ["mlp", "softmax_regression"]},
                "penalty": {"settings": {"none": {}, "some": {"regularization.l2": 0.1, "regularization.l1": 0.1}}},
            },
        }
    )  # fmt: skip
    assert spec.size() == 8


@pytest.mark.parametrize(
    ("settings", "where", "words"),
    [
        ({}, "", "{} is not allowed; allowed: a mapping of names to settings"),
        (["a"], "", '["a"] is not allowed; allowed: a mapping of names to settings'),
        (
            {"a": None},
            ".a",
            "null is not allowed; allowed: a mapping of dotted keys to values",
        ),
        ({"a": {}, "b": {}}, "", "allowed: at least one setting that sets something"),
        ({1: {"optimizer.lr": 0.1}}, "", "1 is not allowed; allowed: for the name of a setting"),
        ({"None": {"optimizer.lr": 0.1}}, "", '"None" is not allowed; allowed: for the name of a setting'),
        ({"true": {"optimizer.lr": 0.1}}, "", '"true" is not allowed; allowed: for the name of a setting'),
        ({"12": {"optimizer.lr": 0.1}}, "", '"12" is not allowed; allowed: for the name of a setting'),
        ({"a": {"optimizer.lr": 0}}, ".a.optimizer.lr", "0 is not allowed; allowed: a number above 0"),
        (
            {"a": {"model.hiden_sizes": [3]}},
            ".a.model.hiden_sizes",
            "unknown key, given [3]; allowed for mlp: ",
        ),
        ({"a": {"modle.name": "mlp"}}, ".a.modle.name", 'unknown key, given "mlp"; allowed in a setting: model.name'),
        ({"a": {"model.name": "lenett"}}, ".a.model.name", '"lenett" is not allowed; allowed: linear_regression'),
        (
            {"a": {"model.name": "linear_regression"}},
            "",
            '"linear_regression" is not allowed; allowed: softmax_regression',
        ),
        (
            {"a": {"model.name": "softmax_regression", "model.hidden_sizes": [3]}},
            ".a.model.hidden_sizes",
            "unknown key, given [3]; allowed for softmax_regression: loss, initialization, init_std",
        ),
        (
            {"a": {"optimizer.lr": 0.1}, "b": {"optimizer.lr": 0.1}},
            "",
            '"b" is not allowed; allowed: settings that differ',
        ),
        ({"a": {"optimizer.lr": 0.001}, "b": {}}, "", '"b" is not allowed; allowed: settings that differ, as a stands'),
    ],
)
def test_a_wrong_setting_is_refused_by_its_place_its_value_and_what_is_allowed(settings, where, words):
    (sentence,) = with_model(settings)
    assert sentence.startswith(f"search.network.settings{where}: ") and words in sentence


def test_the_nearest_name_is_said():
    for settings, nearest in [
        ({"a": {"model.hiden_sizes": [3]}}, "hidden_sizes"),
        ({"a": {"modle.name": "mlp"}}, "model.name"),
        ({"a": {"model.name": "lenett"}}, "lenet"),
    ]:
        (sentence,) = with_model(settings)
        assert sentence.endswith(f"; did you mean {nearest}?")


def test_every_fault_of_every_setting_is_said():
    faults = with_model({"a": {"optimizer.lr": 0, "model.dropout": 2}, "b": {"data.batch_size": "some"}})
    keys = [sentence.partition(": ")[0].removeprefix("search.network.settings.") for sentence in faults]
    assert keys == ["a.optimizer.lr", "a.model.dropout", "b.data.batch_size"]


def test_a_key_is_set_in_one_place_only():
    setting = {"a": {"optimizer.lr": 0.1}, "b": {"optimizer.lr": 0.2}}
    (alone,) = with_model(setting, beside={"optimizer.lr": {"values": [0.1, 0.2]}})
    assert alone.startswith('search.network.settings.a: "optimizer.lr" is not allowed')
    assert "not searched beside network" in alone
    (twice,) = with_model(setting, beside={"pace": {"settings": setting}})
    assert twice.startswith('search.pace.settings.a: "optimizer.lr" is not allowed') and "network does not set" in twice


@pytest.mark.parametrize("key", ["optimizer.lr", "my network", "2nd", "a/b", "x" * 61, "_private", ""])
def test_an_odd_key_is_refused(key):
    (sentence,) = problems(written(key=key))
    assert sentence.startswith("search: ") and "without a dot, such as cell" in sentence


@pytest.mark.parametrize(
    "key", ["model", "seeds", "trial", "outcome", "Objective", "init_seed", "random_state", "api_key"]
)
def test_a_word_with_a_meaning_of_its_own_is_no_key(key):
    (sentence,) = problems(written(key=key))
    words = "for coupled settings, a word that means nothing else, such as cell"
    assert sentence == f'search: "{key}" is not allowed; allowed: {words}.'


def test_no_coupled_key_can_hide_a_column_or_a_key_of_a_sweep():
    keys = {name.partition(".")[0] for name in FIELDS} | set(Spec.__dataclass_fields__)
    assert TAKEN_BY_PAGES | keys <= TAKEN


def test_nothing_stands_beside_settings():
    (sentence,) = problems(written() | {"search": {"network": {"settings": SETTINGS, "values": [1]}}})
    assert sentence == "search.network.values: [1] is not allowed; allowed: nothing beside settings."


def test_a_model_that_only_settings_choose_need_not_be_written_and_else_must():
    assert check(written()).names("model") == ["mlp", "softmax_regression"]
    (sentence,) = problems(written({"a": {"model.name": "mlp"}, "b": {"optimizer.lr": 0.1}}))
    assert sentence.startswith("model.name: missing; ")


def test_data_and_models_that_are_coupled_need_fit_each_other_only():
    pairs = {
        "a": {"data.name": "noisy_curve", "model.name": "linear_regression"},
        "b": {"data.name": "iris", "model.name": "softmax_regression"},
    }
    raw = {"name": "pairs", "search": {"pair": {"settings": pairs}}}
    assert check(raw).size() == 2
    pairs["b"] = pairs["b"] | {"model.name": "linear_regression"}
    (sentence,) = problems(raw)
    assert sentence.startswith('search.pair.settings: "linear_regression" is not allowed; allowed: softmax_regression')
    assert "for data iris" in sentence


def test_claims_and_confirm_name_settings():
    spec = check(written(claim=CLAIM, confirm={"per": "network", "seeds": 3}))
    assert (spec.claim[0].better, spec.claim[0].than) == ({"network": "wide"}, {"network": "deep"})
    (unknown,) = problems(written(claim=CLAIM | {"than": {"network": "narrow"}}))
    assert (
        unknown == 'claim.than.network: "narrow" is not allowed; allowed: what the search tries: wide, deep, straight.'
    )
    activation = {"model.activation": {"values": ["relu", "tanh"]}}
    than = {"network": "straight", "model.activation": "relu"}
    (impossible,) = problems(written(claim=CLAIM | {"than": than}, beside=activation))
    assert impossible.startswith("claim.than: ") and "values that one configuration of the sweep can have" in impossible


def test_old_sweeps_have_no_settings():
    spec = parse("{name: a, model: {name: mlp}, data: {name: iris}, search: {optimizer.lr: {values: [0.1, 0.2]}}}")
    assert spec.settings == {} and json.dumps(configuration(spec, {"optimizer.lr": 0.2})).count("0.2") >= 1
