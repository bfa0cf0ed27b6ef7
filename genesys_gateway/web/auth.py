"""Authenticates requests by bearer token (one of ours, or a JWT of the issuer), checks the role and limits the rate.

Invariant: the time a refusal takes reveals nothing about the configured tokens. Every request is compared with all of
them, by digests of equal length.
"""

import hashlib
import hmac
import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import CallerError, Unavailable
from genesys_gateway.settings import Settings
from genesys_gateway.settings.secret import Secret, role_tokens
from genesys_gateway.web.jwks import Jwks
from genesys_gateway.web.jwt import JwtVerifier

#: Length of the rate limit's sliding window, in seconds.
WINDOW = 60.0

#: Maximum number of characters read of an ``Authorization`` header.
_LONGEST_HEADER = 8192
#: Minimum number of seconds between two readings of the token file because of an unknown token.
_REREAD_PAUSE = 1.0
#: Number of credentials above which those without a call in the last minute are forgotten.
_MANY_CREDENTIALS = 1000
#: Maximum number of characters shown of the subject of a JWT.
_LONGEST_NAME = 100
#: Number of hexadecimal digits that tell a role's tokens apart for people, and tell nobody a token.
_FINGERPRINT_DIGITS = 8


class NotAuthenticated(CallerError):
    """The request has no credential, or an unknown one."""


class NotAllowed(CallerError):
    """The credential is known but has none of the roles required."""


class TooOften(Unavailable):
    """The credential called more often than allowed; ``retry_after`` is the time until its next call is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The sender of a request that is admitted."""

    #: key under which its requests are counted
    credential: bytes = field(repr=False)
    #: who it is, for people: a role with a fingerprint of its token, or the subject of a JWT
    name: str
    #: whether it presented a JWT
    by_issuer: bool = False
    #: when that ends, in epoch milliseconds; None if it does not say
    ends_at: int | None = None


def guard_of(settings: Settings, clock: Clock) -> "Guard":
    """The guard that the settings describe."""
    verifier = None
    if settings.oidc_issuer is not None and settings.oidc_audience is not None:
        verifier = JwtVerifier(
            Jwks(settings, clock), issuer=settings.oidc_issuer, audience=settings.oidc_audience, clock=clock
        )
    return Guard(settings.tokens, settings.client_rate_per_minute, clock, verifier)


class Guard:
    """Decides which requests are admitted.

    Args:
        tokens: ``role:token`` pairs. A change of their file takes effect, so that tokens can be rotated.
        per_minute: Maximum number of requests of one credential in any 60 s; 0 means no limit. Refused requests do
            not count.
        clock: Only its monotonic time is used.
        verifier: Reads the issuer's tokens; None when no issuer is configured.
    """

    def __init__(
        self, tokens: Secret | None, per_minute: int, clock: Clock, verifier: JwtVerifier | None = None
    ) -> None:
        self._tokens = tokens
        self._verifier = verifier
        self._per_minute = per_minute
        self._clock = clock
        self._reread_at = -math.inf
        self._text: str | None = None
        self._known: tuple[tuple[str, bytes], ...] = ()
        self._calls: dict[bytes, deque[float]] = {}

    def admit(self, authorization: str | None, roles: frozenset[str]) -> Admitted:
        """Return the sender of the request if it is admitted; it then counts against the rate limit.

        Args:
            authorization: The ``Authorization`` header as received.
            roles: The caller needs one of these.

        Raises:
            NotAuthenticated, NotAllowed, TooOften: Checked in this order.
            Unavailable: The token may be one of the issuer's, but the issuer's keys could not be fetched yet.
        """
        admitted = self.identify(authorization, roles)
        self.count(admitted.credential)
        return admitted

    def identify(self, authorization: str | None, roles: frozenset[str]) -> Admitted:
        """The same as :meth:`admit`, but it counts nothing, and raises no TooOften."""
        admitted, held = self._authenticate(_bearer(authorization), roles)
        if not held & roles:
            raise NotAllowed("no role that opens this")
        return admitted

    def _authenticate(self, token: bytes, roles: frozenset[str]) -> tuple[Admitted, frozenset[str]]:
        """The caller, and its roles."""
        presented = _digest(token)
        if held := self._roles_of(presented):
            return _holder(presented, held & roles), held
        caller = self._verifier.read(token) if self._verifier else None
        if caller is None:
            if self.has_new_tokens() and (held := self._roles_of(presented)):
                return _holder(presented, held & roles), held
            raise NotAuthenticated("no token that is known")
        # Counted by caller, not by token: otherwise each new token would start a new count. This key equals that of no
        # token, because it is made from a text with a space, and no token contains a space.
        credential = _digest(b"caller " + caller.subject.encode("utf-8", "replace"))
        name = shown_name(caller.subject)
        return Admitted(credential=credential, name=name, by_issuer=True, ends_at=caller.ends_at), caller.roles

    def holders(self, role: str) -> tuple[Admitted, ...]:
        """What :meth:`identify` returns for each configured token of a role."""
        return tuple(_holder(digest, {role}) for of, digest in self._known_tokens() if of == role)

    def _roles_of(self, presented: bytes) -> frozenset[str]:
        return frozenset(role for role, digest in self._known_tokens() if hmac.compare_digest(digest, presented))

    def has_new_tokens(self) -> bool:
        """Whether the file has changed: an unknown token may just have been added to it. Reads it once a second."""
        now = self._clock.monotonic()
        if self._tokens is None or now - self._reread_at < _REREAD_PAUSE:
            return False
        self._reread_at = now
        self._tokens.refresh()
        return self._tokens.reveal() != self._text

    def _known_tokens(self) -> tuple[tuple[str, bytes], ...]:
        """Each role with the digest of one of its tokens."""
        text = None if self._tokens is None else self._tokens.reveal()
        if text is not None and text != self._text:
            self._known = tuple((role, _digest(token.encode())) for role, token in role_tokens(text))
            self._text = text
        return self._known

    def count(self, credential: bytes) -> None:
        """Count a request against the rate limit of its credential. Raises TooOften if it is over the limit."""
        if not self._per_minute:
            return
        now = self._clock.monotonic()
        if credential not in self._calls and len(self._calls) >= _MANY_CREDENTIALS:
            self._calls = {one: calls for one, calls in self._calls.items() if now - calls[-1] < WINDOW}
        calls = self._calls.setdefault(credential, deque())
        while calls and now - calls[0] >= WINDOW:
            calls.popleft()
        if len(calls) >= self._per_minute:
            raise TooOften("too many requests of one credential", math.ceil(WINDOW - (now - calls[0])))
        calls.append(now)


def _bearer(authorization: str | None) -> bytes:
    scheme, _, token = (authorization or "")[:_LONGEST_HEADER].partition(" ")
    # WSGI decodes headers as latin-1, whatever bytes were sent.
    return token.strip(" ").encode("latin-1", "replace") if scheme.lower() == "bearer" else b""


def shown_name(subject: str) -> str:
    """The subject of a JWT, cut to fit into a timeline, and without characters that are not printed."""
    shown = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in subject[:_LONGEST_NAME])
    return shown[:_LONGEST_NAME]


def _holder(digest: bytes, roles: Collection[str]) -> Admitted:
    """The holder of a token of ours."""
    return Admitted(credential=digest, name=f"{'+'.join(sorted(roles))} {digest.hex()[:_FINGERPRINT_DIGITS]}")


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
