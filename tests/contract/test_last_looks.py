"""A last look is taken by one of several instances, and by another if that one dies, on both databases."""

from collections.abc import Iterator

import gevent
import pytest
from sqlalchemy import Connection, select

from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import accounting, last_look
from genesys_gateway.storage.tables import conversation
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import NOW, conversation_row, put_conversations

FURTHEST = NOW + 86_400_000
CLAIMED = NOW + 20_000
#: Closed so recently that nothing is given up.
KEPT = NOW - 1


def closed(storage: Storage, count: int) -> list[str]:
    """Closed conversations whose last look is due, the longest due first."""
    ids = [f"c-{number:03d}" for number in range(count)]
    rows = [conversation_row(one, last_look_at=NOW - count + number) for number, one in enumerate(ids)]
    storage.run(lambda c: put_conversations(c, *rows))
    return ids


def claim(storage: Storage, now: int = NOW, limit: int = 50) -> list[str]:
    return storage.run(lambda c: _claim(c, now, limit))


def _claim(connection: Connection, now: int = NOW, limit: int = 50) -> list[str]:
    return last_look.claim(connection, now=now, furthest=FURTHEST, until=now + 20_000, limit=limit)


def date(storage: Storage, one: str) -> int | None:
    return storage.run(
        lambda c: c.execute(select(conversation.c.last_look_at).where(conversation.c.id == one)).scalar()
    )


def test_a_claimed_look_is_nobodys_until_its_claim_ends(storage: Storage) -> None:
    first, second = closed(storage, 2)

    assert claim(storage, limit=1) == [first]
    assert claim(storage) == [second]
    assert claim(storage, CLAIMED - 1) == []
    assert sorted(claim(storage, CLAIMED)) == [first, second]


def test_what_was_claimed_can_be_given_back_put_off_given_up_or_concluded(storage: Storage) -> None:
    back, later, given_up, concluded = closed(storage, 4)
    claim(storage)

    storage.run(lambda c: last_look.postpone(c, [back], at=NOW, closed_after=KEPT))
    storage.run(lambda c: last_look.postpone(c, [later], at=NOW + 7, closed_after=KEPT))
    storage.run(lambda c: last_look.postpone(c, [given_up], at=NOW + 7, closed_after=NOW))
    storage.run(lambda c: last_look.note(c, concluded, 2))

    assert [date(storage, one) for one in (back, later, given_up, concluded)] == [NOW, NOW + 7, None, None]
    assert storage.run(accounting.balance).missed == 2


def test_a_look_that_shows_something_still_to_be_done_keeps_its_claim(storage: Storage) -> None:
    (one,) = closed(storage, 1)
    claim(storage)
    storage.run(lambda c: last_look.note(c, one, 1, concluded=False))
    assert date(storage, one) == CLAIMED


# --- two instances at the same moment ---


@pytest.fixture
def instances(postgres_url: str) -> Iterator[list[Storage]]:
    """Two instances on one PostgreSQL."""
    both = [Storage(postgres_url, FakeClock()) for _ in range(2)]
    for one in both:
        one.open()
    yield both
    for one in both:
        one.close()


def test_of_two_instances_each_takes_what_the_other_does_not(instances: list[Storage]) -> None:
    ids = closed(instances[0], 300)
    taken: list[str] = []

    def take_all(storage: Storage) -> None:
        while some := claim(storage, limit=20):
            taken.extend(some)

    gevent.joinall([gevent.spawn(take_all, one) for one in instances for _ in range(3)], raise_error=True)

    assert sorted(taken) == ids


def test_no_instance_waits_for_what_another_has_locked(instances: list[Storage]) -> None:
    first, second = closed(instances[0], 2)
    one, other = instances

    def beside(connection: Connection) -> tuple[list[str], list[str]]:
        claimed = _claim(connection, limit=1)
        with gevent.Timeout(10):
            rest = claim(other)
            other.run(lambda c: last_look.postpone(c, [first, second], at=NOW + 7, closed_after=KEPT))
        return claimed, rest

    assert one.run(beside) == ([first], [second])
    assert (date(one, first), date(one, second)) == (CLAIMED, NOW + 7)
