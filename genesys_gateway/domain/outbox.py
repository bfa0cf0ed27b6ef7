"""An entry of the outbox, how an attempt to deliver it ended, and the decisions that follow.

Invariant: pure. Whether the receiver may have stored the record is never guessed: an attempt with an unknown outcome
leaves the entry *in doubt*, and then the record is looked up at the receiver before it is sent again.
"""

from dataclasses import dataclass

# Reasons of GiveUp, stored with the dead letter.
TRIED_TOO_LONG = "tried for too long"
INVALID = "not a valid record"
UNREADABLE = "stored event can't be read"
#: Start of a reason; the receiver's answer follows.
REFUSED_WITH = "refused with "


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One after-call work on its way to CommunicationHistory, as the database holds it."""

    id: str
    conversation_id: str
    #: the event as JSON; None after its erasure
    content: str | None
    #: live, backfill or supportResult
    source: str
    #: epoch milliseconds
    stored_at: int
    #: when the next attempt is due, epoch milliseconds
    next_at: int
    #: number of the latest claim
    claim: int
    #: number of attempts begun
    attempt: int
    #: whether the receiver may have the record already
    in_doubt: bool
    #: the :class:`~genesys_gateway.domain.record.FirstAttemptFacts` as JSON (column ``names``); None if not stored yet
    known: str | None
    #: sum of the waits that count: before the first attempt those for names, later those between attempts
    waited_ms: int
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """CommunicationHistory has the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """Another attempt is due."""

    after_ms: int
    #: the part of the wait that counts towards giving up
    counted_ms: int
    in_doubt: bool
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The entry becomes a dead letter, until it is requeued."""

    #: one of a few texts, by which dead letters are selected for requeueing
    reason: str
    in_doubt: bool
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBegun:
    """Nothing was sent: the entry becomes what it was before the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """The names for an entry's first attempt are not known yet; it waits for the next lookup."""

    entry: Entry
    wait_ms: int
    #: time that counts against GATEWAY_NAME_LOOKUP_PATIENCE_SECONDS: the last lookup and this wait
    spent_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """How one attempt ended."""

    record_id: str
    #: why it failed, as the timeline shows it; None if the record was delivered
    error: str | None
    #: whether the receiver's answer made it a dead letter
    dead: bool


Decision = Delivered | TryAgain | GiveUp | NotBegun
