"""A task group reports crashes, tells its greenlets to stop, and stops in bounded time whatever they do."""

import gc
import time

import gevent
import pytest
from gevent.event import Event

from genesys_gateway.runtime.greenlets import TURN_SECONDS, TaskGroup, collections_put_off, paced


class Crashes:
    """Keeps the name of each greenlet that crashed, and the kind of its error."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, name: str, error: BaseException) -> None:
        self.seen.append((name, type(error).__name__))


@pytest.fixture
def crashes() -> Crashes:
    return Crashes()


def test_a_greenlet_runs_with_its_arguments_and_a_name(crashes: Crashes) -> None:
    done: list[object] = []
    tasks = TaskGroup("bakers", crashes)
    greenlet = tasks.spawn("oven", lambda *loaves: done.extend(loaves), 1, 2)
    assert greenlet.name == "bakers.oven"
    assert tasks.stop(1) == []
    assert done == [1, 2]
    assert crashes.seen == []


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("y"), RecursionError(), gevent.Timeout(1), AssertionError()]
)
def test_an_error_nobody_expected_is_reported_with_the_greenlets_name(crashes: Crashes, error: BaseException) -> None:
    def fail() -> None:
        raise error

    tasks = TaskGroup("bakers", crashes)
    tasks.spawn("oven", fail)
    assert tasks.stop(1) == []
    assert crashes.seen == [("bakers.oven", type(error).__name__)]


def test_being_killed_is_no_crash(crashes: Crashes) -> None:
    tasks = TaskGroup("bakers", crashes)
    tasks.spawn("oven", gevent.sleep, 100).kill()
    assert tasks.stop(1) == []
    assert crashes.seen == []


def test_wait_sleeps_until_the_group_is_told_to_stop(crashes: Crashes) -> None:
    tasks = TaskGroup("bakers", crashes)
    woken: list[bool] = []
    tasks.spawn("oven", lambda: woken.append(tasks.wait(100)))
    gevent.sleep(0)
    assert tasks.wait(0.001) is False
    assert not tasks.stopping
    assert tasks.stop(1) == []
    assert (woken, tasks.stopping) == ([True], True)


def test_who_is_late_is_named_and_killed(crashes: Crashes) -> None:
    tasks = TaskGroup("bakers", crashes)
    slow = [tasks.spawn(name, gevent.sleep, 100) for name in ("second", "first")]
    tasks.spawn("quick", tasks.wait, 100)
    assert tasks.stop(0.01) == ["bakers.first", "bakers.second"]
    assert all(greenlet.dead for greenlet in slow)
    assert tasks.stop(10) == []


def test_who_does_not_even_die_does_not_hold_up_the_stop(crashes: Crashes) -> None:
    let_go = Event()

    def stubborn() -> None:
        try:
            gevent.sleep(100)
        finally:
            let_go.wait()

    tasks = TaskGroup("bakers", crashes)
    tasks.spawn("oven", stubborn)
    gevent.sleep(0)
    with gevent.Timeout(20):
        assert tasks.stop(0.01) == ["bakers.oven"]
    let_go.set()


def test_a_greenlet_may_stop_its_own_group(crashes: Crashes) -> None:
    tasks = TaskGroup("bakers", crashes)
    late: list[list[str]] = []
    tasks.spawn("other", tasks.wait, 100)
    tasks.spawn("oven", lambda: late.append(tasks.stop(1)))
    gevent.sleep(0.01)
    assert late == [[]]
    assert crashes.seen == []


def test_greenlets_that_ended_are_forgotten(crashes: Crashes) -> None:
    tasks = TaskGroup("bakers", crashes)
    gevent.joinall([tasks.spawn("loaf", int) for _ in range(100)])
    assert len(tasks._group) == 0
    tasks.stop(1)


def turns_during(seconds_of_each: float, items: int) -> int:
    """Number of turns that another greenlet gets while one works on so many items."""
    turns, over = 0, False

    def count() -> None:
        nonlocal turns
        while not over:
            turns += 1
            gevent.sleep(1e-7)

    counting = gevent.spawn(count)
    for _ in paced(range(items)):
        until = time.monotonic() + seconds_of_each
        while time.monotonic() < until:
            ...
    over = True
    counting.join()
    return turns


def test_long_work_lets_others_run_after_every_turn() -> None:
    assert turns_during(1.5 * TURN_SECONDS, 10) >= 4


def test_a_turn_in_which_one_has_worked_long_is_over_for_the_next_as_well() -> None:
    done: list[str] = []

    def work_long() -> None:
        for _ in paced(range(2)):
            until = time.monotonic() + 1.5 * TURN_SECONDS
            while time.monotonic() < until:
                ...

    def work_shortly() -> None:
        for _ in paced(range(2)):
            done.append("piece")

    # All three begin in the same turn, in this order.
    gevent.joinall([gevent.spawn(one) for one in (work_long, work_shortly, lambda: done.append("other"))])
    assert done == ["other", "piece", "piece"]


def test_short_work_does_not_pause() -> None:
    assert turns_during(0.0, 10) <= 1


def test_collections_are_put_off_until_the_last_greenlet_that_wants_it_has_ended() -> None:
    with collections_put_off():
        with collections_put_off():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
