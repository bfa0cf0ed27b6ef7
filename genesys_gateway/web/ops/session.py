"""Sessions of operators in a browser: each is a signed cookie, opened by a token of the role ops or by a JWT.

The key of a session is derived from the token that opened it, so all instances with this token know it, before and
after a restart, and the session ends when the token is taken out of the configuration. The key of a session that a JWT
opened is derived from the secret of the OAuth client.

Invariant: a session ends 15 minutes after its last request, 12 hours after it was opened, with its JWT, or when it is
closed, whichever comes first. Nothing in a cookie is believed before its signature is verified.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.settings.secret import Secret
from genesys_gateway.web.auth import Admitted, Guard

#: Name of the cookie.
COOKIE = "ops_session"
#: The role whose sessions these are.
ROLE = "ops"
#: Time after the last request at which a session ends, and its longest life; in milliseconds.
IDLE_MS, LIFE_MS = 15 * 60_000, 12 * 3_600_000
#: A cookie is written anew if the last request that it knows is older than this, in milliseconds.
RENEWAL_MS = 30_000

#: Maximum length of a cookie, in characters.
_LONGEST_COOKIE = 2048
#: Maximum number of sessions that were closed and are remembered; each at most for the rest of its life.
_MOST_CLOSED = 10_000
_PURPOSE = b"genesys-gateway session of an operator, 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that is open. Times are epoch milliseconds."""

    id: str
    #: who opened it
    holder: Admitted
    opened_at: int
    #: the latest request that its cookie knows
    seen_at: int
    #: when it ends at the latest
    ends_at: int
    #: signs its cookie
    key: bytes = field(repr=False)

    @property
    def csrf(self) -> str:
        """The word that each POST of the session must carry, which only our own pages know."""
        return hmac.new(self.key, b"word " + self.id.encode(), hashlib.sha256).hexdigest()[:32]

    def knows(self, word: str) -> bool:
        """Whether this is the session's word; takes the same time for each wrong one."""
        return hmac.compare_digest(self.csrf.encode(), word.encode("utf-8", "replace"))


class Sessions:
    """Opens, reads and closes sessions.

    Args:
        guard: Knows the tokens of operators.
        client_secret: From it the key of sessions by JWT is derived.
        clock: Its wall time is stored in cookies.
        most_closed: Maximum number of closed sessions that are remembered.
    """

    def __init__(self, guard: Guard, client_secret: Secret, clock: Clock, *, most_closed: int = _MOST_CLOSED) -> None:
        self._guard = guard
        self._client_secret = client_secret
        self._clock = clock
        self._most_closed = most_closed
        #: ids of sessions that were closed here, with their ends
        self._closed: dict[str, int] = {}

    def open(self, holder: Admitted) -> Session:
        """Begin a session for the holder of a token of ops, or of a JWT."""
        now = self._clock.now()
        ends_at = now + LIFE_MS if holder.ends_at is None else min(now + LIFE_MS, holder.ends_at)
        key = self._key_of_issuer() if holder.by_issuer else _key(holder.credential)
        session_id = secrets.token_urlsafe(18)
        return Session(id=session_id, holder=holder, opened_at=now, seen_at=now, ends_at=ends_at, key=key)

    def read(self, cookie: str | None) -> Session | None:
        """The open session of this cookie; None if it is no cookie of ours, or its session has ended."""
        if not cookie or len(cookie) > _LONGEST_COOKIE:
            return None
        session = self._verified(cookie)
        if session is None and self._guard.has_new_tokens():
            session = self._verified(cookie)
        now = self._clock.now()
        if session is None or session.id in self._closed:
            return None
        return session if now < min(session.ends_at, session.opened_at + LIFE_MS, session.seen_at + IDLE_MS) else None

    def cookie(self, session: Session) -> str:
        """The value of a session's cookie after a request now."""
        holder = session.holder
        values: dict[str, Any] = {
            "id": session.id,
            "opened": session.opened_at,
            "seen": self._clock.now(),
            "ends": session.ends_at,
        }
        if holder.by_issuer:
            values |= {"name": holder.name, "caller": holder.credential.hex()}
        return str(serializer_of(session.key).dumps(values))

    def renewed(self, session: Session) -> str | None:
        """The same; None while the present cookie is young enough, and for a session that was closed since."""
        if session.id in self._closed or abs(self._clock.now() - session.seen_at) < RENEWAL_MS:
            return None
        return self.cookie(session)

    def close(self, session: Session) -> None:
        """End a session: from now on this process refuses all of its cookies."""
        now = self._clock.now()
        if len(self._closed) >= self._most_closed:
            self._closed = {one: ends_at for one, ends_at in self._closed.items() if ends_at > now}
        while len(self._closed) >= self._most_closed:
            del self._closed[next(iter(self._closed))]
        self._closed[session.id] = session.ends_at

    def _verified(self, cookie: str) -> Session | None:
        for key, holder in self._keys():
            try:
                return _session(serializer_of(key).loads(cookie), key, holder)
            except (BadData, ValueError, TypeError, KeyError, RecursionError):
                continue
        return None

    def _keys(self) -> Iterator[tuple[bytes, Admitted | None]]:
        """The key of each token of an operator with its holder, then the key of sessions by JWT."""
        for holder in self._guard.holders(ROLE):
            yield _key(holder.credential), holder
        yield self._key_of_issuer(), None

    def _key_of_issuer(self) -> bytes:
        return _key(b"client " + self._client_secret.reveal().encode())


def _key(secret: bytes) -> bytes:
    return hmac.new(secret, _PURPOSE, hashlib.sha256).digest()


def serializer_of(key: bytes) -> URLSafeSerializer:
    """Signs and verifies the cookies of sessions with this key."""
    return URLSafeSerializer(
        key, salt=_PURPOSE, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
    )


def _session(values: dict[str, Any], key: bytes, holder: Admitted | None) -> Session:
    """The session of a cookie with a good signature. Raises as a dictionary without these values does."""
    if holder is None:
        holder = Admitted(credential=bytes.fromhex(values["caller"]), name=str(values["name"]), by_issuer=True)
        holder = replace(holder, ends_at=int(values["ends"]))
    return Session(
        id=str(values["id"]),
        holder=holder,
        opened_at=int(values["opened"]),
        seen_at=int(values["seen"]),
        ends_at=int(values["ends"]),
        key=key,
    )
