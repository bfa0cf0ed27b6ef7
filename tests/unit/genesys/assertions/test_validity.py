"""Until when an assertion is valid is read from itself; what can't be read sets no limit."""

import base64
from pathlib import Path

import pytest

from genesys_gateway.genesys.assertions.signed import VALID_SECONDS, SignedAssertions
from genesys_gateway.genesys.assertions.validity import Validity, validity
from genesys_gateway.runtime.clock import parse_iso
from genesys_gateway.settings import Settings
from tests.doubles.genesys import ENVIRONMENT
from tests.doubles.identity_provider import signing
from tests.doubles.runtime import FakeClock

MOMENT = parse_iso("2026-11-28T05:00:00Z")


def limits(xml: str | bytes) -> Validity:
    return validity(base64.b64encode(xml.encode() if isinstance(xml, str) else xml).decode())


@pytest.mark.parametrize(
    "date",
    [
        "2026-11-28T05:00:00Z",
        "2026-11-28T05:00:00.000Z",
        "2026-11-28T05:00:00.0000000Z",
        "2026-11-28T05:00:00",
        " 2026-11-28T13:00:00+08:00 ",
    ],
)
def test_a_date_is_read_as_identity_providers_write_it(date: str) -> None:
    assert limits(f'<a:Conditions NotOnOrAfter="{date}"/>').until == MOMENT


def test_the_narrowest_limits_count_and_those_of_the_session_do_not() -> None:
    found = limits(
        """<?xml version="1.0"?>
        <samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"><saml:Assertion>
          <saml:SubjectConfirmationData NotOnOrAfter='2026-11-28T05:00:00Z'/>
          <saml:Conditions NotBefore="2026-11-28T04:00:00Z" NotOnOrAfter="2026-11-28T06:00:00Z"/>
          <saml:AuthnStatement SessionNotOnOrAfter="2026-11-28T01:00:00Z"/>
        </saml:Assertion></samlp:Response>"""
    )

    assert found == Validity(since=MOMENT - 3_600_000, until=MOMENT)
    assert not found.over(MOMENT - 1)
    assert found.over(MOMENT)


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "no XML",
        "<x/>",
        "<x>",
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="no-such"?><x/>',
        b'<?xml version="1.0" encoding="big5"?><x/>',
        '<!DOCTYPE x [<!ENTITY e "2026-11-28T05:00:00Z">]><x NotOnOrAfter="&e;"/>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x NotOnOrAfter="2026-11-28T05:00:00Z"/>',
        '<x NotOnOrAfter=""/>',
        '<x NotOnOrAfter="tomorrow"/>',
        '<x NotOnOrAfter="99999-01-01T00:00:00Z"/>',
        "<a>" * 50_000,
    ],
)
def test_what_can_not_be_read_has_no_limit(xml: str | bytes) -> None:
    assert limits(xml) == Validity()


def test_what_is_no_base64_has_no_limit() -> None:
    assert validity("QQ") == validity("%") == validity("") == Validity()


def test_an_encrypted_one_is_noticed() -> None:
    assert limits('<r xmlns:s="urn:x"><s:EncryptedAssertion/></r>') == Validity(encrypted=True)


def test_our_own_assertion_is_read(tmp_path: Path) -> None:
    clock = FakeClock()

    found = validity(SignedAssertions(Settings.from_environment(ENVIRONMENT | signing(tmp_path)), clock).take())

    assert found.until == clock.now() + VALID_SECONDS * 1000
