"""The order in which entries are claimed."""

from genesys_gateway.delivery.ready_queue import MAX_REPEATED, ReadyQueue, mixed
from genesys_gateway.domain.outbox import Entry
from genesys_gateway.storage.statements.claims import ReadyEntry


def entry(name: str, *, attempt: int = 0, next_at: int = 0) -> Entry:
    return Entry(
        id=name,
        conversation_id="c",
        content="{}",
        source="live",
        stored_at=0,
        next_at=next_at,
        claim=attempt,
        attempt=attempt,
        in_doubt=False,
        known=None,
        waited_ms=0,
        last_error=None,
    )


def queue_of(*entries: Entry) -> ReadyQueue:
    queue = ReadyQueue()
    for one in entries:
        queue.add(ReadyEntry(entry=one))
    return queue


def names(taken: list[ReadyEntry]) -> list[str]:
    return [one.entry.id for one in taken]


def test_first_attempts_are_taken_in_the_order_they_came() -> None:
    queue = queue_of(entry("a"), entry("b"), entry("c"))

    assert names(queue.take(2, 0)) == ["a", "b"]
    assert names(queue.take(2, 0)) == ["c"]
    assert queue.take(2, 2) == []


def test_repeated_and_first_attempts_are_taken_longest_due_first() -> None:
    queue = queue_of(entry("a", next_at=1), entry("b", next_at=3), entry("again", attempt=1, next_at=2))

    assert names(queue.take(3, 3)) == ["a", "again", "b"]


def test_no_more_repeated_ones_are_taken_than_allowed() -> None:
    queue = queue_of(*(entry(f"again-{n}", attempt=1) for n in range(5)), entry("first", next_at=9))

    assert names(queue.take(10, 2)) == ["again-0", "again-1", "first"]
    assert len(queue) == 3


def test_there_is_always_space_for_first_attempts_and_little_for_others() -> None:
    queue = queue_of(*(entry(f"again-{n}", attempt=1) for n in range(MAX_REPEATED)))

    assert not queue.has_space_for(entry("one more", attempt=1))
    assert queue.has_space_for(entry("first"))
    assert queue.first_attempts == 0


def test_a_probe_is_the_newest_of_those_tried_least_often() -> None:
    queue = queue_of(entry("often", attempt=9, next_at=9), entry("once", attempt=1, next_at=2))
    queue.add(ReadyEntry(entry=entry("old", next_at=3)))
    queue.add(ReadyEntry(entry=entry("new", next_at=4)))

    taken = [names(queue.take_probe(lambda _: 0)) for _ in range(5)]
    assert taken == [["new"], ["old"], ["once"], ["often"], []]


def test_the_lowest_rank_comes_first_whatever_else_a_probe_is() -> None:
    queue = queue_of(entry("often", attempt=9, next_at=9), entry("once", attempt=1, next_at=2))
    queue.add(ReadyEntry(entry=entry("new", next_at=4)))
    ranks = {"new": 3, "once": 2, "often": -1}

    assert [names(queue.take_probe(lambda one: ranks[one])) for _ in range(3)] == [["often"], ["once"], ["new"]]


def test_a_cleared_queue_is_empty() -> None:
    queue = queue_of(entry("a"), entry("again", attempt=1))

    assert names(queue.clear()) == ["a", "again"]
    assert len(queue) == 0


def test_every_fourth_place_is_a_newcomers() -> None:
    oldest = [entry(f"o{n}") for n in range(6)]
    newest = [entry(f"n{n}") for n in range(3)]

    assert [one.id for one in mixed(oldest, newest)] == ["o0", "o1", "o2", "n0", "o3", "o4", "o5", "n1"]


def test_an_entry_that_is_both_old_and_new_is_yielded_once() -> None:
    both = entry("both")

    assert [one.id for one in mixed([entry("o"), entry("p"), entry("q"), both], [both])] == ["o", "p", "q", "both"]
