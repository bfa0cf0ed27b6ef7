"""What callers send, and what they are answered."""

import re
from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from genesys_gateway.clock import isoformat, parse_iso

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")

DIRECTIONS = ("inbound", "outbound")
MEDIA_TYPES = ("callback", "chat", "cobrowse", "email", "message", "screenshare", "unknown", "video", "voice")


def uuid(text: object) -> str:
    """A UUID in lower case: 8-4-4-4-12 hexadecimal digits and nothing else.

    Raises:
        ValidationError: It is anything else, also what other readers of UUIDs allow (braces, ``urn:``, no dashes).
    """
    if not isinstance(text, str) or not _UUID.fullmatch(text):
        raise ValidationError("Must be a UUID: 8-4-4-4-12 hexadecimal digits.")
    return text.lower()


def _moment(text: object) -> int:
    """Epoch milliseconds of a date and time with its offset from UTC."""
    try:
        at = parse_iso(text) if isinstance(text, str) else None
    except ValueError:
        at = None
    if at is None:
        raise ValidationError("Must be a date and time with its offset from UTC, since 1970 (ISO 8601).")
    return at


def _word(words: tuple[str, ...]) -> Callable[[object], str]:
    """One of these in either case; in upper case, as Genesys's events have them."""

    def read(text: object) -> str:
        if not isinstance(text, str) or text.lower() not in words:
            raise ValidationError(f"Must be one of: {', '.join(words)}; in either case.")
        return text.upper()

    return read


def _of_characters(text: str) -> None:
    """JSON can name halves of characters, which no database and no receiver takes."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError("Must be Unicode text.")


def _read(read: Callable[[object], object], data_key: str | None = None) -> fields.Function:
    return fields.Function(deserialize=read, required=True, data_key=data_key)


def _text(**options: Any) -> fields.String:
    return fields.String(validate=_of_characters, **options)


class SupportInteractionRequest(Schema):
    """Body of ``POST /customers/supportInteraction``."""

    class Meta:
        """Unknown fields are ignored: BOFE may send more than we need."""

        unknown = EXCLUDE

    customer_id = _read(uuid, "customerId")
    interaction_id = _read(uuid, "interactionId")


class _Record(Schema):
    id = fields.String()
    state = fields.String()
    source = fields.String()
    amended = fields.Boolean()


class _TimelineItem(Schema):
    at = fields.Function(lambda item: isoformat(item.at))
    event = fields.String()
    detail = fields.String(allow_none=True)


class SupportInteractionReply(Schema):
    """What is known of an interaction; dumped from a ``ConversationView``."""

    interaction_id = fields.String(data_key="interactionId")
    customer_id = fields.String(data_key="customerId", allow_none=True)
    created_at = fields.Function(lambda view: isoformat(view.created_at), data_key="createdAt")
    state = fields.String()
    outcome = fields.String(allow_none=True)
    records = fields.List(fields.Nested(_Record))
    timeline = fields.List(fields.Nested(_TimelineItem))


class SupportResultRequest(Schema):
    """Body of ``POST /customers/supportResult``: one agent's after-call work, as the old trigger tells of it."""

    class Meta:
        """Unknown fields are ignored: the trigger may send more than we need."""

        unknown = EXCLUDE

    conversation_id = _read(uuid, "conversationId")
    event_time = _read(_moment, "eventTime")
    direction = _read(_word(DIRECTIONS))
    media_type = _read(_word(MEDIA_TYPES), "mediaType")
    ani = _text(required=True)
    subject = _text(allow_none=True)
    wrapup_code = _text(required=True, data_key="wrapupCode")
    user_id = _read(uuid, "userId")


class SupportResultReply(Schema):
    """The record that tells of the after-call work; dumped from a ``Kept``."""

    record_id = fields.String(data_key="recordId")
    state = fields.String()
