"""``erase``: erases the data of one customer or interaction now, while the gateway runs.

Invariant: the customer's id is neither printed nor logged, and undelivered records are erased only with
``--even-undelivered``.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import partial

from genesys_gateway.commands.output import DONE, NOT_DONE, counted, print_error, print_json, print_lines
from genesys_gateway.oversight.account import json_fields
from genesys_gateway.storage import Connection, database_now
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import customer, erasure
from genesys_gateway.storage.statements.customer import Erased, Undelivered

#: Maximum number of conversations, or of frames, erased in one transaction. A SQLite file is locked for that long.
_BATCH_SIZE = 25


def erase(session: OperatorSession, customer_id: str, *, even_undelivered: bool, as_json: bool) -> int:
    """Erase everything of the customer, or nothing while a record is undelivered and ``even_undelivered`` is false.

    Returns:
        0, or 1 when there was nothing to erase or something is left.
    """
    undelivered = session.read(lambda connection: customer.undelivered(connection, customer_id))
    if undelivered and not even_undelivered:
        erased, frames, wiped = Erased(left=tuple(undelivered)), 0, True
    else:
        erased = _erase_conversations(session, customer_id, even_undelivered=even_undelivered)
        frames = _erase_frames(session, erased.conversations)
        wiped = session.wipe_log()
    return _tell(erased, frames, wiped=wiped, of="customer", as_json=as_json)


def erase_interaction(session: OperatorSession, conversation_id: str, *, even_undelivered: bool, as_json: bool) -> int:
    """Erase one interaction, registered or not; nothing while a record is undelivered, unless ``even_undelivered``.

    Returns:
        0, or 1 when there was nothing to erase or something is left.
    """

    def job(connection: Connection) -> Erased:
        return customer.erase_interaction(
            connection, conversation_id, even_undelivered=even_undelivered, now=database_now(connection)
        )

    erased = session.write(job)
    frames = _erase_frames(session, erased.conversations)
    return _tell(erased, frames, wiped=session.wipe_log(), of="interaction", as_json=as_json)


def _tell(erased: Erased, frames: int, *, wiped: bool, of: str, as_json: bool) -> int:
    if as_json:
        print_json(_json(erased, frames, wiped=wiped))
    else:
        _print_report(erased, frames, wiped=wiped, of=of)
    return DONE if erased.conversations and not erased.left else NOT_DONE


def _erase_conversations(session: OperatorSession, customer_id: str, *, even_undelivered: bool) -> Erased:
    def erase_batch(connection: Connection, ids: Sequence[str]) -> Erased:
        return customer.erase(
            connection, customer_id, ids, even_undelivered=even_undelivered, now=database_now(connection)
        )

    ids = session.read(lambda connection: customer.conversations_of(connection, customer_id))
    batches = [ids[n : n + _BATCH_SIZE] for n in range(0, len(ids), _BATCH_SIZE)]
    erased = [session.write(partial(erase_batch, ids=batch)) for batch in batches]
    # A transaction about one conversation may wait for its lock.
    erased += [session.write(partial(erase_batch, ids=[busy])) for one in erased for busy in one.busy]
    return Erased(**{f.name: tuple(x for one in erased for x in getattr(one, f.name)) for f in fields(Erased)})


def _erase_frames(session: OperatorSession, conversation_ids: Sequence[str]) -> int:
    numbers = session.read(lambda connection: customer.frames_naming(connection, conversation_ids))
    batches = [numbers[n : n + _BATCH_SIZE] for n in range(0, len(numbers), _BATCH_SIZE)]
    return sum(session.write(partial(erasure.drop_frames, numbers=batch)) for batch in batches)


def _json(erased: Erased, frames: int, *, wiped: bool) -> dict[str, object]:
    return {
        "conversations": list(erased.conversations),
        "followed": list(erased.followed),
        "records": list(erased.records),
        "frames": frames,
        "givenUp": [json_fields(asdict(one)) for one in erased.given_up],
        "left": [json_fields(asdict(one)) for one in erased.left],
        "logWiped": wiped,
    }


def _print_report(erased: Erased, frames: int, *, wiped: bool, of: str) -> None:
    if erased.conversations:
        conversations = counted(len(erased.conversations), "conversation")
        records = counted(len(erased.records), "record")
        print_lines(f"Erased: {conversations}, {records}, {counted(frames, 'frame')} in quarantine.")
    elif not erased.left:
        print_error(f"Nothing is kept of this {of}.")
    if erased.followed:
        print_lines(f"Followed still: {len(erased.followed)} of them; their records to come will have no customer.")
    if erased.given_up:
        print_lines(
            "Given up for ever; a record marked 'may be there' may have reached CommunicationHistory:",
            *_record_lines(erased.given_up),
        )
    if erased.left:
        done = "Not everything" if erased.conversations else "Nothing"
        print_error(
            f"{done} was erased. These records of the customer are not in CommunicationHistory yet:",
            *_record_lines(erased.left),
            "Repeat this when they are delivered (dead ones: dead-letters requeue), or give them up for ever with"
            " --even-undelivered.",
        )
    if not wiped:
        print_error(
            "The database's log was in use and holds traces until the gateway writes over it. Repeat this to wipe it."
        )


def _record_lines(records: Sequence[Undelivered]) -> list[str]:
    return [
        f"  {one.id} ({one.state}{', may be there' if one.in_doubt else ''}) of interaction {one.conversation_id}"
        for one in records
    ]
