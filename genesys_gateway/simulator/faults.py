"""Faults by name: which are switched on, for how long, and for which calls, channels and topics.

Invariant: nothing misbehaves without a fault that is switched on; each fault is looked up by its name where it takes
effect.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from genesys_gateway.simulator.clock import Clock
from genesys_gateway.simulator.errors import ControlError

#: Parameters that select the calls, channels, topics, conversations and views a fault applies to: shell patterns, `*`
#: when absent. A call about several conversations is selected by each of them.
SELECTORS = ("method", "path", "channel", "topic", "conversation", "view")

#: Name -> effect, as `GET /_sim/faults` describes it. HTTP calls can be chosen by `conversation`, too.
CATALOGUE: Mapping[str, str] = {
    "answer": "HTTP calls (method, path) are answered with status [, body, retryAfter, headers] and not carried out",
    "hang": "HTTP calls (method, path) are not carried out and not answered while it lasts",
    "reset": "HTTP calls (method, path) are not carried out; the connection is reset",
    "reply_lost": "HTTP calls (method, path) are carried out, then the connection is reset",
    "slow": "HTTP calls (method, path) are carried out and answered after delaySeconds",
    "slow_body": "HTTP calls (method, path) are carried out; the answer trickles at bytesPerSecond",
    "garbage_answer": "HTTP calls (method, path) are carried out; the answer is 200 with body that is no JSON",
    "large_answer": "answers (method, path) about a conversation (conversation) are larger by bytes (6000000)",
    "hollow_answer": "answers (method, path) about a conversation (conversation) name no participant",
    "answer_about_another": "answers (method, path) about a conversation (conversation) name another one [as]",
    "rate_storm": "every API call (method, path) is answered 429 with retryAfter seconds",
    "refuse_upgrade": "a socket (channel) is refused with status (401, 403, 404, 429, 503, 200)",
    "connect_uri": "new channels are handed out with the given uri",
    "freeze": "sockets (channel) stay open but nothing is written to them and nothing read is acted on",
    "slow_bytes": "sockets (channel) get their frames at bytesPerSecond",
    "no_heartbeat": "sockets (channel) get no heartbeats",
    "no_pong": "pings of sockets (channel) are not answered",
    "no_reply": "subscribe and unsubscribe messages (channel) are carried out but not answered",
    "refuse_reply": "subscribe and unsubscribe messages (channel) are answered with result (400 or 404), not done",
    "lose_events": "events (channel, topic) are not written to the socket",
    "duplicate_events": "events (channel, topic) are written times times, the copies delaySeconds later",
    "delay_events": "events (channel, topic) are written delaySeconds later",
    "reorder_events": "events (channel, topic) are each written after a random part of delaySeconds",
    "omit_fields": "events (topic) lack the given fields (a list of names of the body; * for all)",
    "odd_text": "what is sent about a conversation (conversation; view: event, live, analytics) has text of some kind",
    "reject_topics": "topics (topic) are refused as forbidden",
    "forget_topics": "subscriptions (topic) are confirmed but not kept",
}


def _words(subject: Mapping[str, str], selector: str) -> list[str]:
    value = subject.get(selector, "")
    return value.split() if selector == "conversation" else [value]


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault that is switched on."""

    id: int
    name: str
    params: Mapping[str, Any]
    #: Number of hits left; None: unlimited.
    left: int | None
    #: When it ends, in virtual seconds; None: when it is switched off.
    until: float | None
    hits: int = 0

    def number(self, name: str, default: float) -> float:
        """A numeric parameter; `default` if it is absent or not a number."""
        value = self.params.get(name, default)
        return float(value) if isinstance(value, (int, float)) else default

    def matches(self, subject: Mapping[str, str]) -> bool:
        """Whether every selector among the parameters matches the subject."""
        return all(
            any(fnmatchcase(word, str(self.params[selector])) for word in _words(subject, selector))
            for selector in SELECTORS
            if selector in self.params
        )

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "hits": self.hits, "left": self.left, **self.params}


@dataclass(slots=True, kw_only=True)
class Faults:
    """All faults that are switched on."""

    clock: Clock
    _active: dict[str, list[Fault]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def switch_on(self, name: str, params: Mapping[str, Any]) -> Fault:
        """Switch a fault on. `count` limits its hits, `seconds` its virtual time.

        Raises:
            ControlError: The name is unknown.
        """
        if name not in CATALOGUE:
            raise ControlError(f"no such fault: {name}; there are {', '.join(CATALOGUE)}")
        seconds, count = params.get("seconds"), params.get("count")
        fault = Fault(
            id=next(self._numbers),
            name=name,
            params={key: value for key, value in params.items() if key not in ("name", "count", "id", "hits", "left")},
            left=int(count) if count is not None else None,
            until=self.clock.virtual() + float(seconds) if seconds is not None else None,
        )
        self._active.setdefault(name, []).append(fault)
        return fault

    def switch_off(self, number: int) -> bool:
        """Switch off the fault with that id; False if it was not on."""
        for name, faults in self._active.items():
            left = [fault for fault in faults if fault.id != number]
            if len(left) != len(faults):
                self._replace(name, left)
                return True
        return False

    def clear(self) -> None:
        self._active.clear()

    @property
    def any_active(self) -> bool:
        return bool(self._active)

    def is_on(self, name: str) -> bool:
        return name in self._active

    def active(self) -> list[Fault]:
        return [fault for faults in self._active.values() for fault in faults]

    def find(self, name: str, **subject: str) -> Fault | None:
        """The first fault of that name that matches the subject; counts no hit. Removes expired faults."""
        if name not in self._active:  # the usual case has to be cheap
            return None
        now = self.clock.virtual()
        living = [fault for fault in self._active[name] if fault.until is None or now < fault.until]
        self._replace(name, living)
        return next((fault for fault in living if fault.matches(subject)), None)

    def trigger(self, name: str, **subject: str) -> Fault | None:
        """Like `find`, but count a hit, and switch the fault off after its last one."""
        fault = self.find(name, **subject)
        if fault is None:
            return None
        fault.hits += 1
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                self._replace(name, [other for other in self._active[name] if other is not fault])
        return fault

    def _replace(self, name: str, faults: list[Fault]) -> None:
        if faults:
            self._active[name] = faults
        else:
            self._active.pop(name, None)
