"""Verifies SAML responses as Genesys would, when an identity provider's certificate is configured.

Invariant: nothing in an element is used before its signature, or that of the response around it, has been verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lxml import etree
from signxml.exceptions import InvalidInput, InvalidSignature
from signxml.verifier import SignatureConfiguration, XMLVerifier

from genesys_gateway.simulator.errors import LoginError

#: Genesys docs: the clocks of the identity provider and Genesys may differ by 10 s (F7).
CLOCK_SKEW_SECONDS = 10

_SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_RESPONSE = "{urn:oasis:names:tc:SAML:2.0:protocol}Response"
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The identity provider as the organisation has configured it."""

    #: PEM.
    certificate: str
    #: Issuer of the identity provider; empty: any.
    issuer: str
    #: Audience of the application; empty: any.
    audience: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The verified content of an assertion."""

    #: Id of the assertion, by which a second use is noticed.
    id: str
    email: str


def verified_identity(xml: bytes, trust: Trust, org_name: str, now: float) -> Identity:
    """Check signature, issuer, times, audience and attributes (F7). Raises LoginError for the first error."""
    assertion = _signed_assertion(xml, trust.certificate)
    if trust.issuer and _text(assertion, "Issuer") != trust.issuer:
        raise _invalid_grant("the issuer is not the organisation's identity provider")
    _check_times(assertion, now)
    _check_audience(assertion, trust.audience)
    attributes = {
        attribute.get("Name"): (attribute.findtext(f"{_SAML}AttributeValue") or "").strip()
        for attribute in assertion.iter(f"{_SAML}Attribute")
    }
    if "@" not in attributes.get("email", ""):
        raise _invalid_grant("the attribute email is missing")
    if attributes.get("OrganizationName") != org_name:
        raise _invalid_grant("the attribute OrganizationName is missing or names another organisation")
    return Identity(id=str(assertion.get("ID")), email=attributes["email"].lower())


def _signed_assertion(xml: bytes, certificate: str) -> etree._Element:
    """Return the only assertion. It or the response around it must be signed, and each of these signatures valid."""
    try:
        root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        raise _invalid_grant("the assertion is no XML") from None
    if b"<!DOCTYPE" in xml:
        raise _invalid_grant("the assertion has a document type")
    if next(root.iter(f"{_SAML}EncryptedAssertion"), None) is not None:
        raise _invalid_grant("the assertion is encrypted")
    is_signed = root.find(_SIGNATURE) is not None
    if is_signed:
        root = _verified(root, certificate)
    found = list(root.iter(f"{_SAML}Assertion"))
    if len(found) != 1 or (root.tag != _RESPONSE and root is not found[0]):
        raise _invalid_grant("there is not exactly one assertion")
    assertion: etree._Element = found[0]
    if assertion.find(_SIGNATURE) is not None and assertion is not root:
        return _verified(assertion, certificate)
    if not is_signed:
        raise _invalid_grant("the assertion is not signed")
    return assertion


def _verified(element: etree._Element, certificate: str) -> etree._Element:
    """Return the element as covered by its own signature; anything around it is ignored."""
    try:
        result = XMLVerifier().verify(
            etree.tostring(element, with_tail=False),
            x509_cert=certificate,
            expect_config=SignatureConfiguration(location="./", require_x509=True),
        )
    except (InvalidSignature, InvalidInput, ValueError):
        raise _invalid_grant("the signature is wrong, or not of the configured certificate") from None
    signed: etree._Element | None = None if isinstance(result, list) else result.signed_xml
    if signed is None or signed.tag != element.tag or signed.get("ID") != element.get("ID"):
        raise _invalid_grant("the signature is not of this element")
    return signed


def _check_times(assertion: etree._Element, now: float) -> None:
    conditions = assertion.find(f"{_SAML}Conditions")
    subject = assertion.find(f"{_SAML}Subject/{_SAML}SubjectConfirmation/{_SAML}SubjectConfirmationData")
    for element in (conditions, subject):
        if element is None or element.get("NotOnOrAfter") is None:
            raise _invalid_grant("the assertion does not say until when it is good")
        if _epoch(element.get("NotOnOrAfter", "")) + CLOCK_SKEW_SECONDS <= now:
            raise _invalid_grant("the assertion is out of date")
        if _epoch(element.get("NotBefore", "1970-01-01T00:00:00Z")) - CLOCK_SKEW_SECONDS > now:
            raise _invalid_grant("the assertion is not valid yet")


def _check_audience(assertion: etree._Element, audience: str) -> None:
    restriction = assertion.findtext(f"{_SAML}Conditions/{_SAML}AudienceRestriction/{_SAML}Audience")
    subject = assertion.find(f"{_SAML}Subject/{_SAML}SubjectConfirmation/{_SAML}SubjectConfirmationData")
    recipient = None if subject is None else subject.get("Recipient")
    if not restriction or restriction != recipient or audience not in ("", restriction):
        raise _invalid_grant("audience and recipient are not the application")


def _text(element: etree._Element, name: str) -> str:
    return (element.findtext(f"{_SAML}{name}") or "").strip()


def _epoch(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        raise _invalid_grant("the assertion has an unreadable date") from None


def _invalid_grant(text: str) -> LoginError:
    return LoginError("invalid_grant", text)
