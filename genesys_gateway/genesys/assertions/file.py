"""Assertions from a file that another process keeps replacing."""

from pathlib import Path

from genesys_gateway.genesys.assertions.history import AssertionHistory
from genesys_gateway.genesys.assertions.source import MAX_BYTES, AssertionMissing, assertion_in
from genesys_gateway.settings.text_file import read_text

_NAME = "GENESYS_SAML_ASSERTION_FILE"
_REPLACE = f"replace {_NAME} by a fresh one"
_REFUSED = f"Genesys refused the assertion: {_REPLACE}"
_OVER = f"the assertion is out of date: {_REPLACE}"
_GRANTED = f"the assertion was used already: {_REPLACE}"


class AssertionFile:
    """Assertions from one file.

    Args:
        path: File with the identity provider's ``SAMLResponse`` in Base64, perhaps broken into lines.
        history: What became of the assertions sent before.
    """

    def __init__(self, path: Path, history: AssertionHistory) -> None:
        self._path = path
        self._history = history

    def take(self) -> str:
        """The assertion in the file, or else the last one that may be sent again.

        Raises:
            AssertionMissing: The file can't be read, holds no Base64, or an assertion that was refused or is out of
                date; and no other one may be sent again.
        """
        return self._history.next_to_send(self._usable)

    def granted(self) -> None:
        """Note that the last assertion gave a token."""
        self._history.answered("granted")

    def refused(self) -> bool:
        """Note that the last assertion is never to be sent again; what comes next costs only a look into the file."""
        self._history.answered("refused")
        return True

    def trouble(self) -> str | None:
        """Why the file holds no fresh assertion, for example because it has not been replaced since it gave a token."""
        try:
            assertion = self._usable()
        except AssertionMissing as error:
            return str(error)
        if self._history.over(assertion):
            return _OVER
        return _GRANTED if self._history.fate(assertion) == "granted" else None

    def _usable(self) -> str:
        assertion = self._read()
        if not self._history.may_be_sent(assertion):
            raise AssertionMissing(_REFUSED if self._history.fate(assertion) == "refused" else _OVER)
        return assertion

    def _read(self) -> str:
        try:
            text = read_text(self._path, MAX_BYTES)
        except ValueError as error:
            raise AssertionMissing(f"{_NAME} {error}") from error
        assertion = assertion_in(text)
        if assertion is None:
            raise AssertionMissing(f"{_NAME} holds no Base64: put the SAMLResponse there unchanged")
        return assertion
