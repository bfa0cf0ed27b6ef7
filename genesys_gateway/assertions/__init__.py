"""Where a SAML assertion comes from: a file that someone keeps fresh, an identity provider's address, our own key.

Law: treat one as single-use and minutes-lived. It is made or read afresh for every token, and none is handed out twice:
Genesys gives no refresh token for this grant, and takes a repeated assertion for a replay.
"""

import hashlib
import re
from typing import Protocol

from genesys_gateway.errors import Delayed

#: Largest assertion we take, in bytes; a signed response with a certificate has about 10 kB.
MAX_BYTES = 256 * 1024

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


class AssertionMissing(Delayed):
    """There is none that could be sent, and looking again costs nothing; the message says what to mend."""


class Assertions(Protocol):
    """One source of assertions."""

    def take(self) -> str:
        """An assertion as Base64, from now on held to be used.

        Raises:
            AssertionMissing: There is none here.
            Delayed: Another machine was asked, and gave none; ask it again after a pause only.
        """

    def give_back(self) -> None:
        """The assertion taken last has certainly not reached Genesys."""

    def trouble(self) -> str | None:
        """Why :meth:`take` would fail now, as far as it shows without asking anybody or using anything up."""


class Unused:
    """Tells an assertion from the one that was handed out before it."""

    def __init__(self) -> None:
        self._used: bytes | None = None
        self._used_before: bytes | None = None

    def knows(self, text: bytes) -> bool:
        """Whether it is the one handed out last, however it is broken into lines."""
        return hashlib.sha256(one_line(text)).digest() == self._used

    def take(self, text: bytes) -> str:
        """The text on one line, from now on known; it must be Base64."""
        line = one_line(text)
        self._used_before, self._used = self._used, hashlib.sha256(line).digest()
        return line.decode("ascii")

    def give_back(self) -> None:
        """What was handed out last may be handed out again."""
        self._used = self._used_before


def one_line(text: bytes) -> bytes:
    """Without the blanks and line breaks that an editor or a tool may have put into it."""
    return b"".join(text.split())


def is_base64(text: bytes) -> bool:
    """Whether it could be an assertion at all."""
    return _BASE64.fullmatch(one_line(text)) is not None
