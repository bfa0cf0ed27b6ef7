"""Builds the answer of `GET /api/v2/conversations/{id}` (F50 to F52), which has no lag."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from genesys_gateway.simulator.clock import iso
from genesys_gateway.simulator.conversations import (
    Addresses,
    Communication,
    Conversation,
    Moment,
    Participant,
    Wrapup,
)

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
    "SCREENMONITORING": "screenMonitorings",
    "UNKNOWN": "socialExpressions",
}
_TELEPHONE = ("VOICE", "CALLBACK")
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


def known(enum_value: str | None) -> str | None:
    """A value of an enumeration as REST writes it; None for None and for an UNKNOWN direction."""
    return enum_value.lower() if enum_value and enum_value != "UNKNOWN" else None


def _participant(conversation: Conversation, participant: Participant) -> dict[str, Any]:
    agent = participant.user_id is not None
    ends = _ends(conversation, participant)
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
        "address": ends.customers(conversation.direction) if not agent else None,
        "ani": ends.ani,
        "dnis": ends.dnis,
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


def _ends(conversation: Conversation, participant: Participant) -> Addresses:
    """The addresses of a participant. The agent's own end of a call is a telephone (F48)."""
    if participant.number is not None:
        return Addresses(ani=conversation.addresses.dnis, dnis=participant.number)
    if participant.user_id is not None and conversation.media_type in _TELEPHONE:
        return replace(conversation.addresses, dnis=f"sip:{participant.user_id}@localhost")
    return conversation.addresses


def _own(participant: Participant, customer: str | None) -> str | None:
    if participant.user_id is not None:
        return f"sip:{participant.user_id}@localhost"
    return participant.number or customer


def _address(address: str | None) -> dict[str, str] | None:
    return {"addressNormalized": address, "addressRaw": address} if address else None


def _communication(
    conversation: Conversation, participant: Participant, communication: Communication, *, directed: bool
) -> dict[str, Any]:
    addresses = conversation.addresses_for(communication)
    customer = addresses.customers(conversation.direction_for(communication))
    call, message = communication.media_type == "VOICE", communication.media_type == "MESSAGE"
    return without_nulls(
        {
            "id": communication.id,
            "peerId": communication.peer,
            "state": communication.state if communication.ended is None else "disconnected",
            "held": communication.held and communication.ended is None,
            "direction": known(communication.direction) if directed else None,
            # A message without a type has this one here, and none in the event.
            "type": (conversation.message_type or "unknown").lower() if message else None,
            "self": _address(_own(participant, customer)) if call else None,
            "fromAddress": _address(addresses.address_from) if message else None,
            "toAddress": _address(addresses.address_to) if message else None,
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
            "durationSeconds": None if wrapup.early else wrapup.duration_ms // 1000,
            "endTime": None if wrapup.provisional or wrapup.early else time_of(wrapup.ended),
            "provisional": wrapup.provisional,
        }
    )
