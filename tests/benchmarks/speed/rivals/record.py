"""The record as one would write it by hand: the receiver's fields, as far as the event has them."""

import uuid
from datetime import UTC, datetime
from typing import Any

#: Password of every OAuth client of a run.
SECRET = "simulator-secret"
#: Maximum number of topics on one channel.
TOPICS = 1000
_NAMESPACE = uuid.UUID("0d9f3f0c-6f0e-5b52-9d3f-7a0a6c1e2b44")


def topic_of(conversation: str) -> str:
    """The topic of a conversation's after-call work."""
    return f"v2.detail.events.conversation.{conversation}.acw"


def is_event(message: Any) -> bool:
    """Whether a message announces after-call work; heartbeats don't."""
    return str(message["topicName"]).endswith(".acw")


def record_of(event: dict[str, Any]) -> dict[str, Any]:
    """The record of an event's body."""
    identity = f"{event['conversationId']}/{event['participantId']}/{event['sessionId']}"
    at = datetime.fromtimestamp(event["eventTime"] / 1000, UTC)
    return {
        "id": str(uuid.uuid5(_NAMESPACE, identity)),
        "direction": event["direction"],
        "communicatedAt": at.isoformat(timespec="milliseconds"),
        "source": "GENESYS",
        "channel": event["mediaType"],
        "customerHandle": event.get("ani"),
        "interactionId": event["conversationId"],
        "purpose": event.get("wrapupCode"),
        "body": {
            "agentId": event["userId"],
            "wrapUpCode": event.get("wrapupCode"),
            "wrapUpNotes": event.get("wrapupNotes"),
            "participantId": event["participantId"],
            "sessionId": event["sessionId"],
        },
    }
