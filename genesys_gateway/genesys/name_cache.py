"""The names behind the ids of agents and wrap-up codes, asked for once a day each.

Law: bounded, one question at a time for each id, and only answers are remembered: a failure is asked again.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from genesys_gateway.genesys.client import Genesys
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.single_flight import SingleFlight

#: Names remembered at most; the one not asked for the longest goes first.
MAX_NAMES = 10_000
KNOWN_SECONDS = 86_400.0
#: Shorter, because a code may yet get its name, or we the permission to see it.
ABSENT_SECONDS = 3_600.0

#: what it names, and the id
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    name: str | None
    #: monotonic seconds
    until: float


class NameCache:
    """Names by id, as Genesys tells them.

    A lookup makes at most one call to Genesys, and waits for the rate limiter first. It raises
    :class:`~genesys_gateway.runtime.errors.TransientFailure` or
    :class:`~genesys_gateway.runtime.errors.PermanentFailure` when there was no answer.
    """

    def __init__(self, genesys: Genesys, clock: Clock) -> None:
        self._genesys = genesys
        self._clock = clock
        self._cache: OrderedDict[_Key, _Known] = OrderedDict()
        self._flight: SingleFlight[_Key, str | None] = SingleFlight()

    def agent(self, user_id: str | None) -> str | None:
        """The name of a user; None without an id, or when Genesys knows none or may not tell."""
        return self._name("user", user_id, self._genesys.user_name)

    def wrapup(self, code: str | None) -> str | None:
        """The name of a wrap-up code; None without a code, for a system code, or when we may not see it."""
        return self._name("wrapup", code, self._genesys.wrapup_name)

    def known(self, user_id: str | None, wrapup_code: str | None) -> bool:
        """Whether both can be told without a call; that there is no name is known, too."""
        wanted = (("user", user_id), ("wrapup", wrapup_code))
        return all(self._fresh((kind, one)) is not None for kind, one in wanted if one)

    def _name(self, kind: str, one: str | None, ask: Callable[[str], str | None]) -> str | None:
        if not one:
            return None
        key = (kind, one)
        known = self._fresh(key)
        return known.name if known else self._flight.do(key, lambda: self._learn(key, ask(one)))

    def _fresh(self, key: _Key) -> _Known | None:
        known = self._cache.get(key)
        if known is None or known.until <= self._clock.monotonic():
            return None
        self._cache.move_to_end(key)
        return known

    def _learn(self, key: _Key, name: str | None) -> str | None:
        seconds = ABSENT_SECONDS if name is None else KNOWN_SECONDS
        self._cache[key] = _Known(name=name, until=self._clock.monotonic() + seconds)
        self._cache.move_to_end(key)
        while len(self._cache) > MAX_NAMES:
            self._cache.popitem(last=False)
        return name
