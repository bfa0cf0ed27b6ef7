"""Arrivals wait in order; those of a locked conversation wait by themselves."""

import pytest

from genesys_gateway.domain.after_call_work import Acw, AcwEvent, Unreadable
from genesys_gateway.intake.arrivals import (
    Arrival,
    ArrivalQueue,
    ChannelClosed,
    Covered,
    Frame,
    Lost,
    Rejected,
    Uncovered,
    conversations_of,
    joined,
    split,
)


def frame(conversation: str, session: str = "s") -> Frame:
    event = AcwEvent(conversation_id=conversation, participant_id="p", session_id=session)
    return Frame(notification=Acw(event=event), raw=b"", received_at=0)


def covered(*ids: str) -> Covered:
    return Covered(ids=list(ids), channel_id="c", owner="me", question_after=0.0)


def queue_of(*arrivals: Arrival) -> ArrivalQueue:
    queue = ArrivalQueue(most_frames=10_000, most_changes=1_000_000)
    for one in arrivals:
        queue.add(one)
    return queue


def test_arrivals_leave_in_order_and_the_queue_is_empty_once_they_are_stored() -> None:
    arrivals: list[Arrival] = [frame("a"), covered("a", "b"), frame("b")]
    queue = queue_of(*arrivals)

    batch = queue.take(0.0)

    assert batch == arrivals
    assert (queue.frames, queue.changes) == (2, 2)
    queue.settle(batch, [], 0.0)
    assert (queue.frames, queue.changes, len(queue)) == (0, 0, 0)
    assert queue.pause_seconds(0.0) is None


def test_what_was_not_stored_goes_back_to_the_front() -> None:
    queue = queue_of(frame("a"), frame("b"))
    batch = queue.take(0.0)
    queue.add(frame("c"))

    queue.give_back(batch)

    assert queue.take(0.0) == [frame("a"), frame("b"), frame("c")]


def test_a_batch_that_was_not_stored_is_tried_again_in_smaller_ones_until_they_are() -> None:
    queue = queue_of(*(frame("a", f"s{n}") for n in range(600)))
    sizes = []
    for _ in range(7):
        batch = queue.take(0.0)
        sizes.append(len(batch))
        queue.give_back(batch)
    assert sizes == [256, 128, 64, 32, 16, 8, 8]

    for _ in range(7):
        batch = queue.take(0.0)
        sizes.append(len(batch))
        queue.settle(batch, [], 0.0)
    assert sizes[7:] == [8, 16, 32, 64, 128, 256, 96]


def test_a_smaller_batch_has_fewer_changes_too() -> None:
    queue = queue_of(*(covered(*(f"{n}-{m}" for m in range(400))) for n in range(5)))
    batch = queue.take(0.0)
    assert len(batch) == 5
    queue.give_back(batch)
    assert len(queue.take(0.0)) == 1


def test_a_batch_has_a_bounded_number_of_arrivals_and_of_changes() -> None:
    many = queue_of(*(frame("a", f"s{n}") for n in range(300)))
    assert len(many.take(0.0)) == 256
    heavy = queue_of(*(covered(*(f"{n}-{m}" for m in range(999))) for n in range(5)))
    assert len(heavy.take(0.0)) == 2
    huge = queue_of(covered(*map(str, range(5000))), frame("a"))
    assert len(huge.take(0.0)) == 1


def test_what_is_locked_is_left_out_and_follows_in_its_own_order() -> None:
    queue = queue_of(frame("a", "1"), frame("b", "1"))
    batch = queue.take(0.0)
    queue.settle(batch, [frame("a", "1")], 0.0)
    for one in (frame("a", "2"), covered("a", "b"), frame("b", "2"), Rejected(conversation_id="a", reason="r")):
        queue.add(one)

    others = queue.take(0.001)

    assert others == [covered("b"), frame("b", "2")]
    queue.settle(others, [], 0.001)
    assert queue.take(0.002) == []
    pause = queue.pause_seconds(0.002)
    assert pause is not None
    assert 0 < pause <= 0.02
    rest = [frame("a", "1"), frame("a", "2"), covered("a"), Rejected(conversation_id="a", reason="r")]
    assert queue.take(0.002 + pause) == rest


def test_many_arrivals_of_a_locked_conversation_hold_up_no_other() -> None:
    queue = queue_of(frame("a", "first"))
    queue.settle(queue.take(0.0), [frame("a", "first")], 0.0)
    for number in range(1000):
        queue.add(frame("a", str(number)))
    queue.add(frame("b"))

    assert queue.take(0.001) == [frame("b")]


def test_the_pauses_of_a_conversation_that_stays_locked_become_longer_and_end_with_its_lock() -> None:
    queue = queue_of(frame("a"))
    now, pauses = 0.0, []
    for _ in range(8):
        batch = queue.take(now)
        queue.settle(batch, batch, now)
        pauses.append(queue.pause_seconds(now) or 0.0)
        now += pauses[-1]
    assert pauses == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5, 0.5])

    queue.settle(queue.take(now), [], now)
    queue.add(frame("a"))
    queue.settle(queue.take(now), [frame("a")], now)

    assert queue.pause_seconds(now) == pytest.approx(0.02)


def test_the_space_of_what_is_left_of_a_batch_is_still_taken() -> None:
    queue = ArrivalQueue(most_frames=1, most_changes=3)
    queue.add(frame("a"))
    queue.add(covered("a", "b", "c"))
    assert not queue.has_space_for(frame("b"))
    assert not queue.has_space_for(ChannelClosed(channel_id="c", at=0))

    queue.settle(queue.take(0.0), [frame("a"), covered("c")], 0.0)

    assert (queue.frames, queue.changes) == (1, 1)
    assert not queue.has_space_for(frame("b"))
    assert queue.has_space_for(ChannelClosed(channel_id="c", at=0))


@pytest.mark.parametrize(
    ("arrival", "ids"),
    [
        (frame("a"), ["a"]),
        (Frame(notification=Unreadable(reason="r", conversation_id="a"), raw=b"", received_at=0), ["a"]),
        (Frame(notification=Unreadable(reason="r"), raw=b"", received_at=0), []),
        (covered("a", "b"), ["a", "b"]),
        (Uncovered(ids=["a"], owner="me", since=0, noted_at=0.0), ["a"]),
        (Lost(ids=["a"]), ["a"]),
        (Rejected(conversation_id="a", reason="r"), ["a"]),
        (ChannelClosed(channel_id="c", at=0), []),
    ],
)
def test_an_arrival_is_about_the_conversations_that_it_names(arrival: Arrival, ids: list[str]) -> None:
    assert list(conversations_of(arrival)) == ids
    assert split(arrival, {"x"}) == (arrival, None)
    assert split(arrival, set(ids)) == ((None, arrival) if ids else (arrival, None))


def test_pieces_of_one_report_come_together_again() -> None:
    arrivals: list[Arrival] = [covered("a", "b"), covered("c"), frame("a"), covered("d"), covered("e")]

    assert joined(arrivals) == [covered("a", "b", "c"), frame("a"), covered("d", "e")]
    assert joined([]) == []


@pytest.mark.parametrize(
    "other",
    [
        Covered(ids=["b"], channel_id="other", owner="me", question_after=0.0),
        Covered(ids=["b"], channel_id="c", owner="me", question_after=9.0),
        Uncovered(ids=["b"], owner="me", since=1, noted_at=1.0),
        Lost(ids=["b"]),
        Rejected(conversation_id="b", reason="no"),
        frame("b"),
    ],
)
def test_what_tells_something_else_stays_apart(other: Arrival) -> None:
    assert joined([covered("a"), other]) == [covered("a"), other]
