"""One round of the dispatcher as a database transaction: claim entries, store how attempts ended, read due entries.

Invariant: nothing here is remembered between rounds, so a round may be repeated. If its result is lost after the
commit, no harm is done: its claims expire.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from genesys_gateway.delivery.outcome import LONGEST_HOLD
from genesys_gateway.delivery.ready_queue import FRESH_SHARE, mixed
from genesys_gateway.domain.outbox import AttemptEnd, Decision, Entry, Postponed
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.storage import Connection, database_now
from genesys_gateway.storage.statements import claims, dead_letters, outbox
from genesys_gateway.storage.statements.claims import Claim, ReadyEntry

#: Maximum age, in milliseconds, at which an entry counts as new while the oldest entries include some never attempted.
#: Thus a backlog of such entries alone is delivered oldest first. Otherwise every entry without an attempt is new.
_FRESH_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSettings:
    """What all rounds of one instance have in common."""

    #: this instance, whose id claims carry
    identity: Identity
    #: duration of a claim
    lease_ms: int
    #: longest back-off between two attempts
    longest_back_off_ms: int

    @property
    def furthest_ms(self) -> int:
        """Longest wait between two attempts that is ever planned; it may be a ``Retry-After``."""
        return max(self.longest_back_off_ms, round(LONGEST_HOLD * 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round has to do."""

    #: entries to claim
    wanted: Sequence[ReadyEntry] = ()
    #: whether the one entry to claim is a probe of a broken or paused circuit breaker
    probe: bool = False
    #: attempts that ended
    ended: Sequence[tuple[Claim, Decision]] = ()
    #: entries that wait for their names
    postponed: Sequence[Postponed] = ()
    #: ids of records that became dead only because the receiver refused everything
    revive: Sequence[str] = ()
    #: whether everything that waits for another attempt becomes due now
    hasten: bool = False
    #: maximum number of due entries to read; 0 for no read
    read: int = 0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.wanted or self.ended or self.postponed or self.revive or self.hasten or self.read)

    def __add__(self, other: "Round") -> "Round":
        """What both have left undone."""
        return Round(
            wanted=(*self.wanted, *other.wanted),
            ended=(*self.ended, *other.ended),
            postponed=(*self.postponed, *other.postponed),
            revive=(*self.revive, *other.revive),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What a round did."""

    #: the database's clock (epoch milliseconds)
    at: int = 0
    #: the claims it made; entries that were claimed or changed meanwhile have none
    claims: Sequence[Claim] = ()
    #: ids of the entries that were claimed again before their attempt ended; nothing was stored for that attempt
    late: Sequence[str] = ()
    #: what it could not do, because other transactions have locked the rows
    busy: Round = Round()
    #: the entries it read
    due: Sequence[Entry] = ()
    #: whether more may be due than it read
    full: bool = False
    #: milliseconds until the next entry is due; None if that is unknown or none waits
    next_ms: int | None = None


def begin(connection: Connection) -> tuple[int, Sequence[AttemptEnd]]:
    """Take over from an earlier process.

    Returns:
        The number of claims it left unfinished (on PostgreSQL 0: other instances may hold them), and for the circuit
        breaker how the latest attempts ended, oldest first.
    """
    return outbox.release(connection), dead_letters.latest_ends(connection)


def commit(connection: Connection, todo: Round, round_settings: RoundSettings) -> RoundResult:
    """Do one round."""
    now = database_now(connection)
    claims, unclaimed = _claim(connection, todo, now, round_settings)  # first: conversations are locked before entries
    late, unstored = _conclude(connection, todo, now)
    postponed = outbox.postpone(connection, todo.postponed, now=now)
    not_revived = _revive(connection, todo, now, {claim.entry.id for claim, _ in unstored})
    if todo.hasten:
        outbox.hasten(connection, now=now, longest_back_off_ms=round_settings.longest_back_off_ms)
    due, full, next_ms = _read(connection, todo.read, now, round_settings) if todo.read else ((), False, None)
    busy = Round(wanted=unclaimed, ended=unstored, postponed=postponed, revive=not_revived)
    return RoundResult(at=now, claims=claims, late=late, busy=busy, due=due, full=full, next_ms=next_ms)


def _claim(
    connection: Connection, todo: Round, now: int, round_settings: RoundSettings
) -> tuple[Sequence[Claim], Sequence[ReadyEntry]]:
    """Return the claims, and the entries that are locked."""
    if not todo.wanted:
        return (), ()
    made = claims.claim(
        connection, todo.wanted, owner=round_settings.identity.id, now=now, lease_ms=round_settings.lease_ms
    )
    done = {claim.entry.id for claim in made}
    left = {one.entry.id: one.entry.claim for one in todo.wanted if one.entry.id not in done}
    busy = claims.unchanged(connection, left)
    return made, [one for one in todo.wanted if one.entry.id in busy]


def _conclude(connection: Connection, todo: Round, now: int) -> tuple[Sequence[str], Sequence[tuple[Claim, Decision]]]:
    """Return the ids of attempts that ended too late, and the attempts whose entries are locked."""
    if not todo.ended:
        return (), ()
    left = set(claims.conclude(connection, todo.ended, now=now))
    numbers = {claim.entry.id: claim.number for claim, _ in todo.ended if claim.entry.id in left}
    busy = claims.unchanged(connection, numbers)
    return sorted(left - busy), [one for one in todo.ended if one[0].entry.id in busy]


def _revive(connection: Connection, todo: Round, now: int, unstored: Collection[str]) -> Sequence[str]:
    """Revive records, some of which become dead in this very round. Return those that are locked.

    Args:
        unstored: Those that become dead in a later round.
    """
    if not todo.revive:
        return ()
    revived = dead_letters.revive(connection, [one for one in todo.revive if one not in unstored], now=now)
    return [*revived.busy, *(one for one in todo.revive if one in unstored)]


def _read(
    connection: Connection, limit: int, now: int, round_settings: RoundSettings
) -> tuple[Sequence[Entry], bool, int | None]:
    oldest = outbox.due(connection, now=now, lease_ms=round_settings.lease_ms, limit=limit)
    if len(oldest) < limit:
        next_ms = outbox.next_due(
            connection,
            now=now,
            furthest_ms=round_settings.furthest_ms,
            longest_back_off_ms=round_settings.longest_back_off_ms,
        )
        return oldest, False, next_ms
    since = now - _FRESH_MS if any(not one.attempt for one in oldest) else 0
    newest = outbox.unattempted(
        connection, now=now, lease_ms=round_settings.lease_ms, since=since, limit=limit // FRESH_SHARE
    )
    return list(mixed(oldest, newest)), True, None
