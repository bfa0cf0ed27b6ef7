"""The body of an after-call-work notification. As in Genesys's own schema, every field is optional.

Invariant: only a field that identifies the after-call work can make a notification unreadable; the caller drops any
other wrong field and reports its name.
"""

import re
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from genesys_gateway.runtime.clock import LAST_MOMENT

#: The fields that identify the after-call work.
IDENTITY_FIELDS = frozenset({"conversationId", "participantId", "sessionId"})

#: Maximum number of callback numbers; real events have fewer. Each takes 3 µs, during which no other greenlet runs.
_MOST_NUMBERS = 100
_IDENTIFIER = validate.Regexp(re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z"), error="Not an identifier.")


def _whole(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValidationError("Not a whole number.")


class _Millis(fields.Integer):
    """Milliseconds as a JSON integer; a bool, a float or a text is an error."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> int:
        _whole(value)
        return int(super()._deserialize(value, attr, data, **kwargs))


class _Numbers(fields.List[str]):
    """A short list of texts; a long one fails before its items are checked."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> list[str | None]:
        if isinstance(value, list) and len(value) > _MOST_NUMBERS:
            raise ValidationError("Too many.")
        return super()._deserialize(value, attr, data, **kwargs)


def _text(length: int = 20_000) -> fields.String:
    return fields.String(allow_none=True, validate=validate.Length(max=length))


class _Identifier(fields.String):
    """An id; an empty text is as good as an absent one."""

    def deserialize(self, value: object, *args: Any, **kwargs: Any) -> Any:
        return super().deserialize(None if value == "" else value, *args, **kwargs)


def _identifier() -> fields.String:
    return _Identifier(allow_none=True, validate=_IDENTIFIER)


class AcwBody(Schema):
    """``eventBody`` of ``v2.detail.events.conversation.{id}.acw``; the fields are those of the official SDK's model."""

    class Meta:
        """Genesys may add fields at any time."""

        unknown = EXCLUDE

    conversationId = _identifier()
    participantId = _identifier()
    sessionId = _identifier()
    userId = _identifier()
    queueId = _identifier()
    eventTime = _Millis(allow_none=True, validate=validate.Range(min=0, max=LAST_MOMENT))
    mediaType = _text(64)
    messageType = _text(64)
    direction = _text(64)
    ani = _text(500)
    dnis = _text(500)
    addressTo = _text(500)
    addressFrom = _text(500)
    callbackNumbers = _Numbers(fields.String(validate=validate.Length(max=500)), allow_none=True)
    subject = _text()
    wrapupCode = _text(200)
    wrapupNotes = _text()
    wrapupDurationMs = _Millis(allow_none=True, validate=validate.Range(min=0, max=LAST_MOMENT))


#: One schema for the whole process: building one takes more than half as long as loading an event.
ACW_BODY = AcwBody()
