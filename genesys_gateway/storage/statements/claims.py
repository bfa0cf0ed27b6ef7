"""Statements that claim entries of the outbox for an attempt, and store how attempts ended.

Invariant: a claim increments the entry's number, and a conclusion must carry that number. If the number has changed,
another process has taken over, and the conclusion changes nothing. Nothing here waits for a lock (ADR 0025): what
another transaction has locked is left out, and :func:`unchanged` tells it from what was changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from genesys_gateway.domain.outbox import Decision, Delivered, Entry, GiveUp, NotBegun, TryAgain
from genesys_gateway.domain.record import FirstAttemptFacts
from genesys_gateway.storage.many_rows import is_among, update_all
from genesys_gateway.storage.statements import timeline
from genesys_gateway.storage.statements.outbox import DEAD, DELIVERED, PENDING, UNCLAIMED
from genesys_gateway.storage.tables import conversation, entry

_table = entry.c

#: Number of attempts after which a failure is noted in the timeline only if it differs from the previous one.
_NOTED_ATTEMPTS = 10
#: Maximum length of a stored error or reason, in characters.
_ERROR_LENGTH = 200

_AMONG = is_among(_table.id, "ids")

_EXISTING = select(conversation.c.id).where(is_among(conversation.c.id, "ids"))
#: A re-pairing, which locks its conversation FOR UPDATE, conflicts with this lock, but no event and no cover does.
_CUSTOMERS = _EXISTING.add_columns(conversation.c.customer_id).with_for_update(
    read=True, key_share=True, skip_locked=True
)
# The next two do not filter by state: SQLite would then scan all pending entries instead of looking up a few ids.
_FREE = (
    select(_table.id, _table.state, _table.claim, _table.claimed_by, _table.source)
    .where(_AMONG, UNCLAIMED)
    .with_for_update(skip_locked=True)
)
_PENDING = select(_table.id, _table.state, _table.claim).where(_AMONG)
_FREE_PENDING = _PENDING.with_for_update(skip_locked=True)


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
    def ids(self) -> dict[str, str | int]:
        """The fields of a log line about it."""
        return {"record": self.entry.id, "conversation": self.entry.conversation_id, "attempt": self.attempt}

    @property
    def known(self) -> FirstAttemptFacts:
        """Names and customer. Read only for the attempt, so that a row that can't be read stops no round.

        Raises:
            ValueError: What an earlier attempt stored is no JSON.
            TypeError: It is no object.
        """
        return FirstAttemptFacts.from_json(self.known_json)


def claim(connection: Connection, wanted: Sequence[ReadyEntry], *, owner: str, now: int, lease_ms: int) -> list[Claim]:
    """Begin an attempt for each entry. Entries that were claimed, concluded or changed meanwhile are left out.

    So are those that another transaction has locked, or whose conversations it has: see :func:`unchanged`.

    From now on the outcome counts as unknown until :func:`conclude` writes it, even if this process dies.
    """
    # Lock the conversations before the entries. A re-pairing locks the conversation as well, and then looks for
    # attempts that have begun, so one of the two sees what the other did.
    conversations = sorted({one.entry.conversation_id for one in wanted})
    customers = {row.id: row.customer_id for row in connection.execute(_CUSTOMERS, {"ids": conversations})}
    locked = _locked(connection, [one for one in conversations if one not in customers])
    wanted = [one for one in wanted if one.entry.conversation_id not in locked]
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
    update_all(connection, entry, [_claim_values(one, owner, now + lease_ms) for one in claims])
    return claims


def _locked(connection: Connection, conversation_ids: Sequence[str]) -> set[str]:
    """Those that have a row: of conversations whose row could not be locked, the others were never registered."""
    if not conversation_ids or connection.dialect.name != "postgresql":
        return set()
    return set(connection.execute(_EXISTING, {"ids": conversation_ids}).scalars())


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
        "id": claim.entry.id,
        "claim": claim.number,
        "claimed_by": owner,
        "claimed_until": until,
        "attempt": claim.attempt,
        "names": claim.known_json,
        # Before the first attempt the entry waited for names. Only waits between attempts count towards giving up.
        "waited_ms": claim.entry.waited_ms if claim.entry.attempt else 0,
        "in_doubt": True,
    }


def conclude(connection: Connection, results: Sequence[tuple[Claim, Decision]], *, now: int) -> list[str]:
    """Store how attempts ended, and note it in the timelines.

    Returns:
        The ids of entries for which nothing was stored: the claim was no longer valid, or another transaction has
        locked the entry, see :func:`unchanged`.
    """
    ids = [claim.entry.id for claim, _ in results]
    held = {row.id: row.claim for row in connection.execute(_FREE_PENDING, {"ids": ids}) if row.state == PENDING}
    valid = [(claim, decision) for claim, decision in results if held.get(claim.entry.id) == claim.number]
    update_all(connection, entry, [_conclusion_values(claim, decision, now) for claim, decision in valid])
    timeline.note_rows(connection, [line for one, decision in valid if (line := _line(one, decision, now))])
    return [claim.entry.id for claim, _ in results if held.get(claim.entry.id) != claim.number]


def unchanged(connection: Connection, claims: Mapping[str, int]) -> set[str]:
    """Return which of these entries, given with the number of their claim, are pending under this number still.

    If one of them was left out, another transaction has locked it: try again later. Never so on SQLite.
    """
    if not claims or connection.dialect.name != "postgresql":
        return set()
    rows = connection.execute(_PENDING, {"ids": list(claims)})
    return {row.id for row in rows if (row.state, row.claim) == (PENDING, claims[row.id])}


def _conclusion_values(claim: Claim, decision: Decision, now: int) -> dict[str, Any]:
    was = claim.entry
    row: dict[str, Any] = {
        "id": was.id,
        "state": PENDING,
        "reason": None,
        "attempt": claim.attempt,
        "in_doubt": False,
        "names": claim.known_json,
        "next_at": was.next_at,
        "waited_ms": was.waited_ms if was.attempt else 0,
        "last_error": was.last_error,
        "delivered_at": None,
        "claimed_by": None,
        "claimed_until": None,
    }
    match decision:
        case Delivered():
            return row | {"state": DELIVERED, "delivered_at": now, "last_error": None}
        case TryAgain():
            waited = row["waited_ms"] + decision.counted_ms
            again = {"next_at": now + decision.after_ms, "waited_ms": waited, "in_doubt": decision.in_doubt}
            return row | again | {"last_error": _cut(decision.error)}
        case GiveUp():
            dead = {"state": DEAD, "reason": _cut(decision.reason), "in_doubt": decision.in_doubt}
            return row | dead | {"last_error": _cut(decision.error)}
        case NotBegun():
            before = {"attempt": was.attempt, "in_doubt": was.in_doubt, "names": was.known, "waited_ms": was.waited_ms}
            return row | before


def _line(claim: Claim, decision: Decision, now: int) -> dict[str, Any] | None:
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
    return timeline.line(was.conversation_id, now, event, detail)


def _cut(text: str) -> str:
    return text[:_ERROR_LENGTH]
