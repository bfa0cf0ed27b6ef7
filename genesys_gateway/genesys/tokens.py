"""The access token for Genesys: one for the whole process, renewed before it expires.

Invariant: however many callers wait, there is one request to the login host at a time, and after a failure none before
the back-off is over.
"""

import math
from dataclasses import dataclass, field
from random import Random

from genesys_gateway.genesys.assertions.history import SentAssertions
from genesys_gateway.genesys.assertions.source import AssertionMissing
from genesys_gateway.genesys.login import AssertionRefused, Login, TokenRefused
from genesys_gateway.runtime.backoff import full_jitter
from genesys_gateway.runtime.clock import Clock, isoformat
from genesys_gateway.runtime.errors import GatewayError, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.single_flight import SingleFlight
from genesys_gateway.settings import Settings

#: A token is renewed when a tenth of its life is left, but at most this many seconds before its end.
MAX_MARGIN_SECONDS = 300.0
#: Number of these margins before its end from which on a token must have an assertion ready for its renewal.
_CHECK_MARGINS = 3

log = get_logger(__name__)

__all__ = ["Token", "TokenRefused", "Tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token. A channel created with it ends with it at the latest."""

    value: str = field(repr=False)
    #: epoch milliseconds, both
    issued_at: int
    expires_at: int


class Tokens:
    """Gives the current token to all callers.

    Args:
        settings: The grant with its credentials, and the back-off.
        http: A client of the login host.
        random: For the jitter of the back-off.
        sent: The assertions sent before; None to remember them for the life of this process only.
        machine: Dates assertions, which another party compares with the right time; None for ``clock``, which dates
            tokens as channels are dated.
    """

    def __init__(
        self,
        settings: Settings,
        http: HttpClient,
        clock: Clock,
        metrics: Metrics,
        random: Random | None = None,
        sent: SentAssertions | None = None,
        machine: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._logger = SampledLog(log, self._clock)
        self._metrics = metrics
        self._random = random or Random()
        self._login = Login(settings, http, machine or clock, metrics, sent)
        self._flight: SingleFlight[str, Token] = SingleFlight("login")
        self._token: Token | None = None
        # All in monotonic seconds: a jump of the wall clock must neither end a token nor prolong it.
        self._check_from = self._renew_at = self._dead_at = self._retry_at = self._discarded_at = -math.inf
        self._stale = False
        self._failures = 0
        self._trouble: GatewayError = TransientFailure("no token yet")

    def current(self) -> Token:
        """A valid token. If a new one is needed, that takes one HTTP call, and one more for an assertion from a URL.

        While renewals fail, the old token is returned until it expires.

        Raises:
            TransientFailure: There is no token now; ``retry_after`` is the time left until the next request to the
                login host.
            TokenRefused: The login host issues no token until a person fixes what the message names. Calling again is
                harmless.
        """
        if self._token is not None and self._clock.monotonic() < self._renew_at:
            return self._token
        return self._flight.do("token", self._renew)

    def stop(self, seconds: float) -> list[str]:
        """Let a login under way end within ``seconds``, then end it. Returns the names of the greenlets killed."""
        return self._flight.stop(seconds)

    def check_renewal(self) -> None:
        """Raise an alarm if the token expires soon and there is nothing to renew it with. Call it at intervals."""
        trouble = self._login.trouble() if self._end_is_near() else None
        if self._flight.busy("token"):
            return  # a renewal is using the assertion in the file; only after it has failed is the assertion missing
        if not self._end_is_near():
            trouble = None  # the token was renewed during the check
        self._metrics.assertion_stale.set(trouble is not None)
        if trouble is not None and not self._stale:
            log.error("assertion_stale", trouble=trouble)
        self._stale = trouble is not None

    def _end_is_near(self) -> bool:
        return self._clock.monotonic() >= self._check_from

    def discard(self, token: Token) -> None:
        """Drop a token that Genesys answered 401 to; the next caller gets a new one.

        Dropping a token again, or an older one, changes nothing. If Genesys rejects the new token as well, back off:
        the login host is not at fault, and must not be called for each call to the API.
        """
        if token is not self._token:
            return
        self._token = None
        again = self._recently_discarded()
        self._discarded_at = self._clock.monotonic()
        self._logger.warning("token_discarded", issued_at=isoformat(token.issued_at), again=again)
        if again:
            self._back_off(
                TransientFailure("Genesys refuses tokens it has just issued"), self._settings.retry_max_seconds
            )

    def _renew(self) -> Token:
        alive = self._token if self._clock.monotonic() < self._dead_at else None
        try:
            return self._request()
        except (TransientFailure, TokenRefused):
            if alive is None:
                raise
            return alive

    def _request(self) -> Token:
        left = self._retry_at - self._clock.monotonic()
        if left > 0:
            raise _again(self._trouble, left)
        issued_at, begun = self._clock.now(), self._clock.monotonic()
        try:
            value, life = self._login.request_token()
        except (AssertionMissing, AssertionRefused) as error:
            # No back-off: the next caller tries again at once, and sends nothing before there is another assertion.
            self._note(error)
            raise
        except (TransientFailure, TokenRefused) as error:
            # Without a token nothing is covered. So the login host is asked as often as a channel is tried to be made.
            self._back_off(error, min(self._settings.retry_max_seconds, self._settings.heartbeat_seconds / 4))
            raise
        return self._keep(Token(value=value, issued_at=issued_at, expires_at=issued_at + round(life * 1000)), begun)

    def _keep(self, token: Token, begun: float) -> Token:
        life = (token.expires_at - token.issued_at) / 1000
        self._token = token
        self._dead_at = begun + life
        margin = min(life / 10, MAX_MARGIN_SECONDS)
        self._renew_at, self._check_from = self._dead_at - margin, self._dead_at - _CHECK_MARGINS * margin
        if not self._recently_discarded():
            self._failures = 0
        self._metrics.token_expiry_timestamp_seconds.set(token.expires_at / 1000)
        log.info("token_issued", expires_at=isoformat(token.expires_at))
        return token

    def _recently_discarded(self) -> bool:
        # Twice the longest back-off, so that a discard right after such a back-off still counts as the second.
        return self._clock.monotonic() - self._discarded_at < 2 * self._settings.retry_max_seconds

    def _back_off(self, error: TransientFailure | TokenRefused, longest: float) -> None:
        wait = full_jitter(self._random, self._settings.retry_base_seconds, longest, failures=self._failures)
        requested = (error.retry_after or 0.0) if isinstance(error, TransientFailure) else 0.0
        self._failures += 1
        self._retry_at = self._clock.monotonic() + max(requested, wait)
        self._note(error)

    def _note(self, error: TransientFailure | TokenRefused) -> None:
        self._logger.error("token_missing", error=str(error))
        self._trouble = error


def _again(trouble: GatewayError, seconds: float) -> TransientFailure | TokenRefused:
    """A copy of the error for a later caller; raising the same object again would add to its traceback each time."""
    return TokenRefused(str(trouble)) if isinstance(trouble, TokenRefused) else TransientFailure(str(trouble), seconds)
