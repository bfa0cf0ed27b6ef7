"""Names go together in few calls, and an id that makes calls fail or hang costs only itself."""

from typing import Any

import gevent
import pytest

from genesys_gateway.genesys.client import Forbidden, NotFound, Throttled, TokenDead
from genesys_gateway.genesys.name_queue import ALONE
from genesys_gateway.runtime.errors import NoReply, PermanentFailure, TransientFailure
from tests.doubles.channels import PacedClock
from tests.doubles.names import CacheOnFakeGenesys, answers, settle, user, users
from tests.doubles.runtime import until

FIFTY = users(range(50))


def named(*ids: str) -> dict[str, Any]:
    return {one: f"Agent {one[:8]}" for one in ids}


def cache_of(*ids: str, clock: PacedClock | None = None) -> CacheOnFakeGenesys:
    return CacheOnFakeGenesys(clock=clock, **named(*ids))


def test_a_lone_name_is_asked_for_by_a_single_call() -> None:
    cache = cache_of(user(1))

    assert cache.names.agent(user(1)) == "Agent 00000001"
    assert (cache.genesys.asked, cache.genesys.bulk) == ([user(1)], [])


def test_names_wanted_during_a_call_go_together_in_the_next() -> None:
    ids = users(range(121))
    cache = cache_of(*ids)
    cache.genesys.hanging = {ids[0]}
    first = cache.ask(ids[0])
    cache.until_asked(1)
    others = cache.ask(*ids[1:])
    settle()
    assert cache.genesys.calls == 1

    cache.genesys.release.set()

    assert answers(first + others) == list(named(*ids).values())
    assert [len(one) for one in cache.genesys.bulk] == [50, 50, 20]


def test_two_hundred_agents_cost_at_most_six_calls_and_half_a_second() -> None:
    ids = users(range(200))
    cache = cache_of(*ids)
    begun = cache.clock.monotonic()
    cache.genesys.before = lambda: cache.clock.sleep(0.08)

    assert cache.answers(*ids) == list(named(*ids).values())

    assert cache.genesys.calls <= 6
    assert cache.clock.monotonic() - begun <= 0.5


def test_an_id_that_the_answer_leaves_out_is_asked_for_alone() -> None:
    cache = cache_of(*FIFTY[:49])
    cache.genesys.left_out = {FIFTY[7]}

    assert cache.answers(*FIFTY) == [*named(*FIFTY[:49]).values(), None]
    assert sorted(cache.genesys.asked) == [FIFTY[7], FIFTY[49]]
    assert cache.names.known(FIFTY[49], None)


def test_an_agent_shown_without_a_name_has_none() -> None:
    cache = CacheOnFakeGenesys()
    cache.genesys.names = {user(1): None, user(2): "Maria Cruz"}

    assert cache.answers(user(1), user(2)) == [None, "Maria Cruz"]
    assert (cache.genesys.asked, len(cache.genesys.bulk)) == ([], 1)


def test_system_codes_are_asked_for_alone() -> None:
    cache = CacheOnFakeGenesys()
    cache.genesys.names = {user(1): "Invoice", user(2): "Loan"}
    asking = [gevent.spawn(cache.names.wrapup, one) for one in (user(1), "ININ-WRAP-UP-TIMEOUT", user(2))]

    assert answers(asking) == ["Invoice", None, "Loan"]
    assert (cache.genesys.asked, cache.genesys.bulk) == (["ININ-WRAP-UP-TIMEOUT"], [[user(1), user(2)]])


def test_a_poisoned_id_among_fifty_costs_its_own_name_only() -> None:
    cache = cache_of(*FIFTY)
    cache.genesys.poisoned = {FIFTY[3]}

    told = cache.answers(*FIFTY)

    assert isinstance(told[3], TransientFailure)
    assert told[:3] + told[4:] == list(named(*FIFTY[:3], *FIFTY[4:]).values())
    assert (len(cache.genesys.bulk), len(cache.genesys.asked)) == (1, 50)


def test_an_id_that_failed_alone_does_not_get_into_a_bulk_call_again() -> None:
    cache = cache_of(*FIFTY)
    cache.genesys.poisoned = {FIFTY[3]}
    cache.answers(*FIFTY[:10])

    told = cache.answers(FIFTY[3], *FIFTY[10:40])

    assert isinstance(told[0], TransientFailure)
    assert told[1:] == list(named(*FIFTY[10:40]).values())
    assert cache.genesys.bulk[1:] == [FIFTY[10:40]]


def test_a_hanging_id_delays_others_by_its_call_at_most_and_later_ones_not_at_all() -> None:
    cache = cache_of(*FIFTY)
    cache.genesys.hanging = {FIFTY[0]}
    cache.genesys.poisoned = {FIFTY[0]}
    hanging = cache.ask(FIFTY[0])
    cache.until_asked(1)
    waiting = cache.ask(*FIFTY[1:10])
    cache.genesys.release.set()
    assert answers(waiting) == list(named(*FIFTY[1:10]).values())
    assert isinstance(answers(hanging)[0], TransientFailure)

    cache.genesys.release.clear()
    hanging = cache.ask(FIFTY[0])
    settle()

    assert cache.answers(*FIFTY[10:20]) == list(named(*FIFTY[10:20]).values())
    assert not hanging[0].dead
    gevent.killall(hanging)


def test_after_a_bulk_call_failed_at_most_four_ask_one_by_one_and_new_names_go_on() -> None:
    ids = users(range(100))
    cache = cache_of(*ids)
    cache.genesys.poisoned = set(ids[:10])
    asking = cache.ask(*ids[:50])
    until(lambda: cache.genesys.asked)
    cache.genesys.hanging = set(ids[:50])
    settle()

    assert len(cache.genesys.under_way) <= ALONE
    assert cache.answers(*ids[50:]) == list(named(*ids[50:]).values())
    gevent.killall(asking)


@pytest.mark.parametrize("refusal", [Forbidden("403"), NotFound("404"), PermanentFailure("400"), TokenDead("401")])
def test_after_a_refusal_names_go_one_by_one_for_an_hour(refusal: Exception) -> None:
    ids = users(range(80))
    cache = cache_of(*ids)
    cache.genesys.refusal = refusal

    assert cache.answers(*ids[:60]) == list(named(*ids[:60]).values())
    assert (len(cache.genesys.bulk), len(cache.genesys.asked)) == (1, 60)
    cache.clock.advance(3599)
    cache.answers(*ids[60:70])
    assert len(cache.genesys.bulk) == 1

    cache.clock.advance(1)
    cache.genesys.refusal = None
    cache.answers(*ids[70:])
    assert len(cache.genesys.bulk) == 2


def test_a_bulk_call_without_an_answer_costs_only_its_own_callers_the_wait() -> None:
    ids = users(range(130))
    cache = cache_of(*ids)
    cache.genesys.refusal = NoReply("no answer in time")

    assert cache.answers(*ids[:120]) == list(named(*ids[:120]).values())
    assert len(cache.genesys.bulk) == 1

    cache.genesys.refusal = None
    cache.clock.advance(60)
    assert cache.answers(*ids[120:]) == list(named(*ids[120:]).values())
    assert len(cache.genesys.bulk) == 2


def test_a_throttled_bulk_call_is_not_replaced_by_single_ones() -> None:
    cache = cache_of(*FIFTY)
    cache.genesys.refusal = Throttled("429", 7.0)

    told = cache.answers(*FIFTY)

    assert [getattr(one, "retry_after", None) for one in told] == [7.0] * 50
    assert (len(cache.genesys.bulk), cache.genesys.asked) == (1, [])


def test_while_genesys_fails_a_few_single_calls_are_enough_to_tell() -> None:
    cache = cache_of(*FIFTY)
    cache.genesys.failing = True

    told = cache.answers(*FIFTY)

    assert all(isinstance(one, TransientFailure) for one in told)
    assert len(cache.genesys.bulk) == 1
    assert len(cache.genesys.asked) < 2 * ALONE


def test_a_second_failure_of_genesys_costs_two_calls_and_then_names_go_together_again() -> None:
    ids = users(range(200))
    cache = cache_of(*ids)
    cache.genesys.failing = True
    cache.answers(*FIFTY)
    before = cache.genesys.calls

    told = cache.answers(*ids)

    assert all(isinstance(one, TransientFailure) for one in told)
    assert cache.genesys.calls - before <= 3
    cache.genesys.failing = False
    before = cache.genesys.calls
    assert cache.answers(*ids) == list(named(*ids).values())
    assert cache.genesys.calls - before == 4


def test_many_poisoned_ids_do_not_pass_for_a_failure_of_genesys_for_long() -> None:
    cache = cache_of(*FIFTY)
    cache.genesys.poisoned = set(FIFTY[: 2 * ALONE])
    cache.answers(*FIFTY)

    for _ in range(3):
        told = cache.answers(*FIFTY)

    assert [isinstance(one, TransientFailure) for one in told] == [True] * 2 * ALONE + [False] * (50 - 2 * ALONE)


def test_a_mistake_in_reading_costs_the_bulk_call_and_no_name() -> None:
    cache = cache_of(*FIFTY)
    cache.genesys.refusal = ZeroDivisionError()

    assert cache.answers(*FIFTY) == list(named(*FIFTY).values())


def test_while_calls_are_scarce_calls_of_a_kind_are_half_a_second_apart() -> None:
    clock = PacedClock()
    cache = cache_of(*FIFTY, clock=clock)
    cache.busy = True
    assert cache.names.agent(FIFTY[0]) is not None
    waiting = cache.ask(*FIFTY[1:20])
    settle()
    assert cache.genesys.calls == 1

    clock.advance(0.49)
    waiting += cache.ask(*FIFTY[20:30])
    settle()
    assert cache.genesys.calls == 1
    clock.advance(0.01)

    assert answers(waiting) == list(named(*FIFTY[1:30]).values())
    assert cache.genesys.bulk == [FIFTY[1:30]]


def test_an_id_for_which_nobody_waits_any_more_is_not_asked_for() -> None:
    cache = cache_of(*FIFTY)
    cache.genesys.hanging = {FIFTY[0]}
    first = cache.ask(FIFTY[0])
    cache.until_asked(1)
    impatient, patient = cache.ask(FIFTY[1], FIFTY[2]), cache.ask(FIFTY[3], FIFTY[4])
    settle()

    gevent.killall(impatient)
    cache.genesys.release.set()

    answers(first + patient)
    assert cache.genesys.bulk == [FIFTY[3:5]]


def test_a_call_that_the_last_caller_has_left_is_ended_and_the_next_begins() -> None:
    cache = cache_of(*FIFTY)
    cache.genesys.hanging = {FIFTY[0]}
    first = cache.ask(FIFTY[0])
    cache.until_asked(1)
    others = cache.ask(*FIFTY[1:5])
    settle()

    gevent.killall(first)

    assert answers(others) == list(named(*FIFTY[1:5]).values())
    assert cache.genesys.bulk == [FIFTY[1:5]]


def test_one_caller_who_leaves_does_not_end_the_call_for_the_others() -> None:
    cache = cache_of(user(1))
    cache.genesys.hanging = {user(1)}
    impatient, patient = cache.ask(user(1)), cache.ask(user(1))
    cache.until_asked(1)

    gevent.killall(impatient)
    cache.genesys.release.set()

    assert answers(patient) == ["Agent 00000001"]
    assert cache.genesys.asked == [user(1)]
