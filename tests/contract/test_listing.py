"""Do pages neither repeat nor miss what was there, on either database, and is each state the one that callers see?"""

from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any

import pytest

from genesys_gateway.oversight.conversations import Conversations
from genesys_gateway.oversight.records import Records
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import conversations, instances, listing
from genesys_gateway.storage.tables import instance
from tests.doubles import stored_rows as stored
from tests.doubles.genesys import settings
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.stored_rows import NOW, OWNER

STATES = ("pending", "subscribed", "closed")


def some_id(number: int) -> str:
    """Ids whose order is not that of their numbers."""
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"


def conversation_row(number: int, created: int) -> dict[str, Any]:
    if number % 3 == 0:
        return stored.conversation_row(some_id(number), created_at=created)
    state, channel_id = ("pending", None) if number % 3 == 1 else ("subscribed", "channel-1")
    return stored.open_row(some_id(number), created_at=created, owner=OWNER, state=state, channel_id=channel_id)


def record_rows(number: int, created: int) -> list[dict[str, Any]]:
    kinds = (stored.pending_row, stored.dead_row, stored.entry_row)
    return [
        kinds[(number + n) % 3](some_id(10_000 + 10 * number + n), some_id(number), stored_at=created)
        for n in range(number % 3)
    ]


def put(storage: Storage, numbers: Iterable[int], at: Callable[[int], int]) -> None:
    """Conversations of each state with 0 to 2 records of each state, which were created at that moment."""
    rows = [conversation_row(number, at(number)) for number in numbers]
    records = [row for number in numbers for row in record_rows(number, at(number))]
    storage.run(lambda c: stored.put_conversations(c, *rows))
    storage.run(lambda c: stored.put_entries(c, *records))


def walk(page: Callable[[str | None], tuple[list[str], str | None]], between: Callable[[], None]) -> list[str]:
    """All ids of a list, page by page."""
    ids, cursor = page(None)
    while cursor is not None:
        between()
        more, cursor = page(cursor)
        ids += more
    return ids


@pytest.fixture
def living(storage: Storage) -> Storage:
    """A storage whose instance has a valid lease."""
    storage.run(lambda c: instances.enter(c, OWNER, 60_000))
    return storage


@pytest.mark.parametrize("state", [None, *STATES])
@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_a_walk_over_conversations_neither_repeats_nor_misses(living: Storage, state: str | None, limit: int) -> None:
    # Many of the same millisecond.
    put(living, range(40), lambda n: NOW + n // 6)
    listed, newer = Conversations(living), iter(range(100, 10_000))

    def page(cursor: str | None) -> tuple[list[str], str | None]:
        found = listed.page(state=state, cursor=cursor, limit=limit)
        assert len(found.items) <= limit
        return [one.id for one in found.items], found.next

    whole = [one.id for one in listed.page(state=state, limit=1000).items]
    walked = walk(page, lambda: put(living, [next(newer)], lambda n: NOW + 7 + n % 3))

    assert walked == whole
    assert len(whole) == {None: 40, "closed": 14, "pending": 13, "subscribed": 13}[state]


@pytest.mark.parametrize("state", [None, "pending", "delivered", "dead"])
@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_a_walk_over_records_neither_repeats_nor_misses(
    living: Storage, clock: FakeClock, state: str | None, limit: int
) -> None:
    put(living, range(40), lambda n: NOW + n // 6)
    listed, newer = Records(living, settings(), runtime(clock, []), requeued=lambda: None), iter(range(100, 10_000))

    def page(cursor: str | None) -> tuple[list[str], str | None]:
        found = listed.page(state=state, cursor=cursor, limit=limit)
        assert len(found.items) <= limit
        assert {one.state for one in found.items} <= {state} if state else True
        return [one.id for one in found.items], found.next

    whole = [one.id for one in listed.page(state=state, limit=1000).items]
    walked = walk(page, lambda: put(living, [next(newer)], lambda n: NOW + 7 + n % 3))

    assert walked == whole
    assert len(whole) == len(set(whole)) == (13 if state else 39)


def test_the_newest_come_first_with_their_facts(living: Storage) -> None:
    put(living, range(6), lambda n: NOW + Random(n).randrange(5))

    items = Conversations(living).page().items

    assert [one.created_at for one in items] == sorted([one.created_at for one in items], reverse=True)
    by_id = {one.id: one for one in items}
    closed, pending, subscribed = (by_id[some_id(n)] for n in (3, 4, 5))
    assert (closed.state, closed.outcome, closed.due_at, closed.channel_id, closed.records) == (
        *("closed", "logged", None, None),
        0,
    )
    assert (pending.state, pending.outcome, pending.due_at, pending.channel_id, pending.records) == (
        *("pending", None, NOW, None),
        1,
    )
    assert (subscribed.state, subscribed.channel_id, subscribed.records) == ("subscribed", "channel-1", 2)


def test_a_conversation_is_found_by_the_beginning_of_its_id(living: Storage) -> None:
    put(living, range(60), lambda n: NOW + n)
    listed = Conversations(living)

    for number in (0, 17, 59):
        whole = some_id(number)
        for length in range(1, 37):
            found = [one.id for one in listed.page(beginning=whole[:length]).items]
            expected = [some_id(n) for n in range(59, -1, -1) if some_id(n).startswith(whole[:length])]
            assert found == expected
    assert listed.page(beginning=some_id(3)[:-1] + "f").items == ()
    for state in STATES:
        found = [one.id for one in listed.page(beginning="0", state=state).items]
        assert found == [one.id for one in listed.page(state=state).items if one.id.startswith("0")]


def test_a_search_for_what_many_begin_with_is_paged_alike(living: Storage) -> None:
    put(living, range(60), lambda n: NOW + n // 4)
    listed = Conversations(living)
    ids = [one.id for one in listed.page(limit=1000).items]

    for digit in "0123456789abcdef":

        def page(cursor: str | None, digit: str = digit) -> tuple[list[str], str | None]:
            found = listed.page(beginning=digit, cursor=cursor, limit=2)
            return [one.id for one in found.items], found.next

        assert walk(page, lambda: None) == [one for one in ids if one.startswith(digit)]


def test_what_many_begin_with_is_searched_for_by_date(living: Storage) -> None:
    put(living, range(60), lambda n: NOW + n // 4)
    find = partial(listing.conversations, state=None, after=None, limit=1000)

    for beginning in ("0", "7", "ab"):
        sorted_, walked = (living.run(partial(find, beginning=beginning, most_sorted=most)) for most in (1000, -1))
        assert sorted_ == walked


@pytest.mark.parametrize("owner", [OWNER, "nobody", None])
def test_the_state_of_a_list_is_the_one_that_callers_see(storage: Storage, owner: str | None) -> None:
    # Its instance is gone: on PostgreSQL it is not certain that a socket is open.
    rows = [
        stored.open_row(some_id(n), state=state, owner=owner, channel_id="channel-1")
        for n, state in enumerate(("pending", "subscribed"))
    ]
    storage.run(lambda c: stored.put_conversations(c, *rows, stored.conversation_row(some_id(2))))
    listed = Conversations(storage)

    for state in (None, *STATES):
        for one in listed.page(state=state).items:
            seen = storage.run(partial(conversations.view, conversation_id=one.id))
            assert seen is not None
            assert one.state == seen.state
            assert state in (None, one.state)
            assert (one.channel_id is None) == (one.state != "subscribed")
    assert sum(len(listed.page(state=state).items) for state in STATES) == 3
    assert storage.run(lambda c: c.execute(instance.select()).all()) == []


def test_a_reveal_and_a_requeue_are_noted_on_either_database(living: Storage, clock: FakeClock) -> None:
    put(living, range(12), lambda n: NOW + n)
    records = Records(living, settings(), runtime(clock, []), requeued=lambda: None)
    first, *others = records.page(state="dead").items
    (reason,) = records.reasons()

    assert records.reveal(first.id, by="ops 1a2b3c4d") is not None
    assert records.requeue(first.id, by="ops 1a2b3c4d") is True
    assert records.requeue_alike(reason, by="ops 1a2b3c4d") == len(others)

    assert records.page(state="dead").items == ()
    assert living.run(lambda c: stored.get_timeline(c, first.interaction_id)) == [
        ("revealed", f"{first.id} ops 1a2b3c4d"),
        ("requeued", f"{first.id} by ops 1a2b3c4d"),
    ]
