"""Builds the analytics details of a conversation (F53 to F56): late, in lower case, and corrected afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from genesys_gateway.simulator.clock import iso
from genesys_gateway.simulator.conversation_answer import time_of, without_nulls
from genesys_gateway.simulator.conversations import Communication, Conversation, Moment, Participant, Wrapup

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
    addresses = conversation.addresses
    message_type = conversation.message_type if communication.media_type == "MESSAGE" else None
    skipped = participant.wrapup_skipped and visible(participant.acw_ended)
    done = participant.final_wrapup if visible(communication.acw_ended) else None
    return without_nulls(
        {
            "sessionId": communication.id,
            "mediaType": communication.media_type.lower(),
            "messageType": message_type.lower() if message_type else None,
            "direction": conversation.direction.lower(),
            "ani": addresses.ani,
            "dnis": addresses.dnis,
            "addressFrom": addresses.address_from,
            "addressTo": addresses.address_to,
            "callbackNumbers": list(addresses.callback_numbers) or None,
            "acwSkipped": True if skipped else None,
            "metrics": [_acw_metric(done)] if done else [],
            "segments": _segments(conversation, participant, communication, visible),
        }
    )


def _segments(
    conversation: Conversation, participant: Participant, communication: Communication, visible: Visible
) -> list[dict[str, Any]]:
    """The talk segment and, once it has begun, the wrap-up segment, which has no end until it is finished (F54)."""
    common = {"queueId": conversation.queue_id, "subject": conversation.addresses.subject, "conference": False}
    ended = communication.ended if visible(communication.ended) else None
    talk = {"segmentType": "interact", "segmentStart": time_of(communication.started), "segmentEnd": time_of(ended)}
    segments = [without_nulls({**common, **talk})]
    if visible(communication.acw_started) and not participant.wrapup_skipped:
        done = participant.final_wrapup if visible(communication.acw_ended) else None
        corrected = participant.correction if participant.correction and visible(participant.correction.ended) else done
        wrapup = {
            "segmentType": "wrapup",
            "segmentStart": time_of(communication.acw_started),
            "segmentEnd": time_of(communication.acw_ended) if done else None,
            # Genesys docs: analytics spell these two names differently from the event (F55).
            "wrapUpCode": corrected.code if done and corrected else None,
            "wrapUpNote": corrected.notes if done and corrected else None,
        }
        segments.append(without_nulls({**common, **wrapup}))
    return segments


def _acw_metric(wrapup: Wrapup) -> dict[str, Any]:
    return {"emitDate": iso(wrapup.ended.wall), "name": "tAcw", "value": wrapup.duration_ms}
