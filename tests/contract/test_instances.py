"""Whose word holds, and who takes over what a dead instance leaves behind, on both databases."""

from collections.abc import Sequence
from typing import Any

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import Connection, select

from genesys_gateway.genesys.schemas.channels import CHANNEL_ID
from genesys_gateway.storage import Storage
from genesys_gateway.storage.portable import database_now
from genesys_gateway.storage.statements import conversations, instances
from genesys_gateway.storage.tables import channel, conversation, instance
from tests.doubles.runtime import FakeClock

CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"
ME = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"
NOW = 1_763_805_600_000
LEASE = 20_000
ENDED = -1  # a lease that has ended already, whatever the database's clock says


def one(number: int) -> str:
    return f"633ba5f4-38cd-48fc-bb4c-{number:012d}"


class House:
    """The statements, each in its own transaction."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def enter(self, who: str = ME, lease: int = LEASE) -> None:
        self.storage.run(lambda c: instances.enter(c, who, lease))

    def renew(self, who: str = ME, lease: int = LEASE) -> bool:
        return self.storage.run(lambda c: instances.renew(c, who, lease))

    def adopt(self, who: str = ME) -> list[str]:
        return self.storage.run(lambda c: instances.adopt(c, who, lease_ms=LEASE, now=NOW))

    def register(self, *numbers: int, owner: str = OTHER, covered: bool = False) -> None:
        def job(connection: Connection) -> None:
            for number in numbers:
                conversations.register(
                    connection,
                    one(number),
                    CUSTOMER,
                    owner=owner,
                    now=NOW + number,
                    due_at=NOW,
                    deadline_at=NOW + 10**9,
                )
            if covered:
                conversations.cover(connection, [one(n) for n in numbers], channel_id="c", owner=owner, now=NOW)

        self.storage.run(job)

    def close(self, number: int) -> None:
        self.storage.run(
            lambda c: conversations.close(
                c, one(number), without_record=conversations.NO_ACW, now=NOW, last_look_at=NOW
            )
        )

    def row(self, number: int) -> Any:
        return self.storage.run(lambda c: c.execute(select(conversation).where(conversation.c.id == one(number))).one())

    def rows(self, table: Any) -> Sequence[Any]:
        return self.storage.run(lambda c: c.execute(select(table)).all())

    def time(self) -> int:
        return self.storage.run(database_now)


@pytest.fixture
def house(storage: Storage) -> House:
    return House(storage)


def test_an_instance_enters_with_a_lease_on_the_databases_clock(house: House) -> None:
    house.enter()
    (row,) = house.rows(instance)
    assert row.id == ME
    assert abs(row.lease_until - LEASE - house.time()) < 5000


def test_entering_twice_renews_the_lease(house: House) -> None:
    """The outcome of a commit may not be known: then it is done again."""
    house.enter(lease=ENDED)
    house.enter()
    (row,) = house.rows(instance)
    assert row.lease_until > house.time()


def test_each_newcomer_has_a_higher_number(house: House) -> None:
    house.enter(ME)
    house.enter(OTHER)
    assert {row.id: row.epoch for row in house.rows(instance)} == {ME: 1, OTHER: 2}


def test_a_lease_is_renewed_as_long_as_the_instance_is_known(house: House) -> None:
    assert house.renew() is False
    house.enter(lease=ENDED)
    assert house.renew() is True
    assert house.rows(instance)[0].lease_until > house.time()


def test_who_leaves_has_no_lease_any_more(house: House) -> None:
    house.enter()
    house.storage.run(lambda c: instances.leave(c, ME))
    assert house.rows(instance)[0].lease_until <= house.time()


def test_all_leases_can_be_ended_at_once(house: House) -> None:
    house.enter(ME)
    house.enter(OTHER)
    house.storage.run(instances.end_all_leases)
    assert all(row.lease_until <= house.time() for row in house.rows(instance))


def test_what_a_dead_instance_followed_is_adopted_oldest_first(house: House) -> None:
    house.enter(OTHER, lease=ENDED)
    house.register(3, 1, 2)
    house.enter()
    assert house.adopt() == [one(1), one(2), one(3)]
    assert {house.row(number).owner for number in (1, 2, 3)} == {ME}
    assert house.row(1).epoch == 1
    assert house.adopt() == []


def test_what_a_living_instance_follows_is_left_alone(house: House) -> None:
    house.enter(OTHER)
    house.register(1)
    house.enter()
    assert house.adopt() == []
    assert house.row(1).owner == OTHER


def test_what_nobody_known_follows_is_adopted(house: House) -> None:
    house.register(1)
    house.enter()
    assert house.adopt() == [one(1)]


def test_what_is_closed_is_not_adopted(house: House) -> None:
    house.register(1, 2)
    house.close(1)
    house.enter()
    assert house.adopt() == [one(2)]
    assert house.row(1).owner == OTHER


def test_a_covered_one_is_uncovered_since_its_owners_last_renewal(house: House) -> None:
    house.enter(OTHER, lease=ENDED)
    ended_at = house.rows(instance)[0].lease_until
    house.register(1, covered=True)
    house.enter()
    house.adopt()
    row = house.row(1)
    assert (row.state, row.channel_id, row.in_doubt) == ("pending", None, True)
    assert row.uncovered_since == ended_at - LEASE
    view = house.storage.run(lambda c: conversations.view(c, one(1)))
    assert view is not None
    assert [item.event for item in view.timeline] == ["registered", "subscribed", "uncovered"]


def test_a_covered_one_of_an_owner_nobody_knows_is_uncovered_since_now(house: House) -> None:
    house.register(1, covered=True)
    house.enter()
    house.adopt()
    assert house.row(1).uncovered_since == NOW


def test_one_that_was_uncovered_before_stays_so_since_then(house: House) -> None:
    house.enter(OTHER, lease=ENDED)
    house.register(1)
    house.enter()
    house.adopt()
    assert house.row(1).uncovered_since == NOW + 1


def test_thousands_are_adopted_at_once(house: House) -> None:
    for first in range(0, 2500, 250):  # a job has a few seconds only, however busy the machine
        house.register(*range(first, first + 250))
    house.enter()
    assert len(house.adopt()) == 2500
    assert house.storage.run(lambda c: len(instances.followed_by(c, ME))) == 2500


def test_instances_that_ended_and_own_nothing_are_forgotten_with_their_channels(house: House) -> None:
    house.enter(OTHER, lease=ENDED)
    house.storage.run(lambda c: instances.channel_created(c, "theirs", OTHER, now=NOW, expires_at=NOW))
    house.register(1)
    house.enter()
    house.storage.run(lambda c: instances.channel_created(c, "mine", ME, now=NOW, expires_at=NOW))
    house.adopt()
    assert [row.id for row in house.rows(instance)] == [ME]
    assert [row.id for row in house.rows(channel)] == ["mine"]


def test_a_channel_is_remembered_until_it_is_closed(house: House) -> None:
    house.enter()
    for _ in range(2):
        house.storage.run(lambda c: instances.channel_created(c, "c", ME, now=NOW, expires_at=NOW + 5))
    (row,) = house.rows(channel)
    assert (row.owner, row.created_at, row.expires_at, row.closed_at) == (ME, NOW, NOW + 5, None)
    house.adopt()
    assert len(house.rows(channel)) == 1
    house.storage.run(lambda c: instances.channel_closed(c, "c", NOW + 9))
    assert house.rows(channel)[0].closed_at == NOW + 9
    house.adopt()
    assert house.rows(channel) == []


def test_who_is_pending_and_who_is_followed_by_an_instance(house: House) -> None:
    house.register(1, 2, owner=ME)
    house.register(3, owner=ME, covered=True)
    house.register(4, owner=OTHER)
    house.register(5, owner=ME)
    house.close(5)
    assert house.storage.run(lambda c: instances.pending_of(c, ME)) == [one(1), one(2)]
    followed = house.storage.run(lambda c: instances.followed_by(c, ME))
    assert followed == {one(1): "pending", one(2): "pending", one(3): "subscribed"}


def test_two_who_adopt_at_once_share_and_take_nothing_twice(postgres_url: str) -> None:
    storage = Storage(postgres_url, FakeClock())
    storage.open()
    house = House(storage)
    house.register(*range(50))
    house.enter(ME)
    house.enter(OTHER, lease=ENDED)
    third = "00000000-0000-4000-8000-000000000003"
    house.enter(third)
    adopted, may_commit = Event(), Event()

    def slow(connection: Connection) -> list[str]:
        mine = instances.adopt(connection, ME, lease_ms=LEASE, now=NOW)
        adopted.set()
        may_commit.wait(2)
        return mine

    first = gevent.spawn(storage.run, slow)
    assert adopted.wait(2)
    theirs = house.adopt(third)
    may_commit.set()
    assert (len(first.get(timeout=5)), theirs) == (50, [])
    storage.close()


def test_the_longest_id_that_a_channel_may_have_fits(house: House) -> None:
    longest = "c" * 128
    assert CHANNEL_ID.match(longest)
    assert not CHANNEL_ID.match(longest + "c")
    house.storage.run(lambda c: instances.channel_created(c, longest, ME, now=NOW, expires_at=NOW))
    house.register(1)
    house.storage.run(lambda c: conversations.cover(c, [one(1)], channel_id=longest, owner=ME, now=NOW))
    assert house.row(1).channel_id == longest
