"""Names of agents and wrap-up codes by id, each looked up at most once a day.

Invariant: the cache is bounded, there is at most one lookup at a time for each id, and only answers are kept: a failed
lookup is made again.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from genesys_gateway.genesys.client import Genesys, in_bulk
from genesys_gateway.genesys.expected_names import ExpectedNames
from genesys_gateway.genesys.name_queue import BulkRest, NameCalls, NameQueue, Pace
from genesys_gateway.runtime.clock import Clock, Deadline

#: Maximum number of names kept; the least recently used one is dropped first.
MAX_NAMES = 10_000
#: How long a name is kept, in seconds.
KNOWN_SECONDS = 86_400.0
#: How long the absence of a name is kept, in seconds. It is shorter, because a code may be given a name, or we may be
#: given the permission to see it.
ABSENT_SECONDS = 3_600.0
#: While calls are scarce, the calls for names of one kind are this share of the limit apart, so that they use at most
#: that many: 120 of 300 a minute, 0.5 s apart.
_MAX_SHARE = 0.4

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

    A lookup waits for the rate limiter, and, if another one of its kind is under way, for that: then all that wait go
    together. It raises :class:`~genesys_gateway.runtime.errors.TransientFailure` or
    :class:`~genesys_gateway.runtime.errors.PermanentFailure` if there was no answer.

    Args:
        clock: Its monotonic time decides how long a name is kept.
        per_minute: Maximum number of calls to Genesys in a minute.
        busy: Whether calls are scarce now.
        used: Share of the limit that is in use now, from 0 to 1.
        max_names: Maximum number of names kept.
    """

    def __init__(
        self,
        genesys: Genesys,
        clock: Clock,
        *,
        per_minute: int,
        busy: Callable[[], bool],
        used: Callable[[], float],
        max_names: int = MAX_NAMES,
    ) -> None:
        self._clock = clock
        self._max_names = max_names
        self._cache: OrderedDict[_Key, _CachedName] = OrderedDict()
        seconds = 60 / (per_minute * _MAX_SHARE)
        user_calls = NameCalls(kind="user", one=genesys.user_name, many=genesys.user_names)
        wrapup_calls = NameCalls(kind="wrapup", one=genesys.wrapup_name, many=genesys.wrapup_names)
        user_rest = BulkRest(clock)

        def queue(calls: NameCalls, rest: BulkRest) -> NameQueue:
            return NameQueue(calls, partial(self._keep, calls.kind), clock, Pace(clock, busy, seconds), rest)

        self._users = queue(user_calls, user_rest)
        self._wrapups = queue(wrapup_calls, BulkRest(clock))
        self._expected = ExpectedNames(
            fetch=partial(genesys.user_names, urgent=False),
            keep=partial(self._keep, "user"),
            needless=lambda one: not in_bulk(one) or self.known(one, None) or self._users.asks(one),
            clock=clock,
            rest=user_rest,
            used=used,
        )

    def agent(self, user_id: str | None) -> str | None:
        """The name of a user; None without an id, if there is no name, or without the permission to see it."""
        if user_id and not self.known(user_id, None):
            self._expected.withdraw(user_id)
        return self._name("user", user_id, self._users)

    def expect(self, user_ids: Iterable[str]) -> None:
        """Events of these agents are expected: fetch their names in bulk while calls are left. Returns at once."""
        self._expected.add(user_ids)

    def wrapup(self, code: str | None) -> str | None:
        """The name of a wrap-up code; None without a code, for a system code, or without the permission to see it."""
        return self._name("wrapup", code, self._wrapups)

    def known(self, user_id: str | None, wrapup_code: str | None) -> bool:
        """Whether neither name needs a call to Genesys. The absence of a name is cached, and so known, too."""
        wanted = (("user", user_id), ("wrapup", wrapup_code))
        return all(self._cached((kind, one)) is not None for kind, one in wanted if one)

    def stop(self, seconds: float) -> list[str]:
        """Let the lookups under way end within ``seconds``, then end them. Returns the names of the killed."""
        deadline = Deadline(self._clock, seconds)
        self._expected.stop()
        return self._users.stop(deadline.left()) + self._wrapups.stop(deadline.left())

    def _name(self, kind: str, one: str | None, queue: NameQueue) -> str | None:
        if not one:
            return None
        cached = self._cached((kind, one))
        return cached.name if cached else queue.get(one)

    def _cached(self, key: _Key) -> _CachedName | None:
        cached = self._cache.get(key)
        if cached is None or cached.until <= self._clock.monotonic():
            return None
        self._cache.move_to_end(key)
        return cached

    def _keep(self, kind: str, one: str, name: str | None) -> None:
        key = (kind, one)
        seconds = ABSENT_SECONDS if name is None else KNOWN_SECONDS
        self._cache[key] = _CachedName(name=name, until=self._clock.monotonic() + seconds)
        self._cache.move_to_end(key)
        while len(self._cache) > self._max_names:
            self._cache.popitem(last=False)
