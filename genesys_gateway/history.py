"""HTTP client of CommunicationHistory: send a record, or ask whether it is there.

Law: one call, one result. Nothing here waits or decides; every ending, also a broken connection, is a result. Only a
call that was refused for an outdated token is made again.
"""

from genesys_gateway.clock import Deadline
from genesys_gateway.errors import NoReply, NotSent
from genesys_gateway.outbound import Outbound, Reply
from genesys_gateway.outbox import Outcome, Result, of_lookup, of_post
from genesys_gateway.record import Record
from genesys_gateway.secret import Secret

_PATH = "/communicationRecords"
#: A limit of 0 would mean none.
_LEAST_SECONDS = 0.001


class History:
    """CommunicationHistory-manager as seen from here.

    Args:
        outbound: Calls to its base URL.
        token: Sent as bearer when there is one.
        timeout_seconds: Of one call.
    """

    def __init__(self, outbound: Outbound, token: Secret | None, timeout_seconds: float) -> None:
        self._outbound = outbound
        self._token = token
        self._timeout_seconds = timeout_seconds

    def post(self, record: Record, deadline: Deadline) -> Result:
        """Send a record. Its id is the idempotency key, so a receiver that honours it stores a repetition once."""
        try:
            reply = self._call("POST", _PATH, deadline, record)
        except NotSent as error:
            return Result(outcome=Outcome.UNREACHED, error=str(error))
        except NoReply as error:
            return Result(outcome=Outcome.UNKNOWN, error=str(error))
        return of_post(reply.status, reply.retry_after)

    def lookup(self, record_id: str, deadline: Deadline) -> Result | None:
        """Ask for a record that may be there already.

        Returns:
            None when it is not there, or the receiver answers no such question: it may be sent.
        """
        try:
            reply = self._call("GET", f"{_PATH}/{record_id}", deadline)
        except NotSent as error:
            return Result(outcome=Outcome.UNREACHED, error=f"lookup: {error}", asked=True)
        except NoReply as error:
            return Result(outcome=Outcome.UNKNOWN, error=f"lookup: {error}", asked=True)
        return of_lookup(reply.status, reply.retry_after)

    def _call(self, method: str, path: str, deadline: Deadline, record: Record | None = None) -> Reply:
        token = self._token.reveal() if self._token else None
        reply = self._once(method, path, deadline, record, token)
        if reply.status != 401 or self._token is None:
            return reply
        self._token.refresh()
        if self._token.reveal() == token:
            return reply
        # A rotated token is no reason to stop the lane, and what was answered with 401 was not stored.
        return self._once(method, path, deadline, record, self._token.reveal())

    def _once(self, method: str, path: str, deadline: Deadline, record: Record | None, token: str | None) -> Reply:
        headers = {"Idempotency-Key": record["id"]} if record else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        seconds = max(_LEAST_SECONDS, min(self._timeout_seconds, deadline.left()))
        return self._outbound.call(method, path, headers=headers, json=record, deadline_seconds=seconds)
