"""Leases of instances, and the adoption of conversations of a dead one, on both databases."""

from collections.abc import Sequence
from typing import Any

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import Connection, select

from genesys_gateway.genesys.schemas.channels import CHANNEL_ID
from genesys_gateway.storage import Storage
from genesys_gateway.storage.portable import database_now
from genesys_gateway.storage.statements import conversations, coverage, instances, ownership
from genesys_gateway.storage.tables import channel, conversation, instance
from tests.doubles import stored_rows
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import NOW

ME = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"
THIRD = "00000000-0000-4000-8000-000000000003"
LEASE = 20_000
#: The OAuth client; an instance without one is of the release before, and is judged by its lease alone.
CLIENT = "client"
#: Length of a lease that has ended already on any clock.
ENDED = -1


def id_of(number: int) -> str:
    return f"633ba5f4-38cd-48fc-bb4c-{number:012d}"


class Instances:
    """The statements about instances, each in its own transaction."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def enter(
        self, instance_id: str = ME, lease: int = LEASE, client: str | None = None, endpoint: str | None = None
    ) -> bool:
        return self.storage.run(lambda c: instances.enter(c, instance_id, lease, client=client, endpoint=endpoint))

    def renew(self, instance_id: str = ME, lease: int = LEASE) -> bool:
        return self.storage.run(lambda c: instances.renew(c, instance_id, lease))

    def adopt(self, instance_id: str = ME, limit: int = 500, ended_ms_ago: int = 0) -> list[str]:
        def job(connection: Connection) -> list[str]:
            taken = ownership.adopt(
                connection, instance_id, lease_ms=LEASE, now=NOW, limit=limit, ended_ms_ago=ended_ms_ago
            )
            instances.forget_ended(connection)
            return taken.to_follow

        return self.storage.run(job)

    def register(self, *numbers: int, owner: str = OTHER, covered: bool = False) -> None:
        def job(connection: Connection) -> None:
            for number in numbers:
                stored_rows.register(connection, id_of(number), owner=owner, now=NOW + number)
            if covered:
                coverage.cover(
                    connection, [id_of(n) for n in numbers], channel_id="c", owner=owner, now=NOW, fresh_due_at=NOW
                )

        self.storage.run(job)

    def close(self, number: int) -> None:
        self.storage.run(
            lambda c: conversations.close(
                c, id_of(number), without_record=conversations.NO_ACW, now=NOW, last_look_at=NOW
            )
        )

    def row(self, number: int) -> Any:
        return self.storage.run(
            lambda c: c.execute(select(conversation).where(conversation.c.id == id_of(number))).one()
        )

    def rows(self, table: Any) -> Sequence[Any]:
        return self.storage.run(lambda c: c.execute(select(table)).all())

    def time(self) -> int:
        return self.storage.run(database_now)


@pytest.fixture
def statements(storage: Storage) -> Instances:
    return Instances(storage)


def test_an_instance_enters_with_a_lease_on_the_databases_clock(statements: Instances) -> None:
    statements.enter()
    (row,) = statements.rows(instance)
    assert row.id == ME
    assert abs(row.lease_until - LEASE - statements.time()) < 5000


def test_entering_twice_renews_the_lease(statements: Instances) -> None:
    """The outcome of a commit can be unknown; then it is repeated."""
    statements.enter(lease=ENDED)
    statements.enter()
    (row,) = statements.rows(instance)
    assert row.lease_until > statements.time()


def test_each_newcomer_has_a_higher_number(statements: Instances) -> None:
    statements.enter(ME)
    statements.enter(OTHER)
    assert {row.id: row.epoch for row in statements.rows(instance)} == {ME: 1, OTHER: 2}


def test_a_lease_is_renewed_as_long_as_the_instance_is_known(statements: Instances) -> None:
    assert statements.renew() is False
    statements.enter(lease=ENDED)
    assert statements.renew() is True
    assert statements.rows(instance)[0].lease_until > statements.time()


def test_an_instance_that_leaves_has_no_lease(statements: Instances) -> None:
    statements.enter()
    statements.storage.run(lambda c: instances.leave(c, ME))
    assert statements.rows(instance)[0].lease_until <= statements.time()


def test_all_leases_can_be_ended_at_once(statements: Instances) -> None:
    statements.enter(ME)
    statements.enter(OTHER, client=CLIENT)
    statements.storage.run(instances.end_all_leases)
    assert all(row.lease_until <= statements.time() for row in statements.rows(instance))


def test_what_a_dead_instance_followed_is_adopted_oldest_first(statements: Instances) -> None:
    statements.enter(OTHER, lease=ENDED)
    statements.register(3, 1, 2)
    statements.enter()
    assert statements.adopt() == [id_of(1), id_of(2), id_of(3)]
    assert {statements.row(number).owner for number in (1, 2, 3)} == {ME}
    assert statements.row(1).epoch == 1
    assert statements.adopt() == []


def test_what_a_living_instance_follows_is_left_alone(statements: Instances) -> None:
    statements.enter(OTHER)
    statements.register(1)
    statements.enter()
    assert statements.adopt() == []
    assert statements.row(1).owner == OTHER


def test_what_nobody_known_follows_is_adopted(statements: Instances) -> None:
    statements.register(1)
    statements.enter()
    assert statements.adopt() == [id_of(1)]


def test_what_is_closed_is_not_adopted(statements: Instances) -> None:
    statements.register(1, 2)
    statements.close(1)
    statements.enter()
    assert statements.adopt() == [id_of(2)]
    assert statements.row(1).owner == OTHER


def test_a_covered_one_is_uncovered_since_its_owners_last_renewal(statements: Instances) -> None:
    statements.enter(OTHER, lease=ENDED)
    renewed_at = statements.rows(instance)[0].renewed_at
    statements.register(1, covered=True)
    statements.enter()
    statements.adopt()
    row = statements.row(1)
    assert (row.state, row.channel_id, row.in_doubt) == ("pending", None, True)
    assert row.uncovered_since == renewed_at
    view = statements.storage.run(lambda c: conversations.view(c, id_of(1)))
    assert view is not None
    assert [item.event for item in view.timeline] == ["registered", "subscribed", "uncovered"]


def test_a_covered_one_of_an_owner_nobody_knows_is_uncovered_since_now(statements: Instances) -> None:
    statements.register(1, covered=True)
    statements.enter()
    statements.adopt()
    assert statements.row(1).uncovered_since == NOW


def test_one_that_was_uncovered_before_stays_so_since_then(statements: Instances) -> None:
    statements.enter(OTHER, lease=ENDED)
    statements.register(1)
    statements.enter()
    statements.adopt()
    assert statements.row(1).uncovered_since == NOW + 1


def test_thousands_are_adopted_in_slices(statements: Instances) -> None:
    # In several jobs, because a job has only a few seconds, even on a busy machine.
    for first in range(0, 2500, 250):
        statements.register(*range(first, first + 250))
    statements.enter()
    assert [len(statements.adopt()) for _ in range(6)] == [500, 500, 500, 500, 500, 0]
    assert statements.storage.run(lambda c: len(ownership.followed_by(c, ME))) == 2500


def test_instances_that_ended_and_own_nothing_are_forgotten_with_their_channels(statements: Instances) -> None:
    statements.enter(OTHER, lease=ENDED)
    statements.storage.run(lambda c: instances.channel_created(c, "theirs", OTHER, now=NOW, expires_at=NOW))
    statements.register(1)
    statements.enter()
    statements.storage.run(lambda c: instances.channel_created(c, "mine", ME, now=NOW, expires_at=NOW))
    statements.adopt()
    assert [row.id for row in statements.rows(instance)] == [ME]
    assert [row.id for row in statements.rows(channel)] == ["mine"]


def test_a_channel_is_remembered_until_it_is_closed(statements: Instances) -> None:
    statements.enter()
    for _ in range(2):
        statements.storage.run(lambda c: instances.channel_created(c, "c", ME, now=NOW, expires_at=NOW + 5))
    (row,) = statements.rows(channel)
    assert (row.owner, row.created_at, row.expires_at, row.closed_at) == (ME, NOW, NOW + 5, None)
    statements.adopt()
    assert len(statements.rows(channel)) == 1
    statements.storage.run(lambda c: instances.channel_closed(c, "c", NOW + 9))
    assert statements.rows(channel)[0].closed_at == NOW + 9
    statements.adopt()
    assert statements.rows(channel) == []


def test_who_is_pending_and_who_is_followed_by_an_instance(statements: Instances) -> None:
    statements.register(1, 2, owner=ME)
    statements.register(3, owner=ME, covered=True)
    statements.register(4, owner=OTHER)
    statements.register(5, owner=ME)
    statements.close(5)
    assert statements.storage.run(lambda c: ownership.pending_of(c, ME)) == [id_of(1), id_of(2)]
    followed = statements.storage.run(lambda c: ownership.followed_by(c, ME))
    assert followed == {id_of(1): "pending", id_of(2): "pending", id_of(3): "subscribed"}


def test_two_who_adopt_at_once_share_and_take_nothing_twice(postgres_url: str) -> None:
    storage = Storage(postgres_url, FakeClock())
    storage.open()
    statements = Instances(storage)
    statements.register(*range(50))
    statements.enter(ME)
    statements.enter(OTHER, lease=ENDED)
    statements.enter(THIRD)
    adopted, may_commit = Event(), Event()

    def slow(connection: Connection) -> list[str]:
        ids = ownership.adopt(connection, ME, lease_ms=LEASE, now=NOW, limit=500).to_follow
        adopted.set()
        may_commit.wait(2)
        return ids

    first = gevent.spawn(storage.run, slow)
    assert adopted.wait(2)
    rest = statements.adopt(THIRD)
    may_commit.set()
    assert (len(first.get(timeout=5)), rest) == (50, [])
    storage.close()


def test_the_longest_id_that_a_channel_may_have_fits(statements: Instances) -> None:
    longest = "c" * 128
    assert CHANNEL_ID.match(longest)
    assert not CHANNEL_ID.match(longest + "c")
    statements.storage.run(lambda c: instances.channel_created(c, longest, ME, now=NOW, expires_at=NOW))
    statements.register(1, owner=ME)
    statements.storage.run(
        lambda c: coverage.cover(c, [id_of(1)], channel_id=longest, owner=ME, now=NOW, fresh_due_at=NOW)
    )
    assert statements.row(1).channel_id == longest
