"""Do tokens of callers, our own and the issuer's, take effect and expire without a restart?"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
import requests
from gevent.socket import socket
from joserfc.jwk import RSAKey

from tests.doubles.genesys import answer, listening, request_of
from tests.doubles.issuer import AUDIENCE, EC, ISSUER, RSA, UNTRUSTED, claims, key_set, sign, unsigned
from tests.flow.gateways import assert_quick, start_gateway
from tests.harness.gateway import BOFE_TOKEN, Gateway
from tests.harness.simulator import Simulator

ADDRESS = "customers/supportInteraction"
PAIR = {"customerId": "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4", "interactionId": "633ba5f4-38cd-48fc-bb4c-d77057990b9e"}
BOFE, OPS = "bofe-token-of-this-test", "ops-token-of-this-test-1"


def register(gateway: Gateway, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{gateway.url}/{ADDRESS}", json=PAIR, headers=headers, timeout=10).status_code


def show(gateway: Gateway, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{gateway.url}/{ADDRESS}/{PAIR['interactionId']}"
    return requests.get(url, headers=headers, timeout=10).status_code


def replace(file: Path, text: str) -> None:
    """Replace the file at once, as a secret manager does: a reader never sees half of it."""
    new = file.with_suffix(".new")
    new.write_text(text)
    os.replace(new, file)


def test_tokens_are_rotated_without_a_restart(tmp_path: Path, simulator: Simulator) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"bofe:{BOFE}-old\nops:{OPS}\n")
    gateway = start_gateway(tmp_path, simulator.url, GATEWAY_TOKENS="", GATEWAY_TOKENS_FILE=str(file))
    process = gateway.process.pid
    assert register(gateway, f"{BOFE}-old") == 201
    assert register(gateway, f"{BOFE}-new") == 401
    gevent.sleep(1.1)  # unknown tokens make it read the file at most once a second

    replace(file, f"bofe:{BOFE}-old\nbofe:{BOFE}-new\nops:{OPS}\n")
    assert [register(gateway, f"{BOFE}-{which}") for which in ("new", "old")] == [200, 200], "both for a while"
    gevent.sleep(1.1)

    replace(file, f"bofe:{BOFE}-new\nops:{OPS}\n")
    assert register(gateway, "nobody-knows-this") == 401
    assert [register(gateway, f"{BOFE}-{which}") for which in ("new", "old")] == [200, 401]
    gevent.sleep(1.1)

    replace(file, "nonsense")
    assert register(gateway, "nobody-knows-this") == 401
    assert register(gateway, f"{BOFE}-new") == 200, "a file that turned bad replaces nothing"
    assert gateway.process.pid == process
    assert gateway.stop() == 0
    written = json.dumps(gateway.log())
    assert BOFE not in written
    assert "secret_file_unusable" in written


class Issuer:
    """An issuer that serves its keys and counts the requests."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.keys = key_set()

    def handle(self, connection: socket) -> None:
        if request_of(connection):
            self.asked += 1
            connection.sendall(answer(self.keys))


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    with listening(made.handle) as made.url:
        yield made


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator, issuer: Issuer) -> Iterator[Gateway]:
    """A gateway that accepts tokens of the issuer, and one static token."""
    oidc = {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "JWKS_URL": f"{issuer.url}/keys"}
    environ = {f"GATEWAY_OIDC_{name}": value for name, value in oidc.items()}
    gateway = start_gateway(tmp_path_factory.mktemp("oidc"), simulator.url, **environ)
    yield gateway
    assert gateway.stop() == 0
    assert "bofe-server" not in json.dumps(gateway.log()), "who calls is personal"


def now() -> int:
    return round(time.time() * 1000)


def test_a_token_of_the_issuer_opens_what_its_roles_open(trusting: Gateway, issuer: Issuer) -> None:
    for key in (RSA, EC):
        assert register(trusting, sign(claims(now()), key)) in (200, 201)
        assert register(trusting, sign(claims(now(), roles=["ops"]), key)) == 403
        assert show(trusting, sign(claims(now(), roles=["ops"]), key)) == 200
        assert show(trusting, sign(claims(now(), roles=["cook"]), key)) == 403
    assert register(trusting, BOFE_TOKEN) == 200, "tokens of our own work beside it"
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "token",
    [
        lambda: sign(claims(now()), UNTRUSTED),
        lambda: sign(claims(now(), aud="another")),
        lambda: sign(claims(now(), iss="https://another.example")),
        lambda: sign(claims(now() - 400_000)),
        lambda: sign(claims(now(), nbf=now() // 1000 + 100)),
        lambda: sign(claims(now()), RSAKey.generate_key(2048, {"kid": "unknown"})),
        lambda: unsigned({"alg": "none"}, claims(now())),
        lambda: unsigned({"alg": "none", "kid": "rsa-1"}, claims(now())),
        lambda: unsigned({"alg": "HS256", "kid": "rsa-1"}, claims(now()), b"x" * 32),
        lambda: unsigned({"alg": "RS256", "kid": "../../keys/rsa-1"}, claims(now()), b"x" * 256),
    ],
    ids=["signature", "audience", "issuer", "expired", "not-yet", "unknown-key", "none", "none-kid", "hs256", "path"],
)
def test_any_other_token_is_401(trusting: Gateway, issuer: Issuer, token: Any) -> None:
    asked = issuer.asked

    assert register(trusting, token()) == 401

    assert issuer.asked <= asked + 1


def test_after_all_those_the_gateway_is_as_quick_as_ever(trusting: Gateway) -> None:
    assert_quick(trusting)


def test_an_issuer_that_can_not_be_asked_makes_503_not_401(tmp_path: Path, simulator: Simulator) -> None:
    environ = {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "JWKS_URL": "http://127.0.0.1:9/keys"}
    oidc = {f"GATEWAY_OIDC_{name}": value for name, value in environ.items()}
    gateway = start_gateway(tmp_path, simulator.url, GATEWAY_TOKENS="", **oidc)

    assert register(gateway, sign(claims(now()))) == 503
    assert register(gateway, "no-token-of-any-issuer") == 401

    assert gateway.stop() == 0
