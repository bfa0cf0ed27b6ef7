"""Assertions that the gateway makes and signs itself, for one Genesys user.

Invariant: the private key is read only when it is needed, and never shown. With it, anyone could log in as any user of
the organisation.
"""

import base64
from pathlib import Path
from uuid import uuid4

from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from genesys_gateway.genesys.assertions.source import AssertionMissing
from genesys_gateway.runtime.clock import Clock, isoformat
from genesys_gateway.settings import Settings
from genesys_gateway.settings.signing_key import SigningKey

#: How long an assertion is valid, in seconds. Sending it takes seconds, but clocks may differ by minutes.
VALID_SECONDS = 300
#: How far our clock may be ahead, in seconds. Genesys docs: Genesys allows for 10 s; we have to allow for the rest.
AHEAD_SECONDS = 60
#: The attribute ServiceName. Genesys docs: the service that the login leads to. A request for a token leads to none,
#: but the attribute is expected.
_SERVICE = "directory"

_SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
_PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_NAMESPACES = {"samlp": _PROTOCOL, "saml": _SAML}
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


class SignedAssertions:
    """Assertions made and signed here.

    Args:
        settings: GENESYS_SAML_KEY_FILE, the other settings for signing, and GENESYS_ORG_NAME must all be set.
        clock: Its wall time goes into the assertion.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._key_file = settings.genesys_saml_key_file or Path()
        self._certificate_file = settings.genesys_saml_certificate_file or Path()
        self._issuer = settings.genesys_saml_issuer or ""
        self._subject = settings.genesys_saml_subject or ""
        self._audience = settings.genesys_saml_audience or ""
        self._org_name = settings.genesys_org_name or ""
        self._clock = clock

    def take(self) -> str:
        """A new assertion. Raises AssertionMissing if key and certificate can't be used."""
        key = self._key()
        now = self._clock.now()
        assertion = _signed(self._assertion(now), key)
        response = self._response(now)
        response.append(assertion)
        # Response and assertion are both signed, as Okta does by default: Genesys may check either.
        return base64.b64encode(etree.tostring(_signed(response, key))).decode("ascii")

    def granted(self) -> None:
        """Do nothing: each assertion is a new one."""

    def refused(self) -> bool:
        """Each assertion is a new one, so the next may well be refused too: only after a pause."""
        return False

    def trouble(self) -> str | None:
        """Why :meth:`take` would fail now, or that the certificate has expired."""
        try:
            key = self._key()
        except AssertionMissing as error:
            return str(error)
        return "the certificate in GENESYS_SAML_CERTIFICATE_FILE has ended" if key.ended(self._clock.now()) else None

    def _key(self) -> SigningKey:
        # These calls are rare, so the files are read for each of them; both can be replaced while the gateway runs.
        try:
            return SigningKey.read(self._key_file, self._certificate_file)
        except ValueError as error:
            raise AssertionMissing(str(error)) from error

    def _response(self, now: int) -> etree._Element:
        response = etree.Element(f"{{{_PROTOCOL}}}Response", self._identity(now), nsmap=_NAMESPACES)
        response.set("Destination", self._audience)
        _add(response, _SAML, "Issuer", self._issuer)
        _add_place_for_signature(response)
        _add(_add(response, _PROTOCOL, "Status"), _PROTOCOL, "StatusCode", Value=_SUCCESS)
        return response

    def _assertion(self, now: int) -> etree._Element:
        assertion = etree.Element(f"{{{_SAML}}}Assertion", self._identity(now), nsmap=_NAMESPACES)
        until = isoformat(now + VALID_SECONDS * 1000)
        _add(assertion, _SAML, "Issuer", self._issuer)
        _add_place_for_signature(assertion)
        subject = _add(assertion, _SAML, "Subject")
        _add(subject, _SAML, "NameID", self._subject, Format=_EMAIL)
        confirmation = _add(subject, _SAML, "SubjectConfirmation", Method=_BEARER)
        _add(confirmation, _SAML, "SubjectConfirmationData", NotOnOrAfter=until, Recipient=self._audience)
        since = isoformat(now - AHEAD_SECONDS * 1000)
        conditions = _add(assertion, _SAML, "Conditions", NotBefore=since, NotOnOrAfter=until)
        _add(_add(conditions, _SAML, "AudienceRestriction"), _SAML, "Audience", self._audience)
        login = _add(assertion, _SAML, "AuthnStatement", AuthnInstant=isoformat(now))
        _add(_add(login, _SAML, "AuthnContext"), _SAML, "AuthnContextClassRef", _UNSPECIFIED)
        attributes = _add(assertion, _SAML, "AttributeStatement")
        values = {"email": self._subject, "OrganizationName": self._org_name, "ServiceName": _SERVICE}
        for name, value in values.items():
            _add(_add(attributes, _SAML, "Attribute", Name=name), _SAML, "AttributeValue", value)
        return assertion

    def _identity(self, now: int) -> dict[str, str]:
        # An XML id must not begin with a digit.
        return {"ID": f"_{uuid4().hex}", "Version": "2.0", "IssueInstant": isoformat(now)}


def _add(parent: etree._Element, namespace: str, name: str, text: str | None = None, **more: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{namespace}}}{name}", more)
    child.text = text
    return child


def _add_place_for_signature(parent: etree._Element) -> None:
    """Mark where the schema requires the signature, with its later prefix, because the prefix is signed as well."""
    etree.SubElement(parent, f"{{{_DSIG}}}Signature", {"Id": "placeholder"}, nsmap={"ds": _DSIG})


def _signed(element: etree._Element, key: SigningKey) -> etree._Element:
    # Exclusive canonicalisation: each element is signed by itself, and then moved into another one or out of it.
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    return signer.sign(element, key=key.private, cert=[key.certificate], reference_uri=element.get("ID"))
