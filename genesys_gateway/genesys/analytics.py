"""Reads the analytics answer about a conversation: minutes late, but with each session and its after-call work.

Invariant: pure. Data missing from analytics prove nothing: analytics lag behind, and are corrected for days.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from genesys_gateway.genesys.call import BadAnswer, has_user, load, lower, moment, reading, upper
from genesys_gateway.genesys.legs import CustomerLeg, CustomerLegs, Ends, customers, direction
from genesys_gateway.genesys.schemas.conversations import ANALYTICS_AGENT, ANALYTICS_CONVERSATION, ANALYTICS_CUSTOMER
from genesys_gateway.runtime.greenlets import paced


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapupSegment:
    """One period of after-call work; times in epoch milliseconds."""

    started_at: int | None
    #: None while the after-call work goes on
    ended_at: int | None
    code: str | None
    notes: str | None
    queue_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One agent's leg of the conversation in one medium; the live view calls it a communication."""

    id: str
    participant_id: str
    user_id: str
    media_type: str | None
    message_type: str | None
    direction: str | None
    #: the id of the session that it is connected to
    peer_id: str | None
    ends: Ends
    callback_numbers: tuple[str, ...]
    subject: str | None
    #: the first queue named by a segment; a wrap-up segment's own queue takes precedence
    queue_id: str | None
    acw_skipped: bool
    #: the tAcw metrics, one for each wrap-up; milliseconds
    acw_ms: tuple[int, ...]
    #: whether a segment of the talk has no end
    goes_on: bool
    #: the latest end of a segment of the talk; None if none is shown
    talk_ended_at: int | None
    wrapups: tuple[WrapupSegment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """One conversation from ``GET /api/v2/analytics/conversations/details``."""

    conversation_id: str
    #: its end (epoch milliseconds); None if it has none, if no participant was named, or if an agent could not be read:
    #: then the sessions are not complete, and must not pass for the whole conversation
    ended_at: int | None
    #: whether the customer or the bank began it
    originating_direction: str | None = None
    sessions: tuple[Session, ...]
    customer_legs: CustomerLegs = field(default_factory=CustomerLegs)

    @property
    def ended(self) -> bool:
        """Whether the conversation is over for the customer."""
        return self.ended_at is not None

    @property
    def on_the_line(self) -> frozenset[str]:
        """Ids of the participants with a session that goes on; none once the conversation is over."""
        if self.ended:
            return frozenset()
        return frozenset(session.participant_id for session in self.sessions if session.goes_on)

    @property
    def acw_pending(self) -> bool:
        """Whether an agent's after-call work has begun and not ended."""
        return any(_is_pending(session) for session in self.sessions)


def details_from_answer(body: bytes) -> tuple[Details, ...]:
    """Read the bulk answer ``{"conversations": […]}``, or the answer of the call for one conversation.

    A conversation without a usable id is left out, because it can't be assigned to anything. If the answer describes a
    conversation twice and differently, the sessions of both count, but not its end.

    Raises:
        BadAnswer: The body is neither, or none of its conversations can be read.
    """
    with reading(body) as answer:
        return _all_details(answer)


def _all_details(answer: Mapping[str, Any]) -> tuple[Details, ...]:
    if "conversationId" in answer:
        return (_details(answer),)
    items = answer.get("conversations")
    if not answer or (items is None and "conversations" in answer):
        return ()  # Genesys leaves out what is empty
    if not isinstance(items, list):
        raise BadAnswer("the answer has no usable conversations")
    found = tuple(_readable(items))
    if items and not found:
        raise BadAnswer("the answer has no usable conversation")
    return tuple(_one_each(found))


def _readable(items: list[Any]) -> Iterator[Details]:
    for item in items:
        try:
            yield _details(item)
        except BadAnswer:  # one unreadable conversation must not delay the other 49
            continue


def _one_each(found: Iterable[Details]) -> Iterable[Details]:
    each: dict[str, Details] = {}
    for one in found:
        first = each.setdefault(one.conversation_id, one)
        if first != one:
            each[one.conversation_id] = replace(first, ended_at=None, sessions=first.sessions + one.sessions)
    return each.values()


def _details(item: object) -> Details:
    if not isinstance(item, dict):
        raise BadAnswer("the answer has no usable conversation")
    values = load(ANALYTICS_CONVERSATION, item)
    sessions: list[Session] = []
    participants = values["participants"] or ()
    whole = bool(participants)
    for participant in participants:
        if has_user(participant):
            try:
                sessions += _sessions(load(ANALYTICS_AGENT, participant))
            except BadAnswer:
                whole = False
    ended_at = moment(values["conversationEnd"]) if whole else None
    others = [participant for participant in participants if not has_user(participant)]
    return Details(
        conversation_id=values["conversationId"].lower(),
        ended_at=ended_at,
        originating_direction=direction(values["originatingDirection"]),
        sessions=tuple(sessions),
        customer_legs=CustomerLegs(
            tuple(leg for one in customers(others) for leg in _customer_legs(load(ANALYTICS_CUSTOMER, one)))
        ),
    )


def _customer_legs(customer: Mapping[str, Any]) -> Iterator[CustomerLeg]:
    for values in paced(customer["sessions"] or ()):
        yield CustomerLeg(
            id=lower(values["sessionId"]),
            media_type=upper(values["mediaType"]),
            message_type=upper(values["messageType"]),
            direction=direction(values["direction"]),
            ends=_ends(values),
            callback_numbers=values["callbackNumbers"] or (),
        )


def _ends(values: Mapping[str, Any]) -> Ends:
    return Ends(
        ani=values["ani"], dnis=values["dnis"], address_from=values["addressFrom"], address_to=values["addressTo"]
    )


def _sessions(agent: Mapping[str, Any]) -> Iterator[Session]:
    for values in paced(agent["sessions"] or ()):
        segments = values["segments"] or ()
        wrapups = [item for item in segments if _is_wrapup(item)]
        talk_ends = [moment(item["segmentEnd"]) for item in paced(segments) if not _is_wrapup(item)]
        yield Session(
            id=values["sessionId"].lower(),
            participant_id=agent["participantId"].lower(),
            user_id=agent["userId"].lower(),
            media_type=upper(values["mediaType"]),
            message_type=upper(values["messageType"]),
            direction=direction(values["direction"]),
            peer_id=lower(values["peerId"]),
            ends=_ends(values),
            callback_numbers=values["callbackNumbers"] or (),
            subject=_first_of(segments, "subject"),
            queue_id=lower(_first_of(segments, "queueId")),
            acw_skipped=bool(values["acwSkipped"]),
            acw_ms=_acw_ms(values["metrics"] or ()),
            goes_on=None in talk_ends,
            talk_ended_at=max((end for end in talk_ends if end is not None), default=None),
            wrapups=tuple(_wrapup(item) for item in wrapups),
        )


def _is_wrapup(values: Mapping[str, Any]) -> bool:
    return (values["segmentType"] or "").lower() == "wrapup"


def _wrapup(values: Mapping[str, Any]) -> WrapupSegment:
    return WrapupSegment(
        started_at=moment(values["segmentStart"]),
        ended_at=moment(values["segmentEnd"]),
        code=values["wrapUpCode"],
        notes=values["wrapUpNote"],
        queue_id=lower(values["queueId"]),
    )


def _first_of(segments: tuple[Mapping[str, Any], ...], name: str) -> str | None:
    return next((segment[name] for segment in segments if segment[name]), None)


def _acw_ms(metrics: tuple[Mapping[str, Any], ...]) -> tuple[int, ...]:
    return tuple(metric["value"] for metric in metrics if metric["name"] == "tAcw" and metric["value"] is not None)


def _is_pending(session: Session) -> bool:
    return not session.acw_skipped and any(wrapup.ended_at is None for wrapup in session.wrapups)
