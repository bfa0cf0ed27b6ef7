"""One notification channel: its socket, read by one greenlet, watched by another, its topics written by a third.

Law: one socket at a time; while it is lost another is opened on the *same* channel, which keeps its topics at Genesys.
"""

from collections.abc import Callable
from dataclasses import dataclass

import orjson
from gevent.greenlet import Greenlet

from genesys_gateway.channels import state
from genesys_gateway.channels.state import Signal, State
from genesys_gateway.channels.topic_writer import TopicWriter, WriterListener
from genesys_gateway.domain import after_call_work
from genesys_gateway.genesys import ChannelGrant, Genesys, notifications
from genesys_gateway.genesys.websocket import NotificationSocket, SocketLost
from genesys_gateway.runtime.backoff import ceiling, full_jitter
from genesys_gateway.runtime.errors import PermanentFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings

log = get_logger(__name__)

#: Losses in a row after which a channel is given up for a new one.
_LOSSES = 3
#: After this many frames in one go the reader lets other greenlets run, or a burst would starve them.
_FRAMES_IN_A_ROW = 32
_YIELD_SECONDS = 1e-7  # a sleep of 0 does not let the others through (measured: 120 ms of lag against 2 ms)

_PING = orjson.dumps({"message": "ping"}).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelContext:
    """What every channel works with."""

    genesys: Genesys
    settings: Settings
    runtime: Runtime
    #: opens a checked ``connectUri``
    open_socket: Callable[[str, Settings], NotificationSocket]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelListener:
    """Whom a channel tells what; every call names the channel first and must not wait for long."""

    #: a notification, and the frame it was read from
    notified: Callable[["Channel", after_call_work.Acw | after_call_work.Unreadable, bytes], None]
    #: these conversations are covered from now on
    covered: Callable[["Channel", list[str]], None]
    #: these conversations are not covered since that moment (epoch milliseconds)
    uncovered: Callable[["Channel", list[str], int], None]
    #: Genesys refuses this conversation's topic
    rejected: Callable[["Channel", str, str], None]
    #: by so many topics the channel's list differed from ours without our doing
    drifted: Callable[[int], None]
    #: these conversations have no room here
    displaced: Callable[["Channel", list[str]], None]
    #: the server will close the socket soon
    closing: Callable[["Channel"], None]
    #: the channel can't be used any more
    gone: Callable[["Channel", str], None]


class Channel:
    """A channel from its creation to its end.

    Args:
        grant: What Genesys answered when it was created.
        listener: Whom to tell.
    """

    def __init__(self, grant: ChannelGrant, context: ChannelContext, listener: ChannelListener) -> None:
        self.id = grant.id
        self.grant = grant
        self._context = context
        self._settings = context.settings
        self._clock = context.runtime.clock
        self._random = context.runtime.random
        self._tell = listener
        self._state = State.CONNECTING
        self._socket: NotificationSocket | None = None
        self._tasks = TaskGroup(f"channel-{grant.id[-8:]}", context.runtime.on_crash)
        self._writing: Greenlet[..., object] | None = None
        self._losses, self._asked_to_wait = 0, 0.0
        self._opened = self._made = self._clock.monotonic()
        #: monotonic seconds and epoch milliseconds of the last sign of life
        self._heard = self._clock.monotonic()
        self._heard_at = self._clock.now()
        self._last_socket = self._has_socket = False
        self._handover_failures = 0
        self._hand_over_at = self._made + self._good_for()
        #: monotonic seconds since which nothing was on the list
        self._empty_since = self._clock.monotonic()
        self.writer = TopicWriter(
            grant,
            genesys=context.genesys,
            settings=context.settings,
            clock=context.runtime.clock,
            random=context.runtime.random,
            listener=WriterListener(
                covered=lambda ids: listener.covered(self, ids),
                missed=self._missed,
                drifted=listener.drifted,
                rejected=lambda one, reason: listener.rejected(self, one, reason),
                displaced=lambda ids: listener.displaced(self, ids),
                gone=self._give_up,
                send=self._send,
            ),
        )

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self._state

    @property
    def usable(self) -> bool:
        """Whether it may still carry topics."""
        return self._state not in (State.GONE, State.RETIRED)

    @property
    def age_seconds(self) -> float:
        """Since it was made."""
        return self._clock.monotonic() - self._made

    @property
    def ends_at(self) -> int:
        """When it ends by itself or with its token (epoch milliseconds)."""
        return min(self.grant.expires_at, self.grant.token.expires_at)

    @property
    def hand_over_due(self) -> bool:
        """Whether its end is so near that its topics should move."""
        return self._clock.monotonic() >= self._hand_over_at

    def put_off_handover(self) -> None:
        """A handover failed: let some time pass before the next one, more each time."""
        self._handover_failures += 1
        settings = self._settings
        wait = ceiling(settings.heartbeat_seconds / 8, settings.retry_max_seconds, self._handover_failures)
        self._hand_over_at = max(self._hand_over_at, self._clock.monotonic() + wait)

    @property
    def connected(self) -> bool:
        """Whether it counts against the budget of connected channels."""
        return self._state in state.CONNECTED or self._has_socket

    @property
    def listening(self) -> bool:
        """Whether its socket is open now."""
        return self._state in state.LISTENING

    @property
    def room(self) -> int:
        """How many more conversations it takes."""
        return self.writer.room

    def idle_seconds(self) -> float:
        """For how long it has had no topic; 0 while it has one."""
        if self.writer.size:
            self._empty_since = self._clock.monotonic()
        return self._clock.monotonic() - self._empty_since

    def start(self) -> None:
        """Connect, and keep connected until retired or gone."""
        self._tasks.spawn("reader", self._read)
        self._tasks.spawn("keeper", self._keep)
        self._writing = self._tasks.spawn("writer", self.writer.run)

    def read_on(self) -> None:
        """Its topics have moved: go on reading, but when this socket is lost open no other."""
        self._last_socket = True

    def retire(self, seconds: float = 1.0) -> None:
        """Close the socket and end the greenlets within ``seconds``; may be repeated."""
        self._signal(Signal.RETIRE)
        self.writer.stop()
        if self._writing is not None:
            self._writing.kill(block=False)  # it may be held back for minutes, and has nothing left to do
        self._abort()
        late = self._tasks.stop(seconds)
        if late:
            log.warning("channel_late", channel=self.id, greenlets=late)

    def _good_for(self) -> float:
        """Seconds from now until its topics should move."""
        token, now = self.grant.token, self._clock.now()
        return state.good_for(
            life=(self.grant.expires_at - now) / 1000,
            token_left=(token.expires_at - now) / 1000,
            token_life=(token.expires_at - token.issued_at) / 1000,
            ahead=self._settings.channel_handover_seconds,
            random=self._random,
        )

    def _signal(self, signal: Signal) -> None:
        before, self._state = self._state, state.step(self._state, signal)
        if before is not self._state:
            log.info("channel_state", channel=self.id, state=self._state.value, topics=self.writer.size)

    def _ended(self) -> bool:
        return self._tasks.stopping or not self.usable

    def _read(self) -> None:
        while not self._ended():
            try:
                self._receive(self._connect())
            except SocketLost as error:
                self._lost(error)
            except PermanentFailure as error:  # ChannelGone, or an address that must not be connected to
                self._give_up(str(error))
            finally:
                self._close()
            if self._last_socket:
                return
            if not self._ended() and not self._tasks.wait(self._back_off()) and not self._ended():
                self._signal(Signal.RETRY)

    def _connect(self) -> NotificationSocket:
        self._has_socket = True  # from here on: retired in the middle of it, the server may yet count it
        opened = self._socket = self._context.open_socket(self.grant.connect_uri, self._settings)
        if self._ended():
            raise SocketLost("retired meanwhile")
        reach("socket_opened")
        self._hear()
        self._opened = self._heard
        self._signal(Signal.OPENED)
        self.writer.opened()
        return opened

    def _receive(self, opened: NotificationSocket) -> None:
        frames = 0
        while True:
            frame = opened.receive()
            self._hear()
            self._take(frame)
            frames += 1
            if frames % _FRAMES_IN_A_ROW == 0:
                self._clock.sleep(_YIELD_SECONDS)

    def _hear(self) -> None:
        self._heard = self._clock.monotonic()
        self._heard_at = self._clock.now()

    def _take(self, frame: bytes) -> None:
        notification = notifications.parse(frame)
        match notification:
            case notifications.Heartbeat():
                return
            case notifications.Reply():
                self.writer.replied(notification)
            case notifications.Closing():
                if self.listening:
                    self._signal(Signal.NOTICE)
                    self._tell.closing(self)
            case notifications.NoLongerSubscribed():
                self._taken(notification.topics)
            case notifications.TokenRevoked():
                self._give_up("token revoked")
            case after_call_work.Acw() | after_call_work.Unreadable():
                self._tell.notified(self, notification, frame)

    def _taken(self, topics: tuple[str, ...]) -> None:
        if topics:
            self._missed(self.writer.taken(topics))
        else:
            self.writer.audit()

    def _missed(self, ids: list[str]) -> None:
        """Topics that were believed confirmed are not on the list; since when is known no better than our last look."""
        if ids:
            since = self._clock.now() - round(self._settings.audit_seconds * 1000)
            self._tell.uncovered(self, ids, since)

    def _lost(self, error: SocketLost) -> None:
        if not self.usable:
            return
        if self._state in state.LISTENING:
            stable = 1.5 * self._settings.heartbeat_seconds
            if self._clock.monotonic() - self._opened > stable:
                self._losses = 0
            self._uncover()
        self._asked_to_wait = error.retry_after or 0.0
        self._losses += error.retry_after is None  # else it is not lost, but told to wait
        log.warning("socket_lost", channel=self.id, error=str(error), losses=self._losses)
        self._signal(Signal.LOST)
        if self._losses >= _LOSSES:
            self._give_up("lost too often")

    def _uncover(self) -> None:
        covered = self.writer.lost()
        if covered:
            self._tell.uncovered(self, covered, self._heard_at)

    def _give_up(self, reason: str) -> None:
        """The channel can't be used any more; its listener moves the topics."""
        if not self.usable:
            return
        if self.listening:
            self._uncover()
        self._signal(Signal.REFUSED)
        log.warning("channel_gone", channel=self.id, reason=reason)
        self.writer.stop()
        self._abort()
        self._tell.gone(self, reason)

    def _back_off(self) -> float:
        settings = self._settings
        base, longest = settings.retry_base_seconds / 2, settings.retry_max_seconds
        return self._asked_to_wait + full_jitter(self._random, base, longest, self._losses)

    def _keep(self) -> None:
        """Ping a quiet socket, and end one that stays silent: only missing frames betray a peer that hangs."""
        limit = self._settings.heartbeat_seconds
        pinged = 0.0
        while not self._tasks.wait(limit / 16) and not self._ended():
            if not self.listening:
                continue
            silence = self._clock.monotonic() - self._heard
            if silence >= limit:
                log.warning("socket_silent", channel=self.id, silence_seconds=round(silence, 1))
                self._abort()
            elif silence >= limit * 3 / 8 and self._clock.monotonic() - pinged >= limit * 3 / 8:
                pinged = self._clock.monotonic()
                self._ping()

    def _ping(self) -> None:
        try:
            self._send(_PING)
        except SocketLost:
            log.info("ping_not_sent", channel=self.id)  # the reader meets the same loss and acts on it

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
