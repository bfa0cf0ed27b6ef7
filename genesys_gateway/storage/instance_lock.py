"""The advisory lock of each instance on PostgreSQL: as long as it is held, the process of the instance lives.

Invariant: the session of the instance's own connection holds it, so the server frees it when that process ends. It may
be free for a moment although the process lives, after the server has ended the session.
"""

from sqlalchemy import Connection, text

#: The first number distinguishes these locks from other advisory locks; the second is a hash of the instance's id.
_NUMBERS = "1416053551, hashtext(:instance)"

_TAKE = text(f"SELECT pg_try_advisory_lock({_NUMBERS})")
_TAKE_FOR_TRANSACTION = text(f"SELECT pg_try_advisory_xact_lock({_NUMBERS})")

#: Condition in SQL: the lock of the instance in this row of the table ``instance`` is held. The server shows the second
#: number without its sign.
HELD = (
    "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = 1416053551 AND objid = (hashtext(instance.id)::bigint & 4294967295)::oid)"
)


def take(connection: Connection, instance_id: str) -> bool:
    """Take the lock for the session of this connection. Returns whether the session has it now."""
    return bool(connection.execute(_TAKE, {"instance": instance_id}).scalar_one())


def free_all(connection: Connection) -> None:
    """Free every advisory lock of the session."""
    connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")


def is_free(connection: Connection, instance_id: str) -> bool:
    """Whether nobody holds the lock. If so, nobody can take it until the end of this transaction."""
    return bool(connection.execute(_TAKE_FOR_TRANSACTION, {"instance": instance_id}).scalar_one())
