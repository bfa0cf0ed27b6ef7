"""The SAML assertion that buys the next token, read from the file that someone else keeps fresh.

Law: treat one as single-use and minutes-lived. It is read afresh for every token, and an unchanged one is never sent
twice: Genesys gives no refresh token for this grant, and takes a repeated assertion for a replay.
"""

import hashlib
import re
from pathlib import Path

from genesys_gateway.errors import Delayed

#: Largest file we read; a signed response with a certificate has about 10 kB.
MAX_FILE_BYTES = 256 * 1024

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


class AssertionMissing(Delayed):
    """There is no assertion that could be sent; someone must put a fresh one into the file."""


class AssertionFile:
    """Assertions out of one file.

    Args:
        path: Holds the identity provider's ``SAMLResponse``, in Base64, perhaps broken into lines.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._used: bytes | None = None
        self._used_before: bytes | None = None

    def take(self) -> str:
        """The assertion, from now on held to be used.

        Raises:
            AssertionMissing: The file can't be read, holds no Base64, or holds what was taken last.
        """
        text = b"".join(self._read().split())
        if not _BASE64.fullmatch(text):
            raise AssertionMissing("GENESYS_SAML_ASSERTION_FILE holds no Base64: put the SAMLResponse there unchanged")
        digest = hashlib.sha256(text).digest()
        if digest == self._used:
            raise AssertionMissing("the assertion was used already: replace GENESYS_SAML_ASSERTION_FILE by a fresh one")
        self._used_before, self._used = self._used, digest
        return text.decode("ascii")

    def give_back(self) -> None:
        """The assertion taken last has certainly not reached Genesys; it may be taken again."""
        self._used = self._used_before

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise AssertionMissing(f"GENESYS_SAML_ASSERTION_FILE can't be read: {error.strerror}") from error
        if len(content) > MAX_FILE_BYTES:
            raise AssertionMissing("GENESYS_SAML_ASSERTION_FILE is too big for an assertion")
        return content
