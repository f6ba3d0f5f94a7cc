"""What a sweep may not say, and the one exact sentence that answers it."""

import copy

import pytest
from good_sweep import CLAIM, changed, claimed, problems, searched

from sweeps.spec import (
    SpecError,
    check,
)

OPTIMIZERS = "sgd, momentum, nesterov, rmsprop, adam, adamw, adagrad"

MODELS = "linear_regression, logistic_regression, softmax_regression, perceptron, mlp, lenet, gcn, gru, rnn_lm, seq2seq"

AXIS = "{values: [...]} or {low: ..., high: ..., log: true or false, steps: ...}"

ONE = "a whole number of 1 or more"

EPOCHS = "a whole number from 1 to 100,000"

SIZES = "a list of whole numbers, each from 1 to 65,536, such as [64]"

STEPS = "a whole number from 2 to 1,000"

ALL_KEYS = (
    "name, question, experiment, model, data, optimizer, schedule, regularization, trainer, record, keep, search, "
    "sampler, trials, pruner, confirm, seeds, seed, vary, replicate, objective, claim, workers"
)

DATA_FIELDS = "shift, imbalance, label_noise, standardize, input_noise, train_size, validation_fraction, batch_size"

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
    (changed(record={"region": False}),
     "record.region: unknown key, given false; allowed under record: layers, regions, replicate, predictions, "
     "translations, references; did you mean regions?"),
    (changed(record={"layers": "sometimes"}), 'record.layers: "sometimes" is not allowed; allowed: true or false.'),
    (changed(record=False), "record: false is not allowed; allowed: a mapping such as {layers: true}."),
    # Unknown names
    (changed(model__name="mpl"), f'model.name: "mpl" is not allowed; allowed: {MODELS}; did you mean mlp?'),
    (changed(data__name="diggits"),
     'data.name: "diggits" is not allowed; allowed: digits, breast_cancer, diabetes, iris, wine, moons, circles, '
     "spirals, xor, blobs, noisy_curve, csv_regression, csv_classification, idx, image_folder, logic_gate, "
     "karate_club, label_sets, parity, labelled_lines, text_file, reverse; "
     "did you mean digits?"),
    (changed(optimizer__name="Adamm", search=None),
     f'optimizer.name: "Adamm" is not allowed; allowed: {OPTIMIZERS}; did you mean adam?'),
    (changed(schedule={"name": "cosinus"}),
     'schedule.name: "cosinus" is not allowed; allowed: constant, inverse_time, step, exponential, cosine, range_test, '
     "linear, cosine_steps, noam; did you mean cosine?"),
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


def test_a_billion_trials_are_refused_without_being_listed():
    # Listing them would run into the test's time limit, and fill the memory before.
    fields = ("optimizer.lr", "regularization.l1", "regularization.l2")
    axis = {"low": 0.001, "high": 1, "steps": 1000}
    assert problems(changed(search=dict.fromkeys(fields, axis))) == [
        "search: 1,000,000,000 trials x 3 seeds are 3,000,000,000 runs, which is not allowed; "
        "allowed: at most 100,000 runs."
    ]


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
