"""Who may come in: the roles of a bearer token, and how often one credential may call.

Law: how long a refusal takes tells nothing about the tokens there are: digests of equal length are compared, all of
them, every time.
"""

import hashlib
import hmac
import math
from collections import deque

from genesys_gateway.clock import Clock
from genesys_gateway.errors import Rejected, Unavailable
from genesys_gateway.secret import Secret, role_tokens

#: Seconds over which the requests of a credential are counted.
WINDOW = 60.0

_LONGEST_HEADER = 8192


class NotAuthenticated(Rejected):
    """No credential, or none that is known."""


class NotAllowed(Rejected):
    """A known credential that has no role for this."""


class TooOften(Unavailable):
    """A credential called more often than it may; ``retry_after`` says when its next call fits."""


class Guard:
    """Lets requests in.

    Args:
        tokens: ``role:token`` pairs; followed as their file changes, so that tokens can be rotated.
        per_minute: Requests of one credential in any 60 s; 0 means no limit. Refused ones do not count.
        clock: Whose monotonic time is counted by.
    """

    def __init__(self, tokens: Secret, per_minute: int, clock: Clock) -> None:
        self._tokens = tokens
        self._per_minute = per_minute
        self._clock = clock
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
        """
        presented = _digest(_bearer(authorization))
        held = {role for role, digest in self._digests() if hmac.compare_digest(digest, presented)}
        if not held:
            raise NotAuthenticated("A valid bearer token is needed.")
        if not held & roles:
            raise NotAllowed("The role of this token does not allow it.")
        if self._per_minute:
            self._count(presented)

    def _digests(self) -> tuple[tuple[str, bytes], ...]:
        text = self._tokens.reveal()
        if text != self._text:
            self._known = tuple((role, _digest(token.encode())) for role, token in role_tokens(text))
            self._text = text
            current = {digest for _, digest in self._known}
            self._calls = {digest: calls for digest, calls in self._calls.items() if digest in current}
        return self._known

    def _count(self, credential: bytes) -> None:
        now = self._clock.monotonic()
        calls = self._calls.setdefault(credential, deque())
        while calls and now - calls[0] >= WINDOW:
            calls.popleft()
        if len(calls) >= self._per_minute:
            raise TooOften("This credential calls too often.", math.ceil(WINDOW - (now - calls[0])))
        calls.append(now)


def _bearer(authorization: str | None) -> bytes:
    scheme, _, token = (authorization or "")[:_LONGEST_HEADER].partition(" ")
    # WSGI hands headers over as latin-1 text, whatever bytes came.
    return token.strip(" ").encode("latin-1", "replace") if scheme.lower() == "bearer" else b""


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
