"""Reads in one transaction what the database tells operators, and finds what is wrong with it.

Invariant: :func:`findings` is pure, so that all instances that read the same find the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from genesys_gateway.oversight.finding import Finding
from genesys_gateway.oversight.last_error import shown
from genesys_gateway.oversight.status import InstanceStatus
from genesys_gateway.storage import Connection, database_now
from genesys_gateway.storage.statements import accounting, instances, outbox, oversight
from genesys_gateway.storage.statements.accounting import Balance
from genesys_gateway.storage.statements.oversight import Counted, Dead, Lost

#: How long a conversation is normally uncovered at most until it is subscribed, in milliseconds.
LATE_MS = 3500
#: How long a report of an instance counts, in milliseconds. An instance that hangs for longer tells nothing.
_FRESH_MS = 6000
#: How long after the end of an attempt that end is normally stored at the latest, in milliseconds.
_STORED_MS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the database told at one moment."""

    #: epoch milliseconds on the database's clock
    now: int
    balance: Balance
    #: records waiting to be delivered, and records given up
    backlog: int
    dead: int
    instances: tuple[InstanceStatus, ...]
    #: what each living instance says of itself, as text
    reports: Mapping[str, str]
    given_up: Dead | None = None
    unresolved: Counted | None = None
    set_aside: Counted | None = None
    uncovered: Counted | None = None
    lost: Lost | None = None
    #: when the latest record was stored as delivered, by any instance
    delivered_at: int | None = None


def survey(connection: Connection, *, report: tuple[str, str] | None) -> Survey:
    """Read everything, and store what this instance says of itself.

    Args:
        report: Its id and its report; None if no other instance can read it.
    """
    now = database_now(connection)
    backlog = outbox.backlog(connection, now)
    found = Survey(
        now=now,
        balance=accounting.balance(connection),
        backlog=backlog.pending,
        dead=backlog.dead,
        instances=tuple(_status(one) for one in instances.listed(connection)),
        reports=oversight.reports(connection, fresh_ms=_FRESH_MS) if report else {},
        given_up=oversight.dead(connection) if backlog.dead else None,
        unresolved=oversight.unresolved(connection),
        set_aside=oversight.set_aside(connection, now),
        uncovered=oversight.uncovered(connection, before=now - LATE_MS),
        lost=oversight.lost(connection),
        delivered_at=oversight.last_delivery(connection),
    )
    if report is not None:
        oversight.publish(connection, *report)  # last: its row is locked from here to the commit
    return found


def still_so(found: Iterable[Finding], known: Survey) -> Iterator[Finding]:
    """The findings without those of the receiver that the database shows to be over.

    The instance that met the trouble can't see its end: another may have delivered since, or nothing is left to be
    tried. If it fails again much later, its trouble began after the last delivery by any instance.
    """
    for one in found:
        failed_at = one.facts.get("failed_at")
        if not isinstance(failed_at, int):
            yield one
            continue
        delivered_at = known.delivered_at or 0
        if known.backlog and delivered_at <= failed_at + _STORED_MS:
            yield replace(one, since=max(one.since, min(delivered_at, failed_at)))


def _status(one: instances.InstanceFacts) -> InstanceStatus:
    return InstanceStatus(
        id=one.id,
        state=one.state,
        lease_until=one.lease_until,
        channels=one.channels,
        conversations=one.conversations,
    )


def findings(known: Survey, *, waiting: int) -> list[Finding]:
    """Return what is wrong as far as the database tells it.

    Args:
        waiting: Number of conversations that wait for a place on a channel. They are not called uncovered.
    """
    found = []
    if known.given_up is not None:
        facts = _facts("dead", known.dead, "error", _commonest(known.given_up))
        found.append(Finding(code="records_dead", since=known.given_up.since, facts=facts))
    if known.unresolved is not None:
        facts = _facts("unresolved", known.unresolved.count)
        found.append(Finding(code="unresolved", since=known.unresolved.since, facts=facts))
    if known.balance.unaccounted:
        facts = _facts("unaccounted", abs(known.balance.unaccounted))
        found.append(Finding(code="unaccounted", since=known.now, facts=facts))
    if known.set_aside is not None:
        facts = _facts("frames", known.set_aside.count, "reason", known.set_aside.most)
        found.append(Finding(code="frames_set_aside", since=known.set_aside.since, facts=facts))
    if known.uncovered is not None and known.uncovered.count > waiting:
        facts = _facts("uncovered", known.uncovered.count - waiting)
        found.append(Finding(code="uncovered", since=known.uncovered.since, facts=facts))
    if known.lost is not None:
        facts = {"lost": known.lost.count, "orphans": known.lost.orphans}
        found.append(Finding(code="instance_lost", since=known.lost.since, facts=facts))
    return found


def _commonest(dead: Dead) -> str | None:
    """The error that most of them had; of several the first by name, so that all instances say the same."""
    counts: Counter[str] = Counter()
    for (reason, error), count in dead.errors.items():
        counts[shown(reason, error) or ""] += count
    return min(counts, key=lambda one: (-counts[one], one)) or None


def _facts(count: str, number: int, most: str | None = None, text: str | None = None) -> dict[str, int | str]:
    return {count: number} | ({most: text} if most and text else {})
