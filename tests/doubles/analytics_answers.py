"""What Genesys's analytics answer about conversations, as small as a test needs it."""

from typing import Any

import orjson

from genesys_gateway.genesys.analytics import Details, details_from_answer

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
ENDED = "2026-11-22T10:05:00.000Z"
ACW_END = "2026-11-22T10:05:43.250Z"
LATER = "2026-11-22T12:00:00.000Z"
CODE = "7fb334b0-0e9e-11e4-9191-0800200c9a66"

TALK = {"segmentType": "interact", "segmentStart": "2026-11-22T10:00:00Z", "segmentEnd": ENDED, "queueId": "queue-1"}
#: After-call work that is done.
DONE = {
    "segmentType": "wrapup",
    "segmentStart": ENDED,
    "segmentEnd": ACW_END,
    "wrapUpCode": CODE,
    "wrapUpNote": "asked about an invoice",
}
#: After-call work that has begun and not ended.
BEGUN = {"segmentType": "wrapup", "segmentStart": ENDED}


def session(number: int = 1, *segments: object, **more: object) -> dict[str, Any]:
    """An agent's session by voice; its segments follow that of the talk."""
    return {"sessionId": f"session-{number}", "mediaType": "voice", "segments": [TALK, *segments], **more}


def agent(number: int, *sessions: object, **more: object) -> dict[str, Any]:
    ids = {"participantId": f"participant-{number}", "userId": f"user-{number}", "purpose": "agent"}
    return {**ids, "sessions": sessions, **more}


def conversation(*participants: object, **more: object) -> dict[str, Any]:
    """A conversation that has ended."""
    return {"conversationId": CONVERSATION, "conversationEnd": ENDED, "participants": participants, **more}


def details_of(*participants: object, **more: object) -> Details:
    """The details that are read from a bulk answer about one conversation."""
    (details,) = details_from_answer(orjson.dumps({"conversations": [conversation(*participants, **more)]}))
    return details
