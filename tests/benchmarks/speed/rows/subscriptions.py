"""Until many conversations are subscribed, on 300 calls a minute of 80 ms each.

A rival that is not done after a minute is stopped; its figures are extrapolated, and say so.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import gevent

from tests.benchmarks.speed.arena import ASYNCIO, CALLS, REQUESTS, SDK, Arena, registrations
from tests.benchmarks.speed.callers import call_all
from tests.benchmarks.speed.figures import Measured
from tests.harness.simulator import Json

ROW = "until 3,000 conversations are subscribed"
_COUNT = 3000
_RIVAL_SECONDS, _LOOK_SECONDS = 60.0, 0.1
_RIVALS = (SDK, REQUESTS, ASYNCIO)


def measure(arena: Arena) -> Iterator[Measured]:
    """Seconds and calls of the gateway, from the first registration on, and of rivals that know all from the start."""
    for database in arena.kinds:
        with arena.gateway(database) as gateway:
            arena.limit_calls()
            sessions = arena.simulator.start_many(_COUNT)
            before, begun = calls(arena), time.monotonic()
            call_all(gateway.port, registrations(sessions), 32, b"201")
            arena.until_subscribed(sessions)
            figures = {"seconds": time.monotonic() - begun, "calls": calls(arena) - before}
            yield Measured(row=ROW, database=database, figures=figures, note="registrations included")
    yield from _rivals(arena)


def calls(arena: Arena) -> int:
    """Number of calls about channels and subscriptions so far."""
    return sum("/notifications/" in call["path"] for call in arena.simulator.ledger("calls"))


def _rivals(arena: Arena) -> Iterator[Measured]:
    """All at the same time, each with an OAuth client and thus with calls of its own."""
    arena.reset()
    arena.limit_calls()
    sessions = arena.simulator.start_many(_COUNT)
    took = dict[str, float]()
    with ExitStack() as running:
        for rival in _RIVALS:
            arena.add_client(rival.module)
            running.enter_context(arena.rival(rival, sessions, client=rival.module))
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < _RIVAL_SECONDS and len(took) < len(_RIVALS):
            channels = arena.simulator.channels()
            done = [rival.module for rival in _RIVALS if _topics(_own(channels, rival.module)) == _COUNT]
            took = dict.fromkeys(done, passed) | took
            gevent.sleep(_LOOK_SECONDS)
        channels, ledger = arena.simulator.channels(), arena.simulator.ledger("calls")
    for rival in _RIVALS:
        own = _own(channels, rival.module)
        share = _topics(own) / _COUNT
        figures = {
            "seconds": took.get(rival.module, _RIVAL_SECONDS + (1 - share) * _COUNT / CALLS * 60),
            "calls": round((len(own) + _calls_about(own, ledger)) / share),
        }
        note = "" if rival.module in took else f"{_topics(own)} in {_RIVAL_SECONDS:.0f} s, the rest extrapolated"
        yield Measured(row=ROW, rival=rival.name, figures=figures, note=note)


def _own(channels: Sequence[Json], client: str) -> list[Json]:
    return [channel for channel in channels if channel["client"] == client]


def _topics(channels: Sequence[Json]) -> int:
    return sum(len(channel["topics"]) for channel in channels)


def _calls_about(channels: Sequence[Json], ledger: Sequence[Json]) -> int:
    """Number of calls that carried out something about these channels."""
    ids = {channel["id"] for channel in channels}
    return sum(call["status"] < 300 and bool(ids & set(call["path"].split("/"))) for call in ledger)
