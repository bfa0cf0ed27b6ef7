"""The balance: compares all finished after-call work that had to be recorded with all records that were stored.

A record is matched by the conversation, participant and session it names (F38), not by its id, because every client
may form its ids in its own way. One that names no session is matched by conversation, agent and time: two records never
with the same work, and no record with a work further away than two minutes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

_MAX_EXAMPLES = 20
#: How far the time of a record that names no session may be from the end of its after-call work, in milliseconds.
_APART_MS = 120_000


def balance_of(finished: Iterable[Mapping[str, Any]], records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Count expected, stored once, doubled and lost records, and strange ones, which match no after-call work.

    `clean` is true if none is doubled, lost or strange.
    """
    truth = {str(acw["recordKey"]): acw for acw in finished}
    expected = {key for key, acw in truth.items() if acw["expected"]}
    stored: Counter[str] = Counter()
    strange: Counter[str] = Counter()
    nameless: list[Mapping[str, Any]] = []
    for record in records:
        key = _key_of(record)
        if key is None:
            nameless.append(record)
        else:
            (stored if key in truth else strange)[key] += 1
    _match_nameless(nameless, truth, stored, strange)
    doubled = [key for key, times in (stored + strange).items() if times > 1]
    lost = [key for key in truth if key in expected and key not in stored]
    return {
        "expected": len(expected),
        "storedOnce": sum(stored[key] == 1 for key in expected),
        "doubled": len(doubled),
        "lost": len(lost),
        "strange": len(strange),
        "withoutSession": len(nameless),
        "clean": not (doubled or lost or strange),
        "examples": {
            "doubled": doubled[:_MAX_EXAMPLES],
            "lost": lost[:_MAX_EXAMPLES],
            "strange": [*strange][:_MAX_EXAMPLES],
        },
    }


def _match_nameless(
    records: Sequence[Mapping[str, Any]],
    truth: Mapping[str, Mapping[str, Any]],
    stored: Counter[str],
    strange: Counter[str],
) -> None:
    """Count each record that names no session for a work: one without a record, else the nearest; or as strange."""
    works: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for key, acw in truth.items() if records else ():
        works[str(acw["conversationId"]), str(acw["userId"])].append(key)
    near: list[list[str]] = []
    for record in records:
        agent = str(_body(record).get("agentId")).lower()
        apart = {key: _apart(record, truth[key]) for key in works[str(record.get("interactionId")).lower(), agent]}
        near.append(sorted((key for key in apart if apart[key] <= _APART_MS), key=apart.__getitem__))
    taken: dict[str, int] = {}
    unmatched = [number for number in range(len(near)) if not _find_place(number, near, taken, {*stored})]
    stored.update(taken.keys())
    for number in unmatched:
        if near[number]:
            stored[near[number][0]] += 1
        else:
            strange[str(records[number].get("id"))] += 1


def _find_place(number: int, near: Sequence[Sequence[str]], taken: dict[str, int], tried: set[str]) -> bool:
    """Give a record a work that has no other one, for which others may move; False if there is none."""
    for key in near[number]:
        if key not in tried:
            tried.add(key)
            if key not in taken or _find_place(taken[key], near, taken, tried):
                taken[key] = number
                return True
    return False


def _apart(record: Mapping[str, Any], acw: Mapping[str, Any]) -> float:
    """Milliseconds between a record and the end of a work; infinite if the record names another participant."""
    participant = _body(record).get("participantId")
    if participant and str(participant).lower() != acw["participantId"]:
        return float("inf")
    try:
        at = datetime.fromisoformat(str(record.get("communicatedAt"))).timestamp() * 1000
    except ValueError:
        return float("inf")
    return abs(at - float(acw["at"]))


def _key_of(record: Mapping[str, Any]) -> str | None:
    body = _body(record)
    if not body.get("participantId") or not body.get("sessionId"):
        return None
    return f"{record.get('interactionId')}/{body['participantId']}/{body['sessionId']}".lower()


def _body(record: Mapping[str, Any]) -> Mapping[str, Any]:
    body = record.get("body")
    return body if isinstance(body, Mapping) else {}
