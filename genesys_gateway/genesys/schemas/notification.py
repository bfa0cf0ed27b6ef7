"""The body of an after-call-work notification, as Genesys publishes it: every field optional.

Law: only what identifies the after-call work may fail; a wrong field elsewhere is dropped and named by the caller.
"""

import re

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from genesys_gateway.runtime.clock import LAST_MOMENT

#: What of the body decides which after-call work this is.
IDENTITY_FIELDS = frozenset({"conversationId", "participantId", "sessionId"})

#: More telephone numbers than anybody has; each costs 3 µs, in which no other greenlet runs.
_MOST_NUMBERS = 100
_IDENTIFIER = validate.Regexp(re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z"), error="Not an identifier.")


def _whole(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValidationError("Not a whole number.")


class _Millis(fields.Integer):
    """Milliseconds as JSON integer; a bool, a float or a text is none."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> int:
        _whole(value)
        return int(super()._deserialize(value, attr, data, **kwargs))


class _Numbers(fields.List[str]):
    """A short list of texts; a long one fails before its items are looked at."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> list[str | None]:
        if isinstance(value, list) and len(value) > _MOST_NUMBERS:
            raise ValidationError("Too many.")
        return super()._deserialize(value, attr, data, **kwargs)


def _text(length: int = 20_000) -> fields.String:
    return fields.String(allow_none=True, validate=validate.Length(max=length))


def _identifier() -> fields.String:
    return fields.String(allow_none=True, validate=_IDENTIFIER)


class AcwBody(Schema):
    """``eventBody`` of ``v2.detail.events.conversation.{id}.acw``; fields as in the official SDK's model."""

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


#: One schema for the whole process: building one costs more than half of what loading an event does.
ACW_BODY = AcwBody()
