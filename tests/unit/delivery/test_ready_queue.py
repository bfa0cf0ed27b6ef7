"""The order in which entries are served."""

from genesys_gateway.delivery.ready_queue import MAX_REPEATED, ReadyQueue, mixed
from genesys_gateway.domain.outbox import Entry
from genesys_gateway.storage.statements.outbox import ReadyEntry


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


def line_of(*entries: Entry) -> ReadyQueue:
    line = ReadyQueue()
    for one in entries:
        line.add(ReadyEntry(entry=one))
    return line


def names(taken: list[ReadyEntry]) -> list[str]:
    return [one.entry.id for one in taken]


def test_first_attempts_are_taken_in_the_order_they_came() -> None:
    line = line_of(entry("a"), entry("b"), entry("c"))

    assert names(line.take(2, 0)) == ["a", "b"]
    assert names(line.take(2, 0)) == ["c"]
    assert line.take(2, 2) == []


def test_repeated_and_first_attempts_are_taken_longest_due_first() -> None:
    line = line_of(entry("a", next_at=1), entry("b", next_at=3), entry("again", attempt=1, next_at=2))

    assert names(line.take(3, 3)) == ["a", "again", "b"]


def test_no_more_repeated_ones_are_taken_than_allowed() -> None:
    line = line_of(*(entry(f"again-{n}", attempt=1) for n in range(5)), entry("first", next_at=9))

    assert names(line.take(10, 2)) == ["again-0", "again-1", "first"]
    assert len(line) == 3


def test_there_is_always_room_for_first_attempts_and_little_for_others() -> None:
    line = line_of(*(entry(f"again-{n}", attempt=1) for n in range(MAX_REPEATED)))

    assert not line.has_space_for(entry("one more", attempt=1))
    assert line.has_space_for(entry("first"))
    assert line.first_attempts == 0


def test_a_probe_is_the_newest_of_those_tried_least_often() -> None:
    line = line_of(entry("often", attempt=9, next_at=9), entry("once", attempt=1, next_at=2))
    line.add(ReadyEntry(entry=entry("old", next_at=3)))
    line.add(ReadyEntry(entry=entry("new", next_at=4)))

    assert [names(line.take_probe()) for _ in range(5)] == [["new"], ["old"], ["once"], ["often"], []]


def test_a_line_that_is_dispersed_is_empty() -> None:
    line = line_of(entry("a"), entry("again", attempt=1))

    assert names(line.clear()) == ["a", "again"]
    assert len(line) == 0


def test_every_fourth_place_is_a_newcomers() -> None:
    oldest = [entry(f"o{n}") for n in range(6)]
    newest = [entry(f"n{n}") for n in range(3)]

    assert [one.id for one in mixed(oldest, newest)] == ["o0", "o1", "o2", "n0", "o3", "o4", "o5", "n1"]


def test_who_is_both_old_and_new_stands_once() -> None:
    both = entry("both")

    assert [one.id for one in mixed([entry("o"), entry("p"), entry("q"), both], [both])] == ["o", "p", "q", "both"]
