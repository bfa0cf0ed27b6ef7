"""An event becomes an entry exactly once, and an unreadable frame goes into quarantine, on both databases."""

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
from tests.doubles import stored_rows
from tests.doubles.stored_rows import CONVERSATION, DEADLINE, NOW, OTHER_CONVERSATION

EVENT = AcwEvent(
    conversation_id=CONVERSATION,
    participant_id="298c6ba8-fec0-428c-9b8f-385b9f80854f",
    session_id="aba6f468-0377-4258-b016-71884bca5d38",
    user_id="8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac",
    event_time=NOW - 1000,
    wrapup_code="good",
)
OTHER_CONTENT = replace(EVENT, wrapup_code="better", event_time=NOW - 500)


class Intake:
    """The statements about intake, each in its own transaction, and one registered conversation."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        storage.run(stored_rows.register)

    def put(self, event: AcwEvent = EVENT, source: str = LIVE, now: int = NOW) -> IntakeResult:
        return self.storage.run(
            lambda c: intake.put(c, event, source, now=now, due_at=now + 60_000, deadline_at=DEADLINE + 7)
        )

    def close(self, outcome: str = conversations.NO_ACW) -> None:
        self.storage.run(
            lambda c: conversations.close(c, CONVERSATION, without_record=outcome, now=NOW, last_look_at=NOW)
        )

    def change(self, **values: Any) -> None:
        """Change every entry, as a delivery or an erasure does."""
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
def statements(storage: Storage) -> Intake:
    return Intake(storage)


# --- once ---


@pytest.mark.parametrize(("source", "noted"), [(LIVE, "event_stored"), (BACKFILL, "backfilled")])
def test_an_event_becomes_a_pending_entry(statements: Intake, source: str, noted: str) -> None:
    assert statements.put(source=source) is IntakeResult.STORED
    (row,) = statements.entries()
    assert (row.id, row.source, row.state, row.attempt) == (EVENT.record_id, source, "pending", 0)
    assert (row.stored_at, row.next_at, row.event_time, row.user_id) == (NOW, NOW, NOW - 1000, EVENT.user_id)
    assert AcwEvent.from_json(row.content) == EVENT
    assert statements.timeline() == [(noted, EVENT.record_id)]


@pytest.mark.parametrize("first", [LIVE, BACKFILL])
@pytest.mark.parametrize("second", [LIVE, BACKFILL])
def test_the_same_event_again_is_a_duplicate(statements: Intake, first: str, second: str) -> None:
    statements.put(source=first)
    before = statements.entries()
    assert statements.put(source=second, now=NOW + 5) is IntakeResult.DUPLICATE
    assert statements.entries() == before
    assert len(statements.timeline()) == 1


def test_another_session_is_another_entry(statements: Intake) -> None:
    statements.put()
    assert statements.put(replace(EVENT, session_id="other")) is IntakeResult.STORED
    assert len(statements.entries()) == 2


def test_an_event_of_nobody_is_not_stored(statements: Intake) -> None:
    assert statements.put(replace(EVENT, conversation_id=OTHER_CONVERSATION)) is IntakeResult.UNREGISTERED
    assert statements.entries() == []


def test_content_that_a_database_might_not_like_comes_back_unchanged(statements: Intake) -> None:
    odd = replace(EVENT, wrapup_notes="\x00 '; DROP TABLE entry; -- \N{GRINNING FACE} \u202e", subject="\\u0000")
    statements.put(odd)
    assert AcwEvent.from_json(statements.entries()[0].content) == odd


# --- live and backfill ---


def test_a_live_event_takes_the_place_of_a_backfilled_one(statements: Intake) -> None:
    statements.put(source=BACKFILL)
    assert statements.put(OTHER_CONTENT, LIVE) is IntakeResult.REPLACED
    (row,) = statements.entries()
    assert (row.source, row.event_time, row.amended) == (LIVE, NOW - 500, False)
    assert AcwEvent.from_json(row.content) == OTHER_CONTENT
    assert statements.timeline()[-1] == ("event_stored", EVENT.record_id)


def test_after_the_first_attempt_has_begun_it_is_an_amendment(statements: Intake) -> None:
    statements.put(source=BACKFILL)
    statements.change(attempt=1)
    assert statements.put(OTHER_CONTENT, LIVE) is IntakeResult.AMENDED
    (row,) = statements.entries()
    assert (row.source, row.amended) == (BACKFILL, True)
    assert AcwEvent.from_json(row.content) == EVENT
    assert AcwEvent.from_json(row.amended_content) == OTHER_CONTENT
    assert statements.timeline()[-1] == ("amended", EVENT.record_id)
    assert statements.view().records[0].amended


def test_a_backfill_never_takes_the_place_of_anything(statements: Intake) -> None:
    statements.put()
    assert statements.put(OTHER_CONTENT, BACKFILL) is IntakeResult.DUPLICATE
    assert AcwEvent.from_json(statements.entries()[0].content) == EVENT


def test_a_live_event_with_other_content_amends_a_live_one_even_before_its_delivery(statements: Intake) -> None:
    statements.put()
    assert statements.put(OTHER_CONTENT) is IntakeResult.AMENDED
    assert AcwEvent.from_json(statements.entries()[0].content) == EVENT


def test_an_amendment_that_comes_again_is_a_duplicate_and_a_third_one_is_kept(statements: Intake) -> None:
    statements.put()
    statements.put(OTHER_CONTENT)
    assert statements.put(OTHER_CONTENT) is IntakeResult.DUPLICATE
    assert statements.put() is IntakeResult.DUPLICATE
    third = replace(EVENT, wrapup_code="best")
    assert statements.put(third) is IntakeResult.AMENDED
    assert AcwEvent.from_json(statements.entries()[0].amended_content) == third


def test_what_was_erased_does_not_come_back(statements: Intake) -> None:
    statements.put()
    statements.change(content=None, amended_content=None, erased_at=NOW)
    assert statements.put(OTHER_CONTENT) is IntakeResult.DUPLICATE
    (row,) = statements.entries()
    assert (row.content, row.amended_content, row.amended) == (None, None, False)


# --- what it means for the conversation ---


def test_a_new_entry_makes_the_conversation_due_after_the_quiet_time_and_moves_its_deadline(statements: Intake) -> None:
    statements.storage.run(lambda c: c.execute(update(conversation).values(asked=5)) and None)
    statements.put()
    row = statements.row()
    assert (row.due_at, row.deadline_at, row.asked) == (NOW + 60_000, DEADLINE + 7, 0)


def test_a_duplicate_changes_nothing_about_the_conversation(statements: Intake) -> None:
    statements.put()
    before = statements.row()
    statements.put(now=NOW + 99)
    statements.put(OTHER_CONTENT, now=NOW + 99)
    assert statements.row() == before


@pytest.mark.parametrize("outcome", [conversations.NO_ACW, conversations.UNRESOLVED])
@pytest.mark.parametrize("source", [LIVE, BACKFILL])
def test_an_event_of_a_closed_conversation_is_stored_and_turns_its_outcome(
    statements: Intake, outcome: str, source: str
) -> None:
    statements.close(outcome)
    assert statements.put(source=source) is IntakeResult.STORED
    view = statements.view()
    assert (view.state, view.outcome, len(view.records)) == ("closed", "logged", 1)
    assert [what for what, _ in statements.timeline()][-2:] == [
        "event_stored" if source == LIVE else "backfilled",
        "late_event",
    ]
    assert statements.row().due_at is None


def test_the_second_event_of_a_closed_conversation_is_late_as_well(statements: Intake) -> None:
    statements.put()
    statements.close()
    assert statements.put(replace(EVENT, session_id="other")) is IntakeResult.STORED
    assert statements.view().outcome == "logged"
    assert statements.timeline()[-1][0] == "late_event"


# --- quarantine ---


def test_a_frame_is_set_aside_as_text_whatever_it_is(statements: Intake) -> None:
    statements.set_aside(Unreadable(reason="not_json"), b"a\x00b\xff\xfe")
    (row,) = statements.frames()
    assert (row.reason, row.topic, row.frame, row.at) == ("not_json", None, "a\ufffdb\ufffd\ufffd", NOW)


def test_a_long_frame_and_a_long_topic_are_cut(statements: Intake) -> None:
    statements.set_aside(Unreadable(reason="no_body", topic="t" * 300), b"x" * 30_000)
    (row,) = statements.frames()
    assert (len(row.topic), len(row.frame)) == (200, 20_000)


def test_a_frame_that_names_a_followed_conversation_makes_it_due(statements: Intake) -> None:
    statements.set_aside(Unreadable(reason="bad_identity", conversation_id=CONVERSATION), b"x", NOW + 5)
    row = statements.row()
    assert (row.due_at, row.in_doubt) == (NOW + 5, True)


def test_a_frame_that_names_a_closed_conversation_changes_nothing(statements: Intake) -> None:
    statements.close()
    before = statements.row()
    statements.set_aside(Unreadable(reason="bad_identity", conversation_id=CONVERSATION), b"x", NOW + 5)
    assert statements.row() == before


def test_a_thousand_frames_are_kept_and_no_more(statements: Intake) -> None:
    def job(connection: Connection, numbers: range) -> None:
        for number in numbers:
            intake.set_aside(connection, Unreadable(reason="not_json"), b"%d" % number, NOW)

    # In several jobs, because a job has only a few seconds, even on a busy machine.
    for first in range(0, intake.QUARANTINE_FRAMES + 5, 201):
        statements.storage.run(partial(job, numbers=range(first, first + 201)))
    frames = statements.frames()
    assert len(frames) == intake.QUARANTINE_FRAMES
    assert (frames[0].frame, frames[-1].frame) == ("5", "1004")
