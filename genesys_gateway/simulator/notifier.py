"""Tells a URL of each new conversation, as the customer's system tells BOFE, and tries again when that fails.

Invariant: telling never delays the traffic: what can't be sent at once waits in a queue of limited length, and what
finds it full is counted as failed.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field

import gevent
import orjson
from gevent.pool import Group
from gevent.queue import Empty, Queue

from genesys_gateway.simulator.clock import Clock
from genesys_gateway.simulator.conversations import Conversation
from genesys_gateway.simulator.http_connections import NO_ANSWER, HttpConnections
from genesys_gateway.simulator.ledger import PlayedConversation

#: Maximum number of requests at the same time.
_MOST_AT_ONCE = 32
_MOST_WAITING = 20_000
_TIMEOUT_SECONDS = 15.0
#: Pauses before the second and later attempts, in real seconds; each is varied by up to a half.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
#: How long a greenlet without work stays.
_IDLE_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Told:
    """Numbers of conversations of one traffic."""

    #: Sent at least once.
    told: int = 0
    #: Answered with 2xx.
    registered: int = 0
    #: Given up, or refused with another status below 500.
    failed: int = 0
    #: Number of further attempts.
    retries: int = 0
    #: Neither registered nor failed yet.
    waiting: int = 0


@dataclass(slots=True, kw_only=True)
class Telling:
    """One conversation that a URL is to be told of."""

    url: str
    conversation: Conversation
    played: PlayedConversation
    count: Told
    #: A fresh customer for each conversation.
    customer: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempts: int = 0


class Notifier:
    """Sends what it is given by `tell`, at most 32 requests at the same time.

    Args:
        clock: Its wall time is recorded; its timers begin further attempts.
        connections: What requests are sent with; by default over HTTP.
        most_waiting: Maximum number of conversations that wait to be told.
    """

    def __init__(
        self, clock: Clock, connections: HttpConnections | None = None, most_waiting: int = _MOST_WAITING
    ) -> None:
        self._clock = clock
        self._connections = connections or HttpConnections(_TIMEOUT_SECONDS)
        self._most_waiting = most_waiting
        self._queue: Queue[Telling] = Queue()
        self._workers = Group()
        self._idle = 0

    def tell(self, telling: Telling) -> None:
        """Send it as soon as possible. Does not block."""
        telling.count.waiting += 1
        self._put(telling)

    def close(self) -> None:
        """End all requests and forget what waits."""
        self._workers.kill()
        self._queue = Queue()
        self._connections.close()

    def _put(self, telling: Telling) -> None:
        if self._queue.qsize() >= self._most_waiting:
            self._fail(telling, "queue full")
            return
        self._queue.put(telling)
        if self._idle < self._queue.qsize() and len(self._workers) < _MOST_AT_ONCE:
            self._workers.add(gevent.spawn(self._work))

    def _work(self) -> None:
        while True:
            self._idle += 1
            try:
                telling = self._queue.get(timeout=_IDLE_SECONDS)
            except Empty:
                return
            finally:
                self._idle -= 1
            self._send(telling)

    def _send(self, telling: Telling) -> None:
        telling.attempts += 1
        body = orjson.dumps({"interactionId": telling.conversation.id, "customerId": telling.customer})
        try:
            reply = self._connections.post(telling.url, body, {}, lambda: self._sending(telling))
        except NO_ANSWER as error:
            self._try_again(telling, type(error).__name__)
            return
        telling.played.status = reply.status
        if reply.status >= 500:
            self._try_again(telling, reply.status)
        elif 200 <= reply.status < 300:
            telling.played.registered = self._clock.wall()
            telling.count.registered += 1
            telling.count.waiting -= 1
        else:
            self._fail(telling, reply.status)

    def _sending(self, telling: Telling) -> None:
        if telling.played.told is None:
            telling.played.told = self._clock.wall()
            telling.count.told += 1

    def _try_again(self, telling: Telling, status: int | str) -> None:
        if telling.attempts > len(_PAUSES):
            self._fail(telling, status)
            return
        telling.played.status = status
        telling.count.retries += 1
        pause = _PAUSES[telling.attempts - 1] * random.uniform(0.5, 1.5)
        self._clock.call_after(pause * self._clock.speed, lambda: self._put(telling))

    @staticmethod
    def _fail(telling: Telling, status: int | str) -> None:
        telling.played.status = status
        telling.count.failed += 1
        telling.count.waiting -= 1
        if telling.played.told is None:
            telling.conversation.expected = False  # nobody can record what nobody was told of
