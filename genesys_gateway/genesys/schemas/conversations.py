"""Answers about conversations, reduced to the fields that a record or the end of a conversation depends on.

Invariant: only ids and the lists that hold them can make an answer unreadable. Any other wrong value counts as absent:
Genesys adds fields and values at any time, and none of them may hide a finished after-call work.
"""

import re
from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from genesys_gateway.genesys.schemas.paced_list import PacedList
from genesys_gateway.runtime.greenlets import paced

_IDENTIFIER = validate.Regexp(re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z"), error="Not an identifier.")

#: Maximum lengths of texts in characters, the same as in notifications: a longer text is dropped here as there.
_WORD, _CODE, _ADDRESS, _PROSE = 64, 200, 500, 20_000
#: Longest duration of an after-call work that is read, in seconds: ten years.
_LONGEST = 315_360_000


def _tolerant(read: Callable[[Any], object]) -> fields.Field[Any]:
    """A field that never fails: ``read`` returns None for a value that can't be used."""
    return fields.Function(deserialize=read, allow_none=True, load_default=None)


def _text(longest: int) -> fields.Field[Any]:
    return _tolerant(lambda value: value if isinstance(value, str) and len(value) <= longest else None)


def _texts() -> fields.Field[Any]:
    def read(value: object) -> tuple[str, ...]:
        items = value if isinstance(value, list) else []
        return tuple(item for item in items if isinstance(item, str) and len(item) <= _ADDRESS)

    return _tolerant(read)


def _moment() -> fields.Field[Any]:
    return _text(_WORD)  # ISO 8601; turned into milliseconds by ``call.moment``


def _flag() -> fields.Field[Any]:
    return _tolerant(lambda value: value if isinstance(value, bool) else None)


def _whole(most: int) -> fields.Field[Any]:
    def read(value: object) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        return value if 0 <= value <= most else None

    return _tolerant(read)


def _part(schema: Schema) -> fields.Field[Any]:
    """An object whose fields are all optional; anything but an object counts as absent."""
    return _tolerant(lambda value: schema.load(value) if isinstance(value, dict) else None)


def _parts(schema: Schema) -> fields.Field[Any]:
    """A list of such objects; items that are not objects are left out."""

    def read(value: object) -> list[dict[str, Any]]:
        items = value if isinstance(value, list) else []
        return [schema.load(item) for item in paced(items) if isinstance(item, dict)]

    return _tolerant(read)


def _identifier() -> fields.String:
    return fields.String(required=True, validate=_IDENTIFIER)


def _list_of(schema: type[Schema]) -> fields.List[Any]:
    """A list that may be missing, but whose items must be readable, because they hold ids."""
    return PacedList(fields.Nested(schema), allow_none=True, load_default=None)


class _Answer(Schema):
    class Meta:
        """Genesys may add fields at any time."""

        unknown = EXCLUDE


class AfterCallWork(_Answer):
    """``AfterCallWork`` of one communication."""

    state = _text(_WORD)
    startTime = _moment()
    endTime = _moment()


class Wrapup(_Answer):
    """``Wrapup``, of a participant or of one communication."""

    code = _text(_CODE)
    notes = _text(_PROSE)
    durationSeconds = _whole(_LONGEST)
    endTime = _moment()
    provisional = _flag()


class Address(_Answer):
    """``Address``, one end of a message."""

    addressNormalized = _text(_ADDRESS)
    addressRaw = _text(_ADDRESS)


class Communication(_Answer):
    """``Call``, ``Callback``, ``Chat``, ``Email``, ``Message`` and so on: the common fields and the special ones."""

    id = _identifier()
    peerId = _text(_WORD)
    state = _text(_WORD)
    held = _flag()
    disconnectedTime = _moment()
    direction = _text(_WORD)
    type = _text(_WORD)
    subject = _text(_PROSE)
    callbackNumbers = _texts()
    fromAddress = _part(Address())
    toAddress = _part(Address())
    afterCallWork = _part(AfterCallWork())
    afterCallWorkRequired = _flag()
    wrapup = _part(Wrapup())


class AgentParticipant(_Answer):
    """``Participant`` with a ``userId``."""

    id = _identifier()
    userId = _identifier()
    queueId = _text(_WORD)
    ani = _text(_ADDRESS)
    dnis = _text(_ADDRESS)
    wrapupRequired = _flag()
    wrapupSkipped = _flag()
    wrapup = _part(Wrapup())
    startAcwTime = _moment()
    endAcwTime = _moment()
    calls = _list_of(Communication)
    callbacks = _list_of(Communication)
    chats = _list_of(Communication)
    cobrowsesessions = _list_of(Communication)
    emails = _list_of(Communication)
    messages = _list_of(Communication)
    screenshares = _list_of(Communication)
    socialExpressions = _list_of(Communication)
    videos = _list_of(Communication)


class CustomerLeg(_Answer):
    """A communication of the customer, in any medium. No field of it can fail."""

    id = _text(_WORD)
    direction = _text(_WORD)
    type = _text(_WORD)
    ani = _text(_ADDRESS)
    dnis = _text(_ADDRESS)
    callbackNumbers = _texts()
    fromAddress = _part(Address())
    toAddress = _part(Address())
    self = _part(Address())


class Customer(_Answer):
    """``Participant`` without a ``userId`` who is the customer. No field of it can fail."""

    ani = _text(_ADDRESS)
    dnis = _text(_ADDRESS)
    address = _text(_ADDRESS)
    calls = _parts(CustomerLeg())
    callbacks = _parts(CustomerLeg())
    chats = _parts(CustomerLeg())
    cobrowsesessions = _parts(CustomerLeg())
    emails = _parts(CustomerLeg())
    messages = _parts(CustomerLeg())
    screenshares = _parts(CustomerLeg())
    socialExpressions = _parts(CustomerLeg())
    videos = _parts(CustomerLeg())


class ConversationAnswer(_Answer):
    """``Conversation``; its participants are loaded one by one, with the schema for an agent or for a customer."""

    id = _identifier()
    endTime = _moment()
    participants = PacedList(fields.Dict(), required=True)


class Metric(_Answer):
    """``AnalyticsSessionMetric``."""

    name = _text(_WORD)
    value = _whole(_LONGEST * 1000)


class Segment(_Answer):
    """``AnalyticsConversationSegment``."""

    segmentType = _text(_WORD)
    segmentStart = _moment()
    segmentEnd = _moment()
    wrapUpCode = _text(_CODE)
    wrapUpNote = _text(_PROSE)
    queueId = _text(_WORD)
    subject = _text(_PROSE)


class _AnySession(_Answer):
    """What is read of each ``AnalyticsSession``."""

    mediaType = _text(_WORD)
    messageType = _text(_WORD)
    direction = _text(_WORD)
    ani = _text(_ADDRESS)
    dnis = _text(_ADDRESS)
    addressFrom = _text(_ADDRESS)
    addressTo = _text(_ADDRESS)
    callbackNumbers = _texts()


class Session(_AnySession):
    """``AnalyticsSession`` of an agent."""

    sessionId = _identifier()
    peerId = _text(_WORD)
    acwSkipped = _flag()
    metrics = _parts(Metric())
    segments = _list_of(Segment)


class AnalyticsAgent(_Answer):
    """``AnalyticsParticipantWithoutAttributes`` with a ``userId``."""

    participantId = _identifier()
    userId = _identifier()
    sessions = _list_of(Session)


class CustomerSession(_AnySession):
    """``AnalyticsSession`` of the customer. No field of it can fail."""

    sessionId = _text(_WORD)


class AnalyticsCustomer(_Answer):
    """``AnalyticsParticipantWithoutAttributes`` without a ``userId`` who is the customer. No field of it can fail."""

    sessions = _parts(CustomerSession())


class AnalyticsConversation(_Answer):
    """``AnalyticsConversationWithoutAttributes``; its participants are loaded one by one."""

    conversationId = _identifier()
    conversationEnd = _moment()
    originatingDirection = _text(_WORD)
    participants = PacedList(fields.Dict(), allow_none=True, load_default=None)


#: One schema of each kind for the whole process: building one takes as long as loading several answers.
CONVERSATION = ConversationAnswer()
AGENT_PARTICIPANT = AgentParticipant()
CUSTOMER = Customer()
CUSTOMER_LEG = CustomerLeg()
ANALYTICS_CONVERSATION = AnalyticsConversation()
ANALYTICS_AGENT = AnalyticsAgent()
ANALYTICS_CUSTOMER = AnalyticsCustomer()
