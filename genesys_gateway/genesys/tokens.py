"""The access token for Genesys: one for the whole process, renewed before it expires.

Invariant: however many callers wait, there is one request to the login host at a time, and after a failure none before
the back-off is over.
"""

import math
from dataclasses import dataclass, field
from random import Random

from genesys_gateway.genesys.assertions.history import SentAssertions
from genesys_gateway.genesys.assertions.source import AssertionMissing, NoAssertion
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

#: The longest back-off, in seconds, unless the settings name a shorter, or the login host a longer one: operators are
#: told at least every ten seconds of what lasts.
_LONGEST_BACK_OFF = 5.0

log = get_logger(__name__)

__all__ = ["Token", "TokenRefused", "TokenTrouble", "Tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token. A channel created with it ends with it at the latest."""

    value: str = field(repr=False)
    #: epoch milliseconds, both
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTrouble:
    """Why there is no token, or none will be."""

    #: monotonic seconds
    since: float
    #: in words that name nobody
    error: str


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
        self._failures = 0
        #: why the login host has issued no token since the last one
        self._missing: TokenTrouble | None = None
        #: that Genesys refused a token that it had just issued, and has accepted none since
        self._rejected: TokenTrouble | None = None
        self._stale: TokenTrouble | None = None
        #: why the last login failed, if that was for want of an assertion
        self._without_assertion: str | None = None
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
        trouble = trouble or self._without_assertion
        self._metrics.assertion_stale.set(trouble is not None)
        if trouble is None:
            self._stale = None
        elif self._stale is None:
            log.error("assertion_stale", trouble=trouble)
            self._stale = TokenTrouble(since=self._clock.monotonic(), error=trouble)

    @property
    def trouble(self) -> TokenTrouble | None:
        """Why there is no token that Genesys accepts, or why it can't be renewed; None if nothing is known of that."""
        return self._missing or self._rejected

    @property
    def rejected(self) -> bool:
        """Whether Genesys refused a token that it had just issued, and has accepted none since."""
        return self._rejected is not None

    @property
    def stale(self) -> TokenTrouble | None:
        """Why there was no assertion for the next token at the last check."""
        return self._stale

    def accepted(self, token: Token) -> None:
        """Note that Genesys has accepted this token for a call."""
        if token is self._token:
            self._rejected = None

    def seconds_until_retry(self) -> float:
        """Seconds until the login host may be asked again after a failure; 0 if nothing forbids it now."""
        return max(0.0, self._retry_at - self._clock.monotonic())

    def _end_is_near(self) -> bool:
        return self._token is None or self._clock.monotonic() >= self._check_from

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
            error = "Genesys refuses tokens it has just issued"
            self._rejected = self._rejected or TokenTrouble(since=self._discarded_at, error=error)
            self._back_off(TransientFailure(error))

    def _renew(self) -> Token:
        alive = self._token if self._clock.monotonic() < self._dead_at else None
        try:
            return self._request()
        except (TransientFailure, TokenRefused):
            if alive is None:
                raise
            return alive

    def _request(self) -> Token:
        left = self.seconds_until_retry()
        if left > 0:
            raise _again(self._trouble, left)
        issued_at, begun = self._clock.now(), self._clock.monotonic()
        try:
            value, life = self._login.request_token()
        except (AssertionMissing, AssertionRefused) as error:
            # No back-off: the next caller tries again at once, and sends nothing before there is another assertion.
            self._note(error)
            self._miss(error)
            raise
        except (TransientFailure, TokenRefused) as error:
            self._back_off(error)
            self._miss(error)
            raise
        return self._keep(Token(value=value, issued_at=issued_at, expires_at=issued_at + round(life * 1000)), begun)

    def _keep(self, token: Token, begun: float) -> Token:
        life = (token.expires_at - token.issued_at) / 1000
        self._token = token
        self._missing = self._without_assertion = None
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

    def _miss(self, error: TransientFailure | TokenRefused) -> None:
        """Note that a login has failed, for operators."""
        since = self._clock.monotonic() if self._missing is None else self._missing.since
        if isinstance(error, TokenRefused):
            text, of_assertion = error.brief, error.of_assertion
        else:
            text, of_assertion = str(error), isinstance(error, NoAssertion)
        self._missing = TokenTrouble(since=since, error=text)
        self._without_assertion = text if of_assertion else None

    def _back_off(self, error: TransientFailure | TokenRefused) -> None:
        # Without a token nothing is covered. So the login host is asked at least as often as a channel is tried to be
        # made.
        longest = min(self._settings.retry_max_seconds, self._settings.heartbeat_seconds / 4, _LONGEST_BACK_OFF)
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
