"""Builds the event that announces the end of after-call work, as sent over a socket (F35 to F38)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from genesys_gateway.simulator.conversations import Communication, Conversation, Participant
from genesys_gateway.simulator.topics import acw_topic

_PROVIDERS = {"VOICE": "Edge", "CALLBACK": "PureCloud Callback", "EMAIL": "PureCloud Email"}
_DEFAULT_PROVIDER = "PureCloud Messaging"


def acw_event(
    conversation: Conversation,
    participant: Participant,
    communication: Communication,
    wall_ms: int,
    changes: Mapping[str, Any],
) -> dict[str, Any]:
    """Build envelope and body. Unknown fields are absent rather than null (F36). `changes` override the body."""
    addresses, wrapup = conversation.addresses_for(communication), participant.wrapup
    body: dict[str, Any] = {
        "eventTime": wall_ms,
        "conversationId": conversation.id,
        "participantId": participant.id,
        "sessionId": communication.id,
        "mediaType": communication.media_type,
        "provider": _PROVIDERS.get(communication.media_type, _DEFAULT_PROVIDER),
        "direction": conversation.direction_for(communication),
        "ani": addresses.ani,
        "dnis": addresses.dnis,
        "addressTo": addresses.address_to,
        "addressFrom": addresses.address_from,
        "callbackNumbers": list(addresses.callback_numbers) or None,
        "subject": addresses.subject,
        "messageType": conversation.message_type,
        "userId": participant.user_id,
        "queueId": conversation.queue_id,
        "wrapupCode": wrapup.code if wrapup else None,
        "wrapupNotes": wrapup.notes if wrapup else None,
        "wrapupDurationMs": wrapup.duration_ms if wrapup else None,
    }
    body.update(changes)
    return {
        "topicName": acw_topic(conversation.id),
        "version": "2",
        "eventBody": {name: value for name, value in body.items() if value is not None},
        "metadata": {"CorrelationId": str(uuid.uuid4())},
    }


def without_fields(body: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The body without these fields, each of which is optional (F36); `*` means all."""
    return {} if "*" in names else {name: value for name, value in body.items() if name not in names}
