"""When are the issuer's keys fetched, which of them are used, and what happens if the issuer does not answer?"""

import json
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.socket import socket
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from genesys_gateway.runtime.errors import Unavailable
from genesys_gateway.web.jwks import AGE, PAUSE, Jwks, read_keys
from tests.doubles.genesys import answer, listening, request_of, settings
from tests.doubles.issuer import EC, RSA, key_set
from tests.doubles.runtime import FakeClock


class Issuer:
    """Serves its key set, or the bytes in ``answers``, after ``seconds``."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[bytes] = []
        self.answers = answer(key_set())
        self.seconds = 0.0

    def handle(self, connection: socket) -> None:
        self.requests.append(request_of(connection))
        gevent.sleep(self.seconds)
        connection.sendall(self.answers)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    with listening(made.handle) as made.url:
        yield made


@pytest.fixture
def keys(issuer: Issuer, clock: FakeClock) -> Jwks:
    return Jwks(settings(oidc_jwks_url=f"{issuer.url}/keys?of=servers"), clock)


def test_keys_are_fetched_when_one_is_needed_and_then_kept(issuer: Issuer, keys: Jwks) -> None:
    assert issuer.requests == []

    for _ in range(5):
        found = [keys.find(name) for name in ("rsa-1", "ec-1")]
        assert [key and key.algorithm for key in found] == ["RS256", "ES256"]

    (request,) = issuer.requests
    assert request.startswith(b"GET /keys?of=servers HTTP/1.1\r\n")
    assert b"uthorization" not in request


def test_an_unknown_id_is_asked_for_once_a_minute_at_most(issuer: Issuer, keys: Jwks, clock: FakeClock) -> None:
    for n in range(20):
        assert keys.find(f"unknown-{n}") is None
    assert len(issuer.requests) == 1

    clock.advance(PAUSE - 0.1)
    assert keys.find("unknown") is None
    assert len(issuer.requests) == 1
    clock.advance(0.1)
    assert keys.find("unknown") is None
    assert keys.find("unknown") is None
    assert len(issuer.requests) == 2


def test_a_new_key_is_found_within_a_minute(issuer: Issuer, keys: Jwks, clock: FakeClock) -> None:
    new = RSAKey.generate_key(2048, {"kid": "rsa-2"})
    keys.find("rsa-1")
    issuer.answers = answer(key_set(new))
    clock.advance(PAUSE)

    assert keys.find("rsa-2") is not None
    assert keys.find("rsa-1") is None, "the issuer has taken it back"


def test_a_key_that_was_taken_back_ends_within_the_hour(issuer: Issuer, keys: Jwks, clock: FakeClock) -> None:
    keys.find("rsa-1")
    issuer.answers = answer(key_set(EC))

    clock.advance(AGE - 1)
    assert keys.find("rsa-1") is not None
    clock.advance(1)
    assert keys.find("rsa-1") is None
    assert len(issuer.requests) == 2


def test_all_who_come_at_once_wait_for_one_answer(issuer: Issuer, keys: Jwks) -> None:
    issuer.seconds = 0.05
    callers = [gevent.spawn(keys.find, name) for name in ("rsa-1", "ec-1", "unknown") * 10]
    gevent.joinall(callers, raise_error=True)

    assert [caller.value is not None for caller in callers[:3]] == [True, True, False]
    assert len(issuer.requests) == 1


def test_while_old_keys_are_renewed_nobody_else_waits(issuer: Issuer, keys: Jwks, clock: FakeClock) -> None:
    keys.find("rsa-1")
    clock.advance(AGE)
    issuer.seconds = 0.2
    renewing = gevent.spawn(keys.find, "rsa-1")
    gevent.sleep(0.05)

    with gevent.Timeout(0.05):
        assert keys.find("rsa-1") is not None
    renewing.get()


@pytest.mark.parametrize(
    "bad",
    [
        answer(key_set(), "500 Internal Server Error"),
        answer(key_set(), "302 Found", "Location: http://127.0.0.1:1/keys"),
        answer(b"<html>"),
        answer(b"[]"),
        answer(b'{"keys": {}}'),
        answer(b'{"keys": []}'),
        answer(b"[" * 100_000),
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    ],
)
def test_what_is_no_key_set_changes_nothing(issuer: Issuer, keys: Jwks, clock: FakeClock, bad: bytes) -> None:
    good, issuer.answers = issuer.answers, bad
    with pytest.raises(Unavailable) as caught:
        keys.find("rsa-1")
    assert caught.value.retry_after == PAUSE
    with pytest.raises(Unavailable):
        keys.find("rsa-1")
    assert len(issuer.requests) == 1, "and the issuer is not asked again at once"

    issuer.answers = good
    clock.advance(PAUSE)
    assert keys.find("rsa-1") is not None

    issuer.answers = bad
    clock.advance(AGE)
    assert keys.find("rsa-1") is not None, "known keys stay valid"
    assert keys.find("unknown") is None


def test_an_issuer_that_does_not_answer_costs_one_time_limit(clock: FakeClock) -> None:
    with listening(lambda connection: gevent.sleep(5)) as url:
        keys = Jwks(settings(oidc_jwks_url=url, http_timeout_seconds=0.1), clock)
        with gevent.Timeout(4), pytest.raises(Unavailable):
            keys.find("rsa-1")


def test_an_issuer_that_is_not_there_is_unavailable(clock: FakeClock) -> None:
    keys = Jwks(settings(oidc_jwks_url="http://127.0.0.1:1/keys"), clock)

    with pytest.raises(Unavailable):
        keys.find("rsa-1")


def test_more_than_a_key_set_is_not_read(clock: FakeClock) -> None:
    whole = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 6_000_000
    with listening(lambda connection: connection.sendall(whole)) as url, pytest.raises(Unavailable):
        Jwks(settings(oidc_jwks_url=url), clock).find("rsa-1")


def usable(item: Any) -> bool:
    """Whether this key is used. A good one in the same set always is."""
    found = read_keys(json.dumps({"keys": [item, EC.as_dict(private=False) | {"kid": "other"}]}).encode())
    assert "other" in found
    return len(found) == 2


PUBLIC = RSA.as_dict(private=False)


@pytest.mark.parametrize(
    "changes", [{}, {"use": "sig"}, {"alg": "RS256"}, {"key_ops": ["verify"]}, {"x5t": "x", "new": 1}]
)
def test_a_key_for_signatures_is_taken(changes: dict[str, Any]) -> None:
    assert usable(PUBLIC | changes)


@pytest.mark.parametrize(
    "item",
    [
        None,
        7,
        "key",
        [],
        {},
        {"kid": "x"},
        PUBLIC | {"kid": None},
        PUBLIC | {"kid": 7},
        {name: value for name, value in PUBLIC.items() if name != "kid"},
        PUBLIC | {"use": "enc"},
        PUBLIC | {"alg": "HS256"},
        PUBLIC | {"alg": "RS512"},
        PUBLIC | {"alg": "ES256"},
        PUBLIC | {"key_ops": ["encrypt"]},
        PUBLIC | {"key_ops": 7},
        PUBLIC | {"kty": "EC"},
        PUBLIC | {"kty": "oct", "k": "c2VjcmV0"},
        PUBLIC | {"n": "!"},
        PUBLIC | {"n": 7},
        PUBLIC | {"e": ""},
        OctKey.generate_key(256, {"kid": "x"}).as_dict(private=True),
        OKPKey.generate_key("Ed25519", {"kid": "x"}).as_dict(private=False),
        ECKey.generate_key("P-384", {"kid": "x"}).as_dict(private=False),
        EC.as_dict(private=False) | {"x": "AAAA"},
    ],
)
def test_any_other_key_is_left_out(item: Any) -> None:
    assert not usable(item)


def test_a_short_key_is_left_out() -> None:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    number = generate_private_key(65537, 1024).public_key().public_numbers().n
    encoded = OctKey.import_key(number.to_bytes(128, "big")).as_dict()["k"]

    assert not usable(PUBLIC | {"n": encoded})


def test_a_secret_in_a_key_set_is_not_kept() -> None:
    (key,) = read_keys(json.dumps({"keys": [RSA.as_dict(private=True)]}).encode()).values()

    assert not key.key.is_private
