"""The test with ten examples in real processes: its answer, what is refused, and that nothing is left behind."""

import multiprocessing as mp
import os
import signal
import threading
import time

import pytest

from sweeps.preflight import overfit_ten
from sweeps.preflight.overfit_ten import AGAIN, ASK, MOST_PAIRS, STOP, OverfitTests, as_text, pairs_of
from sweeps.spec import parse

pytestmark = [pytest.mark.timeout(180)]

SPEC = """
name: small
model: {name: mlp}
data: {name: iris}
trainer: {device: cpu}
optimizer: {name: adam}
search: {model.name: {values: [mlp, softmax_regression]}, optimizer.lr: {values: [0.05, 0.1]}}
workers: 1
"""
ENDLESS = SPEC.replace("[0.05, 0.1]", "[0.0000001, 0.1]")


@pytest.fixture
def tests(tmp_path):
    tests = OverfitTests(tmp_path)
    yield tests
    tests.close()


def children():
    return {process.pid for process in mp.active_children()}


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_each_pair_is_tested_once_by_its_first_combination():
    pairs, left_out = pairs_of(parse(SPEC))
    assert [what for what, _ in pairs] == ["mlp on iris", "softmax_regression on iris"] and left_out == 0
    assert all(configuration["optimizer"]["lr"] == 0.05 for _, configuration in pairs)
    learning = SPEC.replace("workers: 1", "sampler: tpe\ntrials: 4\nworkers: 1")
    assert {what for what, _ in pairs_of(parse(learning))[0]} == {"mlp on iris", "softmax_regression on iris"}


def test_of_many_pairs_the_first_are_tested(monkeypatch):
    datasets = "[iris, wine, digits, blobs]"
    text = SPEC.replace("search: {", f"search: {{data.name: {{values: {datasets}}}, ")
    pairs, left_out = pairs_of(parse(text))
    assert (len(pairs), left_out) == (MOST_PAIRS, 8 - MOST_PAIRS)


def test_it_answers_in_sentences_and_leaves_nothing_behind(tests, tmp_path):
    before = children()
    answer = tests.answer(SPEC, ASK, 120)
    assert not answer["pending"] and answer["problems"] == [] and answer["share"] == 1.0
    assert [(result["what"], result["reached"]) for result in answer["results"]] == [
        ("mlp on iris", True),
        ("softmax_regression on iris", True),
    ]
    text = as_text(answer)
    assert text.startswith("mlp on iris: The code can learn: the loss of 10 examples fell from ")
    assert children() == before and not [file for file in tmp_path.rglob("*") if file.is_file()]
    assert tests.answer(SPEC, ASK, 0) == answer  # it is known by now
    assert tests.answer(SPEC, AGAIN, 0)["pending"]


def test_a_spec_that_is_none_is_refused_without_a_process(tests):
    before = children()
    answer = tests.answer(SPEC.replace("workers: 1", "workers: 0"), ASK, 120)
    assert len(answer["problems"]) == 1 and answer["problems"][0].startswith("workers: 0 is not allowed")
    assert answer["results"] == [] and not answer["pending"] and children() == before
    with pytest.raises(ValueError, match="act: 'perhaps' is not allowed; allowed: ask, again, stop"):
        tests.answer(SPEC, "perhaps", 0)


def test_what_cannot_be_built_is_a_sentence(tests):
    answer = tests.answer(SPEC.replace("name: iris", "name: iris, train_size: 500"), ASK, 120)
    assert answer["results"] == [] and len(answer["problems"]) == 2
    assert "train_size: 500 is not allowed" in answer["problems"][0]
    assert answer["problems"][0].endswith("(with mlp on iris).")


def test_a_test_that_nobody_asks_for_ends_with_its_process(tests, monkeypatch):
    before = children()
    monkeypatch.setattr(overfit_ten, "PATIENCE_SECONDS", 3.0)
    assert tests.answer(ENDLESS, ASK, 0)["pending"]
    until(lambda: tests._workers is not None and tests._workers.busy)
    until(lambda: not tests._tests and children() == before)


def test_it_can_be_stopped_and_asked_for_again(tests):
    before = children()
    assert tests.answer(ENDLESS, ASK, 0)["pending"]
    until(lambda: tests._workers is not None and tests._workers.busy)
    assert not tests.answer(ENDLESS, STOP, 0)["pending"]
    until(lambda: children() == before)
    assert not tests.answer(SPEC, ASK, 120)["pending"]


def test_a_killed_process_is_a_sentence_and_the_next_test_has_another(tests):
    single = SPEC.replace("[mlp, softmax_regression]", "[mlp]")

    def kill():
        until(lambda: tests._workers is not None and tests._workers.busy)
        os.kill(tests._workers.pids[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    answer = tests.answer(single.replace("[0.05, 0.1]", "[0.0000001, 0.1]"), ASK, 120)
    killer.join()
    assert answer["problems"] == ["its process ended unexpectedly (exit code -9)."]
    assert tests.answer(single, ASK, 120)["results"][0]["reached"]
