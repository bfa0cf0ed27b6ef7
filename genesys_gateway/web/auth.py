"""Who may come in: the roles of a bearer token, ours or the issuer's, and how often one credential may call.

Law: how long a refusal takes tells nothing about the tokens there are: digests of equal length are compared, all of
them, every time.
"""

import hashlib
import hmac
import math
from collections import deque

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import CallerError, Unavailable
from genesys_gateway.settings import Settings
from genesys_gateway.settings.secret import Secret, role_tokens
from genesys_gateway.web.jwks import Jwks
from genesys_gateway.web.jwt import JwtVerifier

#: Seconds over which the requests of a credential are counted.
WINDOW = 60.0

_LONGEST_HEADER = 8192
#: Seconds between two readings of the token file because of unknown tokens.
_REREAD_PAUSE = 1.0
#: So many credentials are remembered before those that have not called for a minute are forgotten.
_MANY = 1000


class NotAuthenticated(CallerError):
    """No credential, or none that is known."""


class NotAllowed(CallerError):
    """A known credential that has no role for this."""


class TooOften(Unavailable):
    """A credential called more often than it may; ``retry_after`` says when its next call fits."""


def guard_of(settings: Settings, clock: Clock) -> "Guard":
    """The guard that the settings ask for."""
    callers = None
    if settings.oidc_issuer is not None and settings.oidc_audience is not None:
        callers = JwtVerifier(
            Jwks(settings, clock), issuer=settings.oidc_issuer, audience=settings.oidc_audience, clock=clock
        )
    return Guard(settings.tokens, settings.client_rate_per_minute, clock, callers)


class Guard:
    """Lets requests in.

    Args:
        tokens: ``role:token`` pairs; followed as their file changes, so that tokens can be rotated.
        per_minute: Requests of one credential in any 60 s; 0 means no limit. Refused ones do not count.
        clock: Whose monotonic time is counted by.
        callers: Reads tokens of an issuer; None when there is no issuer.
    """

    def __init__(
        self, tokens: Secret | None, per_minute: int, clock: Clock, callers: JwtVerifier | None = None
    ) -> None:
        self._tokens = tokens
        self._callers = callers
        self._per_minute = per_minute
        self._clock = clock
        self._reread_at = -math.inf
        self._text: str | None = None
        self._known: tuple[tuple[str, bytes], ...] = ()
        self._calls: dict[bytes, deque[float]] = {}

    def admit(self, authorization: str | None, roles: frozenset[str]) -> None:
        """Let a request pass, or say why not.

        Args:
            authorization: The header as it came.
            roles: Any one of these suffices.

        Raises:
            NotAuthenticated, NotAllowed, TooOften: Checked in this order.
            Unavailable: It may be a token of the issuer, whose keys are not known yet.
        """
        credential, held = self._recognise(_bearer(authorization))
        if not held & roles:
            raise NotAllowed("no role that opens this")
        if self._per_minute:
            self._count(credential)

    def _recognise(self, token: bytes) -> tuple[bytes, frozenset[str]]:
        """What the requests of this caller are counted by, and the caller's roles."""
        presented = _digest(token)
        if held := self._held(presented):
            return presented, held
        caller = self._callers.read(token) if self._callers else None
        if caller is None:
            if self._has_new_tokens() and (held := self._held(presented)):
                return presented, held
            raise NotAuthenticated("no token that is known")
        # By the caller, not the token: a fresh token every minute must not be a fresh limit. A space is in no token.
        return _digest(b"caller " + caller.subject.encode("utf-8", "replace")), caller.roles

    def _held(self, presented: bytes) -> frozenset[str]:
        return frozenset(role for role, digest in self._digests() if hmac.compare_digest(digest, presented))

    def _has_new_tokens(self) -> bool:
        """Whether the file has changed: a token that nobody knows may have been added to it just now."""
        now = self._clock.monotonic()
        if self._tokens is None or now - self._reread_at < _REREAD_PAUSE:
            return False
        self._reread_at = now
        self._tokens.refresh()
        return self._tokens.reveal() != self._text

    def _digests(self) -> tuple[tuple[str, bytes], ...]:
        text = None if self._tokens is None else self._tokens.reveal()
        if text is not None and text != self._text:
            self._known = tuple((role, _digest(token.encode())) for role, token in role_tokens(text))
            self._text = text
        return self._known

    def _count(self, credential: bytes) -> None:
        now = self._clock.monotonic()
        if credential not in self._calls and len(self._calls) >= _MANY:
            self._calls = {one: calls for one, calls in self._calls.items() if now - calls[-1] < WINDOW}
        calls = self._calls.setdefault(credential, deque())
        while calls and now - calls[0] >= WINDOW:
            calls.popleft()
        if len(calls) >= self._per_minute:
            raise TooOften("too many requests of one credential", math.ceil(WINDOW - (now - calls[0])))
        calls.append(now)


def _bearer(authorization: str | None) -> bytes:
    scheme, _, token = (authorization or "")[:_LONGEST_HEADER].partition(" ")
    # WSGI hands headers over as latin-1 text, whatever bytes came.
    return token.strip(" ").encode("latin-1", "replace") if scheme.lower() == "bearer" else b""


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
