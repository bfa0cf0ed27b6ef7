"""What every source of SAML assertions offers, and how the text of one is read.

Genesys gives no refresh token for this grant, so each token needs an assertion, which is valid for minutes.
"""

import re
from typing import Protocol

from genesys_gateway.runtime.errors import TransientFailure

#: Maximum size of an assertion in bytes; a signed response with a certificate has about 10 kB.
MAX_BYTES = 256 * 1024

_BLANKS = re.compile(r"[ \t\r\n\f\v]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class NoAssertion(TransientFailure):
    """There is no assertion that could be sent. The message says what to fix."""


class AssertionMissing(NoAssertion):
    """There is none, and trying again costs nothing."""


class Assertions(Protocol):
    """One source of assertions."""

    def take(self) -> str:
        """An assertion in Base64, which is about to be sent.

        Raises:
            AssertionMissing: There is none here that may be sent.
            NoAssertion: A call to another host gave none; call again only after a pause.
        """

    def granted(self) -> None:
        """Genesys gave a token for the assertion that was taken last."""

    def refused(self) -> bool:
        """Genesys refused the assertion that was taken last.

        Returns:
            Whether :meth:`take` may be called again at once, because it returns only an assertion not refused yet
            and makes no call to find one.
        """

    def trouble(self) -> str | None:
        """What a person must do before :meth:`take` has an assertion that Genesys has not granted a token for yet.

        As far as that can be seen without a call; None if nothing is wrong.
        """


def assertion_in(text: str) -> str | None:
    """The assertion in a text, on one line: without the line breaks that an editor or a tool has added.

    Returns:
        None if the text is no Base64.
    """
    line = _BLANKS.sub("", text)
    return line if _BASE64.fullmatch(line) else None
