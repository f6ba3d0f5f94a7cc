"""The bookkeeping of a sweep, without processes or a store."""

import itertools
import random
from dataclasses import replace

import pytest

from sweeps.search import Trial
from sweeps.search.progress import Progress, StoredRun
from sweeps.spec import parse
from tracking import schema
from tracking.schema import Outcome

TRIALS = [Trial(number, {}, {}, f"group{number}") for number in range(3)]
SPEC = parse("""
name: progress
model: {name: softmax_regression}
data: {name: iris}
search: {optimizer.lr: {values: [0.1, 0.2, 0.3]}}
""")


def new_progress(trials=TRIALS, **changed):
    return Progress(replace(SPEC, **changed), trials)


def stored(run_id, trial, seed, start, **tags):
    return StoredRun(run_id, start, "FINISHED", {schema.TRIAL: str(trial), schema.SEED: str(seed), **tags})


def test_every_trial_is_begun_once_before_any_is_repeated():
    progress = new_progress(seeds=2)
    order = [(slot.trial.number, slot.seed) for slot in iter(progress.take, None)]
    assert order == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]


def test_put_back_is_taken_next():
    progress = new_progress()
    slot = progress.take()
    progress.put_back(slot)
    assert progress.running == [] and progress.waiting == 3
    assert progress.take() is slot


def test_a_run_trained_again_replaces_the_one_before():
    progress = new_progress(TRIALS[:1])
    slot = progress.take()
    first = slot.key
    progress.end(slot, Outcome.CRASHED)
    progress.again(slot, attempt=2)
    assert progress.waiting == 1 and progress.count(Outcome.CRASHED) == 0
    again = progress.take()
    assert again.key != first and again.replaces == [first] and again.attempt == 2
    assert progress.find(first) is again and progress.find_running(first) is None


def test_restore_trains_what_is_missing_or_marked_and_keeps_the_rest():
    progress = new_progress()
    superseded = progress.restore(
        [
            stored("done", 0, 0, 10, outcome="ok"),
            stored("interrupted", 1, 0, 11, outcome="crashed", rerun="yes", attempt="2"),
        ]
    )
    assert superseded == []
    assert [slot.trial.number for slot in iter(progress.take, None)] == [1, 2]
    assert progress.find("interrupted").replaces == ["interrupted"]
    assert progress.find("interrupted").attempt == 2
    assert progress.count(Outcome.OK) == 1


def test_restore_keeps_a_crash_that_is_not_to_be_trained_again():
    progress = new_progress(TRIALS[:1])
    progress.restore([stored("crash", 0, 0, 10, outcome="crashed")])
    assert progress.waiting == 0 and progress.count(Outcome.CRASHED) == 1


def test_restore_leaves_one_counting_run_a_slot_when_a_crash_left_two():
    progress = new_progress(TRIALS[:1])
    superseded = progress.restore(
        [
            stored("new", 0, 0, 20, outcome="ok"),
            stored("old", 0, 0, 10, outcome="crashed", rerun="yes"),
            stored("oldest", 0, 0, 5, outcome="crashed", superseded_by="old"),
        ]
    )
    assert superseded == [("old", "new")]
    assert progress.waiting == 0 and progress.find("new").outcome is Outcome.OK


@pytest.mark.parametrize("draw", range(20))
def test_whatever_happens_every_slot_ends_with_one_run_that_counts(draw):
    """A random history of ends, deaths, retries and restarts, told to Progress as the service tells it."""
    rng, store, clock = random.Random(draw), {}, itertools.count()
    progress = new_progress(seeds=3)

    def restart():
        for run_id, run in store.items():
            if "outcome" not in run:
                store[run_id] |= {"outcome": "crashed", "rerun": "yes"}
        fresh = new_progress(seeds=3)
        runs = [
            StoredRun(run_id, run["start"], "", {k: str(v) for k, v in run.items()}) for run_id, run in store.items()
        ]
        for old, new in fresh.restore(runs):
            store[old]["superseded_by"] = new
        return fresh

    while progress.waiting or progress.running:
        what = rng.choice(["begin", "begin", "ok", "die", "restart"])
        if what == "begin" and (slot := progress.take()):
            store[slot.key] = {"trial": slot.trial.number, "seed": slot.seed, "start": next(clock)}
            if rng.random() < 0.8:  # else the service dies before it has written this
                for old in slot.replaces:
                    store[old]["superseded_by"] = slot.key
                slot.replaces.clear()
        elif what in ("ok", "die") and progress.running:
            slot = rng.choice(progress.running)
            outcome = Outcome.OK if what == "ok" else Outcome.CRASHED
            store[slot.key]["outcome"] = str(outcome)
            progress.end(slot, outcome)
            if outcome is Outcome.CRASHED and slot.attempt < 2:
                store[slot.key]["rerun"] = "yes"
                progress.again(slot, attempt=slot.attempt + 1)
        elif what == "restart":
            progress = restart()
    restart()
    counting = [(run["trial"], run["seed"]) for run in store.values() if "superseded_by" not in run]
    assert sorted(counting) == sorted(itertools.product(range(3), range(3)))
