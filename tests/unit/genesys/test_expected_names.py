"""Names of agents who are talking are fetched before they are wanted, while calls are left."""

import gevent

from genesys_gateway.genesys.client import Forbidden
from genesys_gateway.genesys.expected_names import GATHER_SECONDS, LEFT_OUT_SECONDS, MAX_EXPECTED
from genesys_gateway.runtime.errors import TransientFailure
from tests.doubles.channels import PacedClock
from tests.doubles.names import CacheOnFakeGenesys, settle, user, users
from tests.doubles.runtime import until

TEN = users(range(10))


def cache_of(*ids: str) -> CacheOnFakeGenesys:
    cache = CacheOnFakeGenesys(clock=PacedClock())
    cache.genesys.names = dict.fromkeys(ids, "Maria Cruz")
    return cache


def pass_time(cache: CacheOnFakeGenesys, seconds: float = GATHER_SECONDS) -> None:
    settle()
    cache.clock.advance(seconds)
    settle()


def test_expected_names_are_gathered_and_fetched_in_one_call_behind_all_others() -> None:
    cache = cache_of(*TEN)
    cache.names.expect(TEN[:4])
    pass_time(cache, GATHER_SECONDS - 1)
    cache.names.expect(TEN[4:])
    assert cache.genesys.calls == 0

    pass_time(cache, 1.0)

    assert (cache.genesys.bulk, cache.genesys.urgent) == ([TEN], [False])
    assert all(cache.names.known(one, None) for one in TEN)
    cache.names.stop(0.0)


def test_fifty_do_not_wait_for_more() -> None:
    ids = users(range(120))
    cache = cache_of(*ids)

    cache.names.expect(ids)
    settle()

    assert [len(one) for one in cache.genesys.bulk] == [50, 50]
    cache.names.stop(0.0)


def test_nothing_is_fetched_while_most_calls_are_in_use() -> None:
    cache = cache_of(*TEN)
    cache.used = 0.9
    cache.names.expect(TEN)
    for _ in range(3):
        pass_time(cache)
    assert cache.genesys.calls == 0

    cache.used = 0.89
    pass_time(cache)

    assert cache.genesys.bulk == [TEN]
    cache.names.stop(0.0)


def test_an_expected_name_that_is_wanted_is_asked_for_at_once() -> None:
    cache = cache_of(*TEN)
    cache.names.expect(TEN)
    settle()

    assert cache.names.agent(TEN[0]) == "Maria Cruz"

    assert (cache.genesys.asked, cache.genesys.bulk) == ([TEN[0]], [])
    pass_time(cache)
    assert cache.genesys.bulk == [TEN[1:]]
    cache.names.stop(0.0)


def test_a_wanted_name_is_taken_out_of_a_call_under_way() -> None:
    cache = cache_of(*TEN)
    cache.genesys.hanging = {TEN[5]}
    cache.names.expect(TEN)
    pass_time(cache)
    assert cache.genesys.bulk == [TEN]

    assert cache.names.agent(TEN[0]) == "Maria Cruz"

    cache.genesys.release.set()
    pass_time(cache)
    assert cache.genesys.bulk == [TEN, TEN[1:]]
    cache.names.stop(0.0)


def test_what_is_known_or_asked_for_is_not_fetched() -> None:
    cache = cache_of(*TEN)
    cache.names.agent(TEN[0])
    cache.genesys.hanging = {TEN[1]}
    asking = cache.ask(TEN[1])
    until(lambda: cache.genesys.calls == 2)

    cache.names.expect([*TEN[:3], "no UUID", ""])
    pass_time(cache)

    assert cache.genesys.bulk == [[TEN[2]]]
    gevent.killall(asking)
    cache.names.stop(0.0)


def test_a_failure_is_forgotten_and_the_rest_waits() -> None:
    ids = users(range(70))
    cache = cache_of(*ids)
    cache.genesys.refusal = TransientFailure("not now")
    cache.names.expect(ids)
    settle()
    assert len(cache.genesys.bulk) == 1

    cache.genesys.refusal = None
    pass_time(cache)

    assert cache.genesys.bulk == [ids[:50], ids[50:]]
    assert cache.genesys.asked == []
    assert not cache.names.known(ids[0], None)
    cache.names.stop(0.0)


def test_after_a_refusal_nothing_is_expected_for_an_hour() -> None:
    cache = cache_of(*TEN)
    cache.genesys.refusal = Forbidden("403")
    cache.names.expect(TEN)
    pass_time(cache)

    cache.names.expect(TEN)
    pass_time(cache, 3000)
    cache.answers(*TEN)

    assert (len(cache.genesys.bulk), len(cache.genesys.asked)) == (1, 10)
    cache.names.stop(0.0)


def test_the_number_of_expected_names_is_bounded() -> None:
    ids = users(range(MAX_EXPECTED + 30))
    cache = cache_of(*ids)
    cache.used = 1.0
    cache.names.expect(ids)

    cache.used = 0.0
    pass_time(cache)
    pass_time(cache)

    assert sum(map(len, cache.genesys.bulk)) == MAX_EXPECTED
    assert not cache.names.known(user(29), None)
    cache.names.stop(0.0)


def test_an_id_that_the_answer_leaves_out_is_not_asked_about_at_each_sight() -> None:
    cache = cache_of(*TEN)
    cache.genesys.left_out = {TEN[0]}
    for _ in range(3):
        cache.names.expect(TEN)
        pass_time(cache)
    assert cache.genesys.bulk == [TEN]

    cache.clock.advance(LEFT_OUT_SECONDS)
    cache.names.expect(TEN)
    pass_time(cache)

    assert cache.genesys.bulk == [TEN, TEN[:1]]
    cache.names.stop(0.0)
