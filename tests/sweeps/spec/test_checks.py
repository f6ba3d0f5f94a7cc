"""What a sweep may say, and the sentence that answers what it may not."""

import copy
from dataclasses import FrozenInstanceError, asdict
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import yaml

from sweeps.spec import (
    FIELDS,
    Confirm,
    Objective,
    Replicate,
    Spec,
    SpecError,
    check,
    configuration,
    default_workers,
    parse,
    to_yaml,
)
from sweeps.spec import checks as spec_module

GOOD = """
name: optimizers-on-digits
question: Which optimizer reaches the lowest validation loss, each at its own best learning rate?
model: {name: mlp, hidden_sizes: [64], activation: relu}
data: {name: digits, batch_size: 64}
optimizer: {name: adam, lr: 1.0e-3}
regularization: {l1: 0.0, l2: 0.0}
trainer: {max_epochs: 20, device: auto, precision: 32}
keep: best               # weights: best, none
search:
  optimizer.name: {values: [sgd, momentum, rmsprop, adam]}
  optimizer.lr: {low: 1.0e-4, high: 1.0, log: true, steps: 9}
sampler: grid
pruner: none
seeds: 3
objective: {metric: val/loss, direction: minimize}
workers: 2
"""
OPTIMIZERS = "sgd, momentum, nesterov, rmsprop, adam, adamw, adagrad"
MODELS = "linear_regression, logistic_regression, softmax_regression, perceptron, mlp, lenet"
AXIS = "{values: [...]} or {low: ..., high: ..., log: true or false, steps: ...}"
ONE = "a whole number of 1 or more"
EPOCHS = "a whole number from 1 to 100,000"
SIZES = "a list of whole numbers, each from 1 to 65,536, such as [64]"
STEPS = "a whole number from 2 to 1,000"


def changed(**changes):
    """The good sweep as plain data, with `section__key=value` replaced; None drops the key."""
    raw = yaml.safe_load(GOOD)
    for path, value in changes.items():
        *sections, key = path.split("__")
        place = raw
        for section in sections:
            place = place[section]
        if value is None:
            del place[key]
        else:
            place[key] = value
    return raw


def searched(key, axis, **changes):
    """The good sweep searching this key alone."""
    raw = changed(**changes)
    raw["search"] = {key: axis}
    return raw


CLAIM = {
    "text": "Adam is better than plain gradient descent.",
    "better": {"optimizer.name": "adam"},
    "than": {"optimizer.name": "sgd", "optimizer.lr": 0.0001},
}


def claimed(**changes):
    """The good sweep with a claim that differs from the good one in these keys; None drops the key."""
    return changed(claim={key: value for key, value in {**CLAIM, **changes}.items() if value is not None})


def problems(raw):
    with pytest.raises(SpecError) as caught:
        parse(raw) if isinstance(raw, str) else check(raw)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


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
    assert set(whole["model"]) == {"name", *catalogue.models["mlp"].fields}
    assert set(whole["data"]) == {"name", *catalogue.datasets["digits"].fields}
    assert set(whole["trainer"]) == set(catalogue.sections["trainer"])
    assert set(whole["regularization"]) == set(catalogue.sections["regularization"])
    assert whole["keep"] == "best" and whole["objective"]["at"] == "last" and "seeds" not in whole
    assert whole["model"]["hidden_sizes"] == [64]
    assert whole["model"]["dropout"] == catalogue.models["mlp"].fields["dropout"].default


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


ALL_KEYS = (
    "name, question, experiment, model, data, optimizer, schedule, regularization, trainer, keep, search, sampler, "
    "trials, pruner, confirm, seeds, seed, vary, replicate, objective, claim, workers"
)
DATA_FIELDS = "shift, imbalance, train_size, validation_fraction, label_noise, standardize, batch_size, input_noise"
METRICS = "val/loss, val/error, train_eval/loss, train_eval/error, train/loss"
SIDE = "a mapping of searched keys to values, such as {optimizer.name: adam}"

REFUSED = [
    # Unknown keys, at every level
    (changed(modle=3), f"modle: unknown key, given 3; allowed at the top: {ALL_KEYS}; did you mean model?"),
    (changed(confirm=3), "confirm: 3 is not allowed; allowed: a mapping such as {top: 1, seeds: 10}."),
    (changed(confirm={"tpo": 1}),
     "confirm.tpo: unknown key, given 1; allowed under confirm: top, per, seeds; did you mean top?"),
    (changed(confirm={"seeds": 0}), "confirm.seeds: 0 is not allowed; allowed: a whole number from 1 to 1,000."),
    (changed(confirm={"per": "optimizer.nam"}),
     'confirm.per: "optimizer.nam" is not allowed; allowed: a searched key with listed values (optimizer.name, '
     "optimizer.lr), or nothing; did you mean optimizer.name?"),
    (changed(confirm={"per": "optimizer.lr"}, sampler="random", trials=5,
             search={"optimizer.lr": {"low": 0.1, "high": 1}}),
     'confirm.per: "optimizer.lr" is not allowed; allowed: a searched key with listed values (there is none), or '
     "nothing."),
    (changed(api_token="hunter2"), f"api_token: unknown key, given ••••; allowed at the top: {ALL_KEYS}."),
    (changed(data__batchsize=8),
     f"data.batchsize: unknown key, given 8; allowed for digits: {DATA_FIELDS}; did you mean batch_size?"),
    (changed(optimizer={"name": "sgd", "betas": [0.9, 0.9]}, search=None),
     "optimizer.betas: unknown key, given [0.9, 0.9]; allowed for sgd: lr."),
    (changed(trainer__epochs=3),
     "trainer.epochs: unknown key, given 3; allowed under trainer: max_epochs, device, precision, gradient_clip_val; "
     "did you mean max_epochs?"),
    (changed(objective__metrics="val/loss"),
     'objective.metrics: unknown key, given "val/loss"; allowed under objective: metric, direction, at; '
     "did you mean metric?"),
    (searched("optimizer.lr", {"values": [1], "stepz": 3}),
     "search.optimizer.lr.stepz: unknown key, given 3; allowed for a searched key: values, low, high, log, steps, "
     "integer; did you mean steps?"),
    (searched("optimizer.alpha", {"values": [0.9]}),
     "search.optimizer.alpha: unknown key, given {values: [0.9]}; allowed for adam: lr, betas, eps."),
    # Unknown names
    (changed(model__name="mpl"), f'model.name: "mpl" is not allowed; allowed: {MODELS}; did you mean mlp?'),
    (changed(data__name="diggits"),
     'data.name: "diggits" is not allowed; allowed: digits, breast_cancer, diabetes, iris, wine, moons, circles, '
     "spirals, xor, blobs, noisy_curve, csv_regression, csv_classification, idx, image_folder, logic_gate; "
     "did you mean digits?"),
    (changed(optimizer__name="Adamm", search=None),
     f'optimizer.name: "Adamm" is not allowed; allowed: {OPTIMIZERS}; did you mean adam?'),
    (changed(schedule={"name": "cosinus"}),
     'schedule.name: "cosinus" is not allowed; allowed: constant, inverse_time, step, exponential, cosine, range_test; '
     "did you mean cosine?"),
    (searched("optimizer.name", {"values": ["adam", "adamm"]}),
     f'search.optimizer.name.values: "adamm" is not allowed; allowed: {OPTIMIZERS}; did you mean adam?'),
    (changed(model__activation="rellu"),
     'model.activation: "rellu" is not allowed; allowed: identity, sigmoid, tanh, relu, leaky_relu, prelu, gelu; '
     "did you mean relu?"),
    (changed(sampler="tpee"), 'sampler: "tpee" is not allowed; allowed: grid, random, qmc, tpe, gp; did you mean tpe?'),
    (changed(sampler="tpe", search={}, trials=1),
     'sampler: "tpe" is not allowed; allowed: grid where nothing is searched, as tpe has no choice.'),
    (changed(pruner="mean"), 'pruner: "mean" is not allowed; allowed: none, median, hyperband; did you mean median?'),
    (changed(objective__metric="test/loss"),
     f'objective.metric: "test/loss" is not allowed; allowed: {METRICS}; did you mean train/loss?'),
    (changed(vary=["init", "ordr"]),
     'vary: ["init", "ordr"] is not allowed; allowed: a list of data, init, order, each at most once; '
     "did you mean order?"),
    (changed(vary=["init", "init"]),
     'vary: ["init", "init"] is not allowed; allowed: a list of data, init, order, each at most once.'),
    (changed(vary=[]), "vary: [] is not allowed; allowed: a list of data, init, order, each at most once."),
    # Replicates, and what contradicts them
    (changed(replicate=[8, 4]),
     "replicate: [8, 4] is not allowed; allowed: a mapping such as {datasets: 8, inits: 4}."),
    (changed(replicate={"dataset": 8}, seeds=32),
     "replicate.dataset: unknown key, given 8; allowed under replicate: datasets, inits; did you mean datasets?"),
    (changed(replicate={"datasets": 1, "inits": 3}, seeds=24),
     "replicate.datasets: 1 is not allowed; allowed: a whole number from 2 to 1,000."),
    (changed(replicate={"datasets": 2, "inits": 0}, seeds=8),
     "replicate.inits: 0 is not allowed; allowed: a whole number from 1 to 1,000."),
    (changed(replicate={"datasets": 501, "inits": 2}, seeds=None),
     "replicate: {datasets: 501, inits: 2} is not allowed; allowed: at most 1,000 runs of each trial, datasets times "
     "inits."),
    (changed(replicate={"datasets": 4, "inits": 2}),
     "seeds: 3 is not allowed; allowed: 8, as replicate makes datasets times inits, or nothing."),
    (changed(replicate={"datasets": 4, "inits": 2}, seeds=8, vary=["init"]),
     'vary: ["init"] is not allowed; allowed: nothing beside replicate, which says what differs between runs.'),
    (changed(replicate={"datasets": 4, "inits": 2}, seeds=8, pruner="median"),
     'pruner: "median" is not allowed; allowed: none beside replicate, which needs all runs of every trial.'),
    (changed(replicate={"datasets": 4, "inits": 2}, seeds=8, confirm={"top": 1}),
     "confirm: {top: 1} is not allowed; allowed: nothing beside replicate, whose runs are alike for every trial."),
    (changed(replicate={"datasets": 500, "inits": 2}, seeds=None, sampler="random", trials=101,
             search={"optimizer.lr": {"low": 0.1, "high": 1}}),
     "search: 101 trials x 500 data sets x 2 initialisations are 101,000 runs, which is not allowed; allowed: at most "
     "100,000 runs."),
    # Claims
    (changed(claim="adam"),
     'claim: "adam" is not allowed; allowed: a mapping with text, better and than, or a list of them.'),
    (changed(claim=[]), "claim: [] is not allowed; allowed: a mapping with text, better and than, or a list of them."),
    (changed(claim=[CLAIM, 3]),
     "claim.2: 3 is not allowed; allowed: a mapping with text, better and than, or a list of them."),
    (claimed(txt="a"),
     'claim.txt: unknown key, given "a"; allowed under claim: text, better, than, metric, direction, margin; '
     "did you mean text?"),
    (claimed(text=None), "claim.text: missing; allowed: text that says what is claimed."),
    (claimed(text=" "),
     'claim.text: " " is not allowed; allowed: text that is not empty (in quotes if it looks like a number).'),
    (claimed(better=None), f"claim.better: missing; allowed: {SIDE}."),
    (claimed(than={}), f"claim.than: {{}} is not allowed; allowed: {SIDE}."),
    (claimed(better={"optimizer.nam": "adam"}),
     'claim.better.optimizer.nam: unknown key, given "adam"; allowed among the searched keys: optimizer.name, '
     "optimizer.lr; did you mean optimizer.name?"),
    (claimed(better={"model.dropout": 0.0}),
     "claim.better.model.dropout: unknown key, given 0.0; allowed among the searched keys: optimizer.name, "
     "optimizer.lr."),
    (claimed(better={"optimizer.name": "adamw"}),
     'claim.better.optimizer.name: "adamw" is not allowed; allowed: what the search tries: sgd, momentum, rmsprop, '
     "adam."),
    (claimed(than={"optimizer.lr": 0.5}),
     "claim.than.optimizer.lr: 0.5 is not allowed; allowed: what the search tries: 0.0001, 0.000316227766017, 0.001, "
     "0.00316227766017, 0.01, 0.0316227766017, 0.1, 0.316227766017, 1.0."),
    (claimed(than={"optimizer.name": "adam"}),
     'claim.than: {optimizer.name: "adam"} is not allowed; allowed: values that no configuration of better has.'),
    (claimed(than={"optimizer.lr": 0.1}),
     "claim.than: {optimizer.lr: 0.1} is not allowed; allowed: values that no configuration of better has."),
    (claimed(metric="test/loss"),
     f'claim.metric: "test/loss" is not allowed; allowed: {METRICS}, reg/penalty, time/train_s, opt/grad_norm, '
     "opt/update_norm, opt/param_norm, opt/steps; did you mean train/loss?"),
    (claimed(direction="up"), 'claim.direction: "up" is not allowed; allowed: minimize, maximize.'),
    (claimed(margin=0), "claim.margin: 0 is not allowed; allowed: a number above 0 or null."),
    (changed(claim=[CLAIM, {**CLAIM, "margin": float("inf")}]),
     "claim.2.margin: inf is not allowed; allowed: a number above 0 or null."),
    # Missing
    (changed(name=None), "name: missing; allowed: text that says what the sweep is called."),
    (changed(name="  "), "name: missing; allowed: text that says what the sweep is called."),
    (changed(model=None), f"model.name: missing; allowed: {MODELS}."),
    (changed(model__name=None), f"model.name: missing; allowed: {MODELS}."),
    # Wrong types and values out of range
    (changed(model="mlp"), 'model: "mlp" is not allowed; allowed: a mapping such as {name: linear_regression}.'),
    (changed(search=["lr"]),
     'search: ["lr"] is not allowed; allowed: a mapping such as {optimizer.lr: {values: [0.01, 0.1]}}.'),
    (changed(name=7), "name: 7 is not allowed; allowed: text (in quotes if it looks like a number)."),
    (changed(name="a\x1b[2Jb"), 'name: "a\\u001b[2Jb" is not allowed; allowed: at most 200 printable characters.'),
    (changed(name=["a"]), 'name: ["a"] is not allowed; allowed: text (in quotes if it looks like a number).'),
    (changed(trainer__max_epochs=True), f"trainer.max_epochs: true is not allowed; allowed: {EPOCHS}."),
    (changed(trainer__max_epochs=2.5), f"trainer.max_epochs: 2.5 is not allowed; allowed: {EPOCHS}."),
    (changed(optimizer__lr=True), "optimizer.lr: true is not allowed; allowed: a number above 0."),
    (changed(optimizer__lr="fast"), 'optimizer.lr: "fast" is not allowed; allowed: a number above 0.'),
    (changed(optimizer__lr=0), "optimizer.lr: 0 is not allowed; allowed: a number above 0."),
    (changed(optimizer__lr=float("nan")), "optimizer.lr: NaN is not allowed; allowed: a number above 0."),
    (changed(optimizer__lr=float("inf")), "optimizer.lr: inf is not allowed; allowed: a number above 0."),
    (changed(optimizer__lr="nan"), 'optimizer.lr: "nan" is not allowed; allowed: a number above 0.'),
    (changed(data__standardize=1), "data.standardize: 1 is not allowed; allowed: true or false."),
    (changed(data__batch_size="ful"), f'data.batch_size: "ful" is not allowed; allowed: full or {ONE}.'),
    (changed(data__batch_size=0), f"data.batch_size: 0 is not allowed; allowed: full or {ONE}."),
    (changed(data__train_size="all"), f'data.train_size: "all" is not allowed; allowed: {ONE} or null.'),
    (changed(model__dropout=1), "model.dropout: 1 is not allowed; allowed: a number of 0 or more and below 1."),
    (changed(model__hidden_sizes=64),
     f"model.hidden_sizes: 64 is not allowed; allowed: {SIZES}."),
    (changed(model__hidden_sizes=[64, 0]),
     f"model.hidden_sizes: [64, 0] is not allowed; allowed: {SIZES}."),
    (changed(optimizer__betas=[0.9]),
     "optimizer.betas: [0.9] is not allowed; allowed: a list of 2 numbers, each 0 or more and below 1, "
     "such as [0.9, 0.999]."),
    (changed(regularization__l2=-1), "regularization.l2: -1 is not allowed; allowed: a number of 0 or more."),
    (changed(trainer__precision=16), "trainer.precision: 16 is not allowed; allowed: 32, 64, bf16-mixed, 16-mixed."),
    (changed(trainer__device="cuda1"),
     'trainer.device: "cuda1" is not allowed; allowed: auto, cpu, cuda, cuda:N, mps; did you mean cuda?'),
    (changed(trainer__device="cuda:-1"),
     'trainer.device: "cuda:-1" is not allowed; allowed: auto, cpu, cuda, cuda:N, mps; did you mean cuda?'),
    (changed(trainer__device="cpu:1"),
     'trainer.device: "cpu:1" is not allowed; allowed: auto, cpu, cuda, cuda:N, mps; did you mean cpu?'),
    (changed(seeds=0), "seeds: 0 is not allowed; allowed: a whole number from 1 to 1,000."),
    (changed(seeds=True), "seeds: true is not allowed; allowed: a whole number from 1 to 1,000."),
    (changed(seed=-1), "seed: -1 is not allowed; allowed: a whole number from 0 to 4,294,967,295."),
    (changed(workers=65), "workers: 65 is not allowed; allowed: a whole number from 1 to 64."),
    # Values to try
    (searched("optimizer.lr", 0.1), f"search.optimizer.lr: 0.1 is not allowed; allowed: {AXIS}."),
    (searched("optimizer.lr", [0.1, 0.2]), f"search.optimizer.lr: [0.1, 0.2] is not allowed; allowed: {AXIS}."),
    (searched("optimizer.lr", {}), f"search.optimizer.lr: {{}} is not allowed; allowed: {AXIS}."),
    (searched("optimizer.lr", {"values": []}),
     "search.optimizer.lr.values: [] is not allowed; allowed: a list of at least one value, each a number above 0."),
    (searched("optimizer.lr", {"values": [0.1, 0.2, "1e-1"]}),
     'search.optimizer.lr.values: "1e-1" is not allowed; allowed: every value once.'),
    (searched("optimizer.name", {"values": ["sgd", "sgd"]}),
     'search.optimizer.name.values: "sgd" is not allowed; allowed: every value once.'),
    (searched("optimizer.lr", {"values": [0.1, float("nan")]}),
     "search.optimizer.lr.values: NaN is not allowed; allowed: a number above 0."),
    (searched("optimizer.lr", {"values": [0.1], "log": True}),
     "search.optimizer.lr.log: true is not allowed; allowed: nothing beside values."),
    # Ranges
    (searched("optimizer.lr", {"low": float("nan"), "high": 1, "steps": 3}),
     "search.optimizer.lr.low: NaN is not allowed; allowed: a number above 0."),
    (searched("optimizer.lr", {"low": 0.1, "high": float("inf"), "steps": 3}),
     "search.optimizer.lr.high: inf is not allowed; allowed: a number above 0."),
    (searched("optimizer.lr", {"high": 1, "steps": 3}), "search.optimizer.lr.low: missing; allowed: a number above 0."),
    (searched("optimizer.lr", {"low": 1, "high": 1, "steps": 3}),
     "search.optimizer.lr.low: 1.0 is not allowed; allowed: a number below high, which is 1.0, "
     "by more than a millionth."),
    (searched("optimizer.lr", {"low": 2, "high": 1, "steps": 3}),
     "search.optimizer.lr.low: 2.0 is not allowed; allowed: a number below high, which is 1.0, "
     "by more than a millionth."),
    (searched("model.dropout", {"low": 0, "high": 0.5, "log": True, "steps": 3}),
     "search.model.dropout.low: 0.0 is not allowed; allowed: a number above 0, as log is true."),
    (searched("optimizer.lr", {"low": 0.1, "high": 1}),
     f"search.optimizer.lr.steps: missing; allowed: {STEPS} for a range in a grid, or values instead of low and high."),
    (searched("optimizer.lr", {"low": 0.1, "high": 1, "steps": 1}),
     f"search.optimizer.lr.steps: 1 is not allowed; allowed: {STEPS}."),
    (searched("optimizer.lr", {"low": 0.1, "high": 1, "steps": 3, "log": "yes"}),
     'search.optimizer.lr.log: "yes" is not allowed; allowed: true or false.'),
    (searched("model.activation", {"low": 0, "high": 1, "steps": 2}),
     "search.model.activation: {low: 0, high: 1, steps: 2} is not allowed; allowed: {values: [...]}, each identity, "
     "sigmoid, tanh, relu, leaky_relu, prelu, gelu."),
    (searched("data.batch_size", {"low": "full", "high": 64, "steps": 2}),
     'search.data.batch_size.low: "full" is not allowed; allowed: a whole number of 1 or more.'),
    (searched("trainer.max_epochs", {"low": 1, "high": 9, "steps": 2, "integer": False}),
     "search.trainer.max_epochs.integer: false is not allowed; allowed: true, as it takes whole numbers."),
    # Samplers and sizes
    (changed(trials=5), "trials: 5 is not allowed; allowed: none for sampler grid, which tries every combination."),
    (changed(sampler="random"), "trials: missing; allowed: a whole number from 1 to 100,000 for sampler random."),
    (changed(sampler="gp"), "trials: missing; allowed: a whole number from 1 to 100,000 for sampler gp."),
    (changed(sampler="random", trials=10**9), f"trials: 1000000000 is not allowed; allowed: {EPOCHS}."),
    (changed(sampler="random", trials=37),
     "trials: 37 is not allowed; allowed: at most 36, as the search holds no more configurations."),
    (changed(sampler="random", trials=60_000, seeds=2, search={"optimizer.lr": {"low": 0.1, "high": 1}}),
     "search: 60,000 trials x 2 seeds are 120,000 runs, which is not allowed; allowed: at most 100,000 runs."),
    # Model and data that do not fit
    (changed(model={"name": "linear_regression"}),
     'model.name: "linear_regression" is not allowed; allowed: softmax_regression, mlp, lenet for data digits, '
     "which is multiclass."),
    (searched("data.name", {"values": ["digits", "diabetes"]}, model={"name": "softmax_regression"}),
     'model.name: "softmax_regression" is not allowed; allowed: linear_regression, mlp for data diabetes, '
     "which is regression."),
    (searched("model.name", {"values": ["mlp", "logistic_regression"]}, model=None),
     'search.model.name: "logistic_regression" is not allowed; allowed: softmax_regression, mlp, lenet for '
     "data digits, which is multiclass."),
]  # fmt: skip


def test_replicates_take_the_place_of_seeds():
    spec = check(changed(replicate={"datasets": "4", "inits": 3.0}, seeds=None))
    assert (spec.seeds, spec.replicate.runs, spec.vary) == (12, 12, ("data", "init", "order"))
    assert "seeds" not in yaml.safe_load(to_yaml(spec)) and "replicate: {datasets: 4, inits: 3}" in to_yaml(spec)
    assert check(changed(replicate={"datasets": 4, "inits": 3}, seeds=12)) == spec
    assert check(changed(replicate={}, seeds=None)).seeds == 32, "the defaults, as with confirm"
    assert check({**changed(), "replicate": None}) == check(changed())


def test_only_a_replicated_configuration_says_so():
    own = configuration(check(changed(replicate={"datasets": 4, "inits": 3}, seeds=None)))
    assert own.pop("replicate") == {"datasets": 4, "inits": 3}
    assert own == configuration(check(changed()))


def test_a_claim_is_judged_like_the_sweep_unless_it_says_otherwise():
    highest = {"metric": "val/error", "direction": "maximize"}
    (claim,) = check(changed(claim=CLAIM, objective=highest)).claim
    assert (claim.metric, claim.direction, claim.margin) == ("val/error", "maximize", None)
    (claim,) = check(changed(claim={**CLAIM, "metric": "val/loss"}, objective=highest)).claim
    assert (claim.metric, claim.direction) == ("val/loss", "minimize")
    (claim,) = check(claimed(direction="maximize", margin="1e-2", text="  one\n  line ")).claim
    assert (claim.direction, claim.margin, claim.text) == ("maximize", 0.01, "one line")
    with pytest.raises(FrozenInstanceError):
        claim.margin = 1.0


def test_a_claim_is_no_part_of_a_configuration():
    assert configuration(check(changed(claim=CLAIM))) == configuration(check(changed()))
    assert check({**changed(), "claim": None}) == check(changed()) and check(changed()).claim == ()


@pytest.mark.parametrize(
    ("axis", "written", "read"),
    [
        ({"low": 0.001, "high": 0.1, "log": True, "steps": 3}, "1e-2", 0.01),
        ({"low": 1e-4, "high": 1.0, "log": True, "steps": 9}, 10**-3.5, 0.000316227766017),
        ({"values": [1, 0.1]}, 1, 1.0),
    ],
)
def test_a_claim_holds_the_values_that_the_search_tries(axis, written, read):
    others = [value for value in check(searched("optimizer.lr", axis)).search["optimizer.lr"].points if value != read]
    side = {"optimizer.lr": written}
    raw = searched("optimizer.lr", axis, claim={**CLAIM, "better": side, "than": {"optimizer.lr": others[0]}})
    (claim,) = check(raw).claim
    assert repr(claim.better["optimizer.lr"]) == repr(read)


def test_within_a_range_without_steps_a_claim_may_name_any_value():
    search = {"optimizer.lr": {"low": 0.1, "high": 1}, "data.batch_size": {"low": 8, "high": 64}}
    raw = changed(search=search, sampler="random", trials=5)
    for key, inside, outside in (("optimizer.lr", 0.3, 2), ("data.batch_size", 9, 8.5)):
        assert check({**raw, "claim": {"text": "a", "better": {key: inside}, "than": {key: search[key]["low"]}}})
        (sentence,) = problems({**raw, "claim": {"text": "a", "better": {key: inside}, "than": {key: outside}}})
        assert sentence.startswith(f"claim.than.{key}: {outside} is not allowed; allowed: a ")
        assert f"number from {search[key]['low']}" in sentence


def test_words_lists_and_nothing_are_values_too():
    search = {
        "model.hidden_sizes": {"values": [[8], [8, 8]]}, "data.train_size": {"values": [None, 100]},
        "data.batch_size": {"values": ["full", 64]}, "data.standardize": {"values": [True, False]},
    }  # fmt: skip
    raw = changed(search=search)
    for key, axis in search.items():
        one, other = axis["values"]
        (claim,) = check({**raw, "claim": {"text": "a", "better": {key: one}, "than": {key: other}}}).claim
        assert (claim.better, claim.than) == ({key: one}, {key: other})
    sides = {"better": {"data.standardize": 1}, "than": {"data.batch_size": 64}}
    (sentence,) = problems({**raw, "claim": {"text": "a", **sides}})
    assert sentence.startswith("claim.better.data.standardize: 1 is not allowed; allowed: what the search tries: true")


def test_the_two_sides_of_a_claim_are_runs_that_there_are():
    search = {
        "optimizer.name": {"values": ["sgd", "momentum"]}, "optimizer.momentum": {"values": [0.5, 0.9]},
    }  # fmt: skip
    sides = {"better": {"optimizer.momentum": 0.9}, "than": {"optimizer.name": "sgd"}}
    assert check(changed(search=search, claim={"text": "a", **sides})), "sgd has no momentum, so they share nothing"
    sides["better"] = {"optimizer.momentum": 0.9, "optimizer.name": "sgd"}
    assert problems(changed(search=search, claim={"text": "a", **sides})) == [
        'claim.better: {optimizer.momentum: 0.9, optimizer.name: "sgd"} is not allowed; allowed: values that one '
        "configuration of the sweep can have."
    ]


def test_where_nothing_is_searched_there_is_nothing_to_claim():
    assert [sentence.rpartition("; ")[2] for sentence in problems(changed(claim=CLAIM, search=None))] == [
        "allowed among the searched keys: none."
    ] * 3


def test_what_has_no_default_must_be_given():
    own = {"name": "csv_regression", "target": "quality"}
    assert problems(changed(data=own)) == [
        "data.path: missing; allowed: text that is not empty (in quotes if it looks like a number): the file with the "
        "table, its path as seen from the data folder; it may be packed with gzip."
    ]
    assert problems(changed(data=own | {"path": " "})) == [
        'data.path: " " is not allowed; allowed: text that is not empty (in quotes if it looks like a number).'
    ]
    assert check(changed(data=own | {"path": "wine.csv"})).data["path"] == "wine.csv"
    raw = searched("data.path", {"values": ["red.csv", "white.csv"]}, data=own)
    assert configuration(check(raw), {"data.path": "red.csv"})["data"]["path"] == "red.csv"


def test_what_another_of_the_names_that_are_tried_needs_must_be_given_too():
    raw = searched("data.name", {"values": ["digits", "image_folder"]})
    assert [problem.partition(":")[0] for problem in problems(raw)] == ["data.path"]


def test_where_the_files_decide_between_tasks_a_model_must_fit_one_of_them():
    own = {"name": "csv_classification", "path": "a.csv", "target": "b"}
    for name in ("logistic_regression", "softmax_regression", "mlp"):
        assert check(changed(data=own, model={"name": name}))
    (problem,) = problems(changed(data=own, model={"name": "linear_regression"}))
    assert problem.endswith(" for data csv_classification, which is binary or multiclass.")


@pytest.mark.parametrize(("raw", "sentence"), REFUSED)
def test_what_is_wrong_is_said_in_one_exact_sentence(raw, sentence):
    assert problems(raw) == [sentence]


def test_a_searched_key_needs_its_section():
    (sentence,) = problems(searched("optimizer", {"values": ["adam"]}))
    assert sentence.startswith('search.optimizer: unknown key, given {values: ["adam"]}; allowed under search: ')
    (sentence,) = problems(searched("optimiser.lr", {"values": [0.1]}))
    assert sentence.endswith("; did you mean optimizer.lr?") and "regularization.l1" in sentence
    (sentence,) = problems(searched("keep", {"values": ["best"]}))
    assert sentence.startswith("search.keep: unknown key")


def test_enormous_numbers_are_refused_like_others():
    (sentence,) = problems(changed(trainer__max_epochs=10**400))
    assert sentence.endswith("... is not allowed; allowed: a whole number from 1 to 100,000.") and len(sentence) < 200
    (sentence,) = problems(changed(optimizer__lr=10**400))
    assert sentence.startswith("optimizer.lr: 1000") and sentence.endswith("allowed: a number above 0.")


def test_several_faults_are_all_named_the_first_few_shown():
    raw = changed(seeds=0, workers=0, seed=-1, keep="all", model__activation="r", optimizer__lr=-1, trainer__device=0)
    with pytest.raises(SpecError) as caught:
        check(raw)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "keep", "seeds", "seed", "workers", "model.activation", "optimizer.lr", "trainer.device",
    ]  # fmt: skip
    assert str(caught.value).split("\n") == [*caught.value.problems[:5], "... and 2 more."]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "sweep: it is empty; allowed: keys such as name, model, data and search."),
        ("# nothing\n", "sweep: it is empty; allowed: keys such as name, model, data and search."),
        ("{}", "sweep: it is empty; allowed: keys such as name, model, data and search."),
        ("- name: a\n- name: b", "sweep: a list is not allowed; allowed: keys such as name, model, data and search."),
        ("mlp", 'sweep: the single value "mlp" is not allowed; allowed: keys such as name, model, data and search.'),
        ("name: a\nname: b", 'line 2: the key "name" is written twice; allowed: once.'),
        ("model:\n  name: a\n  name: b", 'line 3: the key "name" is written twice; allowed: once.'),
        ("name: a\nmodel:\n\tname: mlp", "line 3, column 1: a tab is not allowed; allowed: spaces to indent."),
        ("name: &n a\nquestion: *n", "line 2: the alias *n is not allowed; allowed: the value itself."),
        ("? [a, b]\n: 1", 'line 1: ["a", "b"] is not allowed as a key; allowed: text.'),
        ("name: \x00", "sweep: it holds a character that YAML does not know; allowed: plain text."),
        ("a: " + "[" * 3000, "line 1: nested too deeply; allowed: at most 20 levels."),
        ("a: " + "x" * 300_000, "sweep: 300,003 characters are not allowed; allowed: at most 256 KiB."),
        ("seeds: !!int x", "sweep: it holds a value that cannot be read; allowed: text, numbers, lists."),
    ],
)  # fmt: skip
def test_what_is_no_mapping_in_yaml_is_refused(text, sentence):
    assert problems(text) == [sentence]


@pytest.mark.parametrize(
    "text", ["name: [", "a: b: c", "name: 'a", "name: a\n model: b", "--- a\n--- b", "a: !!python/name:os.system x"]
)
def test_broken_yaml_is_refused_with_its_line(text):
    (sentence,) = problems(text)
    assert sentence.startswith("line ") and "not YAML" in sentence


def test_an_alias_bomb_is_refused_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert problems("\n".join(lines)) == ["line 2: the alias *a0 is not allowed; allowed: the value itself."]


def test_yaml_has_no_traps():
    text = GOOD.replace("name: optimizers-on-digits", "name: 2026-01-01\nseed: 010")
    spec = parse(text.replace("seeds: 3", "seeds: 1_0"))
    assert (spec.name, spec.seed, spec.seeds) == ("2026-01-01", 10, 10)


def test_a_billion_trials_are_refused_without_being_listed():
    # Listing them would run into the test's time limit, and fill the memory before.
    fields = ("optimizer.lr", "regularization.l1", "regularization.l2")
    axis = {"low": 0.001, "high": 1, "steps": 1000}
    assert problems(changed(search=dict.fromkeys(fields, axis))) == [
        "search: 1,000,000,000 trials x 3 seeds are 3,000,000,000 runs, which is not allowed; "
        "allowed: at most 100,000 runs."
    ]


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


ODD = [
    None, True, 0, -1, 1e308, float("nan"), 10**30, "", "x", "1e999", "._", "\x1b[0m", "x" * 5000, [], [[]], [None],
    ["a", "a"], {}, {"a": 1}, {None: 1}, {("t",): b"bytes"}, {"values": {}}, {"values": [[1]]}, {"low": 1, "high": 2},
    {"low": 1e-320, "high": 1e308, "log": True, "steps": 5}, {"name": ["mlp"]}, {"name": {}},
]  # fmt: skip


def places(value, path=()):
    """The path to everything within plain data."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(value[key], (*path, key))


def more():
    """The good sweep with what it leaves out."""
    raw = changed(schedule={"name": "step", "gamma": 0.5}, replicate={"datasets": 4, "inits": 2}, seeds=8)
    raw["claim"] = [copy.deepcopy({**CLAIM, "metric": "val/loss", "direction": "minimize", "margin": 1})]
    return raw


@pytest.mark.parametrize("path", list(places(more())), ids=lambda path: ".".join(map(str, path)))
def test_whatever_stands_anywhere_the_answer_is_a_sweep_or_sentences(path):
    for odd in ODD:
        raw = place = more()
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = odd
        try:
            check(raw)
        except SpecError as error:
            for sentence in error.problems:
                assert sentence.isprintable() and sentence[-1] in ".?" and len(sentence) < 1000
                assert "allowed" in sentence and "pydantic" not in sentence


def test_wherever_the_text_ends_the_answer_is_a_sweep_or_sentences():
    for end in range(0, len(GOOD), 5):
        try:
            parse(GOOD[:end])
        except SpecError as error:
            assert error.problems


def test_text_that_steers_the_page_is_written_as_escapes_and_read_as_it_was():
    spec = check(changed(question="Which \u202elearning\u200b rate \U000e0041wins, עברית?"))
    text = to_yaml(spec)
    assert not {"\u202e", "\u200b", "\U000e0041"} & set(text) and "עברית" in text
    assert parse(text) == spec and check(yaml.safe_load(text)) == spec
