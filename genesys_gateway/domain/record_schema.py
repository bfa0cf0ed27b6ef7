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
        source: Where it comes from, for docs/record.md.
        fits: Returns something true for a text that fits; by default any text that is not empty.
        kind: The same in words.
        or_null: Whether null is valid, too.
    """

    def __init__(
        self, source: str, fits: Callable[[str], object] = len, kind: str = "text", *, or_null: bool = False
    ) -> None:
        super().__init__(required=True, allow_none=or_null, metadata={"source": source, "kind": kind})
        self._fits = fits

    def deserialize(self, value: Any, *_: object, **__: object) -> Any:
        valid = self._fits(value) if isinstance(value, str) else value is None and self.allow_none
        if not valid:
            raise ValidationError("Not valid.")
        return value


def _one_of(source: str, *valid: str) -> _Text:
    return _Text(source, frozenset(valid).__contains__, ", ".join(f"`{one}`" for one in valid))


def _id(source: str, *, or_null: bool = False) -> _Text:
    return _Text(source, _ID, "UUID in lower case", or_null=or_null)


def _maybe(source: str) -> _Text:
    return _Text(source, or_null=True)


class RecordBody(Schema):
    """The part that is specific to after-call work. Every field is present, and null if unknown."""

    class Meta:
        """Unknown fields are mistakes, like missing ones."""

        unknown = RAISE

    agentId = _maybe("id of the agent's user at Genesys")
    agentName = _maybe("name of that user, asked for at Genesys before the first attempt")
    wrapUpCode = _maybe("id of the wrap-up code, or a text of Genesys such as `ININ-WRAP-UP-TIMEOUT`")
    wrapUpName = _maybe("name of the wrap-up code, asked for like the agent's")
    wrapUpNotes = _maybe("what the agent noted")
    afterCallWorkMs = fields.Integer(
        required=True,
        allow_none=True,
        strict=True,
        validate=validate.Range(min=0),
        metadata={"source": "how long the after-call work took", "kind": "milliseconds"},
    )
    mediaType = _maybe("media type at Genesys; null for `UNKNOWN`")
    messageType = _maybe("type of the message at Genesys; null for `UNKNOWN`, and for all that is no message")
    queueId = _maybe("id of the queue")
    participantId = _maybe("id of the agent's participant in the conversation")
    sessionId = _maybe("id of the agent's session (leg)")
    eventSource = _one_of(
        "how the gateway learnt of it: by a notification, by asking Genesys, or by the trigger's call",
        "live",
        "backfill",
        "supportResult",
    )


class CommunicationRecord(Schema):
    """One communication between bank and customer."""

    class Meta:
        """Unknown fields are mistakes, like missing ones."""

        unknown = RAISE

    id = _id("computed from conversation, participant and session, or agent and time: the same for ever")
    direction = _one_of(
        "direction of the conversation; `INBOUND` unless Genesys says `OUTBOUND`", "INBOUND", "OUTBOUND"
    )
    communicatedAt = _Text(
        "time of the event; if it has none, when the gateway got it", _MOMENT, "UTC, as `2026-11-22T18:42:42.197Z`"
    )
    source = _one_of("always the same", "GENESYS")
    channel = _one_of("[media type](#channel)", *_CHANNELS)
    domain = _Text("`GATEWAY_DOMAIN_BY_QUEUE`; `OTHER` for a queue that it does not name")
    customerId = _id("the customer for whom BOFE registered the conversation by the first attempt", or_null=True)
    customerHandle = _maybe(
        "the customer's number or address: phone numbers as E.164, with `GATEWAY_DEFAULT_COUNTRY` where they have no"
        " country code; of others the address without scheme and host"
    )
    interactionId = _id("id of the conversation at Genesys, which BOFE calls interaction")
    purpose = _Text("name of the wrap-up code, else its id, else `Unspecified`")
    title = _Text("subject of the conversation; without one, direction, media type and the agent's name")
    body = fields.Nested(RecordBody, required=True, metadata={"source": "see [below](#body)", "kind": "object"})


#: Built once, because building it costs more than a check.
_RECORD = CommunicationRecord()


def mistakes(record: Mapping[str, object]) -> tuple[str, ...]:
    """The sorted names of invalid fields, never their values; empty if the record may be sent."""
    found = _RECORD.validate(record)
    return tuple(sorted(map(str, found)))
