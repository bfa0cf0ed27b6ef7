"""Turns a WebSocket frame, whatever it holds, into a frozen notification.

Invariant: no frame raises an error. No JSON of Genesys leaves this module: letter case, times and optional fields are
normalised, and a frame that can't be read becomes :class:`Unreadable` with a reason.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from genesys_gateway.domain.after_call_work import Acw, AcwEvent, Unreadable
from genesys_gateway.genesys.call import lower, upper
from genesys_gateway.genesys.schemas.notification import ACW_BODY, IDENTITY_FIELDS
from genesys_gateway.runtime import foreign_json

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TOPIC_PATTERN = rf"v2\.detail\.events\.conversation\.({_UUID})\.acw"
_ACW_TOPIC = re.compile(_TOPIC_PATTERN, re.IGNORECASE | re.ASCII)
#: What the topic of every system notice begins with.
_SYSTEM = "v2.system."
#: A part of such a topic that is not the id of a channel: an id has a digit or a hyphen.
_WORD = re.compile(r"[a-z_]{1,40}", re.ASCII)
_ACW_TOPIC_IN_BYTES = re.compile(rb'"' + _TOPIC_PATTERN.encode() + rb'"', re.IGNORECASE)

#: The fields that identify an after-call work without participant or session.
_AGENT_IDENTITY = frozenset({"userId", "eventTime"})


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A heartbeat of Genesys, or the answer to our ping: it shows only that the socket is alive."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The server will close this socket for maintenance in about a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoLongerSubscribed:
    """Topics that the server removed from this channel; empty if it does not name them."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """The token that created this channel was revoked; the channel is gone with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherNotice:
    """A system notice that asks nothing of this service, or whose kind it does not know."""

    #: the first words of its topic behind ``v2.system.``, in lower case, without an id; empty if there are none
    kind: str


#: What Genesys says unasked about a channel.
SystemNotice = Closing | NoLongerSubscribed | TokenRevoked | OtherNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a message that we sent over the socket."""

    correlation_id: str | None
    topics: tuple[str, ...]
    #: HTTP-like status as text, "200" for success
    result: str | None
    status: str | None

    @property
    def worked(self) -> bool:
        """Whether the server carried out the request."""
        return self.result == "200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A well-formed notification of a kind this service does not use."""

    topic: str | None


Notification = Acw | Heartbeat | SystemNotice | Reply | Unknown | Unreadable


def acw_topic(conversation_id: str) -> str:
    """The topic of a conversation's after-call work."""
    return f"v2.detail.events.conversation.{conversation_id}.acw"


def conversation_of(topic: str) -> str | None:
    """The id (lower case) of the conversation whose after-call work a topic is about; None for any other topic."""
    match = _ACW_TOPIC.fullmatch(topic)
    return match[1].lower() if match else None


def parse(frame: bytes) -> Notification:
    """Read one text frame. Never raises."""
    try:
        message = foreign_json.read(frame)
    except foreign_json.NotJson:  # for example cut off, or nested too deep
        return _not_json(frame)
    if not isinstance(message, dict):
        return Unreadable(reason="not_an_object")
    topic = message.get("topicName")
    if topic is None:
        return _reply(message)
    if not isinstance(topic, str):
        return Unreadable(reason="bad_topic")
    body = message.get("eventBody")
    conversation_id = conversation_of(topic)
    if conversation_id is not None:
        return _acw(topic, conversation_id, body)
    if topic == "channel.metadata":
        return Heartbeat()
    if topic[: len(_SYSTEM)].lower() == _SYSTEM:
        return _notice(topic[:200].lower(), body if isinstance(body, dict) else {})
    return Unknown(topic=topic[:200])


def _not_json(frame: bytes) -> Unreadable:
    """Find the conversation in a frame that is not JSON.

    With the conversation's id, reconciliation can fetch the after-call work.
    """
    match = _ACW_TOPIC_IN_BYTES.search(frame)
    if match is None:
        return Unreadable(reason="not_json")
    conversation_id = match[1].decode().lower()
    return Unreadable(reason="not_json", topic=acw_topic(conversation_id), conversation_id=conversation_id)


def _notice(topic: str, body: Mapping[str, Any]) -> SystemNotice:
    """Read a system notice. The name of its topic alone says what it is: it concerns the socket on which it comes.

    Neither the id behind the name nor the body is documented. An id that this service does not know could be another
    name of the same channel.
    """
    words = [*takewhile(_WORD.fullmatch, topic.removeprefix(_SYSTEM).split("."))]
    match words:
        case ["socket_closing", *_]:
            return Closing()
        case ["token_revoked", *_]:
            return TokenRevoked()
        case ["no_longer_subscribed", *_]:
            return NoLongerSubscribed(topics=_texts(body.get("topics")) or _texts([body.get("topicName")]))
    return OtherNotice(kind=".".join(words[:2]))


def _reply(message: Mapping[str, Any]) -> Notification:
    result, status, correlation_id = (message.get(name) for name in ("result", "status", "correlationId"))
    if result is None and status is None:
        return Unknown(topic=None)
    return Reply(
        correlation_id=_text_of(correlation_id),
        topics=_texts(message.get("topics")),
        result=_text_of(result),
        status=_text_of(status),
    )


def _acw(topic: str, conversation_id: str, body: object) -> Notification:
    def unreadable(reason: str) -> Unreadable:
        return Unreadable(reason=reason, topic=topic, conversation_id=conversation_id)

    if not isinstance(body, dict):
        return unreadable("no_body")
    values, wrong = ACW_BODY.read(body)
    if wrong & IDENTITY_FIELDS:
        return unreadable("bad_identity")
    if lower(values.get("conversationId")) not in (None, conversation_id):
        return unreadable("other_conversation")
    event = _event(conversation_id, values)
    if wrong & _AGENT_IDENTITY and not event.names_session:
        return unreadable("bad_identity")
    if event.identity is None:
        return unreadable("no_identity")
    return Acw(event=event, dropped=tuple(sorted(wrong)))


def _event(conversation_id: str, values: Mapping[str, Any]) -> AcwEvent:
    return AcwEvent(
        conversation_id=conversation_id,
        participant_id=lower(values.get("participantId")),
        session_id=lower(values.get("sessionId")),
        user_id=lower(values.get("userId")),
        event_time=values.get("eventTime"),
        media_type=upper(values.get("mediaType")),
        message_type=upper(values.get("messageType")),
        direction=upper(values.get("direction")),
        ani=values.get("ani"),
        dnis=values.get("dnis"),
        address_to=values.get("addressTo"),
        address_from=values.get("addressFrom"),
        callback_numbers=tuple(values.get("callbackNumbers") or ()),
        subject=values.get("subject"),
        queue_id=lower(values.get("queueId")),
        wrapup_code=values.get("wrapupCode"),
        wrapup_notes=values.get("wrapupNotes"),
        wrapup_duration_ms=values.get("wrapupDurationMs"),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _text_of(value: object) -> str | None:
    """A field of a reply as text; it may be sent as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)
