"""Statements that record which SAML assertions were used, by any process or instance.

Invariant: only digests are stored, and only the latest.
"""

from sqlalchemy import Connection, delete, select

from genesys_gateway.storage.engine import Storage
from genesys_gateway.storage.portable import database_now, put_new
from genesys_gateway.storage.tables import used_assertion

#: Number of digests that are kept: three days' worth at one in five minutes, and an assertion is valid for minutes.
KEPT = 1000


class StoredUsedAssertions:
    """The digests of used assertions, on disk. Each method may raise StorageUnavailable.

    Implements :class:`genesys_gateway.genesys.assertions.source.UsedAssertions`.

    Args:
        storage: Where they are stored.
        kept: Number of latest digests that are kept.
    """

    def __init__(self, storage: Storage, *, kept: int = KEPT) -> None:
        self._storage = storage
        self._kept = kept

    def was_used(self, digest: str) -> bool:
        """Whether the assertion was used."""
        known = select(used_assertion.c.digest).where(used_assertion.c.digest == digest)
        return self._storage.run(lambda connection: connection.execute(known).first() is not None)

    def note(self, digest: str) -> bool:
        """Note that the assertion is about to be used.

        Returns:
            False if it was used before. If several callers note the same one at once, only one gets True.
        """
        return self._storage.run(lambda connection: _note(connection, digest, self._kept))

    def forget(self, digest: str) -> None:
        """Delete the note of an assertion that was not used after all."""
        unused = delete(used_assertion).where(used_assertion.c.digest == digest)
        self._storage.run(lambda connection: connection.execute(unused).close())


def _note(connection: Connection, digest: str, kept: int) -> bool:
    if not put_new(connection, used_assertion, {"digest": digest, "used_at": database_now(connection)}):
        return False
    latest = select(used_assertion.c.digest).order_by(used_assertion.c.used_at.desc()).limit(kept)
    # Keep the new one even if the clock was set back.
    others = used_assertion.c.digest != digest
    connection.execute(delete(used_assertion).where(others, used_assertion.c.digest.not_in(latest)))
    return True
