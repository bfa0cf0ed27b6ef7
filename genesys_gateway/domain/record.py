"""Builds the communication record of an after-call work, from the event, the names and the customer.

Invariant: pure, and equal inputs give equal records, so that every attempt sends the same content.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import orjson
import phonenumbers

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.runtime.clock import isoformat

Record = dict[str, Any]

#: Channel of a record, by media type; that of a message depends on its message type.
CHANNELS = {
    "VOICE": "VOICE",
    "CALLBACK": "VOICE",
    "EMAIL": "EMAIL",
    "CHAT": "CHAT",
    "VIDEO": "VIDEO",
    "COBROWSE": "COBROWSE",
    "SCREENSHARE": "SCREENSHARE",
}
#: The same of a message, by message type; of any other type it is SOCIAL_MEDIA.
MESSAGE_CHANNELS = {"SMS": "SMS", "WEBMESSAGING": "APP_CHAT", "OPEN": "APP_CHAT"}
#: Words for a media type in the title of a record.
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

#: A phone number as it is dialled. The library would also find one in an e-mail address or user name with digits.
_LOOKS_DIALLED = re.compile(r"\+?[\d\s().\-/]{3,}(;[^@]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAttemptFacts:
    """The content of a record besides the event: names and customer. The first attempt stores it with the entry."""

    agent_name: str | None = None
    wrapup_name: str | None = None
    #: the customer that the conversation was registered for
    customer_id: str | None = None

    def to_json(self) -> str:
        """The text stored with the entry."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "FirstAttemptFacts":
        """The facts that :meth:`to_json` wrote. Fields that this version does not have are ignored.

        Raises:
            ValueError: The text is no JSON.
            TypeError: It is no object.
        """
        stored = orjson.loads(text)
        if not isinstance(stored, dict):
            raise TypeError("not a JSON object")
        return cls(**{one.name: stored.get(one.name) for one in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The bank's settings for its records."""

    #: domain of a record by the id of its queue
    domain_by_queue: Mapping[str, str] = field(default_factory=dict)
    #: two letters: the country of phone numbers without a country code
    default_country: str = "PH"


def build(
    record_id: str, event: AcwEvent, source: str, received_at: int, known: FirstAttemptFacts, rules: Rules
) -> Record:
    """Build the record for CommunicationHistory.

    Args:
        record_id: Id of the entry. It may differ from the event's own: if a Genesys event and a supportResult report
            the same after-call work, the id of the first report stands.
        event: The after-call work.
        source: live, backfill or supportResult.
        received_at: Epoch milliseconds; the time of the record if the event has none.
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
        "wrapUpNotes": event.wrapup_notes or None,
        "afterCallWorkMs": event.wrapup_duration_ms,
        "mediaType": _known(event.media_type),
        "messageType": _known(event.message_type),
        "queueId": event.queue_id,
        "participantId": event.participant_id,
        "sessionId": event.session_id,
        "eventSource": source,
    }


def _known(value: str | None) -> str | None:
    """An enum value; Genesys's ``UNKNOWN`` says no more than a missing one."""
    return None if value == "UNKNOWN" else value or None


def _direction(event: AcwEvent) -> str:
    return "OUTBOUND" if event.direction == "OUTBOUND" else "INBOUND"


def _channel(event: AcwEvent) -> str:
    if event.media_type == "MESSAGE":
        return MESSAGE_CHANNELS.get(event.message_type or "", "SOCIAL_MEDIA")
    return CHANNELS.get(event.media_type or "", "OTHER")


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
    # A supportResult has only one address: the customer's, named ``ani`` in both directions.
    if _direction(event) == "INBOUND" or source == "supportResult":
        return event.ani or event.address_from
    return event.dnis or event.address_to


def _canonical(address: str, country: str) -> str | None:
    """E.164 for a phone number, else the address without scheme and SIP host."""
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
    # Without this check an extension such as 1001 would become +631001, which is no phone number.
    whole = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if not whole and not text.startswith("+"):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
