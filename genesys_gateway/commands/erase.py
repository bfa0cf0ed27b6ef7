"""``erase``: what is kept of one customer is erased now, while the gateway runs.

Law: the customer's id is neither printed nor logged, and what is not delivered is erased only on an order of its own.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import partial

from genesys_gateway.commands.screen import DONE, NOT_DONE, complain, counted, said_in_json, say, show_json
from genesys_gateway.storage import Connection, database_now
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import customer, erasure
from genesys_gateway.storage.statements.customer import Erased, Undelivered

#: Conversations in one transaction: the lock of a SQLite file is held for that long.
_BATCH = 25


def erase(session: OperatorSession, customer_id: str, *, even_undelivered: bool, as_json: bool) -> int:
    """Erase it all, or nothing while something is undelivered; 1 when nothing was there or something is left."""
    waiting = session.read(lambda connection: customer.undelivered(connection, customer_id))
    if waiting and not even_undelivered:
        erased, frames, wiped = Erased(left=tuple(waiting)), 0, True
    else:
        erased = _erase_conversations(session, customer_id, even_undelivered=even_undelivered)
        frames = _erase_frames(session, erased.conversations)
        wiped = session.wipe_log()
    if as_json:
        show_json(_json(erased, frames, wiped=wiped))
    else:
        _tell(erased, frames, wiped=wiped)
    return DONE if erased.conversations and not erased.left else NOT_DONE


def _erase_conversations(session: OperatorSession, customer_id: str, *, even_undelivered: bool) -> Erased:
    def batch(connection: Connection, ids: Sequence[str]) -> Erased:
        return customer.erase(
            connection, customer_id, ids, even_undelivered=even_undelivered, now=database_now(connection)
        )

    ids = session.read(lambda connection: customer.conversations_of(connection, customer_id))
    portions = [ids[n : n + _BATCH] for n in range(0, len(ids), _BATCH)]
    batches = [session.write(partial(batch, ids=portion)) for portion in portions]
    return Erased(**{f.name: tuple(x for one in batches for x in getattr(one, f.name)) for f in fields(Erased)})


def _erase_frames(session: OperatorSession, conversation_ids: Sequence[str]) -> int:
    numbers = session.read(lambda connection: customer.frames_naming(connection, conversation_ids))
    portions = [numbers[n : n + _BATCH] for n in range(0, len(numbers), _BATCH)]
    return sum(session.write(partial(erasure.drop_frames, numbers=portion)) for portion in portions)


def _json(erased: Erased, frames: int, *, wiped: bool) -> dict[str, object]:
    return {
        "conversations": list(erased.conversations),
        "followed": list(erased.followed),
        "records": list(erased.records),
        "frames": frames,
        "givenUp": [said_in_json(asdict(one)) for one in erased.given_up],
        "left": [said_in_json(asdict(one)) for one in erased.left],
        "logWiped": wiped,
    }


def _tell(erased: Erased, frames: int, *, wiped: bool) -> None:
    if erased.conversations:
        conversations = counted(len(erased.conversations), "conversation")
        records = counted(len(erased.records), "record")
        say(f"Erased: {conversations}, {records}, {counted(frames, 'frame')} in quarantine.")
    elif not erased.left:
        complain("Nothing is kept of this customer.")
    if erased.followed:
        say(f"Followed still: {len(erased.followed)} of them; their records to come will have no customer.")
    if erased.given_up:
        say("Given up for ever; one that may be there may have reached CommunicationHistory:", *_named(erased.given_up))
    if erased.left:
        done = "Not everything" if erased.conversations else "Nothing"
        complain(
            f"{done} was erased. These records of the customer are not in CommunicationHistory yet:",
            *_named(erased.left),
            "Repeat this when they are delivered (dead ones: dead-letters requeue), or give them up for ever with"
            " --even-undelivered.",
        )
    if not wiped:
        complain("The database's log was in use and holds traces until the gateway writes over it. Repeat to wipe it.")


def _named(records: Sequence[Undelivered]) -> list[str]:
    return [
        f"  {one.id} ({one.state}{', may be there' if one.in_doubt else ''}) of interaction {one.conversation_id}"
        for one in records
    ]
