"""Describes what programs of operators read and do below ``/ops/api/``, with an example of everything.

Invariant: as in ``operations``.
"""

from typing import Any

from genesys_gateway.web.operation import (
    BODY_PROBLEMS,
    CALLER_PROBLEMS,
    OPERATORS,
    Examples,
    Operation,
    Parameter,
    Reply,
)
from genesys_gateway.web.schemas import ops

_INTERACTION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
_RECORD = "97f2f1c4-8d1e-5c1b-9b53-5d1c2f0c7a11"
_INSTANCE = "00000000-0000-4000-8000-000000000001"
_CHANNEL = "streaming-0-6b1q2n0k9c"
_HIDDEN = "•••"
_DIGIT = "[0-9a-fA-F]"

_LIMIT = Parameter(
    name="limit",
    description="Number of items of a page, 100 by default.",
    schema={"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    example=100,
)
_CURSOR = Parameter(
    name="cursor",
    description="The value of next of the page before; by default the first page is answered.",
    # Any text can be sent, but only those that were answered before are taken.
    schema={"type": "string"},
    example=None,
)
_BEGINNING = Parameter(
    name="q",
    description="An interaction id or its beginning: only interactions whose ids begin so.",
    schema={
        "type": "string",
        "minLength": 1,
        "maxLength": 36,
        "pattern": f"^({_DIGIT}{{1,8}}|{_DIGIT}{{8}}(-{_DIGIT}{{4}}){{0,2}}-{_DIGIT}{{0,4}}"
        f"|{_DIGIT}{{8}}(-{_DIGIT}{{4}}){{3}}-{_DIGIT}{{0,12}})$",
    },
    example="633ba5f4-38",
)


def _state(words: tuple[str, ...], what: str) -> Parameter:
    return Parameter(
        name="state",
        description=f"Only {what} in this state.",
        schema={"type": "string", "enum": list(words)},
        example=words[0],
    )


_LISTED: dict[str, Any] = {
    "id": _RECORD,
    "interactionId": _INTERACTION,
    "state": "dead",
    "source": "live",
    "attempts": 1,
    "lastError": "HTTP 422",
    "nextAt": None,
}
_CONTENT: dict[str, Any] = {
    "id": _RECORD,
    "direction": "INBOUND",
    "communicatedAt": "2026-11-22T10:07:30.900Z",
    "source": "GENESYS",
    "channel": "VOICE",
    "domain": "OTHER",
    "customerId": "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4",
    "customerHandle": _HIDDEN,
    "interactionId": _INTERACTION,
    "purpose": "Loan",
    "title": _HIDDEN,
    "body": {
        "agentId": "8c1bb1b4-2a2c-4c1c-9f0d-3a1d8a7d0001",
        "agentName": _HIDDEN,
        "wrapUpCode": "7fb334b0-0e9e-11e4-9191-0800200c9a66",
        "wrapUpName": "Loan",
        "wrapUpNotes": None,
        "afterCallWorkMs": 4000,
        "mediaType": "VOICE",
        "messageType": None,
        "queueId": "2b6e2b1a-5f0e-4a86-9d3c-0d1c5d2f7a10",
        "participantId": "f3a1c1de-7f0a-4f57-9d3f-7a0a6c1e2b44",
        "sessionId": "b1d7c2aa-61c0-4b6b-8a3e-2f4f7b7c9d21",
        "eventSource": "live",
    },
}
_REVEALED = _CONTENT | {
    "customerHandle": "+639171234567",
    "title": "Question about a loan",
    "body": _CONTENT["body"] | {"agentName": "Maria Cruz"},
}
_CONVERSATION = {
    "interactionId": _INTERACTION,
    "state": "subscribed",
    "outcome": None,
    "createdAt": "2026-11-22T10:00:00.000Z",
    "dueAt": "2026-11-22T10:02:00.000Z",
    "channel": _CHANNEL,
    "records": 1,
}
_STATUS = {
    "at": "2026-11-22T10:08:00.000Z",
    "promise": {"accepted": 12000, "followed": 800, "closed": 11200, "unaccounted": 0},
    "backlog": 3,
    "dead": 1,
    "uncovered": 0,
    "released": 0,
    "troubles": [
        {
            "code": "records_dead",
            "since": "2026-11-22T10:07:31.130Z",
            "text": "1 record was given up and waits for a person.",
            "advice": "Look at the reason, fix its cause, then requeue it: docs/runbook.md#records_dead",
        }
    ],
    "instances": [
        {
            "id": _INSTANCE,
            "state": "running",
            "leaseUntil": "2026-11-22T10:08:18.500Z",
            "channels": 1,
            "conversations": 800,
        }
    ],
}
_ONE_CHANNEL = {
    "id": _CHANNEL,
    "owner": _INSTANCE,
    "state": "open",
    "topics": 800,
    "limit": 1000,
    "connected": True,
    "expiresAt": "2026-11-23T09:00:00.000Z",
    "lastFrameAt": "2026-11-22T10:07:59.310Z",
}
_ACCOUNT = {
    "interactionId": _INTERACTION,
    "now": "2026-11-22T10:08:00.000Z",
    "state": "subscribed",
    "explanation": {"state": "Followed since 2026-11-22T10:00:00.000Z (8 min ago)."},
    "records": [{"id": _RECORD, "state": "dead", "text": "Given up after 1 attempt: refused with HTTP 422."}],
    "timeline": [
        {"at": "2026-11-22T10:00:00.000Z", "event": "registered", "detail": None, "text": "registered by BOFE"}
    ],
}


def _read(name: str, path: str, summary: str, reply: Reply, *problems: int, **more: Any) -> Operation:
    return Operation(
        name=name,
        method="get",
        path=f"/ops/api/{path}",
        tag=OPERATORS,
        summary=summary,
        roles=("ops",),
        replies={200: reply},
        problems=(*CALLER_PROBLEMS, *problems),
        **more,
    )


def _act(name: str, path: str, summary: str, replies: dict[int, Reply], *problems: int, **more: Any) -> Operation:
    return Operation(
        name=name,
        method="post",
        path=f"/ops/api/records/{path}",
        tag=OPERATORS,
        summary=summary,
        roles=("ops",),
        replies=replies,
        problems=(*CALLER_PROBLEMS, *problems),
        **more,
    )


def _page(schema: type[Any], item: Examples) -> Reply:
    cursor = "u2bXy0mJm8qfJ1kAAAABmqB2RAA5N2YyZjFjNA"
    return Reply(
        description="A page, newest first.",
        schema=schema,
        examples={"first": {"items": [item], "next": cursor}, "last": {"items": [], "next": None}},
    )


_REQUEUED = Reply(
    description="They wait to be delivered again.", schema=ops.RequeuedReply, examples={"one": {"requeued": 1}}
)
_OF_RECORD = {"recordId": _RECORD}

#: Those that come from memory, so that they are answered while the database refuses, too.
_FROM_MEMORY = (
    _read(
        "showStatus",
        "status",
        "Whether the promise is kept, and what is wrong",
        Reply(
            description="The whole service; every instance answers for all.",
            schema=ops.StatusReply,
            examples={"a trouble": _STATUS},
        ),
    ),
    _read(
        "listChannels",
        "channels",
        "List the notification channels of all instances",
        Reply(
            description="All of them; at most as many as the budget.",
            schema=ops.ChannelReply,
            many=True,
            examples={"one": [_ONE_CHANNEL]},
        ),
    ),
)

OPERATOR_OPERATIONS = (
    *_FROM_MEMORY,
    _read(
        "listConversations",
        "conversations",
        "List conversations, newest first",
        _page(ops.ConversationsReply, _CONVERSATION),
        422,
        query=(_state(ops.CONVERSATION_STATES, "conversations"), _BEGINNING, _LIMIT, _CURSOR),
    ),
    _read(
        "explainConversation",
        "conversations/{interactionId}",
        "Explain where a conversation stands",
        Reply(
            description="Everything known of it but what is personal, as the command why --json prints it.",
            schema=ops.AccountReply,
            examples={"followed": _ACCOUNT},
        ),
        404,
        422,
        path_ids={"interactionId": _INTERACTION},
    ),
    _read(
        "listRecords",
        "records",
        "List records, newest first",
        _page(ops.RecordsReply, _LISTED),
        422,
        query=(_state(ops.RECORD_STATES, "records"), _LIMIT, _CURSOR),
    ),
    _read(
        "showRecord",
        "records/{recordId}",
        "Show a record, with what is personal masked",
        Reply(
            description="The record as it would be sent, but for what is masked.",
            schema=ops.ShownRecordReply,
            examples={"masked": _LISTED | {"record": _CONTENT}, "erased": _LISTED | {"record": None}},
        ),
        404,
        422,
        path_ids=_OF_RECORD,
    ),
    _act(
        "revealRecord",
        "{recordId}/reveal",
        "Show a record with what is personal",
        {
            200: Reply(
                description="The record as it would be sent. Who asked is in the log and in the timeline.",
                schema=ops.ShownRecordReply,
                examples={"revealed": _LISTED | {"record": _REVEALED}},
            )
        },
        400,
        404,
        408,
        413,
        422,
        path_ids=_OF_RECORD,
    ),
    _act(
        "requeueRecord",
        "{recordId}/requeue",
        "Have a dead record delivered again",
        {202: _REQUEUED},
        400,
        404,
        408,
        409,
        413,
        422,
        path_ids=_OF_RECORD,
    ),
    _act(
        "requeueRecords",
        "requeue",
        "Have all records delivered again that are dead for one reason",
        {202: _REQUEUED},
        *BODY_PROBLEMS,
        takes=ops.RequeueRequest,
        examples={"refused": {"reason": "HTTP 422"}},
    ),
)
