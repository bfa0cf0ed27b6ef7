"""Assertions from a file that another process keeps replacing."""

from pathlib import Path

from genesys_gateway.genesys.assertions.source import MAX_BYTES, AssertionMissing, SingleUse, UsedAssertions, is_base64

_USED = "the assertion was used already: replace GENESYS_SAML_ASSERTION_FILE by a fresh one"


class AssertionFile:
    """Assertions from one file.

    Args:
        path: File with the identity provider's ``SAMLResponse`` in Base64, perhaps broken into lines.
        used: The assertions used before.
    """

    def __init__(self, path: Path, used: UsedAssertions) -> None:
        self._path = path
        self._single_use = SingleUse(used)

    def take(self) -> str:
        """The assertion in the file. Raises AssertionMissing if it can't be read, is not Base64, or was used."""
        line = self._single_use.take(self._unused())
        if line is None:
            raise AssertionMissing(_USED)  # another instance has used it since the check
        return line

    def give_back(self) -> None:
        """Let the assertion be taken again."""
        self._single_use.give_back()

    def trouble(self) -> str | None:
        """Why :meth:`take` would fail now, for example because the file has not been replaced since it was used."""
        try:
            self._unused()
        except AssertionMissing as error:
            return str(error)
        return None

    def _unused(self) -> bytes:
        text = self._read()
        if not is_base64(text):
            raise AssertionMissing("GENESYS_SAML_ASSERTION_FILE holds no Base64: put the SAMLResponse there unchanged")
        if self._single_use.was_used(text):
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
