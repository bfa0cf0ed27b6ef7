"""The assertion that someone else puts into a file, again and again."""

from pathlib import Path

from genesys_gateway.genesys.assertions.source import MAX_BYTES, AssertionMissing, SingleUse, UsedAssertions, is_base64

_USED = "the assertion was used already: replace GENESYS_SAML_ASSERTION_FILE by a fresh one"


class AssertionFile:
    """Assertions out of one file.

    Args:
        path: Holds the identity provider's ``SAMLResponse``, in Base64, perhaps broken into lines.
        used: What was used before us.
    """

    def __init__(self, path: Path, used: UsedAssertions) -> None:
        self._path = path
        self._unused = SingleUse(used)

    def take(self) -> str:
        """What is in the file; raises AssertionMissing when it can't be read or sent, or was used."""
        line = self._unused.take(self._fresh())
        if line is None:
            raise AssertionMissing(_USED)  # by another instance, a moment ago
        return line

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
            raise AssertionMissing(_USED)
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
