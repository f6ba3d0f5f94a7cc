"""Tags, notes, deleting and restoring, through a real service, of runs that it did not make."""

import pytest

from sweeps.client import CommandError

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture
def run(machine):
    """A run that another program logged."""
    from tracking import _mlflow

    run = _mlflow.client(machine.uri).create_run("0", tags={"theirs": "1"})
    return run.info.run_id


def tags(machine, run):
    return dict(machine.rows("select key, value from tags where run_uuid = ?", run))


def test_tags_are_set_and_removed_and_a_note_is_kept(machine, run):
    machine.client.edit([run], {"mine": "a ▲ b", "mlflow.note.content": "# why"}, removed=["theirs"])
    machine.wait(lambda: "theirs" not in tags(machine, run))
    edited = tags(machine, run)
    assert edited["mine"] == "a ▲ b" and edited["mlflow.note.content"] == "# why"


def test_a_deleted_run_is_hidden_and_comes_back(machine, run):
    from tracking.reader import open_reader

    reader = open_reader(machine.uri)

    def shown(deleted=False):
        runs = reader.runs(run_ids=[run], deleted=deleted)
        return list(runs["lifecycle"])

    machine.client.delete([run])
    machine.wait(lambda: not shown())
    assert shown(deleted=True) == ["deleted"]
    machine.client.restore([run])
    machine.wait(lambda: shown() == ["active"])
    machine.client.edit([run], {"after": "restoring"})
    machine.wait(lambda: tags(machine, run).get("after"))


@pytest.mark.parametrize("key", ["state", "outcome", "cmd.x", "event.1", "mlflow.parentRunId", " ", "a\nb"])
def test_tags_of_the_program_are_not_the_users_to_change(machine, run, key):
    before = tags(machine, run)
    with pytest.raises(CommandError, match="tag"):
        machine.client.edit([run], {key: "running", "other": "1"})
    assert tags(machine, run) == before
