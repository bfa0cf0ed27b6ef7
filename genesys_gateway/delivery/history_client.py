"""HTTP client of CommunicationHistory: send a record, or look one up.

Invariant: one call gives one result, even if the connection breaks. Nothing here backs off or decides. A call is
repeated only if it was answered with 401 and the token has changed since, and then within the same time limit.
"""

import time
from collections.abc import Callable

from genesys_gateway.delivery.outcome import Outcome, Result, of_lookup, of_post
from genesys_gateway.domain.record import Record
from genesys_gateway.runtime import tracing
from genesys_gateway.runtime.clock import Clock, Deadline
from genesys_gateway.runtime.errors import NoReply, NotSent
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings

_PATH = "/communicationRecords"
#: Value of the metric's label ``outcome`` by the first digit of the status.
_OUTCOMES = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


class HistoryClient:
    """Client of CommunicationHistory-manager.

    Args:
        settings: The token, and the time limit of one call.
        http: Calls its base URL.
        clock: Measures that time limit.
        metrics: Counts the calls.
    """

    def __init__(self, settings: Settings, http: HttpClient, clock: Clock, metrics: Metrics) -> None:
        self._http = http
        self._metrics = metrics
        self._clock = clock
        self._token = settings.communication_history_token
        self._timeout_seconds = settings.http_timeout_seconds

    def post(self, record: Record) -> Result:
        """Send a record. Its id is the idempotency key: a receiver that honours it stores a repeated record once."""
        try:
            reply = self._call("POST", _PATH, record)
        except NotSent as error:
            return Result(outcome=Outcome.UNREACHED, error=str(error))
        except NoReply as error:
            return Result(outcome=Outcome.UNKNOWN, error=str(error))
        return of_post(reply.status, reply.retry_after)

    def lookup(self, record_id: str) -> Result | None:
        """Look up a record that may be stored already.

        Returns:
            None if it is not stored, or if the receiver offers no lookup: the record may be sent.
        """
        try:
            reply = self._call("GET", f"{_PATH}/{record_id}")
        except NotSent as error:
            return Result(outcome=Outcome.UNREACHED, error=f"lookup: {error}", from_lookup=True)
        except NoReply as error:
            return Result(outcome=Outcome.UNKNOWN, error=f"lookup: {error}", from_lookup=True)
        return of_lookup(reply.status, reply.retry_after)

    def _call(self, method: str, path: str, record: Record | None = None) -> Reply:
        deadline = Deadline(self._clock, self._timeout_seconds)
        token = self._token.reveal() if self._token else None
        reply = self._once(method, path, record, token, deadline)
        if reply.status != 401 or self._token is None:
            return reply
        self._token.refresh()
        renewed = self._token.reveal()
        # A rotated token must not pause all deliveries. A repetition is safe: what was answered with 401 is not stored.
        return reply if renewed == token or deadline.passed else self._once(method, path, record, renewed, deadline)

    def _once(self, method: str, path: str, record: Record | None, token: str | None, deadline: Deadline) -> Reply:
        headers = {"Idempotency-Key": record["id"]} if record else {}
        if (tracer := tracing.active()) is not None:
            headers |= tracer.headers()
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self._counted(
            "post" if record else "lookup",
            lambda: self._http.call(method, path, headers=headers, json=record, deadline_seconds=deadline.left()),
        )

    def _counted(self, operation: str, call: Callable[[], Reply]) -> Reply:
        begun, outcome = time.perf_counter(), "no_reply"
        try:
            reply = call()
            outcome = _OUTCOMES.get(reply.status // 100, outcome)
        except NotSent:
            outcome = "not_sent"
            raise
        finally:
            self._metrics.history_requests.labels(operation, outcome).inc()
            self._metrics.history_request_seconds.labels(operation).observe(
                time.perf_counter() - begun, tracing.exemplar(tracing.current_trace_id())
            )
        return reply
