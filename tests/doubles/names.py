"""A name cache on a fake Genesys that knows names by id, and counts the calls."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import gevent
from gevent.event import Event

from genesys_gateway.genesys.client import Genesys
from genesys_gateway.genesys.name_cache import MAX_NAMES, NameCache
from genesys_gateway.runtime.errors import GatewayError, TransientFailure
from tests.doubles.runtime import FakeClock, until


def user(n: int) -> str:
    """The id of the n-th user or wrap-up code."""
    return f"{n:08d}-9c4f-4a4e-8a5b-1f5b6f0a2c11"


def users(numbers: range) -> list[str]:
    """The ids of several users."""
    return [user(n) for n in numbers]


class FakeGenesys:
    """Answers lookups of names, and records them."""

    def __init__(self, **names: str | None) -> None:
        self.names = names
        #: single calls, by id
        self.asked: list[str] = []
        #: ids of each bulk call
        self.bulk: list[list[str]] = []
        #: whether each bulk call was one for which records wait
        self.urgent: list[bool] = []
        self.failing = False
        #: ids whose calls fail, in bulk too
        self.poisoned: set[str] = set()
        #: ids whose calls are answered only after ``release``, in bulk too
        self.hanging: set[str] = set()
        self.release = Event()
        #: ids that bulk answers leave out
        self.left_out: set[str] = set()
        #: raised by each bulk call
        self.refusal: Exception | None = None
        #: called at the beginning of each call
        self.before: Callable[[], object] = partial(gevent.sleep, 0)
        self.under_way: list[str] = []

    @property
    def calls(self) -> int:
        return len(self.asked) + len(self.bulk)

    def user_name(self, user_id: str) -> str | None:
        return self._one(user_id)

    def wrapup_name(self, code: str) -> str | None:
        return self._one(code)

    def user_names(self, ids: Sequence[str], *, urgent: bool = True) -> dict[str, str | None]:
        self.urgent.append(urgent)
        return self._many(ids)

    def wrapup_names(self, ids: Sequence[str]) -> dict[str, str | None]:
        return self._many(ids)

    def _one(self, one: str) -> str | None:
        self.asked.append(one)
        self._answering([one])
        return self.names.get(one)

    def _many(self, ids: Sequence[str]) -> dict[str, str | None]:
        self.bulk.append(list(ids))
        if self.refusal is not None:
            raise self.refusal
        self._answering(ids)
        return {one: self.names[one] for one in ids if one in self.names and one not in self.left_out}

    def _answering(self, ids: Sequence[str]) -> None:
        assert not set(ids) & set(self.under_way), "at most one call at a time asks about an id"
        self.under_way += ids
        try:
            self.before()
            if self.hanging.intersection(ids):
                self.release.wait()
            if self.failing or self.poisoned.intersection(ids):
                raise TransientFailure("not now")
        finally:
            self.under_way = [one for one in self.under_way if one not in ids]


class CacheOnFakeGenesys:
    """A name cache; ``names`` are the names by id that Genesys knows.

    Args:
        clock: Instead of one that ``sleep`` moves.
    """

    def __init__(self, *, max_names: int = MAX_NAMES, clock: FakeClock | None = None, **names: str | None) -> None:
        self.clock = clock or FakeClock()
        self.genesys = FakeGenesys(**names)
        self.busy = False
        self.used = 0.0
        self.names = NameCache(
            cast(Genesys, self.genesys),
            self.clock,
            per_minute=300,
            busy=lambda: self.busy,
            used=lambda: self.used,
            max_names=max_names,
        )

    def ask(self, *ids: str) -> "list[gevent.Greenlet[..., str | None]]":
        """Ask for the names of these agents, each in a greenlet of its own."""
        return [gevent.spawn(self.names.agent, one) for one in ids]

    def answers(self, *ids: str) -> list[str | GatewayError | None]:
        """Ask for all of them at once; the name of each, or the error."""
        return answers(self.ask(*ids))

    def until_asked(self, calls: int) -> None:
        """Wait until that many calls were made."""
        until(lambda: self.genesys.calls >= calls)


def answers(asking: "list[gevent.Greenlet[..., str | None]]") -> list[str | GatewayError | None]:
    """What became of each: a name, or an error."""
    gevent.joinall(asking, timeout=15)
    assert all(one.dead for one in asking)
    return [one.value if one.successful() else cast(GatewayError, one.exception) for one in asking]


def settle() -> None:
    """Let all greenlets run that can."""
    for _ in range(50):
        gevent.sleep(0)
