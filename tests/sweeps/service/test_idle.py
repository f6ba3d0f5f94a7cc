"""A service ends when it has been of no use for long, and never between two sweeps of its queue."""

from sweeps.service.idle import Idle


def test_the_time_counts_from_the_last_work_as_from_the_last_client():
    now = [0.0]
    idle = Idle(600, lambda: now[0])
    for now[0] in range(0, 7200, 60):
        assert not idle.over(busy=True), "a sweep trains for two hours, and no client asks"
    now[0] += 1
    assert not idle.over(busy=False), "the next sweep of the queue is about to begin"
    now[0] += 598
    assert not idle.over(busy=False)
    now[0] += 3
    assert idle.over(busy=False)
    idle.used()
    assert not idle.over(busy=False)
