"""Statements for delivering the outbox: which entries are due, which are claimed, and how attempts ended.

Invariant: a claim increments the entry's number, and a conclusion must carry that number. If the number has changed,
another process has taken over, and the conclusion changes nothing. ``now`` is always the database's clock, because
leases are compared with no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from genesys_gateway.domain.outbox import Decision, Delivered, Entry, GiveUp, NotBegun, Postponed, TryAgain
from genesys_gateway.domain.record import FirstAttemptFacts
from genesys_gateway.storage.statements import tally
from genesys_gateway.storage.statements.timeline import DETAIL_LENGTH
from genesys_gateway.storage.tables import conversation, entry, transition

_table = entry.c

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
#: Conditions of the partial indexes, word for word, because SQLite uses such an index for no other.
IS_PENDING = _table.state == literal_column("'pending'")
IS_DEAD = _table.state == literal_column("'dead'")

#: Number of attempts after which a failure is noted in the timeline only if it differs from the previous one.
_NOTED_ATTEMPTS = 10
#: Maximum length of a stored error or reason, in characters.
_ERROR_LENGTH = 200

_ENTRY = select(
    _table.id,
    _table.conversation_id,
    _table.content,
    _table.source,
    _table.stored_at,
    _table.next_at,
    _table.claim,
    _table.attempt,
    _table.in_doubt,
    _table.names,
    _table.waited_ms,
    _table.last_error,
)

#: A claim that ends later than a whole lease from now was made while the clock was ahead, so it does not count.
_UNCLAIMED = or_(
    _table.claimed_until.is_(None),
    _table.claimed_until <= bindparam("now"),
    _table.claimed_until > bindparam("longest"),
)
_AMONG = _table.id.in_(bindparam("ids", expanding=True))

_DUE = _ENTRY.where(IS_PENDING, _table.next_at <= bindparam("now"), _UNCLAIMED)
_OLDEST = _DUE.order_by(_table.next_at).limit(bindparam("most"))
_NEWEST = (
    _DUE.where(_table.next_at > bindparam("since"), _table.attempt == 0)
    .order_by(_table.next_at.desc())
    .limit(bindparam("most"))
)

_CUSTOMERS = (
    select(conversation.c.id, conversation.c.customer_id)
    .where(conversation.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update(read=True)
)
_COUNTED = select(tally.total("pending").label("pending"), tally.total("dead").label("dead"))
_OLDEST_PENDING = select(func.min(_table.stored_at)).where(IS_PENDING)
# The next two do not filter by state: SQLite would then scan all pending entries instead of looking up a few ids.
_FREE = (
    select(_table.id, _table.state, _table.claim, _table.claimed_by, _table.source)
    .where(_AMONG, _UNCLAIMED)
    .with_for_update(skip_locked=True)
)
_CLAIMED = select(_table.id, _table.state, _table.claim).where(_AMONG).order_by(_table.id).with_for_update()

_TAKE = (
    update(entry)
    .where(_table.id == bindparam("of"))
    .values(
        claim=bindparam("number"),
        claimed_by=bindparam("owner"),
        claimed_until=bindparam("until"),
        attempt=bindparam("begun"),
        names=bindparam("known"),
        waited_ms=bindparam("waited"),
        in_doubt=True,
    )
)

_CONCLUDE = (
    update(entry)
    .where(_table.id == bindparam("of"))
    .values(
        state=bindparam("becomes"),
        reason=bindparam("why"),
        attempt=bindparam("begun"),
        in_doubt=bindparam("doubt"),
        names=bindparam("known"),
        next_at=bindparam("due_at"),
        waited_ms=bindparam("waited"),
        last_error=bindparam("error"),
        delivered_at=bindparam("done_at"),
        claimed_by=None,
        claimed_until=None,
    )
)

_NOTE = insert(transition)

_POSTPONE = (
    update(entry)
    .where(_table.id == bindparam("of"), _table.claim == bindparam("number"), _table.state == PENDING)
    .values(next_at=bindparam("due_at"), waited_ms=bindparam("waited"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyEntry:
    """An entry to be claimed, with the names that were looked up for its first attempt."""

    entry: Entry
    agent_name: str | None = None
    wrapup_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to make one attempt, until the lease ends."""

    #: the entry as it was before this claim
    entry: Entry
    number: int
    #: names and customer as JSON; the same in every attempt
    known_json: str
    #: whether the previous claim was never concluded, because its process died
    crashed: bool

    @property
    def attempt(self) -> int:
        """The number of this attempt, starting at 1."""
        return self.entry.attempt + 1

    @property
    def known(self) -> FirstAttemptFacts:
        """Names and customer. Read only for the attempt, so that a row that can't be read stops no round.

        Raises:
            ValueError: What an earlier attempt stored is no JSON.
            TypeError: It is no object.
        """
        return FirstAttemptFacts.from_json(self.known_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Numbers of entries that wait or were given up."""

    pending: int
    dead: int
    #: age of the oldest pending entry
    oldest_ms: int


def due(connection: Connection, *, now: int, lease_ms: int, limit: int) -> list[Entry]:
    """Return unclaimed entries that are due, longest due first."""
    bounds = {"now": now, "longest": now + lease_ms, "most": limit}
    return [_entry(row) for row in connection.execute(_OLDEST, bounds)]


def unattempted(connection: Connection, *, now: int, lease_ms: int, since: int, limit: int) -> list[Entry]:
    """Return entries without an attempt that became due after ``since`` (epoch milliseconds), newest first."""
    bounds = {"now": now, "longest": now + lease_ms, "since": since, "most": limit}
    return [_entry(row) for row in connection.execute(_NEWEST, bounds)]


def _entry(row: Row[*tuple[Any, ...]]) -> Entry:
    return Entry(
        id=row.id,
        conversation_id=row.conversation_id,
        content=row.content,
        source=row.source,
        stored_at=row.stored_at,
        next_at=row.next_at,
        claim=row.claim,
        attempt=row.attempt,
        in_doubt=row.in_doubt,
        known=row.names,
        waited_ms=row.waited_ms,
        last_error=row.last_error,
    )


def next_due(connection: Connection, *, now: int, furthest_ms: int, longest_back_off_ms: int) -> int | None:
    """Return the milliseconds until the next entry becomes due; None if no entry waits for its time.

    A date further away than ``furthest_ms``, the longest possible wait, was set by a wrong clock. Such an entry is made
    due now. Before its first attempt an entry waits no longer than a back-off.
    """
    not_begun = and_(_table.attempt == 0, _table.next_at > now + longest_back_off_ms)
    misdated = update(entry).where(
        IS_PENDING,
        _table.next_at > now + min(furthest_ms, longest_back_off_ms),
        or_(_table.next_at > now + furthest_ms, not_begun),
    )
    if connection.execute(misdated.values(next_at=now)).rowcount:
        return 0
    following = select(func.min(_table.next_at)).where(IS_PENDING, _table.next_at > now)
    at = connection.execute(following).scalar()
    return None if at is None else at - now


def claim(connection: Connection, wanted: Sequence[ReadyEntry], *, owner: str, now: int, lease_ms: int) -> list[Claim]:
    """Begin an attempt for each entry. Entries that were claimed, concluded or changed meanwhile are left out.

    From now on the outcome counts as unknown until :func:`conclude` writes it, even if this process dies.
    """
    # Lock the conversations before the entries. A re-pairing locks the conversation as well, and then looks for
    # attempts that have begun, so one of the two sees what the other did.
    conversations = sorted({one.entry.conversation_id for one in wanted})
    customers = {row.id: row.customer_id for row in connection.execute(_CUSTOMERS, {"ids": conversations})}
    bounds = {"ids": [one.entry.id for one in wanted], "now": now, "longest": now + lease_ms}
    free = {row.id: row for row in connection.execute(_FREE, bounds)}
    claims = [
        Claim(
            entry=one.entry,
            number=one.entry.claim + 1,
            known_json=_known_json(one, customers.get(one.entry.conversation_id)),
            crashed=free[one.entry.id].claimed_by is not None,
        )
        for one in wanted
        if one.entry.id in free and _is_unchanged(one.entry, free[one.entry.id])
    ]
    if claims:
        connection.execute(_TAKE, [_claim_values(one, owner, now + lease_ms) for one in claims])
    return claims


def _is_unchanged(read: Entry, row: Row[*tuple[Any, ...]]) -> bool:
    # The source changes when a live event replaces a backfilled one, whose names may differ.
    return (row.state, row.claim, row.source) == (PENDING, read.claim, read.source)


def _known_json(wanted: ReadyEntry, customer_id: str | None) -> str:
    if wanted.entry.known is not None:
        return wanted.entry.known
    facts = FirstAttemptFacts(agent_name=wanted.agent_name, wrapup_name=wanted.wrapup_name, customer_id=customer_id)
    return facts.to_json()


def _claim_values(claim: Claim, owner: str, until: int) -> dict[str, object]:
    return {
        "of": claim.entry.id,
        "number": claim.number,
        "owner": owner,
        "until": until,
        "begun": claim.attempt,
        "known": claim.known_json,
        # Before the first attempt the entry waited for names. Only waits between attempts count towards giving up.
        "waited": claim.entry.waited_ms if claim.entry.attempt else 0,
    }


def conclude(connection: Connection, results: Sequence[tuple[Claim, Decision]], *, now: int) -> list[str]:
    """Store how attempts ended, and note it in the timelines.

    Returns:
        The ids of entries whose claim was no longer valid. Nothing was stored for them.
    """
    ids = [claim.entry.id for claim, _ in results]
    held = {row.id: row.claim for row in connection.execute(_CLAIMED, {"ids": ids}) if row.state == PENDING}
    valid = [(claim, decision) for claim, decision in results if held.get(claim.entry.id) == claim.number]
    if valid:
        connection.execute(_CONCLUDE, [_conclusion_values(claim, decision, now) for claim, decision in valid])
    if notes := [note for claim, decision in valid if (note := _note(claim, decision, now))]:
        connection.execute(_NOTE, notes)
    return [claim.entry.id for claim, _ in results if held.get(claim.entry.id) != claim.number]


def _conclusion_values(claim: Claim, decision: Decision, now: int) -> dict[str, Any]:
    was = claim.entry
    row: dict[str, Any] = {
        "of": was.id,
        "becomes": PENDING,
        "why": None,
        "begun": claim.attempt,
        "doubt": False,
        "known": claim.known_json,
        "due_at": was.next_at,
        "waited": was.waited_ms if was.attempt else 0,
        "error": was.last_error,
        "done_at": None,
    }
    match decision:
        case Delivered():
            return row | {"becomes": DELIVERED, "done_at": now, "error": None}
        case TryAgain():
            waited = row["waited"] + decision.counted_ms
            again = {"due_at": now + decision.after_ms, "waited": waited, "doubt": decision.in_doubt}
            return row | again | {"error": _cut(decision.error)}
        case GiveUp():
            dead = {"becomes": DEAD, "why": _cut(decision.reason), "doubt": decision.in_doubt}
            return row | dead | {"error": _cut(decision.error)}
        case NotBegun():
            return row | {"begun": was.attempt, "doubt": was.in_doubt, "known": was.known, "waited": was.waited_ms}


def _note(claim: Claim, decision: Decision, now: int) -> dict[str, Any] | None:
    """Return the line for the timeline, or None if the decision needs none."""
    was = claim.entry
    match decision:
        case Delivered():
            event, detail = "delivered", was.id
        case TryAgain(error=error) if claim.attempt <= _NOTED_ATTEMPTS or _cut(error) != was.last_error:
            event, detail = "attempt_failed", f"{was.id} {error}"
        case GiveUp(reason=reason):
            event, detail = "dead", f"{was.id} {reason}"
        case _:
            return None
    return {"conversation_id": was.conversation_id, "at": now, "event": event, "detail": detail[:DETAIL_LENGTH]}


def _cut(text: str) -> str:
    return text[:_ERROR_LENGTH]


def postpone(connection: Connection, waits: Sequence[Postponed], *, now: int) -> None:
    """Postpone entries that wait for names. Entries claimed meanwhile are not changed."""
    rows = [
        {
            "of": one.entry.id,
            "number": one.entry.claim,
            "due_at": now + one.wait_ms,
            "waited": one.entry.waited_ms + one.spent_ms,
        }
        for one in waits
    ]
    if rows:
        connection.execute(_POSTPONE, rows)


def hasten(connection: Connection, *, now: int, longest_back_off_ms: int) -> None:
    """Make all entries that wait for another attempt due now, because the receiver works again.

    The oldest come first, but each attempt moves an entry back by one longest back-off: what fails again and again must
    not be the first one for ever.
    """
    # While the receiver is down few entries are attempted, and many wait; the index holds only the former.
    attempted = _table.attempt > literal_column("0")
    waiting = update(entry).where(IS_PENDING, attempted, _table.next_at > _table.stored_at)
    place = _table.stored_at + cast(_table.attempt - 1, BigInteger) * longest_back_off_ms
    # The rest of a wait that is cut short does not count as waited.
    unspent = case((_table.next_at > now, _table.next_at - now), else_=0)
    connection.execute(
        waiting.values(
            next_at=case((place < now, place), else_=now),
            waited_ms=case((_table.waited_ms > unspent, _table.waited_ms - unspent), else_=0),
        )
    )


def release(connection: Connection) -> int:
    """End all claims when the process starts, and return their number. Only a dead predecessor can have made them.

    On PostgreSQL this does nothing, because other instances may be running: there a claim ends with its lease.
    """
    if connection.dialect.name == "postgresql":
        return 0
    left = and_(_table.state == PENDING, _table.claimed_until.is_not(None))
    return connection.execute(update(entry).where(left).values(claimed_until=None)).rowcount


def backlog(connection: Connection, now: int) -> Backlog:
    """Return how many entries wait and are dead, without the erased ones, which can't be delivered any longer."""
    counted, oldest_at = connection.execute(_COUNTED).one(), connection.execute(_OLDEST_PENDING).scalar()
    oldest_ms = 0 if oldest_at is None else max(0, now - oldest_at)
    return Backlog(pending=counted.pending, dead=counted.dead, oldest_ms=oldest_ms)
