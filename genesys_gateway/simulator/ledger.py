"""Records what really happened: the truth with which a client under test is compared.

Invariant: append only. A fault may hide an event from a client, never from the ledger.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from genesys_gateway.simulator.listening import Listening

#: Maximum number of entries per list, enough for an hour of load. The oldest are discarded first, so that a long run
#: can't fill the memory.
_ENTRIES_KEPT = 100_000


@dataclass(slots=True, kw_only=True)
class FinishedAcw:
    """One finished after-call work, identified by conversation, participant and session (F38)."""

    conversation: str
    participant: str
    session: str
    user: str
    #: Epoch milliseconds of the first announcement.
    at: int
    #: Number of sockets it was written to, over all announcements; 0: no client received it live.
    sockets: int = 0
    #: Number of announcements; a reopened message conversation announces earlier sessions again (F41).
    announced: int = 0
    #: False if the test that started the conversation asked no client to follow it.
    expected: bool = True

    @property
    def key(self) -> str:
        return f"{self.conversation}/{self.participant}/{self.session}"

    def as_json(self) -> dict[str, Any]:
        return {
            "recordKey": self.key,
            "conversationId": self.conversation,
            "participantId": self.participant,
            "sessionId": self.session,
            "userId": self.user,
            "at": self.at,
            "heard": self.sockets,
            "announced": self.announced,
            "expected": self.expected,
        }


@dataclass(slots=True, kw_only=True)
class PlayedConversation:
    """One conversation of the traffic player. Moments are epoch milliseconds, None if it has not happened."""

    conversation: str
    began: int
    #: When its URL was first told of it.
    told: int | None = None
    #: When that was answered with 2xx.
    registered: int | None = None
    #: Status of the last answer, or why there was none.
    status: int | str | None = None
    #: When its topic was first subscribed on a channel whose socket was open.
    listened: int | None = None
    #: Since when no open socket listens to its topic; None while one does, and before.
    unheard: int | None = None
    #: When the last end of after-call work was announced.
    finished: int | None = None
    ended: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "conversationId": self.conversation,
            "began": self.began,
            "told": self.told,
            "registered": self.registered,
            "status": self.status,
            "listened": self.listened,
            "unheard": self.unheard,
            "finished": self.finished,
            "ended": self.ended,
        }


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Finished after-call work, calls, sockets, evictions, faults and conversations of the player, each in order."""

    finished: dict[str, FinishedAcw] = field(default_factory=dict)
    calls: deque[tuple[int, str, str, int]] = field(default_factory=lambda: deque(maxlen=_ENTRIES_KEPT))
    calls_total: int = 0
    sockets: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_ENTRIES_KEPT))
    evictions: list[dict[str, Any]] = field(default_factory=list)
    faults: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_ENTRIES_KEPT))
    listening: Listening = field(default_factory=Listening)
    #: Topic -> conversation of the traffic player.
    played: OrderedDict[str, PlayedConversation] = field(default_factory=OrderedDict)
    played_kept: int = _ENTRIES_KEPT

    def record_call(self, at: int, method: str, path: str, status: int) -> None:
        """Record one HTTP call. Status 0: never answered (hung or reset)."""
        self.calls_total += 1
        self.calls.append((at, method, path, status))

    def record_socket(self, at: int, channel: str, client: str, event: str, detail: str | None = None) -> None:
        self.sockets.append({"at": at, "channel": channel, "client": client, "event": event, "detail": detail})

    def record_eviction(self, at: int, channel: str, client: str, *, connected: bool) -> None:
        self.evictions.append({"at": at, "channel": channel, "client": client, "connected": connected})

    def record_announcement(self, acw: FinishedAcw, sockets: int) -> FinishedAcw:
        """Record an announcement; a second one with the same identity is of the same after-call work."""
        known = self.finished.setdefault(acw.key, acw)
        known.announced += 1
        known.sockets += sockets
        return known

    def record_beginning(self, topic: str, conversation: str, at: int) -> PlayedConversation:
        """Record a conversation of the traffic player, which will be found by its topic."""
        if len(self.played) >= self.played_kept:
            self.played.popitem(last=False)
        played = self.played[topic] = PlayedConversation(conversation=conversation, began=at)
        return played

    def record_listening(self, topic: str, sockets: int, at: int) -> None:
        """Record that a topic is on one more channel with an open socket; ``sockets`` is the number of those now."""
        self.listening.more(topic, sockets, at)
        if (played := self.played.get(topic)) is not None:
            played.unheard = None
            if played.listened is None:
                played.listened = at

    def record_end(self, topic: str, at: int) -> None:
        """Record that the customer has hung up."""
        if (played := self.played.get(topic)) is not None:
            played.ended = at

    def record_finish(self, topic: str, at: int) -> None:
        """Record that an end of after-call work was announced."""
        if (played := self.played.get(topic)) is not None:
            played.finished = at

    def record_unheard(self, topic: str, sockets: int, at: int) -> None:
        """Record that a topic has lost an open socket; ``sockets`` is the number of those left."""
        self.listening.fewer(topic, sockets, at)
        if not sockets and (played := self.played.get(topic)) is not None:
            played.unheard = at

    def parts(self) -> dict[str, Callable[[], Any]]:
        """What can be read, by name; each is put together only when it is called."""
        return {
            "finished": lambda: [acw.as_json() for acw in self.finished.values()],
            "calls": lambda: [
                {"at": at, "method": method, "path": path, "status": status} for at, method, path, status in self.calls
            ],
            "callsTotal": lambda: self.calls_total,
            "sockets": lambda: list(self.sockets),
            "evictions": lambda: self.evictions,
            "faults": lambda: list(self.faults),
            "unheard": self.listening.unheard,
            "overlaps": self.listening.overlaps,
            "conversations": lambda: [played.as_json() for played in self.played.values()],
        }
