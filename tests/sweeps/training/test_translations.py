"""What an encoder-decoder writes: measured, kept, the objective of a run, and the same after a kill."""

import numpy as np
import pytest
import torch
from torch import nn

from data.text.pairs import PROBES, Reverse, tokens
from data.text.special_ids import BEGIN, END
from learning_tasks.language import Pair
from lightning_modules.seq2seq import Seq2Seq
from sweeps.training import translations
from sweeps.training.translations import TranslationRecorder
from tracking import schema
from tracking.schema import Outcome

DATA = {"num_symbols": 3, "min_length": 1, "max_length": 9, "num_samples": 600, "validation_fraction": 0.3}
SIZES = {"embedding_size": 8, "hidden_size": 32, "dropout": 0.05}
EPOCHS = 5


@pytest.fixture
def settings(configuration):
    return configuration(
        "seq2seq",
        "reverse",
        model=SIZES,
        data=DATA,
        optimizer={"name": "adam", "lr": 0.02},
        trainer={"max_epochs": EPOCHS},
        objective={"metric": "val/exact_match", "direction": "maximize", "at": "best"},
    )


@pytest.fixture
def folders(tmp_path):
    """Two folders for the files of two runs."""
    paths = tmp_path / "a", tmp_path / "b"
    for path in paths:
        path.mkdir()
    return paths


def texts_of(log):
    with np.load(log.files[schema.TRANSLATIONS_FILE], allow_pickle=False) as arrays:
        return dict(arrays)


def written_slowly(module, source, longest):
    """What the model writes for one source: all is run anew for each token, and nothing is padded."""
    ids = [BEGIN]
    while ids[-1] != END and len(ids) <= longest:
        logits = module(Pair(tokens(source), tokens(torch.tensor([ids]))))
        ids.append(int(logits[0, -1].argmax()))
    return ids[1:]


def by_hand(module, data, part):
    """What the model writes for each pair, as texts, and the share of exact matches."""
    with torch.no_grad():
        ids = [written_slowly(module, row[row > 0][None], part.targets.shape[1]) for row in part.sources]
    texts = [data.target_text(row) for row in ids]
    references = [data.target_text(row) for row in part.targets.tolist()]
    right = [END in row and text == target for row, text, target in zip(ids, texts, references, strict=True)]
    return texts, sum(right) / len(right)


def test_exact_match_and_texts_are_those_of_the_model_asked_token_by_token(settings, run, tmp_path):
    result, log = run(settings, scratch=tmp_path)
    data = Reverse(**DATA, batch_size=16)
    dims = {name: value for name, value in data.dims.items() if name not in ("begin", "end")}
    module = Seq2Seq(**dims, **SIZES).eval()
    module.load_state_dict(log.weights())
    _, share = by_hand(module, data, data.parts.test)
    arrays = texts_of(log)
    assert 0 < share < 1 and result.metrics["test/exact_match"] == share
    assert arrays["chosen"].tolist() == by_hand(module, data, data.parts.probes)[0]
    assert arrays["references"].tolist() == [" ".join(reversed(text.split())) for text in arrays["sources"].tolist()]
    best = int(np.argmax(log.path("val/exact_match"))) + 1
    assert int(arrays["epoch"]) == best, "exact match chose the weights"
    assert by_hand(module, data, data.parts.validation)[1] == log.path("val/exact_match")[best - 1]
    assert result.objective == max(log.path("val/exact_match"))


def test_texts_are_kept_after_epochs_that_double_and_the_last(settings, run, tmp_path):
    _, log = run(settings, scratch=tmp_path)
    arrays = texts_of(log)
    assert arrays["epochs"].tolist() == [1, 2, 4, 5] and arrays["hypotheses"].shape == (4, PROBES)
    assert len({tuple(row) for row in arrays["hypotheses"].tolist()}) > 1
    assert all(arrays[name].shape == (PROBES,) for name in ("sources", "references", "chosen"))


def test_a_run_that_goes_on_after_a_kill_leaves_what_one_left_alone_leaves(settings, run, timeless, folders, tmp_path):
    _, alone = run(settings, scratch=folders[0])
    updates = len(alone.metrics) * -(-420 // 16)
    count = iter(range(updates * 3 // 5 + 4))
    stopped, _ = run(
        settings,
        resume=tmp_path / "resume",
        save_seconds=0,
        should_end=lambda: None if next(count, None) is not None else Outcome.STOPPED,
    )
    assert stopped.outcome is Outcome.STOPPED and stopped.epochs == 3
    _, log = run(settings, resume=tmp_path / "resume", save_seconds=0, scratch=folders[1])
    assert [timeless(metrics) for metrics in log.metrics] == [timeless(metrics) for metrics in alone.metrics]
    expected, arrays = texts_of(alone), texts_of(log)
    assert all(np.array_equal(arrays[name], expected[name]) for name in expected)


def test_it_changes_no_training(settings, run, folders):
    settings = {**settings, "objective": {"metric": "val/loss"}}
    _, with_it = run(settings, scratch=folders[0])
    _, without = run({**settings, "record": {"translations": False}}, scratch=folders[1])
    assert schema.TRANSLATIONS_FILE not in without.files and "val/exact_match" not in without.metrics[0]
    assert with_it.path("val/loss") == without.path("val/loss")
    weights = without.weights()
    assert all(torch.equal(value, weights[name]) for name, value in with_it.weights().items())


def test_only_so_many_texts_are_decoded_after_an_epoch(settings, run, monkeypatch):
    monkeypatch.setattr(translations, "VALIDATION_LIMIT", 7)
    _, log = run(settings)
    sevenths = {round(7 * value, 9) for value in log.path("val/exact_match")}
    assert all(value == int(value) for value in sevenths) and len(sevenths) > 1


@pytest.mark.parametrize("precision", [64, "bf16-mixed"])
def test_other_precisions(precision, settings, run, tmp_path):
    settings["trainer"]["precision"] = precision
    result, log = run(settings, scratch=tmp_path)
    assert (result.outcome, result.error) == (Outcome.OK, None) and schema.TRANSLATIONS_FILE in log.files


def test_it_fits_what_decodes_whatever_it_is_called():
    data, recorder = Reverse(), TranslationRecorder()

    class Another(nn.Module):
        encode = decode = start = step = nn.Module.forward

    assert recorder.fits(Another(), data) and not recorder.fits(nn.Linear(1, 1), data)


def test_elsewhere_exact_match_is_not_there_to_rank_by(configuration, run):
    objective = {"metric": "val/exact_match", "direction": "maximize"}
    result, _ = run(configuration(objective=objective))
    assert result.outcome is Outcome.CRASHED
    assert result.error.startswith("objective.metric: val/exact_match is not allowed; allowed: val/loss, val/error, ")
