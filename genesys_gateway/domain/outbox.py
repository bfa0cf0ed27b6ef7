"""What an attempt to deliver an entry came to, and what follows from it.

Law: pure. Whether the receiver may have stored the record is never guessed: an attempt whose outcome nobody knows
leaves the entry *in doubt*, and then the receiver is asked before anything is sent again.
"""

from dataclasses import dataclass

TRIED_TOO_LONG = "tried for too long"

INVALID = "not a valid record"

UNREADABLE = "stored event can't be read"

#: Followed by the receiver's answer.
REFUSED_WITH = "refused with "


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One after-call work on its way, as it stands on disk."""

    id: str
    conversation_id: str
    #: the event as JSON; None once erased
    content: str | None
    #: live, backfill or supportResult
    source: str
    #: epoch milliseconds, both
    stored_at: int
    next_at: int
    #: number of the latest claim
    claim: int
    #: attempts begun
    attempt: int
    #: whether the receiver may have it already
    in_doubt: bool
    #: what was known at the first attempt, as JSON
    known: str | None
    #: sum of the waits so far
    waited_ms: int
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """It is in communication history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """Another attempt is due."""

    after_ms: int
    #: how much of the wait counts towards giving up
    counted_ms: int
    in_doubt: bool
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """It is dead until somebody requeues it."""

    #: one of a few texts: dead entries are requeued by it
    reason: str
    in_doubt: bool
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBegun:
    """It was claimed, but nothing was sent: as if it had never been claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """Names for an entry's first attempt could not be told yet."""

    entry: Entry
    wait_ms: int
    #: by how much its patience is used up, the wait included
    spent_ms: int


Decision = Delivered | TryAgain | GiveUp | NotBegun
