"""Which metric of an experiment is which, stored as its tags through a real service."""

import pytest

from sweeps.client import CommandError

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def test_tags_of_an_experiment_are_kept(machine):
    from tracking.reader import open_reader

    reader = open_reader(machine.uri)
    machine.client.edit_experiment("0", {"sweepboard.roles": '{"a":["test","higher"]}'})
    assert reader.experiment_tags("0")["sweepboard.roles"] == '{"a":["test","higher"]}'
    with pytest.raises(CommandError, match=r"tag state"):
        machine.client.edit_experiment("0", {"state": "running"})
    with pytest.raises(CommandError):
        machine.client.edit_experiment("4711", {"a": "b"})
    assert set(reader.experiment_tags("0")) == {"sweepboard.roles"}
