"""From the socket to the receiver: how many, at what cost, and how soon."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import gevent

from tests.benchmarks.speed.arena import RIVALS, Arena, registrations
from tests.benchmarks.speed.callers import call_all
from tests.benchmarks.speed.figures import Measured
from tests.benchmarks.speed.processes import used_by
from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession
from tests.harness.waiting import until

DELIVERED, STORED, SOON = "events delivered", "events stored", "event to record, 200/s, receiver takes 5 ms"
_COUNT, _SOON_COUNT, _SOON_RATE, _RECEIVER_SECONDS = 2000, 1000, 200, 0.005
_WARM = 200
#: Ends of after-call work in a second, where as many as possible are wanted.
_AT_ONCE = 20_000
_LIMIT_SECONDS = 120.0
_REST_SECONDS, _LOOK_SECONDS = 1.5, 0.05
_RECEIVED = 'events_received_total{source="live"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Follower:
    """A process that follows conversations whose after-call work has not ended."""

    pid: int
    rival: str = ""
    database: str | None = None

    def measured(self, row: str, figures: Mapping[str, float]) -> Measured:
        return Measured(row=row, rival=self.rival, database=self.database, figures=figures)


def delivered(arena: Arena) -> Iterator[Measured]:
    """Events a second until the receiver has them, when all happen at once."""
    count = arena.some(_COUNT)
    for follower in _one_after_the_other(arena, count):
        yield follower.measured(DELIVERED, wrap_up(arena, follower.pid, count))


def soon(arena: Arena) -> Iterator[Measured]:
    """The delay from the end of the after-call work to its record, at a moderate rate."""
    count = arena.some(_SOON_COUNT)
    for follower in _one_after_the_other(arena, count):
        arena.simulator.set_receiver("slow", delaySeconds=_RECEIVER_SECONDS)
        figures = wrap_up(arena, follower.pid, count, _SOON_RATE)
        yield follower.measured(SOON, {**_delays(arena, count), "CPU ms each": figures["CPU ms each"]})


def stored(arena: Arena) -> Iterator[Measured]:
    """Events a second until they are on disk, while the receiver refuses all calls, so that delivery pauses."""
    count = arena.some(2 * _COUNT)
    for database in arena.kinds:
        with arena.gateway(database) as gateway:
            follow(arena, gateway, arena.simulator.start_many(_WARM))
            arena.simulator.set_receiver("401")
            _store(arena, gateway, _WARM)
            follow(arena, gateway, arena.simulator.start_many(count))
            yield Measured(row=STORED, database=database, figures=_store(arena, gateway, count))


def follow(arena: Arena, gateway: Gateway, sessions: list[AgentSession]) -> None:
    """Register these conversations, and wait until they are subscribed."""
    call_all(gateway.port, registrations(sessions), 32, b"201")
    arena.until_subscribed(sessions)
    gevent.sleep(_REST_SECONDS)


def wrap_up(arena: Arena, pid: int, count: int, rate: float = _AT_ONCE, anyway: float = 0) -> dict[str, float]:
    """End all after-call work that waits, so much of it, and measure until its records are there.

    Args:
        anyway: The share of a processor that the process takes for something else.
    """
    simulator = arena.simulator
    before = simulator.state()["records"]
    with used_by([pid], anyway) as used, used_by([simulator.process.pid]) as simulators:
        simulator.control("POST", "/wrapup-all", {"perSecond": rate})
        until(lambda: simulator.state()["records"] - before >= count, _LIMIT_SECONDS, "all records are there")
    begun, ended = simulator.ledger("finished")[-count]["at"], simulator.ledger("records")[-1]["receivedAt"]
    return {
        "per second": count / (judge.epoch_ms(ended) - begun) * 1000,
        "CPU ms each": used.seconds / count * 1000,
        "simulator CPU ms each": simulators.seconds / count * 1000,
    }


def _one_after_the_other(arena: Arena, count: int) -> Iterator[_Follower]:
    """The gateway with each database, then each rival; it follows so many conversations."""
    for database in arena.kinds:
        with arena.gateway(database) as gateway:
            follow(arena, gateway, arena.simulator.start_many(_WARM))
            wrap_up(arena, gateway.worker, _WARM)
            follow(arena, gateway, arena.simulator.start_many(count))
            yield _Follower(pid=gateway.worker, database=database)
    for rival in RIVALS:
        arena.reset()
        sessions = arena.simulator.start_many(count)
        with arena.rival(rival, sessions) as process:
            arena.until_subscribed(sessions)
            gevent.sleep(_REST_SECONDS)
            yield _Follower(pid=process.pid, rival=rival.name)


def _delays(arena: Arena, count: int) -> dict[str, float]:
    delays = judge.delays_ms(arena.simulator.ledger("finished")[-count:], arena.simulator.ledger("records")[-count:])
    if len(delays) != count:
        raise ValueError(f"{count - len(delays)} of {count} records are not those of the after-call work")
    return {"p50 ms": judge.share(delays, 0.5), "p99 ms": judge.share(delays, 0.99)}


def _store(arena: Arena, gateway: Gateway, count: int) -> dict[str, float]:
    simulator = arena.simulator
    before = gateway.metric(_RECEIVED)
    with used_by([gateway.worker]) as used, used_by([simulator.process.pid]) as simulators:
        simulator.control("POST", "/wrapup-all", {"perSecond": _AT_ONCE})
        took = until(lambda: gateway.metric(_RECEIVED) - before >= count, _LIMIT_SECONDS, "all events are stored")
    return {
        "per second": count / took,
        "CPU ms each": used.seconds / count * 1000,
        "simulator CPU ms each": simulators.seconds / count * 1000,
    }
