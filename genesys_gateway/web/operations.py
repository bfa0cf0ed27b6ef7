"""Describes for callers what each endpoint takes and answers, with an example of everything.

Invariant: tests compare this table with the routes, and every example with its schema.
"""

from collections.abc import Sequence

from genesys_gateway.web.operation import (
    BODY_PROBLEMS,
    CALLER_PROBLEMS,
    OPERATORS,
    Examples,
    Operation,
    Reply,
)
from genesys_gateway.web.operator_operations import OPERATOR_OPERATIONS
from genesys_gateway.web.schemas.replies import HealthReply, SupportInteractionReply, SupportResultReply
from genesys_gateway.web.schemas.requests import SupportInteractionRequest, SupportResultRequest

_CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"
_INTERACTION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
_RECORD = "97f2f1c4-8d1e-5c1b-9b53-5d1c2f0c7a11"


def _timeline_item(at: str, event: str, detail: str | None = None) -> Examples:
    return {"at": f"2026-11-{at}Z", "event": event, "detail": detail}


_REGISTERED_ITEM = _timeline_item("22T10:00:00.000", "registered")
_SUBSCRIBED_TIMELINE = (_REGISTERED_ITEM, _timeline_item("22T10:00:00.180", "subscribed"))
_CLOSED_TIMELINE = (
    *_SUBSCRIBED_TIMELINE,
    _timeline_item("22T10:07:31.002", "event_stored", _RECORD),
    _timeline_item("22T10:07:31.130", "delivered", _RECORD),
    _timeline_item("22T10:08:31.544", "closed", "logged"),
)
_NEW = {
    "interactionId": _INTERACTION,
    "customerId": _CUSTOMER,
    "createdAt": "2026-11-22T10:00:00.000Z",
    "state": "pending",
    "outcome": None,
    "records": [],
    "timeline": [_REGISTERED_ITEM],
}
_FOLLOWED = _NEW | {"state": "subscribed", "timeline": _SUBSCRIBED_TIMELINE}
_CLOSED = _NEW | {
    "state": "closed",
    "outcome": "logged",
    "records": [{"id": _RECORD, "state": "delivered", "source": "live", "amended": False}],
    "timeline": _CLOSED_TIMELINE,
}
_ERASED = _CLOSED | {"customerId": None, "timeline": (*_CLOSED_TIMELINE, _timeline_item("29T10:09:00.000", "erased"))}
_RESULT = {
    "conversationId": _INTERACTION,
    "eventTime": "2026-11-22T18:07:30.900+08:00",
    "direction": "inbound",
    "mediaType": "voice",
    "ani": "+639171234567",
    "subject": "Question about a loan",
    "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
    "userId": "8c1bb1b4-2a2c-4c1c-9f0d-3a1d8a7d0001",
}
_METRICS = (
    "# TYPE genesys_gateway_conversations_accepted_total counter\ngenesys_gateway_conversations_accepted_total 1.0\n"
)


REGISTER = Operation(
    name="registerSupportInteraction",
    method="post",
    path="/customers/supportInteraction",
    summary="Register an interaction for a customer",
    description="From then on the interaction is followed: each after-call work in it becomes a communication record."
    " 2xx means that the registration is on disk. A repetition changes nothing. A registration for another customer"
    " re-pairs the interaction, until the first attempt to deliver one of its records has begun. A closed or"
    " released interaction is followed again.",
    roles=("bofe",),
    takes=SupportInteractionRequest,
    examples={"pair": {"customerId": _CUSTOMER, "interactionId": _INTERACTION}},
    replies={
        201: Reply(
            description="Registered for the first time.", schema=SupportInteractionReply, examples={"new": _NEW}
        ),
        200: Reply(
            description="It was registered before.", schema=SupportInteractionReply, examples={"followed": _FOLLOWED}
        ),
    },
    problems=(*CALLER_PROBLEMS, *BODY_PROBLEMS, 409),
)
SHOW = Operation(
    name="showSupportInteraction",
    method="get",
    path="/customers/supportInteraction/{interactionId}",
    summary="Show an interaction, its records and its timeline",
    roles=("bofe", "ops"),
    path_ids={"interactionId": _INTERACTION},
    replies={
        200: Reply(
            description="The interaction; its state says whether it is still followed.",
            schema=SupportInteractionReply,
            examples={"followed": _FOLLOWED, "closed": _CLOSED, "erased": _ERASED},
        )
    },
    problems=(*CALLER_PROBLEMS, 404, 422),
)
TAKE_RESULT = Operation(
    name="takeSupportResult",
    method="post",
    path="/customers/supportResult",
    summary="Report an after-call work, as the older trigger does",
    description="The after-call work becomes a communication record, whether its conversation is registered or not;"
    " this call registers nothing. Genesys Cloud may report the same after-call work, before or after this call: same"
    " conversation, same agent, times at most 120 s apart, paired one to one. Both reports become one record.",
    roles=("backoffice",),
    takes=SupportResultRequest,
    examples={"inbound call": _RESULT},
    replies={
        202: Reply(
            description="The after-call work is on disk; its record will be delivered.",
            schema=SupportResultReply,
            examples={"new": {"recordId": _RECORD, "state": "pending"}},
        ),
        200: Reply(
            description="This after-call work was known already; this is its record.",
            schema=SupportResultReply,
            examples={"known": {"recordId": _RECORD, "state": "delivered"}},
        ),
    },
    problems=(*CALLER_PROBLEMS, *BODY_PROBLEMS),
)


def _health(name: str, path: str, summary: str, status: str, *problems: int) -> Operation:
    reply = Reply(description=f"The process is {status}.", schema=HealthReply, examples={status: {"status": status}})
    return _without_credential(name, path, summary, reply, problems)


def _file(name: str, path: str, summary: str, media_type: str, example: str, *problems: int) -> Operation:
    reply = Reply(description=summary, media_type=media_type, examples={"begins": example} if example else {})
    return _without_credential(name, path, summary, reply, (500, *problems))


def _without_credential(name: str, path: str, summary: str, reply: Reply, problems: Sequence[int]) -> Operation:
    return Operation(
        name=name, method="get", path=path, tag=OPERATORS, summary=summary, replies={200: reply}, problems=problems
    )


OPERATIONS = (
    REGISTER,
    SHOW,
    TAKE_RESULT,
    *OPERATOR_OPERATIONS,
    _health("livez", "/livez", "Whether the process is alive; nothing outside it is checked", "alive", 500),
    _health("readyz", "/readyz", "Whether a commit works and the process is not ending", "ready", 500, 503),
    _file("metrics", "/metrics", "Metrics for Prometheus", "text/plain", _METRICS),
    _file("openapi", "/openapi.json", "This description", "application/json", ""),
    _file("docs", "/docs", "This description for people", "text/html", "<!doctype html>"),
)
