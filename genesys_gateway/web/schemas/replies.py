"""What callers are answered; the description of the door (``openapi``) is made of these schemas, too."""

from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from genesys_gateway.runtime.clock import isoformat

#: Everything that can stand in a timeline.
TIMELINE_EVENTS = (
    "registered",
    "re_paired",
    "subscribed",
    "uncovered",
    "rejected",
    "event_stored",
    "backfilled",
    "amended",
    "attempt_failed",
    "delivered",
    "dead",
    "requeued",
    "late_event",
    "unknown_to_genesys",
    "closed",
    "followed_again",
    "erased",
)
_RECORD_STATES = ("pending", "delivered", "dead")


def _moment(read: Callable[[Any], int], **options: Any) -> fields.Function:
    told = {"type": "string", "format": "date-time"}
    return fields.Function(lambda shown: isoformat(read(shown)), required=True, metadata=told, **options)


def _id(description: str, **options: Any) -> fields.String:
    return fields.String(required=True, metadata={"format": "uuid", "description": description}, **options)


def _word(*words: str | None, description: str, **options: Any) -> fields.String:
    # Words are checked in tests only: dumping does not validate.
    one_of = validate.OneOf(words)
    return fields.String(required=True, validate=one_of, metadata={"description": description}, **options)


class _Reply(Schema):
    class Meta:
        """Callers ignore fields that they don't know, so that we may add some."""

        unknown = EXCLUDE


class RecordReply(_Reply):
    """One communication record."""

    id = _id("The record's id at CommunicationHistory.")
    state = _word(*_RECORD_STATES, description="How far it is; a dead one was given up and can be requeued.")
    source = _word("live", "backfill", "supportResult", description="Who told of the after-call work first.")
    amended = fields.Boolean(
        required=True, metadata={"description": "Whether other content came later under the same id; it is not sent."}
    )


class TimelineReply(_Reply):
    """One thing that happened to an interaction."""

    at = _moment(lambda item: int(item.at))
    event = _word(*TIMELINE_EVENTS, description="What happened.")
    detail = fields.String(required=True, allow_none=True)


class SupportInteractionReply(_Reply):
    """What is known of an interaction; dumped from a ``ConversationView``."""

    interaction_id = _id("The interaction.", data_key="interactionId")
    customer_id = _id("The customer; null once erased.", data_key="customerId", allow_none=True)
    created_at = _moment(lambda view: int(view.created_at), data_key="createdAt")
    state = _word(
        "pending",
        "subscribed",
        "closed",
        description="subscribed: an open socket listens for it now; pending: followed, but not so; closed: followed no"
        " longer.",
    )
    outcome = _word(
        "logged",
        "no_acw",
        "unresolved",
        None,
        allow_none=True,
        description="How a closed one ended: with a record, without any after-call work, or past its deadline without"
        " a record. Null while followed.",
    )
    records = fields.List(fields.Nested(RecordReply), required=True)
    timeline = fields.List(fields.Nested(TimelineReply), required=True)


class SupportResultReply(_Reply):
    """The record that tells of the after-call work; dumped from a ``SupportResultReceipt``."""

    record_id = _id("The record's id at CommunicationHistory.", data_key="recordId")
    state = _word(*_RECORD_STATES, description="How far it is.")


class HealthReply(_Reply):
    """How the process is."""

    status = _word("alive", "ready", description="alive: the process runs; ready: a commit works.")


class ProblemReply(_Reply):
    """An error (RFC 9457)."""

    type = fields.String(required=True, validate=validate.Equal("about:blank"))
    title = fields.String(required=True, metadata={"description": "The status in words."})
    status = fields.Integer(required=True, metadata={"description": "The HTTP status."})
    detail = fields.String(required=True, metadata={"description": "What the caller can do about it."})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "With 422: each wrong field and what is wrong with it."},
    )
