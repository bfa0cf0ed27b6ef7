"""Decides which channel gets the conversations that wait for one, and when.

Invariant: pure. Conversations wait in the order of their registration; those that lost their channel go first. While
calls are scarce, at most one channel a second gets new topics, so that they cost one call. Only channels that are
filled whole do not wait.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice, takewhile
from typing import Protocol, TypeVar

#: For how long it is known which conversations were taken, in seconds.
_JUST_SECONDS = 10.0


class Candidate(Protocol):
    """A channel that can take conversations."""

    @property
    def free_places(self) -> int:
        """Number of conversations that it can take in addition."""

    @property
    def size(self) -> int:
        """Number of topics that take a place."""


C = TypeVar("C", bound=Candidate)


class Waiting:
    """The conversations without a home, in the order in which they get one."""

    def __init__(self) -> None:
        # Since when each waits, in monotonic seconds; the earliest come first.
        self._displaced: dict[str, float] = {}  # they had a home before
        self._arrived: dict[str, float] = {}
        #: when each of the last few seconds was taken, and how long it had waited
        self._taken: deque[tuple[float, float]] = deque()

    def __len__(self) -> int:
        return len(self._displaced) + len(self._arrived)

    def __iter__(self) -> Iterator[str]:
        return chain(self._displaced, self._arrived)

    def arrived(self, conversation_ids: Iterable[str], now: float) -> None:
        """Add conversations that were just registered; those that wait already keep their place."""
        for one in conversation_ids:
            if one not in self._displaced:
                self._arrived.setdefault(one, now)

    def displaced(self, conversation_ids: Iterable[str], now: float) -> None:
        """Add conversations whose channel is lost or full: before all that never had one."""
        for one in conversation_ids:
            self._displaced.setdefault(one, now)

    def after(self, moment: float) -> int:
        """Number of conversations that began to wait after that moment."""
        return sum(
            sum(1 for _ in takewhile(lambda at: at > moment, reversed(some.values())))
            for some in (self._displaced, self._arrived)
        )

    def just_taken(self, seconds: float, now: float) -> int:
        """Number of conversations taken less than so many seconds ago, up to ten, after waiting for as long or longer.

        They are about to be subscribed.
        """
        recent = takewhile(lambda one: one[0] > now - seconds, reversed(self._taken))
        return sum(waited >= seconds for _, waited in recent)

    def clear(self) -> None:
        """Remove all conversations."""
        self._displaced.clear()
        self._arrived.clear()

    def discard(self, conversation_id: str) -> None:
        """Remove a conversation; without effect if it does not wait."""
        self._displaced.pop(conversation_id, None)
        self._arrived.pop(conversation_id, None)

    def take(self, count: int, now: float) -> tuple[list[str], int]:
        """Remove and return up to ``count`` conversations, and the number of those that had no home before."""
        while self._taken and self._taken[0][0] < now - _JUST_SECONDS:
            self._taken.popleft()
        again = list(islice(self._displaced, count))
        fresh = list(islice(self._arrived, count - len(again)))
        self._taken.extend((now, now - self._displaced.pop(one)) for one in again)
        self._taken.extend((now, now - self._arrived.pop(one)) for one in fresh)
        return again + fresh, len(fresh)


class Placement:
    """The rules. All times are monotonic seconds.

    Args:
        per_minute: The limit of calls a minute; with 300, placements are at least one second apart while busy.
        channel_topics: Number of topics that a new channel can take.
    """

    def __init__(self, per_minute: int, channel_topics: int) -> None:
        self._spacing = 300 / per_minute
        self._channel_topics = channel_topics
        self._last = float("-inf")

    def choose(self, candidates: Iterable[C], *, busy: bool) -> C | None:
        """The channel that gets what waits; None if none has a free place.

        It is the fullest, so that the others become empty and can be closed. While calls are scarce it is the emptiest,
        which takes the most at once.
        """
        free = [one for one in candidates if one.free_places]
        if busy:
            return max(free, key=lambda one: one.free_places, default=None)
        return max(free, key=lambda one: one.size, default=None)

    def wants_new(self, chosen: Candidate | None, waiting: int, *, busy: bool) -> bool:
        """Whether to make a channel, if the budget allows it: there is none, or what waits would need several calls."""
        if chosen is None:
            return True
        return busy and waiting > chosen.free_places and not self._fills(chosen.free_places, waiting)

    def seconds_until(self, free_places: int, waiting: int, now: float, *, busy: bool) -> float:
        """Seconds until a channel with so many free places may get what waits. A whole channel is filled at once."""
        if not busy or self._fills(free_places, waiting):
            return 0.0
        return max(0.0, self._last + self._spacing - now)

    def placed(self, free_places: int, waiting: int, now: float) -> None:
        """Note that such a channel gets what waits now. A channel that is filled whole delays no other."""
        if not self._fills(free_places, waiting):
            self._last = now

    def _fills(self, free_places: int, waiting: int) -> bool:
        """Whether what waits fills a channel that is at least half empty."""
        return waiting >= free_places >= self._channel_topics / 2
