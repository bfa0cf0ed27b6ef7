"""Calls of BOFE: from many connections at once, and one alone."""

from collections.abc import Iterator

import gevent

from tests.benchmarks.speed.arena import BARE_FLASK, Arena, registrations
from tests.benchmarks.speed.callers import Called, call_all
from tests.benchmarks.speed.figures import Measured
from tests.benchmarks.speed.processes import share_of_cpu, used_by

_CONNECTIONS = (1, 32, 256)
_COUNT, _ALONE_COUNT, _WARM = 2400, 20, 500
_ALONE_SECONDS, _IDLE_SECONDS = 0.3, 3.0

ALONE = "a registration that comes alone"


def row(connections: int) -> str:
    """The row of so many connections."""
    return f"registrations, {connections} connection{'s' if connections > 1 else ''}"


def at_once(arena: Arena) -> Iterator[Measured]:
    """Registrations a second, and the bare web server's answers to the same requests."""
    for database in arena.kinds:
        with arena.gateway(database) as gateway:
            for connections in (0, *_CONNECTIONS):
                sessions = arena.simulator.start_many(_number(arena, connections))
                figures = _call(arena, gateway.port, gateway.worker, registrations(sessions), connections)
                arena.until_subscribed(sessions)
                if connections:
                    yield Measured(row=row(connections), database=database, figures=figures)
    arena.reset()
    with arena.bare_flask() as (port, pid):
        for connections in (0, *_CONNECTIONS):
            requests = registrations(arena.simulator.start_many(_number(arena, connections)))
            figures = _call(arena, port, pid, requests, connections)
            if connections:
                del figures["simulator CPU ms each"]
                yield Measured(row=row(connections), rival=BARE_FLASK, figures=figures)


def _number(arena: Arena, connections: int) -> int:
    """With 0 connections: to warm up."""
    return _WARM if not connections else arena.some(_COUNT // 3 if connections == 1 else _COUNT)


def _call(arena: Arena, port: int, pid: int, requests: list[bytes], connections: int) -> dict[str, float]:
    with used_by([pid]) as used, used_by([arena.simulator.process.pid]) as simulator:
        called = call_all(port, requests, connections or 32, b"201")
    return {
        "per second": called.per_second,
        **_delays(called),
        "CPU ms each": used.seconds / len(requests) * 1000,
        "simulator CPU ms each": simulator.seconds / len(requests) * 1000,
    }


def _delays(called: Called) -> dict[str, float]:
    return {"p50 ms": called.delay_ms(0.5), "p99 ms": called.delay_ms(0.99)}


def alone(arena: Arena) -> Iterator[Measured]:
    """The time of the processor that a registration takes in all, its subscription included, when nothing else does.

    What the gateway takes while nothing happens at all is left out.
    """
    for database in arena.kinds:
        with arena.gateway(database) as gateway:
            first, *others = arena.simulator.start_many(1 + _ALONE_COUNT)
            call_all(gateway.port, registrations([first]), 1, b"201")
            arena.until_subscribed([first])
            gevent.sleep(_IDLE_SECONDS)
            idle = share_of_cpu(gateway.worker, _IDLE_SECONDS)
            with used_by([gateway.worker]) as used:
                delays = [_alone(gateway.port, request) for request in registrations(others)]
            each = used.seconds / len(delays) - idle * _ALONE_SECONDS
            called = Called(delays=sorted(delays), seconds=sum(delays))
            yield Measured(row=ALONE, database=database, figures={**_delays(called), "CPU ms each": each * 1000})


def _alone(port: int, request: bytes) -> float:
    delay = call_all(port, [request], 1, b"201").delays[0]
    gevent.sleep(_ALONE_SECONDS)
    return delay
