"""What the service promises a client that asks its loop for a call."""

import select
import threading

import pytest

from sweeps.service.calls import Calls
from sweeps.service.stored import Refused


def turn(calls):
    """One turn of the loop: it waits until it is woken, and makes the calls."""
    select.select([calls.woken], [], [], 10)
    calls.make()


@pytest.fixture
def turning():
    """`turning(calls)`: one turn of the loop, in a separate thread."""
    threads = []

    def begin(calls):
        threads.append(threading.Thread(target=turn, args=(calls,)))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()


def test_what_a_client_is_asked_to_try_again_is_not_done_after_all(turning):
    calls, done = Calls(), []
    assert "try again" in calls.ask(lambda: done.append("first"), timeout=0.01)["error"]
    calls.make()
    assert done == []
    turning(calls)
    assert calls.ask(lambda: done.append("second"), timeout=10) == {} and done == ["second"]


def test_what_has_begun_when_a_client_s_patience_ends_is_waited_for(turning, monkeypatch):
    calls, begun, go_on, done = Calls(), threading.Event(), threading.Event(), []
    call = calls.call

    def slow():
        begun.set()
        go_on.wait(10)
        done.append("slow")

    def call_and_begin(function, answer):
        call(function, answer)
        turning(calls)
        assert begun.wait(10)
        threading.Timer(0.05, go_on.set).start()

    monkeypatch.setattr(calls, "call", call_and_begin)
    assert calls.ask(slow, timeout=0.0) == {} and done == ["slow"]


def test_what_is_refused_or_fails_is_a_sentence_and_the_next_call_is_made(turning):
    calls, done = Calls(), []

    def refuse():
        raise Refused("there is no such sweep")

    def fail():
        raise ZeroDivisionError

    turning(calls)
    assert calls.ask(refuse) == {"error": "there is no such sweep", "kind": "refused"}
    turning(calls)
    assert "its log says why" in calls.ask(fail)["error"]
    turning(calls)
    assert calls.ask(lambda: done.append("next")) == {} and done == ["next"]


def test_the_loop_is_woken_until_it_has_made_the_calls():
    calls, done = Calls(), []
    assert select.select([calls.woken], [], [], 0)[0] == []
    for place in range(3):
        calls.call(lambda place=place: done.append(place))
    calls.wake()
    assert select.select([calls.woken], [], [], 0)[0] == [calls.woken]
    calls.make()
    assert done == [0, 1, 2] and select.select([calls.woken], [], [], 0)[0] == []
