"""What the service promises those who ask it, without a store and without workers."""

import queue
import threading

from sweeps.service import Service


def quiet():
    """A service whose loop does not turn: `turn` makes it take what waits."""
    service = Service.__new__(Service)
    service._calls = queue.SimpleQueue()
    service._wake = service._recover = lambda: None
    return service


def turn(service):
    call, answer = service._calls.get(timeout=10)
    call()
    answer.put({})


def test_what_a_client_was_told_to_try_again_is_not_done_after_all():
    service, done = quiet(), []
    assert "try again" in service._ask(lambda: done.append("first"), timeout=0.01)["error"]
    turn(service)
    assert done == []
    turning = threading.Thread(target=turn, args=(service,))
    turning.start()
    assert service._ask(lambda: done.append("second"), timeout=10) == {} and done == ["second"]
    turning.join()


def test_what_has_begun_when_a_client_s_patience_ends_is_waited_for():
    service, begun, go_on, done = quiet(), threading.Event(), threading.Event(), []

    def slow():
        begun.set()
        go_on.wait(10)
        done.append("slow")

    def begin(call, answer):
        service._calls.put((call, answer))
        threading.Thread(target=turn, args=(service,)).start()
        assert begun.wait(10)
        threading.Timer(0.05, go_on.set).start()

    service._call = begin
    assert service._ask(slow, timeout=0.0) == {} and done == ["slow"]
