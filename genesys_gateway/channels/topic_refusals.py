"""Topics that Genesys refused or took away, and when each may be asked for again.

Law: pure. One conversation's refusal is nobody else's trouble, and it is never given up: it waits longer each time.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from random import Random

from genesys_gateway.runtime.backoff import ceiling

#: After more topics in a row that each failed a whole call it is probably not about them: to look for each of a
#: thousand, ten calls a piece, would leave none for anything else.
MOST_IN_A_ROW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    reason: str
    times: int
    #: monotonic seconds
    retry_at: float


class Refusals:
    """What was refused, by conversation.

    Args:
        base_seconds: The first wait; it doubles.
        max_seconds: The longest wait.
        random: For the jitter.
    """

    def __init__(self, base_seconds: float, max_seconds: float, random: Random) -> None:
        self._base = base_seconds
        self._max = max_seconds
        self._random = random
        self._refusals: dict[str, _Refusal] = {}
        self._takings: dict[str, _Refusal] = {}
        self._moments: dict[float, float] = {}  # of each wait: when the last one that waited so long is due

    def __contains__(self, conversation_id: str) -> bool:
        return conversation_id in self._refusals

    def add(self, conversation_id: str, reason: str, now: float) -> bool:
        """Note one more refusal.

        Those refused at about the same time fall due together: a call for each would leave none for anything else.

        Returns:
            Whether it is news: the first one, or one for another reason.
        """
        before = self._refusals.get(conversation_id)
        times = before.times + 1 if before else 1
        wait = ceiling(self._base, self._max, times)
        if not wait / 2 <= self._moments.get(wait, 0.0) - now <= wait:
            self._moments[wait] = now + wait * self._random.uniform(0.5, 1.0)
        self._refusals[conversation_id] = _Refusal(reason=reason, times=times, retry_at=self._moments[wait])
        return before is None or before.reason != reason

    def taken(self, conversation_ids: Iterable[str], now: float) -> None:
        """Note that these were taken off the list unasked.

        They may be asked for again at once, but later each time when it happens time and again: whoever else wants them
        would take them back, for ever and as fast as calls go. Without jitter, so that what was taken together is asked
        for together.
        """
        for one in conversation_ids:
            before = self._takings.get(one)
            times = before.times + 1 if before and now - before.retry_at < self._max else 0
            wait = ceiling(self._base, self._max, times - 1) if times else 0.0
            self._takings[one] = _Refusal(reason="taken", times=times, retry_at=now + wait)

    def permitted(self, conversation_id: str) -> None:
        """It is refused no longer; how often it was taken is remembered."""
        self._refusals.pop(conversation_id, None)

    def forget(self, conversation_id: str) -> None:
        """It is wanted no longer."""
        self._refusals.pop(conversation_id, None)
        self._takings.pop(conversation_id, None)

    def hold(self, conversation_id: str, now: float) -> bool:
        """Whether it must wait before it may be asked for again."""
        notes = (self._refusals.get(conversation_id), self._takings.get(conversation_id))
        return any(note is not None and note.retry_at > now for note in notes)

    def until_next(self, now: float) -> float | None:
        """Seconds until one may be asked for again; None when nothing waits for that."""
        times = [refusal.retry_at for refusal in self._refusals.values()]
        times += [taking.retry_at for taking in self._takings.values() if taking.retry_at > now]
        return max(0.0, min(times) - now) if times else None

    def ids(self, now: float) -> Collection[str]:
        """Every conversation that can't be on the list now."""
        return self._refusals.keys() | {one for one, taking in self._takings.items() if taking.retry_at > now}
