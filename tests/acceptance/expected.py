"""The communication record as the contract describes it, computed from an event without code of the gateway."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.harness.judge import record_id

Json = dict[str, Any]

DOMAIN = "OTHER"


def expected_record(
    key: str,
    event: Mapping[str, Any],
    *,
    customer: str | None,
    agent: str | None,
    wrapup: str | None,
    channel: str,
    handle: str | None,
    title: str,
    domain: str = DOMAIN,
    source: str = "live",
) -> Json:
    """Compute the record that has to arrive.

    Args:
        key: conversation/participant/session.
        event: The body of the notification.
        customer: The customer that BOFE named.
        agent: Name of the agent; None if Genesys has none.
        wrapup: Name of the wrap-up code; None if Genesys has none.
        channel: Written by hand in the story, like ``handle`` and ``title``.
    """
    conversation, participant, session = key.split("/")
    code = event.get("wrapupCode")
    return {
        "id": record_id(key),
        "direction": "OUTBOUND" if event.get("direction") == "OUTBOUND" else "INBOUND",
        "communicatedAt": _iso(event["eventTime"]),
        "source": "GENESYS",
        "channel": channel,
        "domain": domain,
        "customerId": customer,
        "customerHandle": handle,
        "interactionId": conversation,
        "purpose": wrapup or code or "Unspecified",
        "title": title,
        "body": {
            "agentId": event.get("userId"),
            "agentName": agent,
            "wrapUpCode": code,
            "wrapUpName": wrapup,
            "wrapUpNotes": event.get("wrapupNotes") or None,
            "afterCallWorkMs": event.get("wrapupDurationMs"),
            "mediaType": _known(event.get("mediaType")),
            "messageType": _known(event.get("messageType")),
            "queueId": event.get("queueId"),
            "participantId": participant,
            "sessionId": session,
            "eventSource": source,
        },
    }


def differences(wanted: Mapping[str, Any], got: Mapping[str, Any], where: str = "") -> list[str]:
    """Describe each field that differs, is missing, or should not be there."""
    found = []
    for name in sorted(wanted.keys() | got.keys()):
        left, right = wanted.get(name, "(no field)"), got.get(name, "(no field)")
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            found += differences(left, right, f"{where}{name}.")
        elif left != right:
            found.append(f"{where}{name}: expected {left!r}, got {right!r}")
    return found


def _known(value: str | None) -> str | None:
    return None if value == "UNKNOWN" else value


def _iso(epoch_ms: int) -> str:
    moment = datetime.fromtimestamp(epoch_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"
