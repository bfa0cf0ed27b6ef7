"""An event that names only agent and time becomes one record with the other reports of its work, on both databases."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import gevent
import pytest
from sqlalchemy import create_engine

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import intake
from genesys_gateway.storage.statements.intake import BACKFILL, LIVE, IntakeResult
from genesys_gateway.storage.tables import conversation, counterpart, entry
from tests.contract.processes import python
from tests.contract.test_counterparts import DUE, LIMIT, OTHER_AGENT, BothSources, event, reporter, result
from tests.doubles.stored_rows import CONVERSATION, DEADLINE, NOW


def by_agent(at: int | None = NOW, **changes: Any) -> AcwEvent:
    """An event of Genesys without participant and session."""
    return event(at=at, **({"participant_id": None, "session_id": None} | changes))


@pytest.fixture
def sources(storage: Storage) -> BothSources:
    """The conversation is registered."""
    made = BothSources(storage)
    made.follow()
    return made


def forget_all(sources: BothSources) -> None:
    """Begin anew with the same conversation."""
    sources.run(lambda c: [c.execute(table.delete()).rowcount for table in (entry, counterpart)])


NAMED = pytest.mark.parametrize(
    "named", [{}, {"participant_id": "p-1"}, {"session_id": "s-1"}], ids=["neither", "participant", "session"]
)
SOURCE = pytest.mark.parametrize("source", [LIVE, BACKFILL])
APART = pytest.mark.parametrize("apart", [0, 400, -LIMIT, LIMIT])


@NAMED
@SOURCE
@APART
def test_an_event_and_the_one_with_a_session_are_one_record_of_the_first_ones_id(
    sources: BothSources, named: dict[str, Any], source: str, apart: int
) -> None:
    first, second = by_agent(**named), event(at=NOW + apart)

    assert sources.put_event(first) is IntakeResult.STORED
    assert sources.put_event(second, source) is IntakeResult.DUPLICATE

    assert sources.pairs() == {(first.record_id, second.record_id)}
    (row,) = sources.entries()
    assert (row.source, AcwEvent.from_json(row.content), row.amended) == (LIVE, first, False)


@NAMED
@SOURCE
@APART
def test_so_they_are_when_the_one_with_a_session_comes_first(
    sources: BothSources, named: dict[str, Any], source: str, apart: int
) -> None:
    first, second = event(at=NOW + apart), by_agent(**named)

    assert sources.put_event(first, source) is IntakeResult.STORED
    assert sources.put_event(second) is IntakeResult.DUPLICATE

    assert sources.pairs() == {(first.record_id, second.record_id)}
    (row,) = sources.entries()
    assert (row.source, AcwEvent.from_json(row.content), row.amended) == (source, first, False)


@pytest.mark.parametrize(
    "other",
    [
        event(at=NOW + LIMIT + 1),
        event(at=NOW - LIMIT - 1),
        event(agent=OTHER_AGENT),
        event(agent=None),
        event(at=None),
        event(participant_id="p-2"),
    ],
    ids=["later", "earlier", "another agent", "no agent", "no time", "another participant"],
)
def test_another_work_is_another_record(sources: BothSources, other: AcwEvent) -> None:
    for one in (by_agent(participant_id="p-1"), other):
        assert sources.put_event(one) is IntakeResult.STORED

    assert {found for _, found in sources.pairs()} == {None}


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_a_backfill_of_what_was_sent_is_no_second_record(sources: BothSources, state: str) -> None:
    sources.put_event(by_agent())
    sources.change(state=state, attempt=1)

    assert sources.put_event(event(), BACKFILL) is IntakeResult.DUPLICATE
    assert len(sources.entries()) == 1


def test_an_event_without_a_session_that_comes_again_changes_nothing(sources: BothSources) -> None:
    sources.put_event(by_agent())
    sources.put_event(event(), BACKFILL)

    for _ in range(3):
        assert sources.put_event(by_agent()) is IntakeResult.DUPLICATE
        assert sources.put_event(event(), BACKFILL) is IntakeResult.DUPLICATE
        # Reconciliation may date the work differently later, by any amount.
        assert sources.put_event(event(at=NOW + 10 * LIMIT), BACKFILL) is IntakeResult.DUPLICATE

    assert sources.pairs() == {(by_agent().record_id, event().record_id)}
    assert sources.timeline()[1:] == [("event_stored", by_agent().record_id)]


def test_works_of_two_agents_at_the_same_time_stay_apart(sources: BothSources) -> None:
    works = [(by_agent(agent=one), event(f"s-{one}", agent=one, participant_id=f"p-{one}")) for one in "ab"]

    for bare, _ in works:
        assert sources.put_event(bare) is IntakeResult.STORED
    for _, named in works:
        assert sources.put_event(named, BACKFILL) is IntakeResult.DUPLICATE

    assert sources.pairs() == {(bare.record_id, named.record_id) for bare, named in works}


def test_two_works_of_an_agent_a_minute_apart_are_two_records_in_any_order(sources: BothSources) -> None:
    reports = [(by_agent(at), LIVE) for at in (NOW, NOW + 60_000)]
    reports += [(event(f"s-{at}", at=at + 400), BACKFILL) for at in (NOW, NOW + 60_000)]

    for order in permutations(reports):
        for one, source in order:
            sources.put_event(one, source)
        assert len(sources.entries()) == 2
        assert len(sources.pairs()) == 2, "each has one counterpart"
        forget_all(sources)


def test_all_three_reports_of_a_work_are_one_record_in_any_order(sources: BothSources) -> None:
    ids = {"result": result(at=NOW + 200).record_id, "bare": by_agent().record_id, "backfill": event().record_id}
    reports: dict[str, Callable[[], object]] = {
        "result": lambda: sources.put_result(result(at=NOW + 200)),
        "bare": lambda: sources.put_event(by_agent()),
        "backfill": lambda: sources.put_event(event(at=NOW + 400), BACKFILL),
    }

    for order in permutations(reports):
        for name in order * 2:
            reports[name]()
        assert sources.pairs() == {(ids[order[0]], ids[name]) for name in order[1:]}
        assert not any(row.amended for row in sources.entries())
        forget_all(sources)


def test_a_result_at_the_very_time_of_an_event_without_a_session_is_the_same_record(sources: BothSources) -> None:
    """Both have the same id, so no two entries could be made of them."""
    assert by_agent().record_id == result().record_id
    sources.put_event(by_agent())

    assert sources.put_result(result()).record_id == by_agent().record_id
    assert sources.put_event(event(), BACKFILL) is IntakeResult.DUPLICATE
    assert len(sources.entries()) == 1


def test_two_works_of_two_reports_each_are_two_records_in_whichever_order_they_came(sources: BothSources) -> None:
    """The works are 200 s apart, the reports of each 110 s."""
    reports = [("result", NOW), ("result", NOW + 200_000), ("event", NOW + 110_000), ("event", NOW + 310_000)]

    def put(what: str, at: int) -> IntakeResult:
        return sources.put_result(result(at=at)).result if what == "result" else put_event(at)

    def put_event(at: int) -> IntakeResult:
        return sources.put_event(event(f"s-{at}", at=at))

    for order in permutations(reports):
        for what, at in order:
            put(what, at)
        assert len(sources.entries()) == 2, order
        assert {put(what, at) for what, at in order} == {IntakeResult.DUPLICATE}
        forget_all(sources)


def test_what_joined_is_known_to_reconciliation(sources: BothSources) -> None:
    sources.put_event(by_agent())
    sources.put_event(event(), BACKFILL)

    known = sources.run(lambda c: intake.entries_from_genesys(c, CONVERSATION))

    assert known == {by_agent().record_id, event().record_id}


def test_the_same_event_with_other_content_is_an_amendment_but_another_report_is_not(sources: BothSources) -> None:
    sources.put_event(by_agent())

    assert sources.put_event(event()) is IntakeResult.DUPLICATE
    assert sources.put_event(by_agent(wrapup_notes="Called back")) is IntakeResult.AMENDED
    assert sources.put_event(event(wrapup_notes="Called back")) is IntakeResult.DUPLICATE

    (row,) = sources.entries()
    assert AcwEvent.from_json(row.content) == by_agent(), "the first content is kept"
    assert AcwEvent.from_json(row.amended_content) == by_agent(wrapup_notes="Called back")


def test_what_is_erased_gets_no_content_back(sources: BothSources) -> None:
    sources.put_event(by_agent(ani="+639171234567"))
    sources.change(state="delivered", content=None, amended_content=None, erased_at=NOW)

    assert sources.put_event(event(ani="+639171234567")) is IntakeResult.DUPLICATE

    (row,) = sources.entries()
    assert (row.content, row.amended_content, row.amended) == (None, None, False)


def test_a_counterpart_of_a_closed_conversation_leaves_it_as_it_is(sources: BothSources) -> None:
    sources.put_event(event(), BACKFILL)
    sources.run(lambda c: c.execute(conversation.update().values(state="closed", outcome="logged")).close())
    before = sources.conversation()

    assert sources.put_event(by_agent()) is IntakeResult.DUPLICATE

    assert sources.conversation() == before


def test_an_event_that_names_no_work_is_never_stored(sources: BothSources) -> None:
    with pytest.raises(ValueError, match="neither participant and session nor agent and time"):
        sources.put_event(replace(by_agent(), user_id=None))

    assert sources.entries() == []


@pytest.mark.parametrize("order", [(by_agent(), event()), (event(), by_agent())], ids=["bare first", "named first"])
def test_one_that_comes_at_the_same_moment_waits_for_the_first(
    postgres_url: str, order: tuple[AcwEvent, AcwEvent]
) -> None:
    engine = create_engine(postgres_url, execution_options={"preserve_rowcount": True})
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    sources = BothSources(storage)
    sources.follow()
    first, second = order

    with engine.begin() as connection:  # not committed before the second one has begun
        intake.put(connection, first, LIVE, now=NOW, due_at=DUE, deadline_at=DEADLINE)
        waiting = gevent.spawn(sources.put_event, second, BACKFILL if second.names_session else LIVE)
        gevent.sleep(0.1)
        assert not waiting.ready()

    assert waiting.get(timeout=5) is IntakeResult.DUPLICATE
    assert sources.pairs() == {(first.record_id, second.record_id)}
    storage.close()
    engine.dispose()


_REPORT = reporter(
    40,
    named='sources.put_event(event(f"s-{work}", at=at + 400), "backfill")',
    bare="sources.put_event(by_agent(at))",
    result="sources.put_result(result(at=at + 100_000))",
)


def test_three_processes_at_once_make_one_record_of_each_work(postgres_url: str) -> None:
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    sources = BothSources(storage)
    sources.follow()

    with (
        python(_REPORT, postgres_url, "named", "1") as one,
        python(_REPORT, postgres_url, "bare", "2") as two,
        python(_REPORT, postgres_url, "result", "3") as three,
    ):
        reports = [gevent.spawn(process.communicate, b"\n", timeout=60) for process in (one, two, three)]
        gevent.joinall(reports, raise_error=True)

    assert [greenlet.get()[0] for greenlet in reports] == [b"done\n"] * 3
    assert len(sources.entries()) == 40
    assert len(sources.pairs()) == 80, "each work has two counterparts"
    storage.close()
