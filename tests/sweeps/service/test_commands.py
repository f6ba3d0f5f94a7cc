"""Commands that change a sweep, on a store and a writer that only record calls."""

import json
from unittest.mock import create_autospec

import pytest

from sweeps.search import enumerate_trials, trials_from_json, trials_to_json
from sweeps.search.progress import Progress
from sweeps.service.active_sweep import ActiveSweep, Resources
from sweeps.service.commands import Commands
from sweeps.service.stored import Refused, StoredSweep, StoredSweeps
from sweeps.spec import parse
from sweeps.workers import LocalWorkers
from tracking import schema
from tracking.schema import Outcome
from tracking.writer import Writer

SPEC = """
name: commands
model: {name: mlp}
data: {name: iris}
search: {optimizer.lr: {low: 0.001, high: 1.0, log: true}}
sampler: random
trials: 3
"""


class Store:
    """One sweep: `stored` reads what the store holds of it, and `writer` writes into it."""

    def __init__(self, state):
        self.spec = parse(SPEC)
        self.files = {schema.TRIALS_FILE: trials_to_json(enumerate_trials(self.spec))}
        self.tags = {schema.STATE: str(state)}
        self.curve_of = {}
        self.stored = create_autospec(StoredSweeps, instance=True)
        self.stored.tags.side_effect = lambda sweep: self.tags
        self.stored.sweeps.side_effect = lambda: {"sweep": dict(self.tags)}
        self.stored.spec.return_value = self.spec
        self.stored.trials.side_effect = lambda sweep: trials_from_json(self.files[schema.TRIALS_FILE])
        self.stored.curves.side_effect = lambda runs, metric: {
            run: self.curve_of[run] for run in runs if run in self.curve_of
        }
        self.writer = create_autospec(Writer, instance=True)
        self.writer.problem, self.writer.backlog = None, 0
        self.writer.flush.return_value = True
        self.writer.set_tags.side_effect = lambda key, tags: self.tags.update(tags)
        self.writer.log_text.side_effect = lambda key, text, path: self.files.update({path: text})


def commands(store, active=None):
    return Commands(store.stored, store.writer, lambda: active)


def test_trials_that_have_been_enumerated_stay_what_they_are():
    """The default of a field that a newer program or an edited module has does not get into an older sweep."""
    store = Store("finished")
    older = json.loads(store.files[schema.TRIALS_FILE])
    for trial in older:
        del trial["configuration"]["model"]["activation"]
        trial["group"] = f"older{trial['number']}"
    store.files[schema.TRIALS_FILE] = json.dumps(older)
    commands(store).obey("extend", "sweep", "id", 1, {"trials": 2})
    trials = trials_from_json(store.files[schema.TRIALS_FILE])
    assert [trial.group for trial in trials[:3]] == ["older0", "older1", "older2"]
    assert [trial.number for trial in trials] == [0, 1, 2, 3, 4]
    assert trials[3:] == enumerate_trials(parse(store.files[schema.SPEC_FILE]))[3:]


def test_a_pruner_that_is_chosen_later_knows_what_was_measured_before_the_service_began():
    store = Store("running")
    progress = Progress(store.spec, enumerate_trials(store.spec))
    for number in range(2):
        slot = progress.take()
        progress.end(slot, Outcome.OK, 0.5)
        slot.run_id = f"run{number}"
    progress.slots[1, 0].curve = {1: 0.8}
    store.curve_of = {"run0": {1: 0.9, 2: 0.5}, "run1": {1: 7.0}}
    workers = create_autospec(LocalWorkers, instance=True)
    active = ActiveSweep(StoredSweep("sweep", "1", progress), Resources(store.writer, workers, wake=print, owner="me"))
    commands(store, active).obey("change", "sweep", "id", 1, {"pruner": "median"})
    assert [progress.slots[number, 0].curve for number in range(3)] == [{1: 0.9, 2: 0.5}, {1: 0.8}, {}]


@pytest.mark.parametrize("arguments", ["abc", [1], 3])
def test_arguments_that_are_none_are_refused_and_keep_no_other_command_waiting(arguments):
    store = Store("paused")
    for name in ("cmd.a", "cmd.b"):
        store.tags[name] = json.dumps({"action": "extend", "at": 1, "arguments": arguments})
    commands(store).obey_left()
    for name in ("cmd.a", "cmd.b"):
        assert "allowed" in json.loads(store.tags[name])["refused"]


def test_nothing_is_changed_on_the_ground_of_a_spec_that_is_still_being_written():
    store = Store("paused")
    store.writer.flush.return_value = False
    with pytest.raises(Refused, match="try again"):
        commands(store).obey("extend", "sweep", "id", 1, {"trials": 2})
    assert schema.SPEC_FILE not in store.files
