"""Topics are taken off a channel's list over its socket, and the server's reply is awaited.

Law: one request at a time. A reply that comes when nobody waits for it any more is not lost on us: it tells that the
list has changed at some moment until now.
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
    """The request under way, if there is one.

    Args:
        send: Sends a text over the socket; raises SocketLost.
        reply_seconds: How long a reply is awaited.
    """

    def __init__(self, send: Callable[[str], None], reply_seconds: float) -> None:
        self._send = send
        self._reply_seconds = reply_seconds
        self._numbers = count(1)
        self._awaited: tuple[str, frozenset[str], AsyncResult[Reply]] | None = None
        self._late = 0

    def request(self, topics: Sequence[str]) -> Reply:
        """Ask for the topics' removal and wait for the reply.

        Raises:
            TransientFailure: There was none, or the socket is lost: whether they were removed is not known.
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
            self._late += 1
            raise
        finally:
            self._awaited = None

    def replied(self, reply: Reply) -> bool:
        """A reply came. Genesys may leave the correlation id out; then the topics must fit.

        Returns:
            True when it is the late reply to a request that was given up.
        """
        if self._awaited is not None:
            correlation_id, topics, awaited = self._awaited
            fits = reply.correlation_id is None and frozenset(reply.topics) == topics
            if fits or reply.correlation_id == correlation_id:
                awaited.set(reply)
                return False
        late = self._late > 0
        self._late -= late
        return late

    def lost(self) -> None:
        """The socket is lost, and every reply with it."""
        self._late = 0
        if self._awaited is not None:
            self._awaited[2].set_exception(SocketLost("lost while a reply was awaited"))
