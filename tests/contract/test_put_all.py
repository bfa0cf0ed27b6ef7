"""Events that are stored together leave what they leave one after the other, on both databases."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import intake
from genesys_gateway.storage.statements.intake import BACKFILL, LIVE, IntakeResult
from genesys_gateway.storage.tables import conversation, counterpart, entry, transition
from tests.doubles import stored_rows as stored
from tests.doubles.channels import ids
from tests.doubles.stored_rows import DEADLINE, NOW

FOLLOWED, OTHER, CLOSED, NEVER_REGISTERED = ids(4)
LATER = NOW + 5000


def event_of(
    one: str = FOLLOWED, session: str | None = "s-1", user: str = "u-1", minutes: int = 0, code: str = "good"
) -> AcwEvent:
    return AcwEvent(
        conversation_id=one,
        participant_id=session and "p",
        session_id=session,
        user_id=user,
        event_time=NOW + 60_000 * minutes,
        wrapup_code=code,
    )


#: Two sessions of two agents, and events that name no session, at times that are near and far from each other.
EVENTS = st.builds(
    event_of,
    st.sampled_from([FOLLOWED, FOLLOWED, OTHER, CLOSED, NEVER_REGISTERED]),
    st.sampled_from(["s-1", "s-1", "s-2", None]),
    st.sampled_from(["u-1", "u-2"]),
    st.sampled_from([0, 1, 5]),
    st.sampled_from(["good", "better"]),
)
SOURCES = st.sampled_from([LIVE, BACKFILL])
Step = Callable[[Connection], object]


def put(connection: Connection, event: AcwEvent, source: str, now: int = LATER) -> IntakeResult:
    return intake.put(connection, event, source, now=now, due_at=now + 60_000, deadline_at=DEADLINE + now - NOW)


def put_result(connection: Connection, event: AcwEvent) -> None:
    result = AcwEvent(conversation_id=event.conversation_id, user_id=event.user_id, event_time=event.event_time)
    intake.put_result(connection, result, now=NOW, due_at=NOW + 60_000, deadline_at=DEADLINE)


def begin_attempts(connection: Connection) -> None:
    connection.execute(update(entry).values(attempt=1))


def erase(connection: Connection) -> None:
    connection.execute(update(entry).values(content=None, amended_content=None, erased_at=NOW))


#: What may have happened before.
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda event, source: lambda c: put(c, event, source, NOW), EVENTS, SOURCES),
    st.builds(lambda event: lambda c: put_result(c, event), EVENTS),
    st.sampled_from([begin_attempts, erase]),
)


def rows(connection: Connection) -> list[Any]:
    """Everything that is stored, each timeline in its order."""
    found: list[Any] = []
    for table in (conversation, entry, counterpart):
        found += connection.execute(select(table).order_by(table.c.id)).all()
    lines = select(*(one for one in transition.c if one.name != "seq"))
    return found + list(connection.execute(lines.order_by("conversation_id", "seq")))


Left = tuple[list[IntakeResult], list[Any]]


def tried(connection: Connection, job: Callable[[Connection], list[IntakeResult]]) -> Left:
    """The results of a job and what it leaves; then it is undone."""
    savepoint = connection.begin_nested()
    results = job(connection)
    left = rows(connection)
    savepoint.rollback()
    return results, left


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(before=[], batch=[event_of(session=None), event_of()], source=LIVE)
@given(before=st.lists(STEPS, max_size=4), batch=st.lists(EVENTS, max_size=8), source=SOURCES)
def test_events_stored_together_leave_what_they_leave_one_by_one(
    storage: Storage, before: Sequence[Step], batch: list[AcwEvent], source: str
) -> None:
    def job(connection: Connection) -> list[Left]:
        all_of_it = connection.begin_nested()
        rows_before = [stored.open_row(one, uncovered_since=NOW) for one in (FOLLOWED, OTHER)]
        stored.put_conversations(connection, *rows_before, stored.conversation_row(CLOSED, outcome="no_acw"))
        for step in before:
            step(connection)
        dates = {"now": LATER, "due_at": LATER + 60_000, "deadline_at": DEADLINE + LATER - NOW}
        both = [
            tried(connection, lambda c: [put(c, event, source) for event in batch]),
            tried(connection, lambda c: intake.put_all(c, batch, source, **dates)),
        ]
        all_of_it.rollback()
        return both

    one_by_one, together = storage.run(job)
    assert together == one_by_one
