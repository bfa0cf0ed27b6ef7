"""The order of locks: a transaction about one conversation may wait, and one about several never does (ADR 0025).

A transaction about one conversation takes the lock of the conversation, then its row, then its entries. It may wait for
each. A transaction about several takes what is free and comes back for the rest. So a transaction that waits holds
nothing of another conversation, and no two transactions wait for each other.

SQLite needs none of these locks, because it has one writer at a time.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, Executable, String, and_, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from genesys_gateway.storage.tables import conversation, entry

# The first number distinguishes these locks from other advisory locks; the second is a hash of the conversation's id.
_HOLD = text("SELECT pg_advisory_xact_lock(1416053550, hashtext(:one))")
_HOLD_FREE = text(
    "SELECT one FROM unnest(CAST(:ids AS text[])) AS one WHERE pg_try_advisory_xact_lock(1416053550, hashtext(one))"
)
_IDS = bindparam("ids", type_=ARRAY(String))
_ROWS = select(conversation.c.id).where(conversation.c.id == any_(_IDS))
#: Conflicts with every other change of the row, but not with the claim of an entry, which keeps only its customer.
_FREE_ROWS = _ROWS.with_for_update(skip_locked=True, key_share=True)
_ENTRIES = select(entry.c.id).where(entry.c.id == any_(_IDS))
_FREE_ENTRIES = _ENTRIES.with_for_update(skip_locked=True)


def hold(connection: Connection, conversation_id: str) -> None:
    """Take the lock of a conversation until the end of this transaction, waiting for it. A repetition does nothing.

    Every transaction that stores an after-call work of a conversation holds its lock, and so does one that closes or
    deletes the conversation. Otherwise two reports of the same work, stored at the same moment, would not find each
    other.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_HOLD, {"one": conversation_id})


def hold_free(connection: Connection, conversation_ids: Collection[str]) -> set[str]:
    """Take the locks of those conversations that no other transaction holds, without waiting, and return their ids."""
    if connection.dialect.name != "postgresql" or not conversation_ids:
        return set(conversation_ids)
    return set(connection.execute(_HOLD_FREE, {"ids": list(conversation_ids)}).scalars())


def busy_rows(connection: Connection, conversation_ids: Collection[str]) -> set[str]:
    """Lock the rows of conversations without waiting, and return the ids of those that others have locked.

    A conversation without a row is not busy.
    """
    return _busy(connection, _FREE_ROWS, _ROWS, conversation_ids)


def busy_entries(connection: Connection, record_ids: Collection[str]) -> set[str]:
    """Lock entries without waiting, and return the ids of those that others have locked."""
    return _busy(connection, _FREE_ENTRIES, _ENTRIES, record_ids)


def not_locked(
    connection: Connection, key: ColumnElement[str], *conditions: ColumnElement[bool]
) -> ColumnElement[bool]:
    """These conditions for a statement that changes rows; on PostgreSQL only of rows that no one else has locked."""
    if connection.dialect.name != "postgresql":
        return and_(*conditions)
    return key.in_(select(key).where(*conditions).with_for_update(skip_locked=True))


def _busy(connection: Connection, free: Executable, all_rows: Executable, ids: Collection[str]) -> set[str]:
    if connection.dialect.name != "postgresql" or not ids:
        return set()
    locked = set(connection.execute(free, {"ids": list(ids)}).scalars())
    if len(locked) == len(ids):
        return set()
    return set(connection.execute(all_rows, {"ids": [one for one in ids if one not in locked]}).scalars())
