"""The answers, and their schemas, with which ``openapi`` describes them.

Invariant: an answer is what its schema says. Tests check that: to dump an answer with its schema takes five times as
long.
"""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from genesys_gateway.runtime.clock import isoformat
from genesys_gateway.storage.statements.conversations import ConversationView
from genesys_gateway.storage.statements.intake import SupportResultReceipt

#: Every event that a timeline can contain.
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
    "revealed",
    "released",
    "erased",
)
_RECORD_STATES = ("pending", "delivered", "dead")


def interaction(view: ConversationView) -> dict[str, object]:
    """An interaction with its records and its timeline; see :class:`SupportInteractionReply`."""
    return {
        "interactionId": view.interaction_id,
        "customerId": view.customer_id,
        "createdAt": isoformat(view.created_at),
        "state": view.state,
        "outcome": view.outcome,
        "records": [
            {"id": one.id, "state": one.state, "source": one.source, "amended": one.amended} for one in view.records
        ],
        "timeline": [{"at": isoformat(one.at), "event": one.event, "detail": one.detail} for one in view.timeline],
    }


def support_result(receipt: SupportResultReceipt) -> dict[str, object]:
    """The record of a supportResult; see :class:`SupportResultReply`."""
    return {"recordId": receipt.record_id, "state": receipt.state}


def _moment(**options: Any) -> fields.String:
    return fields.String(required=True, metadata={"format": "date-time"}, **options)


def _id(description: str, **options: Any) -> fields.String:
    return fields.String(required=True, metadata={"format": "uuid", "description": description}, **options)


def _one_of(*values: str | None, description: str, **options: Any) -> fields.String:
    one_of = validate.OneOf(values)
    return fields.String(required=True, validate=one_of, metadata={"description": description}, **options)


class _Reply(Schema):
    class Meta:
        """Callers must ignore unknown fields, so that new ones can be added."""

        unknown = EXCLUDE


class RecordReply(_Reply):
    """One communication record."""

    id = _id("The record's id at CommunicationHistory.")
    state = _one_of(*_RECORD_STATES, description="Its state. A dead record was given up and can be requeued.")
    source = _one_of("live", "backfill", "supportResult", description="What reported the after-call work first.")
    amended = fields.Boolean(
        required=True,
        metadata={"description": "Whether other content arrived later under the same id; that content is not sent."},
    )


class TimelineReply(_Reply):
    """One event in an interaction's timeline."""

    at = _moment()
    event = _one_of(*TIMELINE_EVENTS, description="What happened.")
    detail = fields.String(required=True, allow_none=True)


class SupportInteractionReply(_Reply):
    """An interaction with its records and its timeline."""

    interaction_id = _id("The interaction.", data_key="interactionId")
    customer_id = _id("The customer; null once erased.", data_key="customerId", allow_none=True)
    created_at = _moment(data_key="createdAt")
    state = _one_of(
        "pending",
        "subscribed",
        "closed",
        description="subscribed: followed, and an open socket receives its events; pending: followed, but no open"
        " socket receives its events now, because it waits for one, or because it is released; closed: no longer"
        " followed. Released: it is over by the newest answer of Genesys, its place was given to others, and it is"
        " followed until a later answer proves the end.",
    )
    outcome = _one_of(
        "logged",
        "no_acw",
        "unresolved",
        None,
        allow_none=True,
        description="How it ended. logged: with a record; no_acw: without any after-call work; unresolved: closed at"
        " its deadline without a record. Null while it is followed.",
    )
    records = fields.List(fields.Nested(RecordReply), required=True)
    timeline = fields.List(fields.Nested(TimelineReply), required=True)


class SupportResultReply(_Reply):
    """The record of the after-call work."""

    record_id = _id("The record's id at CommunicationHistory.", data_key="recordId")
    state = _one_of(*_RECORD_STATES, description="The state of the record.")


class HealthReply(_Reply):
    """The health of the process."""

    status = _one_of("alive", "ready", description="alive: the process runs; ready: a commit works.")


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
