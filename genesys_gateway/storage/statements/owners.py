"""Says of which instances it is certain that their sockets are open as they reported.

Invariant: a conversation is shown as subscribed only if it is certain of its owner. An instance of the release before,
whose ``client`` is null, is judged by its lease alone.
"""

from sqlalchemy import Boolean, Connection, Select, bindparam, literal_column, select

from genesys_gateway.storage import instance_lock
from genesys_gateway.storage.tables import instance

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)"

#: The lease was renewed within two thirds of it, and the process lives.
_CERTAIN = (
    f"CASE WHEN instance.client IS NULL THEN instance.lease_until > {_NOW}"
    f" ELSE instance.ended_at IS NULL AND {_NOW} < instance.renewed_at"
    f" + instance.lease_ms * 2 / 3 AND {instance_lock.HELD} END"
)
_IS_CERTAIN = select(literal_column(_CERTAIN, Boolean)).where(instance.c.id == bindparam("instance"))

#: The ids of these instances, for a statement on PostgreSQL.
CERTAIN: Select[tuple[str]] = select(instance.c.id).where(literal_column(_CERTAIN, Boolean))


def certain(connection: Connection) -> frozenset[str] | None:
    """The ids of all these instances; None on SQLite, where it is certain of each."""
    if connection.dialect.name != "postgresql":
        return None
    return frozenset(str(one) for (one,) in connection.execute(CERTAIN))


def is_certain(connection: Connection, instance_id: str | None) -> bool:
    """Whether what this instance reported as covered is covered now.

    Always true on SQLite: there nobody else can answer for the only instance.
    """
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.execute(_IS_CERTAIN, {"instance": instance_id}).scalar())
