"""``check`` of the issuer of callers' tokens."""

import pytest
from gevent.socket import socket

from genesys_gateway.commands.check.findings import Finding, State
from genesys_gateway.commands.check.issuer import inspect
from tests.doubles.genesys import answer, listening, request_of, settings
from tests.doubles.issuer import key_set
from tests.doubles.runtime import FakeClock


def inspected(reply: bytes) -> Finding:
    """The finding about an issuer that gives this answer."""

    def handle(connection: socket) -> None:
        request_of(connection)
        connection.sendall(reply)

    with listening(handle) as url:
        (finding,) = inspect(settings(oidc_jwks_url=url), FakeClock())
    return finding


def test_without_an_issuer_there_is_nothing_to_say() -> None:
    assert list(inspect(settings(), FakeClock())) == []


def test_its_keys_are_counted() -> None:
    finding = inspected(answer(key_set()))

    assert (finding.state, finding.text) == (State.GOOD, "keys: 1 for ES256, 1 for RS256")


@pytest.mark.parametrize("reply", [answer(b"<html>"), answer(key_set(), "404 Not Found"), b""])
def test_an_address_without_keys_is_a_cross(reply: bytes) -> None:
    finding = inspected(reply)

    assert finding.state is State.WRONG
    assert "GATEWAY_OIDC_JWKS_URL" in (finding.advice or "")
