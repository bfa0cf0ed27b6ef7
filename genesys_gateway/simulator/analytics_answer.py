"""Builds the analytics details of a conversation (F53 to F56): late, in lower case, and corrected afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from genesys_gateway.simulator.clock import iso
from genesys_gateway.simulator.conversation_answer import known, time_of, without_nulls
from genesys_gateway.simulator.conversations import (
    Addresses,
    Communication,
    Conversation,
    Moment,
    Participant,
    Wrapup,
)

#: Whether analytics already show what happened at a moment; False for None.
Visible = Callable[[Moment | None], bool]


def visible_after(now_virtual: float, lag_seconds: float) -> Visible:
    """What analytics show now, given their lag: seconds to minutes at Genesys (F56)."""
    return lambda moment: moment is not None and moment.virtual + lag_seconds <= now_virtual


def analytics_answer(conversation: Conversation, visible: Visible) -> dict[str, Any] | None:
    """The details of a conversation; None while analytics don't show it yet."""
    if not visible(conversation.started):
        return None
    direction = "outbound" if conversation.direction == "OUTBOUND" else "inbound"
    return without_nulls(
        {
            "conversationId": conversation.id,
            "conversationStart": time_of(conversation.started),
            "conversationEnd": time_of(conversation.ended) if visible(conversation.ended) else None,
            "originatingDirection": direction,
            "divisionIds": [],
            "participants": [
                _participant(conversation, participant, visible)
                for participant in conversation.participants
                if visible(participant.started)
            ],
        }
    )


def _participant(conversation: Conversation, participant: Participant, visible: Visible) -> dict[str, Any]:
    return without_nulls(
        {
            "participantId": participant.id,
            "participantName": participant.name,
            "userId": participant.user_id,
            "purpose": participant.purpose,
            "sessions": [
                _session(conversation, participant, communication, visible)
                for communication in participant.communications
                if visible(communication.started)
            ],
        }
    )


def _session(
    conversation: Conversation, participant: Participant, communication: Communication, visible: Visible
) -> dict[str, Any]:
    addresses = conversation.addresses_for(communication)
    if participant.number is not None:
        addresses = Addresses(ani=addresses.dnis, dnis=participant.number)
    message_type = conversation.message_type if communication.media_type == "MESSAGE" else None
    skipped = participant.wrapup_skipped and visible(participant.acw_ended)
    wrapups = [wrapup for wrapup in _wrapups(participant, communication, visible) if not wrapup.early]
    return without_nulls(
        {
            "sessionId": communication.id,
            "mediaType": communication.media_type.lower(),
            "messageType": message_type.lower() if message_type else None,
            "peerId": communication.peer,
            "direction": known(communication.direction),
            "ani": addresses.ani,
            "dnis": addresses.dnis,
            "addressFrom": addresses.address_from,
            "addressTo": addresses.address_to,
            "callbackNumbers": list(addresses.callback_numbers) or None,
            "acwSkipped": True if skipped else None,
            "metrics": [_acw_metric(wrapup) for wrapup in wrapups],
            "segments": _segments(conversation, participant, communication, visible),
        }
    )


def _wrapups(participant: Participant, communication: Communication, visible: Visible) -> list[Wrapup]:
    """Those that analytics show as done. A communication of an agent has one, unless the customer wrote again (F47)."""
    if participant.user_id is None:
        return []
    found = [wrapup for wrapup in participant.earlier_wrapups if visible(wrapup.ended)]
    final = participant.final_wrapup if visible(communication.acw_ended) else None
    return [*found, final] if final else found


def _segments(
    conversation: Conversation, participant: Participant, communication: Communication, visible: Visible
) -> list[dict[str, Any]]:
    """The talks and, once it has begun, the after-call work, which has no end until it is finished (F54)."""
    common = {"queueId": conversation.queue_id, "subject": conversation.addresses.subject, "conference": False}
    found: list[dict[str, Any]] = [
        {
            "segmentType": "interact",
            "segmentStart": time_of(start),
            "segmentEnd": time_of(end if visible(end) else None),
        }
        for start, end in communication.talks
        if visible(start)
    ]
    for wrapup in _wrapups(participant, communication, visible):
        found += _wrapup_segments(participant, wrapup, visible)
    going_on = visible(communication.acw_started) and not visible(communication.acw_ended)
    if going_on and not participant.wrapup_skipped:
        found.append({"segmentType": "wrapup", "segmentStart": time_of(communication.acw_started)})
    return [without_nulls({**common, **segment}) for segment in found]


def _wrapup_segments(participant: Participant, wrapup: Wrapup, visible: Visible) -> Iterator[dict[str, Any]]:
    """The wrap-up in its segments, without a gap; code and notes are in the first (F47)."""
    correction = participant.correction if wrapup is participant.wrapup else None
    noted = correction if correction and visible(correction.ended) else wrapup
    parts, start = wrapup.segments, wrapup.started
    for part in range(parts):
        yield {
            "segmentType": "wrapup",
            "segmentStart": iso(start + wrapup.duration_ms * part // parts),
            "segmentEnd": iso(start + wrapup.duration_ms * (part + 1) // parts),
            # Genesys docs: analytics spell these two names differently from the event (F55).
            "wrapUpCode": noted.code if part == 0 else None,
            "wrapUpNote": noted.notes if part == 0 else None,
        }


def _acw_metric(wrapup: Wrapup) -> dict[str, Any]:
    return {"emitDate": iso(wrapup.ended.wall), "name": "tAcw", "value": wrapup.duration_ms}
