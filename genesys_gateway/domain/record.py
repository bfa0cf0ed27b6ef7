"""An after-call work, with the names and the customer that belong to it, becomes a communication record.

Law: pure, and the same inputs always give the same record: every attempt to deliver it sends the same content.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import phonenumbers

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.runtime.clock import isoformat

Record = dict[str, Any]

_CHANNELS = {
    "VOICE": "VOICE",
    "CALLBACK": "VOICE",
    "EMAIL": "EMAIL",
    "CHAT": "CHAT",
    "VIDEO": "VIDEO",
    "COBROWSE": "COBROWSE",
    "SCREENSHARE": "SCREENSHARE",
}
_MESSAGE_CHANNELS = {"SMS": "SMS", "WEBMESSAGING": "APP_CHAT", "OPEN": "APP_CHAT"}
_WORDS = {
    "VOICE": "voice call",
    "CALLBACK": "callback",
    "EMAIL": "e-mail",
    "CHAT": "chat",
    "MESSAGE": "message",
    "VIDEO": "video call",
    "COBROWSE": "co-browsing",
    "SCREENSHARE": "screen share",
}

#: Letters would make the parser dig a number out of an e-mail address or a user name.
_LOOKS_DIALLED = re.compile(r"\+?[\d\s().\-/]{3,}(;[^@]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAttemptFacts:
    """What the record says beyond the event; kept with the entry from its first attempt on."""

    agent_name: str | None = None
    wrapup_name: str | None = None
    #: the registered one
    customer_id: str | None = None

    def to_json(self) -> str:
        """As it is kept beside the event."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "FirstAttemptFacts":
        """What :meth:`to_json` gave."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the bank decides about its records."""

    #: queue id -> domain
    domain_by_queue: Mapping[str, str] = field(default_factory=dict)
    #: two letters; where a phone number without a country code is from
    default_country: str = "PH"


def build(
    record_id: str, event: AcwEvent, source: str, received_at: int, known: FirstAttemptFacts, rules: Rules
) -> Record:
    """The record as CommunicationHistory gets it.

    Args:
        record_id: Of the entry: when two doors brought the same after-call work, the id of the first stands.
        event: The after-call work.
        source: live, backfill or supportResult.
        received_at: Epoch milliseconds; dates the record when the event has no time of its own.
        known: Names and customer.
        rules: Domain and country.
    """
    return {
        "id": record_id,
        "direction": _direction(event),
        "communicatedAt": isoformat(received_at if event.event_time is None else event.event_time),
        "source": "GENESYS",
        "channel": _channel(event),
        "domain": rules.domain_by_queue.get(event.queue_id or "", "OTHER"),
        "customerId": known.customer_id,
        "customerHandle": _handle(event, source, rules.default_country),
        "interactionId": event.conversation_id,
        "purpose": known.wrapup_name or event.wrapup_code or "Unspecified",
        "title": _title(event, known.agent_name),
        "body": _body(event, source, known),
    }


def _body(event: AcwEvent, source: str, known: FirstAttemptFacts) -> Record:
    return {
        "agentId": event.user_id,
        "agentName": known.agent_name or None,
        "wrapUpCode": event.wrapup_code or None,
        "wrapUpName": known.wrapup_name or None,
        "wrapUpNotes": event.wrapup_notes,
        "afterCallWorkMs": event.wrapup_duration_ms,
        "mediaType": event.media_type,
        "messageType": event.message_type,
        "queueId": event.queue_id,
        "participantId": event.participant_id,
        "sessionId": event.session_id,
        "eventSource": source,
    }


def _direction(event: AcwEvent) -> str:
    return "OUTBOUND" if event.direction == "OUTBOUND" else "INBOUND"


def _channel(event: AcwEvent) -> str:
    if event.media_type == "MESSAGE":
        return _MESSAGE_CHANNELS.get(event.message_type or "", "SOCIAL_MEDIA")
    return _CHANNELS.get(event.media_type or "", "OTHER")


def _title(event: AcwEvent, agent_name: str | None) -> str:
    if event.subject and event.subject.strip():
        return event.subject
    what = f"{_direction(event).capitalize()} {_WORDS.get(event.media_type or '', 'interaction')}"
    return f"{what}, handled by {agent_name}" if agent_name else what


def _handle(event: AcwEvent, source: str, country: str) -> str | None:
    address = _customer_address(event, source)
    return _canonical(address, country) if address else None


def _customer_address(event: AcwEvent, source: str) -> str | None:
    if event.media_type == "CALLBACK" and event.callback_numbers and event.callback_numbers[0]:
        return event.callback_numbers[0]
    # A supportResult knows one address only, and calls the customer's ``ani`` in both directions.
    if _direction(event) == "INBOUND" or source == "supportResult":
        return event.ani or event.address_from
    return event.dnis or event.address_to


def _canonical(address: str, country: str) -> str | None:
    """E.164 where it is a phone number, else the address without scheme and SIP host."""
    scheme, colon, rest = address.strip().partition(":")
    if not colon or scheme.lower() not in ("tel", "sip", "sips"):
        bare = address.strip()
    elif scheme.lower() == "tel":
        bare = rest
    else:
        bare = rest.partition("@")[0]
    return _e164(bare, country) or bare or None


def _e164(text: str, country: str) -> str | None:
    if not _LOOKS_DIALLED.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    # Without a country code, an extension such as 1001 would come out as the number +631001, which is nobody's.
    whole = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if not whole and not text.startswith("+"):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
