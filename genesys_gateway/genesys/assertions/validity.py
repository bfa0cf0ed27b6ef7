"""Reads when a SAML assertion is valid, from the assertion itself.

Invariant: nothing is believed because of what is read here: Genesys alone verifies an assertion. A text that can't be
read has no limits. No entity is resolved, and a document type ends the reading.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.parsers import expat


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """The limits that an assertion names; None where it names none. Epoch milliseconds."""

    #: The latest ``NotBefore``.
    since: int | None = None
    #: The earliest ``NotOnOrAfter``.
    until: int | None = None
    #: Whether the assertion is encrypted, so that its limits can't be read. Genesys accepts no such assertion.
    encrypted: bool = False

    def over(self, now: int) -> bool:
        """Whether the assertion is out of date at ``now`` (epoch milliseconds)."""
        return self.until is not None and self.until <= now


class _NotXml(Exception):
    """The document has a document type."""


class _Reader:
    """Collects dates while the document is parsed."""

    def __init__(self) -> None:
        self.since: list[int] = []
        self.until: list[int] = []
        self.encrypted = False

    def element(self, name: str, attributes: dict[str, str]) -> None:
        self.encrypted = self.encrypted or name.rpartition(":")[2] == "EncryptedAssertion"
        # SAML: on Conditions and SubjectConfirmationData, and nowhere else.
        self.since += _moment(attributes.get("NotBefore"))
        self.until += _moment(attributes.get("NotOnOrAfter"))

    def document_type(self, *_: object) -> None:
        raise _NotXml


def validity(assertion: str) -> Validity:
    """The limits of an assertion.

    Args:
        assertion: The SAMLResponse in Base64, on one line.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.element
    parser.StartDoctypeDeclHandler = reader.document_type
    try:
        parser.Parse(base64.b64decode(assertion, validate=True), True)
    except (ValueError, LookupError, expat.ExpatError, _NotXml):
        return Validity()
    return Validity(
        since=max(reader.since, default=None), until=min(reader.until, default=None), encrypted=reader.encrypted
    )


def _moment(text: str | None) -> list[int]:
    """A date in epoch milliseconds, in a list; an empty list if there is none or it can't be read."""
    if text is None:
        return []
    try:
        moment = datetime.fromisoformat(text.strip())
        # SAML: dates are in UTC, with or without saying so.
        return [round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)]
    except (ValueError, OverflowError):
        return []
