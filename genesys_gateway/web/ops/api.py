"""JSON for programs of operators, below ``/ops/api/``.

Invariant: nothing is decided or remembered here: each view reads the request, calls one use case and answers.
"""

import orjson
from flask import Blueprint, Response, current_app, g, request
from werkzeug.routing import BaseConverter

from genesys_gateway.oversight import Status
from genesys_gateway.oversight.account import account
from genesys_gateway.oversight.explanation import explain
from genesys_gateway.runtime.errors import Unavailable
from genesys_gateway.web import json_body, problems
from genesys_gateway.web.ops import query
from genesys_gateway.web.ops.access import operator
from genesys_gateway.web.routes import BODY_SECONDS, current_status, loaded, serving_gateway
from genesys_gateway.web.schemas import ops

NOT_DEAD = "The record is not dead, or its content is erased."

_REQUEUE = ops.RequeueRequest()

blueprint = Blueprint("ops_api", __name__)


class RecordId(BaseConverter):
    """A part of a path that stands for a record: any but the word ``requeue``, which is an address of its own."""

    regex = "(?!requeue$)(?!requeue/)[^/]+"


@blueprint.get("/ops/api/status")
@operator
def status() -> Response:
    """The whole service at this moment."""
    return _json(ops.status(_known_status()))


@blueprint.get("/ops/api/channels")
@operator
def channels() -> Response:
    """The notification channels of all instances."""
    return _json([ops.channel(one) for one in _known_status().channels])


@blueprint.get("/ops/api/conversations")
@operator
def conversations() -> Response:
    """A page of the conversations, newest first."""
    limit, cursor = query.limit(), query.cursor()
    state, beginning = query.state(ops.CONVERSATION_STATES), query.beginning()
    conversations = serving_gateway().conversations
    page = query.of_list(lambda: conversations.page(state=state, beginning=beginning, cursor=cursor, limit=limit))
    return _json({"items": [ops.conversation(one) for one in page.items], "next": page.next})


@blueprint.get("/ops/api/conversations/<interaction_id>")
@operator
def conversation(interaction_id: str) -> Response:
    """Everything that is known of one conversation, and what it means."""
    facts = serving_gateway().conversations.facts(query.path_id("interactionId", interaction_id))
    if facts is None:
        raise problems.NeverRegistered
    return _json(account(facts, explain(facts)))


@blueprint.get("/ops/api/records")
@operator
def records() -> Response:
    """A page of the records, newest first."""
    limit, cursor, state = query.limit(), query.cursor(), query.state(ops.RECORD_STATES)
    records = serving_gateway().records
    page = query.of_list(lambda: records.page(state=state, cursor=cursor, limit=limit))
    return _json({"items": [ops.record(one) for one in page.items], "next": page.next})


@blueprint.get("/ops/api/records/<record:record_id>")
@operator
def record(record_id: str) -> Response:
    """One record, masked."""
    one = query.path_id("recordId", record_id)
    return _json(ops.shown_record(query.found(serving_gateway().records.masked(one))))


@blueprint.post("/ops/api/records/<record:record_id>/reveal")
@operator
def reveal(record_id: str) -> Response:
    """One record with what is personal; who asked for it is noted."""
    _ignore_body()
    one = query.path_id("recordId", record_id)
    return _json(ops.shown_record(query.found(serving_gateway().records.reveal(one, by=g.operator.name))))


@blueprint.post("/ops/api/records/<record:record_id>/requeue")
@operator
def requeue(record_id: str) -> Response:
    """Have one dead record delivered again."""
    _ignore_body()
    one = query.path_id("recordId", record_id)
    if not query.found(serving_gateway().records.requeue(one, by=g.operator.name)):
        raise problems.Explained(409, NOT_DEAD)
    return _json({"requeued": 1}, 202)


@blueprint.post("/ops/api/records/requeue")
@operator
def requeue_alike() -> Response:
    """Have all records delivered again that are dead for one reason."""
    reason = loaded(_REQUEUE)["reason"]
    return _json({"requeued": serving_gateway().records.requeue_alike(reason, by=g.operator.name)}, 202)


def _known_status() -> Status:
    """The latest status, which holds figures. Answers 503 until they were read from the database once."""
    status = current_status()
    if not status.known:
        raise Unavailable("the database was not read yet")
    return status


def _ignore_body() -> None:
    """Nothing is asked for in the body, but its size is limited like any other."""
    json_body.content(request, current_app.config[BODY_SECONDS])


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, content_type="application/json")
