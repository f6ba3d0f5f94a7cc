"""A full disk and a store that cannot be written, really provoked: a sentence, nothing corrupt, and on it goes."""

import resource
import stat

import pytest

from sweeps.service.channel import request

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def blocked(machine):
    return machine.client.status().problem


def test_the_service_waits_while_the_store_cannot_grow_and_goes_on(machine):
    sweep = machine.launch(epochs=60)
    machine.wait(lambda: machine.metrics(sweep))
    pid, size = machine.pid, machine.path.stat().st_size
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        problem = machine.wait(lambda: blocked(machine))
        assert str(machine.path) in problem and problem.endswith((".", "!")), problem
        assert machine.client.status().pid == pid
        waiting = request(machine.folder, {"action": "status"})["backlog"]
        machine.wait(lambda: request(machine.folder, {"action": "status"})["backlog"] > waiting)
        stored = set(machine.metrics(sweep))
        assert machine.rows("pragma integrity_check") == [("ok",)]
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    machine.wait_state(sweep, "finished")
    assert blocked(machine) is None
    assert stored <= set(machine.metrics(sweep))
    machine.check_whole(sweep, epochs=60)
    assert machine.pid == pid


def test_a_store_that_another_process_locks_is_waited_for(machine):
    import sqlite3

    sweep = machine.launch(epochs=60)
    machine.wait(lambda: machine.metrics(sweep))
    connection = sqlite3.connect(machine.path, isolation_level=None)
    connection.execute("begin exclusive")
    try:
        problem = machine.wait(lambda: blocked(machine))
        assert str(machine.path) in problem
    finally:
        connection.rollback()
        connection.close()
    machine.wait_state(sweep, "finished")
    machine.check_whole(sweep, epochs=60)


def test_a_store_of_a_newer_mlflow_is_named_and_left_alone(new_machine):
    import sqlite3

    machine = new_machine
    with sqlite3.connect(machine.path) as connection:
        connection.execute("update alembic_version set version_num = 'feedfacecafe'")
    connection.close()
    before = machine.path.read_bytes()
    assert not machine.client.start_service(wait=240)
    problem = machine.client.status().problem
    assert "feedfacecafe" in problem and "\n" not in problem.strip()
    assert machine.path.read_bytes() == before
    assert stat.S_ISREG(machine.path.stat().st_mode)
