"""A sweep that is changed while it is trained: which runs are still wanted, and that none is trained twice."""

import itertools
from dataclasses import replace

import pytest

from sweeps.search import CONFIRM_SEEDS, Trial
from sweeps.search.progress import Progress, StoredRun
from sweeps.spec import parse
from tracking import schema
from tracking.schema import Outcome

TRIALS = [Trial(number, {}, {}, f"group{number}") for number in range(3)]
SPEC = parse("""
name: growing
model: {name: softmax_regression}
data: {name: iris}
search: {optimizer.lr: {values: [0.1, 0.2, 0.3]}}
confirm: {top: 1, seeds: 3}
""")


def new_progress(**changed):
    return Progress(replace(SPEC, **changed), TRIALS)


def train(progress, count=None, outcome=Outcome.OK):
    """The places of the runs that are trained, in their order."""
    taken = []
    for slot in itertools.islice(iter(progress.take, None), count):
        taken.append(slot.place)
        progress.end(slot, outcome, 1.0)
    return taken


def test_confirm_runs_of_earlier_winners_that_have_not_begun_are_dropped_when_the_search_goes_on():
    progress = new_progress()
    train(progress)
    progress.confirm([0])
    assert train(progress, 1) == [(0, CONFIRM_SEEDS)]
    progress.change(replace(progress.spec, seeds=2))
    assert train(progress) == [(0, 1), (1, 1), (2, 1)]
    assert progress.search_done
    progress.confirm([2])
    assert train(progress) == [(2, CONFIRM_SEEDS + k) for k in range(3)]
    assert progress.complete and progress.planned == len(progress.slots) == 10


def test_a_crashed_run_of_the_search_that_is_trained_again_puts_the_confirming_off():
    progress = new_progress()
    train(progress, 2)
    crashed = progress.take()
    progress.end(crashed, Outcome.CRASHED)
    progress.confirm([0])
    progress.choose_again()
    progress.again(crashed, attempt=1)
    assert train(progress) == [crashed.place]
    assert progress.winners is None and progress.search_done


@pytest.mark.parametrize("restored", [False, True])
def test_the_other_seeds_of_a_pruned_trial_stay_spared_when_the_pruner_is_taken_away(restored):
    progress = new_progress(seeds=2, pruner="median", confirm=None)
    pruned = progress.take()
    progress.end(pruned, Outcome.PRUNED)
    if restored:
        tags = {schema.TRIAL: "0", schema.SEED: "0", schema.OUTCOME: "pruned", schema.PRUNED_AT: "3"}
        progress = new_progress(seeds=2, pruner="none", confirm=None)
        progress.restore([StoredRun("r", 1, "FINISHED", tags)])
    else:
        progress.change(replace(progress.spec, pruner="none"))
    assert progress.planned == 5
    assert train(progress) == [(1, 0), (2, 0), (1, 1), (2, 1)]
    assert progress.complete


def test_a_seed_that_dies_after_a_pruner_was_chosen_waits_for_the_first_and_is_trained_once():
    progress = new_progress(seeds=2, confirm=None)
    first, *_, other = [progress.take() for _ in range(4)]
    assert (first.place, other.place) == ((0, 0), (0, 1))
    progress.change(replace(progress.spec, pruner="median"))
    progress.end(other, Outcome.CRASHED)
    progress.again(other, attempt=2)
    assert progress.take() is None
    progress.end(first, Outcome.OK, 1.0)
    assert progress.take() is other and progress.take() is None
