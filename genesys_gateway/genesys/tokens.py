"""The token that speaks for us at Genesys: one for all who need it, renewed before it ends.

Law: one request to the login host at a time however many wait, and after a failure none before its back-off is over.
"""

import math
from dataclasses import dataclass, field
from random import Random

from genesys_gateway.genesys.assertions.source import AssertionMissing, UsedAssertions
from genesys_gateway.genesys.login import Login, TokenRefused
from genesys_gateway.runtime.backoff import full_jitter
from genesys_gateway.runtime.clock import Clock, isoformat
from genesys_gateway.runtime.errors import GatewayError, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.runtime.single_flight import SingleFlight
from genesys_gateway.settings import Settings

#: A token is renewed when a tenth of its life is left, but at most this long before its end.
MAX_MARGIN_SECONDS = 300.0
#: Whether anything is there to renew it with is looked at this many such margins before its end.
_LOOK_MARGINS = 3

log = get_logger(__name__)

__all__ = ["Token", "TokenRefused", "Tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token; channels made with it live no longer than it does."""

    value: str = field(repr=False)
    #: epoch milliseconds, both
    issued_at: int
    expires_at: int


class Tokens:
    """Hands out the present token.

    Args:
        settings: The grant and its credentials, and the back-off.
        outbound_login: The login host.
        random: For the jitter of the back-off.
        used: The assertions that were used before; None where only this process counts.
    """

    def __init__(
        self,
        settings: Settings,
        outbound_login: HttpClient,
        clock: Clock,
        metrics: Metrics,
        random: Random | None = None,
        used: UsedAssertions | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._random = random or Random()
        self._login = Login(settings, outbound_login, clock, metrics, used)
        self._flight: SingleFlight[str, Token] = SingleFlight()
        self._token: Token | None = None
        # monotonic seconds, all of them: a wall clock that jumps must neither bury a token nor keep it alive
        self._look_at = self._renew_at = self._dead_at = self._retry_at = self._discarded_at = -math.inf
        self._stale = False
        self._failures = 0
        self._trouble: GatewayError = TransientFailure("no token yet")

    def current(self) -> Token:
        """A token that is alive; asks for one if need be, which takes one HTTP call, and one for an assertion.

        While a renewal fails, the token that is still alive is handed out until its end.

        Raises:
            TransientFailure: There is none now; ``retry_after`` says how long nobody will be asked.
            TokenRefused: There is none before someone mends what the text says. It may be asked for again all the same.
        """
        if self._token is not None and self._clock.monotonic() < self._renew_at:
            return self._token
        return self._flight.do("token", self._renew)

    def look_ahead(self) -> None:
        """Alarm when the token's end is near and nothing fresh is there to renew it with; to be called now and then."""
        trouble = self._login.trouble() if self._end_is_near() else None
        if self._flight.busy("token"):
            return  # the renewal has used up what is in the file: only once it has failed is nothing fresh there
        if not self._end_is_near():
            trouble = None  # it was renewed while we looked
        self._metrics.assertion_stale.set(trouble is not None)
        if trouble is not None and not self._stale:
            log.error("assertion_stale", trouble=trouble)
        self._stale = trouble is not None

    def _end_is_near(self) -> bool:
        return self._clock.monotonic() >= self._look_at

    def discard(self, token: Token) -> None:
        """Genesys answered 401 to it: the next to ask gets another one. A repetition, or an old token, changes nothing.

        When the new one is refused as well, the login host is not to blame and must not be hammered: back-off.
        """
        if token is not self._token:
            return
        self._token = None
        again = self._recently_discarded()
        self._discarded_at = self._clock.monotonic()
        log.warning("token_discarded", issued_at=isoformat(token.issued_at), again=again)
        if again:
            self._back_off(TransientFailure("Genesys refuses tokens it has just issued"))

    def _renew(self) -> Token:
        alive = self._token if self._clock.monotonic() < self._dead_at else None
        try:
            return self._ask()
        except (TransientFailure, TokenRefused):
            if alive is None:
                raise
            return alive

    def _ask(self) -> Token:
        left = self._retry_at - self._clock.monotonic()
        if left > 0:
            raise _again(self._trouble, left)
        issued_at, begun = self._clock.now(), self._clock.monotonic()
        try:
            value, life = self._login.ask()
        except AssertionMissing as error:
            self._note(error)  # nothing was sent, so there is nothing to hold back from: the next one looks again
            raise
        except (TransientFailure, TokenRefused) as error:
            self._back_off(error)
            raise
        return self._keep(Token(value=value, issued_at=issued_at, expires_at=issued_at + round(life * 1000)), begun)

    def _keep(self, token: Token, begun: float) -> Token:
        life = (token.expires_at - token.issued_at) / 1000
        self._token = token
        self._dead_at = begun + life
        margin = min(life / 10, MAX_MARGIN_SECONDS)
        self._renew_at, self._look_at = self._dead_at - margin, self._dead_at - _LOOK_MARGINS * margin
        if not self._recently_discarded():
            self._failures = 0
        self._metrics.token_expiry_timestamp_seconds.set(token.expires_at / 1000)
        log.info("token_issued", expires_at=isoformat(token.expires_at))
        return token

    def _recently_discarded(self) -> bool:
        # Twice, or the longest back-off between two discards would make the second one look like the first.
        return self._clock.monotonic() - self._discarded_at < 2 * self._settings.retry_max_seconds

    def _back_off(self, error: TransientFailure | TokenRefused) -> None:
        settings = self._settings
        wait = full_jitter(
            self._random, settings.retry_base_seconds, settings.retry_max_seconds, failures=self._failures
        )
        asked = (error.retry_after or 0.0) if isinstance(error, TransientFailure) else 0.0
        self._failures += 1
        self._retry_at = self._clock.monotonic() + max(asked, wait)
        self._note(error)

    def _note(self, error: TransientFailure | TokenRefused) -> None:
        """Log what is new; a thousand who ask for the same missing token make one line."""
        if str(error) != str(self._trouble):
            log.error("token_missing", error=str(error))
        self._trouble = error


def _again(trouble: GatewayError, seconds: float) -> TransientFailure | TokenRefused:
    """The same trouble for someone who came later; raising one error twice would pile up its traceback."""
    return TokenRefused(str(trouble)) if isinstance(trouble, TokenRefused) else TransientFailure(str(trouble), seconds)
