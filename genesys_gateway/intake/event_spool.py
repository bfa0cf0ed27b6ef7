"""What the sockets bring is put on disk, in the order it came: events, coverage, frames for quarantine.

Law: nothing is done about an event before its row is committed, and nothing between a socket and the disk calls the
network. While the disk refuses, things wait in a bounded spool; what does not fit is made good by asking Genesys.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from gevent.event import Event

from genesys_gateway.domain.after_call_work import Acw, AcwEvent, Unreadable
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import NOT_STORABLE, Connection, Storage
from genesys_gateway.storage.statements import conversations, intake, timeline
from genesys_gateway.storage.statements.intake import IntakeResult

log = get_logger(__name__)

#: Frames that wait for the disk at most.
SPOOL_FRAMES = 10_000
#: Of each, what quarantine may show of it.
_RAW_BYTES = 20_000
#: Conversations in changes of coverage that wait for the disk, each counted as often as it changed, at most.
SPOOL_CHANGES = 1_000_000
#: Things put into one transaction at most, and conversations in them: it must be on disk before patience ends.
_BATCH = 256
_BATCH_WEIGHT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """An event, or a frame that holds none, as it came."""

    notification: Acw | Unreadable
    raw: bytes
    #: epoch milliseconds
    received_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Covered:
    ids: Sequence[str]
    channel_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Uncovered:
    ids: Sequence[str]
    #: epoch milliseconds
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rejected:
    conversation_id: str
    reason: str


_Thing = _Frame | _Covered | _Uncovered | _Rejected


class EventSpool:
    """The spool and the one greenlet that empties it.

    Args:
        owner: Id of this instance.
        stored: Called after new entries were committed; must not wait.
        due: Called after conversations became due; must not wait.
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
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._owner = owner
        self._stored = stored
        self._due = due
        self._spool: deque[_Thing] = deque()
        self._frames = 0
        self._changes = 0
        self._overflowed = False
        self._poked = Event()
        self._tasks = TaskGroup("following", runtime.on_crash)

    def start(self) -> None:
        """Begin to empty the spool."""
        self._tasks.spawn("disk", self._drain)

    def stop(self, seconds: float) -> list[str]:
        """Put on disk what has come, within ``seconds``; nothing new may come meanwhile.

        Returns:
            The names of greenlets that were late.
        """
        self._poked.set()
        return self._tasks.stop(seconds)

    def notified(self, notification: Acw | Unreadable, frame: bytes) -> None:
        """Take an event, or a frame that could not be read. Does not wait."""
        reach("heard")
        self._put(_Frame(notification=notification, raw=frame[:_RAW_BYTES], received_at=self._clock.now()))

    def covered(self, ids: list[str], channel_id: str) -> None:
        """These conversations' topics are confirmed on an open socket."""
        self._put(_Covered(ids=ids, channel_id=channel_id))

    def uncovered(self, ids: list[str], since: int) -> None:
        """These are not covered since that moment (epoch milliseconds)."""
        self._put(_Uncovered(ids=ids, since=since))

    def rejected(self, conversation_id: str, reason: str) -> None:
        """Genesys refuses this conversation's topic."""
        self._put(_Rejected(conversation_id=conversation_id, reason=reason))

    def _put(self, thing: _Thing) -> None:
        self._poked.set()
        is_frame = isinstance(thing, _Frame)
        if self._frames >= SPOOL_FRAMES if is_frame else self._changes >= SPOOL_CHANGES:
            self._overflowed = True
            self._metrics.events_rejected.labels(reason="spool_full").inc(is_frame)
            return
        self._spool.append(thing)
        self._frames += is_frame
        self._changes += _weight(thing)

    def _next_batch(self) -> list[_Thing]:
        batch: list[_Thing] = []
        weight = 0
        for thing in islice(self._spool, _BATCH):
            weight += _weight(thing)
            if batch and weight > _BATCH_WEIGHT:
                break
            batch.append(thing)
        return batch

    def _drain(self) -> None:
        while True:
            self._poked.wait()
            self._poked.clear()
            while self._spool or self._overflowed:
                if not self._commit_some() and self._tasks.wait(self._settings.retry_base_seconds):
                    break
            if self._tasks.stopping:
                self._report_leftovers()
                return

    def _report_leftovers(self) -> None:
        if self._spool:
            log.error("spool_not_stored", things=len(self._spool))  # asked for again at the next start

    def _commit_some(self) -> bool:
        """Commit what waits, 256 things at most; False when the disk refuses."""
        batch = self._next_batch()
        overflowed, self._overflowed = self._overflowed, False  # what overflows from here on is another matter
        if self._frames:
            reach("before_storing")
        try:
            outcomes = self._commit(batch, overflowed)
        except StorageUnavailable as error:
            self._overflowed = self._overflowed or overflowed
            log.warning("storage_refuses", waiting=len(self._spool), error=str(error))
            return False
        reach("stored" if self._frames else "covered")
        for thing in batch:
            self._spool.popleft()
            self._frames -= isinstance(thing, _Frame)
            self._changes -= _weight(thing)
        self._tell(batch, outcomes)
        return True

    def _commit(self, batch: Sequence[_Thing], overflowed: bool) -> Counter[IntakeResult]:
        try:
            return self._storage.run(lambda connection: self._write(connection, batch, overflowed))
        except NOT_STORABLE:
            log.exception("batch_not_stored", things=len(batch))
            self._overflowed = self._overflowed or overflowed
            return self._one_by_one(batch)

    def _one_by_one(self, batch: Sequence[_Thing]) -> Counter[IntakeResult]:
        """One thing among these can't be stored: find it, and keep the others. A repetition harms none of them."""
        outcomes: Counter[IntakeResult] = Counter()
        for thing in batch:
            try:
                outcomes += self._storage.run(partial(self._write, batch=[thing], overflowed=False))
            except NOT_STORABLE:
                log.exception("not_stored", kind=type(thing).__name__)
                self._metrics.events_rejected.labels(reason="not_storable").inc()
                self._make_good(thing)
        return outcomes

    def _make_good(self, thing: _Thing) -> None:
        """What this was is lost to us: Genesys has to be asked about whom it was about, or about all."""
        one = _about(thing)
        if one is None:
            self._overflowed = True
        else:
            self._storage.run(lambda connection: conversations.make_due(connection, one, self._clock.now()))

    def _write(self, connection: Connection, batch: Sequence[_Thing], overflowed: bool) -> Counter[IntakeResult]:
        now = self._clock.now()
        outcomes: Counter[IntakeResult] = Counter()
        for thing in batch:
            match thing:
                case _Frame(notification=Acw(event=event)):
                    outcomes[self._put_event(connection, event, thing.raw, now)] += 1
                case _Frame(notification=Unreadable() as unreadable):
                    intake.set_aside(connection, unreadable, thing.raw, now)
                case _Covered():
                    conversations.cover(connection, thing.ids, channel_id=thing.channel_id, owner=self._owner, now=now)
                case _Uncovered():
                    conversations.uncover(connection, thing.ids, since=thing.since, now=now)
                case _Rejected():
                    timeline.note(connection, thing.conversation_id, now, "rejected", thing.reason)
        if overflowed:
            conversations.make_all_due(connection, now)
        return outcomes

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

    def _tell(self, batch: Sequence[_Thing], outcomes: Counter[IntakeResult]) -> None:
        for thing in batch:
            if isinstance(thing, _Frame):
                self._count(thing)
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


def _weight(thing: _Thing) -> int:
    """How many conversations' rows it changes, beside those of events."""
    return len(thing.ids) if isinstance(thing, _Covered | _Uncovered) else int(isinstance(thing, _Rejected))


def _about(thing: _Thing) -> str | None:
    match thing:
        case _Frame(notification=Acw(event=event)):
            return event.conversation_id
        case _Frame(notification=Unreadable(conversation_id=conversation_id)):
            return conversation_id
        case _Rejected(conversation_id=conversation_id):
            return conversation_id
    return None
