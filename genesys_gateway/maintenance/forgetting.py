"""Deletes closed conversations, with everything about them, long after their content was erased.

Invariant: a transaction deletes only a small portion, and a pause follows, so that no registration waits long. What is
deleted was closed ``GATEWAY_FORGET_DAYS`` ago, and was erased as long ago as a conversation of that age must have been:
a clock that is wrong once deletes nothing, because it has dated the erasure as well (ADR 0015).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from genesys_gateway.runtime.clock import DAY_SECONDS, SKEW_MS
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import forgetting
from genesys_gateway.storage.statements.forgetting import Portion

#: Maximum and first number of conversations in one transaction.
_MOST, _FIRST = 100, 10
#: A portion that took longer, in seconds, is followed by smaller ones; one that took a quarter of it by larger ones.
_LONG = 0.02
#: Pause after a portion, as a multiple of the time that it took: the disk is left to others most of the time.
_REST = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """Numbers of what one run has deleted."""

    conversations: int
    #: conversations that were never registered, with their supportResults
    unregistered: int


class Forgetting:
    """Deletes what is old enough, in portions as small as the disk is slow.

    Args:
        tasks: When it stops, a run ends after the portion that is under way.
    """

    def __init__(self, storage: Storage, settings: Settings, runtime: Runtime, tasks: TaskGroup) -> None:
        self._storage = storage
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._tasks = tasks
        retention_ms = round(settings.retention_days * DAY_SECONDS * 1000)
        self._forget_ms = max(retention_ms, round(settings.forget_days * DAY_SECONDS * 1000))
        #: how long a conversation of that age must have been erased
        self._erased_ms = self._forget_ms - retention_ms
        self._size = _FIRST

    def forget(self, now: int) -> Forgotten:
        """Delete what is old enough at ``now`` (epoch milliseconds). A repetition continues where the last one ended.

        Raises:
            StorageUnavailable: The run has ended early; committed portions stay deleted.
        """
        closed_before, erased_before = now - self._forget_ms, now - self._erased_ms
        conversations = partial(forgetting.old_conversations, closed_before=closed_before, erased_before=erased_before)
        results = partial(forgetting.old_results, before=closed_before)
        self._storage.run(lambda connection: forgetting.redate(connection, latest=now + SKEW_MS))
        return Forgotten(
            conversations=self._in_portions("conversation", conversations),
            unregistered=self._in_portions("unregistered", results),
        )

    def _in_portions(self, kind: str, job: Callable[..., Portion]) -> int:
        total, after = 0, None
        while not self._tasks.stopping:
            begun = self._clock.monotonic()
            portion = self._storage.run(partial(job, limit=self._size, after=after))
            taken = self._clock.monotonic() - begun
            self._metrics.forgotten.labels(kind=kind).inc(portion.deleted)
            total, after = total + portion.deleted, portion.after
            if after is None:
                break
            self._resize(taken)
            self._tasks.wait(_REST * taken)
        return total

    def _resize(self, taken: float) -> None:
        if taken > _LONG:
            self._size = max(1, self._size // 2)
        elif taken < _LONG / 4:
            self._size = min(_MOST, self._size * 2)
