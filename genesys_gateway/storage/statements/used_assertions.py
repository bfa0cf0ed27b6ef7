"""Which SAML assertions were used, by whichever process or instance.

Law: only digests are kept, and only so many.
"""

from sqlalchemy import Connection, delete, select

from genesys_gateway.storage.engine import Storage
from genesys_gateway.storage.portable import database_now, put_new
from genesys_gateway.storage.tables import used_assertion

#: How many are remembered: at one in five minutes those of three days, and an assertion is good for minutes.
KEPT = 1000


class StoredUsedAssertions:
    """The digests of used assertions, on disk. Each method may raise StorageUnavailable.

    Implements :class:`genesys_gateway.genesys.assertions.source.UsedAssertions`.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def knows(self, digest: str) -> bool:
        """Whether it was used."""
        known = select(used_assertion.c.digest).where(used_assertion.c.digest == digest)
        return self._storage.run(lambda connection: connection.execute(known).first() is not None)

    def note(self, digest: str) -> bool:
        """It is about to be used; False when it was before. Of several who note one at once only one is told True."""
        return self._storage.run(lambda connection: _note(connection, digest))

    def forget(self, digest: str) -> None:
        """It was not used after all."""
        gone = delete(used_assertion).where(used_assertion.c.digest == digest)
        self._storage.run(lambda connection: connection.execute(gone).close())


def _note(connection: Connection, digest: str) -> bool:
    if not put_new(connection, used_assertion, {"digest": digest, "used_at": database_now(connection)}):
        return False
    latest = select(used_assertion.c.digest).order_by(used_assertion.c.used_at.desc()).limit(KEPT)
    # Not the new one, even if the clock was set back.
    others = used_assertion.c.digest != digest
    connection.execute(delete(used_assertion).where(others, used_assertion.c.digest.not_in(latest)))
    return True
