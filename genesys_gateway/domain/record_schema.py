"""The schema of a communication record, checked before it is sent to CommunicationHistory.

Invariant: an invalid record is never sent. The cause is a mistake in the code or in the data, so another attempt would
fail as well.
"""

from collections.abc import Mapping

from marshmallow import RAISE, Schema, fields, validate

_ID = validate.Regexp(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", error="Not a UUID in lower case.")
_MOMENT = validate.Regexp(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z", error="Not a UTC time in milliseconds.")
_FILLED = validate.Length(min=1)

_CHANNELS = (
    "VOICE",
    "EMAIL",
    "CHAT",
    "SMS",
    "APP_CHAT",
    "SOCIAL_MEDIA",
    "VIDEO",
    "COBROWSE",
    "SCREENSHARE",
    "OTHER",
)


def _text(*validators: validate.Validator) -> fields.String:
    return fields.String(required=True, validate=validators)


def _maybe(*validators: validate.Validator) -> fields.String:
    return fields.String(required=True, allow_none=True, validate=validators)


class RecordBody(Schema):
    """The part that is specific to after-call work. Every field is present, and null if unknown."""

    class Meta:
        """Unknown fields are mistakes, like missing ones."""

        unknown = RAISE

    agentId = _maybe(_FILLED)
    agentName = _maybe(_FILLED)
    wrapUpCode = _maybe(_FILLED)
    wrapUpName = _maybe(_FILLED)
    wrapUpNotes = _maybe()
    afterCallWorkMs = fields.Integer(required=True, allow_none=True, strict=True, validate=validate.Range(min=0))
    mediaType = _maybe()
    messageType = _maybe()
    queueId = _maybe(_FILLED)
    participantId = _maybe(_FILLED)
    sessionId = _maybe(_FILLED)
    eventSource = _text(validate.OneOf(("live", "backfill", "supportResult")))


class CommunicationRecord(Schema):
    """One communication between bank and customer."""

    class Meta:
        """Unknown fields are mistakes, like missing ones."""

        unknown = RAISE

    id = _text(_ID)
    direction = _text(validate.OneOf(("INBOUND", "OUTBOUND")))
    communicatedAt = _text(_MOMENT)
    source = _text(validate.Equal("GENESYS"))
    channel = _text(validate.OneOf(_CHANNELS))
    domain = _text(_FILLED)
    customerId = _maybe(_ID)
    customerHandle = _maybe(_FILLED)
    interactionId = _text(_ID)
    purpose = _text(_FILLED)
    title = _text(_FILLED)
    body = fields.Nested(RecordBody, required=True)


#: Built once, because building it costs more than a check.
_RECORD = CommunicationRecord()


def mistakes(record: Mapping[str, object]) -> tuple[str, ...]:
    """The sorted names of invalid fields, never their values; empty if the record may be sent."""
    found = _RECORD.validate(record)
    return tuple(sorted(map(str, found)))
