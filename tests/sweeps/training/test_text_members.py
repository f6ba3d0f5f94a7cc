"""Runs on texts: what they measure, what they leave behind for pages, and that a kill changes no number."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from tracking import schema
from tracking.schema import Outcome

LINES = [f"{('poor', 'fine')[number % 2]} film {number % 7} is {('bad', 'good')[number % 2]}" for number in range(80)]


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """One thread, and a file of labelled lines and a text in the data folder."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("SWEEPBOARD_DATA", str(tmp_path))
    (tmp_path / "lines.txt").write_text("\n".join(LINES))
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question. " * 30)
    yield
    torch.set_num_threads(threads)


GRU = {"embedding_size": 4, "hidden_size": 6, "dropout": 0.2}
MEMBERS = {
    "parity": ("gru", {"num_samples": 60, "max_length": 8}, GRU),
    "labelled_lines": ("gru", {"path": "lines.txt"}, GRU),
    "text_file": ("rnn_lm", {"path": "text.txt", "context": 12}, {**GRU, "num_layers": 2}),
}
every_member = pytest.mark.parametrize("name", list(MEMBERS))


@pytest.fixture
def member(configuration):
    """The configuration of a member; more sections are laid over it."""

    def make(name, **more):
        model, data, fields = MEMBERS[name]
        sections = {"optimizer": {"name": "adam", "lr": 0.02}, "trainer": {"max_epochs": 4}, **more}
        return configuration(model, name, model=fields, **{**sections, "data": {**data, **sections.get("data", {})}})

    return make


@every_member
def test_a_run_that_is_interrupted_goes_on_with_the_numbers_of_one_left_alone(name, member, run, timeless, tmp_path):
    settings, file = member(name), tmp_path / "run.resume"
    whole, whole_log = run(settings, scratch=tmp_path)
    steps = int(whole.metrics["opt/steps"] / 4)
    count = iter(range(2 * steps + 1))
    stopped, _ = run(
        settings, resume=file, save_seconds=0, should_end=lambda: Outcome.STOPPED if next(count, None) is None else None
    )
    assert (stopped.outcome, stopped.epochs) == (Outcome.STOPPED, 2)
    torch.rand(99)
    before = whole_log.weights()
    result, log = run(settings, resume=file, save_seconds=0, scratch=tmp_path)
    assert (result.outcome, result.error, result.epochs) == (Outcome.OK, None, 4)
    assert [timeless(metrics) for metrics in log.metrics] == [timeless(metrics) for metrics in whole_log.metrics]
    assert all(torch.equal(value, before[key]) for key, value in log.weights().items())


@every_member
@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_it_trains_in_another_precision_and_leaves_what_its_layers_did(name, precision, member, run, tmp_path):
    settings = member(name, trainer={"max_epochs": 2, "precision": precision})
    result, log = run(settings, scratch=tmp_path)
    assert (result.outcome, result.error) == (Outcome.OK, None)
    with np.load(log.files[schema.LAYERS_FILE]) as arrays:
        names = arrays["names"].tolist()
        assert names[0] == "embedding" and names[-1] == "output"
        assert np.isfinite(arrays["activation_std"][-1]) and np.isfinite(arrays["grad_norm"]).all()


@pytest.mark.parametrize(("name", "classes"), [("parity", ["even", "odd"]), ("labelled_lines", ["fine", "poor"])])
def test_the_predictions_of_a_classification_of_texts_are_kept(name, classes, member, run, rebuilt, tmp_path):
    settings = member(name)
    result, log = run(settings, scratch=tmp_path)
    kept = log.predictions()
    assert kept["classes"].tolist() == classes
    data, module = rebuilt(settings, log.weights())
    for split, part in (("val", data.parts.validation), ("test", data.parts.test)):
        inputs, targets = part.batch(slice(None))
        probabilities = kept[f"{split}_probabilities"]
        with torch.no_grad():
            np.testing.assert_allclose(probabilities, module.probabilities(inputs), rtol=1e-5, atol=1e-7)
        assert kept[f"{split}_targets"].tolist() == targets.tolist()
        if split == "test":
            loss = log_loss(targets, probabilities[:, 1].astype(float))
            assert result.metrics["test/loss"] == pytest.approx(loss, rel=1e-5)
            wrong = (probabilities.argmax(axis=1) != targets.numpy()).mean()
            assert result.metrics["test/error"] == pytest.approx(wrong)


def test_a_language_model_is_measured_over_all_characters_of_the_part(member, run, rebuilt, tmp_path):
    settings = member("text_file")
    result, log = run(settings, scratch=tmp_path)
    assert set(log.files) == {schema.LAYERS_FILE, schema.WEIGHTS_FILE, schema.REFERENCES_FILE}
    data, module = rebuilt(settings, log.weights())
    inputs, targets = data.parts.test.batch(slice(None))
    with torch.no_grad():
        losses = torch.nn.functional.cross_entropy(module(inputs).transpose(1, 2), targets, reduction="none")
    nats = losses.double().sum().item() / int((targets >= 0).sum())
    assert result.metrics["test/loss"] == pytest.approx(nats, rel=1e-6)
    assert result.metrics["test/perplexity"] == pytest.approx(np.exp(nats), rel=1e-6)
    assert result.metrics["test/bits_per_character"] == pytest.approx(nats / np.log(2), rel=1e-6)


@pytest.mark.parametrize(("name", "compared"), [("parity", True), ("labelled_lines", True), ("text_file", False)])
def test_replicates_leave_their_answers_where_each_example_has_one(name, compared, member, run, tmp_path):
    result, log = run({**member(name), "replicate": {"datasets": 2, "inits": 2}}, scratch=tmp_path)
    assert (result.outcome, result.error) == (Outcome.OK, None)
    assert (schema.REPLICATE_FILE in log.files) == compared


def test_what_is_wrong_with_a_file_is_the_sentence_of_a_run(member, run):
    result, _ = run(member("labelled_lines", data={"path": "line.txt"}))
    assert result.outcome is Outcome.CRASHED
    assert result.error.startswith('data labelled_lines: path: "line.txt" is not allowed')
    assert result.error.endswith("did you mean lines.txt?")
