"""What is no longer needed loses its personal content: delivered records, closed conversations, frames set aside.

Law: a date alone erases nothing. The process first watches the clock for a while; then only that goes whose time is
over by three clocks: the wall clock now, the wall clock as it was when the watch began plus the time this process has
lived through since, and the clock of the database. A clock that is set forward during a watch, for however long,
makes nothing older than it is.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

from genesys_gateway.runtime.clock import DAY_SECONDS
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage, database_now
from genesys_gateway.storage.statements import erasure

log = get_logger(__name__)

#: Of the retention: how often it is looked what is over, when that is more often than daily.
_PERIOD_SHARE = 1 / 7
#: Of the period: the watch after a start, so that a process need not live for a day to erase anything.
_FIRST_WATCH_SHARE = 1 / 4
#: Rows in one transaction: what takes the disk for a few milliseconds.
_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Both clocks of this process, as they were when it began to watch them."""

    #: epoch milliseconds
    at: int
    #: seconds of the monotonic clock
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What one run came to."""

    records: int
    conversations: int
    frames: int


class Retention:
    """The greenlet that erases, at most once a day."""

    def __init__(self, storage: Storage, settings: Settings, runtime: Runtime) -> None:
        self._storage = storage
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._retention_ms = round(settings.retention_days * DAY_SECONDS * 1000)
        self._period = min(DAY_SECONDS, settings.retention_days * DAY_SECONDS * _PERIOD_SHARE)
        self._pause = settings.retry_base_seconds
        self._tasks = TaskGroup("retention", runtime.on_crash)

    def start(self) -> None:
        """Begin the first watch."""
        self._tasks.spawn("eraser", self._run)

    def stop(self, seconds: float) -> list[str]:
        """End after the batch that is under way, within ``seconds``; the rest is erased by the next process.

        Returns:
            The names of greenlets that were late.
        """
        return self._tasks.stop(seconds)

    def watch(self) -> Watch:
        """Read the clocks now, as evidence for later."""
        return Watch(at=self._clock.now(), since=self._clock.monotonic())

    def erase(self, watch: Watch) -> Erased:
        """Erase whatever is over by every clock, in small transactions. A repetition goes on where this ended.

        Raises:
            StorageUnavailable: Batches that were committed stay so.
        """
        lived = watch.at + round((self._clock.monotonic() - watch.since) * 1000)
        now = min(lived, self._clock.now(), self._storage.run(database_now))
        before = now - self._retention_ms
        self._storage.run(lambda c: erasure.redate(c, latest=now + self._retention_ms))
        return Erased(
            records=self._in_batches("record", lambda c: erasure.old_records(c, before=before, now=now, limit=_BATCH)),
            # After the records: only a conversation without content may be erased.
            conversations=self._conversations(before, now),
            frames=self._in_batches("frame", lambda c: erasure.old_frames(c, before=before, limit=_BATCH)),
        )

    def _in_batches(self, kind: str, job: Callable[[Connection], int]) -> int:
        total = 0
        while not self._tasks.stopping:
            erased = self._storage.run(job)
            self._metrics.erased.labels(kind=kind).inc(erased)
            total += erased
            if erased < _BATCH:
                break
        return total

    def _conversations(self, before: int, now: int) -> int:
        total, after = 0, None
        while not self._tasks.stopping:
            batch = partial(erasure.old_conversations, before=before, now=now, limit=_BATCH, after=after)
            page = self._storage.run(batch)
            self._metrics.erased.labels(kind="conversation").inc(page.erased)
            total, after = total + page.erased, page.after
            if after is None:
                break
        return total

    def _run(self) -> None:
        seconds = self._period * _FIRST_WATCH_SHARE
        while True:
            watch = self.watch()
            if self._tasks.wait(seconds) or not self._erase(watch):
                return
            seconds = self._period

    def _erase(self, watch: Watch) -> bool:
        """Erase, however often the disk refuses; False: the end came first."""
        while True:
            try:
                erased = self.erase(watch)
            except StorageUnavailable as error:
                log.warning("erasing_delayed", error=str(error))
                if self._tasks.wait(self._pause):
                    return False
            else:
                log.info("erased", **asdict(erased))
                return not self._tasks.stopping
