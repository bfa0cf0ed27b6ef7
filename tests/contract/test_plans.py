"""No statement takes longer the more conversations were closed, or the more records wait: on either database.

Each public function of storage/statements has a call below. A function without one fails a test, so none is forgotten.
On SQLite the steps of its virtual machine are counted; on PostgreSQL the rows that each plan has visited.
"""

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, make_url, text, update

from genesys_gateway.domain.after_call_work import Unreadable
from genesys_gateway.domain.outbox import Delivered, Postponed
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import statements
from genesys_gateway.storage.connections import engine_of
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.postgres_engine import engine_of_servers
from genesys_gateway.storage.postgres_session import SessionOpener
from genesys_gateway.storage.statements import (
    accounting,
    conversations,
    counterparts,
    coverage,
    customer,
    dead_letters,
    erasure,
    forgetting,
    inspection,
    instances,
    intake,
    last_look,
    listing,
    locks,
    outbox,
    oversight,
    owners,
    ownership,
    places,
    reconciliation,
    tally,
    timeline,
)
from genesys_gateway.storage.statements import claims as attempts
from genesys_gateway.storage.tables import conversation
from tests.contract.conftest import new_postgres_database
from tests.doubles import past
from tests.doubles import stored_rows as stored
from tests.doubles.stored_rows import CONVERSATION, CUSTOMER, DAY, EVENT, NOW, OWNER

#: Conversations of the past, of which no statement may visit more than a few.
PAST = 20_000
#: Conversations that are followed, and of each further kind that work is left for.
PRESENT = 10
#: Maximum number of rows of these tables that a statement may visit.
ROWS = 300
#: Maximum number of steps of SQLite's virtual machine in a call. To visit all of the past takes 60,000 at least.
STEPS = 20_000
TABLES = ("conversation", "registration", "entry", "transition")
#: Indexes of only what is followed, in doubt, released, missed, dead or claimed: to walk them is the work itself.
OF_THE_PRESENT = (
    "conversation_followed",
    "conversation_doubtful",
    "conversation_released",
    "conversation_missed",
    "conversation_unresolved",
    "entry_dead",
    "entry_claimed",
)

#: As many records wait for their first attempt, because the receiver was down.
WAITING = text(
    "INSERT INTO entry (id, conversation_id, source, stored_at, state, next_at, attempt)"
    " SELECT replace(id, '-9000-', '-a000-'), conversation_id, 'live', stored_at, 'pending', :now, 0 FROM entry"
    " WHERE id LIKE '%-9000-%'"
)

LATER = NOW + 10 * DAY
CLOSED = past.past_conversation(7)
RECORD = past.past_record(7)
FOLLOWED = [f"00000000-0000-4000-8000-{number:012d}" for number in range(PRESENT)]


def put_present(connection: Connection) -> None:
    for number, one in enumerate(FOLLOWED):
        subscribed = {"state": "subscribed", "covered_at": NOW, "channel_id": "c", "in_doubt": True}
        stored.put_conversations(connection, stored.open_row(one, owner=OWNER, **(subscribed if number % 2 else {})))
        stored.put_entries(
            connection,
            stored.pending_row(f"pending-{number}", one),
            stored.dead_row(f"dead-{number}", one),
            stored.entry_row(f"delivered-{number}", one),
            stored.pending_row(f"result-{number}", f"unregistered-{number}", source="supportResult"),
        )
        closed = stored.conversation_row(f"closed-{number}", last_look_at=NOW)
        stored.put_conversations(connection, closed)
        stored.put_frame(connection, "{}")
    # Its lease is over, so that its conversations are adopted.
    instances.enter(connection, OWNER, 0)


def present_entries(connection: Connection) -> list[attempts.ReadyEntry]:
    due = outbox.due(connection, now=LATER, lease_ms=1000, limit=5)
    return [attempts.ReadyEntry(entry=one) for one in due]


def claims(connection: Connection) -> list[attempts.Claim]:
    return attempts.claim(connection, present_entries(connection), owner=OWNER, now=LATER, lease_ms=1000)


def one_due(connection: Connection) -> reconciliation.Due:
    return reconciliation.due(connection, owner=OWNER, now=LATER, furthest=LATER, limit=1)[0]


def answered(connection: Connection) -> reconciliation.Answered:
    return reconciliation.Answered(
        one=one_due(connection),
        asked_at=LATER,
        live=True,
        due_at=LATER,
        deadline_at=LATER,
        clears_doubt=True,
        counted=True,
        unknown_since=None,
    )


def take_over(connection: Connection) -> None:
    instances.drain(connection, OWNER)
    ownership.take_over(connection, "another", limit=500)


def take_offered(connection: Connection) -> None:
    ownership.offer(connection, OWNER, FOLLOWED, now=NOW)
    ownership.take_offered(connection, "another", limit=500)


def two_rows(connection: Connection) -> list[Any]:
    return [stored.get_entry(connection, f"delivered-{number}") for number in range(2)]


OF_FOLLOWED = replace(EVENT, conversation_id=FOLLOWED[0])
OF_CLOSED = replace(EVENT, conversation_id=CLOSED)
RESULT = replace(EVENT, conversation_id=FOLLOWED[1], participant_id=None, session_id=None)
UNREADABLE = Unreadable(reason="not_json", conversation_id=FOLLOWED[0])
CLAIMANT = places.Claimant(client="client", owner=OWNER, heartbeat_ms=40_000)
TWENTY_PAST = [past.past_conversation(number) for number in range(1, 21)]

#: A call of each public function of the statements.
CALLS: dict[str, Callable[[Connection], object]] = {
    "conversations.register": lambda c: [
        stored.register(c, one, owner=OWNER) for one in (CONVERSATION, CONVERSATION, FOLLOWED[0], CLOSED)
    ],
    "conversations.register_new": lambda c: conversations.register_new(
        c, [stored.newcomer(one) for one in (CONVERSATION, FOLLOWED[0], CLOSED)], OWNER
    ),
    "conversations.view": lambda c: conversations.view(c, CLOSED),
    "coverage.cover": lambda c: coverage.cover(c, FOLLOWED, channel_id="c", owner=OWNER, now=NOW, fresh_due_at=NOW),
    "coverage.uncover": lambda c: coverage.uncover(c, FOLLOWED, owner=OWNER, since=NOW, now=NOW),
    "coverage.make_due": lambda c: coverage.make_due(c, [FOLLOWED[0]], NOW),
    "coverage.make_all_due": lambda c: coverage.make_all_due(c, NOW),
    "conversations.close": lambda c: [
        conversations.close(
            c,
            one,
            without_record="no_acw",
            now=LATER,
            last_look_at=LATER,
            owner=OWNER,
            latest_deadline=LATER,
            furthest_deadline=LATER,
            latest_look=LATER,
        )
        for one in (FOLLOWED[0], CLOSED)
    ],
    "last_look.claim": lambda c: last_look.claim(c, now=NOW, furthest=LATER, until=LATER, limit=50),
    "last_look.postpone": lambda c: last_look.postpone(c, TWENTY_PAST, at=LATER, closed_after=NOW),
    "last_look.note": lambda c: last_look.note(c, "closed-1", 1),
    "accounting.balance": accounting.balance,
    "timeline.note_rows": lambda c: timeline.note_rows(c, [timeline.line(CLOSED, NOW, "delivered", RECORD)]),
    "timeline.note": lambda c: timeline.note(c, CLOSED, NOW, "delivered", RECORD),
    "timeline.note_all": lambda c: timeline.note_all(c, TWENTY_PAST, NOW, "closed"),
    "timeline.was_noted": lambda c: timeline.was_noted(c, CLOSED, "unknown_to_genesys", 0),
    "timeline.was_erased": lambda c: timeline.was_erased(c, CLOSED),
    "timeline.of": lambda c: timeline.of(c, CLOSED),
    "timeline.of_all": lambda c: timeline.of_all(c, [CLOSED, FOLLOWED[0]]),
    "tally.add_forgotten": lambda c: tally.add_forgotten(c, registrations=1, conversations=1, missed=0),
    "tally.fold": tally.fold,
    "intake.put": lambda c: [
        intake.put(c, one, source, now=NOW, due_at=NOW, deadline_at=LATER)
        for one in (OF_FOLLOWED, OF_CLOSED)
        for source in ("backfill", "live", "live")
    ],
    "intake.put_all": lambda c: [
        intake.put_all(c, [OF_FOLLOWED, OF_CLOSED], "live", now=NOW, due_at=NOW, deadline_at=LATER) for _ in range(2)
    ],
    "intake.entries_from_genesys": lambda c: intake.entries_from_genesys(c, CLOSED),
    "intake.put_result": lambda c: [
        intake.put_result(c, one, now=NOW, due_at=NOW, deadline_at=LATER)
        for one in (RESULT, RESULT, replace(RESULT, conversation_id=CLOSED))
    ],
    "intake.set_aside": lambda c: intake.set_aside(c, UNREADABLE, b"{}", NOW),
    "locks.hold": lambda c: locks.hold(c, CLOSED),
    "locks.hold_free": lambda c: locks.hold_free(c, TWENTY_PAST),
    "locks.busy_rows": lambda c: locks.busy_rows(c, TWENTY_PAST),
    "locks.not_locked": lambda c: c.execute(
        update(conversation).where(locks.not_locked(c, conversation.c.id, conversation.c.id == CLOSED)).values(epoch=1)
    ),
    "locks.busy_entries": lambda c: locks.busy_entries(c, ["dead-1", RECORD]),
    "counterparts.join": lambda c: [
        counterparts.join(c, one, source)
        for one in (OF_CLOSED, replace(RESULT, conversation_id=CLOSED))
        for source in ("live", "supportResult")
    ],
    "outbox.due": present_entries,
    "outbox.unattempted": lambda c: outbox.unattempted(c, now=LATER, lease_ms=1000, since=0, limit=16),
    "outbox.next_due": lambda c: outbox.next_due(c, now=LATER, furthest_ms=3_600_000, longest_back_off_ms=300_000),
    "claims.claim": claims,
    "claims.unchanged": lambda c: attempts.unchanged(c, {"pending-1": 0, RECORD: 1}),
    "claims.conclude": lambda c: attempts.conclude(c, [(claim, Delivered()) for claim in claims(c)], now=LATER),
    "outbox.postpone": lambda c: outbox.postpone(
        c, [Postponed(entry=one.entry, wait_ms=1, spent_ms=1) for one in present_entries(c)], now=LATER
    ),
    "outbox.hasten": lambda c: outbox.hasten(c, now=LATER, longest_back_off_ms=300_000),
    "outbox.release": outbox.release,
    "outbox.backlog": lambda c: outbox.backlog(c, NOW),
    "dead_letters.dead_letters": lambda c: dead_letters.dead_letters(c, limit=200, reason="refused with HTTP 422"),
    "dead_letters.reasons": dead_letters.reasons,
    "dead_letters.latest_ends": dead_letters.latest_ends,
    "dead_letters.requeue": lambda c: [
        dead_letters.requeue(c, one, now=NOW, why="by hand") for one in ("dead-1", RECORD)
    ],
    "dead_letters.requeue_many": lambda c: dead_letters.requeue_many(c, ["dead-1", RECORD], now=NOW, why="by hand"),
    "dead_letters.revive": lambda c: dead_letters.revive(c, ["dead-1", RECORD], now=NOW),
    "reconciliation.due": one_due,
    "reconciliation.doubtful": lambda c: reconciliation.doubtful(c, owner=OWNER, now=NOW, limit=5),
    "reconciliation.next_dates": lambda c: reconciliation.next_dates(c, OWNER, NOW),
    "reconciliation.postpone": lambda c: reconciliation.postpone(
        c, one_due(c), now=LATER, due_at=LATER, looked_at=LATER
    ),
    "reconciliation.ask_again": lambda c: reconciliation.ask_again(c, [answered(c), answered(c)], now=LATER),
    "reconciliation.release": lambda c: [
        reconciliation.release(
            c,
            one,
            owner=OWNER,
            now=LATER,
            due_at=LATER,
            asked_at=LATER,
            known_until=NOW,
            ended_at=NOW,
            follow_ms=1,
        )
        for one in (FOLLOWED[0], CLOSED)
    ],
    "reconciliation.take_up": lambda c: [
        reconciliation.take_up(c, one, owner=OWNER, now=LATER, due_at=LATER) for one in (FOLLOWED[0], CLOSED)
    ],
    "instances.enter": lambda c: instances.enter(c, "another", 20_000),
    "instances.end_all_leases": instances.end_all_leases,
    "instances.renew": lambda c: instances.renew(c, OWNER, 20_000),
    "instances.leave": lambda c: instances.leave(c, OWNER),
    "instances.drain": lambda c: instances.drain(c, OWNER),
    "instances.leases_of_others": lambda c: instances.leases_of_others(c, "another"),
    "instances.declare_lapsed": lambda c: instances.declare_lapsed(c, [OWNER]),
    "instances.declare_proven": lambda c: instances.declare_proven(
        c, "another", "host 127.0.0.1:8080", is_gone=lambda _: True
    ),
    "instances.peers": lambda c: instances.peers(c, "another", None),
    "instances.listed": instances.listed,
    "instances.forget_ended": instances.forget_ended,
    "instances.lives_of": instances.lives_of,
    "oversight.dead": oversight.dead,
    "oversight.unresolved": oversight.unresolved,
    "oversight.last_delivery": oversight.last_delivery,
    "oversight.set_aside": lambda c: oversight.set_aside(c, NOW),
    "oversight.uncovered": lambda c: oversight.uncovered(c, before=LATER),
    "oversight.lost": oversight.lost,
    "oversight.publish": lambda c: oversight.publish(c, OWNER, "{}"),
    "oversight.reports": lambda c: oversight.reports(c, fresh_ms=LATER),
    "owners.certain": owners.certain,
    "owners.is_certain": lambda c: owners.is_certain(c, OWNER),
    "ownership.adopt": lambda c: [
        ownership.adopt(c, "another", lease_ms=20_000, now=NOW, limit=500, ended_ms_ago=ago) for ago in (0, 5000)
    ],
    "ownership.take_over": take_over,
    "ownership.offer": lambda c: ownership.offer(c, OWNER, FOLLOWED, now=NOW),
    "ownership.take_offered": take_offered,
    "ownership.give_up": lambda c: ownership.give_up(c, OWNER, since=NOW, now=NOW, limit=500),
    "ownership.remaining_of": lambda c: ownership.remaining_of(c, OWNER),
    "ownership.offers": lambda c: ownership.offers(c, "another", FOLLOWED),
    "ownership.pending_of": lambda c: ownership.pending_of(c, OWNER),
    "ownership.followed_by": lambda c: ownership.followed_by(c, OWNER),
    "instances.channel_created": lambda c: instances.channel_created(c, "c", OWNER, now=NOW, expires_at=LATER),
    "instances.channel_closed": lambda c: instances.channel_closed(c, "c", NOW),
    "places.reserve": lambda c: places.reserve(c, CLAIMANT, ["held"], "new", limit=20),
    "places.settle": lambda c: places.settle(c, CLAIMANT, ["held"]),
    "erasure.redate": lambda c: erasure.redate(c, latest=LATER),
    "erasure.old_records": lambda c: erasure.old_records(c, before=LATER, now=LATER, limit=5),
    "erasure.old_conversations": lambda c: erasure.old_conversations(
        c, before=LATER, now=LATER, limit=5, after=(1, "a")
    ),
    "erasure.old_frames": lambda c: erasure.old_frames(c, before=LATER, limit=5),
    "erasure.drop_frames": lambda c: erasure.drop_frames(c, [1, 2]),
    "erasure.erase_content": lambda c: erasure.erase_content(c, two_rows(c), NOW),
    "erasure.note_each": lambda c: erasure.note_each(c, two_rows(c), NOW, "erased"),
    "erasure.erase_customer": lambda c: erasure.erase_customer(c, ["closed-1", "closed-2"], NOW),
    "forgetting.redate": lambda c: forgetting.redate(c, latest=LATER),
    "forgetting.old_conversations": lambda c: [
        forgetting.old_conversations(c, closed_before=LATER, erased_before=LATER, limit=5, after=after)
        for after in (None, (1, "a"), (NOW - 300 * DAY, "a"))
    ],
    "forgetting.old_results": lambda c: [
        forgetting.old_results(c, before=LATER, limit=5, after=after) for after in (None, (1, "a"))
    ],
    "customer.conversations_of": lambda c: customer.conversations_of(c, CUSTOMER),
    "customer.undelivered": lambda c: customer.undelivered(c, CUSTOMER),
    "customer.erase": lambda c: customer.erase(c, CUSTOMER, FOLLOWED, even_undelivered=True, now=NOW),
    "customer.erase_interaction": lambda c: [
        customer.erase_interaction(c, one, even_undelivered=True, now=NOW) for one in (CLOSED, FOLLOWED[0], "nobody")
    ],
    "customer.frames_naming": lambda c: customer.frames_naming(c, FOLLOWED),
    "inspection.conversation_facts": lambda c: inspection.conversation_facts(c, CLOSED),
    "inspection.places": lambda c: inspection.places(c, "a client"),
    "inspection.record_content": lambda c: inspection.record_content(c, RECORD),
    "listing.conversations": lambda c: (
        [
            listing.conversations(c, state=state, beginning=beginning, after=after, limit=2)
            for state in (None, "pending", "subscribed", "closed")
            for beginning in (None, CLOSED[:6], FOLLOWED[0])
            for after in (None, listing.Place(at=NOW - 31 * DAY, id=CLOSED))
        ]
        + [
            listing.conversations(c, state=state, beginning=beginning, after=after, limit=2, unresolved=True)
            for state in (None, "pending", "closed")
            for beginning in (None, CLOSED[:6])
            for after in (None, listing.Place(at=NOW - 31 * DAY, id=CLOSED))
        ]
    ),
    "listing.records": lambda c: [
        listing.records(c, state=state, after=after, limit=2)
        for state in (None, "pending", "delivered", "dead")
        for after in (None, listing.Place(at=NOW - 31 * DAY, id=RECORD))
    ],
    "listing.dead_causes": listing.dead_causes,
}
#: Calls that read a fixed number of the latest lines of all timelines, 10,000.
BOUNDED = {"dead_letters.latest_ends"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with a past and a present, of either kind."""
    if request.param == "sqlite":
        yield from world(f"sqlite:///{tmp_path_factory.mktemp('plans')}/gateway.db")
    else:
        with new_postgres_database(request.getfixturevalue("postgres_server")) as url:
            yield from world(url)


def world(url: str) -> Iterator[Engine]:
    migrate(url)
    if url.startswith("sqlite"):
        engine = engine_of(make_url(url), seconds=5.0, clock=SystemClock(), begin=lambda: "BEGIN IMMEDIATE")
    else:
        engine = engine_of_servers(make_url(url), seconds=5.0, connect_server=SessionOpener(60, 60).open)
    with engine.begin() as connection:
        past.put_past(connection, PAST, now=NOW)
        connection.execute(WAITING, {"now": NOW})
        put_present(connection)
        # Without its statistics PostgreSQL would not know yet that nearly all conversations are closed.
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")
    yield engine
    engine.dispose()


@dataclass(slots=True)
class Work:
    """What a call has cost."""

    statements: list[tuple[str, Any]]
    steps: int = 0


def work_of(engine: Engine, call: Callable[[Connection], object]) -> Work:
    """Make a call in a transaction that is rolled back."""
    work = Work([])

    def note(_c: object, _cursor: object, statement: str, values: Any, _context: object, many: bool) -> None:
        work.statements.append((statement, values[0] if many else values))

    def step() -> int:
        work.steps += 100
        return 0

    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        connection.begin()
        if engine.dialect.name == "sqlite":
            driver.set_progress_handler(step, 100)
        event.listen(engine, "before_cursor_execute", note)
        try:
            call(connection)
        finally:
            event.remove(engine, "before_cursor_execute", note)
            if engine.dialect.name == "sqlite":
                driver.set_progress_handler(None, 0)
            connection.rollback()
    return work


def scans(engine: Engine, statement: str, values: Any) -> list[str]:
    """The steps of SQLite's plan that walk a whole table, or an index of rows of the past."""
    with engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
        connection.rollback()
    return [
        one
        for one in plan
        if one.startswith("SCAN") and one.split()[1] in (*TABLES, "own") and not one.endswith(OF_THE_PRESENT)
    ]


def visited(engine: Engine, statement: str, values: Any) -> int:
    """The number of rows that PostgreSQL visits for a statement; it is undone."""
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).scalar_one()
        connection.rollback()
    tree = json.loads(plan) if isinstance(plan, str) else plan
    return max((rows_of(node) for node in nodes(tree[0]["Plan"])), default=0)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def rows_of(node: dict[str, Any]) -> int:
    if node.get("Relation Name") not in TABLES and "Index Name" not in node:
        return 0
    removed = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])


@pytest.mark.parametrize("name", CALLS)
def test_the_past_makes_no_statement_slower(engine: Engine, name: str) -> None:
    work = work_of(engine, CALLS[name])

    plans = [one for one in work.statements if one[0].startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH"))]
    if engine.dialect.name == "postgresql":
        found = {one[0]: rows for one in plans if (rows := visited(engine, *one)) > ROWS}
        assert name in BOUNDED or found == {}
    else:
        assert name in BOUNDED or [scan for one in plans for scan in scans(engine, *one)] == []
        assert work.steps <= (2_000_000 if name in BOUNDED else STEPS)


def test_every_public_function_of_the_statements_has_a_call() -> None:
    modules = [import_module(f"{statements.__name__}.{found.name}") for found in iter_modules(statements.__path__)]
    public = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
        if "connection" in inspect.signature(function).parameters
    }

    assert public == set(CALLS), "give each function a call in CALLS, so that its plans are checked"


def test_a_walk_through_the_past_would_be_found(engine: Engine) -> None:
    walks = (
        "SELECT count(*) FROM registration",
        "SELECT id FROM conversation WHERE state = 'closed' ORDER BY closed_at LIMIT 50",
        "SELECT count(*) FROM entry WHERE state = 'delivered'",
        "UPDATE conversation SET epoch = epoch WHERE outcome = 'unresolved'",
    )
    for walk in walks:
        statement = text(walk)
        work = work_of(engine, lambda c, statement=statement: c.execute(statement))  # type: ignore[misc]

        if engine.dialect.name == "postgresql":
            assert any(visited(engine, *one) > ROWS for one in work.statements)
        else:
            assert any(scans(engine, *one) for one in work.statements)
