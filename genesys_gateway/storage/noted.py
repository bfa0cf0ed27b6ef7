"""Logs what a transaction wrote into timelines, after its commit: a line for each transition of a conversation.

Invariant: a line is logged only after the commit of what it says, and each transition is found by its conversation's
id. Thousands of transitions at once, such as those of a lost channel, share lines: fifty ids in each.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from genesys_gateway.runtime import tracing
from genesys_gateway.runtime.logs import get_logger

log = get_logger(__name__)

#: Maximum number of transitions of a kind in a transaction that get a line each. A line takes about 10 µs.
_EACH = 8
#: Maximum number of ids in a line. With these a line is written as a whole, see LogWriter.
_TOGETHER = 50
#: Where a connection keeps what its transaction noted.
_KEY = "noted in timelines"

#: The field of what follows the record's id in a detail, or of the whole detail.
_FIELDS = {"closed": "outcome", "rejected": "reason", "requeued": "reason"}
#: Events whose detail does not begin with the id of a record.
_WITHOUT_RECORD = frozenset({"closed", "rejected"})
#: Events that are logged by the part that decides them, with more than the timeline holds.
_LOGGED_ELSEWHERE = frozenset({"attempt_failed", "dead", "revealed"})
_STORED = frozenset({"event_stored", "backfilled"})
_ALARMING = frozenset({"rejected", "unknown_to_genesys"})

#: conversation, event and detail of a line in a timeline
Noted = tuple[str, str, str | None]


def begin(connection: Connection) -> None:
    """Collect from now on what this connection's transaction notes. Without it nothing is collected."""
    connection.info[_KEY] = []


def add(connection: Connection, lines: Sequence[Mapping[str, object]]) -> None:
    """Collect lines of timelines, each with ``conversation_id``, ``event`` and ``detail``."""
    noted = connection.info.get(_KEY)
    if noted is not None:
        noted += [(line["conversation_id"], line["event"], line["detail"]) for line in lines]


def count(connection: Connection) -> int:
    """Number of lines that were collected, for :func:`undo`."""
    return len(connection.info.get(_KEY) or ())


def undo(connection: Connection, number: int) -> None:
    """Forget all lines but the first ones: what followed was rolled back."""
    del (connection.info.get(_KEY) or [])[number:]


def take(connection: Connection) -> list[Noted]:
    """Return what was collected, for :func:`write`, and collect nothing any longer."""
    noted: list[Noted] = connection.info.pop(_KEY, [])
    return noted


def write(noted: Sequence[Noted]) -> None:
    """Log transitions that are committed, and have new entries traced."""
    if (tracer := tracing.active()) is not None:
        tracer.stored([(one, detail) for one, event, detail in noted if event in _STORED and detail])
    kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for conversation, event, detail in noted:
        if event not in _LOGGED_ELSEWHERE:
            record, _, more = ("", "", detail or "") if event in _WITHOUT_RECORD else (detail or "").partition(" ")
            kinds.setdefault((event, more), []).append((conversation, record))
    for (event, more), members in kinds.items():
        fields = {_FIELDS.get(event, "detail"): more} if more else {}
        write_line = log.warning if event in _ALARMING else log.info
        if len(members) <= _EACH:
            for conversation, record in members:
                which = {"record": record} if record else {}
                write_line(event, conversation=conversation, **which, **fields)
        else:
            for start in range(0, len(members), _TOGETHER):
                some = members[start : start + _TOGETHER]
                ids = [conversation for conversation, _ in some]
                write_line(event, conversations=len(some), ids=ids, **fields)
