"""Takes topics off a channel's list over its socket, and waits for the server's reply.

Invariant: one request at a time. A reply that arrives after its request timed out still matters: the list has changed
since, so it must be read again.
"""

from collections.abc import Callable, Sequence
from itertools import count
from typing import cast

import orjson
from gevent.event import AsyncResult
from gevent.timeout import Timeout

from genesys_gateway.genesys.notifications import Reply
from genesys_gateway.genesys.websocket import SocketLost
from genesys_gateway.runtime.errors import TransientFailure


class Unsubscription:
    """The request in flight, if there is one.

    Args:
        send: Sends a text over the socket; raises SocketLost.
        reply_seconds: Maximum seconds to wait for a reply.
    """

    def __init__(self, send: Callable[[str], None], reply_seconds: float) -> None:
        self._send = send
        self._reply_seconds = reply_seconds
        self._numbers = count(1)
        self._awaited: tuple[str, frozenset[str], AsyncResult[Reply]] | None = None
        #: requests on this socket that timed out and whose replies may still arrive
        self._timed_out = 0

    def request(self, topics: Sequence[str]) -> Reply:
        """Send a request to remove these topics, and wait for the reply.

        Raises:
            TransientFailure: No reply arrived in time, or the socket was lost: the topics may or may not be removed.
        """
        correlation_id = str(next(self._numbers))
        message = {"message": "unsubscribe", "topics": topics, "correlationId": correlation_id}
        awaited: AsyncResult[Reply] = AsyncResult()
        self._awaited = (correlation_id, frozenset(topics), awaited)
        try:
            self._send(orjson.dumps(message).decode())
            with Timeout(self._reply_seconds, TransientFailure("no reply to unsubscribe")):
                return cast(Reply, awaited.get())
        except SocketLost:
            raise
        except TransientFailure:
            self._timed_out += 1
            raise
        finally:
            self._awaited = None

    def replied(self, reply: Reply) -> bool:
        """Accept a reply. Genesys may omit the correlation id; then the topics must be those of the request.

        Returns:
            True when it answers a request that has timed out.
        """
        if self._awaited is not None:
            correlation_id, topics, awaited = self._awaited
            fits = reply.correlation_id is None and frozenset(reply.topics) == topics
            if fits or reply.correlation_id == correlation_id:
                awaited.set(reply)
                return False
        late = self._timed_out > 0
        self._timed_out -= late
        return late

    def lost(self) -> None:
        """End the request in flight: the socket is lost, and no reply can arrive on it."""
        self._timed_out = 0
        if self._awaited is not None:
            self._awaited[2].set_exception(SocketLost("lost while a reply was awaited"))
