"""Whether everything arrived: what was announced against what is stored.

Law: pure. A record is matched by the conversation, participant and session it names, whatever its id.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def key_of(record: Mapping[str, Any]) -> str:
    """conversation/participant/session, as the contact centre names an after-call work."""
    body = record["body"]
    return f"{record['interactionId']}/{body['participantId']}/{body['sessionId']}"


def missing(
    announced: Iterable[str], records: Iterable[Mapping[str, Any]], outcomes: Mapping[str, str]
) -> tuple[str, ...]:
    """What is not as it should be, one line each; empty when all is.

    Args:
        announced: Key of every after-call work that was done.
        records: As the communication history holds them.
        outcomes: Conversation to how it ended, e.g. ``logged``, or the state it is in still.
    """
    expected, stored = set(announced), Counter(key_of(record) for record in records)
    lines = [f"no record of after-call work {key}" for key in sorted(expected - stored.keys())]
    lines += [f"{times} records of after-call work {key}" for key, times in sorted(stored.items()) if times > 1]
    lines += [f"a record of what nobody did: {key}" for key in sorted(stored.keys() - expected)]
    lines += [f"conversation {one} is {how}, not logged" for one, how in outcomes.items() if how != "logged"]
    return tuple(lines)
