"""Explains in sentences what state a conversation is in, why, and what it waits for.

Invariant: pure, and its input holds nothing personal: no customer, no numbers, no names, no notes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from genesys_gateway.runtime.clock import isoformat
from genesys_gateway.storage.statements.inspection import ConversationFacts, RecordFacts
from genesys_gateway.storage.statements.timeline import TimelineItem

#: How long an entry may be due before it is called overdue, in milliseconds; several leases.
_OVERDUE_MS = 60_000

_OUTCOMES = {
    "logged": "logged: there is at least one record",
    "no_acw": "no after-call work: it ended, and no agent had any",
    "unresolved": "unresolved: its deadline passed, and no record was found",
}

#: What each event of a timeline means; its detail is appended.
EVENTS = {
    "registered": "registered by BOFE",
    "re_paired": "paired with another customer",
    "subscribed": "covered: Genesys confirmed its topic on an open socket",
    "uncovered": "no longer covered: its socket or its gateway was lost",
    "rejected": "Genesys refused its topic",
    "event_stored": "an after-call work was reported and stored: record",
    "backfilled": "an after-call work was found by asking Genesys: record",
    "amended": "the same after-call work arrived with other content, which is kept but not sent: record",
    "attempt_failed": "an attempt to deliver failed: record",
    "delivered": "delivered to CommunicationHistory: record",
    "dead": "given up: record",
    "requeued": "requeued, to be delivered again: record",
    "late_event": "it arrived after the close: record",
    "unknown_to_genesys": "Genesys has not known it for a long time (by default an hour)",
    "closed": "closed, no longer followed:",
    "followed_again": "followed again: it was registered again, or was not over after its release",
    "revealed": "its personal content was shown to an operator: record",
    "released": "its topic was given back: it is over by the newest answer, and the last proof is awaited",
    "erased": "personal content erased: record",
}
#: The last word of those that are about a record: the detail begins with its id, and says more after a blank.
_RECORD = "record"
#: What stands between the two; for all others a colon.
_BEFORE_MORE = {"revealed": ", by ", "requeued": ", "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Sentences about one conversation, in the order in which they should be read."""

    state: str
    coverage: str
    owner: str
    customer: str
    awaited: tuple[str, ...]
    #: one for each record, in the order of the facts
    records: tuple[str, ...]
    #: one for each line of the timeline
    timeline: tuple[str, ...]


def explain(facts: ConversationFacts) -> Explanation:
    """Explain state, coverage, customer, open waits, each record and each event of the timeline."""
    return Explanation(
        state=_state(facts),
        coverage=_coverage(facts),
        owner=_owner(facts),
        customer=_customer(facts),
        awaited=tuple(_awaited(facts)),
        records=tuple(_record(one, facts) for one in facts.records),
        timeline=tuple(event_in_words(item) for item in facts.timeline),
    )


def event_in_words(item: TimelineItem) -> str:
    """One event of a timeline in words; an event unknown to this version by its own name."""
    if item.event == "erased" and item.detail is None:
        return "its customer was erased"
    text = EVENTS.get(item.event, item.event)
    if not text.endswith(_RECORD):
        return " ".join(filter(None, [text, item.detail]))
    record, _, more = (item.detail or "").partition(" ")
    told = f"{text} {record}".rstrip()
    return f"{told}{_BEFORE_MORE.get(item.event, ': ')}{more}" if more else told


def moment(at: int, now: int) -> str:
    """A time with its distance from now: ``2026-11-22T10:00:00.000Z (in 12 s)``; both in epoch milliseconds."""
    distance = _duration(abs(at - now))
    return f"{isoformat(at)} ({f'in {distance}' if at > now else f'{distance} ago'})"


def _duration(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _state(facts: ConversationFacts) -> str:
    if facts.state != "closed":
        return f"Followed since {moment(facts.created_at, facts.now)}."
    closed_at = facts.created_at if facts.closed_at is None else facts.closed_at
    return f"Closed {moment(closed_at, facts.now)} as {_OUTCOMES.get(facts.outcome or '', facts.outcome)}."


def _coverage(facts: ConversationFacts) -> str:
    if facts.state == "closed":
        return "No channel is subscribed to it now; an event that still arrives is stored and delivered."
    if facts.state == "subscribed" and facts.owner_lives:
        since = "" if facts.covered_at is None else f" since {moment(facts.covered_at, facts.now)}"
        return f"Covered{since} by channel {facts.channel_id}{_channel_end(facts)}."
    if facts.state == "subscribed":
        return (
            f"It was covered by channel {facts.channel_id}, whose gateway has ended or is in doubt: it is not certain"
            " that a socket receives its events now."
        )
    if facts.released_at is not None:
        return (
            f"Released {moment(facts.released_at, facts.now)}: it is over by the newest answer of Genesys, so its topic"
            " was given back for others. It is followed until a later answer proves the end."
        )
    since_at = facts.created_at if facts.uncovered_since is None else facts.uncovered_since
    return f"Not covered since {moment(since_at, facts.now)}: Genesys is asked about it over REST instead."


def _channel_end(facts: ConversationFacts) -> str:
    if facts.channel_expires_at is None:
        return ""
    return f", whose topics are handed over before {isoformat(facts.channel_expires_at)}"


def _owner(facts: ConversationFacts) -> str:
    if facts.state == "closed":
        return "No instance owns it any more."
    if facts.owner is None or facts.owner_lease_until is None:
        return f"Its owner is gone: {_adopts(facts)}."
    lease = moment(facts.owner_lease_until, facts.now)
    if facts.owner_lease_until <= facts.now:
        return f"Its owner, instance {facts.owner}, is lost: its lease ended {lease}. {_adopts(facts).capitalize()}."
    if not facts.owner_lives:
        return (
            f"Its owner, instance {facts.owner}, is in doubt: it is late in renewing its lease, or its process is gone."
            f" Its lease ends {lease}; then {_adopts(facts)}."
        )
    if facts.owner_draining_at is not None:
        return f"Owned by instance {facts.owner}, which is stopping: {_adopts(facts)}."
    if facts.offered_at is not None:
        return (
            f"Owned by instance {facts.owner}, which has no place for its topic and has offered it to the others since"
            f" {moment(facts.offered_at, facts.now)}."
        )
    return f"Owned by instance {facts.owner}, whose lease lasts until {lease}."


def _adopts(facts: ConversationFacts) -> str:
    if facts.next_owner is not None:
        return f"instance {facts.next_owner} takes it over"
    if facts.gateway_lives:
        return "another instance takes it over"
    return "the next instance that starts takes it over"


def _customer(facts: ConversationFacts) -> str:
    if facts.paired:
        return "Paired with a customer."
    when = "" if facts.erased_at is None else f" {moment(facts.erased_at, facts.now)}"
    return f"Its customer was erased{when}."


def _awaited(facts: ConversationFacts) -> Iterator[str]:
    undelivered = sum(one.state == "pending" for one in facts.records)
    followed = facts.state != "closed"
    if not facts.gateway_lives and (followed or undelivered):
        yield "A gateway: none runs on this database now, and nothing happens until one is started."
    if followed:
        yield from _awaited_of_genesys(facts)
    elif facts.last_look_at is not None:
        yield f"The last look: Genesys is asked once more {moment(facts.last_look_at, facts.now)}."
    if undelivered:
        yield f"CommunicationHistory: {undelivered} of {len(facts.records)} records still to be delivered, see there."
    for one in facts.records:
        if one.state == "dead" and one.erased_at is None:
            command = f"dead-letters requeue {one.id}"
            yield f"A person: a record was given up. Have the cause fixed, then requeue it (command: {command})."


def _awaited_of_genesys(facts: ConversationFacts) -> Iterator[str]:
    if facts.state == "pending" and facts.released_at is None:
        yield "A channel with a free place for its topic, and Genesys's confirmation."
    if facts.in_doubt and facts.released_at is None:
        yield "An answer of Genesys that shows what happened while it was not covered; it is asked often until then."
    if facts.unknown_since is not None:
        yield f"Genesys to know it: its answer has been 404 since {moment(facts.unknown_since, facts.now)}."
    if facts.due_at is not None:
        yield f"The next question to Genesys whether it is over: {moment(facts.due_at, facts.now)}."
    yield f"At the latest its deadline, {moment(facts.deadline_at, facts.now)}, and an answer of Genesys after it."


def _record(one: RecordFacts, facts: ConversationFacts) -> str:
    match one.state:
        case "delivered":
            text = "In CommunicationHistory"
            text += "" if one.delivered_at is None else f" since {moment(one.delivered_at, facts.now)}"
        case "dead":
            known = one.last_error is not None and one.last_error in (one.reason or "")
            text = f"Given up after {_attempts(one.attempt)}: {one.reason}{'' if known else _last_error(one)}"
            text += "; CommunicationHistory may have it all the same" if one.in_doubt else ""
        case _:
            text = _waiting(one, facts.now)
    amended = "; other content came later and is kept, not sent" if one.amended else ""
    erased = "" if one.erased_at is None else "; its personal content is erased"
    return f"{text}{amended}{erased}."


def _waiting(one: RecordFacts, now: int) -> str:
    if one.claimed_until is not None and one.claimed_until > now:
        return f"Attempt {one.attempt} is under way"
    if one.claimed:
        text = f"Attempt {one.attempt} was begun by a gateway that ended in the middle of it"
    elif one.attempt:
        text = f"Waits after {_attempts(one.attempt)}{_last_error(one)}"
    elif one.next_at > now:
        text = "Waits for the names of its agent and wrap-up code"
    else:
        text = "Waits for its first attempt"
    return f"{text}; due {moment(one.next_at, now)}{_doubt(one)}{_overdue(one, now)}"


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def _last_error(one: RecordFacts) -> str:
    return f" (last error: {one.last_error})" if one.last_error else ""


def _doubt(one: RecordFacts) -> str:
    return "; CommunicationHistory may have it already, so it is asked first" if one.in_doubt else ""


def _overdue(one: RecordFacts, now: int) -> str:
    if now - one.next_at < _OVERDUE_MS:
        return ""
    return "; overdue: deliveries are stopped by the circuit breaker (delivery_lane in the log) or many records wait"
