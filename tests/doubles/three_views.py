"""One conversation as Genesys shows it in its event, in the live view and in analytics."""

from dataclasses import dataclass
from typing import Any

import orjson

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
TALK_START, ENDED, ACW_END = "2026-11-22T10:00:00.000Z", "2026-11-22T10:05:00.000Z", "2026-11-22T10:05:43.250Z"
EVENT_TIME, DURATION_MS = 1_795_341_943_250, 43_250

PHONE, BANK = "tel:+639171234567", "tel:+63288887777"
MAIL, BANK_MAIL = "juana@example.ph", "bank@example.ph"
#: Where the live view has the legs of a medium.
LISTS = {
    "VOICE": "calls",
    "CALLBACK": "callbacks",
    "CHAT": "chats",
    "EMAIL": "emails",
    "MESSAGE": "messages",
    "COBROWSE": "cobrowsesessions",
    "SCREENSHARE": "screenshares",
    "VIDEO": "videos",
    "UNKNOWN": "socialExpressions",
}
_TELEPHONE, _WRITTEN = ("VOICE", "CALLBACK"), ("EMAIL", "MESSAGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the three views are about."""

    media: str
    #: inbound; manual: dialled by the agent; campaign: dialled for the agent; unknown: nobody says
    dialling: str
    #: purpose of the customer's participant; "customer+external" with a third person, who is named first
    who: str = "customer"
    #: whether the agent's leg names the customer's
    peer: bool = True
    #: where the live view has the customer's address: the participant, its leg, or only as the end of that leg
    where: str = "participant"
    message_type: str | None = None
    subject: str | None = None
    queue: str | None = "9a58c219-a109-4a46-a1af-dd8303f12a5a"
    code: str | None = "7fb334b0-0e9e-11e4-9191-0800200c9a66"
    notes: str | None = "asked about an invoice"
    callback_numbers: tuple[str, ...] | None = None

    @property
    def outbound(self) -> bool:
        return self.dialling in ("manual", "campaign")

    @property
    def direction(self) -> str | None:
        """What the customer's leg says."""
        return None if self.dialling == "unknown" else "outbound" if self.outbound else "inbound"

    @property
    def agents_direction(self) -> str | None:
        """What the agent's leg says: a campaign's call comes in for the agent."""
        return "inbound" if self.dialling == "campaign" else self.direction

    @property
    def ends(self) -> dict[str, str]:
        """The addresses, by the names that events and analytics have for them."""
        if self.media in _TELEPHONE:
            ends, names = (PHONE, BANK), ("ani", "dnis")
        elif self.media in _WRITTEN:
            ends, names = (MAIL, BANK_MAIL), ("addressFrom", "addressTo")
        else:
            return {}
        return dict(zip(names, reversed(ends) if self.outbound else ends, strict=True))

    @property
    def address(self) -> str | None:
        """The customer's own."""
        return PHONE if self.media in _TELEPHONE else MAIL if self.media in _WRITTEN else None


def event(case: Case) -> bytes:
    """The notification, as a frame."""
    body = {
        "eventTime": EVENT_TIME,
        "conversationId": CONVERSATION,
        "participantId": "participant-1",
        "sessionId": "session-1",
        "userId": "user-1",
        "mediaType": case.media,
        "direction": (case.direction or "UNKNOWN").upper(),
        "messageType": case.message_type,
        **case.ends,
        "callbackNumbers": case.callback_numbers,
        "subject": case.subject,
        "queueId": case.queue,
        "wrapupCode": case.code,
        "wrapupNotes": case.notes,
        "wrapupDurationMs": DURATION_MS,
    }
    topic = f"v2.detail.events.conversation.{CONVERSATION}.acw"
    return orjson.dumps({"topicName": topic, "version": "2", "eventBody": _stated(body)})


def live_view(case: Case) -> bytes:
    """The answer of ``GET /api/v2/conversations/{id}``."""
    legs = LISTS[case.media]
    agents_leg = {
        "id": "session-1",
        "peerId": "leg-1" if case.peer else None,
        "state": "disconnected",
        "direction": case.agents_direction,
        # Of a message without a type the live view says so; an event has no such field.
        "type": (case.message_type or "unknown").lower() if case.media == "MESSAGE" else None,
        "subject": case.subject,
        "callbackNumbers": case.callback_numbers,
        "afterCallWork": {"state": "complete", "startTime": ENDED, "endTime": ACW_END},
    }
    agent = {
        "id": "participant-1",
        "userId": "user-1",
        "purpose": "agent",
        "queueId": case.queue,
        # The agent's own end of a call: a telephone.
        **({"ani": BANK, "dnis": "sip:5f2885408f05c815b2b570e8@localhost"} if case.media == "VOICE" else {}),
        "wrapupRequired": True,
        "wrapup": _stated({"code": case.code, "notes": case.notes, "durationSeconds": 43, "endTime": ACW_END}),
        legs: [_stated(agents_leg)],
    }
    others = [_live_customer(case, legs)]
    if case.who == "customer+external":
        third = {"id": "leg-2", "peerId": "session-1", "direction": "outbound"}
        others.insert(
            0, {"id": "third", "purpose": "external", "ani": BANK, "dnis": "tel:+639990000000", legs: [third]}
        )
    participants = [*others, {"id": "queue", "purpose": "acd"}, _stated(agent)]
    return orjson.dumps({"id": CONVERSATION, "endTime": ENDED, "participants": participants})


def _live_customer(case: Case, legs: str) -> dict[str, Any]:
    leg: dict[str, Any] = {"id": "leg-1", "direction": case.direction, "state": "disconnected"}
    participant: dict[str, Any] = {"id": "customer-1", "purpose": case.who.partition("+")[0]}
    ends = case.ends
    if case.where == "end":
        leg["self"] = {"addressNormalized": case.address, "addressRaw": "raw"} if case.address else None
    elif "addressFrom" in ends and case.where == "leg":
        leg["fromAddress"] = {"addressNormalized": ends["addressFrom"]}
        leg["toAddress"] = {"addressRaw": ends["addressTo"]}
    elif "addressFrom" in ends:
        participant["address"] = case.address
    else:
        (leg if case.where == "leg" else participant).update(ends)
    return _stated({**participant, legs: [_stated(leg)]})


def analytics(case: Case) -> bytes:
    """The answer of ``GET /api/v2/analytics/conversations/{id}/details``."""
    talk = {"segmentType": "interact", "segmentStart": TALK_START, "segmentEnd": ENDED}
    wrapup = {"segmentType": "wrapup", "segmentStart": ENDED, "segmentEnd": ACW_END}
    noted = {"wrapUpCode": case.code, "wrapUpNote": case.notes}
    common = _stated({"queueId": case.queue, "subject": case.subject})
    shared = {"mediaType": case.media.lower(), "messageType": case.message_type and case.message_type.lower()}
    agents_session = {
        **shared,
        "sessionId": "session-1",
        "peerId": "leg-1" if case.peer else None,
        "direction": case.agents_direction,
        **case.ends,
        "callbackNumbers": case.callback_numbers,
        "metrics": [{"name": "tAcw", "value": DURATION_MS}],
        "segments": [{**talk, **common}, _stated({**wrapup, **noted, **common})],
    }
    customers_session = {
        **shared,
        "sessionId": "leg-1",
        "direction": case.direction,
        **case.ends,
        "segments": [talk],
    }
    agent = {"participantId": "participant-1", "userId": "user-1", "purpose": "agent"}
    customer = {"participantId": "customer-1", "purpose": case.who.partition("+")[0]}
    participants = [
        {**customer, "sessions": [_stated(customers_session)]},
        {**agent, "sessions": [_stated(agents_session)]},
    ]
    if case.who == "customer+external":
        third = {"sessionId": "leg-2", "mediaType": shared["mediaType"], "direction": "outbound", "dnis": "tel:+639990"}
        participants.insert(0, {"participantId": "third", "purpose": "external", "sessions": [third]})
    answer = {
        "conversationId": CONVERSATION,
        "conversationStart": TALK_START,
        "conversationEnd": ENDED,
        "originatingDirection": "outbound" if case.outbound else "inbound",
        "participants": participants,
    }
    return orjson.dumps(answer)


def _stated(values: dict[str, Any]) -> dict[str, Any]:
    """Genesys leaves out what it has no value for."""
    return {name: value for name, value in values.items() if value is not None}
