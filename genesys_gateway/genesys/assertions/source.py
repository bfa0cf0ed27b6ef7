"""Where a SAML assertion comes from: a file that someone keeps fresh, an identity provider's address, our own key.

Law: treat one as single-use and minutes-lived. It is made or read afresh for every token, and none is handed out twice,
not even by the next process: Genesys gives no refresh token for this grant, and takes a repeated assertion for a
replay. So it is noted as used before it is sent, and the note is taken back only when it has certainly not left.
"""

import hashlib
import re
from typing import Protocol

from genesys_gateway.runtime.errors import StorageUnavailable, TransientFailure
from genesys_gateway.runtime.logs import get_logger

#: Largest assertion we take, in bytes; a signed response with a certificate has about 10 kB.
MAX_BYTES = 256 * 1024

log = get_logger(__name__)

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_UNTOLD = "whether the assertion was used already can't be told before the database can be written again"


class AssertionMissing(TransientFailure):
    """There is none that could be sent, and looking again costs nothing; the message says what to mend."""


class Assertions(Protocol):
    """One source of assertions."""

    def take(self) -> str:
        """An assertion as Base64, from now on held to be used.

        Raises:
            AssertionMissing: There is none here.
            TransientFailure: Another machine was asked, and gave none; ask it again after a pause only.
        """

    def give_back(self) -> None:
        """The assertion taken last has certainly not reached Genesys."""

    def trouble(self) -> str | None:
        """Why :meth:`take` would fail now, as far as it shows without asking anybody or using anything up."""


class UsedAssertions(Protocol):
    """Remembers digests of what was used. Each may raise StorageUnavailable."""

    def knows(self, digest: str) -> bool:
        """Whether it was used."""

    def note(self, digest: str) -> bool:
        """It is about to be used, and that outlives us; False when it was used before."""

    def forget(self, digest: str) -> None:
        """It was not used after all."""


class InMemoryUsedAssertions:
    """Remembers for as long as the process lives: for those who have no disk."""

    def __init__(self) -> None:
        self._digests: set[str] = set()

    def knows(self, digest: str) -> bool:
        """Whether it was noted."""
        return digest in self._digests

    def note(self, digest: str) -> bool:
        """Note it; False when it was noted before."""
        known = digest in self._digests
        self._digests.add(digest)
        return not known

    def forget(self, digest: str) -> None:
        """As if it had never been noted."""
        self._digests.discard(digest)


class SingleUse:
    """Hands out each assertion once, however it is broken into lines."""

    def __init__(self, used: UsedAssertions) -> None:
        self._used = used
        self._taken: str | None = None

    def knows(self, text: bytes) -> bool:
        """Whether it was handed out before. Raises AssertionMissing when that can't be told."""
        try:
            return self._used.knows(_digest(text))
        except StorageUnavailable as error:
            raise AssertionMissing(_UNTOLD) from error

    def take(self, text: bytes) -> str | None:
        """The text on one line, from now on known; None when it was known before. It must be Base64.

        Raises:
            AssertionMissing: It can't be noted; it may be known from now on all the same.
        """
        digest = _digest(text)
        try:
            new = self._used.note(digest)
        except StorageUnavailable as error:
            raise AssertionMissing(_UNTOLD) from error
        if not new:
            return None
        self._taken = digest
        return one_line(text).decode("ascii")

    def give_back(self) -> None:
        """What was handed out last may be handed out again."""
        digest, self._taken = self._taken, None
        if digest is None:
            return
        try:
            self._used.forget(digest)
        except StorageUnavailable as error:
            log.warning("assertion_not_given_back", error=str(error))  # it is lost; the next one is not


def _digest(text: bytes) -> str:
    return hashlib.sha256(one_line(text)).hexdigest()


def one_line(text: bytes) -> bytes:
    """Without the blanks and line breaks that an editor or a tool may have put into it."""
    return b"".join(text.split())


def is_base64(text: bytes) -> bool:
    """Whether it could be an assertion at all."""
    return _BASE64.fullmatch(one_line(text)) is not None
