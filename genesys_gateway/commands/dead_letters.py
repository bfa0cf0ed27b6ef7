"""``dead-letters``: lists, shows and requeues records that were given up.

Invariant: personal content is hidden unless the operator asks for it; a field that is not known to be harmless counts
as personal.
"""

import getpass
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from genesys_gateway.commands.output import (
    DONE,
    NOT_DONE,
    counted,
    indented,
    print_error,
    print_json,
    print_lines,
    table,
)
from genesys_gateway.oversight.account import json_fields
from genesys_gateway.oversight.records import note_reveal
from genesys_gateway.runtime.clock import isoformat
from genesys_gateway.storage import Connection, database_now
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import dead_letters, inspection
from genesys_gateway.storage.statements.dead_letters import DeadLetter, Requeued
from genesys_gateway.storage.statements.outbox import DEAD

#: Printed in place of a hidden value.
HIDDEN = "•••"
#: Fields of an event that hold no personal data.
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
#: Maximum number of records requeued in one transaction. A SQLite file is locked for that long.
_BATCH_SIZE = 100
#: Maximum number of records that ``requeue --all`` reads; more than any database is expected to hold.
_ALL = 1_000_000


def list_dead(session: OperatorSession, reason: str | None, *, limit: int, as_json: bool) -> int:
    """Print the dead records, oldest first."""
    found = session.read(lambda connection: dead_letters.dead_letters(connection, limit=limit, reason=reason))
    counts = session.read(dead_letters.reasons)
    if as_json:
        print_json([json_fields(asdict(one)) for one in found])
        return DONE
    if not found:
        print_lines("Nothing is dead." if reason is None else f"Nothing is dead for the reason: {reason}")
        return DONE
    head = ("RECORD", "INTERACTION", "STORED", "ATTEMPTS", "REASON", "LAST ERROR")
    print_lines(*table(head, [_row(one) for one in found]), "")
    total = sum(counts.values()) if reason is None else counts.get(reason, 0)
    print_lines(f"{len(found)} of {total} shown." if len(found) < total else f"{total} in all.")
    return DONE


def _row(one: DeadLetter) -> Sequence[object]:
    return one.id, one.conversation_id, isoformat(one.stored_at), one.attempt, one.reason, one.last_error or "-"


def show(session: OperatorSession, record_id: str, *, reveal: bool, as_json: bool) -> int:
    """Print one dead record, personal content only with ``reveal``, which is noted in the timeline."""
    record = session.read(lambda connection: inspection.record_content(connection, record_id))
    if record is None:
        return print_error(f"There is no record {record_id}.", code=NOT_DONE)
    if record.facts.state != DEAD:
        advice = f"python -m genesys_gateway why {record.conversation_id}"
        return print_error(f"{record_id} is {record.facts.state}, not dead; see: {advice}", code=NOT_DONE)
    if reveal:
        session.write(partial(note_reveal, record_id=record_id, by=_user()))
    facts = json_fields({"conversation_id": record.conversation_id, **asdict(record.facts)})
    parts = {"event": record.content, "amended": record.amended_content, "names": record.names}
    content = {name: _masked(text, reveal=reveal) for name, text in parts.items()}
    if as_json:
        print_json(facts | {"content": content})
        return DONE
    print_lines(f"Record {record_id}", *indented(facts))
    for name, values in content.items():
        print_lines(f"{name}:", *(["  nothing"] if values is None else indented(values)))
    if not reveal:
        print_lines("", f"{HIDDEN} is personal; --reveal shows it.")
    return DONE


def _user() -> str:
    """Who runs this command, for the timeline."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may have no name for its user
        name = str(os.getuid())
    return f"user {name.encode('ascii', 'replace').decode()}"


def _masked(text: str | None, *, reveal: bool) -> dict[str, Any] | None:
    if text is None:
        return None
    return json_fields({k: v if reveal or not v or k in _HARMLESS else HIDDEN for k, v in _load(text).items()})


def _load(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    # An entry may be dead because its content can't be read.
    return values if isinstance(values, dict) else {"unreadable": text}


def requeue(session: OperatorSession, record_id: str, *, as_json: bool) -> int:
    """Requeue one dead record."""
    return _requeue_in_batches(
        session, [record_id], f"{record_id} is not dead, or its content was erased.", as_json=as_json
    )


def requeue_many(session: OperatorSession, reason: str | None, *, as_json: bool) -> int:
    """Requeue all records that are dead now, only those dead for ``reason`` unless it is None."""
    # Read the list once: otherwise a record that is refused again meanwhile would be requeued for ever.
    found = session.read(lambda connection: dead_letters.dead_letters(connection, limit=_ALL, reason=reason))
    return _requeue_in_batches(
        session, [one.id for one in found], "Nothing that is dead could be requeued.", as_json=as_json
    )


def _requeue_in_batches(session: OperatorSession, record_ids: Sequence[str], if_none: str, *, as_json: bool) -> int:
    batches = [record_ids[n : n + _BATCH_SIZE] for n in range(0, len(record_ids), _BATCH_SIZE)]
    done = [session.write(partial(_requeue_batch, record_ids=batch)) for batch in batches]
    # A transaction about one record may wait for its lock.
    late = [session.write(partial(_requeue_one, record_id=busy)) for one in done for busy in one.busy]
    count = sum(one.count for one in done) + sum(late)
    if as_json:
        print_json({"requeued": count})
    elif count:
        print_lines(f"{counted(count, 'record')} requeued; a running gateway sends them in a moment.")
    else:
        print_error(if_none)
    return DONE if count else NOT_DONE


def _requeue_batch(connection: Connection, record_ids: Sequence[str]) -> Requeued:
    return dead_letters.requeue_many(connection, record_ids, now=database_now(connection), why=_by_command())


def _requeue_one(connection: Connection, record_id: str) -> bool:
    return dead_letters.requeue(connection, record_id, now=database_now(connection), why=_by_command())


def _by_command() -> str:
    return f"by hand on the command line, {_user()}"
