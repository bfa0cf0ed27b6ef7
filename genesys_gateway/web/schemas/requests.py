"""Schemas of the requests; ``openapi`` describes the interface with the same schemas."""

import re
from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from genesys_gateway.runtime.clock import parse_iso

UUID_PATTERN = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_UUID = re.compile(UUID_PATTERN)

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_DIRECTIONS = ("inbound", "outbound")
_MEDIA_TYPES = ("callback", "chat", "cobrowse", "email", "message", "screenshare", "unknown", "video", "voice")


def uuid(text: object) -> str:
    """A UUID in lower case: 8-4-4-4-12 hexadecimal digits and nothing else.

    Raises:
        ValidationError: It is anything else. Forms that many parsers accept (braces, ``urn:``, no dashes) count as
            wrong too.
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
    """A reader that takes one of these words in either case, and returns it in upper case, as in Genesys's events."""

    def read(text: object) -> str:
        if not isinstance(text, str) or text.lower() not in words:
            raise ValidationError(f"Must be one of: {', '.join(words)}; in either case.")
        return text.upper()

    return read


def _require_unicode(text: str) -> None:
    """Reject lone surrogates: JSON can express these halves of characters, but databases and receivers reject them."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError("Must be Unicode text.")


class _Text(fields.String):
    """A text without NUL, which becomes U+FFFD as in texts of Genesys: databases of receivers refuse it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return str(super()._deserialize(value, attr, data, **kwargs)).replace("\0", _REPLACEMENT)


def _code(text: object) -> str:
    """A wrap-up code. One that is a UUID is returned in lower case, because it becomes part of a URL."""
    if not isinstance(text, str):
        raise ValidationError("Not a valid string.")
    _require_unicode(text)
    return text.lower() if _UUID.fullmatch(text) else text.replace("\0", _REPLACEMENT)


def _field(read: Callable[[object], object], data_key: str, **json_schema: Any) -> fields.Function:
    """A required string field.

    Args:
        read: Returns the value from what the JSON holds; raises ValidationError.
        data_key: The field's name in JSON.
        json_schema: Describes the values, in keywords of JSON Schema.
    """
    metadata = {"type": "string"} | json_schema
    return fields.Function(deserialize=read, required=True, data_key=data_key, metadata=metadata)


def _id(data_key: str, description: str) -> fields.Function:
    return _field(uuid, data_key, format="uuid", pattern=f"^{UUID_PATTERN}$", description=description)


def _one_of(words: tuple[str, ...], data_key: str, description: str) -> fields.Function:
    both = [*words, *(word.upper() for word in words)]
    return _field(_word(words), data_key, enum=both, description=f"{description} In upper or lower case.")


def _text(description: str, **options: Any) -> fields.String:
    return _Text(validate=_require_unicode, metadata={"description": description}, **options)


class SupportInteractionRequest(Schema):
    """Body of ``POST /customers/supportInteraction``."""

    class Meta:
        """Unknown fields are ignored: BOFE may send more than is needed."""

        unknown = EXCLUDE

    customer_id = _id("customerId", "The bank's customer.")
    interaction_id = _id("interactionId", "The interaction: the conversation's id at Genesys Cloud.")


class SupportResultRequest(Schema):
    """Body of ``POST /customers/supportResult``: one agent's after-call work, as the older trigger reports it."""

    class Meta:
        """Unknown fields are ignored: the trigger may send more than is needed."""

        unknown = EXCLUDE

    conversation_id = _id("conversationId", "The conversation at Genesys Cloud.")
    event_time = _field(
        _moment,
        "eventTime",
        format="date-time",
        pattern="^(19[7-9]|[2-9][0-9]{2})[0-9]-",
        description="When the after-call work ended; with an offset from UTC.",
    )
    direction = _one_of(_DIRECTIONS, "direction", "Whether the customer (inbound) or the bank began the conversation.")
    media_type = _one_of(_MEDIA_TYPES, "mediaType", "The medium of the conversation.")
    ani = _text("The customer's number or address, whichever the direction.", required=True)
    subject = _text("Becomes the title of the record.", allow_none=True)
    wrapup_code = _field(_code, "wrapupCode", description="A UUID, or a system code such as ININ-WRAP-UP-TIMEOUT.")
    user_id = _id("userId", "The agent.")
