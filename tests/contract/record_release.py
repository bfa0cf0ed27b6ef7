"""`python -m tests.contract.record_release`: records the SQL with which this release serves, for the next one.

The next release is tried beside this one: `test_release_before.py` replays the recorded statements on its tables. Run
this in a checkout of the release, before its successor changes a table, and commit the file that it writes::

    git worktree add --detach ../release TAG
    PYTHONPATH=../release python tests/contract/record_release.py tests/contract/release_NUMBER.json

It needs PostgreSQL, as the tests do. Functions are called by name, without the arguments that the release does not
know, so that this file also records an earlier release than its own.
"""

import inspect
import json
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url, text

from genesys_gateway.domain.after_call_work import AcwEvent, Unreadable
from genesys_gateway.domain.outbox import Delivered, GiveUp, NotBegun, Postponed, TryAgain
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage.connections import engine_of
from genesys_gateway.storage.migrate import HEAD, migrate

SERVER = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
ME, OTHER = "00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000a2"
DAY = 86_400_000
NOW = 1_795_000_000_000
FOLLOW = 3 * DAY
LEASE = 20_000
A, B, C, D, E = (f"633ba5f4-38cd-48fc-bb4c-00000000000{letter}" for letter in "abcde")
CUSTOMERS = ("11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555")
EVENT = AcwEvent(
    conversation_id=A,
    participant_id="p-1",
    session_id="s-1",
    user_id="u-1",
    event_time=NOW - 1000,
    media_type="VOICE",
    direction="INBOUND",
    ani="+639171234567",
    wrapup_code="ININ-WRAP-UP-TIMEOUT",
)

#: Beginnings of statements that answer something else each time.
_UNREPEATABLE = ("SELECT (extract(epoch FROM clock_timestamp", "SELECT pg_current_xact_id")

Transaction = tuple[str, Callable[[Connection], object]]


def act(connection: Connection, *names: str, args: tuple[Any, ...] = (), **values: Any) -> Any:
    """Call the first of these functions (``module.function``) that the release has."""
    for name in names:
        module, function = name.split(".")
        try:
            found = getattr(import_module(f"genesys_gateway.storage.statements.{module}"), function)
        except (ImportError, AttributeError):
            continue
        known = inspect.signature(found).parameters
        return found(connection, *args, **{key: value for key, value in values.items() if key in known})
    raise LookupError(f"this release has none of {names}")


def one_call(title: str, *names: str, args: tuple[Any, ...] = (), **values: Any) -> Transaction:
    """A transaction of one call."""
    return title, lambda connection: act(connection, *names, args=args, **values)


def register(title: str, one: str, *, at: int, customer: int = 0) -> Transaction:
    """A registration."""
    values = {"now": at, "due_at": at + 120_000, "deadline_at": at + FOLLOW}
    newcomer = getattr(import_module("genesys_gateway.storage.statements.conversations"), "Newcomer", None)
    if newcomer is None:  # release 10 and before
        return one_call(title, "conversations.register", args=(one, CUSTOMERS[customer]), owner=ME, **values)
    args = (newcomer(id=one, customer_id=CUSTOMERS[customer], **values), ME)
    return one_call(title, "conversations.register", args=args)


def put(title: str, one: AcwEvent, *, at: int, source: str = "live") -> Transaction:
    """An event."""
    return one_call(title, "intake.put", args=(one, source), now=at, due_at=at + 60_000, deadline_at=at + FOLLOW)


def cover(title: str, ids: list[str], *, at: int) -> Transaction:
    """Confirmed topics."""
    where = {"channel_id": "c-1", "owner": ME, "epoch": 1}
    return one_call(title, "coverage.cover", "conversations.cover", args=(ids,), now=at, fresh_due_at=at + 9, **where)


def due(connection: Connection, at: int) -> list[Any]:
    """Conversations that are due."""
    return list(act(connection, "reconciliation.due", owner=ME, now=at, furthest=at + 10 * DAY, limit=500))


def the(connection: Connection, one: str, at: int) -> Any:
    """A conversation that is due."""
    return next(found for found in due(connection, at) if found.id == one)


def close(title: str, one: str, *, at: int) -> Transaction:
    """The end of a conversation."""
    dates = {"now": at, "last_look_at": at + DAY, "latest_look": at, "latest_deadline": at + 9 * DAY}
    return one_call(
        title, "conversations.close", args=(one,), without_record="no_acw", owner=ME, furthest_deadline=None, **dates
    )


def make_due(connection: Connection) -> None:
    """A frame about a conversation was lost."""
    try:
        act(connection, "coverage.make_due", args=([B], NOW + 60))
    except LookupError:  # release 10 and before
        act(connection, "conversations.make_due", args=(B, NOW + 60))


def ask_again(connection: Connection) -> None:
    """An answer that a conversation goes on."""
    at = NOW + 200_000
    values: dict[str, Any] = {"asked_at": at, "live": True, "due_at": at + 240_000, "deadline_at": at + FOLLOW}
    one = the(connection, A, at)
    facts = values | {"clears_doubt": True, "counted": True, "unknown_since": None, "unanswered": (1, at)}
    answered = getattr(import_module("genesys_gateway.storage.statements.reconciliation"), "Answered", None)
    if answered is None:  # release 10 and before
        act(connection, "reconciliation.ask_again", args=(one,), now=at, **facts)
    else:
        act(connection, "reconciliation.ask_again", args=([answered(one=one, **facts)],), now=at)


def postpone(connection: Connection) -> None:
    """A question that failed."""
    at = NOW + 250_000
    act(connection, "reconciliation.postpone", args=(the(connection, B, at),), now=at, due_at=at + 9, looked_at=at)


def release(connection: Connection) -> None:
    """A topic is given back."""
    at = NOW + 300_000
    dates = {"now": at, "due_at": at + 9, "asked_at": at, "known_until": at - 9, "ended_at": at - 99}
    act(connection, "reconciliation.release", args=(D,), owner=ME, follow_ms=FOLLOW, **dates)


def claims(connection: Connection, at: int) -> list[Any]:
    """Claim what is due, as the dispatcher does."""
    found = act(connection, "outbox.due", now=at, lease_ms=LEASE, limit=64)
    ready = [import_module("genesys_gateway.storage.statements.claims").ReadyEntry(entry=one) for one in found]
    return list(act(connection, "claims.claim", args=(ready,), owner=ME, now=at, lease_ms=LEASE))


def conclude(title: str, *ends: Any, at: int) -> Transaction:
    """Claim and conclude, each entry with one of these ends."""

    def job(connection: Connection) -> None:
        pairs = list(zip(claims(connection, at), ends, strict=False))
        act(connection, "claims.conclude", args=(pairs,), now=at)

    return title, job


def wait_for_names(connection: Connection) -> None:
    """Entries wait for the names of agents."""
    found = act(connection, "outbox.due", now=NOW + 2000, lease_ms=LEASE, limit=64)
    waits = [Postponed(entry=one, wait_ms=5, spent_ms=5) for one in found]
    act(connection, "outbox.postpone", args=(waits,), now=NOW + 2000)


RESULT = replace(EVENT, conversation_id=B, participant_id=None, session_id=None, user_id="u-2")

#: What an instance of this release does, in an order that makes sense.
SERVICE: tuple[Transaction, ...] = (
    ("enter", lambda c: enter(c, ME)),
    one_call("renew", "instances.renew", args=(ME, LEASE)),
    ("ready", lambda c: import_module("genesys_gateway.storage.portable").write_nothing(c)),
    register("register", A, at=NOW),
    register("register a second one", B, at=NOW + 1),
    register("register a third one", C, at=NOW + 2),
    register("register a fourth one", D, at=NOW + 3),
    register("register again", A, at=NOW + 4),
    register("re-pair", B, at=NOW + 5, customer=1),
    one_call("channel made", "instances.channel_created", args=("c-1", ME), now=NOW, expires_at=NOW + DAY),
    cover("cover", [A, B, C, D], at=NOW + 10),
    put("event", EVENT, at=NOW + 20),
    put("event again", EVENT, at=NOW + 21),
    put("event with other content", replace(EVENT, wrapup_notes="other"), at=NOW + 22),
    put("backfill", replace(EVENT, session_id="s-2"), at=NOW + 23, source="backfill"),
    put("event of nobody", replace(EVENT, conversation_id=E), at=NOW + 24),
    one_call(
        "supportResult", "intake.put_result", args=(RESULT,), now=NOW + 30, due_at=NOW + 90, deadline_at=NOW + FOLLOW
    ),
    put("event of the supportResult", replace(EVENT, conversation_id=B, user_id="u-2"), at=NOW + 31),
    (
        "frame set aside",
        lambda c: act(c, "intake.set_aside", args=(Unreadable(reason="not_json", conversation_id=A), b"{}", NOW + 32)),
    ),
    one_call("what is stored", "intake.entries_from_genesys", args=(A,)),
    one_call(
        "uncover", "coverage.uncover", "conversations.uncover", args=([B, C],), owner=ME, since=NOW + 40, now=NOW + 41
    ),
    cover("cover again", [B, C], at=NOW + 50),
    ("a frame was lost", make_due),
    one_call("frames were lost", "coverage.make_all_due", "conversations.make_all_due", args=(NOW + 70,)),
    one_call("doubts", "reconciliation.doubtful", owner=ME, now=NOW + 80, limit=5),
    ("an answer", ask_again),
    ("a failed question", postpone),
    ("give a topic back", release),
    (
        "take it up",
        lambda c: act(c, "reconciliation.take_up", args=(D,), owner=ME, now=NOW + 310_000, due_at=NOW + 310_009),
    ),
    ("next question", lambda c: act(c, "reconciliation.next_dates", "reconciliation.next_due", owner=ME, now=NOW)),
    close("close", C, at=NOW + 320_000),
    one_call(
        "last looks",
        "last_look.claim",
        "conversations.due_for_last_look",
        now=NOW + 2 * DAY,
        furthest=NOW + 9 * DAY,
        until=NOW + 2 * DAY + LEASE,
        limit=50,
    ),
    one_call(
        "put a last look off",
        "last_look.postpone",
        "conversations.postpone_last_look",
        args=([C],),
        at=NOW + 3 * DAY,
        closed_after=NOW,
    ),
    one_call("take a last look", "last_look.note", "conversations.note_last_look", args=(C, 0)),
    register("follow again", C, at=NOW + 330_000),
    ("wait for names", wait_for_names),
    one_call("newest first", "outbox.unattempted", now=NOW + 3000, lease_ms=LEASE, since=0, limit=16),
    conclude("no attempt", *[NotBegun()] * 3, at=NOW + 3000),
    conclude(
        "failed attempts",
        *[TryAgain(after_ms=60_000, counted_ms=1, in_doubt=True, error="HTTP 503")] * 3,
        at=NOW + 4000,
    ),
    ("all is due at once", lambda c: act(c, "outbox.hasten", now=NOW + 5000, longest_back_off_ms=300_000)),
    conclude(
        "one of each end", Delivered(), GiveUp(reason="HTTP 422", in_doubt=False, error="HTTP 422"), at=NOW + 6000
    ),
    ("claim and crash", lambda c: claims(c, NOW + 6000 + LEASE)),
    one_call("release claims", "outbox.release"),
    one_call("give the dead another chance", "dead_letters.revive", args=([],), now=NOW + DAY),
    one_call("next delivery", "outbox.next_due", now=NOW + DAY, furthest_ms=3_600_000, longest_back_off_ms=300_000),
    conclude("deliver the rest", *[Delivered()] * 3, at=NOW + DAY),
    one_call("backlog", "outbox.backlog", args=(NOW + DAY,)),
    one_call("balance", "accounting.balance", "conversations.balance"),
    one_call("view", "conversations.view", args=(A,)),
    one_call("resync: pending", "instances.pending_of", "ownership.pending_of", args=(ME,)),
    one_call("resync: followed", "instances.followed_by", "ownership.followed_by", args=(ME,)),
    close("close the rest", A, at=NOW + DAY),
    close("close the second", B, at=NOW + DAY),
    one_call("dates that are wrong", "erasure.redate", latest=NOW + 7 * DAY),
    one_call("erase records", "erasure.old_records", before=NOW + 9 * DAY, now=NOW + 9 * DAY, limit=100),
    one_call(
        "erase conversations",
        "erasure.old_conversations",
        before=NOW + 9 * DAY,
        now=NOW + 9 * DAY,
        limit=100,
        after=None,
    ),
    one_call("erase frames", "erasure.old_frames", before=NOW + 9 * DAY, limit=100),
    one_call("dates of erasures that are wrong", "forgetting.redate", latest=NOW + 10 * DAY),
    one_call(
        "forget",
        "forgetting.old_conversations",
        closed_before=NOW + 10 * DAY,
        erased_before=NOW + 10 * DAY,
        limit=10,
        after=None,
    ),
    one_call("forget supportResults", "forgetting.old_results", before=NOW + 10 * DAY, limit=10, after=None),
    one_call("channel gone", "instances.channel_closed", args=("c-1", NOW + 11 * DAY)),
    one_call("leave", "instances.leave", args=(ME,)),
    ("another one enters", lambda c: enter(c, OTHER)),
)


def enter(connection: Connection, instance: str) -> None:
    """Begin to serve, and take over what has no living owner."""
    act(connection, "instances.enter", args=(instance, LEASE))
    now = NOW + 12 * DAY
    act(connection, "instances.adopt", "ownership.adopt", args=(instance,), lease_ms=LEASE, now=now, limit=500)


def recorded(engine: Engine) -> list[dict[str, Any]]:
    """Run the whole service; return its transactions with their statements."""
    transactions: list[dict[str, Any]] = []

    def note(_c: object, _cursor: object, sql: str, values: Any, _context: object, many: bool) -> None:
        if sql.startswith("BEGIN"):
            return
        plain = [dict(one) if isinstance(one, dict) else list(one) for one in (values if many else [values])]
        transactions[-1]["statements"].append({"sql": sql, "values": plain if many else plain[0], "many": many})

    event.listen(engine, "before_cursor_execute", note)
    for name, job in SERVICE:
        transactions.append({"name": name, "statements": []})
        with engine.begin() as connection:
            job(connection)
    event.remove(engine, "before_cursor_execute", note)
    return transactions


def replay(
    run: Callable[[Callable[[Connection], Any]], Any], transactions: list[dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Run recorded statements; yield the name of each one's transaction, the statement and its result.

    The result is the rows, sorted, or the number of rows. What the clock says is left out.

    Args:
        run: Runs a job in a transaction.
    """
    for transaction in transactions:
        statements = transaction["statements"]
        results = run(lambda c, statements=statements: [_result(c, one) for one in statements])  # type: ignore[misc]
        for statement, result in zip(statements, results, strict=True):
            yield transaction["name"], statement, result


def _result(connection: Connection, statement: dict[str, Any]) -> Any:
    values = statement["values"]
    given = [_given(one) for one in values] if statement["many"] else _given(values)
    done = connection.exec_driver_sql(statement["sql"], given)
    if statement["sql"].startswith(_UNREPEATABLE):
        return None
    if done.returns_rows and "LIMIT" in statement["sql"] and "ORDER BY" not in statement["sql"]:
        return len(done.all())  # any of them will do
    if done.returns_rows:
        return sorted(json.loads(json.dumps([list(row) for row in done], default=str)), key=repr)
    return done.rowcount


def _given(values: Any) -> Any:
    return tuple(values) if isinstance(values, list) else values


@contextmanager
def engines() -> Iterator[Iterator[Engine]]:
    """Engines of empty migrated databases of this release: of SQLite, of PostgreSQL, and each once more."""
    with ExitStack() as stack:

        def made() -> Iterator[Engine]:
            for kind in ("sqlite", "sqlite", "postgresql", "postgresql"):
                yield stack.enter_context(_database(kind))

        yield made()


@contextmanager
def _database(kind: str) -> Iterator[Engine]:
    with ExitStack() as stack:
        if kind == "sqlite":
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/gateway.db"
        else:
            url = stack.enter_context(_postgresql())
        migrate(url)
        engine = engine_of(make_url(url), seconds=5.0, clock=SystemClock(), begin=lambda: "BEGIN IMMEDIATE")
        stack.callback(engine.dispose)
        yield engine


@contextmanager
def _postgresql() -> Iterator[str]:
    name = f"gateway_record_{uuid.uuid4().hex[:12]}"
    server = create_engine(SERVER, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def _run(engine: Engine, job: Callable[[Connection], Any]) -> Any:
    with engine.begin() as connection:
        return job(connection)


def _lines(written: dict[str, Any]) -> str:
    """JSON with one statement on each line."""
    text = json.dumps(written)
    for start in ('{"name": ', '{"sql": ', '"sqlite": ', '"postgresql": '):
        text = text.replace(f" {start}", f"\n{start}").replace(f"[{start}", f"[\n{start}")
    return text + "\n"


def main(path: Path) -> None:
    """Record on one database of each kind, and take the results from a replay on another one."""
    written: dict[str, Any] = {"revision": HEAD}
    with engines() as made:
        for engine in made:
            transactions = recorded(engine)
            for _, statement, result in replay(partial(_run, next(made)), transactions):
                statement["result"] = result
            written[engine.dialect.name] = transactions
    path.write_text(_lines(written))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
