"""Builds the answer of `GET /api/v2/conversations/{id}` (F50 to F52), which has no lag."""

from __future__ import annotations

from typing import Any

from genesys_gateway.simulator.clock import iso
from genesys_gateway.simulator.conversations import Communication, Conversation, Moment, Participant, Wrapup

#: Medium -> the list of the participant that holds its communications.
_LIST_OF_MEDIUM = {
    "VOICE": "calls",
    "CALLBACK": "callbacks",
    "CHAT": "chats",
    "EMAIL": "emails",
    "MESSAGE": "messages",
    "INTERNALMESSAGE": "internalMessages",
    "COBROWSE": "cobrowsesessions",
    "SCREENSHARE": "screenshares",
    "VIDEO": "videos",
}
#: The lists whose communications have a direction.
_LISTS_WITH_DIRECTION = ("calls", "callbacks", "chats", "emails", "messages")


def conversation_answer(conversation: Conversation) -> dict[str, Any]:
    """The whole conversation. It has an `endTime` only after it has ended (F52)."""
    return without_nulls(
        {
            "id": conversation.id,
            "startTime": time_of(conversation.started),
            "endTime": time_of(conversation.ended),
            "address": conversation.addresses.ani or conversation.addresses.address_from,
            "participants": [_participant(conversation, participant) for participant in conversation.participants],
            "recordingState": "NONE",
            "divisions": [],
            "selfUri": f"/api/v2/conversations/{conversation.id}",
        }
    )


def time_of(moment: Moment | None) -> str | None:
    """The wall time of a moment in ISO 8601; None for None."""
    return iso(moment.wall) if moment is not None else None


def without_nulls(answer: dict[str, Any]) -> dict[str, Any]:
    """Remove fields without a value: Genesys omits them."""
    return {name: value for name, value in answer.items() if value is not None}


def _participant(conversation: Conversation, participant: Participant) -> dict[str, Any]:
    agent = participant.user_id is not None
    answer: dict[str, Any] = {
        "id": participant.id,
        "name": participant.name,
        "userId": participant.user_id,
        "userUri": f"/api/v2/users/{participant.user_id}" if agent else None,
        "purpose": participant.purpose,
        "startTime": time_of(participant.started),
        "connectedTime": time_of(participant.started),
        "endTime": time_of(participant.ended),
        "queueId": conversation.queue_id,
        "consultParticipantId": participant.consulted_by,
        "ani": conversation.addresses.ani,
        "dnis": conversation.addresses.dnis,
        "wrapupRequired": participant.wrapup_required if agent else None,
        "wrapupPrompt": "mandatory" if agent and participant.wrapup_required else None,
        "wrapupSkipped": participant.wrapup_skipped if agent else None,
        "wrapup": _wrapup(participant.wrapup),
        "startAcwTime": time_of(participant.acw_started),
        "endAcwTime": time_of(participant.acw_ended),
        "attributes": {},
    }
    for communication in participant.communications:
        medium = _LIST_OF_MEDIUM.get(communication.media_type, "calls")
        fields = _communication(conversation, participant, communication, directed=medium in _LISTS_WITH_DIRECTION)
        answer.setdefault(medium, []).append(fields)
    return without_nulls(answer)


def _communication(
    conversation: Conversation, participant: Participant, communication: Communication, *, directed: bool
) -> dict[str, Any]:
    addresses = conversation.addresses
    message_type = conversation.message_type if communication.media_type == "MESSAGE" else None
    return without_nulls(
        {
            "id": communication.id,
            "state": "connected" if communication.ended is None else "disconnected",
            "direction": conversation.direction.lower() if directed else None,
            "type": message_type.lower() if message_type else None,
            "connectedTime": time_of(communication.started),
            "disconnectedTime": time_of(communication.ended),
            "disconnectType": "peer" if communication.ended else None,
            "subject": addresses.subject if communication.media_type == "EMAIL" else None,
            "callbackNumbers": list(addresses.callback_numbers) if communication.media_type == "CALLBACK" else None,
            "wrapup": _wrapup(participant.wrapup),
            "afterCallWork": without_nulls(
                {
                    "state": communication.acw.value,
                    "startTime": time_of(communication.acw_started),
                    "endTime": time_of(communication.acw_ended),
                }
            ),
            "afterCallWorkRequired": communication.has_acw if participant.user_id else None,
        }
    )


def _wrapup(wrapup: Wrapup | None) -> dict[str, Any] | None:
    if wrapup is None:
        return None
    return without_nulls(
        {
            "code": wrapup.code,
            "notes": wrapup.notes,
            "durationSeconds": wrapup.duration_ms // 1000,
            "endTime": None if wrapup.provisional else time_of(wrapup.ended),
            "provisional": wrapup.provisional,
        }
    )
