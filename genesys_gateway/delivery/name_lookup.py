"""Looks up the names of agent and wrap-up code for entries before their first attempt.

Invariant: a slow or silent Genesys delays only entries whose names are not cached, each for at most
GATEWAY_NAME_LOOKUP_PATIENCE_SECONDS; then they are sent without the missing name. Nothing else waits for a name.
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
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage.statements.claims import ReadyEntry

log = get_logger(__name__)

#: Maximum number of pairs of names being looked up at a time; entries with other pairs are postponed. Each pair costs a
#: greenlet, and no call of its own: the name cache asks for up to 50 names in one call.
MAX_LOOKUPS = 256
#: Maximum number of entries waiting in memory for one pair of names, and for all pairs; further ones are postponed.
ENTRIES_PER_LOOKUP, MAX_ENTRIES = 128, 2048
#: Longest wait between two lookups for one entry, as a multiple of GATEWAY_RETRY_BASE_SECONDS.
_LONGEST_WAIT = 10

#: user id and wrap-up code
_Key = tuple[str | None, str | None]
#: names of the agent and of the wrap-up code
_Names = tuple[str | None, str | None]


class NameSource(Protocol):
    """Returns names by id; the id None has no name."""

    def known(self, user_id: str | None, wrapup_code: str | None) -> bool:
        """Whether both names can be returned without a call to Genesys."""

    def agent(self, user_id: str | None) -> str | None:
        """The name of a user.

        Raises:
            GatewayError: It can't be fetched now.
        """

    def wrapup(self, code: str | None) -> str | None:
        """The name of a wrap-up code.

        Raises:
            GatewayError: It can't be fetched now.
        """


class _Lookup:
    """One pair of names being looked up, and the entries that wait for it."""

    __slots__ = ("ends", "entries")

    def __init__(self, entry: Entry, ends: Deadline) -> None:
        self.entries = [entry]
        self.ends = ends


class NameLookup:
    """Finds the names for entries; entries with the same pair of names share one lookup.

    Args:
        found: Called with each entry that is ready to be claimed; must not wait.
        postponed: Called with each entry that has to be tried again later; must not wait.
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
        self._logger = SampledLog(log, self._clock)
        self._found = found
        self._postponed = postponed
        self._base_ms = round(settings.retry_base_seconds * 1000)
        self._patience_ms = round(settings.name_lookup_patience_seconds * 1000)
        self._lookups: dict[_Key, _Lookup] = {}
        #: number of entries that wait for all of them
        self._waiting = 0
        self._tasks = TaskGroup("names", runtime.on_crash)

    def find(self, entry: Entry) -> None:
        """Find the names of one entry, then pass it to ``found`` or ``postponed``, maybe before this returns."""
        key = _key(entry)
        if key is None or entry.known is not None:
            self._found(ReadyEntry(entry=entry))
        elif self._names.known(*key) or self._left_ms(entry) <= 0:
            self._found(self._with_known_names(entry, key))
        else:
            self._start_or_join(key, entry)

    def stop(self) -> None:
        """End the lookups under way; their entries stay in the outbox as they are."""
        self._tasks.stop(0)

    def _with_known_names(self, entry: Entry, key: _Key) -> ReadyEntry:
        """If only one of the two names is known, use that one."""
        user_id, code = key
        return ReadyEntry(
            entry=entry,
            agent_name=self._names.agent(user_id) if self._names.known(user_id, None) else None,
            wrapup_name=self._names.wrapup(code) if self._names.known(None, code) else None,
        )

    def _start_or_join(self, key: _Key, entry: Entry) -> None:
        left = self._left_ms(entry) / 1000
        lookup = self._lookups.get(key)
        if self._waiting >= MAX_ENTRIES:
            self._postpone(entry, 0)
        elif lookup is not None and lookup.ends.left() <= left and len(lookup.entries) < ENTRIES_PER_LOOKUP:
            lookup.entries.append(entry)
            self._waiting += 1
        elif lookup is None and len(self._lookups) < MAX_LOOKUPS:
            lookup = self._lookups[key] = _Lookup(entry, Deadline(self._clock, left))
            self._waiting += 1
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
            self._waiting -= len(lookup.entries)
        spent_ms = round((self._clock.monotonic() - begun) * 1000)
        for entry in lookup.entries:
            if names is not None:
                self._found(ReadyEntry(entry=entry, agent_name=names[0], wrapup_name=names[1]))
            elif spent_ms >= self._left_ms(entry):
                self._found(self._with_known_names(entry, key))
            else:
                self._postpone(entry, spent_ms)

    def _both_names(self, key: _Key) -> _Names | None:
        user_id, code = key
        agent, agent_known = self._name(self._names.agent, user_id)
        wrapup, wrapup_known = self._name(self._names.wrapup, code)
        return (agent, wrapup) if agent_known and wrapup_known else None

    def _name(self, name_of: Callable[[str | None], str | None], of: str | None) -> tuple[str | None, bool]:
        try:
            return name_of(of), True
        except GatewayError as error:
            self._logger.warning("name_not_found_out", error=str(error))
        except Exception:
            self._logger.exception("name_lookup_failed")  # a missing name must not cost the record
        return None, False

    def _postpone(self, entry: Entry, spent_ms: int) -> None:
        waited_ms = max(self._base_ms, entry.waited_ms)
        wait_ms = min(waited_ms, _LONGEST_WAIT * self._base_ms, self._left_ms(entry) - spent_ms)
        self._postponed(Postponed(entry=entry, wait_ms=wait_ms, spent_ms=spent_ms + wait_ms))

    def _left_ms(self, entry: Entry) -> int:
        return self._patience_ms - entry.waited_ms


def _key(entry: Entry) -> _Key | None:
    """What has to be looked up; None for unreadable content, which the attempt will report."""
    try:
        event = orjson.loads(entry.content or "")
        return event.get("user_id"), event.get("wrapup_code")
    except (ValueError, AttributeError):
        return None
