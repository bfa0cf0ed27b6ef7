"""Many callers want the same work: one does it, and all share its result."""

import gevent
import pytest
from gevent.event import Event

from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.single_flight import SingleFlight


def test_those_who_come_meanwhile_share_the_result_and_later_ones_work_anew() -> None:
    flight: SingleFlight[str, int] = SingleFlight("test")
    works: list[int] = []

    def work() -> int:
        works.append(1)
        gevent.sleep(0)
        return len(works)

    callers = [gevent.spawn(flight.do, "key", work) for _ in range(50)]
    gevent.joinall(callers)

    assert [one.value for one in callers] == [1] * 50
    assert flight.do("key", work) == 2


def test_other_keys_do_not_wait() -> None:
    flight: SingleFlight[str, int] = SingleFlight("test")
    hold = Event()
    slow = gevent.spawn(flight.do, "slow", lambda: int(hold.wait()))
    gevent.sleep(0)

    assert flight.do("other", lambda: 7) == 7

    hold.set()
    slow.get()


def test_an_error_is_raised_to_all_alike_and_not_remembered() -> None:
    flight: SingleFlight[str, int] = SingleFlight("test")

    def fail() -> int:
        gevent.sleep(0)
        raise TransientFailure("not now", 3.0)

    callers = [gevent.spawn(flight.do, "key", fail) for _ in range(3)]
    for one in callers:
        with pytest.raises(TransientFailure, match="not now"):
            one.get()

    assert flight.do("key", lambda: 1) == 1


def test_an_error_nobody_expected_reaches_all_too() -> None:
    flight: SingleFlight[str, int] = SingleFlight("test")

    def crash() -> int:
        gevent.sleep(0)
        raise KeyError("a mistake of ours")

    callers = [gevent.spawn(flight.do, "key", crash) for _ in range(3)]
    for one in callers:
        with pytest.raises(KeyError, match="a mistake of ours"):
            one.get()

    assert not flight.busy("key")


def test_the_work_goes_on_when_the_first_caller_is_killed_and_is_not_done_twice() -> None:
    flight: SingleFlight[str, int] = SingleFlight("test")
    hold = Event()
    works: list[int] = []

    def work() -> int:
        works.append(1)
        hold.wait()
        return 7

    first = gevent.spawn(flight.do, "key", work)
    gevent.sleep(0)
    others = [gevent.spawn(flight.do, "key", work) for _ in range(3)]
    gevent.sleep(0)

    first.kill()
    hold.set()

    gevent.joinall(others, timeout=1)
    assert [one.value for one in others] == [7] * 3
    assert works == [1]


def test_the_work_goes_on_when_the_first_caller_is_out_of_patience() -> None:
    flight: SingleFlight[str, bool] = SingleFlight("test")
    hold = Event()

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        flight.do("key", hold.wait)
    assert flight.busy("key")
    later = gevent.spawn(flight.do, "key", lambda: False)
    gevent.sleep(0)
    hold.set()

    assert later.get() is True


def test_one_who_is_out_of_patience_leaves_the_others_in_peace() -> None:
    flight: SingleFlight[str, bool] = SingleFlight("test")
    hold = Event()
    first = gevent.spawn(flight.do, "key", hold.wait)
    gevent.sleep(0)

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        flight.do("key", lambda: True)
    hold.set()

    assert first.get() is True


def test_stop_lets_the_work_end_and_begins_none() -> None:
    flight: SingleFlight[str, bool] = SingleFlight("test")
    hold = Event()
    caller = gevent.spawn(flight.do, "key", hold.wait)
    gevent.sleep(0)
    stopping = gevent.spawn(flight.stop, 1.0)
    gevent.sleep(0)

    with pytest.raises(TransientFailure):
        flight.do("other", lambda: True)
    hold.set()

    assert caller.get() is True
    assert stopping.get() == []


def test_stop_ends_work_that_hangs_and_tells_its_callers() -> None:
    flight: SingleFlight[str, bool] = SingleFlight("test")
    callers = [gevent.spawn(flight.do, key, Event().wait) for key in ("key", "other")]
    gevent.sleep(0)

    assert flight.stop(0.0) == ["test.work", "test.work"]

    for caller in callers:
        with pytest.raises(TransientFailure, match=r"^this process stops$"):
            caller.get()
    assert not flight.busy("key")
