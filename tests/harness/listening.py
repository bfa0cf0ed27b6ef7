"""When conversations were on no open socket, or on several: the simulator's ledger, cut to what a story asks about."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.harness.simulator import AgentSession, Simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A time of one conversation, in epoch milliseconds; what goes on ends now."""

    conversation: str
    begin: int
    end: int
    over: bool

    @property
    def seconds(self) -> float:
        return (self.end - self.begin) / 1000


def unheard(simulator: Simulator, sessions: Iterable[AgentSession], since: int = 0) -> list[Interval]:
    """The times that began then or later in which one of these conversations was on no open socket."""
    return _intervals(simulator, "unheard", sessions, since)


def overlaps(simulator: Simulator, sessions: Iterable[AgentSession], since: int = 0) -> list[Interval]:
    """The times that began then or later in which one of these conversations was on several open sockets."""
    return _intervals(simulator, "overlaps", sessions, since)


def spread(intervals: Iterable[Interval]) -> str:
    """Median and longest, in words."""
    seconds = sorted(interval.seconds for interval in intervals)
    if not seconds:
        return "none"
    return f"median {seconds[len(seconds) // 2]:.1f} s, longest {seconds[-1]:.1f} s"


def longest(intervals: Iterable[Interval]) -> float:
    """Seconds of the longest one; 0 if there are none."""
    return max((interval.seconds for interval in intervals), default=0.0)


def _intervals(simulator: Simulator, part: str, sessions: Iterable[AgentSession], since: int) -> list[Interval]:
    wanted, now = {session.conversation for session in sessions}, round(time.time() * 1000)
    return [
        Interval(
            conversation=one["conversationId"],
            begin=one["from"],
            end=one["until"] or now,
            over=one["until"] is not None,
        )
        for one in simulator.ledger(part)
        if one["conversationId"] in wanted and one["from"] >= since
    ]
