"""Assertions that the gateway signs, checked by the simulator in the way Genesys checks them."""

import base64
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from lxml import etree

from genesys_gateway.genesys.assertions.signed import SignedAssertions
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.settings import Settings
from tests.doubles.genesys import ENVIRONMENT
from tests.doubles.identity_provider import AUDIENCE, ISSUER, pair, signing
from tests.doubles.runtime import FakeClock
from tests.doubles.simulator import Simulated
from tests.harness.simulator import Simulator

pytest_plugins = ["simulator_fixture"]

Change = Callable[[etree._Element], None]
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"

NOTHING: Mapping[str, str] = {}


def signer(
    folder: Path, seconds: float = 0, name: str = "gateway", changes: Mapping[str, str] = NOTHING
) -> SignedAssertions:
    """A signer whose clock is wrong by that many seconds and whose key is made for that name."""
    clock = FakeClock(SystemClock().now() + round(seconds * 1000))
    return SignedAssertions(Settings.from_environment(ENVIRONMENT | signing(folder, name) | dict(changes)), clock)


def trust(sim: Simulated, **changes: str) -> None:
    """Make the simulator trust the signer's certificate."""
    options = {"samlCertificate": pair()[1].decode(), "samlAudience": AUDIENCE, "samlIssuer": ISSUER}
    sim.sim("PATCH", "settings", options | changes)


def refusal(sim: Simulated, assertion: str) -> str:
    answer = sim.saml_grant(assertion=assertion)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    return str(answer.json()["description"])


def changed(assertion: str, *changes: Change) -> str:
    """The assertion with these changes, but not signed again."""
    response = etree.fromstring(base64.b64decode(assertion))
    for change in changes:
        change(response)
    return base64.b64encode(etree.tostring(response)).decode()


def test_what_the_gateway_signs_is_believed_and_by_a_strict_genesys_once(sim: Simulated, tmp_path: Path) -> None:
    trust(sim)
    sim.sim("PATCH", "settings", {"refuseReplays": True})
    assertions = signer(tmp_path)
    first, second = assertions.take(), assertions.take()

    assert sim.saml_grant(assertion=first).status_code == 200
    assert sim.saml_grant(assertion=second).status_code == 200
    assert refusal(sim, first) == "the assertion was used before"
    # With other bytes it is still the same assertion.
    assert refusal(sim, changed(first, lambda response: response.set("x", "y"))).startswith("the signature is wrong")
    assert refusal(sim, changed(first, without_outer_signature)) == "the assertion was used before"


@pytest.mark.parametrize("seconds", [-280, -60, 0, 9, 60])
def test_a_clock_may_be_somewhat_wrong(sim: Simulated, tmp_path: Path, seconds: float) -> None:
    trust(sim)

    assert sim.saml_grant(assertion=signer(tmp_path, seconds).take()).status_code == 200


def test_a_clock_that_is_far_out_is_not_believed(sim: Simulated, tmp_path: Path) -> None:
    trust(sim)

    assert refusal(sim, signer(tmp_path, -330).take()) == "the assertion is out of date"
    assert refusal(sim, signer(tmp_path, 90).take()) == "the assertion is not valid yet"


def test_another_key_is_not_believed_even_with_the_right_certificate_beside_it(sim: Simulated, tmp_path: Path) -> None:
    trust(sim)

    foreign = signer(tmp_path, name="somebody").take()

    assert refusal(sim, foreign).startswith("the signature is wrong")


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"GENESYS_SAML_AUDIENCE": "https://other.example"}, "audience and recipient are not the application"),
        ({"GENESYS_SAML_ISSUER": "https://other.example"}, "the issuer is not the organisation's identity provider"),
        ({"GENESYS_ORG_NAME": "other-org"}, "the attribute OrganizationName is missing or names another organisation"),
    ],
)
def test_what_belongs_to_another_application_or_organisation_is_not_believed(
    sim: Simulated, tmp_path: Path, changes: dict[str, str], description: str
) -> None:
    trust(sim)

    assert refusal(sim, signer(tmp_path, changes=changes).take()) == description


def without_outer_signature(response: etree._Element) -> None:
    response.remove(response[1])


def without_inner_signature(response: etree._Element) -> None:
    assertion = response.find(f"{SAML}Assertion")
    assert assertion is not None
    assertion.remove(assertion[1])


def another_user(response: etree._Element) -> None:
    for value in response.iter(f"{SAML}AttributeValue"):
        if "@" in (value.text or ""):
            value.text = "ceo@bank.example"


def wrapped(response: etree._Element) -> None:
    """A forged assertion beside the signed one, as in a signature wrapping attack."""
    assertion = response.find(f"{SAML}Assertion")
    assert assertion is not None
    forged = etree.fromstring(etree.tostring(assertion))
    forged.set("ID", "_forged")
    without = forged.find(SIGNATURE)
    assert without is not None
    forged.remove(without)
    another_user(forged)
    response.insert(2, forged)


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ((without_outer_signature, without_inner_signature), "the assertion is not signed"),
        ((another_user,), "the signature is wrong, or not of the configured certificate"),
        ((without_outer_signature, another_user), "the signature is wrong, or not of the configured certificate"),
        ((without_outer_signature, wrapped), "there is not exactly one assertion"),
        ((wrapped,), "the signature is wrong, or not of the configured certificate"),
    ],
    ids=["no signature", "another user", "another user inside", "wrapped", "wrapped inside a signed response"],
)
def test_what_was_changed_on_the_way_is_not_believed(
    sim: Simulated, tmp_path: Path, changes: tuple[Change, ...], description: str
) -> None:
    trust(sim)

    assert refusal(sim, changed(signer(tmp_path).take(), *changes)) == description


def test_one_signature_is_enough(sim: Simulated, tmp_path: Path) -> None:
    trust(sim)
    assertions = signer(tmp_path)

    assert sim.saml_grant(assertion=changed(assertions.take(), without_outer_signature)).status_code == 200


@pytest.mark.parametrize(
    "xml",
    [b"no XML", b"<a/>", b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', b"\xff\xfe\x00"],
)
def test_what_is_no_assertion_is_not_believed(sim: Simulated, xml: bytes) -> None:
    trust(sim)

    assert "etc" not in refusal(sim, base64.b64encode(xml).decode())


def test_the_certificate_can_be_given_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "idp.pem").write_bytes(pair()[1])
    with ExitStack() as stack:
        given = ("--saml-certificate", str(tmp_path / "idp.pem"))
        simulator = Simulator(tmp_path, {"samlAudience": AUDIENCE}, arguments=given)
        stack.callback(simulator.stop)
        settings = simulator.control("GET", "/settings")

    assert settings["samlCertificate"] == pair()[1].decode()
    assert settings["samlAudience"] == AUDIENCE
