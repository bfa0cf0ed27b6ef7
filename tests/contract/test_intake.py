"""What comes in becomes an entry once, or is set aside, on both databases."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from genesys_gateway.domain.after_call_work import AcwEvent, Unreadable
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import conversations, intake
from genesys_gateway.storage.statements.conversations import ConversationView
from genesys_gateway.storage.statements.intake import BACKFILL, LIVE, IntakeResult
from genesys_gateway.storage.tables import conversation, entry, quarantine

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"
OWNER = "00000000-0000-4000-8000-000000000001"
NOW = 1_763_805_600_000
DEADLINE = NOW + 259_200_000
EVENT = AcwEvent(
    conversation_id=CONVERSATION,
    participant_id="298c6ba8-fec0-428c-9b8f-385b9f80854f",
    session_id="aba6f468-0377-4258-b016-71884bca5d38",
    user_id="8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac",
    event_time=NOW - 1000,
    wrapup_code="good",
)
OTHER_CONTENT = replace(EVENT, wrapup_code="better", event_time=NOW - 500)


class House:
    """The statements, each in its own transaction."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        storage.run(
            lambda c: conversations.register(
                c, CONVERSATION, CUSTOMER, owner=OWNER, now=NOW, due_at=NOW + 120_000, deadline_at=DEADLINE
            )
        )

    def put(self, event: AcwEvent = EVENT, source: str = LIVE, now: int = NOW) -> IntakeResult:
        return self.storage.run(
            lambda c: intake.put(c, event, source, now=now, due_at=now + 60_000, deadline_at=DEADLINE + 7)
        )

    def close(self, outcome: str = conversations.NO_ACW) -> None:
        self.storage.run(
            lambda c: conversations.close(c, CONVERSATION, without_record=outcome, now=NOW, last_look_at=NOW)
        )

    def change(self, **values: Any) -> None:
        """Of every entry, as a delivery or an erasure does."""
        self.storage.run(lambda c: c.execute(update(entry).values(values)) and None)

    def set_aside(self, unreadable: Unreadable, frame: bytes, now: int = NOW) -> None:
        self.storage.run(lambda c: intake.set_aside(c, unreadable, frame, now))

    def frames(self) -> Sequence[Any]:
        return self.storage.run(lambda c: c.execute(select(quarantine).order_by(quarantine.c.seq)).all())

    def entries(self) -> Sequence[Any]:
        return self.storage.run(lambda c: c.execute(select(entry)).all())

    def row(self) -> Any:
        return self.storage.run(lambda c: c.execute(select(conversation)).one())

    def view(self) -> ConversationView:
        view = self.storage.run(lambda c: conversations.view(c, CONVERSATION))
        assert view is not None
        return view

    def timeline(self) -> list[tuple[str, str | None]]:
        return [(item.event, item.detail) for item in self.view().timeline][1:]


@pytest.fixture
def house(storage: Storage) -> House:
    return House(storage)


# --- once ---


@pytest.mark.parametrize(("source", "told"), [(LIVE, "event_stored"), (BACKFILL, "backfilled")])
def test_an_event_becomes_a_pending_entry(house: House, source: str, told: str) -> None:
    assert house.put(source=source) is IntakeResult.STORED
    (row,) = house.entries()
    assert (row.id, row.source, row.state, row.attempt) == (EVENT.record_id, source, "pending", 0)
    assert (row.stored_at, row.next_at, row.event_time, row.user_id) == (NOW, NOW, NOW - 1000, EVENT.user_id)
    assert AcwEvent.from_json(row.content) == EVENT
    assert house.timeline() == [(told, EVENT.record_id)]


@pytest.mark.parametrize("first", [LIVE, BACKFILL])
@pytest.mark.parametrize("second", [LIVE, BACKFILL])
def test_the_same_event_again_is_a_duplicate(house: House, first: str, second: str) -> None:
    house.put(source=first)
    before = house.entries()
    assert house.put(source=second, now=NOW + 5) is IntakeResult.DUPLICATE
    assert house.entries() == before
    assert len(house.timeline()) == 1


def test_another_session_is_another_entry(house: House) -> None:
    house.put()
    assert house.put(replace(EVENT, session_id="other")) is IntakeResult.STORED
    assert len(house.entries()) == 2


def test_an_event_of_nobody_is_not_stored(house: House) -> None:
    assert (
        house.put(replace(EVENT, conversation_id="633ba5f4-38cd-48fc-bb4c-d77057990b9f")) is IntakeResult.UNREGISTERED
    )
    assert house.entries() == []


def test_content_that_a_database_might_not_like_comes_back_unchanged(house: House) -> None:
    odd = replace(EVENT, wrapup_notes="\x00 '; DROP TABLE entry; -- \N{GRINNING FACE} \u202e", subject="\\u0000")
    house.put(odd)
    assert AcwEvent.from_json(house.entries()[0].content) == odd


# --- live and backfill ---


def test_a_live_event_takes_the_place_of_a_backfilled_one(house: House) -> None:
    house.put(source=BACKFILL)
    assert house.put(OTHER_CONTENT, LIVE) is IntakeResult.REPLACED
    (row,) = house.entries()
    assert (row.source, row.event_time, row.amended) == (LIVE, NOW - 500, False)
    assert AcwEvent.from_json(row.content) == OTHER_CONTENT
    assert house.timeline()[-1] == ("event_stored", EVENT.record_id)


def test_after_the_first_attempt_has_begun_it_is_an_amendment(house: House) -> None:
    house.put(source=BACKFILL)
    house.change(attempt=1)
    assert house.put(OTHER_CONTENT, LIVE) is IntakeResult.AMENDED
    (row,) = house.entries()
    assert (row.source, row.amended) == (BACKFILL, True)
    assert AcwEvent.from_json(row.content) == EVENT
    assert AcwEvent.from_json(row.amended_content) == OTHER_CONTENT
    assert house.timeline()[-1] == ("amended", EVENT.record_id)
    assert house.view().records[0].amended


def test_a_backfill_never_takes_the_place_of_anything(house: House) -> None:
    house.put()
    assert house.put(OTHER_CONTENT, BACKFILL) is IntakeResult.DUPLICATE
    assert AcwEvent.from_json(house.entries()[0].content) == EVENT


def test_a_live_event_with_other_content_amends_a_live_one_even_before_its_delivery(house: House) -> None:
    house.put()
    assert house.put(OTHER_CONTENT) is IntakeResult.AMENDED
    assert AcwEvent.from_json(house.entries()[0].content) == EVENT


def test_an_amendment_that_comes_again_is_a_duplicate_and_a_third_one_is_kept(house: House) -> None:
    house.put()
    house.put(OTHER_CONTENT)
    assert house.put(OTHER_CONTENT) is IntakeResult.DUPLICATE
    assert house.put() is IntakeResult.DUPLICATE
    third = replace(EVENT, wrapup_code="best")
    assert house.put(third) is IntakeResult.AMENDED
    assert AcwEvent.from_json(house.entries()[0].amended_content) == third


def test_what_was_erased_does_not_come_back(house: House) -> None:
    house.put()
    house.change(content=None, amended_content=None, erased_at=NOW)
    assert house.put(OTHER_CONTENT) is IntakeResult.DUPLICATE
    (row,) = house.entries()
    assert (row.content, row.amended_content, row.amended) == (None, None, False)


# --- what it means for the conversation ---


def test_a_new_entry_makes_the_conversation_due_after_the_quiet_time_and_moves_its_deadline(house: House) -> None:
    house.storage.run(lambda c: c.execute(update(conversation).values(asked=5)) and None)
    house.put()
    row = house.row()
    assert (row.due_at, row.deadline_at, row.asked) == (NOW + 60_000, DEADLINE + 7, 0)


def test_a_duplicate_changes_nothing_about_the_conversation(house: House) -> None:
    house.put()
    before = house.row()
    house.put(now=NOW + 99)
    house.put(OTHER_CONTENT, now=NOW + 99)
    assert house.row() == before


@pytest.mark.parametrize("outcome", [conversations.NO_ACW, conversations.UNRESOLVED])
@pytest.mark.parametrize("source", [LIVE, BACKFILL])
def test_an_event_of_a_closed_conversation_is_stored_and_turns_its_outcome(
    house: House, outcome: str, source: str
) -> None:
    house.close(outcome)
    assert house.put(source=source) is IntakeResult.STORED
    view = house.view()
    assert (view.state, view.outcome, len(view.records)) == ("closed", "logged", 1)
    assert [what for what, _ in house.timeline()][-2:] == [
        "event_stored" if source == LIVE else "backfilled",
        "late_event",
    ]
    assert house.row().due_at is None


def test_the_second_event_of_a_closed_conversation_is_late_as_well(house: House) -> None:
    house.put()
    house.close()
    assert house.put(replace(EVENT, session_id="other")) is IntakeResult.STORED
    assert house.view().outcome == "logged"
    assert house.timeline()[-1][0] == "late_event"


# --- quarantine ---


def test_a_frame_is_set_aside_as_text_whatever_it_is(house: House) -> None:
    house.set_aside(Unreadable(reason="not_json"), b"a\x00b\xff\xfe")
    (row,) = house.frames()
    assert (row.reason, row.topic, row.frame, row.at) == ("not_json", None, "a\ufffdb\ufffd\ufffd", NOW)


def test_a_long_frame_and_a_long_topic_are_cut(house: House) -> None:
    house.set_aside(Unreadable(reason="no_body", topic="t" * 300), b"x" * 30_000)
    (row,) = house.frames()
    assert (len(row.topic), len(row.frame)) == (200, 20_000)


def test_a_frame_that_names_a_followed_conversation_makes_it_due(house: House) -> None:
    house.set_aside(Unreadable(reason="bad_identity", conversation_id=CONVERSATION), b"x", NOW + 5)
    row = house.row()
    assert (row.due_at, row.in_doubt) == (NOW + 5, True)


def test_a_frame_that_names_a_closed_conversation_changes_nothing(house: House) -> None:
    house.close()
    before = house.row()
    house.set_aside(Unreadable(reason="bad_identity", conversation_id=CONVERSATION), b"x", NOW + 5)
    assert house.row() == before


def test_a_thousand_frames_are_kept_and_no_more(house: House) -> None:
    def job(connection: Connection, numbers: range) -> None:
        for number in numbers:
            intake.set_aside(connection, Unreadable(reason="not_json"), b"%d" % number, NOW)

    for first in range(0, intake.QUARANTINE_FRAMES + 5, 201):  # a job has a few seconds only, however busy the machine
        house.storage.run(partial(job, numbers=range(first, first + 201)))
    frames = house.frames()
    assert len(frames) == intake.QUARANTINE_FRAMES
    assert (frames[0].frame, frames[-1].frame) == ("5", "1004")
