"""Stores what the channels bring, in order of arrival: events, changes of coverage, frames for quarantine, channels.

Invariant: nothing is done about an event before its row is committed, and nothing between a socket and the disk calls
the network. While the disk refuses, arrivals wait in a bounded spool. If it overflows, every followed conversation
becomes due, so that Genesys is asked about it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

from gevent.event import Event

from genesys_gateway.domain.after_call_work import Acw, Unreadable
from genesys_gateway.genesys import ChannelGrant
from genesys_gateway.intake.arrivals import (
    Arrival,
    ArrivalQueue,
    ChannelClosed,
    ChannelCreated,
    Covered,
    Frame,
    Lost,
    Rejected,
    Uncovered,
    conversations_of,
    earliest_loss,
    event_of,
    joined,
    split,
)
from genesys_gateway.runtime import tracing
from genesys_gateway.runtime.clock import Deadline
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import NOT_STORABLE, Connection, Storage, database_now
from genesys_gateway.storage.statements import coverage, instances, intake, locks, timeline
from genesys_gateway.storage.statements.intake import IntakeResult

log = get_logger(__name__)

#: Maximum number of frames waiting to be written.
SPOOL_FRAMES = 10_000
#: Maximum number of coverage changes waiting to be written, counted per conversation, and of channels.
SPOOL_CHANGES = 1_000_000
#: Maximum number of bytes of a frame that are kept for quarantine.
_RAW_BYTES = 20_000
#: Share of the time to stop in which what is left is still tried, and locked conversations are waited for.
_STOP_SHARE = 0.9


@dataclass(slots=True, kw_only=True)
class _Written:
    """Result of writing a batch."""

    #: of its events
    results: Counter[IntakeResult] = field(default_factory=Counter)
    #: what is to be written again, because its conversations are locked, in order of arrival
    left: list[Arrival] = field(default_factory=list)
    #: covered conversations that another instance owns
    foreign: list[str] = field(default_factory=list)

    def __add__(self, other: "_Written") -> "_Written":
        return _Written(
            results=self.results + other.results, left=self.left + other.left, foreign=self.foreign + other.foreign
        )


class EventSpool:
    """The spool and the one greenlet that empties it.

    Args:
        identity: The id of this instance; what its sockets report counts for this id alone.
        stored: Called after new entries were committed; must not wait.
        due: Called after conversations became due; must not wait.
        first_question: Given the number of conversations that are covered together, returns how many seconds after
            their first cover they are due for a question, unless a gap came before; must not wait.
        unfollow: Called with each conversation that is covered here but owned by another instance; must not wait.
        most_frames: Maximum number of frames waiting to be written.
        most_changes: Maximum number of coverage changes waiting to be written, counted per conversation.
    """

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        runtime: Runtime,
        *,
        identity: Identity,
        stored: Callable[[], None],
        due: Callable[[], None],
        first_question: Callable[[int], float],
        unfollow: Callable[[str], None],
        most_frames: int = SPOOL_FRAMES,
        most_changes: int = SPOOL_CHANGES,
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._identity = identity
        self._stored = stored
        self._due = due
        self._first_question = first_question
        self._unfollow = unfollow
        self._queue = ArrivalQueue(most_frames=most_frames, most_changes=most_changes)
        self._overflowed = False
        self._stop_by: Deadline | None = None
        #: the batch that is being stored
        self._in_hand: Sequence[Arrival] = ()
        self._woken = Event()
        self._logger = SampledLog(log, runtime.clock)
        self._tasks = TaskGroup("event-spool", runtime.on_crash)

    def start(self) -> None:
        """Start emptying the spool."""
        self._tasks.spawn("writer", self._drain)

    def stop(self, seconds: float) -> list[str]:
        """Store what has arrived, within ``seconds``; nothing new may arrive meanwhile.

        Returns:
            The names of greenlets that were late.
        """
        self._stop_by = Deadline(self._clock, _STOP_SHARE * seconds)
        self._woken.set()
        return self._tasks.stop(seconds)

    @property
    def waiting(self) -> int:
        """Number of arrivals that wait in memory to be stored."""
        return len(self._queue) + len(self._in_hand)

    def notified(self, notification: Acw | Unreadable, frame: bytes) -> None:
        """Add an event, or a frame that could not be read, to the spool. Does not wait."""
        reach("heard")
        self._put(Frame(notification=notification, raw=frame[:_RAW_BYTES], received_at=self._clock.now()))

    def covered(self, ids: list[str], channel_id: str) -> None:
        """Report that these conversations are covered: their topics are confirmed on an open socket. Does not wait."""
        after = self._first_question(len(ids))
        self._put(Covered(ids=ids, channel_id=channel_id, owner=self._identity.id, question_after=after))

    def uncovered(self, ids: list[str], since: int) -> None:
        """Report that these conversations have not been covered since ``since`` (epoch milliseconds). Does not wait."""
        self._put(Uncovered(ids=ids, owner=self._identity.id, since=since, noted_at=self._clock.monotonic()))

    def frames(self) -> int:
        """Number of frames that are not stored yet."""
        return self._queue.frames

    def changes(self) -> int:
        """Number of changes of coverage, and of channels, that are not stored yet."""
        return self._queue.changes

    def loss_waits(self, seconds: float) -> bool:
        """Whether a loss of coverage has waited to be stored for longer than this."""
        oldest = min(self._queue.losses_noted_at(), earliest_loss(self._in_hand))
        return self._clock.monotonic() - oldest > seconds

    def rejected(self, conversation_id: str, reason: str) -> None:
        """Report that Genesys refuses this conversation's topic. Does not wait."""
        self._put(Rejected(conversation_id=conversation_id, reason=reason))

    def channel_created(self, grant: ChannelGrant) -> None:
        """Report that Genesys has created a channel for this instance. Does not wait.

        Nothing depends on its row but what `why` tells, so no channel has to wait for the disk.
        """
        owner, at = self._identity.id, self._clock.now()
        self._put(ChannelCreated(channel_id=grant.id, owner=owner, at=at, expires_at=grant.expires_at))

    def channel_closed(self, channel_id: str) -> None:
        """Report that a channel will not be connected again. Does not wait."""
        self._put(ChannelClosed(channel_id=channel_id, at=self._clock.now()))

    def _put(self, arrival: Arrival) -> None:
        self._woken.set()
        if self._queue.has_space_for(arrival):
            self._queue.add(arrival)
        else:
            self._overflowed = True
            self._metrics.events_rejected.labels(reason="spool_full").inc(isinstance(arrival, Frame))

    def _drain(self) -> None:
        while True:
            self._woken.clear()
            batch = self._queue.take(self._clock.monotonic())
            if batch or self._overflowed:
                stopping = self._tasks.stopping
                if self._commit_batch(batch):
                    continue
                # One more try follows a refusal from before the stop.
                if stopping or (self._tasks.wait(self._settings.retry_base_seconds) and not self._may_still_store()):
                    break
            elif self._tasks.stopping and not self._may_still_store():
                break
            else:
                self._woken.wait(self._queue.pause_seconds(self._clock.monotonic()))
        if self._queue:
            log.error("spool_not_stored", things=len(self._queue))  # at the next start Genesys is asked about all

    def _may_still_store(self) -> bool:
        return bool(self._queue) and self._stop_by is not None and self._stop_by.left() > 0

    def _commit_batch(self, batch: Sequence[Arrival]) -> bool:
        """Commit a batch, and what follows from an overflow before it. False if the disk refuses."""
        # An overflow that begins during the commit needs a commit of its own.
        overflowed, self._overflowed = self._overflowed, False
        try:
            if batch:
                self._store(batch)
            if overflowed:
                self._make_all_due()
        except StorageUnavailable as error:
            self._overflowed = self._overflowed or overflowed
            self._logger.warning("storage_refuses", waiting=len(self._queue), error=str(error))
            return False
        self._logger.over()
        return True

    def _store(self, batch: Sequence[Arrival]) -> None:
        has_frames = any(isinstance(arrival, Frame) for arrival in batch)
        if has_frames:
            reach("before_storing")
        self._in_hand = batch
        try:
            written = self._commit(batch)
        except BaseException:
            self._queue.give_back(batch)
            raise
        finally:
            self._in_hand = ()
        if has_frames:
            reach("stored")
        elif any(isinstance(arrival, Covered) for arrival in batch):
            reach("covered")
        self._queue.settle(batch, written.left, self._clock.monotonic())
        self._report(batch, written)

    def _commit(self, batch: Sequence[Arrival]) -> _Written:
        try:
            return self._storage.run(lambda connection: self._write(connection, batch))
        except NOT_STORABLE:
            self._logger.exception("batch_not_stored", things=len(batch))
            return self._one_by_one(batch)

    def _one_by_one(self, batch: Sequence[Arrival]) -> _Written:
        """Store what can be stored of a batch that failed. To write any of it a second time is harmless."""
        written = _Written()
        for arrival in batch:
            _, later = split(arrival, {one for left in written.left for one in conversations_of(left)})
            if later is not None:  # all of it, so that the order stays
                written.left.append(arrival)
                continue
            try:
                written += self._storage.run(partial(self._write, batch=[arrival]))
            except NOT_STORABLE:
                self._logger.exception("not_stored", kind=type(arrival).__name__)
                self._metrics.events_rejected.labels(reason="not_storable").inc()
                self._make_due(arrival)
        return written

    def _make_due(self, arrival: Arrival) -> None:
        """Make the conversation of a lost arrival due, or all conversations if it is unknown which one it was."""
        if isinstance(arrival, ChannelCreated | ChannelClosed):
            return  # it is about no event
        if isinstance(arrival, Frame | Rejected) and (ids := conversations_of(arrival)):
            self._storage.run(lambda connection: coverage.make_due(connection, ids, self._clock.now()))
        else:
            self._overflowed = True

    def _make_all_due(self) -> None:
        """Make all followed conversations due, in a transaction of its own; those that are locked a moment later."""
        busy = self._storage.run(lambda connection: coverage.make_all_due(connection, database_now(connection)))
        if busy:
            self._queue.add(Lost(ids=busy))

    def _write(self, connection: Connection, batch: Sequence[Arrival]) -> _Written:
        now = database_now(connection)
        written = _Written()
        busy = _busy(connection, batch)
        for are_events, run in groupby(batch, lambda arrival: event_of(arrival) is not None):
            free: list[Arrival] = []
            for arrival in run:
                rest, left = split(arrival, busy) if busy else (arrival, None)
                free += [rest] if rest is not None else []
                written.left += [left] if left is not None else []
            if are_events:
                busy |= self._put_events(connection, free, now, written)
            else:
                for arrival in joined(free):
                    self._write_one(connection, arrival, now, written.foreign)
        return written

    def _put_events(self, connection: Connection, frames: Sequence[Arrival], now: int, written: _Written) -> set[str]:
        """Store events, whose conversations are locked by this transaction.

        Returns:
            Those conversations one of whose entries another transaction has locked.
        """
        events = [*filter(None, map(event_of, frames))]
        results = intake.put_all(
            connection,
            events,
            intake.LIVE,
            now=now,
            due_at=now + round(self._settings.quiet_seconds * 1000),
            deadline_at=now + round(self._settings.follow_deadline_seconds * 1000),
        )
        written.results.update(results)
        for frame, result in zip(frames, results, strict=True):
            if result is IntakeResult.UNREGISTERED and isinstance(frame, Frame):
                intake.set_aside(connection, Unreadable(reason="never_registered"), frame.raw, now)
        left = [frame for frame, result in zip(frames, results, strict=True) if result is IntakeResult.BUSY]
        written.left += left
        return {one for frame in left for one in conversations_of(frame)}

    def _write_one(self, connection: Connection, arrival: Arrival, now: int, foreign: list[str]) -> None:
        """Write an arrival that is no event, and whose conversations are locked by this transaction.

        What another instance owns is added to ``foreign``.
        """
        match arrival:
            case Frame(notification=Unreadable() as unreadable, raw=raw):
                intake.set_aside(connection, unreadable, raw, now)
            case Covered(owner=owner) if owner != self._identity.id:
                pass  # the lease was lost since, and all sockets were closed
            case Covered():
                foreign += self._cover(connection, arrival, now)
            case Uncovered():
                coverage.uncover(connection, arrival.ids, owner=arrival.owner, since=arrival.since, now=now)
            case Lost(ids=ids):
                coverage.make_due(connection, ids, now)
            case Rejected():
                timeline.note(connection, arrival.conversation_id, now, "rejected", arrival.reason)
            case ChannelCreated(channel_id=one, owner=owner, at=at, expires_at=end):
                instances.channel_created(connection, one, owner, now=at, expires_at=end)
            case ChannelClosed(channel_id=one, at=at):
                instances.channel_closed(connection, one, at)

    def _cover(self, connection: Connection, arrival: Covered, now: int) -> list[str]:
        return coverage.cover(
            connection,
            arrival.ids,
            channel_id=arrival.channel_id,
            owner=arrival.owner,
            now=now,
            fresh_due_at=now + round(arrival.question_after * 1000),
        )

    def _report(self, batch: Sequence[Arrival], written: _Written) -> None:
        for one in written.foreign:
            self._unfollow(one)
        left = {id(arrival) for arrival in written.left}
        self._count([one for one in batch if isinstance(one, Frame) and id(one) not in left])
        results = written.results
        self._metrics.events_duplicate.inc(results[IntakeResult.DUPLICATE])
        self._metrics.events_amended.inc(results[IntakeResult.AMENDED])
        if results[IntakeResult.UNREGISTERED]:
            self._metrics.events_rejected.labels(reason="never_registered").inc(results[IntakeResult.UNREGISTERED])
        if results[IntakeResult.STORED] or results[IntakeResult.REPLACED]:
            self._stored()
        self._due()

    def _count(self, frames: Sequence[Frame]) -> None:
        events, now, tracer = 0, self._clock.now(), tracing.active()
        for frame in frames:
            match frame.notification:
                case Acw(event=event, dropped=dropped):
                    events += 1
                    if event.event_time is not None:
                        age = max(0.0, (now - event.event_time) / 1000)
                        trace = tracer.trace_id_of_entry(event.record_id) if tracer and event.identity else None
                        self._metrics.event_freshness_seconds.observe(age, tracing.exemplar(trace))
                    if dropped:
                        self._metrics.events_rejected.labels(reason="field").inc(len(dropped))
                case Unreadable(reason=reason, conversation_id=one):
                    self._logger.warning("frame_set_aside", reason=reason, conversation=one)
                    self._metrics.events_rejected.labels(reason=reason).inc()
        self._metrics.events_received.labels(source=intake.LIVE).inc(events)


def _busy(connection: Connection, batch: Sequence[Arrival]) -> set[str]:
    """Lock the conversations of a batch, without waiting, and return those that other transactions have locked."""
    put = {event.conversation_id for event in map(event_of, batch) if event is not None}
    busy = put - locks.hold_free(connection, put)
    changed = {one for arrival in batch if not isinstance(arrival, Rejected) for one in conversations_of(arrival)}
    return busy | locks.busy_rows(connection, changed - busy)
