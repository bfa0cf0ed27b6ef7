"""Names are looked up once, kept for a day, and dropped before they fill the memory."""

import gevent
import pytest

from genesys_gateway.runtime.errors import TransientFailure
from tests.doubles.names import CacheOnFakeGenesys

DAY, HOUR = 86400, 3600


def test_a_name_is_asked_for_once_a_day() -> None:
    cache = CacheOnFakeGenesys(u="Maria Cruz")

    assert [cache.names.agent("u"), cache.names.agent("u")] == ["Maria Cruz"] * 2
    cache.clock.advance(DAY - 1)
    cache.names.agent("u")
    assert cache.genesys.asked == ["u"]

    cache.clock.advance(1)
    cache.names.agent("u")
    assert cache.genesys.asked == ["u", "u"]


def test_that_there_is_no_name_is_remembered_for_an_hour() -> None:
    cache = CacheOnFakeGenesys()

    assert cache.names.wrapup("ININ-WRAP-UP-TIMEOUT") is None
    cache.clock.advance(HOUR - 1)
    cache.names.wrapup("ININ-WRAP-UP-TIMEOUT")
    assert len(cache.genesys.asked) == 1

    cache.clock.advance(1)
    cache.genesys.names["ININ-WRAP-UP-TIMEOUT"] = "Timeout"
    assert cache.names.wrapup("ININ-WRAP-UP-TIMEOUT") == "Timeout"


def test_without_an_id_there_is_nothing_to_ask() -> None:
    cache = CacheOnFakeGenesys()

    assert (cache.names.agent(None), cache.names.wrapup(None), cache.names.wrapup("")) == (None, None, None)
    assert cache.genesys.asked == []


def test_an_agent_and_a_code_of_the_same_id_are_two_names() -> None:
    cache = CacheOnFakeGenesys(same="x")
    cache.names.agent("same")

    cache.names.wrapup("same")

    assert len(cache.genesys.asked) == 2


def test_many_who_ask_for_one_name_cost_one_call() -> None:
    cache = CacheOnFakeGenesys(u="Maria Cruz", v="Jose Ramos")

    lookups = [gevent.spawn(cache.names.agent, one) for one in "uv" * 50]
    gevent.joinall(lookups)

    assert [one.value for one in lookups] == ["Maria Cruz", "Jose Ramos"] * 50
    assert sorted(cache.genesys.asked) == ["u", "v"]


def test_a_failure_is_raised_and_asked_again() -> None:
    cache = CacheOnFakeGenesys(u="Maria Cruz")
    cache.genesys.failing = True
    with pytest.raises(TransientFailure):
        cache.names.agent("u")

    cache.genesys.failing = False

    assert cache.names.agent("u") == "Maria Cruz"


def test_stop_ends_lookups_and_begins_no_other() -> None:
    cache = CacheOnFakeGenesys()
    cache.genesys.hanging = {"u", "v"}
    waiting = [gevent.spawn(cache.names.agent, one) for one in "uv"]
    cache.until_asked(2)

    assert cache.names.stop(0.0) == ["names.alone", "names.alone"]

    gevent.joinall(waiting)
    assert [type(one.exception) for one in waiting] == [TransientFailure] * 2
    with pytest.raises(TransientFailure):
        cache.names.agent("w")


def test_known_returns_whether_no_call_would_be_made() -> None:
    cache = CacheOnFakeGenesys(u="Maria Cruz")
    known = cache.names.known

    assert known(None, None)
    assert not known("u", None)
    cache.names.agent("u")
    assert known("u", None)
    assert not known("u", "code")
    cache.names.wrapup("code")
    assert known("u", "code")
    cache.clock.advance(HOUR)
    assert not known("u", "code")
    assert cache.genesys.asked == ["u", "code"]


def test_the_one_not_asked_for_the_longest_is_forgotten_first() -> None:
    cache = CacheOnFakeGenesys(max_names=3)
    for one in "abc":
        cache.names.agent(one)

    cache.names.agent("a")
    cache.names.agent("d")

    assert [cache.names.known(one, None) for one in "abcd"] == [True, False, True, True]
