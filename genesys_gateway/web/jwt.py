"""Verifies that callers' JSON Web Tokens are signed by the issuer, meant for us and valid now, and reads their roles.

Invariant: a token has no influence on how it is verified. Its key is looked up by id in the issuer's set, the algorithm
belongs to that key, and keys or addresses inside a token are ignored.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from joserfc import jws
from joserfc.errors import JoseError

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import CallerError
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.web.jwks import IssuerKey

log = get_logger(__name__)

#: Maximum difference in seconds between the issuer's clock and ours.
LEEWAY = 30

#: Who the caller is, if the token names nobody.
_NOBODY = "unnamed"
#: Three parts of Base64, as every signed token has.
_LOOKS_SIGNED = re.compile(rb"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_KEY_ID = re.compile(r"[!-~]{1,200}")
_TYPES = ("", "jwt", "at+jwt", "application/at+jwt")
_ALGORITHMS = ("RS256", "ES256")
# Headers beyond the registered ones are common; they are accepted and ignored.
_REGISTRY = jws.JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)


class Keys(Protocol):
    """A set of public keys; :class:`~genesys_gateway.web.jwks.Jwks` is one."""

    def find(self, key_id: str) -> IssuerKey | None:
        """The key with that id, or None. Raises Unavailable when no keys could be fetched yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The sender of a request with a valid token."""

    roles: frozenset[str]
    #: the same in all tokens of one caller
    subject: str = field(repr=False)
    #: when the token ends, in epoch milliseconds; None if it does not say
    ends_at: int | None = None


class _InvalidToken(CallerError):
    """The token is not valid; the message is one of a few fixed reasons, for the log."""


class JwtVerifier:
    """Verifies the tokens of one issuer for one audience.

    Args:
        keys: The issuer's public keys.
        issuer: Required ``iss`` claim.
        audience: Required in the ``aud`` claim.
        clock: Its wall time is compared with the times in the tokens.
    """

    def __init__(self, keys: Keys, *, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._logger = SampledLog(log, self._clock)

    def read(self, token: bytes) -> Caller | None:
        """Verify a token, and return the caller it names; None when it is no valid token, or no JWT at all.

        Raises:
            Unavailable: The issuer's keys could not be fetched yet.
        """
        if not _LOOKS_SIGNED.fullmatch(token):
            return None
        try:
            claims = _claims_of(self._verified_payload(token))
            self._check(claims)
        except _InvalidToken as error:
            self._logger.info("caller_token_refused", reason=str(error))
            return None
        ends_at = _seconds(claims, "exp", math.inf)
        return Caller(
            roles=_roles(claims.get("roles")),
            subject=str(claims.get("sub") or claims.get("client_id") or _NOBODY),
            ends_at=round(ends_at * 1000) if math.isfinite(ends_at) else None,
        )

    def _verified_payload(self, token: bytes) -> bytes:
        try:
            signed = jws.extract_compact(token, registry=_REGISTRY)
            key = self._key(signed.headers())
            good = jws.validate_compact(signed, key.key, [key.algorithm], _REGISTRY)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise _InvalidToken("malformed") from None
        if not good:
            raise _InvalidToken("signature")
        return signed.payload

    def _key(self, header: Mapping[str, Any]) -> IssuerKey:
        if "crit" in header or "b64" in header or str(header.get("typ") or "").lower() not in _TYPES:
            raise _InvalidToken("kind")
        if header.get("alg") not in _ALGORITHMS:
            raise _InvalidToken("algorithm")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise _InvalidToken("key id")
        key = self._keys.find(key_id)
        if key is None:
            raise _InvalidToken("unknown key")
        if header["alg"] != key.algorithm:
            raise _InvalidToken("algorithm of another key")
        return key

    def _check(self, claims: Mapping[str, Any]) -> None:
        audiences = claims.get("aud")
        if claims.get("iss") != self._issuer:
            raise _InvalidToken("issuer")
        if self._audience not in (audiences if isinstance(audiences, list) else [audiences]):
            raise _InvalidToken("audience")
        now = self._clock.now() / 1000
        if _seconds(claims, "exp", -math.inf) + LEEWAY <= now:
            raise _InvalidToken("expired")
        if max(_seconds(claims, "nbf", -math.inf), _seconds(claims, "iat", -math.inf)) - LEEWAY > now:
            raise _InvalidToken("not yet")


def _claims_of(payload: bytes) -> Mapping[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        raise _InvalidToken("claims") from None
    if not isinstance(claims, dict):
        raise _InvalidToken("claims")
    return claims


def _seconds(claims: Mapping[str, Any], name: str, absent: float) -> float:
    """A time claim in epoch seconds. Any other value makes the token invalid, also NaN: no comparison holds for it."""
    if name not in claims:
        return absent
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise _InvalidToken(name)
    return float(value)


def _roles(claim: object) -> frozenset[str]:
    roles = [claim] if isinstance(claim, str) else claim
    return frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset()
