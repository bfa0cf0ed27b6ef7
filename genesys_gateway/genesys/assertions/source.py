"""What every source of SAML assertions offers, and the memory of the assertions that were used.

Invariant: no assertion is sent twice, not even by the next process. Genesys gives no refresh token for this grant, and
treats a repeated assertion as a replay. Each token therefore needs a new assertion; it is noted as used before it is
sent, and the note is removed only when the assertion has certainly not been sent.

An assertion is valid for minutes only.
"""

import hashlib
import re
from typing import Protocol

from genesys_gateway.runtime.errors import StorageUnavailable, TransientFailure
from genesys_gateway.runtime.logs import get_logger

#: Maximum size of an assertion in bytes; a signed response with a certificate has about 10 kB.
MAX_BYTES = 256 * 1024

log = get_logger(__name__)

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_NOT_KNOWN = "whether the assertion was used already can't be told before the database can be written again"


class AssertionMissing(TransientFailure):
    """There is no assertion that could be sent. The message says what to fix; trying again costs nothing."""


class Assertions(Protocol):
    """One source of assertions."""

    def take(self) -> str:
        """An assertion in Base64; it counts as used from now on.

        Raises:
            AssertionMissing: There is none here.
            TransientFailure: A call to another host gave none; call again only after a pause.
        """

    def give_back(self) -> None:
        """Make the last assertion usable again: it has certainly not reached Genesys."""

    def trouble(self) -> str | None:
        """Why :meth:`take` would fail now, as far as that can be seen without a call or using an assertion."""


class UsedAssertions(Protocol):
    """Remembers the digests of used assertions. Each method may raise StorageUnavailable."""

    def was_used(self, digest: str) -> bool:
        """Whether the assertion was used."""

    def note(self, digest: str) -> bool:
        """Note lastingly that the assertion is about to be used; False if it was used before."""

    def forget(self, digest: str) -> None:
        """Remove the note: the assertion was not used."""


class InMemoryUsedAssertions:
    """Remembers used assertions for the life of the process; for use without a database."""

    def __init__(self) -> None:
        self._digests: set[str] = set()

    def was_used(self, digest: str) -> bool:
        """Whether the assertion was noted."""
        return digest in self._digests

    def note(self, digest: str) -> bool:
        """Note the assertion; False if it was noted before."""
        known = digest in self._digests
        self._digests.add(digest)
        return not known

    def forget(self, digest: str) -> None:
        """Remove the note."""
        self._digests.discard(digest)


class SingleUse:
    """Gives out each assertion once; line breaks in it make no difference."""

    def __init__(self, used: UsedAssertions) -> None:
        self._used = used
        self._taken: str | None = None

    def was_used(self, text: bytes) -> bool:
        """Whether the assertion was given out before. Raises AssertionMissing if the storage does not answer."""
        try:
            return self._used.was_used(_digest(text))
        except StorageUnavailable as error:
            raise AssertionMissing(_NOT_KNOWN) from error

    def take(self, text: bytes) -> str | None:
        """Note the assertion as used and return it on one line; None if it was used before.

        Args:
            text: Base64, perhaps broken into lines.

        Raises:
            AssertionMissing: The note could not be stored for certain; it may have been stored all the same.
        """
        digest = _digest(text)
        try:
            new = self._used.note(digest)
        except StorageUnavailable as error:
            raise AssertionMissing(_NOT_KNOWN) from error
        if not new:
            return None
        self._taken = digest
        return one_line(text).decode("ascii")

    def give_back(self) -> None:
        """Let the last assertion be given out again."""
        digest, self._taken = self._taken, None
        if digest is None:
            return
        try:
            self._used.forget(digest)
        except StorageUnavailable as error:
            log.warning("assertion_not_given_back", error=str(error))  # only this assertion is lost


def _digest(text: bytes) -> str:
    return hashlib.sha256(one_line(text)).hexdigest()


def one_line(text: bytes) -> bytes:
    """The text without the spaces and line breaks that an editor or a tool may have added."""
    return b"".join(text.split())


def is_base64(text: bytes) -> bool:
    """Whether the text is Base64, apart from spaces and line breaks."""
    return _BASE64.fullmatch(one_line(text)) is not None
