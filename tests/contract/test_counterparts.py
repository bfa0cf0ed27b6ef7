"""An event and a supportResult about the same after-call work become one record, on both databases."""

from dataclasses import replace
from typing import Any

import gevent
import pytest
from sqlalchemy import Row, create_engine, select

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import intake
from genesys_gateway.storage.statements.intake import BACKFILL, LIVE, IntakeResult, SupportResultReceipt
from genesys_gateway.storage.tables import conversation, counterpart, entry
from tests.contract.processes import python
from tests.doubles import stored_rows as stored
from tests.doubles.stored_rows import CONVERSATION, DEADLINE, NOW

AGENT = "8c1bb1b4-2a2c-4c1c-9f0d-3a1d8a7d0001"
OTHER_AGENT = "8c1bb1b4-2a2c-4c1c-9f0d-3a1d8a7d0002"
#: When to ask whether the conversation is over.
DUE = NOW + 60_000
#: Maximum difference between the times of an event and of its supportResult, in milliseconds.
LIMIT = 120_000


def event(session: str = "s-1", at: int | None = NOW, agent: str | None = AGENT, **changes: Any) -> AcwEvent:
    """An event of Genesys."""
    known: dict[str, Any] = {"participant_id": "p-1", "session_id": session, "queue_id": "q-1"} | changes
    return AcwEvent(conversation_id=CONVERSATION, user_id=agent, event_time=at, media_type="VOICE", **known)


def result(at: int = NOW, agent: str = AGENT, **changes: Any) -> AcwEvent:
    """A supportResult of the older trigger."""
    return AcwEvent(conversation_id=CONVERSATION, user_id=agent, event_time=at, media_type="VOICE", **changes)


class BothSources:
    """Stores events and supportResults in a database, each in its own transaction, and reads what is there."""

    def __init__(self, storage: Storage) -> None:
        self.run = storage.run

    def follow(self, **changes: Any) -> None:
        if changes:
            self.run(lambda c: stored.put_conversations(c, stored.conversation_row(CONVERSATION, **changes)))
            return
        self.run(stored.register)

    def put_event(self, event: AcwEvent, source: str = LIVE) -> IntakeResult:
        return self.run(lambda c: intake.put(c, event, source, now=NOW, due_at=DUE, deadline_at=DEADLINE))

    def put_result(self, result: AcwEvent) -> SupportResultReceipt:
        return self.run(lambda c: intake.put_result(c, result, now=NOW, due_at=DUE, deadline_at=DEADLINE))

    def entries(self) -> list[Row[*tuple[Any, ...]]]:
        return self.run(lambda c: list(c.execute(select(entry).order_by(entry.c.event_time, entry.c.source))))

    def pairs(self) -> set[tuple[str, str | None]]:
        """The id of each entry with each of its counterparts, or with None."""
        both = select(entry.c.id, counterpart.c.id).outerjoin(counterpart, counterpart.c.entry_id == entry.c.id)
        return self.run(lambda c: {(one, other) for one, other in c.execute(both)})

    def change(self, **values: Any) -> None:
        self.run(lambda c: c.execute(entry.update().values(values)).close())

    def timeline(self) -> list[tuple[str, str | None]]:
        return self.run(lambda c: stored.get_timeline(c, CONVERSATION))

    def conversation(self) -> Row[*tuple[Any, ...]]:
        return self.run(lambda c: c.execute(select(conversation)).one())


@pytest.fixture
def unregistered(storage: Storage) -> BothSources:
    """The conversation is not registered."""
    return BothSources(storage)


@pytest.fixture
def sources(unregistered: BothSources) -> BothSources:
    """The conversation is registered."""
    unregistered.follow()
    return unregistered


def test_a_result_becomes_an_entry_and_its_conversation_is_due(sources: BothSources) -> None:
    receipt = sources.put_result(result(ani="+639171234567"))

    assert receipt == SupportResultReceipt(result=IntakeResult.STORED, record_id=result().record_id, state="pending")
    (row,) = sources.entries()
    assert (row.source, row.user_id, row.event_time, row.participant_id) == ("supportResult", AGENT, NOW, None)
    assert AcwEvent.from_json(row.content) == result(ani="+639171234567")
    assert (sources.conversation().due_at, sources.conversation().deadline_at) == (DUE, DEADLINE)
    assert sources.timeline()[1:] == [("event_stored", receipt.record_id)]


def test_a_result_registers_nothing(unregistered: BothSources) -> None:
    receipt = unregistered.put_result(result())

    assert receipt.result is IntakeResult.STORED
    assert unregistered.run(lambda c: c.execute(select(conversation)).all()) == []
    assert unregistered.pairs() == {(receipt.record_id, None)}


@pytest.mark.parametrize("outcome", ["no_acw", "unresolved", "logged"])
def test_a_result_of_a_closed_conversation_is_late_and_makes_it_logged(unregistered: BothSources, outcome: str) -> None:
    unregistered.follow(outcome=outcome)

    receipt = unregistered.put_result(result())

    assert (unregistered.conversation().state, unregistered.conversation().outcome) == ("closed", "logged")
    assert unregistered.timeline() == [("event_stored", receipt.record_id), ("late_event", receipt.record_id)]


@pytest.mark.parametrize("source", [LIVE, BACKFILL])
@pytest.mark.parametrize("apart", [0, 1, -LIMIT, LIMIT])
def test_an_event_after_its_result_is_no_second_record(sources: BothSources, source: str, apart: int) -> None:
    receipt = sources.put_result(result())

    assert sources.put_event(event(at=NOW + apart), source) is IntakeResult.DUPLICATE

    assert sources.pairs() == {(receipt.record_id, event().record_id)}
    assert sources.timeline()[1:] == [("event_stored", receipt.record_id)]


@pytest.mark.parametrize("source", [LIVE, BACKFILL])
@pytest.mark.parametrize("apart", [0, 1, -LIMIT, LIMIT])
def test_a_result_after_its_event_is_answered_with_the_record_of_the_event(
    sources: BothSources, source: str, apart: int
) -> None:
    sources.put_event(event(), source)

    receipt = sources.put_result(result(at=NOW + apart))

    assert receipt == SupportResultReceipt(result=IntakeResult.DUPLICATE, record_id=event().record_id, state="pending")
    assert sources.pairs() == {(event().record_id, result_id(NOW + apart))}


def result_id(at: int) -> str:
    return result(at=at).record_id


@pytest.mark.parametrize(
    "other",
    [
        event(at=NOW + LIMIT + 1),
        event(at=NOW - LIMIT - 1),
        event(agent=OTHER_AGENT),
        event(agent=None),
        event(at=None),
    ],
)
def test_another_agent_or_another_time_is_another_work(sources: BothSources, other: AcwEvent) -> None:
    sources.put_result(result())

    assert sources.put_event(other) is IntakeResult.STORED

    assert {other for _, other in sources.pairs()} == {None}


@pytest.mark.parametrize(
    "other", [event(at=NOW + LIMIT + 1), event(agent=OTHER_AGENT), event(agent=None), event(at=None)]
)
def test_so_it_is_when_the_event_comes_first(sources: BothSources, other: AcwEvent) -> None:
    sources.put_event(other)

    assert sources.put_result(result()).result is IntakeResult.STORED


def test_another_conversation_of_the_agent_is_another_work(sources: BothSources) -> None:
    sources.put_result(replace(result(), conversation_id="0d9f3f0c-6f0e-5b52-9d3f-7a0a6c1e2b44"))

    assert sources.put_event(event()) is IntakeResult.STORED


def test_results_are_the_same_only_if_their_times_are_equal(sources: BothSources) -> None:
    first, again, second = (sources.put_result(result(at=at)) for at in (NOW, NOW, NOW + 1))

    assert (first.result, again.result, second.result) == (
        IntakeResult.STORED,
        IntakeResult.DUPLICATE,
        IntakeResult.STORED,
    )
    assert first.record_id == again.record_id != second.record_id


def test_two_sessions_of_an_agent_need_two_results(sources: BothSources) -> None:
    sources.put_result(result())

    assert sources.put_event(event("s-1")) is IntakeResult.DUPLICATE
    assert sources.put_event(event("s-2", at=NOW + 1)) is IntakeResult.STORED

    second = sources.put_result(result(at=NOW + 2))
    assert (second.result, second.record_id) == (IntakeResult.DUPLICATE, event("s-2").record_id)
    assert sources.put_result(result(at=NOW + 3)).result is IntakeResult.STORED, (
        "no event is left to be its counterpart"
    )


def test_the_nearest_in_time_is_the_counterpart(sources: BothSources) -> None:
    for session, at in (("s-1", NOW - 100), ("s-2", NOW + 99), ("s-3", NOW + 5000)):
        sources.put_event(event(session, at=at))

    assert sources.put_result(result()).record_id == event("s-2").record_id
    assert sources.put_result(result(at=NOW + 1)).record_id == event("s-1").record_id, "the nearest that is left"


def test_the_nearest_result_is_the_counterpart(sources: BothSources) -> None:
    near, far = sources.put_result(result(at=NOW + 10)), sources.put_result(result(at=NOW - 20))

    sources.put_event(event())

    assert sources.pairs() == {(near.record_id, event().record_id), (far.record_id, None)}


def test_a_pair_is_recognised_again_and_again_from_both_sides(sources: BothSources) -> None:
    receipt = sources.put_result(result())
    # A second result close in time must not be paired with an event that has its counterpart already.
    sources.put_event(event())
    other = sources.put_result(result(at=NOW + 1))

    for _ in range(3):
        assert sources.put_event(event(), BACKFILL) is IntakeResult.DUPLICATE
        assert sources.put_event(event()) is IntakeResult.DUPLICATE
        assert sources.put_result(result()) == replace(receipt, result=IntakeResult.DUPLICATE)
        # Reconciliation may date the event differently than the notification did, by any amount.
        assert sources.put_event(event(at=NOW + 10 * LIMIT), BACKFILL) is IntakeResult.DUPLICATE

    assert sources.pairs() == {(receipt.record_id, event().record_id), (other.record_id, None)}


def test_a_result_is_known_as_the_counterpart_of_an_event_however_often_it_comes(sources: BothSources) -> None:
    sources.put_event(event())

    for _ in range(3):
        assert sources.put_result(result()).record_id == event().record_id

    assert sources.pairs() == {(event().record_id, result_id(NOW))}


def test_an_event_that_stood_alone_takes_no_result_later(sources: BothSources) -> None:
    sources.put_event(event(agent=None))
    alone = sources.put_result(result())

    # The backfill contains the agent, which the notification did not.
    assert sources.put_event(event(), BACKFILL) is IntakeResult.DUPLICATE

    assert sources.pairs() == {(event().record_id, None), (alone.record_id, None)}


def test_a_live_event_replaces_a_backfilled_counterpart_and_the_pair_stands(sources: BothSources) -> None:
    sources.put_event(event(at=NOW + 3), BACKFILL)
    sources.put_result(result())

    assert sources.put_event(event()) is IntakeResult.REPLACED

    (row,) = sources.entries()
    assert (row.source, row.event_time) == ("live", NOW)
    assert sources.pairs() == {(event().record_id, result_id(NOW))}
    assert sources.put_result(result()).result is IntakeResult.DUPLICATE


def test_what_genesys_says_differently_the_second_time_is_an_amendment(sources: BothSources) -> None:
    receipt = sources.put_result(result())

    assert sources.put_event(event()) is IntakeResult.DUPLICATE
    assert sources.put_event(event(wrapup_notes="Called back")) is IntakeResult.AMENDED

    (row,) = sources.entries()
    assert row.amended
    assert AcwEvent.from_json(row.content) == result(), "the first content is kept"
    assert AcwEvent.from_json(row.amended_content).wrapup_notes == "Called back"
    assert sources.timeline()[-1] == ("amended", receipt.record_id)


def test_a_result_that_comes_again_with_other_content_is_an_amendment(sources: BothSources) -> None:
    first = sources.put_result(result(subject="Loan"))

    assert sources.put_result(result(subject="Card")) == replace(first, result=IntakeResult.AMENDED)
    assert sources.put_result(result(subject="Card")) == replace(first, result=IntakeResult.DUPLICATE)


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_a_result_of_what_has_ended_is_told_how(sources: BothSources, state: str) -> None:
    sources.put_event(event())
    sources.change(state=state)

    assert sources.put_result(result()) == SupportResultReceipt(
        result=IntakeResult.DUPLICATE, record_id=event().record_id, state=state
    )


def test_a_dead_result_keeps_its_event_from_becoming_a_second_record(sources: BothSources) -> None:
    receipt = sources.put_result(result())
    sources.change(state="dead")

    assert sources.put_event(event()) is IntakeResult.DUPLICATE
    assert sources.pairs() == {(receipt.record_id, event().record_id)}


@pytest.mark.parametrize("paired", [False, True])
def test_what_is_erased_is_still_known_and_gets_no_content_back(sources: BothSources, paired: bool) -> None:
    sources.put_result(result(ani="+639171234567"))
    if paired:
        sources.put_event(event(ani="+639171234567"))
    sources.change(state="delivered", content=None, amended_content=None, erased_at=NOW)

    assert sources.put_event(event(ani="+639171234567")) is IntakeResult.DUPLICATE
    assert sources.put_result(result(ani="+639171234567")).result is IntakeResult.DUPLICATE

    (row,) = sources.entries()
    assert (row.content, row.amended_content, row.amended) == (None, None, False)


def test_an_erased_event_is_still_the_counterpart_of_its_result(sources: BothSources) -> None:
    sources.put_event(event())
    sources.change(state="delivered", content=None, erased_at=NOW)

    assert sources.put_result(result()).record_id == event().record_id


def test_an_event_without_a_session_has_the_id_of_its_result(sources: BothSources) -> None:
    without_session = event(session_id=None, participant_id=None)
    assert without_session.record_id == result_id(NOW)

    receipt = sources.put_result(result())
    assert sources.put_event(without_session) is IntakeResult.DUPLICATE

    assert sources.pairs() == {(receipt.record_id, receipt.record_id)}
    assert sources.put_event(event("s-2")) is IntakeResult.DUPLICATE, "the same work, reported a third time"
    assert sources.put_event(event("s-3")) is IntakeResult.STORED, "the work has an event with a session already"


def test_a_result_with_the_id_of_an_event_is_that_event(sources: BothSources) -> None:
    sources.put_event(event(session_id=None, participant_id=None))

    assert sources.put_result(result()).result is IntakeResult.DUPLICATE
    assert sources.put_result(result(at=NOW + 1)).result is IntakeResult.STORED, "it has its counterpart already"


@pytest.mark.parametrize("first", ["event", "result"])
def test_a_counterpart_that_comes_at_the_same_moment_waits_for_the_first(postgres_url: str, first: str) -> None:
    engine = create_engine(postgres_url, execution_options={"preserve_rowcount": True})
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    sources = BothSources(storage)
    sources.follow()

    with engine.begin() as connection:  # not committed before the second one has begun
        if first == "event":
            intake.put(connection, event(), LIVE, now=NOW, due_at=DUE, deadline_at=DEADLINE)
            second = gevent.spawn(lambda: sources.put_result(result()).result)
        else:
            intake.put_result(connection, result(), now=NOW, due_at=DUE, deadline_at=DEADLINE)
            second = gevent.spawn(lambda: sources.put_event(event()))
        assert not second.ready()
        gevent.sleep(0.1)
        assert not second.ready()

    assert second.get(timeout=5) is IntakeResult.DUPLICATE
    assert len(sources.entries()) == 1
    storage.close()
    engine.dispose()


#: The code of :func:`reporter`, with its two gaps.
_REPORTER = """
import sys
from gevent import monkey
monkey.patch_all()
import random, gevent
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime import logs
from genesys_gateway.storage import Storage
from tests.contract.test_counterparts import BothSources, event, result, NOW
from tests.contract.test_events_without_session import by_agent

url, source, seed = sys.argv[1:]
logs.configure("warning")  # to stderr: stdout is for the report
storage = Storage(url, SystemClock())
storage.open()
sources = BothSources(storage)
put = {PUTS}[source]
print("ready", flush=True)
sys.stdin.readline()

def report(number):
    works = list(range(WORKS))
    random.Random(int(seed) * 100 + number).shuffle(works)
    for work in works:
        put(work, NOW + work * 1_000_000)

gevent.joinall([gevent.spawn(report, number) for number in range(4)], raise_error=True)
storage.close()
print("done", flush=True)
"""


def reporter(works: int, **puts: str) -> str:
    """The code of a process that reports after-call works from one source, in four greenlets, in different orders.

    Args:
        works: Number of after-call works.
        puts: For each source the expression that reports the work number ``work`` of the moment ``at``.
    """
    choices = ", ".join(f"{source!r}: lambda work, at: {put}" for source, put in puts.items())
    return _REPORTER.replace("PUTS", choices).replace("WORKS", str(works))


_REPORT = reporter(
    60,
    genesys='sources.put_event(event(f"s-{work}", at=at), random.choice(("live", "backfill")))',
    result="sources.put_result(result(at=at + 120_000))",
)


def test_four_processes_at_once_make_one_record_of_each_work(postgres_url: str) -> None:
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    sources = BothSources(storage)
    sources.follow()

    with (
        python(_REPORT, postgres_url, "genesys", "1") as one,
        python(_REPORT, postgres_url, "result", "2") as two,
        python(_REPORT, postgres_url, "genesys", "3") as three,
        python(_REPORT, postgres_url, "result", "4") as four,
    ):
        reports = [gevent.spawn(process.communicate, b"\n", timeout=60) for process in (one, two, three, four)]
        gevent.joinall(reports, raise_error=True)

    assert [greenlet.get()[0] for greenlet in reports] == [b"done\n"] * 4
    rows = sources.entries()
    assert len(rows) == 60
    assert None not in {other for _, other in sources.pairs()}
    assert len({row.source == "supportResult" for row in rows}) == 2, "each source was the first for some of them"
    storage.close()
