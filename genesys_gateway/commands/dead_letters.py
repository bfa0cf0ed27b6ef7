"""``dead-letters``: records that were given up are listed, shown, and sent on their way again.

Law: what a record says is hidden unless the person asks to see it; what is not known to be harmless is hidden too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from genesys_gateway.commands.screen import (
    DONE,
    NOT_DONE,
    complain,
    counted,
    indented,
    said_in_json,
    say,
    show_json,
    table,
)
from genesys_gateway.runtime.clock import isoformat
from genesys_gateway.storage import Connection, database_now
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import dead_letters, inspection
from genesys_gateway.storage.statements.dead_letters import DeadLetter
from genesys_gateway.storage.statements.outbox import DEAD

#: What stands for something hidden.
HIDDEN = "•••"
#: Fields of an event that tell nothing about a person.
_HARMLESS = frozenset(
    {
        "conversation_id",
        "participant_id",
        "session_id",
        "user_id",
        "event_time",
        "media_type",
        "message_type",
        "direction",
        "queue_id",
        "wrapup_code",
        "wrapup_duration_ms",
    }
)
#: Records requeued in one transaction: the lock of a SQLite file is held for that long.
_PORTION = 100
#: More than anybody has.
_ALL = 1_000_000


def list_dead(session: OperatorSession, reason: str | None, *, limit: int, as_json: bool) -> int:
    """Show what is dead, oldest first."""
    found = session.read(lambda connection: dead_letters.dead_letters(connection, limit=limit, reason=reason))
    counts = session.read(dead_letters.reasons)
    if as_json:
        show_json([said_in_json(asdict(one)) for one in found])
        return DONE
    if not found:
        say("Nothing is dead." if reason is None else f"Nothing is dead for the reason: {reason}")
        return DONE
    head = ("RECORD", "INTERACTION", "STORED", "ATTEMPTS", "REASON", "LAST ERROR")
    say(*table(head, [_row(one) for one in found]), "")
    total = sum(counts.values()) if reason is None else counts.get(reason, 0)
    say(f"{len(found)} of {total} shown." if len(found) < total else f"{total} in all.")
    return DONE


def _row(one: DeadLetter) -> Sequence[object]:
    return one.id, one.conversation_id, isoformat(one.stored_at), one.attempt, one.reason, one.last_error or "-"


def show(session: OperatorSession, record_id: str, *, reveal: bool, as_json: bool) -> int:
    """Show one dead record."""
    record = session.read(lambda connection: inspection.record_content(connection, record_id))
    if record is None:
        return complain(f"There is no record {record_id}.", code=NOT_DONE)
    if record.facts.state != DEAD:
        advice = f"python -m genesys_gateway why {record.conversation_id}"
        return complain(f"{record_id} is {record.facts.state}, not dead; see: {advice}", code=NOT_DONE)
    facts = said_in_json({"conversation_id": record.conversation_id, **asdict(record.facts)})
    parts = {"event": record.content, "amended": record.amended_content, "names": record.names}
    content = {name: _shown(text, reveal=reveal) for name, text in parts.items()}
    if as_json:
        show_json(facts | {"content": content})
        return DONE
    say(f"Record {record_id}", *indented(facts))
    for name, values in content.items():
        say(f"{name}:", *(["  nothing"] if values is None else indented(values)))
    if not reveal:
        say("", f"{HIDDEN} is personal; --reveal shows it.")
    return DONE


def _shown(text: str | None, *, reveal: bool) -> dict[str, Any] | None:
    if text is None:
        return None
    return said_in_json({k: v if reveal or not v or k in _HARMLESS else HIDDEN for k, v in _parts(text).items()})


def _parts(text: str) -> Mapping[str, Any]:
    try:
        parts = json.loads(text)
    except ValueError:
        parts = None
    # An entry may be dead for the very reason that nobody can read it.
    return parts if isinstance(parts, dict) else {"unreadable": text}


def requeue(session: OperatorSession, record_id: str, *, as_json: bool) -> int:
    """Send one on its way again."""
    return _requeued(session, [record_id], f"{record_id} is not dead, or its content was erased.", as_json=as_json)


def requeue_many(session: OperatorSession, reason: str | None, *, as_json: bool) -> int:
    """Send on their way again all that are dead now for that reason, or for any."""
    # The list is made once: what is refused again meanwhile would be requeued for ever.
    found = session.read(lambda connection: dead_letters.dead_letters(connection, limit=_ALL, reason=reason))
    return _requeued(session, [one.id for one in found], "Nothing that is dead could be requeued.", as_json=as_json)


def _requeued(session: OperatorSession, record_ids: Sequence[str], otherwise: str, *, as_json: bool) -> int:
    portions = [record_ids[n : n + _PORTION] for n in range(0, len(record_ids), _PORTION)]
    count = sum(session.write(partial(_requeue, record_ids=portion)) for portion in portions)
    if as_json:
        show_json({"requeued": count})
    elif count:
        say(f"{counted(count, 'record')} requeued; a running gateway sends them in a moment.")
    else:
        complain(otherwise)
    return DONE if count else NOT_DONE


def _requeue(connection: Connection, record_ids: Sequence[str]) -> int:
    return dead_letters.requeue(connection, record_ids, now=database_now(connection))
