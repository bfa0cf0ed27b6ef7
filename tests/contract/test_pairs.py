"""Each operation against each other one on one conversation, interrupted before each of its statements.

What is left must be what one after the other would have left, in one of the two orders; what was locked is done again,
as the service does. Nobody waits for each other, the balance is kept, and one work has one record.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations_with_replacement, product
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, exists, insert, make_url, select, text

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.outbox import Decision, Delivered, Entry, Postponed
from genesys_gateway.runtime.errors import PairedAlready
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.postgres_engine import engine_of_servers
from genesys_gateway.storage.statements import (
    accounting,
    claims,
    conversations,
    coverage,
    customer,
    dead_letters,
    erasure,
    forgetting,
    intake,
    locks,
    outbox,
    ownership,
    reconciliation,
)
from genesys_gateway.storage.statements.claims import Claim, ReadyEntry
from genesys_gateway.storage.tables import conversation, counterpart, entry, registration, transition
from tests.contract.conftest import new_postgres_database
from tests.contract.interleaved import Job, Stage, stage_on
from tests.doubles import stored_rows as stored
from tests.doubles.stored_rows import CUSTOMER, DAY, FOLLOW_MS, NOW, OTHER_CUSTOMER, OWNER

LATER = NOW + 1000
LEASE_MS = 60_000
#: Another instance, which adopts.
HEIR = "00000000-0000-4000-8000-000000000002"


@dataclass
class World:
    """One conversation with its records, under ids of its own."""

    one: str = field(default_factory=lambda: str(uuid4()))
    pending: str = field(default_factory=lambda: str(uuid4()))
    dead: str = field(default_factory=lambda: str(uuid4()))
    delivered: str = field(default_factory=lambda: str(uuid4()))
    claimed: str = field(default_factory=lambda: str(uuid4()))

    @cached_property
    def names(self) -> dict[str, str]:
        """What to write for the ids, so that two worlds can be compared."""
        live, result = self.event().record_id, self.result().record_id
        names = {self.one: "it", self.pending: "pending", self.dead: "dead", self.delivered: "delivered"}
        return names | {self.claimed: "claimed", live: "work", result: "work"}

    def event(self) -> AcwEvent:
        return AcwEvent(conversation_id=self.one, participant_id="p-9", session_id="s-9", user_id="u-9", event_time=NOW)

    def result(self) -> AcwEvent:
        return AcwEvent(conversation_id=self.one, user_id="u-9", event_time=NOW)


def put(world: World, source: str) -> Job:
    def job(connection: Connection) -> bool:
        dates: dict[str, Any] = {"now": LATER, "due_at": LATER + 60_000, "deadline_at": LATER + FOLLOW_MS}
        if source == intake.LIVE:  # as the event spool does
            held = locks.hold_free(connection, [world.one])
            if not held or locks.busy_rows(connection, held):
                return True
            (result,) = intake.put_all(connection, [world.event()], source, **dates)
            return result is intake.IntakeResult.BUSY
        intake.put(connection, world.event(), source, **dates)
        return False

    return job


def of_rows(world: World, job: Callable[[Connection], object]) -> Job:
    """A job of the event spool that changes the row."""

    def locked(connection: Connection) -> bool:
        if locks.busy_rows(connection, [world.one]):
            return True
        job(connection)
        return False

    return locked


def once(job: Callable[[Connection], object]) -> Job:
    """A job that may wait."""

    def run(connection: Connection) -> bool:
        job(connection)
        return False

    return run


def register(world: World, of: str) -> Job:
    return once(lambda c: stored.register(c, world.one, of, now=LATER, owner=OWNER))


def close(world: World) -> Job:
    return once(
        lambda c: conversations.close(
            c, world.one, without_record="no_acw", now=LATER, last_look_at=LATER, latest_deadline=NOW + FOLLOW_MS
        )
    )


def release(world: World) -> Job:
    return once(
        lambda c: reconciliation.release(
            c,
            world.one,
            owner=OWNER,
            now=LATER,
            due_at=LATER,
            asked_at=NOW,
            known_until=NOW,
            ended_at=NOW,
            follow_ms=FOLLOW_MS,
        )
    )


def take_up(world: World) -> Job:
    return once(lambda c: reconciliation.take_up(c, world.one, owner=OWNER, now=LATER, due_at=LATER))


def as_read(world: World, record_id: str) -> Entry:
    """An entry as delivery has read it before."""
    return Entry(
        id=record_id,
        conversation_id=world.one,
        content="{}",
        source=intake.LIVE,
        stored_at=NOW,
        next_at=NOW,
        claim=0,
        attempt=0,
        in_doubt=False,
        known=None,
        waited_ms=0,
        last_error=None,
    )


def claim(world: World) -> Job:
    def job(connection: Connection) -> bool:
        wanted = [ReadyEntry(entry=as_read(world, world.pending), agent_name="Maria")]
        made = claims.claim(connection, wanted, owner=OWNER, now=LATER, lease_ms=LEASE_MS)
        return not made and bool(claims.unchanged(connection, {world.pending: 0}))

    return job


def conclude(world: World) -> Job:
    made = Claim(entry=as_read(world, world.claimed), number=1, known_json="{}", crashed=False)
    ended: list[tuple[Claim, Decision]] = [(made, Delivered())]

    def job(connection: Connection) -> bool:
        left = claims.conclude(connection, ended, now=LATER)
        return bool(left and claims.unchanged(connection, {world.claimed: 1}))

    return job


def postpone(world: World) -> Job:
    waits = [Postponed(entry=as_read(world, world.pending), wait_ms=5000, spent_ms=100)]
    return lambda c: bool(outbox.postpone(c, waits, now=LATER))


def requeue(world: World) -> Job:
    return once(lambda c: dead_letters.requeue(c, world.dead, now=LATER, why="by hand"))


def requeue_many(world: World) -> Job:
    return lambda c: bool(dead_letters.requeue_many(c, [world.dead, world.delivered], now=LATER, why="by hand").busy)


def erase(world: World) -> Job:
    return once(lambda c: customer.erase_interaction(c, world.one, even_undelivered=True, now=LATER))


def erase_customer(world: World) -> Job:
    both = [world.one, str(uuid4())]
    return lambda c: bool(customer.erase(c, CUSTOMER, both, even_undelivered=True, now=LATER).busy)


def erase_records(world: World) -> Job:
    def job(connection: Connection) -> bool:
        erased = erasure.old_records(connection, before=NOW, now=LATER, limit=5)
        rest = select(entry.c.id).where(entry.c.conversation_id == world.one, entry.c.delivered_at < NOW)
        return not erased and connection.execute(rest.where(entry.c.erased_at.is_(None))).first() is not None

    return job


def erase_closed(world: World) -> Job:
    def job(connection: Connection) -> bool:
        erasure.old_conversations(connection, before=NOW, now=LATER, limit=5, after=None)
        return False

    return job


def forget(world: World) -> Job:
    def job(connection: Connection) -> bool:
        forgetting.old_conversations(connection, closed_before=NOW, erased_before=NOW, limit=5, after=None)
        full = exists().where(entry.c.conversation_id == world.one, entry.c.erased_at.is_(None))
        old = select(conversation.c.id).where(conversation.c.id == world.one, conversation.c.erased_at < NOW, ~full)
        return connection.execute(old.where(conversation.c.closed_at < NOW)).first() is not None

    return job


def cover(world: World) -> Job:
    return of_rows(
        world,
        lambda c: coverage.cover(c, [world.one], channel_id="c-2", owner=OWNER, now=LATER, fresh_due_at=LATER),
    )


def uncover(world: World) -> Job:
    return of_rows(world, lambda c: coverage.uncover(c, [world.one], owner=OWNER, since=NOW, now=LATER))


def lost(world: World) -> Job:
    return of_rows(world, lambda c: coverage.make_due(c, [world.one], LATER))


def adopt(world: World) -> Job:
    """The owner has no row among the instances, so it has ended."""

    def job(connection: Connection) -> bool:
        taken = ownership.adopt(connection, HEIR, lease_ms=LEASE_MS, now=LATER, limit=5)
        owner = connection.execute(
            select(conversation.c.owner).where(conversation.c.id == world.one, conversation.c.state != "closed")
        ).scalar()
        return not taken.total and owner not in (None, HEIR)

    return job


OPERATIONS: dict[str, Callable[[World], Job]] = {
    "register": lambda w: register(w, CUSTOMER),
    "re-pair": lambda w: register(w, OTHER_CUSTOMER),
    "close": close,
    "release": release,
    "take up": take_up,
    "live event": lambda w: put(w, intake.LIVE),
    "backfill": lambda w: put(w, intake.BACKFILL),
    "supportResult": lambda w: once(
        lambda c: intake.put_result(c, w.result(), now=LATER, due_at=LATER + 60_000, deadline_at=LATER + FOLLOW_MS)
    ),
    "claim": claim,
    "conclude": conclude,
    "postpone": postpone,
    "requeue": requeue,
    "requeue many": requeue_many,
    "erase interaction": erase,
    "erase customer": erase_customer,
    "erase old records": erase_records,
    "erase old conversations": erase_closed,
    "forget": forget,
    "cover": cover,
    "uncover": uncover,
    "lost": lost,
    "adopt": adopt,
}
EVENTS = ("live event", "backfill", "supportResult")
OF_FOLLOWED = (
    *("register", "re-pair", "close", "release", *EVENTS, "claim", "conclude", "postpone", "requeue"),
    *("erase interaction", "erase old records", "cover", "uncover", "adopt"),
)
#: What is tried in each situation: the first operations with each other and with all that follow.
SITUATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "never registered": (("register", "supportResult", "erase interaction"), ("re-pair", "live event")),
    "followed": (OF_FOLLOWED, ()),
    # No attempt has begun, so that a re-pairing is possible.
    "not begun": (("re-pair", "claim"), ("register", *EVENTS, "close", "erase interaction", "erase customer", "cover")),
    "released": (("take up", "register"), ("close", *EVENTS, "cover", "lost", "adopt", "claim")),
    "closed": (("register", "erase old conversations"), (*EVENTS, "erase customer", "requeue many", "claim")),
    "erased": (("forget",), ("register", *EVENTS, "erase interaction")),
}
CASES = [
    *((name, *pair) for name, (first, _) in SITUATIONS.items() for pair in combinations_with_replacement(first, 2)),
    *((name, *pair) for name, (first, others) in SITUATIONS.items() for pair in product(first, others)),
]


def prepare(connection: Connection, situation: str) -> World:
    """A world of its own for one run."""
    world = World()
    if situation == "never registered":
        return world
    open_one: dict[str, Any] = {"owner": OWNER, "in_doubt": True, "deadline_at": NOW + FOLLOW_MS}
    covered: dict[str, Any] = {"state": "subscribed", "covered_at": NOW, "uncovered_since": None}
    closed_one: dict[str, Any] = {"closed_at": NOW - 2 * DAY}
    row = {
        "followed": stored.open_row(world.one, **open_one, **covered),
        "not begun": stored.open_row(world.one, **open_one, **covered),
        "released": stored.open_row(world.one, **open_one, released_at=NOW),
        "closed": stored.conversation_row(world.one, **closed_one),
        "erased": stored.conversation_row(world.one, **closed_one, erased_at=NOW - DAY, customer_id=None),
    }[situation]
    connection.execute(insert(conversation).values(row))
    connection.execute(insert(registration).values(conversation_id=world.one, accepted_at=NOW))
    if situation == "erased":
        return world
    fresh = {"attempt": 0, "next_at": NOW, "names": None, "last_error": None, "amended_content": None}
    claimed = {"attempt": 1, "claim": 1, "claimed_by": OWNER, "claimed_until": NOW + LEASE_MS, "session_id": "s-2"}
    rows = [
        stored.pending_row(world.pending, world.one, **fresh),
        stored.dead_row(world.dead, world.one),
        stored.entry_row(world.delivered, world.one, delivered_at=NOW - DAY),
        stored.pending_row(world.claimed, world.one, **fresh | claimed),
    ][: 1 if situation == "not begun" else 4]
    names = {name: None for row in rows for name in row} | {"claim": 0, "in_doubt": False}
    connection.execute(insert(entry), [names | row for row in rows])
    return world


#: All rows about a conversation, from all tables.
ROWS = " UNION ALL ".join(
    f"SELECT '{table.name} ' || (to_jsonb(one) - 'seq' - 'content' - 'amended_content')::text"
    f" FROM {table.name} one WHERE {'id' if table is conversation else 'conversation_id'} = :one"
    for table in (conversation, registration, entry, counterpart, transition)
)


def left_by(connection: Connection, world: World) -> list[str]:
    """Everything about the conversation, without the ids and in an order of its own."""
    ids = re.compile("|".join(world.names))
    rows = connection.execute(text(ROWS), {"one": world.one}).scalars()
    return sorted(ids.sub(lambda found: world.names[found[0]], row) for row in rows)


class Pairs:
    """Runs pairs of operations on one database."""

    def __init__(self, engine: Engine, stage: Stage) -> None:
        self._engine = engine
        self._stage = stage

    def one_after_the_other(self, situation: str, names: tuple[str, str]) -> list[str]:
        with self._engine.begin() as connection:
            world = prepare(connection, situation)
        for name in names:
            self._finish(OPERATIONS[name](world))
        return self._look(world)

    def interrupted(self, situation: str, names: tuple[str, str], after: int) -> tuple[list[str], int, bool]:
        """Interrupt the first after that many statements. Returns what is left, and the number of its statements."""
        with self._engine.begin() as connection:
            world = prepare(connection, situation)
        first, second = (OPERATIONS[name](world) for name in names)
        steps, waited = self._stage.play(first, second, after)
        for player, job in zip(self._stage.players, (first, second), strict=True):
            if player.again:
                self._finish(job)
        return self._look(world), steps, waited

    def _finish(self, job: Job) -> None:
        again = True
        for _ in range(3):
            with self._engine.connect() as connection:
                try:
                    again = job(connection)
                    connection.commit()
                except PairedAlready:
                    again = False
            if not again:
                return
        raise AssertionError("it is locked although nobody holds a lock")

    def _look(self, world: World) -> list[str]:
        with self._engine.begin() as connection:
            left = left_by(connection, world)
            # Nobody adopts, erases or forgets it in later runs.
            out_of_the_way = {"state": "closed", "outcome": "logged", "closed_at": None, "due_at": None}
            mine = conversation.c.id == world.one
            connection.execute(conversation.update().where(mine).values(out_of_the_way))
            of_it = entry.c.conversation_id == world.one
            connection.execute(entry.update().where(of_it).values(delivered_at=None, state="delivered"))
        assert sum(row.startswith("entry ") and "u-9" in row for row in left) <= 1, "one work has one record"
        return left

    def unaccounted(self) -> int:
        with self._engine.connect() as connection:
            return accounting.balance(connection).unaccounted


@pytest.fixture(scope="module")
def pairs(postgres_server: Engine) -> Iterator[Pairs]:
    with new_postgres_database(postgres_server) as url:
        migrate(url)
        engine = engine_of_servers(
            make_url(url), seconds=5.0, pool_size=8, server={"options": "-c synchronous_commit=off"}
        )
        with stage_on(engine) as stage:
            yield Pairs(engine, stage)
        engine.dispose()


@pytest.mark.parametrize(("situation", "one", "other"), CASES)
def test_a_pair_leaves_what_one_after_the_other_leaves(pairs: Pairs, situation: str, one: str, other: str) -> None:
    allowed = [pairs.one_after_the_other(situation, names) for names in ((one, other), (other, one))]

    for names in {(one, other), (other, one)}:
        after, steps = 1, 2  # before its first statement nothing is interrupted
        while after < steps:
            left, steps, _ = pairs.interrupted(situation, names, after)
            assert left in allowed, f"{names[0]} was interrupted by {names[1]} after {after} of {steps} statements"
            after += 1
    assert pairs.unaccounted() == 0
