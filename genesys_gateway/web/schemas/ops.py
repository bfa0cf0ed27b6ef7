"""The JSON below ``/ops/api/``, and its schemas, with which ``openapi`` describes it.

Invariant: an answer is what its schema says, and holds nothing personal but a record that an operator has revealed.
"""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from genesys_gateway.oversight.codes import WORDING
from genesys_gateway.oversight.records import ListedRecord, ShownRecord
from genesys_gateway.oversight.status import ChannelStatus, Status
from genesys_gateway.runtime.clock import isoformat
from genesys_gateway.storage.statements.listing import ConversationItem
from genesys_gateway.web.schemas.replies import TIMELINE_EVENTS

CONVERSATION_STATES = ("pending", "subscribed", "closed")
RECORD_STATES = ("pending", "delivered", "dead")

_SOURCES = ("live", "backfill", "supportResult")


def status(shown: Status) -> dict[str, object]:
    """The whole service at one moment; see :class:`StatusReply`."""
    promise = shown.promise
    return {
        "at": isoformat(shown.at),
        "promise": {
            "accepted": promise.accepted,
            "followed": promise.followed,
            "closed": promise.closed,
            "unaccounted": promise.unaccounted,
        },
        "backlog": shown.backlog,
        "dead": shown.dead,
        "uncovered": shown.uncovered,
        "released": shown.released,
        "troubles": [
            {"code": one.code, "since": isoformat(one.since), "text": one.text, "advice": one.advice}
            for one in shown.troubles
        ],
        "instances": [
            {
                "id": one.id,
                "state": one.state,
                "leaseUntil": _moment_or_null(one.lease_until),
                "channels": one.channels,
                "conversations": one.conversations,
            }
            for one in shown.instances
        ],
    }


def channel(shown: ChannelStatus) -> dict[str, object]:
    """One notification channel; see :class:`ChannelReply`."""
    return {
        "id": shown.id,
        "owner": shown.owner,
        "state": shown.state,
        "topics": shown.topics,
        "limit": shown.limit,
        "connected": shown.connected,
        "expiresAt": isoformat(shown.expires_at),
        "lastFrameAt": isoformat(shown.last_frame_at),
    }


def conversation(line: ConversationItem) -> dict[str, object]:
    """One conversation of a list; see :class:`ListedConversationReply`."""
    return {
        "interactionId": line.id,
        "state": line.state,
        "outcome": line.outcome,
        "createdAt": isoformat(line.created_at),
        "dueAt": _moment_or_null(line.due_at),
        "channel": line.channel_id,
        "records": line.records,
    }


def record(listed: ListedRecord) -> dict[str, object]:
    """One record of a list; see :class:`ListedRecordReply`."""
    return {
        "id": listed.id,
        "interactionId": listed.interaction_id,
        "state": listed.state,
        "source": listed.source,
        "attempts": listed.attempts,
        "lastError": listed.last_error,
        "nextAt": _moment_or_null(listed.next_at),
    }


def shown_record(shown: ShownRecord) -> dict[str, object]:
    """One record with its content; see :class:`ShownRecordReply`."""
    return record(shown.listed) | {"record": shown.record}


def _moment_or_null(at: int | None) -> str | None:
    return None if at is None else isoformat(at)


def _text(description: str, **options: Any) -> fields.String:
    return fields.String(required=True, metadata={"description": description}, **options)


def _moment(description: str, **options: Any) -> fields.String:
    return fields.String(required=True, metadata={"format": "date-time", "description": description}, **options)


def _id(description: str, **options: Any) -> fields.String:
    return fields.String(required=True, metadata={"format": "uuid", "description": description}, **options)


def _count(description: str) -> fields.Integer:
    return fields.Integer(required=True, validate=validate.Range(min=0), metadata={"description": description})


def _one_of(values: tuple[str | None, ...], description: str, **options: Any) -> fields.String:
    return fields.String(
        required=True, validate=validate.OneOf(values), metadata={"description": description}, **options
    )


class _Reply(Schema):
    class Meta:
        """Readers must ignore unknown fields, so that new ones can be added."""

        unknown = EXCLUDE


class PromiseReply(_Reply):
    """Whether each accepted conversation is accounted for: ``accepted = followed + closed``."""

    accepted = _count("Conversations registered, over all time.")
    followed = _count("Conversations that are followed.")
    closed = _count("Conversations that are closed, with those already deleted because of their age.")
    unaccounted = fields.Integer(
        required=True,
        metadata={"description": "Conversations lost, and after-call works missed. It is 0 unless there is a bug."},
    )


class TroubleReply(_Reply):
    """Something that is wrong now."""

    code = _one_of(tuple(WORDING), "Which trouble it is.")
    since = _moment("When it began.")
    text = _text("What is wrong, in one sentence with its figure.")
    advice = _text("What to do, in one sentence that ends with the entry of the runbook.")


class InstanceReply(_Reply):
    """One instance of the gateway."""

    id = _id("The instance.")
    state = _one_of(("running", "draining", "lost", "left"), "Whether it works, is stopping, was lost, or has ended.")
    lease_until = _moment("When its lease ends.", data_key="leaseUntil", allow_none=True)
    channels = _count("Number of its notification channels.")
    conversations = _count("Number of the conversations that it follows.")


class StatusReply(_Reply):
    """The whole service at one moment; every instance answers for all."""

    at = _moment("When its figures were read; earlier than now while the database does not answer.")
    promise = fields.Nested(PromiseReply, required=True)
    backlog = _count("Records that wait to be delivered.")
    dead = _count("Records that were given up.")
    uncovered = _count("Conversations that are followed, but covered by no open socket; without released ones.")
    released = _count("Conversations whose topic was given back, and whose last proof is awaited.")
    troubles = fields.List(fields.Nested(TroubleReply), required=True)
    instances = fields.List(fields.Nested(InstanceReply), required=True)


class ChannelReply(_Reply):
    """One notification channel of any instance."""

    id = _text("The channel's id at Genesys Cloud.")
    owner = _id("The instance that holds it.")
    state = _one_of(
        ("connecting", "open", "closing", "waiting", "gone", "retired"),
        "Where it is in its life. waiting: its socket is lost, and another is opened soon.",
    )
    topics = _count("Number of topics on it.")
    limit = _count("Maximum number of topics on it.")
    connected = fields.Boolean(required=True, metadata={"description": "Whether its socket is open."})
    expires_at = _moment("When it ends by itself. Its topics are handed over before.", data_key="expiresAt")
    last_frame_at = _moment(
        "When its socket last brought a frame; before the first, when it was made.", data_key="lastFrameAt"
    )


class ListedConversationReply(_Reply):
    """A conversation in a list."""

    interaction_id = _id("The interaction.", data_key="interactionId")
    state = _one_of(CONVERSATION_STATES, "As in the answer to its callers.")
    outcome = _one_of(
        ("logged", "no_acw", "unresolved", None), "How it ended; null while it is followed.", allow_none=True
    )
    created_at = _moment("When it was registered.", data_key="createdAt")
    due_at = _moment("When Genesys is asked about it next; null once closed.", data_key="dueAt", allow_none=True)
    channel = _text("The channel that covers it; null while none does.", allow_none=True)
    records = _count("Number of its records.")


class ListedRecordReply(_Reply):
    """A record in a list."""

    id = _id("The record's id at CommunicationHistory.")
    interaction_id = _id("Its interaction.", data_key="interactionId")
    state = _one_of(RECORD_STATES, "Its state. A dead record was given up and can be requeued.")
    source = _one_of(_SOURCES, "What reported the after-call work first.")
    attempts = _count("Attempts to deliver it that have begun.")
    last_error = _text(
        "How the last attempt failed: a status such as HTTP 422, or a kind such as timeout.",
        data_key="lastError",
        allow_none=True,
    )
    next_at = _moment("When the next attempt is due; null unless it is pending.", data_key="nextAt", allow_none=True)


class ShownRecordReply(ListedRecordReply):
    """A record with its content."""

    record = fields.Dict(
        required=True,
        allow_none=True,
        keys=fields.String(),
        metadata={
            "description": "The record as it would be sent; null once its content is erased, or if it can't be read."
            " Unless it is revealed, customerHandle, title, agentName and wrapUpNotes are masked."
        },
    )


class _PageReply(_Reply):
    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The cursor of the next page; null on the last one."},
    )


class ConversationsReply(_PageReply):
    """A page of the conversations, newest first."""

    items = fields.List(fields.Nested(ListedConversationReply), required=True)


class RecordsReply(_PageReply):
    """A page of the records, newest first."""

    items = fields.List(fields.Nested(ListedRecordReply), required=True)


class AccountReply(_Reply):
    """Everything known of one conversation, as the command ``why --json`` prints it."""

    interaction_id = _id("The interaction.", data_key="interactionId")
    now = _moment("When this was read.")
    state = _text("Its stored state.")
    explanation = fields.Dict(
        required=True, keys=fields.String(), metadata={"description": "What the facts mean, in sentences."}
    )
    records = fields.List(
        fields.Dict(keys=fields.String()), required=True, metadata={"description": "Its records, each with a sentence."}
    )
    timeline = fields.List(
        fields.Dict(keys=fields.String()),
        required=True,
        metadata={"description": f"What happened, each with a sentence. Events: {', '.join(TIMELINE_EVENTS)}."},
    )


class RequeuedReply(_Reply):
    """What was requeued."""

    requeued = _count("Number of records that wait to be delivered again.")


class RequeueRequest(Schema):
    """Body of ``POST /ops/api/records/requeue``."""

    class Meta:
        """Unknown fields are ignored."""

        unknown = EXCLUDE

    reason = fields.String(
        required=True,
        validate=validate.Length(min=1, max=200),
        metadata={"description": "A lastError, exactly as the list of the records shows it."},
    )
