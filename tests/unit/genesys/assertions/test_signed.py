"""Assertions that the gateway signs: their content, and the settings that they need."""

import base64
from pathlib import Path

import pytest
from lxml import etree

from genesys_gateway.genesys.assertions.signed import SignedAssertions
from genesys_gateway.genesys.assertions.source import AssertionMissing
from genesys_gateway.settings import Settings, SettingsError
from tests.doubles.genesys import ENVIRONMENT
from tests.doubles.identity_provider import AUDIENCE, ISSUER, SUBJECT, locked_key, pair, signing
from tests.doubles.runtime import FakeClock

NAMES = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion", "ds": "http://www.w3.org/2000/09/xmldsig#"}


def signed(folder: Path, now: int = 1_795_341_600_000, **changes: str) -> tuple[SignedAssertions, FakeClock]:
    clock = FakeClock(now)
    return SignedAssertions(Settings.from_environment(ENVIRONMENT | signing(folder) | changes), clock), clock


def taken(source: SignedAssertions) -> etree._Element:
    return etree.fromstring(base64.b64decode(source.take(), validate=True))


def test_an_assertion_of_our_own_says_what_genesys_asks_for(tmp_path: Path) -> None:
    source, _ = signed(tmp_path)

    response = taken(source)

    values = {
        attribute.get("Name"): attribute.findtext("saml:AttributeValue", namespaces=NAMES)
        for attribute in response.iterfind(".//saml:Attribute", NAMES)
    }
    assert values == {"email": SUBJECT, "OrganizationName": "simulator-org", "ServiceName": "directory"}
    assert {issuer.text for issuer in response.iterfind(".//saml:Issuer", NAMES)} == {ISSUER}
    assert response.findtext(".//saml:Audience", namespaces=NAMES) == AUDIENCE
    (subject,) = response.iterfind(".//saml:SubjectConfirmationData", NAMES)
    (conditions,) = response.iterfind(".//saml:Conditions", NAMES)
    assert subject.get("Recipient") == AUDIENCE
    assert conditions.get("NotBefore") == "2026-11-22T09:59:00.000Z"  # our clock may be a minute ahead
    assert conditions.get("NotOnOrAfter") == subject.get("NotOnOrAfter") == "2026-11-22T10:05:00.000Z"
    algorithms = {method.get("Algorithm") for method in response.iterfind(".//ds:SignatureMethod", NAMES)}
    assert algorithms == {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"}


def test_no_two_of_them_have_an_id_in_common(tmp_path: Path) -> None:
    source, _ = signed(tmp_path)

    ids = [element.get("ID") for _ in range(3) for element in taken(source).iter("{*}Response", "{*}Assertion")]

    assert len(set(ids)) == 6


def test_key_and_certificate_replaced_together_are_used_at_once_and_half_replaced_not(tmp_path: Path) -> None:
    source, _ = signed(tmp_path)
    before = source.take()
    key, certificate = pair("successor")

    (tmp_path / "key.pem").write_bytes(key)
    with pytest.raises(AssertionMissing, match="do not belong together"):
        source.take()
    assert "do not belong together" in str(source.trouble())
    (tmp_path / "certificate.pem").write_bytes(certificate)

    assert source.trouble() is None
    assert source.take() != before


def test_a_certificate_that_has_ended_is_a_trouble_but_the_receiver_decides(tmp_path: Path) -> None:
    source, clock = signed(tmp_path)
    clock.jump(500 * 86400)

    assert source.trouble() == "the certificate in GENESYS_SAML_CERTIFICATE_FILE has ended"
    assert source.take()


def wrong(folder: Path, **changes: str) -> tuple[str, ...]:
    environ = ENVIRONMENT | signing(folder) | changes
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: value for name, value in environ.items() if value})
    return caught.value.mistakes


def test_what_signing_needs_is_asked_for_by_name(tmp_path: Path) -> None:
    assert wrong(tmp_path, GENESYS_SAML_SUBJECT="", GENESYS_SAML_CERTIFICATE_FILE="") == (
        "GENESYS_SAML_CERTIFICATE_FILE is missing; to sign assertions it is needed",
        "GENESYS_SAML_SUBJECT is missing; to sign assertions it is needed",
    )


@pytest.mark.parametrize(
    ("file", "content", "mistake"),
    [
        ("key.pem", b"nonsense", "GENESYS_SAML_KEY_FILE holds no private key in PEM form"),
        ("key.pem", pair()[1], "GENESYS_SAML_KEY_FILE holds no private key in PEM form"),
        ("key.pem", pair("other")[0], "GENESYS_SAML_KEY_FILE and GENESYS_SAML_CERTIFICATE_FILE do not belong together"),
        ("key.pem", pair("weak", 1024)[0], "GENESYS_SAML_KEY_FILE must hold an RSA key of at least 2048 bits"),
        (
            "key.pem",
            locked_key(),
            "GENESYS_SAML_KEY_FILE is protected by a passphrase; give the key without one, readable by us only",
        ),
        ("certificate.pem", pair()[0], "GENESYS_SAML_CERTIFICATE_FILE holds no certificate in PEM form"),
    ],
)
def test_a_key_that_can_not_sign_is_a_mistake_of_the_settings(
    tmp_path: Path, file: str, content: bytes, mistake: str
) -> None:
    environ = ENVIRONMENT | signing(tmp_path)
    (tmp_path / file).write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environ)

    assert caught.value.mistakes == (mistake,)


def test_there_is_one_source_only(tmp_path: Path) -> None:
    both = wrong(tmp_path, GENESYS_SAML_ASSERTION_URL="https://idp.example/")

    assert both == ("GENESYS_SAML_KEY_FILE and GENESYS_SAML_ASSERTION_URL are both set; give one source of assertions",)


def test_a_key_that_others_can_read_and_a_certificate_near_its_end_are_warned_about(tmp_path: Path) -> None:
    environ = ENVIRONMENT | signing(tmp_path, days=20)
    (tmp_path / "key.pem").chmod(0o640)

    warnings = Settings.from_environment(environ).warnings

    assert [warning.split(" ")[0] for warning in warnings] == ["GENESYS_SAML_KEY_FILE", "GENESYS_SAML_CERTIFICATE_FILE"]
