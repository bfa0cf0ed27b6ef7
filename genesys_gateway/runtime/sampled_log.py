"""Logs what repeats: the first time at once, then one line a minute that says how often it has happened since.

Invariant: however often it repeats, each kind adds a bounded number of lines a minute. No repetition is
lost: the lines of a kind, and the numbers in their fields ``repeated``, add up to how often it happened.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from structlog.typing import FilteringBoundLogger

from genesys_gateway.runtime.clock import Clock

#: For ``most`` of events whose every line tells of another record or conversation that a person has to look at.
SOME = 20
#: Time in which repetitions of a kind are counted instead of logged, in seconds. If none comes for as long, it is over.
PERIOD_SECONDS = 60.0
#: Fields by which the repetitions of an event differ in kind. The values of all others do not matter.
_KIND = ("error", "reason", "kind", "operation", "status", "code", "route")
#: Maximum number of conversations that a line names besides its own.
_MOST_IDS = 50
#: Maximum number of kinds that are remembered. The one that was logged longest ago makes place for another one.
MOST_KINDS = 200


class _Kind:
    """One event with one kind of error: since when repetitions are counted, and the latest of them."""

    __slots__ = ("at", "ids", "last", "logged", "repeated", "since")

    def __init__(self, now: float) -> None:
        #: when the period began, and when it happened last, in monotonic seconds
        self.since = self.at = now
        #: number of lines in this period
        self.logged = 1
        #: number of repetitions without a line
        self.repeated = 0
        #: the first conversations among them, so that they are found by their ids
        self.ids: dict[str, None] = {}
        #: level and fields of the latest of them
        self.last: tuple[str, dict[str, Any]] | None = None


class SampledLog:
    """A logger for what may repeat. Repetitions of an event with the same error, reason and so on are of one kind.

    Args:
        log: Writes the lines.
        clock: Only its monotonic time is used.
        most: Number of lines of a kind that are written in a minute before repetitions are counted, for events where
            it is not 1.
    """

    def __init__(self, log: FilteringBoundLogger, clock: Clock, *, most: Mapping[str, int] | None = None) -> None:
        self._log = log
        self._clock = clock
        self._most = most or {}
        #: by event and kind; the one whose period began first is the first one
        self._kinds: OrderedDict[tuple[str, ...], _Kind] = OrderedDict()
        _all.add(self)

    def info(self, event: str, **fields: Any) -> None:
        """Log an event, or count it."""
        self._take("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """The same at level warning."""
        self._take("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """The same at level error."""
        self._take("error", event, fields)

    def critical(self, event: str, **fields: Any) -> None:
        """The same at level critical."""
        self._take("critical", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """The same at level error, with the traceback of the error that is being handled."""
        self._take("exception", event, fields)

    def over(self) -> None:
        """Note that all is well again: log what was counted. If it begins again, that is logged at once."""
        while self._kinds:
            self._end(next(iter(self._kinds)))

    def flush_ended(self) -> None:
        """Log what was counted of kinds that did not happen for a whole period."""
        now = self._clock.monotonic()
        for key in [key for key, kind in self._kinds.items() if now - kind.at >= PERIOD_SECONDS]:
            self._end(key)

    def _take(self, level: str, event: str, fields: dict[str, Any]) -> None:
        now, key = self._clock.monotonic(), (event, *(str(fields[name]) for name in _KIND if name in fields))
        known = self._kinds.get(key)
        if known is None or now - known.since >= PERIOD_SECONDS:
            if known is None and len(self._kinds) >= MOST_KINDS:
                self._end(next(iter(self._kinds)))
            self._kinds[key] = _Kind(now)
            self._kinds.move_to_end(key)
            self._write(level, event, fields, known)
            return
        known.at = now
        if known.logged < self._most.get(event, 1):
            known.logged += 1
            self._write(level, event, fields)
        else:
            known.repeated += 1
            # The traceback of a repetition is gone when it is logged, and the first line had one.
            known.last = ("error" if level == "exception" else level), fields
            if "conversation" in fields and len(known.ids) < _MOST_IDS:
                known.ids[fields["conversation"]] = None

    def _end(self, key: tuple[str, ...]) -> None:
        """Forget a kind. Its latest repetition gets a line, with the number of the others."""
        kind = self._kinds.pop(key)
        if kind.last is not None:
            level, fields = kind.last
            kind.repeated -= 1
            self._write(level, key[0], fields, kind)

    def _write(self, level: str, event: str, fields: dict[str, Any], counted: _Kind | None = None) -> None:
        more: dict[str, Any] = {}
        if counted is not None and counted.repeated:
            more = {"repeated": counted.repeated} | ({"ids": [*counted.ids]} if counted.ids else {})
        getattr(self._log, level)(event, **fields, **more)


_all: WeakSet[SampledLog] = WeakSet()


def flush_ended() -> None:
    """Log what was counted of kinds that did not happen for a whole period, of all modules."""
    for one in list(_all):
        one.flush_ended()


def flush_all() -> None:
    """Log what was counted of all modules, because the process ends."""
    for one in list(_all):
        one.over()
