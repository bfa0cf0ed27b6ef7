"""Statements that record what became of SAML assertions, by any process or instance.

Invariant: only digests are stored, and only the latest; what is noted becomes never less final.
"""

from typing import Literal, cast

from sqlalchemy import Connection, delete, select, update

from genesys_gateway.storage.engine import Storage
from genesys_gateway.storage.portable import database_now, put_new
from genesys_gateway.storage.tables import used_assertion

#: Number of digests that are kept: three days' worth at one in five minutes, and an assertion is valid for minutes.
KEPT = 1000

Fate = Literal["sent", "granted", "refused"]
#: What may be replaced by each fate.
_LESS_FINAL: dict[Fate, tuple[Fate, ...]] = {"sent": (), "granted": ("sent",), "refused": ("sent", "granted")}


class StoredSentAssertions:
    """The digests of sent assertions, on disk. Each method may raise StorageUnavailable.

    Implements :class:`genesys_gateway.genesys.assertions.history.SentAssertions`.

    Args:
        storage: Where they are stored.
        kept: Number of latest digests that are kept.
    """

    def __init__(self, storage: Storage, *, kept: int = KEPT) -> None:
        self._storage = storage
        self._kept = kept

    def fate(self, fingerprint: str) -> Fate | None:
        """What became of an assertion; None if it was never sent."""
        known = select(used_assertion.c.fate).where(used_assertion.c.digest == fingerprint)
        return cast(Fate | None, self._storage.run(lambda connection: connection.execute(known).scalar()))

    def note(self, fingerprint: str, fate: Fate) -> None:
        """Note what became of an assertion, unless something as final is noted. Repeating it changes nothing."""
        self._storage.run(lambda connection: _note(connection, fingerprint, fate, self._kept))


def _note(connection: Connection, digest: str, fate: Fate, kept: int) -> None:
    row = {"digest": digest, "used_at": database_now(connection), "fate": fate}
    if put_new(connection, used_assertion, row):
        _forget_oldest(connection, digest, kept)
    elif less_final := _LESS_FINAL[fate]:
        change = update(used_assertion).where(used_assertion.c.digest == digest, used_assertion.c.fate.in_(less_final))
        connection.execute(change.values(fate=fate))


def _forget_oldest(connection: Connection, new: str, kept: int) -> None:
    latest = select(used_assertion.c.digest).order_by(used_assertion.c.used_at.desc()).limit(kept)
    # Keep the new one even if the clock was set back.
    others = used_assertion.c.digest != new
    connection.execute(delete(used_assertion).where(others, used_assertion.c.digest.not_in(latest)))
