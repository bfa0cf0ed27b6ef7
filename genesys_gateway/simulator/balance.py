"""The balance: compares all finished after-call work that had to be recorded with all records that were stored.

A record is matched by the conversation, participant and session it names (F38), not by its id, because every client
may form its ids in its own way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_MAX_EXAMPLES = 20


def balance_of(finished: Iterable[Mapping[str, Any]], records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Count expected, stored once, doubled and lost records, and strange ones, which match no after-call work.

    `clean` is true if none is doubled, lost or strange.
    """
    truth = {str(acw["recordKey"]): acw for acw in finished}
    expected = {key for key, acw in truth.items() if acw["expected"]}
    stored: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for record in records:
        key = _key_of(record)
        (stored if key in truth else others)[key or str(record.get("id"))] += 1
    doubled = [key for key, times in (stored + others).items() if times > 1]
    lost = [key for key in truth if key in expected and key not in stored]
    # Records from the older trigger name no participant and no session, so they can't be compared.
    strange = [key for key in others if "/" in key]
    return {
        "expected": len(expected),
        "storedOnce": sum(stored[key] == 1 for key in expected),
        "doubled": len(doubled),
        "lost": len(lost),
        "strange": len(strange),
        "withoutSession": len(others) - len(strange),
        "clean": not (doubled or lost or strange),
        "examples": {
            "doubled": doubled[:_MAX_EXAMPLES],
            "lost": lost[:_MAX_EXAMPLES],
            "strange": strange[:_MAX_EXAMPLES],
        },
    }


def _key_of(record: Mapping[str, Any]) -> str | None:
    body = record.get("body")
    if not isinstance(body, Mapping) or not body.get("participantId") or not body.get("sessionId"):
        return None
    return f"{record.get('interactionId')}/{body['participantId']}/{body['sessionId']}".lower()
