"""HTTP client of CommunicationHistory: send a record, or ask whether it is there.

Law: one call, one result. Nothing here waits or decides; every ending, also a broken connection, is a result. Only a
call that was refused for an outdated token is made again, within the same time.
"""

from genesys_gateway.delivery.outcome import Outcome, Result, of_lookup, of_post
from genesys_gateway.domain.record import Record
from genesys_gateway.runtime.clock import Clock, Deadline
from genesys_gateway.runtime.errors import NoReply, NotSent
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.settings import Settings

_PATH = "/communicationRecords"


class History:
    """CommunicationHistory-manager as seen from here.

    Args:
        settings: Its token, and the time of one call.
        outbound: Calls to its base URL.
        clock: For that time.
    """

    def __init__(self, settings: Settings, http: HttpClient, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._token = settings.communication_history_token
        self._timeout_seconds = settings.http_timeout_seconds

    def post(self, record: Record) -> Result:
        """Send a record. Its id is the idempotency key, so a receiver that honours it stores a repetition once."""
        try:
            reply = self._call("POST", _PATH, record)
        except NotSent as error:
            return Result(outcome=Outcome.UNREACHED, error=str(error))
        except NoReply as error:
            return Result(outcome=Outcome.UNKNOWN, error=str(error))
        return of_post(reply.status, reply.retry_after)

    def lookup(self, record_id: str) -> Result | None:
        """Ask for a record that may be there already.

        Returns:
            None when it is not there, or the receiver answers no such question: it may be sent.
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
        # A rotated token is no reason to stop the lane, and what was answered with 401 was not stored.
        return reply if renewed == token or deadline.passed else self._once(method, path, record, renewed, deadline)

    def _once(self, method: str, path: str, record: Record | None, token: str | None, deadline: Deadline) -> Reply:
        headers = {"Idempotency-Key": record["id"]} if record else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self._http.call(method, path, headers=headers, json=record, deadline_seconds=deadline.left())
