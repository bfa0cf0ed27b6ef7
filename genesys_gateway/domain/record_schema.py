"""The schema of a communication record, checked before it is sent to CommunicationHistory.

Invariant: an invalid record is never sent. The cause is a mistake in the code or in the data, so another attempt would
fail as well.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z").fullmatch

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


class _Text(fields.Field[str]):
    """A text that fits a rule, checked in one step: a record has 23, and each of marshmallow's own takes five steps.

    Args:
        fits: Returns something true for a text that fits; by default any text that is not empty.
        or_null: Whether null is valid, too.
    """

    def __init__(self, fits: Callable[[str], object] = len, *, or_null: bool = False) -> None:
        super().__init__(required=True, allow_none=or_null)
        self._fits = fits

    def deserialize(self, value: Any, *_: object, **__: object) -> Any:
        valid = self._fits(value) if isinstance(value, str) else value is None and self.allow_none
        if not valid:
            raise ValidationError("Not valid.")
        return value


def _one_of(*valid: str) -> _Text:
    return _Text(frozenset(valid).__contains__)


class RecordBody(Schema):
    """The part that is specific to after-call work. Every field is present, and null if unknown."""

    class Meta:
        """Unknown fields are mistakes, like missing ones."""

        unknown = RAISE

    agentId = _Text(or_null=True)
    agentName = _Text(or_null=True)
    wrapUpCode = _Text(or_null=True)
    wrapUpName = _Text(or_null=True)
    wrapUpNotes = _Text(or_null=True)
    afterCallWorkMs = fields.Integer(required=True, allow_none=True, strict=True, validate=validate.Range(min=0))
    mediaType = _Text(or_null=True)
    messageType = _Text(or_null=True)
    queueId = _Text(or_null=True)
    participantId = _Text(or_null=True)
    sessionId = _Text(or_null=True)
    eventSource = _one_of("live", "backfill", "supportResult")


class CommunicationRecord(Schema):
    """One communication between bank and customer."""

    class Meta:
        """Unknown fields are mistakes, like missing ones."""

        unknown = RAISE

    id = _Text(_ID)
    direction = _one_of("INBOUND", "OUTBOUND")
    communicatedAt = _Text(_MOMENT)
    source = _one_of("GENESYS")
    channel = _one_of(*_CHANNELS)
    domain = _Text()
    customerId = _Text(_ID, or_null=True)
    customerHandle = _Text(or_null=True)
    interactionId = _Text(_ID)
    purpose = _Text()
    title = _Text()
    body = fields.Nested(RecordBody, required=True)


#: Built once, because building it costs more than a check.
_RECORD = CommunicationRecord()


def mistakes(record: Mapping[str, object]) -> tuple[str, ...]:
    """The sorted names of invalid fields, never their values; empty if the record may be sent."""
    found = _RECORD.validate(record)
    return tuple(sorted(map(str, found)))
