"""What really happened, whoever noticed: the truth that a client under test is held against.

Law: append only; a fault may keep the truth from a client, never from the ledger.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

#: enough for an hour of load; the oldest go first, so that a long run can't fill the memory
_CALLS_KEPT = 100_000


@dataclass(slots=True, kw_only=True)
class FinishedAcw:
    """One end of after-call work; its identity is conversation, participant and session (F38)."""

    conversation: str
    participant: str
    session: str
    user: str
    #: epoch ms of the first announcement
    at: int
    #: sockets it was written to, over all announcements; 0: nobody heard it live
    heard: int = 0
    #: how often it was announced; a reopened message announces earlier sessions again (F41)
    announced: int = 0
    #: False when whoever started the conversation told nobody to follow it
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
            "heard": self.heard,
            "announced": self.announced,
            "expected": self.expected,
        }


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Everything worth knowing afterwards, in order."""

    finished: dict[str, FinishedAcw] = field(default_factory=dict)
    calls: deque[tuple[int, str, str, int]] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))
    calls_total: int = 0
    sockets: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))
    evictions: list[dict[str, Any]] = field(default_factory=list)
    faults: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))

    def record_call(self, at: int, method: str, path: str, status: int) -> None:
        """Status 0: never answered (hung or reset)."""
        self.calls_total += 1
        self.calls.append((at, method, path, status))

    def record_socket(self, at: int, channel: str, event: str, detail: str | None = None) -> None:
        self.sockets.append({"at": at, "channel": channel, "event": event, "detail": detail})

    def record_eviction(self, at: int, channel: str, *, connected: bool) -> None:
        self.evictions.append({"at": at, "channel": channel, "connected": connected})

    def record_announcement(self, acw: FinishedAcw, heard: int) -> FinishedAcw:
        """Note an announcement; the same identity a second time is the same after-call work."""
        known = self.finished.setdefault(acw.key, acw)
        known.announced += 1
        known.heard += heard
        return known

    def as_json(self) -> dict[str, Any]:
        return {
            "finished": [acw.as_json() for acw in self.finished.values()],
            "calls": [{"at": at, "method": m, "path": path, "status": status} for at, m, path, status in self.calls],
            "callsTotal": self.calls_total,
            "sockets": list(self.sockets),
            "evictions": self.evictions,
            "faults": list(self.faults),
        }
