"""Instances of one OAuth client together never have more channels than the budget, whatever fails."""

from collections.abc import Iterator

import gevent
import pytest

from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from tests.doubles.budgets import LEASE, Member
from tests.doubles.runtime import FakeClock
from tests.doubles.storage_in_memory import StorageInMemory


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def storage(clock: FakeClock) -> Iterator[StorageInMemory]:
    storage = StorageInMemory(clock)
    yield storage
    storage.close()


@pytest.fixture
def one(storage: StorageInMemory, clock: FakeClock) -> Member:
    return Member(storage, clock, 1)


@pytest.fixture
def two(storage: StorageInMemory, clock: FakeClock) -> Member:
    return Member(storage, clock, 2)


def test_demand_leaves_the_last_place_of_the_client_to_handovers(one: Member, two: Member) -> None:
    assert (one.connect(2), two.connect(2)) == (2, 1)
    assert (one.connect(), two.connect(handover=True), one.connect(handover=True)) == (0, 1, 0)
    assert (one.rows(), two.rows()) == (2, 2)


def test_demand_may_use_the_last_place_while_another_instance_hands_over(one: Member, two: Member) -> None:
    assert one.connect(3) == 3
    two.settle()
    assert (two.budget.attainable, two.connect()) == (0, 0)
    one.set(draining_at=1)
    two.budget.freed()  # the hint of the one that drains
    two.settle()
    assert (two.budget.attainable, two.connect(2)) == (1, 1)
    # One channel after the other moves
    one.connected -= 1
    one.settle()
    two.budget.freed()
    two.settle()
    assert (two.budget.attainable, two.connect()) == (2, 1)
    # Afterwards the last place is kept free again
    one.connected = 0
    one.settle()
    one.set(ended_at=1, ended_how="left")
    two.budget.freed()
    two.settle()
    assert (two.budget.attainable, two.connect(3)) == (3, 1)


def test_a_gone_channel_is_replaced_in_its_place_while_the_database_is_away(
    one: Member, storage: StorageInMemory
) -> None:
    one.connect(2)
    storage.refuse(100)
    one.connected -= 1
    assert one.connect() == 1
    # But no further channel is made
    assert one.connect() == 0


def test_no_held_place_is_filled_while_the_lease_is_in_doubt(one: Member, clock: FakeClock) -> None:
    one.connect(2)
    one.connected = 0
    clock.advance(LEASE * 2 / 3)
    jobs = one.jobs()
    assert (one.connect(), one.connect(handover=True), one.budget.certain) == (0, 0, False)
    one.settle()
    assert one.jobs() == jobs
    one.renew()
    assert (one.connect(), one.budget.certain) == (1, True)


def test_a_place_that_nothing_uses_is_given_back_and_free_for_others(
    one: Member, two: Member, clock: FakeClock
) -> None:
    one.connect(3)
    assert two.connect() == 0
    one.connected = 1
    one.wanted = 1  # conversations wait for a channel that is about to be made
    one.settle()
    assert (one.rows(), two.connect()) == (2, 0)  # what was refused just now is not asked for again
    clock.advance(LEASE / 10)
    assert (two.connect(2), one.connect()) == (1, 1)


def test_the_last_place_is_given_back_and_never_used_by_demand(one: Member, clock: FakeClock) -> None:
    # Given a handover in the last place
    assert (one.connect(3), one.connect(handover=True)) == (3, 1)
    assert one.budget.others_may_wait
    # When the old channel is closed
    one.connected -= 1
    # Then demand has no place, but another handover has
    assert (one.connect(), one.rows()) == (0, 3)
    assert one.connect(handover=True) == 1
    clock.advance(LEASE / 10)
    # When two are closed, demand may have one of the two places
    one.connected -= 2
    assert (one.connect(), one.rows()) == (1, 4)
    one.settle()
    assert (one.rows(), one.budget.others_may_wait) == (3, False)


def test_the_last_place_is_like_any_other_as_soon_as_another_one_is_free(
    one: Member, two: Member, clock: FakeClock
) -> None:
    assert (one.connect(2), two.connect(), two.connect(handover=True)) == (2, 1, 1)
    one.connected = 0
    one.settle()
    clock.advance(LEASE / 3)
    two.renew()
    two.settle()
    two.connected = 1
    assert (two.connect(2), two.connected) == (2, 3)


def test_a_refused_question_is_repeated_after_a_while_or_when_something_becomes_free(
    one: Member, two: Member, clock: FakeClock, storage: StorageInMemory
) -> None:
    one.connect(3)
    jobs = storage.jobs
    assert [two.connect() for _ in range(50)] == [0] * 50
    assert storage.jobs == jobs + 1
    clock.advance(LEASE / 10)
    assert (two.connect(), storage.jobs) == (0, jobs + 2)
    one.connected = 2
    one.settle()
    assert two.connect() == 0
    two.budget.freed()
    assert two.connect() == 1


def test_a_reservation_whose_reply_is_lost_grants_nothing_and_does_not_stay(
    one: Member, two: Member, storage: StorageInMemory, clock: FakeClock
) -> None:
    def lose() -> None:
        raise StorageUnavailable("the reply to a commit was lost; the outcome is not known")

    storage.after_commit = lose
    assert (one.connect(), one.rows()) == (0, 1)
    storage.after_commit = lambda: None
    # Then the next transaction releases the row, also without any demand
    clock.advance(LEASE / 10)
    one.settle()
    assert (one.rows(), two.connect(3)) == (0, 3)


def test_a_place_whose_return_has_an_unknown_outcome_is_not_used_again(
    one: Member, storage: StorageInMemory, clock: FakeClock
) -> None:
    one.connect(2)
    one.connected = 1
    storage.refuse(1)
    one.settle()
    storage.refuse(1)
    assert (one.connect(), one.rows()) == (0, 2)
    clock.advance(LEASE / 10)
    one.settle()
    assert one.rows() == 1
    assert (one.connect(), one.rows()) == (1, 2)


def test_after_a_lost_lease_the_old_places_count_until_no_socket_can_be_open(
    one: Member, two: Member, clock: FakeClock
) -> None:
    one.connect(3)
    # Given its lease has lapsed, and it goes on under a new id
    clock.advance(LEASE + 1)
    one.set(ended_at=clock.now(), ended_how="lapsed")
    one.connected = 0
    one.identity.renew()
    one.budget.reset()
    one.enter()
    two.renew()
    assert (one.connect(), two.connect()) == (0, 0)
    # When a heartbeat has passed since the lease ended
    clock.advance(39)
    one.renew()
    two.renew()
    assert (one.connect(3), two.connect()) == (3, 0)


@pytest.mark.parametrize("how", ["left", "proven"])
def test_the_places_of_an_instance_that_has_no_socket_any_more_are_free_at_once(
    one: Member, two: Member, clock: FakeClock, how: str
) -> None:
    one.connect(3)
    one.set(ended_at=clock.now(), ended_how=how)
    assert (two.connect(4), one.rows()) == (3, 0)


def test_an_instance_that_was_declared_ended_reserves_nothing(one: Member, clock: FakeClock) -> None:
    one.set(ended_at=clock.now(), ended_how="proven")
    assert (one.connect(), one.rows()) == (0, 0)


def test_a_reservation_for_an_id_that_was_lost_meanwhile_grants_nothing(one: Member, storage: StorageInMemory) -> None:
    storage.after_commit = one.budget.reset
    assert one.connect() == 0


def test_places_that_a_failover_of_the_database_has_lost_are_stored_again(one: Member, clock: FakeClock) -> None:
    one.connect(2)
    one.forget_rows()
    clock.advance(LEASE / 3)
    one.renew()
    one.settle()
    assert one.rows() == 2


def test_attainable_is_what_is_held_here_and_what_nobody_holds(one: Member, two: Member, clock: FakeClock) -> None:
    assert one.budget.attainable == 3
    one.connect()
    two.connect()
    clock.advance(LEASE / 3)
    one.renew()
    one.settle()
    assert (one.budget.attainable, two.budget.attainable) == (2, 2)
    two.connect()
    two.connect(handover=True)
    assert two.budget.attainable == 2


def test_callers_that_ask_at_the_same_time_get_a_place_each(one: Member, storage: StorageInMemory) -> None:
    granted = []
    asking = [0]

    def ask(handover: bool) -> None:
        asking[0] += 1
        granted.append(one.budget.take(lambda: asking[0], handover=handover))

    greenlets = [gevent.spawn(ask, handover) for handover in (False, True, False, True, False)]
    gevent.joinall(greenlets, timeout=5, raise_error=True)
    assert (sum(granted), one.rows()) == (4, 4)
    assert storage.most_under_way == 1


def test_the_loop_gives_back_until_it_is_stopped(one: Member) -> None:
    one.connect(2)
    one.connected = 0
    tasks = TaskGroup("test", lambda *_: None)
    running = tasks.spawn("budget", one.budget.run, tasks, lambda: one.connected, lambda: one.wanted)
    with gevent.Timeout(20):
        while one.rows():
            gevent.sleep(0.001)
    assert tasks.stop(1.0) == []
    assert running.dead
