"""Names of agents and wrap-up codes by id, each looked up at most once a day.

Invariant: the cache is bounded, there is at most one lookup at a time for each id, and only answers are kept: a failed
lookup is made again.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from genesys_gateway.genesys.client import Genesys
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.single_flight import SingleFlight

#: Maximum number of names kept; the least recently used one is dropped first.
MAX_NAMES = 10_000
#: How long a name is kept, in seconds.
KNOWN_SECONDS = 86_400.0
#: How long the absence of a name is kept, in seconds. It is shorter, because a code may be given a name, or we may be
#: given the permission to see it.
ABSENT_SECONDS = 3_600.0

#: kind of name ("user" or "wrapup"), and the id
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CachedName:
    #: None if there is no name
    name: str | None
    #: monotonic seconds
    until: float


class NameCache:
    """Names by id, as Genesys returns them.

    A lookup makes at most one call to Genesys, and waits for the rate limiter first. It raises
    :class:`~genesys_gateway.runtime.errors.TransientFailure` or
    :class:`~genesys_gateway.runtime.errors.PermanentFailure` if there was no answer.

    Args:
        clock: Its monotonic time decides how long a name is kept.
        max_names: Maximum number of names kept.
    """

    def __init__(self, genesys: Genesys, clock: Clock, max_names: int = MAX_NAMES) -> None:
        self._genesys = genesys
        self._clock = clock
        self._max_names = max_names
        self._cache: OrderedDict[_Key, _CachedName] = OrderedDict()
        self._flight: SingleFlight[_Key, str | None] = SingleFlight("names", alone=False)

    def agent(self, user_id: str | None) -> str | None:
        """The name of a user; None without an id, if there is no name, or without the permission to see it."""
        return self._name("user", user_id, self._genesys.user_name)

    def wrapup(self, code: str | None) -> str | None:
        """The name of a wrap-up code; None without a code, for a system code, or without the permission to see it."""
        return self._name("wrapup", code, self._genesys.wrapup_name)

    def known(self, user_id: str | None, wrapup_code: str | None) -> bool:
        """Whether neither name needs a call to Genesys. The absence of a name is cached, and so known, too."""
        wanted = (("user", user_id), ("wrapup", wrapup_code))
        return all(self._cached((kind, one)) is not None for kind, one in wanted if one)

    def stop(self, seconds: float) -> list[str]:
        """Let the lookups under way end within ``seconds``, then end them. Returns the names of the killed."""
        return self._flight.stop(seconds)

    def _name(self, kind: str, one: str | None, look_up: Callable[[str], str | None]) -> str | None:
        if not one:
            return None
        key = (kind, one)
        cached = self._cached(key)
        return cached.name if cached else self._flight.do(key, lambda: self._keep(key, look_up(one)))

    def _cached(self, key: _Key) -> _CachedName | None:
        cached = self._cache.get(key)
        if cached is None or cached.until <= self._clock.monotonic():
            return None
        self._cache.move_to_end(key)
        return cached

    def _keep(self, key: _Key, name: str | None) -> str | None:
        seconds = ABSENT_SECONDS if name is None else KNOWN_SECONDS
        self._cache[key] = _CachedName(name=name, until=self._clock.monotonic() + seconds)
        self._cache.move_to_end(key)
        while len(self._cache) > self._max_names:
            self._cache.popitem(last=False)
        return name
