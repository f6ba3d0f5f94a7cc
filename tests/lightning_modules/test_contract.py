"""What every model must keep to, whichever it is."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_map

from learning_tasks import IGNORED, Batch
from learning_tasks.graphs import Graph
from learning_tasks.language import Pair, Tokens
from lightning_modules import MODELS, Recipe
from lightning_modules.blocks.activations import ACTIVATIONS

INPUT_SHAPE = (1, 6, 5)
OUTPUTS = {"regression": 1, "binary": 1, "multiclass": 3, "multilabel": 3, "node_classification": 3}
TOKENS = 7
"""The size of vocabularies."""
DIMS = {
    "image": {"input_shape": INPUT_SHAPE},
    "vector": {"input_shape": INPUT_SHAPE},
    "tokens": {"vocab_size": TOKENS},
    "sequence_pair": {"source_vocab_size": TOKENS, "target_vocab_size": TOKENS, "vocab_size": TOKENS},
    "graph": {"num_features": 4},
}
"""What a model knows of data, by what they give."""
PLAIN = [(name, task, {}) for name, model in MODELS.items() for task in model.tasks]
VARIANTS = [
    *[("mlp", "multiclass", {"activation": activation}) for activation in ACTIVATIONS],
    *[("mlp", "multiclass", {"norm": norm, "hidden_sizes": [8, 6]}) for norm in ("none", "batch", "layer")],
    *[("mlp", "binary", {"initialization": name}) for name in ("normal", "xavier", "he")],
    ("mlp", "regression", {"dropout": 0.3}),
    ("mlp", "regression", {"hidden_sizes": []}),
    ("mlp", "regression", {"loss": "absolute"}),
    *[("mlp", task, {"loss": loss}) for task in ("binary", "multiclass") for loss in ("squared", "hinge")],
    ("gru", "multiclass", {"num_layers": 2, "dropout": 0.2}),
    ("gru", "binary", {"loss": "hinge"}),
    ("rnn_lm", "language_model", {"num_layers": 2}),
    ("softmax_regression", "multiclass", {"initialization": "normal", "init_std": 0.5}),
    ("perceptron", "binary", {"initialization": "normal", "init_std": 0.5}),
    *[
        ("lenet", "multiclass", fields)
        for fields in ({"activation": "relu", "pooling": "max", "initialization": "he"}, {"activation": "sigmoid"})
    ],
]


def case_id(case):
    return "-".join([case[0], case[1], *(f"{key}={value}" for key, value in case[2].items())])


every_model = pytest.mark.parametrize("case", PLAIN + VARIANTS, ids=case_id)


def make(case, seed=0):
    name, task, fields = case
    model = MODELS[name]
    known = {**DIMS[model.takes[0]], "num_outputs": OUTPUTS.get(task, TOKENS), "task": task}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return model.for_data(known, **fields)


def tokens(random, size, length=6):
    """Texts of at least two tokens each, padded behind."""
    ids = torch.randint(1, TOKENS, (size, length), generator=random)
    lengths = torch.randint(2, length + 1, (size, 1), generator=random)
    mask = torch.arange(length) < lengths
    return Tokens(ids * mask, mask, torch.zeros_like(ids))


def graph(random, size):
    """A ring of nodes with features."""
    nodes = torch.arange(size)
    edges = torch.stack([torch.cat([nodes, nodes.roll(-1)]), torch.cat([nodes.roll(-1), nodes])])
    x = torch.randn(size, 4, generator=random)
    return Graph(x, edges, torch.zeros(2 * size, 0), torch.zeros(size, dtype=torch.int64), torch.tensor([size]))


def batch(case, seed=0, size=10):
    """Inputs and targets of a kind that the model of a case takes."""
    name, task, _ = case
    takes, random = MODELS[name].takes[0], torch.Generator().manual_seed(seed)
    if takes == "tokens":
        inputs = tokens(random, size)
    elif takes == "sequence_pair":
        inputs = Pair(tokens(random, size), tokens(random, size))
    elif takes == "graph":
        inputs = graph(random, size)
    else:
        inputs = torch.randn(size, *INPUT_SHAPE, generator=random)
    mask = getattr(getattr(inputs, "decoded", inputs), "mask", None)
    if task in ("language_model", "translation"):
        targets = torch.randint(1, TOKENS, mask.shape, generator=random).where(mask, IGNORED)
    else:
        targets = {
            "regression": torch.randn(size, generator=random),
            "binary": (torch.arange(size) % 3 == 0).long(),
            "multiclass": torch.arange(size) % 3,
            "multilabel": torch.randint(0, 2, (size, 3), generator=random),
            "node_classification": torch.where(torch.arange(size) == 4, IGNORED, torch.arange(size) % 3),
        }[task]
    return Batch(inputs, targets)


@every_model
def test_outputs_have_their_shape_and_the_loss_is_finite(case):
    module = make(case).eval()
    inputs, targets = batch(case)
    places = targets.shape if case[1] in ("language_model", "translation") else targets.shape[:1]
    assert module(inputs).shape == (*places, OUTPUTS.get(case[1], TOKENS))
    loss = module.loss((inputs, targets))
    assert loss.shape == ()
    assert loss.isfinite()
    scores = module.scores((inputs, targets))
    assert list(scores) == [metric.name for metric in module.task.metrics]
    assert all(map(math.isfinite, scores.values()))
    assert scores["loss"] == pytest.approx(loss.item(), rel=1e-5)


CLASSES = [case for case in PLAIN + VARIANTS if case[1] in ("binary", "multiclass", "node_classification")]


@pytest.mark.parametrize("case", CLASSES, ids=case_id)
def test_the_most_probable_class_is_the_answer(case):
    module = make(case).eval()
    inputs, targets = batch(case)
    with torch.no_grad():
        probabilities, error = module.probabilities(inputs), module.scores((inputs, targets))["error"]
    assert probabilities.shape == (len(targets), max(OUTPUTS[case[1]], 2)) and probabilities.min() >= 0
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(len(targets)))
    counted = targets != IGNORED
    wrong = probabilities.argmax(dim=1)[counted] != targets[counted]
    assert error == int(wrong.sum()) / len(wrong), "exactly k/n"


@pytest.mark.parametrize("case", PLAIN + VARIANTS, ids=case_id)
def test_a_smoothed_target_is_a_mixture_of_all_classes_or_refused(case):
    module, (inputs, targets) = make(case).eval(), batch(case)
    module.recipe, module.logs = Recipe(label_smoothing=0.25), False
    if module.task.loss_name not in module.task.smooths:
        sentence = r"label_smoothing: 0\.25 is not allowed for \w+ and the (task|loss) \w+; allowed: 0\."
        with pytest.raises(ValueError, match=sentence):
            module.training_step((inputs, targets), 0)
        return
    step, logs = module.training_step((inputs, targets), 0), module.probabilities(inputs).log()
    logs, places = logs.flatten(0, -2), targets.flatten()
    logs, places = logs[places != IGNORED], places[places != IGNORED]
    chosen = logs[range(len(places)), places]
    torch.testing.assert_close(step["loss"], -(0.75 * chosen + 0.25 * logs.mean(dim=1)).mean())
    assert (step["data_loss"], step["data_loss"].requires_grad) == (module.loss((inputs, targets)), False)
    step["loss"].backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())


@every_model
def test_ten_examples_can_be_learnt_by_heart(case):
    module, ten = make(case), batch(case)
    if case[1] in ("language_model", "translation"):  # the same beginning must not go on in two ways
        ten = batch(case, size=1)
    before = make(case).eval().scores(ten)["loss"]
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(20):
            for _ in range(20):
                optimizer.zero_grad()
                module.loss(ten).backward()
                optimizer.step()
            scores = module.eval().scores(ten)
            if learnt := scores["loss"] < 0.05 * before and (case[1] == "regression" or scores["error"] == 0):
                break
            module.train()
    assert learnt, scores


@every_model
def test_the_same_seed_gives_the_same_numbers(case):
    states = [make(case, seed).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    started_at_random = any(len(value.unique()) > 1 for value in states[0].values())
    assert started_at_random == any(not torch.equal(states[0][key], states[2][key]) for key in states[0])


@every_model
def test_gradients_reach_every_parameter(case):
    module = make(case)
    module.loss(batch(case)).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 1e-6, name


def test_from_zeros_only_the_output_bias_of_an_mlp_learns():
    module = make(("mlp", "multiclass", {"initialization": "zeros"}))
    module.loss(batch(("mlp", "multiclass", {}))).backward()
    moved = {name for name, parameter in module.named_parameters() if parameter.grad.abs().max() > 0}
    assert moved == {"layers.2.bias"}


class Loss(nn.Module):
    """A module whose forward is the loss, as `functional_call` wants it."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, batch):
        return self.module.loss(batch)


@pytest.mark.parametrize("case", [case for case in PLAIN + VARIANTS if not case[2].get("dropout")], ids=case_id)
def test_three_stacked_copies_give_each_its_own_loss_and_gradients(case):
    copies = [Loss(make(case, seed)) for seed in range(3)]
    for seed, module in enumerate(copies):  # apart also where they start from zeros
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=random)
    batches = [batch(case, seed) for seed in range(3)]
    stacked = tree_map(lambda *tensors: torch.stack(tensors), *batches)
    parameters, buffers = torch.func.stack_module_state([copy.deepcopy(module) for module in copies])
    skeleton = copy.deepcopy(copies[0])

    def loss(parameters, buffers, batch):
        return torch.func.functional_call(skeleton, (parameters, buffers), (batch,))

    gradients, losses = torch.vmap(torch.func.grad_and_value(loss), randomness="different")(
        parameters, buffers, stacked
    )
    for index, (module, one_batch) in enumerate(zip(copies, batches, strict=True)):
        alone = module(one_batch)
        alone.backward()
        torch.testing.assert_close(losses[index], alone.detach())
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(gradients[name][index], parameter.grad, rtol=1e-4, atol=1e-6)
        for name, buffer in module.named_buffers():
            torch.testing.assert_close(buffers[name][index], buffer)
    gradients_by_copy = torch.cat([gradient.flatten(1) for gradient in gradients.values()], dim=1)
    assert len({tuple(row) for row in gradients_by_copy.tolist()}) == 3


@every_model
def test_forward_and_loss_store_nothing_on_the_module(case):
    module = make(case).eval()
    before = {id(part): set(vars(part)) for part in module.modules()}
    state = {key: value.clone() for key, value in module.state_dict().items()}
    module.loss(batch(case))
    module.sums(batch(case))
    assert before == {id(part): set(vars(part)) for part in module.modules()}
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())


@every_model
def test_the_penalty_is_on_weights_alone(case):
    module = make(case)
    spared = [layer for layer in module.modules() if isinstance(layer, nn.Embedding)]
    spared_weights = {id(layer.weight) for layer in spared}
    expected = {id(weight) for weight in module.parameters() if weight.ndim > 1} - spared_weights
    assert {id(weight) for weight in module.weights()} == expected
    linear = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)}
    assert linear - spared_weights <= expected and linear


@pytest.mark.parametrize("name", list(MODELS))
def test_a_task_that_a_model_cannot_do_is_refused(name):
    with pytest.raises(ValueError, match=r"cannot do the task 'ranking'; it can do: "):
        make((name, "ranking", {}))
