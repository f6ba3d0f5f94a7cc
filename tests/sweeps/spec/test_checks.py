"""What a sweep may say, and what is read from it."""

from dataclasses import FrozenInstanceError, asdict
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import yaml
from good_sweep import CLAIM, GOOD, changed, problems, searched

from sweeps.catalogue.entries import LATER_FIELDS
from sweeps.search import group_of
from sweeps.spec import (
    FIELDS,
    Confirm,
    Objective,
    Replicate,
    Spec,
    check,
    configuration,
    default_workers,
    parse,
    to_yaml,
)
from sweeps.spec import checks as spec_module


def test_the_example_is_read_whole():
    spec = parse(GOOD)
    assert spec.name == spec.experiment == "optimizers-on-digits"
    assert spec.model == {"name": "mlp", "hidden_sizes": [64], "activation": "relu"}
    assert spec.names("optimizer") == ["sgd", "momentum", "rmsprop", "adam"]
    assert (spec.seeds, spec.workers, spec.sampler, spec.vary) == (3, 2, "grid", ("data", "init", "order"))
    assert asdict(spec.objective) == {"metric": "val/loss", "direction": "minimize", "at": "last"}
    with pytest.raises(FrozenInstanceError):
        spec.seeds = 4


def test_little_is_enough():
    spec = check({"name": "one", "model": {"name": "mlp"}, "data": {"name": "digits"}})
    assert spec.optimizer == {"name": "adam"} and spec.schedule == {"name": "constant"}
    assert spec.search == {} and spec.seeds == 1 and spec.workers == default_workers()


def test_a_configuration_holds_every_field_of_every_section():
    whole = configuration(parse(GOOD), {"optimizer.name": "momentum", "optimizer.lr": 0.1})
    catalogue = spec_module.load()
    assert whole["optimizer"] == {"name": "momentum", "lr": 0.1, "momentum": 0.9}
    assert set(whole["model"]) == {"name", *catalogue.models["mlp"].fields} - LATER_FIELDS
    assert set(whole["data"]) == {"name", *catalogue.datasets["digits"].fields}
    assert set(whole["trainer"]) == set(catalogue.sections["trainer"])
    assert set(whole["regularization"]) == set(catalogue.sections["regularization"])
    assert whole["keep"] == "best" and whole["objective"]["at"] == "last" and "seeds" not in whole
    assert whole["model"]["hidden_sizes"] == [64]
    assert whole["model"]["dropout"] == catalogue.models["mlp"].fields["dropout"].default


def test_a_field_that_came_later_is_left_out_at_its_default_so_that_groups_keep_their_hash():
    plain, written = configuration(parse(GOOD)), configuration(check(changed(model__loss="auto")))
    assert "loss" not in plain["model"] and group_of(plain) == group_of(written)
    assert configuration(check(changed(model__loss="hinge")))["model"]["loss"] == "hinge"
    assert configuration(parse(GOOD), {"model.loss": "auto"})["model"]["loss"] == "auto", "searched, it is shown"


def test_a_configuration_does_not_share_lists_with_the_spec():
    spec = parse(GOOD)
    configuration(spec)["model"]["hidden_sizes"].append(1)
    configuration(spec)["optimizer"]["betas"].append(1)
    assert configuration(spec)["model"]["hidden_sizes"] == [64]
    assert len(configuration(spec)["optimizer"]["betas"]) == 2


@pytest.mark.parametrize(
    "raw",
    [
        changed(),
        changed(schedule={"name": "cosine", "warmup_epochs": 2}, vary=["init"], seed=7, experiment="no", keep="none"),
        changed(sampler="random", trials=5, search={"optimizer.lr": {"low": 1e-4, "high": 1.0, "log": True}}),
        changed(sampler="tpe", trials=9, pruner="hyperband", confirm={"top": 2, "per": "optimizer.name", "seeds": 4}),
        changed(confirm={}),
        changed(search={"data.batch_size": {"values": ["full", 1]}, "model.hidden_sizes": {"values": [[], [8, 8]]}}),
        changed(search={"trainer.max_epochs": {"low": 1, "high": 64, "log": True, "steps": 7}}, workers=None),
        changed(objective={"metric": "val/error", "at": "best"}, name="größer: ist 'besser'", question="yes"),
        {"name": "1e3", "model": {"name": "mlp"}, "data": {"name": "digits"}},
        changed(replicate={"datasets": 5, "inits": 2}, seeds=None),
        changed(replicate={"datasets": 3, "inits": 1}, seeds=3, sampler="tpe", trials=9),
        changed(record={"regions": False, "layers": True}),
        changed(claim=CLAIM),
        changed(claim=[CLAIM, {**CLAIM, "metric": "time/train_s", "direction": "maximize", "margin": 0.5}]),
        changed(claim=CLAIM, objective={"metric": "val/error", "direction": "maximize"}),
    ],
)
def test_written_and_read_again_it_is_the_same(raw):
    spec = check(raw)
    assert parse(to_yaml(spec)) == spec
    assert check(yaml.safe_load(to_yaml(spec))) == spec  # any other YAML reader finds the same in it


@pytest.mark.parametrize("text", ["1e-3", "'1e-3'", "1.0e-3", "0.001", ".001", "1E-3", "+1e-3"])
def test_numbers_are_read_as_people_write_them(text):
    spec = parse(GOOD.replace("lr: 1.0e-3", f"lr: {text}"))
    assert spec.optimizer["lr"] == 0.001 and isinstance(spec.optimizer["lr"], float)


def test_whole_numbers_and_floats_have_one_spelling():
    trainer = {"max_epochs": 2e1, "precision": "32"}
    spec = check(changed(optimizer__lr=1, trainer=trainer, model__hidden_sizes=[64.0, "32"]))
    assert repr(spec.optimizer["lr"]) == "1.0" and repr(spec.trainer["max_epochs"]) == "20"
    assert repr(spec.model["hidden_sizes"]) == "[64, 32]" and repr(spec.trainer["precision"]) == "32"


@pytest.mark.parametrize(("written", "read"), [("cuda:1", "cuda:1"), ("cuda:01", "cuda:1"), ("cuda", "cuda")])
def test_a_gpu_can_be_named_by_its_number(written, read):
    spec = check(changed(trainer__device=written))
    assert spec.trainer["device"] == configuration(spec)["trainer"]["device"] == read
    assert parse(to_yaml(spec)) == spec
    several = check(changed(search={"trainer.device": {"values": ["cpu", written]}}))
    assert several.search["trainer.device"].points == ["cpu", read]


@pytest.mark.parametrize(
    ("device", "gpus", "workers"),
    [("auto", 3, 3), ("cuda", 3, 3), ("cuda:1", 3, 1), ("mps", 0, 1), ("cpu", 3, 6), ("auto", 0, 6)],
)
def test_by_default_there_is_one_worker_a_gpu(device, gpus, workers, monkeypatch):
    monkeypatch.setattr("sweeps.spec.options.gpus", lambda: gpus)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: range(6), raising=False)
    few = {key: value for key, value in changed(trainer__device=device).items() if key != "workers"}
    assert check(few).workers == workers
    assert "workers" not in to_yaml(check(few))
    assert check({**few, "workers": 7}).workers == 7


def test_a_field_of_one_of_the_searched_names_is_allowed_and_left_out_for_the_others():
    spec = check(changed(optimizer={"name": "adam", "betas": [0.5, 0.9]}))
    assert configuration(spec, {"optimizer.name": "adam"})["optimizer"]["betas"] == [0.5, 0.9]
    assert "betas" not in configuration(spec, {"optimizer.name": "sgd"})["optimizer"]


def test_replicates_take_the_place_of_seeds():
    spec = check(changed(replicate={"datasets": "4", "inits": 3.0}, seeds=None))
    assert (spec.seeds, spec.replicate.runs, spec.vary) == (12, 12, ("data", "init", "order"))
    assert "seeds" not in yaml.safe_load(to_yaml(spec)) and "replicate: {datasets: 4, inits: 3}" in to_yaml(spec)
    assert check(changed(replicate={"datasets": 4, "inits": 3}, seeds=12)) == spec
    assert check(changed(replicate={}, seeds=None)).seeds == 32, "the defaults, as with confirm"
    assert check({**changed(), "replicate": None}) == check(changed())


def test_only_a_replicated_configuration_says_so():
    settings = configuration(check(changed(replicate={"datasets": 4, "inits": 3}, seeds=None)))
    assert settings.pop("replicate") == {"datasets": 4, "inits": 3}
    assert settings == configuration(check(changed()))


def test_only_recorders_that_are_turned_off_stand_in_a_configuration():
    settings = configuration(check(changed(record={"regions": False, "layers": True})))
    assert settings.pop("record") == {"regions": False}
    for record in (None, {}, {"layers": True}):
        assert configuration(check({**changed(), "record": record})) == settings, "the group keeps its hash"


def test_recorders_are_nothing_to_search():
    (sentence,) = problems(searched("record.layers", {"values": [True, False]}))
    assert sentence.startswith("search.record.layers: unknown key, ") and "record" not in sentence.partition(";")[2]


def test_what_has_no_default_must_be_given():
    data = {"name": "csv_regression", "target": "quality"}
    assert problems(changed(data=data)) == [
        "data.path: missing; allowed: text that is not empty (in quotes if it looks like a number): the file with the "
        "table, its path as seen from the data folder; it may be packed with gzip."
    ]
    assert problems(changed(data=data | {"path": " "})) == [
        'data.path: " " is not allowed; allowed: text that is not empty (in quotes if it looks like a number).'
    ]
    assert check(changed(data=data | {"path": "wine.csv"})).data["path"] == "wine.csv"
    raw = searched("data.path", {"values": ["red.csv", "white.csv"]}, data=data)
    assert configuration(check(raw), {"data.path": "red.csv"})["data"]["path"] == "red.csv"


def test_what_another_of_the_names_that_are_tried_needs_must_be_given_too():
    raw = searched("data.name", {"values": ["digits", "image_folder"]})
    assert [problem.partition(":")[0] for problem in problems(raw)] == ["data.path"]


def test_where_the_files_decide_between_tasks_a_model_must_fit_one_of_them():
    data = {"name": "csv_classification", "path": "a.csv", "target": "b"}
    for name in ("logistic_regression", "softmax_regression", "mlp"):
        assert check(changed(data=data, model={"name": name}))
    (problem,) = problems(changed(data=data, model={"name": "linear_regression"}))
    assert problem.endswith(" for data csv_classification, which is binary or multiclass.")


def test_values_are_checked_for_every_name_that_has_the_field():
    # nesterov's momentum must be above 0, that of plain momentum need not
    search = {"optimizer.name": {"values": ["momentum", "nesterov"]}, "optimizer.momentum": {"values": [0, 0.9]}}
    assert problems(changed(search=search)) == [
        "search.optimizer.momentum.values: 0 is not allowed; allowed: a number above 0 and below 1."
    ]
    search["optimizer.name"] = {"values": ["momentum", "sgd"]}
    assert check(changed(search=search)).search["optimizer.momentum"].values == (0.0, 0.9)


@pytest.mark.parametrize("key", FIELDS)
def test_what_a_field_lets_through_has_the_type_that_the_sweep_declares(key):
    """A sweep checks nothing of what it holds, so its types have to be those of the fields."""
    section, _, name = key.rpartition(".")
    owner = {"": Spec, "objective": Objective, "confirm": Confirm, "replicate": Replicate}[section]
    hint, field = get_type_hints(owner)[name], FIELDS[key]
    kinds = {hint} if get_origin(hint) is Literal or isinstance(hint, type) else set(get_args(hint))
    assert (type(None) in kinds) == (field.optional or field.default is None)
    (kind,) = kinds - {type(None)}
    if get_origin(kind) is Literal:
        assert field.type == "choice" and get_args(kind) == field.choices
    else:
        values = [*field.choices, field.default] if field.type == "choice" else [{"int": 0, "str": ""}[field.type]]
        assert {type(value) for value in values} == {kind}


def test_every_field_of_a_sweep_can_take_its_default_and_has_help():
    for key, field in FIELDS.items():
        assert field.help.endswith("."), key
        if field.default is not None and key != "name":
            assert field.check(key, field.default) == field.default
