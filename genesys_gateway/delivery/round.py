"""What delivery does to the disk, as one transaction: claim what is next, write down what ended, read what is due.

Law: nothing here is remembered between rounds, so a round may be repeated, or be lost without harm: a claim that
nobody knows of runs out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from genesys_gateway.delivery.ready_queue import FRESH_SHARE, mixed
from genesys_gateway.domain.outbox import Decision, Entry, Postponed
from genesys_gateway.storage import Connection, database_now
from genesys_gateway.storage.statements import dead_letters, outbox
from genesys_gateway.storage.statements.outbox import Claim, ReadyEntry

#: So recently, in milliseconds, a newcomer came in; in a backlog of newcomers only, the eldest are first.
_FRESH_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSettings:
    """What all rounds have in common."""

    #: id of this instance
    owner: str
    #: how long a claim holds
    lease_ms: int
    #: the longest wait that can have been planned
    furthest_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one transaction shall do."""

    wanted: Sequence[ReadyEntry] = ()
    #: whether the one wanted is to test a lane that does not flow
    probe: bool = False
    ended: Sequence[tuple[Claim, Decision]] = ()
    postponed: Sequence[Postponed] = ()
    revive: Sequence[str] = ()
    hasten: bool = False
    #: how many to read; 0: none
    read: int = 0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.wanted or self.ended or self.postponed or self.revive or self.hasten or self.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What it did."""

    claims: Sequence[Claim] = ()
    #: ids of those that ended after somebody else had taken over
    late: Sequence[str] = ()
    due: Sequence[Entry] = ()
    #: more may be due than was read
    full: bool = False
    #: milliseconds until the next is due
    next_ms: int | None = None


def begin(connection: Connection) -> tuple[int, Sequence[tuple[str, str]]]:
    """Take over from an earlier process: how many claims it left unfinished, and who was refused in a row.

    The latter with the answer that each got, for the lane.
    """
    return outbox.release(connection), dead_letters.refused_in_a_row(connection)


def commit(connection: Connection, todo: Round, round_settings: RoundSettings) -> RoundResult:
    """Do one round."""
    now = database_now(connection)
    claims: Sequence[Claim] = ()
    late: Sequence[str] = ()
    if todo.wanted:  # before what ended: whoever locks a conversation and its entry does it in this order
        claims = outbox.claim(
            connection, todo.wanted, owner=round_settings.owner, now=now, lease_ms=round_settings.lease_ms
        )
    if todo.ended:
        late = outbox.conclude(connection, todo.ended, now=now)
    outbox.postpone(connection, todo.postponed, now=now)
    if todo.revive:  # after the deaths that ended with this round
        dead_letters.revive(connection, todo.revive, now=now)
    if todo.hasten:
        outbox.hasten(connection, now=now)
    due, full, next_ms = _read(connection, todo.read, now, round_settings) if todo.read else ((), False, None)
    return RoundResult(claims=claims, late=late, due=due, full=full, next_ms=next_ms)


def _read(
    connection: Connection, limit: int, now: int, round_settings: RoundSettings
) -> tuple[Sequence[Entry], bool, int | None]:
    oldest = outbox.due(connection, now=now, lease_ms=round_settings.lease_ms, limit=limit)
    if len(oldest) < limit:
        return oldest, False, outbox.next_due(connection, now=now, furthest_ms=round_settings.furthest_ms)
    since = now - _FRESH_MS if any(not one.attempt for one in oldest) else 0
    newest = outbox.fresh(
        connection, now=now, lease_ms=round_settings.lease_ms, since=since, limit=limit // FRESH_SHARE
    )
    return list(mixed(oldest, newest)), True, None
