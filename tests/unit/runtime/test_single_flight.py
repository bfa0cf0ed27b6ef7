"""Many callers want the same work: one does it, and all share its result."""

import gevent
import pytest
from gevent.event import Event

from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.single_flight import SingleFlight


def test_those_who_come_meanwhile_share_the_result_and_later_ones_work_anew() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
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
    flight: SingleFlight[str, int] = SingleFlight()
    hold = Event()
    slow = gevent.spawn(flight.do, "slow", lambda: int(hold.wait()))
    gevent.sleep(0)

    assert flight.do("other", lambda: 7) == 7

    hold.set()
    slow.get()


def test_an_error_is_raised_to_all_alike_and_not_remembered() -> None:
    flight: SingleFlight[str, int] = SingleFlight()

    def fail() -> int:
        gevent.sleep(0)
        raise TransientFailure("not now", 3.0)

    callers = [gevent.spawn(flight.do, "key", fail) for _ in range(3)]
    for one in callers:
        with pytest.raises(TransientFailure, match="not now"):
            one.get()

    assert flight.do("key", lambda: 1) == 1


def test_when_the_worker_is_killed_another_takes_over() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
    hold = Event()
    worker = gevent.spawn(flight.do, "key", lambda: int(hold.wait()))
    gevent.sleep(0)
    others = [gevent.spawn(flight.do, "key", lambda: 8) for _ in range(3)]
    gevent.sleep(0)

    worker.kill()

    gevent.joinall(others, timeout=1)
    assert [one.value for one in others] == [8] * 3


def test_one_who_is_out_of_patience_leaves_the_others_in_peace() -> None:
    flight: SingleFlight[str, bool] = SingleFlight()
    hold = Event()
    worker = gevent.spawn(flight.do, "key", hold.wait)
    gevent.sleep(0)

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        flight.do("key", lambda: True)
    hold.set()

    assert worker.get() is True
