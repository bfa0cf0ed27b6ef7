"""Erases personal content after its time, of delivered records, closed conversations and frames; then forgets.

Invariant: a date alone erases nothing. The process first watches its clocks for a while. Then only content is erased
whose retention is over by each of three clocks: the wall clock now, the wall clock at the start of the watch plus the
time that the monotonic clock has counted since, and the clock of the database. So a clock that is set forward during a
watch erases nothing early (ADR 0015).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

from genesys_gateway.maintenance.forgetting import Forgetting, Forgotten
from genesys_gateway.runtime.clock import DAY_SECONDS
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage, database_now
from genesys_gateway.storage.statements import erasure

log = get_logger(__name__)

#: Time between two runs as a share of the retention, if that is less than a day.
_PERIOD_SHARE = 1 / 7
#: Length of the first watch as a share of that period, so that a process need not run for a day to erase anything.
_FIRST_WATCH_SHARE = 1 / 4
#: Maximum number of rows in one transaction; they keep the disk busy for a few milliseconds.
_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What both clocks of this process showed at the start of a watch."""

    #: epoch milliseconds
    at: int
    #: seconds of the monotonic clock
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Numbers of rows that one run has erased."""

    records: int
    conversations: int
    frames: int


class Retention:
    """The greenlet that erases, once a day, or more often if the retention is less than a week.

    Args:
        database_now: Reads the clock of the database (epoch milliseconds).
    """

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        runtime: Runtime,
        *,
        database_now: Callable[[Connection], int] = database_now,
    ) -> None:
        self._storage = storage
        self._clock = runtime.clock
        self._logger = SampledLog(log, self._clock)
        self._metrics = runtime.metrics
        self._database_now = database_now
        self._retention_ms = round(settings.retention_days * DAY_SECONDS * 1000)
        self._period = min(DAY_SECONDS, settings.retention_days * DAY_SECONDS * _PERIOD_SHARE)
        self._pause = settings.retry_base_seconds
        self._tasks = TaskGroup("retention", runtime.on_crash)
        self._forgetting = Forgetting(storage, settings, runtime, self._tasks)

    def start(self) -> None:
        """Start the first watch."""
        self._tasks.spawn("eraser", self._run)

    def stop(self, seconds: float) -> list[str]:
        """Stop after the batch that is under way, within ``seconds``. The next process erases the rest.

        Returns:
            The names of greenlets that were late.
        """
        return self._tasks.stop(seconds)

    def watch(self) -> Watch:
        """Read both clocks now, to be given to :meth:`erase` later."""
        return Watch(at=self._clock.now(), since=self._clock.monotonic())

    def erase(self, watch: Watch) -> Erased:
        """Erase content whose retention is over by every clock, in small transactions.

        A repetition continues where the last one ended.

        Raises:
            StorageUnavailable: The run has ended early; committed batches stay erased.
        """
        now = self._time(watch)
        before = now - self._retention_ms
        self._storage.run(lambda c: erasure.redate(c, latest=now + self._retention_ms))
        return Erased(
            records=self._in_batches("record", lambda c: erasure.old_records(c, before=before, now=now, limit=_BATCH)),
            # After the records: a conversation may be erased only when all its records are.
            conversations=self._conversations(before, now),
            frames=self._in_batches("frame", lambda c: erasure.old_frames(c, before=before, limit=_BATCH)),
        )

    def forget(self, watch: Watch) -> Forgotten:
        """Delete what is old enough by every clock, in small transactions. A repetition continues.

        Raises:
            StorageUnavailable: The run has ended early; what was committed stays deleted.
        """
        return self._forgetting.forget(self._time(watch))

    def _time(self, watch: Watch) -> int:
        """The earliest of the three clocks (epoch milliseconds)."""
        lived = watch.at + round((self._clock.monotonic() - watch.since) * 1000)
        return min(lived, self._clock.now(), self._storage.run(self._database_now))

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
        """Erase and forget, and try again while the disk refuses. False if the service stops first."""
        while True:
            try:
                erased, forgotten = self.erase(watch), self.forget(watch)
            except StorageUnavailable as error:
                self._logger.warning("erasing_delayed", error=str(error))
                if self._tasks.wait(self._pause):
                    return False
            else:
                log.info("erased", **asdict(erased))
                log.info("forgotten", **asdict(forgotten))
                return not self._tasks.stopping
