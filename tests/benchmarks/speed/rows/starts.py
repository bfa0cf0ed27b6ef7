"""From the start of a process until it works, and its memory then, when it follows nothing."""

import time
from collections.abc import Iterator

import gevent

from tests.benchmarks.speed.arena import RIVALS, Arena
from tests.benchmarks.speed.figures import Measured
from tests.benchmarks.speed.processes import cpu_seconds, memory_together_mb
from tests.harness.gateway import Gateway
from tests.harness.processes import memory_mb
from tests.harness.waiting import until

ROW = "from start to ready, nothing followed"
_LIMIT_SECONDS = 20.0
_SETTLE_SECONDS = 1.0


def measure(arena: Arena) -> Iterator[Measured]:
    """The gateway starts again with its database; a rival is ready when its socket is connected."""
    for database in arena.kinds:
        with arena.gateway(database) as gateway:
            gateway.kill()
            seconds = gateway.launch().until_ready()
            cpu = cpu_seconds(gateway.process.pid) + cpu_seconds(gateway.worker)
            gevent.sleep(_SETTLE_SECONDS)
            figures = {"seconds": seconds, "MB": memory_mb(gateway.worker), "CPU ms each": cpu * 1000}
            yield Measured(row=ROW, database=database, figures=figures, note=with_master(gateway))
    for rival in RIVALS:
        arena.reset()
        begun = time.monotonic()
        with arena.rival(rival, []) as process:
            until(arena.simulator.connected, _LIMIT_SECONDS, f"{rival.name} is connected")
            figures = {"seconds": time.monotonic() - begun, "CPU ms each": cpu_seconds(process.pid) * 1000}
            gevent.sleep(_SETTLE_SECONDS)
            yield Measured(row=ROW, rival=rival.name, figures={**figures, "MB": memory_mb(process.pid)})


def with_master(gateway: Gateway) -> str:
    """A note: the gateway's memory if gunicorn's master is counted, too."""
    return f"{memory_together_mb([gateway.process.pid, gateway.worker]):.0f} MB with gunicorn's master"
