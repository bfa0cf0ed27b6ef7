"""Registrations, events and memory beside more and more conversations, then a burst of events and a restart with all.

From the time of the processor that registrations and events take, what the gateway takes just before is subtracted: it
asks Genesys about the conversations that were registered before.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent.pool import Pool

from tests.benchmarks.speed.arena import Arena, registrations
from tests.benchmarks.speed.callers import call_all, probing, quantile_ms
from tests.benchmarks.speed.figures import Measured
from tests.benchmarks.speed.processes import share_of_cpu, used_by
from tests.benchmarks.speed.rows.events import follow, wrap_up
from tests.benchmarks.speed.rows.starts import with_master
from tests.benchmarks.speed.rows.subscriptions import calls
from tests.harness.gateway import Gateway
from tests.harness.processes import memory_mb
from tests.harness.simulator import AgentSession
from tests.harness.waiting import until

REGISTRATION, EVENT, MEMORY = "registrations, among others", "events delivered, among others", "resident memory"
LAG = "hub lag ms"
BURST, RESTART = "GET /livez in a burst of 10,000 events", "restart, until all are subscribed again"
_LEVELS = (1000, 5000, 19_000)
_BURST = 10_000
#: Conversations before the first measurement; registrations and events that are measured at a level.
_WARM, _COUNT = 200, 800
_ANYWAY_SECONDS = 2.0
#: A little more than a period of the metric of lag.
_LAG_SECONDS = 6.0
#: Control calls at the same time.
_AT_ONCE = 32
_PROBE_SECONDS, _SAMPLE_SECONDS, _RESTART_SECONDS = 0.01, 2.0, 60.0
_ALIVE = b"GET /livez HTTP/1.1\r\nHost: gateway\r\n\r\n"


def measure(arena: Arena) -> Iterator[Measured]:
    """Each level in turn, by one gateway with each database."""
    for database in arena.kinds:
        with arena.gateway(database) as gateway:
            followed, silent = arena.some(_WARM), list[AgentSession]()
            follow(arena, gateway, arena.simulator.start_many(followed))
            wrap_up(arena, gateway.worker, followed)
            for level in map(arena.some, _LEVELS):
                count = arena.some(_COUNT)
                # These go on and have no after-call work, so that only the events that are measured come.
                silent = arena.simulator.start_many(level - count - followed, acw=False)
                follow(arena, gateway, silent)
                for row, figures in _at(arena, gateway, count):
                    note = with_master(gateway) if row == MEMORY else ""
                    yield Measured(row=row, database=database, conversations=level, figures=figures, note=note)
                followed = level
            yield _burst(arena, gateway, database, silent[: arena.some(_BURST)])
            figures, note = _restart(arena, gateway), "calls of 80 ms, 300 a minute"
            yield Measured(row=RESTART, database=database, conversations=followed, figures=figures, note=note)


def _at(arena: Arena, gateway: Gateway, count: int) -> Iterator[tuple[str, dict[str, float]]]:
    sessions = arena.simulator.start_many(count)
    anyway = share_of_cpu(gateway.worker, _ANYWAY_SECONDS)
    with used_by([gateway.worker], anyway) as used:
        called = call_all(gateway.port, registrations(sessions), 32, b"201")
        arena.until_subscribed(sessions)
    delays = {"p50 ms": called.delay_ms(0.5), "p99 ms": called.delay_ms(0.99)}
    yield REGISTRATION, {"per second": called.per_second, **delays, "CPU ms each": used.seconds / count * 1000}
    anyway = share_of_cpu(gateway.worker, _ANYWAY_SECONDS)
    yield EVENT, wrap_up(arena, gateway.worker, count, anyway=anyway)
    yield MEMORY, {"MB": memory_mb(gateway.worker)}


def _burst(arena: Arena, gateway: Gateway, database: str, sessions: list[AgentSession]) -> Measured:
    """The lag of the worker's hub while many events arrive, and how soon a call that waits for nothing is answered.

    Such a call takes several turns of the hub: to be accepted, to be read, to be answered.
    """
    Pool(_AT_ONCE).map(lambda session: arena.simulator.transfer(session.conversation), sessions)
    count = len(sessions)
    gevent.sleep(_LAG_SECONDS)  # the metric tells of the period before
    with _sampling(gateway, "hub_lag_seconds") as lags:
        with probing(gateway.port, _ALIVE, _PROBE_SECONDS) as probes:
            wrap_up(arena, gateway.worker, count)
        gevent.sleep(_LAG_SECONDS)
    delays = {"p50 ms": quantile_ms(probes, 0.5), "p99 ms": quantile_ms(probes, 0.99)}
    return Measured(row=BURST, database=database, figures={**delays, LAG: max(lags) * 1000})


@contextmanager
def _sampling(gateway: Gateway, metric: str) -> Iterator[list[float]]:
    """Within the block read this metric again and again."""
    values = list[float]()

    def sample() -> None:
        while True:
            values.append(gateway.metric(metric))
            gevent.sleep(_SAMPLE_SECONDS)

    sampler = gevent.spawn(sample)
    try:
        yield values
    finally:
        sampler.kill()
    if sampler.exception is not None:
        raise sampler.exception


def _restart(arena: Arena, gateway: Gateway) -> dict[str, float]:
    arena.limit_calls()
    covered = len(arena.simulator.covered())
    gateway.kill()
    before, begun = calls(arena), time.monotonic()
    gateway.launch().until_ready()
    until(lambda: len(arena.simulator.covered()) >= covered, _RESTART_SECONDS, "all are subscribed again")
    return {"seconds": time.monotonic() - begun, "calls": calls(arena) - before}
