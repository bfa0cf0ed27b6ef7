"""A fake Genesys Cloud for tests of channels: topic lists, sockets without a network, faults on demand."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import gevent
import orjson
from gevent.queue import Queue

from genesys_gateway.channels.channel import ChannelContext
from genesys_gateway.genesys import RateLimiter
from genesys_gateway.genesys.client import ChannelGrant, Genesys, NotFound, NotPermitted, TooManyTopics, TopicResult
from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.notifications import acw_topic, conversation_of
from genesys_gateway.genesys.tokens import Token
from genesys_gateway.genesys.websocket import NotificationSocket, SocketLost
from genesys_gateway.runtime.errors import GatewayError, PermanentFailure, TransientFailure
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings
from tests.doubles.genesys import settings as plain_settings
from tests.doubles.runtime import FakeClock, runtime

#: The default timers, shortened in about the same proportion: loops that wait in real time turn at once.
QUICK: dict[str, Any] = {
    "api_rate_per_minute": 100_000,
    "reply_seconds": 0.02,
    "heartbeat_seconds": 0.04,
    "retry_base_seconds": 0.001,
    "retry_max_seconds": 0.004,
    "channel_idle_seconds": 0.02,
    "channel_overlap_seconds": 0.02,
    "audit_seconds": 3600.0,
}

#: Frames that Genesys sends over a socket.
HEARTBEAT = {"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}}
PONG = {"topicName": "channel.metadata", "eventBody": {"message": "pong"}}
CLOSING_NOTICE = {"topicName": "v2.system.socket_closing", "eventBody": {"message": "soon"}}
TOKEN_REVOKED = {"topicName": "v2.system.token_revoked", "eventBody": {"reason": "user_tokens_revoked"}}


def naming_channel(notice: Mapping[str, Any], channel_id: str) -> dict[str, Any]:
    """The same system notice with the id of a channel behind its topic's name, and nothing else in its body."""
    return {"topicName": f"{notice['topicName']}.{channel_id}", "eventBody": {"channelId": channel_id}}


def no_longer_subscribed(topics: Sequence[str]) -> dict[str, Any]:
    """The frame by which Genesys reports topics that it took off a channel because another one subscribed to them."""
    body = {"topics": list(topics), "reason": "another_channel_subscribed"}
    return {"topicName": "v2.system.no_longer_subscribed", "eventBody": body}


def quick(**changes: Any) -> Settings:
    """Settings with timers for tests."""
    return plain_settings(**{**QUICK, **changes})


def acw_notification(conversation_id: str) -> dict[str, Any]:
    """The notification of one after-call work, with what names it and nothing else."""
    body = {"participantId": conversation(90_001), "sessionId": conversation(90_002)}
    return {"topicName": acw_topic(conversation_id), "eventBody": body}


def conversation(number: int) -> str:
    """The id of the conversation with this number."""
    return f"00000000-0000-4000-8000-{number:012d}"


def ids(count: int, start: int = 0) -> list[str]:
    """The ids of ``count`` conversations, numbered from ``start``."""
    return [conversation(number) for number in range(start, start + count)]


@dataclass
class FakeChannel:
    """A channel as the server sees it."""

    id: str
    topics: dict[str, None] = field(default_factory=dict)
    socket: "FakeSocket | None" = None
    #: number of sockets that were connected to it
    connects: int = 0
    #: whether the server accepts calls about it
    known: bool = True

    @property
    def conversations(self) -> set[str]:
        return {one for one in map(conversation_of, self.topics) if one}


class FakeSocket:
    """The client's end of a socket; tests push frames into it and read the messages sent."""

    def __init__(self, genesys: "FakeGenesys", channel: FakeChannel) -> None:
        self._genesys = genesys
        self.channel = channel
        self._frames: Queue[bytes | None] = Queue()
        self.sent: list[dict[str, Any]] = []
        self.lost = False
        self.closed = False

    def push(self, message: object) -> None:
        """Send a frame to the client."""
        self._frames.put(message if isinstance(message, bytes) else orjson.dumps(message))

    def break_off(self) -> None:
        """Break the connection; frames already pushed can still be read."""
        self.lost = True
        self._frames.put(None)

    def receive(self) -> bytes:
        frame = None if self.lost and self._frames.empty() else self._frames.get()
        if frame is None:
            raise SocketLost("it broke")
        return frame

    def send(self, text: str) -> None:
        if self.lost or self.closed:
            raise SocketLost("it broke")
        message = orjson.loads(text)
        self.sent.append(message)
        self._genesys.received(self, message)

    def abort(self) -> None:
        self.break_off()

    def close(self) -> None:
        self.closed = True
        if self.channel.socket is self:
            self.channel.socket = None


class FakeGenesys:
    """The server: channels, their lists, and a queue of faults for each operation.

    Args:
        limit: Maximum number of topics on a channel.
        correlated: Whether replies over a socket carry a correlation id.
    """

    def __init__(self, clock: FakeClock, *, limit: int = 1000, correlated: bool = True) -> None:
        self._clock = clock
        self.limit = limit
        self.correlated = correlated
        #: whether unsubscriptions over a socket are answered
        self.answers = True
        #: whether pings over a socket are answered
        self.pongs = False
        self.channels: dict[str, FakeChannel] = {}
        #: operation, monotonic seconds and number of topics of each call
        self.calls: list[tuple[str, float, int]] = []
        #: topics that are refused without effect on the other topics of a call
        self.rejected: set[str] = set()
        #: topics that make every call that names one of them fail as a whole
        self.poison: set[str] = set()
        self._faults: dict[str, deque[tuple[GatewayError, bool]]] = {}
        self._under_way: set[str] = set()
        #: errors for the next sockets to be opened
        self.refuse_sockets: deque[GatewayError] = deque()
        self.token = self.new_token()
        self.life_seconds = 86_400.0
        #: maximum number of sockets that were open at one time
        self.most_connected = 0
        #: real seconds that each call takes
        self.latency = 0.0

    def new_token(self, seconds: float = 86_400.0) -> Token:
        now = self._clock.now()
        return Token(value="t", issued_at=now, expires_at=now + round(seconds * 1000))

    def fail(self, operation: str, error: GatewayError, *, times: int = 1, after: bool = False) -> None:
        """Let the next calls of an operation fail; with ``after``, apply the change first and lose only its reply."""
        self._faults.setdefault(operation, deque()).extend([(error, after)] * times)

    def count(self, operation: str) -> int:
        """Number of calls of an operation."""
        return sum(1 for name, _, _ in self.calls if name == operation)

    @property
    def connected(self) -> int:
        return sum(1 for channel in self.channels.values() if channel.socket is not None)

    # The HTTP API, as the gateway calls it

    def create_channel(self, permitted: Callable[[], bool] = lambda: True) -> ChannelGrant:
        with self._call("create", None):
            if not permitted():
                raise NotPermitted("no longer permitted")
            number = len(self.channels)
            channel = FakeChannel(f"streaming-0-{number:04d}")
            self.channels[channel.id] = channel
            return self.grant(channel)

    def grant(self, channel: FakeChannel) -> ChannelGrant:
        ends = self._clock.now() + round(self.life_seconds * 1000)
        return ChannelGrant(id=channel.id, connect_uri=f"wss://x/{channel.id}", expires_at=ends, token=self.token)

    def topics(self, channel_id: str, token: Token) -> frozenset[str]:
        with self._call("list", channel_id):
            return frozenset(self._channel(channel_id).topics)

    def add_topics(self, channel_id: str, token: Token, topics: Sequence[str]) -> tuple[TopicResult, ...]:
        with self._call("add", channel_id, len(topics)):
            channel = self._channel(channel_id)
            self._check(topics)
            permitted = [topic for topic in topics if topic not in self.rejected]
            if len(channel.topics.keys() | set(permitted)) > self.limit:
                raise TooManyTopics("too many")
            channel.topics.update(dict.fromkeys(permitted))
            return self._results(topics)

    def replace_topics(self, channel_id: str, token: Token, topics: Sequence[str]) -> tuple[TopicResult, ...]:
        with self._call("replace", channel_id, len(topics)):
            channel = self._channel(channel_id)
            self._check(topics)
            permitted = [topic for topic in topics if topic not in self.rejected]
            if len(permitted) > self.limit:
                raise TooManyTopics("too many")
            channel.topics = dict.fromkeys(permitted)
            return self._results(topics)

    def clear_topics(self, channel_id: str, token: Token) -> None:
        with self._call("clear", channel_id):
            self._channel(channel_id).topics = {}

    # The streaming side

    def open_socket(self, uri: str, _: Settings) -> NotificationSocket:
        if self.refuse_sockets:
            raise self.refuse_sockets.popleft()
        channel = self._channel(uri.rpartition("/")[2])
        assert channel.socket is None, "a second socket on a channel"
        channel.socket = FakeSocket(self, channel)
        channel.connects += 1
        self.most_connected = max(self.most_connected, self.connected)
        return cast(NotificationSocket, channel.socket)

    def received(self, socket: FakeSocket, message: dict[str, Any]) -> None:
        if message == {"message": "ping"}:
            if self.pongs:
                socket.push(PONG)
            return
        assert message["message"] == "unsubscribe"
        if not self.answers:
            return
        self.unsubscribe(socket, message)

    def unsubscribe(self, socket: FakeSocket, message: dict[str, Any]) -> None:
        """Execute an unsubscription, and answer it."""
        topics = message["topics"]
        self.calls.append(("unsubscribe", self._clock.monotonic(), len(topics)))
        for topic in topics:
            socket.channel.topics.pop(topic, None)
        reply = {"topics": topics, "result": "200", "status": "unsubscribed"}
        socket.push(reply | ({"correlationId": message["correlationId"]} if self.correlated else {}))

    def deliver(self, conversation_id: str, message: object) -> int:
        """Send a message to every socket whose channel has the conversation's topic; returns their number."""
        sockets = [c.socket for c in self.channels.values() if c.socket and conversation_id in c.conversations]
        for socket in sockets:
            socket.push(message)
        return len(sockets)

    def _channel(self, channel_id: str) -> FakeChannel:
        channel = self.channels.get(channel_id)
        if channel is None or not channel.known:
            raise NotFound("no such channel")
        return channel

    def _check(self, topics: Sequence[str]) -> None:
        if self.poison & set(topics):
            raise PermanentFailure("notification.invalid.topic")

    def _results(self, topics: Sequence[str]) -> tuple[TopicResult, ...]:
        return tuple(
            TopicResult(topic=t, permitted=t not in self.rejected, reason="no right" if t in self.rejected else None)
            for t in topics
        )

    @contextmanager
    def _call(self, operation: str, channel_id: str | None, size: int = 0) -> Iterator[None]:
        self.calls.append((operation, self._clock.monotonic(), size))
        if channel_id is not None:
            assert channel_id not in self._under_way, "two changes of one list at a time"
            self._under_way.add(channel_id)
        try:
            gevent.sleep(self.latency)
            fault = self._faults.get(operation)
            error, after = fault.popleft() if fault else (None, False)
            if error is not None and not after:
                raise error
            yield
            if error is not None:
                raise error
        finally:
            self._under_way.discard(channel_id or "")


def context(
    genesys: FakeGenesys,
    clock: FakeClock,
    settings: Settings,
    crashes: list[str],
    metrics: Metrics | None = None,
    load: Load | None = None,
) -> ChannelContext:
    """What all channels share, on the fake Genesys; without ``load``, calls are never scarce."""
    return ChannelContext(
        genesys=cast(Genesys, genesys),
        load=load or Load(RateLimiter(settings.api_rate_per_minute, clock), clock),
        settings=settings,
        runtime=runtime(clock, crashes, metrics=metrics),
        open_socket=genesys.open_socket,
    )


def eventually(
    condition: Callable[[], object], clock: FakeClock, *, step: float = 0.001, seconds: float = 60.0
) -> None:
    """Let greenlets run and time pass, in small steps, until the condition holds."""
    with gevent.Timeout(seconds, AssertionError("it did not happen in time")):
        while not condition():
            clock.advance(step)
            gevent.sleep(0.0005)


class PacedClock(FakeClock):
    """A clock whose sleepers wait until the test advances it: for tests in which several modules share the time."""

    def sleep(self, seconds: float) -> None:
        until = self._monotonic + seconds
        while self._monotonic < until:
            gevent.sleep(0)


#: The answer of a server that asks for fewer calls.
THROTTLED = TransientFailure("429", retry_after=0.5)
