"""Topics that Genesys refused or took off the list, and when each may be requested again.

Invariant: pure. A refused topic delays no other topic and is never given up; each refusal makes its wait longer.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from random import Random

from genesys_gateway.runtime.backoff import ceiling

#: Maximum number of topics in a row to single out as the cause of a refused call. After that the cause is probably not
#: a topic: at ten calls each, singling out a thousand would leave no calls for anything else.
MAX_SINGLED_OUT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    reason: str
    #: how often it was refused, or taken off in quick succession
    times: int
    #: monotonic seconds
    retry_at: float


class Refusals:
    """The refused and removed topics, by conversation. All times are monotonic seconds.

    Args:
        base_seconds: The first wait; it doubles with each refusal.
        max_seconds: The longest wait.
        random: Source of the jitter.
    """

    def __init__(self, base_seconds: float, max_seconds: float, random: Random) -> None:
        self._base = base_seconds
        self._max = max_seconds
        self._random = random
        self._refused: dict[str, _Wait] = {}
        self._removed: dict[str, _Wait] = {}
        self._due_times: dict[float, float] = {}  # length of a wait -> when the latest refusals with that wait fall due

    def __contains__(self, conversation_id: str) -> bool:
        return conversation_id in self._refused

    def add(self, conversation_id: str, reason: str, now: float) -> bool:
        """Note one more refusal.

        Topics refused at about the same time fall due together: a call for each would leave none for anything else.

        Returns:
            True at the first refusal, and when the reason has changed.
        """
        before = self._refused.get(conversation_id)
        times = before.times + 1 if before else 1
        wait = ceiling(self._base, self._max, times)
        if not wait / 2 <= self._due_times.get(wait, 0.0) - now <= wait:
            self._due_times[wait] = now + wait * self._random.uniform(0.5, 1.0)
        self._refused[conversation_id] = _Wait(reason=reason, times=times, retry_at=self._due_times[wait])
        return before is None or before.reason != reason

    def removed_by_server(self, conversation_ids: Iterable[str], now: float) -> None:
        """Note that the server took these off the list although we did not ask for it.

        The first time they may be requested again at once. If it is repeated, each wait is longer: another client that
        wants the same topics would take them back, endlessly and as fast as calls are made. There is no jitter, so that
        topics removed together are requested together.
        """
        for one in conversation_ids:
            before = self._removed.get(one)
            times = before.times + 1 if before and now - before.retry_at < self._max else 0
            wait = ceiling(self._base, self._max, times - 1) if times else 0.0
            self._removed[one] = _Wait(reason="taken", times=times, retry_at=now + wait)

    def permitted(self, conversation_id: str) -> None:
        """Forget its refusals; how often the server removed it is remembered."""
        self._refused.pop(conversation_id, None)

    def forget(self, conversation_id: str) -> None:
        """Forget everything about a conversation that is no longer wanted."""
        self._refused.pop(conversation_id, None)
        self._removed.pop(conversation_id, None)

    def must_wait(self, conversation_id: str, now: float) -> bool:
        """Whether its topic may not be requested again yet."""
        waits = (self._refused.get(conversation_id), self._removed.get(conversation_id))
        return any(wait is not None and wait.retry_at > now for wait in waits)

    def seconds_until_next(self, now: float) -> float | None:
        """Seconds until one may be requested again; None when none is waiting."""
        times = [refused.retry_at for refused in self._refused.values()]
        times += [removed.retry_at for removed in self._removed.values() if removed.retry_at > now]
        return max(0.0, min(times) - now) if times else None

    def not_on_list(self, now: float) -> Collection[str]:
        """Every conversation whose topic can't be on the list now."""
        return self._refused.keys() | {one for one, removed in self._removed.items() if removed.retry_at > now}
