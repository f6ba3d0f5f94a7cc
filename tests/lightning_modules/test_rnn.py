"""The recurrent networks against torch's own layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from learning_tasks import IGNORED
from learning_tasks.language import Tokens
from lightning_modules.rnn import GRUClassifier, RNNLanguageModel

VOCABULARY, LAYERS = 11, 2
LENGTHS = (7, 1, 4)


def texts():
    """Three texts, padded behind."""
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(0, VOCABULARY, (3, 7), generator=random)
    mask = torch.arange(7) < torch.tensor(LENGTHS)[:, None]
    return Tokens(ids, mask, torch.zeros_like(ids))


def classifier(num_outputs=3, task="multiclass", **fields):
    torch.manual_seed(1)
    sizes = {"embedding_size": 5, "hidden_size": 6, "num_layers": LAYERS}
    return GRUClassifier(vocab_size=VOCABULARY, num_outputs=num_outputs, task=task, **sizes, **fields)


def language_model(**fields):
    torch.manual_seed(1)
    sizes = {"embedding_size": 5, "hidden_size": 6, "num_layers": LAYERS}
    return RNNLanguageModel(vocab_size=VOCABULARY, task="language_model", **sizes, **fields)


def torch_gru(module):
    """torch's own GRU with the same weights."""
    gru = nn.GRU(5, 6, LAYERS, batch_first=True)
    with torch.no_grad():
        for parameter, value in zip(gru.parameters(), module.gru.parameters(), strict=True):
            parameter.copy_(value)
    return gru


def test_the_classifier_is_torchs_gru_and_a_linear_layer_on_the_last_state():
    module, inputs = classifier().eval(), texts()
    gru = torch_gru(module)
    for row, length in enumerate(LENGTHS):
        _, states = gru(F.embedding(inputs.ids[row : row + 1, :length], module.embedding.weight))
        expected = F.linear(states[-1], module.output.weight, module.output.bias)
        torch.testing.assert_close(module(inputs)[row : row + 1], expected, rtol=1e-6, atol=1e-6)


def test_the_language_model_is_torchs_gru_and_a_linear_layer_on_every_state():
    module, inputs = language_model().eval(), texts()
    gru = torch_gru(module)
    for row, length in enumerate(LENGTHS):
        states, _ = gru(F.embedding(inputs.ids[row : row + 1, :length], module.embedding.weight))
        expected = F.linear(states, module.output.weight, module.output.bias)
        torch.testing.assert_close(module(inputs)[row : row + 1, :length], expected, rtol=1e-6, atol=1e-6)


def test_the_gradients_are_those_of_torch():
    module, inputs = language_model(), texts()
    targets = inputs.ids.roll(-1, 1).where(inputs.mask, IGNORED)
    module.loss((inputs, targets)).backward()
    gru = torch_gru(module)
    states, _ = gru(F.embedding(inputs.ids, module.embedding.weight.detach()))
    logits = F.linear(states, module.output.weight.detach(), module.output.bias.detach())
    F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED).backward()
    for parameter, other in zip(module.gru.parameters(), gru.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-5, atol=1e-7)


def test_loss_perplexity_and_bits_per_character_are_those_of_torchs_cross_entropy():
    characters = tuple(range(1, VOCABULARY + 1))
    module, inputs = language_model(characters=characters).eval(), texts()
    targets = inputs.ids.roll(-1, 1).where(inputs.mask, IGNORED)
    losses = F.cross_entropy(module(inputs).transpose(1, 2), targets, ignore_index=IGNORED, reduction="none")
    mean = F.cross_entropy(module(inputs).transpose(1, 2), targets, ignore_index=IGNORED)
    scores = module.scores((inputs, targets))
    torch.testing.assert_close(module.loss((inputs, targets)), mean)
    assert scores["loss"] == pytest.approx(mean.item(), rel=1e-6)
    assert scores["perplexity"] == pytest.approx(mean.exp().item(), rel=1e-6)
    total = sum(characters[token] for token in targets[inputs.mask].tolist())
    assert scores["bits_per_character"] == pytest.approx((losses / torch.tensor(2.0).log()).sum().item() / total)


def padded(inputs, before, behind, token):
    """The same texts with more padded places, which hold some token."""
    pad = lambda tensor, value: F.pad(tensor, (before, behind), value=value)  # noqa: E731
    return Tokens(pad(inputs.ids, token), pad(inputs.mask, False), pad(inputs.segments, 0))


@pytest.mark.parametrize(("before", "behind", "token"), [(0, 3, 0), (2, 0, 4), (3, 2, 10)])
def test_padding_changes_nothing(before, behind, token):
    inputs = texts()
    more = padded(inputs, before, behind, token)
    module = classifier(1, "binary").eval()
    torch.testing.assert_close(module(more), module(inputs))
    model = language_model().eval()
    torch.testing.assert_close(model(more)[more.mask], model(inputs)[inputs.mask])
    targets = inputs.ids.where(inputs.mask, IGNORED)
    wider = F.pad(targets, (before, behind), value=IGNORED)
    assert model.scores((more, wider)) == pytest.approx(model.scores((inputs, targets)))


def test_a_language_model_never_looks_ahead():
    module, inputs = language_model().eval(), texts()
    changed = inputs._replace(ids=torch.cat([inputs.ids[:, :4], (inputs.ids[:, 4:] + 1) % VOCABULARY], dim=1))
    torch.testing.assert_close(module(changed)[:, :4], module(inputs)[:, :4], rtol=0, atol=0)
    assert not torch.equal(module(changed)[0, 4:], module(inputs)[0, 4:])


@pytest.mark.parametrize("make", [classifier, language_model])
def test_dropout_is_random_while_training_alone(make):
    module, inputs = make(dropout=0.5), texts()
    torch.manual_seed(0)
    assert not torch.equal(module(inputs), module(inputs))
    module.eval()
    assert torch.equal(module(inputs), module(inputs)) and torch.equal(module(inputs), make().eval()(inputs))
