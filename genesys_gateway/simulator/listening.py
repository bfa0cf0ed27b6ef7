"""Since when, and for how long, topics that were heard had no open socket, or several at the same time.

Invariant: bounded; the oldest entries are discarded first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from genesys_gateway.simulator.topics import conversation_of

_ENTRIES_KEPT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A time in which a topic was on no open socket, or on several. Moments are epoch milliseconds."""

    topic: str
    begin: int
    #: None: it goes on.
    end: int | None

    def as_json(self) -> dict[str, Any]:
        return {"conversationId": conversation_of(self.topic), "from": self.begin, "until": self.end}


@dataclass(slots=True, kw_only=True)
class Listening:
    """Told of each change of the number of open sockets that listen to a topic."""

    kept: int = _ENTRIES_KEPT
    _unheard: deque[Interval] = field(init=False)
    _overlaps: deque[Interval] = field(init=False)
    _unheard_since: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _overlapping_since: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._unheard, self._overlaps = deque(maxlen=self.kept), deque(maxlen=self.kept)

    def more(self, topic: str, sockets: int, at: int) -> None:
        """Record that one more socket listens to a topic; ``sockets`` is their number now."""
        if (since := self._unheard_since.pop(topic, None)) is not None:
            self._unheard.append(Interval(topic=topic, begin=since, end=at))
        if sockets > 1:
            self._begin(self._overlapping_since, topic, at)

    def fewer(self, topic: str, sockets: int, at: int) -> None:
        """Record that one socket less listens to a topic; ``sockets`` is their number now."""
        if sockets < 2 and (since := self._overlapping_since.pop(topic, None)) is not None:
            self._overlaps.append(Interval(topic=topic, begin=since, end=at))
        if not sockets:
            self._begin(self._unheard_since, topic, at)

    def unheard(self) -> list[dict[str, Any]]:
        """The times without an open socket, those that are over first."""
        return _as_json(self._unheard, self._unheard_since)

    def overlaps(self) -> list[dict[str, Any]]:
        """The times with several open sockets, those that are over first."""
        return _as_json(self._overlaps, self._overlapping_since)

    def _begin(self, since: OrderedDict[str, int], topic: str, at: int) -> None:
        since.setdefault(topic, at)
        if len(since) > self.kept:
            since.popitem(last=False)


def _as_json(over: deque[Interval], since: Mapping[str, int]) -> list[dict[str, Any]]:
    going_on = [Interval(topic=topic, begin=begin, end=None) for topic, begin in since.items()]
    return [interval.as_json() for interval in (*over, *going_on)]
