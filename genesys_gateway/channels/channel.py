"""One notification channel: a greenlet reads its socket, another watches for silence, a third writes its topics.

Invariant: one socket at a time. After a loss the next one is opened on the *same* channel, which keeps its topics at
Genesys.
"""

from collections.abc import Callable
from dataclasses import dataclass

import orjson
from gevent.greenlet import Greenlet

from genesys_gateway.channels.state import CONNECTED, LISTENING, Signal, State, seconds_until_handover, step
from genesys_gateway.channels.topic_writer import TopicWriter, WriterListener
from genesys_gateway.domain.after_call_work import Acw, Unreadable
from genesys_gateway.genesys import ChannelGrant, Genesys, notifications
from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.websocket import NotificationSocket, SocketLost
from genesys_gateway.runtime.backoff import ceiling, full_jitter
from genesys_gateway.runtime.errors import PermanentFailure
from genesys_gateway.runtime.greenlets import TaskGroup, let_others_run
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings

log = get_logger(__name__)

#: Number of losses in a row after which a channel is replaced by a new one.
_MAX_LOSSES = 3

_PING = orjson.dumps({"message": "ping"}).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelContext:
    """What all channels share."""

    genesys: Genesys
    #: tells whether calls are scarce
    load: Load
    settings: Settings
    runtime: Runtime
    #: checks a ``connectUri`` and opens a socket to it; raises SocketLost, ChannelGone, PermanentFailure
    open_socket: Callable[[str, Settings], NotificationSocket]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelListener:
    """The callbacks of a channel; they must return quickly."""

    #: an event arrived, or a frame that can't be read; the last argument is the frame itself
    notified: Callable[["Channel", Acw | Unreadable, bytes], None]
    #: Genesys said something unasked about a channel
    noticed: Callable[[notifications.SystemNotice], None]
    #: these conversations are covered from now on
    covered: Callable[["Channel", list[str]], None]
    #: these conversations have not been covered since that time (epoch milliseconds)
    uncovered: Callable[["Channel", list[str], int], None]
    #: the server's list does not hold these conversations, which may not have been covered since that time
    missing: Callable[["Channel", list[str], int], None]
    #: Genesys refuses this conversation's topic, for this reason
    rejected: Callable[["Channel", str, str], None]
    #: the server's list differed from ours by this number of topics, through no change of ours
    drifted: Callable[[int], None]
    #: the channel is full; these conversations need another one
    displaced: Callable[["Channel", list[str]], None]
    #: the server will close the socket soon
    closing: Callable[["Channel"], None]
    #: the channel can no longer be used, for this reason
    gone: Callable[["Channel", str], None]


class Channel:
    """A channel from its creation to its end.

    Args:
        grant: Genesys's answer to its creation.
        context: What all channels share.
        listener: The callbacks.
        permitted: Asked right before the first socket is opened; if False, the channel is given up instead.
    """

    #: when a socket last brought a frame (epoch milliseconds); before the first, when it was made
    last_frame_at: int

    def __init__(
        self,
        grant: ChannelGrant,
        context: ChannelContext,
        listener: ChannelListener,
        permitted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.id = grant.id
        self.grant = grant
        self._context = context
        self._settings = context.settings
        self._clock = context.runtime.clock
        self._logger = SampledLog(log, self._clock)
        self._random = context.runtime.random
        self._listener = listener
        self._permitted = permitted
        self._state = State.CONNECTING
        self._socket: NotificationSocket | None = None
        self._tasks = TaskGroup(f"channel-{grant.id[-8:]}", context.runtime.on_crash)
        self._writer_task: Greenlet[..., object] | None = None
        self._losses = 0  # in a row
        self._retry_after = 0.0  # seconds that the server asked us to wait before the next socket
        # Monotonic seconds, as the next three
        self._created = self._clock.monotonic()
        self._opened = self._created
        self._last_seen = self._created  # the last frame, or the opening of the socket
        self._empty_since = self._created  # the list has held no topic since
        self._last_seen_ms = self.last_frame_at = self._clock.now()  # as _last_seen, in epoch milliseconds
        self._has_socket = False  # a socket is open, or may be: it is being opened or closed
        self._reconnects = True
        self._handover_failures = 0
        self._hand_over_at = self._created + self._seconds_until_handover()  # monotonic seconds
        self.writer = TopicWriter(
            grant,
            genesys=context.genesys,
            settings=context.settings,
            runtime=context.runtime,
            listener=WriterListener(
                covered=lambda ids: listener.covered(self, ids),
                missed=self._topics_missing,
                drifted=listener.drifted,
                rejected=lambda one, reason: listener.rejected(self, one, reason),
                displaced=lambda ids: listener.displaced(self, ids),
                gone=self._give_up,
                send=self._send,
            ),
        )

    @property
    def state(self) -> State:
        """The state it is in now."""
        return self._state

    @property
    def usable(self) -> bool:
        """Whether it can still carry topics."""
        return self._state not in (State.GONE, State.RETIRED)

    @property
    def age_seconds(self) -> float:
        """Seconds since its creation."""
        return self._clock.monotonic() - self._created

    @property
    def ends_at(self) -> int:
        """The time at which it ends by itself or with its token (epoch milliseconds)."""
        return min(self.grant.expires_at, self.grant.token.expires_at)

    @property
    def hand_over_due(self) -> bool:
        """Whether its topics should move now because its end is near."""
        return self._clock.monotonic() >= self._hand_over_at

    def postpone_handover(self) -> None:
        """Delay the next handover because one failed; each call doubles the delay, up to ``retry_max_seconds``."""
        self._handover_failures += 1
        settings = self._settings
        wait = ceiling(settings.heartbeat_seconds / 8, settings.retry_max_seconds, self._handover_failures)
        self._hand_over_at = max(self._hand_over_at, self._clock.monotonic() + wait)

    @property
    def connected(self) -> bool:
        """Whether it counts against the budget of connected channels."""
        return self._state in CONNECTED or self._has_socket

    @property
    def listening(self) -> bool:
        """Whether its socket is open now."""
        return self._state in LISTENING

    @property
    def free_places(self) -> int:
        """Number of conversations that it can take in addition."""
        return self.writer.free_places

    @property
    def size(self) -> int:
        """Number of topics that take a place."""
        return self.writer.size

    def idle_seconds(self) -> float:
        """Seconds since it last had a topic, counted from the last call that found one; 0 while it has one."""
        if self.writer.size:
            self._empty_since = self._clock.monotonic()
        return self._clock.monotonic() - self._empty_since

    def start(self) -> None:
        """Connect, and stay connected until retired or gone. Does not wait."""
        self._tasks.spawn("reader", self._read)
        self._tasks.spawn("keeper", self._watch_for_silence)
        self._writer_task = self._tasks.spawn("writer", self.writer.run)

    def stop_reconnecting(self) -> None:
        """Read this socket to its end but open no other: the topics have moved."""
        self._reconnects = False

    def retire(self, seconds: float = 1.0) -> None:
        """Close the socket and end the greenlets within ``seconds``; may be repeated."""
        self._signal(Signal.RETIRE)
        self.writer.stop()
        if self._writer_task is not None:
            self._writer_task.kill(block=False)  # it may be in a wait of minutes, and has nothing left to do
        self._abort()
        late = self._tasks.stop(seconds)
        if late:
            log.warning("channel_late", channel=self.id, greenlets=late)

    def _seconds_until_handover(self) -> float:
        token, now = self.grant.token, self._clock.now()
        return seconds_until_handover(
            life=(self.grant.expires_at - now) / 1000,
            token_left=(token.expires_at - now) / 1000,
            token_life=(token.expires_at - token.issued_at) / 1000,
            ahead=self._settings.channel_handover_seconds,
            random=self._random,
        )

    def _signal(self, signal: Signal) -> None:
        before, self._state = self._state, step(self._state, signal)
        if before is not self._state:
            log.info("channel_state", channel=self.id, state=self._state.value, topics=self.writer.size)

    def _ended(self) -> bool:
        return self._tasks.stopping or not self.usable

    def _read(self) -> None:
        while not self._ended():
            try:
                self._receive(self._connect())
            except SocketLost as error:
                self._socket_lost(error)
            except PermanentFailure as error:  # ChannelGone, or an address that must not be connected to
                self._give_up(str(error))
            finally:
                self._close()
            if not self._reconnects:
                return
            if not self._ended() and not self._tasks.wait(self._back_off()) and not self._ended():
                self._signal(Signal.RETRY)

    def _connect(self) -> NotificationSocket:
        if not self._permitted():
            raise PermanentFailure("its place in the budget is in doubt")
        self._has_socket = True  # from here on: if we retire while it opens, the server may still count it
        opened = self._socket = self._context.open_socket(self.grant.connect_uri, self._settings)
        if self._ended():
            raise SocketLost("retired meanwhile")
        reach("socket_opened")
        self._mark_seen()
        self._opened = self._last_seen
        self._permitted = lambda: True  # the place is given back only after the last socket is closed
        self._signal(Signal.OPENED)
        self.writer.opened()
        return opened

    def _receive(self, opened: NotificationSocket) -> None:
        while True:
            frame = opened.receive()
            self._mark_seen()
            self.last_frame_at = self._last_seen_ms
            self._handle(frame)
            let_others_run()  # otherwise the burst of one socket, or of several together, would starve them

    def _mark_seen(self) -> None:
        self._last_seen = self._clock.monotonic()
        self._last_seen_ms = self._clock.now()

    def _handle(self, frame: bytes) -> None:
        notification = notifications.parse(frame)
        match notification:
            case notifications.Heartbeat():
                return
            case notifications.Reply():
                self.writer.replied(notification)
            case Acw() | Unreadable():
                self._listener.notified(self, notification, frame)
            case notifications.Unknown():
                return
            case _:
                self._listener.noticed(notification)
                self._act_on(notification)

    def _act_on(self, notice: notifications.SystemNotice) -> None:
        match notice:
            case notifications.Closing():
                if self.listening:
                    self._signal(Signal.NOTICE)
                    self._listener.closing(self)
            case notifications.NoLongerSubscribed():
                self._topics_missing(self.writer.removed_by_server(notice.topics))
            case notifications.TokenRevoked():
                self._give_up("token revoked")

    def _topics_missing(self, ids: list[str]) -> None:
        """Report confirmed topics that are not on the list; at worst they left it right after the last audit."""
        if ids:
            since = self._clock.now() - round(self._settings.audit_seconds * 1000)
            self._listener.missing(self, ids, since)

    def _socket_lost(self, error: SocketLost) -> None:
        if not self.usable:
            return
        if self.listening:
            stable = 1.5 * self._settings.heartbeat_seconds
            if self._clock.monotonic() - self._opened > stable:
                self._losses = 0
            self._uncover()
        self._retry_after = error.retry_after or 0.0
        if error.retry_after is None:  # otherwise the server works, and only demands a wait
            self._losses += 1
        self._logger.warning("socket_lost", channel=self.id, error=str(error), losses=self._losses)
        self._signal(Signal.LOST)
        if self._losses >= _MAX_LOSSES:
            self._give_up("lost too often")

    def _uncover(self) -> None:
        covered = self.writer.lost()
        if covered:
            self._listener.uncovered(self, covered, self._last_seen_ms)

    def _give_up(self, reason: str) -> None:
        """End the channel's use; the callback ``gone`` moves its topics."""
        if not self.usable:
            return
        if self.listening:
            self._uncover()
        self._signal(Signal.REFUSED)
        log.warning("channel_gone", channel=self.id, reason=reason)
        self.writer.stop()
        self._abort()
        self._listener.gone(self, reason)

    def _back_off(self) -> float:
        settings = self._settings
        base, longest = settings.retry_base_seconds / 2, settings.retry_max_seconds
        return self._retry_after + full_jitter(self._random, base, longest, self._losses)

    def _watch_for_silence(self) -> None:
        """Ping a quiet socket, and end one that stays silent: only missing frames reveal a peer that hangs."""
        limit = self._settings.heartbeat_seconds
        pinged = 0.0
        while not self._tasks.wait(limit / 16) and not self._ended():
            if not self.listening:
                continue
            silence = self._clock.monotonic() - self._last_seen
            if silence >= limit:
                self._logger.warning("socket_silent", channel=self.id, silence_seconds=round(silence, 1))
                self._abort()
            elif silence >= limit * 3 / 8 and self._clock.monotonic() - pinged >= limit * 3 / 8:
                pinged = self._clock.monotonic()
                self._ping()

    def _ping(self) -> None:
        try:
            self._send(_PING)
        except SocketLost:
            self._logger.info("ping_not_sent", channel=self.id)  # the reader meets the same loss and reconnects

    def _send(self, text: str) -> None:
        if self._socket is None:
            raise SocketLost("no socket")
        self._socket.send(text)

    def _abort(self) -> None:
        if self._socket is not None:
            self._socket.abort()

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._has_socket = False
