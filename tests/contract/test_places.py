"""Places of channels in the budget of an OAuth client, on both databases; on PostgreSQL reserved at the same time."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.event
import pytest
from sqlalchemy import Connection, func, select

from genesys_gateway.storage import Storage
from genesys_gateway.storage.portable import database_now
from genesys_gateway.storage.statements import instances, places
from genesys_gateway.storage.statements.places import Answer, Claimant
from genesys_gateway.storage.tables import channel_place, instance
from tests.doubles.runtime import FakeClock

CLIENT = "a" * 64
LEASE = 20_000
HEARTBEAT = 40_000


def id_of(number: int) -> str:
    return f"633ba5f4-38cd-48fc-bb4c-{number:012d}"


class Places:
    """The statements about places, each in its own transaction, with what each instance holds."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.held: dict[str, list[str]] = {}
        self.made = 0

    def enter(self, owner: str, client: str | None = CLIENT) -> str:
        def job(connection: Connection) -> None:
            now = database_now(connection)
            row = {"id": owner, "epoch": 1, "started_at": now, "lease_until": now + LEASE, "client": client}
            connection.execute(instance.insert().values(row))

        self.storage.run(job)
        return owner

    def end(self, owner: str, how: str, lease_ended_ago: int = 0) -> None:
        def job(connection: Connection) -> None:
            until = database_now(connection) - lease_ended_ago
            ended = {"ended_at": until, "ended_how": how, "lease_until": until}
            connection.execute(instance.update().where(instance.c.id == owner).values(ended))

        self.storage.run(job)

    def reserve(self, owner: str, *, limit: int = 20, client: str = CLIENT, new: str | None = None) -> Answer:
        self.made += 1
        mine, held, place = self.claimant(owner, client), self.held.setdefault(owner, []), new or id_of(self.made)
        # As a request, so that eight at a time use all eight connections
        answer = self.storage.run(lambda c: places.reserve(c, mine, held, place, limit=limit), for_request=True)
        if answer.reserved:
            held.append(place)
        return answer

    def settle(self, owner: str, client: str = CLIENT) -> int:
        mine, held = self.claimant(owner, client), self.held.setdefault(owner, [])
        return self.storage.run(lambda c: places.settle(c, mine, held), for_request=True).taken

    def claimant(self, owner: str, client: str) -> Claimant:
        return Claimant(client=client, owner=owner, heartbeat_ms=HEARTBEAT)

    def rows(self, **of: Any) -> int:
        query = select(func.count()).select_from(channel_place).filter_by(**of)
        return self.storage.run(lambda c: c.execute(query).scalar_one(), for_request=True)


@pytest.fixture
def table(storage: Storage) -> Places:
    return Places(storage)


@pytest.fixture
def on_postgresql(postgres_url: str, clock: FakeClock) -> Iterator[Places]:
    storage = Storage(postgres_url, clock)
    storage.open()
    yield Places(storage)
    storage.close()


def test_no_more_places_are_reserved_than_the_limit(table: Places) -> None:
    one, two = table.enter(id_of(900)), table.enter(id_of(901))
    assert [table.reserve(owner, limit=3).reserved for owner in (one, two, one, two)] == [True, True, True, False]
    assert table.reserve(two, limit=4) == Answer(taken=4, reserved=True, draining=False)
    assert table.settle(one) == table.rows() == 4


def test_each_client_has_a_budget_of_its_own(table: Places) -> None:
    one, two = table.enter(id_of(900)), table.enter(id_of(901), "b" * 64)
    assert (table.reserve(one, limit=1).reserved, table.reserve(two, limit=1, client="b" * 64).reserved) == (True, True)


def test_what_an_instance_no_longer_holds_is_free_at_once(table: Places) -> None:
    one, two = table.enter(id_of(900)), table.enter(id_of(901))
    table.reserve(one, limit=2)
    table.reserve(one, limit=2)
    del table.held[one][0]
    assert table.settle(one) == 1
    assert table.reserve(two, limit=2).reserved


@pytest.mark.parametrize(
    ("how", "ago", "count"),
    [("left", 0, 0), ("proven", 0, 0), ("lapsed", 0, 1), ("lapsed", HEARTBEAT - 5000, 1), ("lapsed", HEARTBEAT, 0)],
)
def test_the_places_of_an_ended_instance_count_as_long_as_its_sockets_may_be_open(
    table: Places, how: str, ago: int, count: int
) -> None:
    one, two = table.enter(id_of(900)), table.enter(id_of(901))
    table.reserve(one)
    table.end(one, how, ago)
    assert table.settle(two) == table.rows(owner=one) == count


def test_an_instance_whose_lease_is_over_keeps_its_places_until_it_is_declared_ended(table: Places) -> None:
    one, two = table.enter(id_of(900)), table.enter(id_of(901))
    table.reserve(one)
    table.storage.run(lambda c: c.execute(instance.update().values(lease_until=0)).close())
    assert table.settle(two) == 1


def test_nothing_is_reserved_for_an_instance_that_has_ended_or_never_entered(table: Places) -> None:
    table.end(table.enter(id_of(900)), "lapsed")
    assert [table.reserve(owner).reserved for owner in (id_of(900), id_of(901))] == [False, False]
    assert table.rows() == 0


def test_channels_of_a_running_instance_of_the_release_before_count(table: Places) -> None:
    old, new = table.enter(id_of(900), client=None), table.enter(id_of(901))

    def make_channels(connection: Connection) -> None:
        for one in ("a", "b", "c"):
            instances.channel_created(connection, one, old, now=1, expires_at=10**15)
        instances.channel_created(connection, "ours", new, now=1, expires_at=10**15)
        instances.channel_closed(connection, "c", 2)

    table.storage.run(make_channels)
    assert table.reserve(new, limit=3) == Answer(taken=3, reserved=True, draining=False)
    assert not table.reserve(new, limit=3).reserved
    table.storage.run(lambda c: c.execute(instance.update().where(instance.c.id == old).values(lease_until=0)).close())
    assert table.reserve(new, limit=3) == Answer(taken=2, reserved=True, draining=False)


def test_a_repeated_reservation_has_one_row(table: Places) -> None:
    one = table.enter(id_of(900))
    table.reserve(one, new=id_of(1))
    # When its reply was lost, and it is asked for again with the same id
    table.held[one].clear()
    assert table.reserve(one, new=id_of(1)) == Answer(taken=1, reserved=True, draining=False)
    assert table.rows() == 1


def test_places_of_instances_that_nobody_remembers_are_deleted_whatever_their_client(table: Places) -> None:
    one, other = table.enter(id_of(900)), table.enter(id_of(901), "b" * 64)
    table.reserve(other, client="b" * 64)
    table.settle(one)
    assert table.rows(owner=other) == 1
    table.storage.run(lambda c: c.execute(instance.delete().where(instance.c.id == other)).close())
    table.settle(one)
    assert table.rows() == 0


def test_eight_connections_that_reserve_at_the_same_moment_never_exceed_the_budget(on_postgresql: Places) -> None:
    owners = [on_postgresql.enter(id_of(900 + number)) for number in range(8)]

    def take_and_return(owner: str) -> None:
        for turn in range(30):
            on_postgresql.reserve(owner)
            most.append(on_postgresql.rows())
            if turn % 3 == 2:
                on_postgresql.held[owner].clear()
                on_postgresql.settle(owner)

    def all_at_once(act: Callable[[str], object]) -> None:
        gevent.joinall([gevent.spawn(act, owner) for owner in owners], timeout=60, raise_error=True)

    most: list[int] = []
    all_at_once(take_and_return)
    assert len(most) == 8 * 30
    assert max(most) <= 20
    for _ in range(3):
        all_at_once(on_postgresql.reserve)
    assert on_postgresql.rows() == 20


def test_a_commit_that_is_still_under_way_is_waited_for(on_postgresql: Places) -> None:
    """So a place whose reservation was given up by its instance can't appear after it was taken back."""
    one = on_postgresql.enter(id_of(900))
    mine, begun = on_postgresql.claimant(one, CLIENT), gevent.event.Event()

    def slow(connection: Connection) -> None:
        places.reserve(connection, mine, [], id_of(1), limit=20)
        begun.set()
        gevent.sleep(0.3)

    late = gevent.spawn(on_postgresql.storage.run, slow)
    begun.wait(5)
    assert on_postgresql.settle(one) == on_postgresql.rows() == 0
    assert late.ready()
