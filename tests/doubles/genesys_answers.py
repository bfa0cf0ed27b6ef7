"""JSON of Genesys's answers about a conversation, with only the fields that tests need."""

from typing import Any

import orjson

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
ENDED = "2026-11-22T10:05:00.000Z"
ACW_START = "2026-11-22T10:05:00.000Z"
ACW_END = "2026-11-22T10:05:43.250Z"
TWO_HOURS_LATER = "2026-11-22T12:05:00.000Z"
CODE = "7fb334b0-0e9e-11e4-9191-0800200c9a66"

PENDING = {"state": "pending", "startTime": ACW_START}
COMPLETE = {"state": "complete", "startTime": ACW_START, "endTime": ACW_END}
SKIPPED = {"state": "skipped"}
NOT_APPLICABLE = {"state": "notApplicable"}

WRAPUP = {"code": CODE, "notes": "asked about an invoice", "durationSeconds": 43, "endTime": ACW_END}
DRAFT = {**WRAPUP, "provisional": True}


def call(number: int = 1, acw: object = None, /, **more: object) -> dict[str, Any]:
    """A communication; without ``acw`` it has no after-call work."""
    stated = {} if acw is None else {"afterCallWork": acw}
    return {"id": f"session-{number}", "state": "disconnected", "direction": "inbound", **stated, **more}


def agent(number: int = 1, /, **more: object) -> dict[str, Any]:
    return {
        "id": f"participant-{number}",
        "userId": f"user-{number}",
        "purpose": "agent",
        "queueId": "queue-1",
        "wrapupRequired": True,
        **more,
    }


def customer(**more: object) -> dict[str, Any]:
    return {"id": "customer-1", "purpose": "customer", "wrapupRequired": False, **more}


def answer(*participants: object, **more: object) -> bytes:
    return orjson.dumps({"id": CONVERSATION, "endTime": ENDED, "participants": participants, **more})
