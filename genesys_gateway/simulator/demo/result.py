"""Compares what the contact centre announced with what CommunicationHistory stored.

Invariant: pure. A record is matched by the conversation, participant and session that it names, whatever its id is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def key_of(record: Mapping[str, Any]) -> str:
    """conversation/participant/session, the name of an after-call work in the contact centre."""
    body = record["body"]
    return f"{record['interactionId']}/{body['participantId']}/{body['sessionId']}"


def problems(
    announced: Iterable[str], records: Iterable[Mapping[str, Any]], outcomes: Mapping[str, str]
) -> tuple[str, ...]:
    """One line for each missing, repeated or unexpected record and each conversation that is not closed as logged.

    Args:
        announced: Key of every finished after-call work.
        records: All records in CommunicationHistory.
        outcomes: Conversation to its outcome, e.g. ``logged``, or to its state if it is not closed yet.
    """
    expected, stored = set(announced), Counter(key_of(record) for record in records)
    lines = [f"no record of after-call work {key}" for key in sorted(expected - stored.keys())]
    lines += [f"{times} records of after-call work {key}" for key, times in sorted(stored.items()) if times > 1]
    lines += [f"a record of an after-call work that was not done: {key}" for key in sorted(stored.keys() - expected)]
    lines += [f"conversation {one} is {how}, not logged" for one, how in outcomes.items() if how != "logged"]
    return tuple(lines)
