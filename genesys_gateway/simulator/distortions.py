"""Distorts what a correct answer says about a conversation: too large, hollow, or about another conversation.

Invariant: in a bulk answer only the conversations that a fault names are changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from genesys_gateway.simulator.faults import Fault, Faults
from genesys_gateway.simulator.wire import Answer, Request

Json = dict[str, Any]

_FOLDERS = ("/api/v2/conversations/", "/api/v2/analytics/conversations/")


def _larger(item: Json, fault: Fault) -> Json:
    return {**item, "padding": "x" * int(fault.number("bytes", 6_000_000))}


def _hollow(item: Json, _: Fault) -> Json:
    return {**item, "participants": []}


def _about_another(item: Json, fault: Fault) -> Json:
    name = "conversationId" if "conversationId" in item else "id"
    return {**item, name: str(fault.params.get("as", uuid.uuid4()))}


_DISTORTIONS: Mapping[str, Callable[[Json, Fault], Json]] = {
    "large_answer": _larger,
    "hollow_answer": _hollow,
    "answer_about_another": _about_another,
}


def conversations_of(request: Request) -> str:
    """Ids of the conversations that a call is about, separated by blanks."""
    folder = next((folder for folder in _FOLDERS if request.path.startswith(folder)), None)
    if folder is None:
        return ""
    listed = [part for value in request.query.get("id", ()) for part in value.split(",")]
    return " ".join([request.path.removeprefix(folder).partition("/")[0], *listed]).lower()


def distorted(answer: Answer, faults: Faults, request: Request) -> Answer:
    """The answer with every fault that applies to one of its conversations."""
    if not any(map(faults.is_on, _DISTORTIONS)) or answer.status != 200 or not conversations_of(request):
        return answer
    body = orjson.loads(answer.body) if isinstance(answer.body, bytes) else answer.body
    if "conversations" in body:
        items = [_distorted(item, faults, request) for item in body["conversations"]]
        return replace(answer, body={**body, "conversations": items})
    return replace(answer, body=_distorted(body, faults, request))


def _distorted(item: Json, faults: Faults, request: Request) -> Json:
    about = str(item.get("conversationId") or item.get("id"))
    for name, change in _DISTORTIONS.items():
        if fault := faults.trigger(name, method=request.method, path=request.path, conversation=about):
            item = change(item, fault)
    return item
