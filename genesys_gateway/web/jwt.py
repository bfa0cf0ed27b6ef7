"""JSON Web Tokens of callers: whether one is the issuer's, for us and good now, and which roles it names.

Law: a token decides nothing about how it is checked. The algorithm comes with the key, the key from the issuer's set
by its id, and addresses or keys that stand in a token are not looked at.
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
from genesys_gateway.web.jwks import IssuerKey

log = get_logger(__name__)

#: Seconds by which the issuer's clock and ours may differ.
LEEWAY = 30

_LOOKS_SIGNED = re.compile(rb"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_KEY_ID = re.compile(r"[!-~]{1,200}")
_TYPES = ("", "jwt", "at+jwt", "application/at+jwt")
_ALGORITHMS = ("RS256", "ES256")
# Headers beyond the registered ones are common, and none of them is asked.
_REGISTRY = jws.JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)


class Keys(Protocol):
    """Where keys are found."""

    def find(self, key_id: str) -> IssuerKey | None:
        """The key with that id. Raises Unavailable when no keys are known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who called with a good token."""

    roles: frozenset[str]
    #: the same for all tokens of one caller
    subject: str = field(repr=False)


class _Bad(CallerError):
    """The token is not good; the message is one of a few fixed words for the log."""


class JwtVerifier:
    """Reads tokens of one issuer, for one audience.

    Args:
        clock: Its wall time is compared with that of the tokens.
    """

    def __init__(self, keys: Keys, *, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    def read(self, token: bytes) -> Caller | None:
        """Who presents this token; None when it is no good token, whatever else it is.

        Raises:
            Unavailable: The issuer's keys are not known yet.
        """
        if not _LOOKS_SIGNED.fullmatch(token):
            return None
        try:
            claims = _object(self._verified(token))
            self._check(claims)
        except _Bad as error:
            log.info("caller_token_refused", reason=str(error))
            return None
        return Caller(roles=_roles(claims.get("roles")), subject=str(claims.get("sub") or claims.get("client_id")))

    def _verified(self, token: bytes) -> bytes:
        """The payload, after its signature was found good."""
        try:
            signed = jws.extract_compact(token, registry=_REGISTRY)
            key = self._key(signed.headers())
            good = jws.validate_compact(signed, key.key, [key.algorithm], _REGISTRY)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise _Bad("malformed") from None
        if not good:
            raise _Bad("signature")
        return signed.payload

    def _key(self, header: Mapping[str, Any]) -> IssuerKey:
        if "crit" in header or "b64" in header or str(header.get("typ") or "").lower() not in _TYPES:
            raise _Bad("kind")
        if header.get("alg") not in _ALGORITHMS:
            raise _Bad("algorithm")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise _Bad("key id")
        key = self._keys.find(key_id)
        if key is None:
            raise _Bad("unknown key")
        if header["alg"] != key.algorithm:
            raise _Bad("algorithm of another key")
        return key

    def _check(self, claims: Mapping[str, Any]) -> None:
        audiences = claims.get("aud")
        if claims.get("iss") != self._issuer:
            raise _Bad("issuer")
        if self._audience not in (audiences if isinstance(audiences, list) else [audiences]):
            raise _Bad("audience")
        now = self._clock.now() / 1000
        if _seconds(claims, "exp", -math.inf) + LEEWAY <= now:
            raise _Bad("expired")
        if max(_seconds(claims, "nbf", -math.inf), _seconds(claims, "iat", -math.inf)) - LEEWAY > now:
            raise _Bad("not yet")


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        raise _Bad("claims") from None
    if not isinstance(claims, dict):
        raise _Bad("claims")
    return claims


def _seconds(claims: Mapping[str, Any], name: str, absent: float) -> float:
    """A moment in epoch seconds. What is none (NaN, for one, compares with nothing) spoils the token."""
    if name not in claims:
        return absent
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise _Bad(name)
    return float(value)


def _roles(named: object) -> frozenset[str]:
    words = [named] if isinstance(named, str) else named
    return frozenset(word for word in words if isinstance(word, str)) if isinstance(words, list) else frozenset()
