"""Stores what the channels bring, in order of arrival: events, changes of coverage, frames for quarantine, channels.

Invariant: nothing is done about an event before its row is committed, and nothing between a socket and the disk calls
the network. While the disk refuses, arrivals wait in a bounded spool. If it overflows, every followed conversation
becomes due, so that Genesys is asked about it.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from gevent.event import Event

from genesys_gateway.domain.after_call_work import Acw, AcwEvent, Unreadable
from genesys_gateway.genesys import ChannelGrant
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import NOT_STORABLE, Connection, Storage
from genesys_gateway.storage.statements import conversations, instances, intake, timeline
from genesys_gateway.storage.statements.intake import IntakeResult

log = get_logger(__name__)

#: Maximum number of frames waiting to be written.
SPOOL_FRAMES = 10_000
#: Maximum number of coverage changes waiting to be written, counted per conversation, and of channels.
SPOOL_CHANGES = 1_000_000
#: Maximum number of bytes of a frame that are kept for quarantine.
_RAW_BYTES = 20_000
#: Maximum number of arrivals in one transaction. More could take longer than the storage lets a job take.
_BATCH = 256
#: Maximum number of coverage changes in one transaction, counted per conversation.
_BATCH_WEIGHT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """An event, or a frame that could not be read as one, with its bytes."""

    notification: Acw | Unreadable
    raw: bytes
    #: epoch milliseconds
    received_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Covered:
    ids: Sequence[str]
    channel_id: str
    #: seconds from the cover to the first question, for those that were registered just before
    question_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Uncovered:
    ids: Sequence[str]
    #: epoch milliseconds
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rejected:
    conversation_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChannelCreated:
    channel_id: str
    #: both epoch milliseconds
    at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChannelClosed:
    channel_id: str
    #: epoch milliseconds
    at: int


_Arrival = _Frame | _Covered | _Uncovered | _Rejected | _ChannelCreated | _ChannelClosed


class EventSpool:
    """The spool and the one greenlet that empties it.

    Args:
        owner: Id of this instance.
        stored: Called after new entries were committed; must not wait.
        due: Called after conversations became due; must not wait.
        first_question: Given the number of conversations that are covered together, returns how many seconds after
            their first cover they are due for a question, unless a gap came before; must not wait.
        most_frames: Maximum number of frames waiting to be written.
        most_changes: Maximum number of coverage changes waiting to be written, counted per conversation.
    """

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        runtime: Runtime,
        *,
        owner: str,
        stored: Callable[[], None],
        due: Callable[[], None],
        first_question: Callable[[int], float],
        most_frames: int = SPOOL_FRAMES,
        most_changes: int = SPOOL_CHANGES,
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._owner = owner
        self._stored = stored
        self._due = due
        self._first_question = first_question
        self._most_frames = most_frames
        self._most_changes = most_changes
        self._spool: deque[_Arrival] = deque()
        self._frames = 0
        self._changes = 0
        self._overflowed = False
        self._woken = Event()
        self._tasks = TaskGroup("event-spool", runtime.on_crash)

    def start(self) -> None:
        """Start emptying the spool."""
        self._tasks.spawn("writer", self._drain)

    def stop(self, seconds: float) -> list[str]:
        """Store what has arrived, within ``seconds``; nothing new may arrive meanwhile.

        Returns:
            The names of greenlets that were late.
        """
        self._woken.set()
        return self._tasks.stop(seconds)

    def notified(self, notification: Acw | Unreadable, frame: bytes) -> None:
        """Add an event, or a frame that could not be read, to the spool. Does not wait."""
        reach("heard")
        self._put(_Frame(notification=notification, raw=frame[:_RAW_BYTES], received_at=self._clock.now()))

    def covered(self, ids: list[str], channel_id: str) -> None:
        """Report that these conversations are covered: their topics are confirmed on an open socket. Does not wait."""
        self._put(_Covered(ids=ids, channel_id=channel_id, question_after=self._first_question(len(ids))))

    def uncovered(self, ids: list[str], since: int) -> None:
        """Report that these conversations have not been covered since ``since`` (epoch milliseconds). Does not wait."""
        self._put(_Uncovered(ids=ids, since=since))

    def rejected(self, conversation_id: str, reason: str) -> None:
        """Report that Genesys refuses this conversation's topic. Does not wait."""
        self._put(_Rejected(conversation_id=conversation_id, reason=reason))

    def channel_created(self, grant: ChannelGrant) -> None:
        """Report that Genesys has created a channel for this instance. Does not wait.

        Nothing depends on its row but what `why` tells, so no channel has to wait for the disk.
        """
        self._put(_ChannelCreated(channel_id=grant.id, at=self._clock.now(), expires_at=grant.expires_at))

    def channel_closed(self, channel_id: str) -> None:
        """Report that a channel will not be connected again. Does not wait."""
        self._put(_ChannelClosed(channel_id=channel_id, at=self._clock.now()))

    def _put(self, arrival: _Arrival) -> None:
        self._woken.set()
        is_frame = isinstance(arrival, _Frame)
        if self._frames >= self._most_frames if is_frame else self._changes >= self._most_changes:
            self._overflowed = True
            self._metrics.events_rejected.labels(reason="spool_full").inc(is_frame)
            return
        self._spool.append(arrival)
        self._frames += is_frame
        self._changes += _weight(arrival)

    def _next_batch(self) -> list[_Arrival]:
        batch: list[_Arrival] = []
        weight = 0
        for arrival in islice(self._spool, _BATCH):
            weight += _weight(arrival)
            if batch and weight > _BATCH_WEIGHT:
                break
            batch.append(arrival)
        return batch

    def _drain(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            while self._spool or self._overflowed:
                if not self._commit_batch() and self._tasks.wait(self._settings.retry_base_seconds):
                    break
            if self._tasks.stopping:
                self._report_leftovers()
                return

    def _report_leftovers(self) -> None:
        if self._spool:
            log.error("spool_not_stored", things=len(self._spool))  # at the next start Genesys is asked about all

    def _commit_batch(self) -> bool:
        """Commit the next batch. False if the disk refuses."""
        batch = self._next_batch()
        # An overflow that begins during the commit needs a commit of its own.
        overflowed, self._overflowed = self._overflowed, False
        if self._frames:
            reach("before_storing")
        try:
            outcomes = self._commit(batch, overflowed)
        except StorageUnavailable as error:
            self._overflowed = self._overflowed or overflowed
            log.warning("storage_refuses", waiting=len(self._spool), error=str(error))
            return False
        if self._frames:
            reach("stored")
        elif any(isinstance(arrival, _Covered) for arrival in batch):
            reach("covered")
        for arrival in batch:
            self._spool.popleft()
            self._frames -= isinstance(arrival, _Frame)
            self._changes -= _weight(arrival)
        self._report(batch, outcomes)
        return True

    def _commit(self, batch: Sequence[_Arrival], overflowed: bool) -> Counter[IntakeResult]:
        try:
            return self._storage.run(lambda connection: self._write(connection, batch, overflowed))
        except NOT_STORABLE:
            log.exception("batch_not_stored", things=len(batch))
            self._overflowed = self._overflowed or overflowed
            return self._one_by_one(batch)

    def _one_by_one(self, batch: Sequence[_Arrival]) -> Counter[IntakeResult]:
        """Store what can be stored of a batch that failed. To write any of it a second time is harmless."""
        outcomes: Counter[IntakeResult] = Counter()
        for arrival in batch:
            try:
                outcomes += self._storage.run(partial(self._write, batch=[arrival], overflowed=False))
            except NOT_STORABLE:
                log.exception("not_stored", kind=type(arrival).__name__)
                self._metrics.events_rejected.labels(reason="not_storable").inc()
                self._make_due(arrival)
        return outcomes

    def _make_due(self, arrival: _Arrival) -> None:
        """Make the conversation of a lost arrival due, or all conversations if it is unknown which one it was."""
        if isinstance(arrival, _ChannelCreated | _ChannelClosed):
            return  # it is about no event
        one = _conversation_of(arrival)
        if one is None:
            self._overflowed = True
        else:
            self._storage.run(lambda connection: conversations.make_due(connection, one, self._clock.now()))

    def _write(self, connection: Connection, batch: Sequence[_Arrival], overflowed: bool) -> Counter[IntakeResult]:
        now = self._clock.now()
        outcomes: Counter[IntakeResult] = Counter()
        for arrival in batch:
            match arrival:
                case _Frame(notification=Acw(event=event)):
                    outcomes[self._put_event(connection, event, arrival.raw, now)] += 1
                case _Frame(notification=Unreadable() as unreadable):
                    intake.set_aside(connection, unreadable, arrival.raw, now)
                case _Covered():
                    self._cover(connection, arrival, now)
                case _Uncovered():
                    conversations.uncover(connection, arrival.ids, since=arrival.since, now=now)
                case _Rejected():
                    timeline.note(connection, arrival.conversation_id, now, "rejected", arrival.reason)
                case _ChannelCreated(channel_id=one, at=at, expires_at=end):
                    instances.channel_created(connection, one, self._owner, now=at, expires_at=end)
                case _ChannelClosed(channel_id=one, at=at):
                    instances.channel_closed(connection, one, at)
        if overflowed:
            conversations.make_all_due(connection, now)
        return outcomes

    def _cover(self, connection: Connection, arrival: _Covered, now: int) -> None:
        conversations.cover(
            connection,
            arrival.ids,
            channel_id=arrival.channel_id,
            owner=self._owner,
            now=now,
            fresh_due_at=now + round(arrival.question_after * 1000),
        )

    def _put_event(self, connection: Connection, event: AcwEvent, raw: bytes, now: int) -> IntakeResult:
        taken = intake.put(
            connection,
            event,
            intake.LIVE,
            now=now,
            due_at=now + round(self._settings.quiet_seconds * 1000),
            deadline_at=now + round(self._settings.follow_deadline_seconds * 1000),
        )
        if taken is IntakeResult.UNREGISTERED:
            intake.set_aside(connection, Unreadable(reason="never_registered"), raw, now)
        return taken

    def _report(self, batch: Sequence[_Arrival], outcomes: Counter[IntakeResult]) -> None:
        for arrival in batch:
            if isinstance(arrival, _Frame):
                self._count(arrival)
        self._metrics.events_duplicate.inc(outcomes[IntakeResult.DUPLICATE])
        self._metrics.events_amended.inc(outcomes[IntakeResult.AMENDED])
        if outcomes[IntakeResult.UNREGISTERED]:
            self._metrics.events_rejected.labels(reason="never_registered").inc(outcomes[IntakeResult.UNREGISTERED])
        if outcomes[IntakeResult.STORED] or outcomes[IntakeResult.REPLACED]:
            self._stored()
        self._due()

    def _count(self, frame: _Frame) -> None:
        match frame.notification:
            case Acw(event=event, dropped=dropped):
                self._metrics.events_received.labels(source=intake.LIVE).inc()
                if event.event_time is not None:
                    age = (frame.received_at - event.event_time) / 1000
                    self._metrics.event_freshness_seconds.observe(max(0.0, age))
                if dropped:
                    self._metrics.events_rejected.labels(reason="field").inc(len(dropped))
            case Unreadable(reason=reason):
                log.warning("frame_set_aside", reason=reason, conversation=frame.notification.conversation_id)
                self._metrics.events_rejected.labels(reason=reason).inc()


def _weight(arrival: _Arrival) -> int:
    """Number of rows that it changes besides entries: conversations, timelines, channels; 0 for a frame."""
    return len(arrival.ids) if isinstance(arrival, _Covered | _Uncovered) else int(not isinstance(arrival, _Frame))


def _conversation_of(arrival: _Arrival) -> str | None:
    match arrival:
        case _Frame(notification=Acw(event=event)):
            return event.conversation_id
        case _Frame(notification=Unreadable(conversation_id=conversation_id)):
            return conversation_id
        case _Rejected(conversation_id=conversation_id):
            return conversation_id
    return None
