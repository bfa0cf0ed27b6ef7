"""Which tokens are valid? Every other one is treated as no token at all."""

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from genesys_gateway.web.jwks import IssuerKey, read_keys
from genesys_gateway.web.jwt import JwtVerifier
from tests.doubles.issuer import AUDIENCE, EC, ISSUER, RSA, UNTRUSTED, claims, key_set, sign, unsigned
from tests.doubles.runtime import FakeClock

NOW = FakeClock().now()
GOOD = claims(NOW)


class KnownKeys:
    """The issuer's keys, without fetching; ``asked`` holds the ids that were looked up."""

    def __init__(self) -> None:
        self.keys = read_keys(key_set())
        self.asked: list[str] = []

    def find(self, key_id: str) -> IssuerKey | None:
        self.asked.append(key_id)
        return self.keys.get(key_id)


@pytest.fixture
def keys() -> KnownKeys:
    return KnownKeys()


@pytest.fixture
def tokens(keys: KnownKeys, clock: FakeClock) -> JwtVerifier:
    return JwtVerifier(keys, issuer=ISSUER, audience=AUDIENCE, clock=clock)


@pytest.mark.parametrize("key", [RSA, EC])
def test_a_good_token_tells_caller_and_roles(tokens: JwtVerifier, key: RSAKey | ECKey) -> None:
    caller = tokens.read(sign(GOOD | {"roles": ["bofe", "ops", "cook"]}, key).encode())

    assert caller is not None
    assert caller.subject == "bofe-server"
    assert caller.roles == {"bofe", "ops", "cook"}
    assert "bofe-server" not in repr(caller)


@pytest.mark.parametrize(
    ("roles", "held"),
    [
        ("bofe", {"bofe"}),
        ([], set()),
        (None, set()),
        ({"bofe": True}, set()),
        ([["bofe"], 7, "ops"], {"ops"}),
        (7, set()),
    ],
)
def test_roles_are_words(tokens: JwtVerifier, roles: Any, held: set[str]) -> None:
    caller = tokens.read(sign(claims(NOW, roles=roles)).encode())

    assert caller is not None
    assert caller.roles == held


@pytest.mark.parametrize(
    ("named", "subject"),
    [
        ({"sub": None, "client_id": "batch"}, "batch"),
        ({"sub": "", "client_id": None}, "unnamed"),
        ({"sub": None, "client_id": None}, "unnamed"),
    ],
)
def test_a_caller_without_a_subject_is_its_client_or_unnamed(
    tokens: JwtVerifier, named: dict[str, Any], subject: str
) -> None:
    caller = tokens.read(sign(claims(NOW, **named)).encode())

    assert caller is not None
    assert caller.subject == subject


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE, "another"]},
        {"nbf": None, "iat": None, "sub": None},
        {"exp": NOW / 1000 + 0.5},
        {"azp": "x", "scope": "y", "nested": {"deep": []}},
    ],
)
def test_these_are_good_too(tokens: JwtVerifier, changes: dict[str, Any]) -> None:
    assert tokens.read(sign(claims(NOW, **changes)).encode()) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"iss": ISSUER + "/"},
        {"iss": [ISSUER]},
        {"aud": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": [[AUDIENCE]]},
        {"aud": {AUDIENCE: 1}},
        {"aud": AUDIENCE + " another"},
        {"exp": None},
        {"exp": str(NOW // 1000 + 300)},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"exp": [NOW]},
        {"exp": NOW},  # milliseconds: in the year 57000
        {"nbf": "now"},
        {"nbf": float("nan")},
        {"iat": False},
        {"iat": {}},
    ],
)
def test_claims_that_are_wrong_make_it_no_token(tokens: JwtVerifier, changes: dict[str, Any]) -> None:
    payload = json.dumps(claims(NOW, **changes)).encode()
    assert tokens.read(signed_bytes(payload).encode()) is None


def signed_bytes(payload: bytes, key: RSAKey = RSA, **header: Any) -> str:
    """A token with exactly these bytes as its payload, correctly signed."""
    return jws.serialize_compact({"alg": "RS256", "kid": "rsa-1", "typ": "JWT"} | header, payload, key)


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"7", b'"x"', b"{", b"\xff", b"[" * 5000, b'{"exp": NaN}'])
def test_a_payload_that_is_no_object_is_no_token(tokens: JwtVerifier, payload: bytes) -> None:
    assert tokens.read(signed_bytes(payload).encode()) is None


def test_clocks_may_differ_by_half_a_minute(tokens: JwtVerifier, clock: FakeClock) -> None:
    token = sign(GOOD).encode()

    for seconds, good in ((-30.0, True), (-0.1, False), (30.1 + 329.9, True), (0.1, False)):
        clock.jump(seconds)
        assert (tokens.read(token) is not None) is good, clock.now()


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "nOnE", "", None, "HS256", "RS384", "RS512", "PS256", "EdDSA", 7, []]
)
def test_no_algorithm_but_that_of_the_key_will_do(tokens: JwtVerifier, keys: KnownKeys, algorithm: object) -> None:
    for signature in (b"", b"x" * 32, b"x" * 256):
        assert tokens.read(unsigned({"alg": algorithm, "kid": "rsa-1"}, GOOD, signature).encode()) is None
    assert keys.asked == [], "the issuer is not asked about what can't be good"


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
def test_a_public_key_is_no_secret(tokens: JwtVerifier, algorithm: str) -> None:
    for secret in (RSA.as_pem(private=False), key_set(RSA), json.dumps(RSA.as_dict(private=False)).encode()):
        signed, _, _ = unsigned({"alg": algorithm, "kid": "rsa-1"}, GOOD).rpartition(".")
        mac = urlsafe_b64encode(hmac.digest(secret, signed.encode(), "sha256")).decode().rstrip("=")

        assert tokens.read(f"{signed}.{mac}".encode()) is None


def test_a_key_is_good_for_its_own_algorithm_only(tokens: JwtVerifier) -> None:
    for key, other in ((RSA, "ec-1"), (EC, "rsa-1")):
        assert tokens.read(sign(GOOD, key, kid=other).encode()) is None


def test_a_signature_of_somebody_else_is_none(tokens: JwtVerifier) -> None:
    assert tokens.read(sign(GOOD, UNTRUSTED).encode()) is None


@pytest.mark.parametrize(
    "key_id",
    [
        "",
        "unknown",
        "../../etc/passwd",
        "/dev/null",
        "rsa-1\x00",
        "rsa-1 ",
        "RSA-1",
        "https://evil.example/k",
        "k" * 201,
        7,
        None,
        ["rsa-1"],
        {"rsa-1": 1},
        True,
    ],
)
def test_a_key_id_names_a_key_of_the_set_or_nothing(tokens: JwtVerifier, key_id: object) -> None:
    forged = unsigned({"alg": "RS256", "kid": key_id}, GOOD, b"x" * 256)

    assert tokens.read(forged.encode()) is None


def test_keys_and_addresses_in_a_token_are_not_looked_at(tokens: JwtVerifier, keys: KnownKeys) -> None:
    own = UNTRUSTED.as_dict(private=False)
    for header in (
        {"jwk": own},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/cert"},
        {"x5c": ["MII"]},
    ):
        assert tokens.read(signed_bytes(json.dumps(GOOD).encode(), UNTRUSTED, **header).encode()) is None
    assert set(keys.asked) <= {"rsa-1"}


@pytest.mark.parametrize(
    "header",
    [{"crit": ["b64"], "b64": False}, {"crit": ["exp"]}, {"b64": True}, {"typ": "logout+jwt"}, {"typ": "dpop+jwt"}],
)
def test_a_token_of_another_kind_is_none(tokens: JwtVerifier, header: dict[str, Any]) -> None:
    whole, payload, signature = sign(GOOD).split(".")
    changed = unsigned({"alg": "RS256", "kid": "rsa-1"} | header, {}).split(".")[0]

    assert tokens.read(f"{changed}.{payload}.{signature}".encode()) is None
    assert whole != changed


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
def test_access_tokens_are_taken(tokens: JwtVerifier, kind: str | None) -> None:
    assert tokens.read(sign(GOOD, typ=kind).encode()) is not None


def test_a_changed_byte_spoils_it(tokens: JwtVerifier) -> None:
    token = sign(GOOD).encode()
    header, payload, signature = token.split(b".")
    more = urlsafe_b64encode(json.dumps(GOOD | {"roles": ["ops"]}).encode()).rstrip(b"=")

    assert tokens.read(token) is not None
    for bad in (
        b".".join((header, more, signature)),
        b".".join((header, payload, signature[:-8])),
        b".".join((header, payload, b"")),
        b".".join((header, b"", signature)),
        b".".join((header, payload)),
        token + b".x",
        token + b"=",
        b" " + token,
        b"",
        b"..",
    ):
        assert tokens.read(bad) is None, bad


@given(st.binary(max_size=400))
def test_whatever_bytes_come_nothing_raises(noise: bytes) -> None:
    tokens = JwtVerifier(KnownKeys(), issuer=ISSUER, audience=AUDIENCE, clock=FakeClock())

    assert tokens.read(noise) is None
    assert tokens.read(b".".join([urlsafe_b64encode(noise).rstrip(b"=") or b"x"] * 3)) is None


_JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=3)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip", "jku", "x"]), _JSON), st.binary())
def test_whatever_stands_in_a_header_nothing_raises(header: dict[str, Any], signature: bytes) -> None:
    tokens = JwtVerifier(KnownKeys(), issuer=ISSUER, audience=AUDIENCE, clock=FakeClock())

    for forced in ({}, {"alg": "RS256", "kid": "rsa-1"}, {"alg": "ES256", "kid": "ec-1"}):
        assert tokens.read(unsigned(header | forced, GOOD, signature[:64]).encode()) is None
