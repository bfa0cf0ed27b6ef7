"""The assertion that someone else puts into a file, again and again."""

from pathlib import Path

from genesys_gateway.assertions import MAX_BYTES, AssertionMissing, Unused, is_base64


class AssertionFile:
    """Assertions out of one file.

    Args:
        path: Holds the identity provider's ``SAMLResponse``, in Base64, perhaps broken into lines.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unused = Unused()

    def take(self) -> str:
        """What is in the file; raises AssertionMissing when it can't be read or sent, or was taken last."""
        return self._unused.take(self._fresh())

    def give_back(self) -> None:
        """It may be taken again."""
        self._unused.give_back()

    def trouble(self) -> str | None:
        """Also when nobody has replaced the file since it was used."""
        try:
            self._fresh()
        except AssertionMissing as error:
            return str(error)
        return None

    def _fresh(self) -> bytes:
        text = self._read()
        if not is_base64(text):
            raise AssertionMissing("GENESYS_SAML_ASSERTION_FILE holds no Base64: put the SAMLResponse there unchanged")
        if self._unused.knows(text):
            raise AssertionMissing("the assertion was used already: replace GENESYS_SAML_ASSERTION_FILE by a fresh one")
        return text

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise AssertionMissing(f"GENESYS_SAML_ASSERTION_FILE can't be read: {error.strerror}") from error
        if len(content) > MAX_BYTES:
            raise AssertionMissing("GENESYS_SAML_ASSERTION_FILE is too big for an assertion")
        return content
