"""Names for entries before their first attempt: at once where they are known, else looked up beside the deliveries.

Law: a Genesys that is slow or silent delays only the entries whose names are not known, each for at most
GATEWAY_NAME_LOOKUP_PATIENCE_SECONDS; then they go without. Nothing else ever waits for a name.
"""

from collections.abc import Callable
from typing import Protocol

import gevent
import orjson

from genesys_gateway.domain.outbox import Entry, Postponed
from genesys_gateway.runtime.clock import Deadline
from genesys_gateway.runtime.errors import GatewayError
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage.statements.outbox import ReadyEntry

log = get_logger(__name__)

#: Pairs of names that are looked up at a time; entries beyond them come back a little later.
MAX_LOOKUPS = 16
#: Entries that wait in memory for the same names; the others wait on disk.
ENTRIES_PER_LOOKUP = 128
#: The wait between two lookups for one entry grows up to so many times the retry base.
_LONGEST_WAIT = 10

#: user id and wrap-up code
_Key = tuple[str | None, str | None]


class NameSource(Protocol):
    """Names by id; None has no name."""

    def known(self, user_id: str | None, wrapup_code: str | None) -> bool:
        """Whether both can be told without a call."""

    def agent(self, user_id: str | None) -> str | None:
        """The name of a user. Raises a :class:`GatewayError` when it can't be told now."""

    def wrapup(self, code: str | None) -> str | None:
        """The name of a wrap-up code. Raises a :class:`GatewayError` when it can't be told now."""


class _Lookup:
    """One pair of names being looked up, and who waits for it."""

    __slots__ = ("ends", "entries")

    def __init__(self, entry: Entry, ends: Deadline) -> None:
        self.entries = [entry]
        self.ends = ends


class NameLookup:
    """Finds the names for entries, those alike together.

    Args:
        found: Given each entry that is ready to be claimed; must not wait.
        postponed: Given each entry that has to wait; must not wait itself.
    """

    def __init__(
        self,
        names: NameSource,
        settings: Settings,
        runtime: Runtime,
        *,
        found: Callable[[ReadyEntry], None],
        postponed: Callable[[Postponed], None],
    ) -> None:
        self._names = names
        self._clock = runtime.clock
        self._found = found
        self._postponed = postponed
        self._base_ms = round(settings.retry_base_seconds * 1000)
        self._patience_ms = round(settings.name_lookup_patience_seconds * 1000)
        self._lookups: dict[_Key, _Lookup] = {}
        self._tasks = TaskGroup("names", runtime.on_crash)

    def find(self, entry: Entry) -> None:
        """Have the names of one entry found; it comes back through ``found`` or ``postponed``, maybe at once."""
        key = _key(entry)
        if key is None or entry.known is not None:
            self._found(ReadyEntry(entry=entry))
        elif self._names.known(*key) or self._left_ms(entry) <= 0:
            self._found(self._with_known_names(entry, key))
        else:
            self._start_or_join(key, entry)

    def stop(self) -> None:
        """Give up the lookups under way; their entries are as they were."""
        self._tasks.stop(0)

    def _with_known_names(self, entry: Entry, key: _Key) -> ReadyEntry:
        """A name that can't be told takes none along that can."""
        user_id, code = key
        return ReadyEntry(
            entry=entry,
            agent_name=self._names.agent(user_id) if self._names.known(user_id, None) else None,
            wrapup_name=self._names.wrapup(code) if self._names.known(None, code) else None,
        )

    def _start_or_join(self, key: _Key, entry: Entry) -> None:
        left = self._left_ms(entry) / 1000
        lookup = self._lookups.get(key)
        if lookup is not None and lookup.ends.left() <= left and len(lookup.entries) < ENTRIES_PER_LOOKUP:
            lookup.entries.append(entry)
        elif lookup is None and len(self._lookups) < MAX_LOOKUPS:
            lookup = self._lookups[key] = _Lookup(entry, Deadline(self._clock, left))
            self._tasks.spawn("lookup", self._look_up, key, lookup)
        else:
            self._postpone(entry, 0)

    def _look_up(self, key: _Key, lookup: _Lookup) -> None:
        begun = self._clock.monotonic()
        try:
            # A lookup includes the wait for the rate limiter, which may take longer than any call.
            names = gevent.with_timeout(lookup.ends.left(), self._both_names, key, timeout_value=None)
        finally:
            del self._lookups[key]
        spent_ms = round((self._clock.monotonic() - begun) * 1000)
        for entry in lookup.entries:
            if names is not None:
                self._found(ReadyEntry(entry=entry, agent_name=names[0], wrapup_name=names[1]))
            elif spent_ms >= self._left_ms(entry):
                self._found(self._with_known_names(entry, key))
            else:
                self._postpone(entry, spent_ms)

    def _both_names(self, key: _Key) -> _Key | None:
        user_id, code = key
        agent, agent_known = self._name(self._names.agent, user_id)
        wrapup, wrapup_known = self._name(self._names.wrapup, code)
        return (agent, wrapup) if agent_known and wrapup_known else None

    def _name(self, name_of: Callable[[str | None], str | None], of: str | None) -> tuple[str | None, bool]:
        try:
            return name_of(of), True
        except GatewayError as error:
            log.warning("name_not_found_out", error=str(error))
        except Exception:
            log.exception("name_lookup_failed")  # a name is not worth losing a record for
        return None, False

    def _postpone(self, entry: Entry, spent_ms: int) -> None:
        waited_ms = max(self._base_ms, entry.waited_ms)
        wait_ms = min(waited_ms, _LONGEST_WAIT * self._base_ms, self._left_ms(entry) - spent_ms)
        self._postponed(Postponed(entry=entry, wait_ms=wait_ms, spent_ms=spent_ms + wait_ms))

    def _left_ms(self, entry: Entry) -> int:
        return self._patience_ms - entry.waited_ms


def _key(entry: Entry) -> _Key | None:
    """What has to be looked up; None where nothing can be: whoever builds the record says what is wrong with it."""
    try:
        event = orjson.loads(entry.content or "")
        return event.get("user_id"), event.get("wrapup_code")
    except (ValueError, AttributeError):
        return None
