"""10 kill -9 and 5 SIGHUP in a row under load: no connected channel evicted, never two sockets on one, nothing lost."""

import os
import signal
from random import Random

import gevent
from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.stage import Stage
from tests.harness.waiting import until

SECONDS = 500


def play(stage: Stage) -> None:
    """Conversations on several channels; some are finished around each blow."""
    each, topics = stage.scale.of(full=60, fast=60, small=12), stage.scale.of(full=300, fast=300, small=20)
    blows = stage.scale.of(
        full=_full(),
        fast=["kill"] * 4 + ["kill worker"] * 2 + ["reload"] * 2,
        small=["kill", "reload", "kill worker"],
    )
    # At the small scale analytics are believed to be complete sooner, so that they are asked sooner.
    simulator = stage.simulator(stage.scale.of({}, {}, {"analyticsLagSeconds": 1}))
    soon = {"GATEWAY_ANALYTICS_SETTLE_SECONDS": 20}
    gateway = stage.gateway(simulator, {"GATEWAY_CHANNEL_TOPICS": topics, **stage.scale.of({}, {}, soon)}).start()
    sessions = simulator.start_many(each * len(blows))
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    for number, blow in enumerate(blows):
        storm = gevent.spawn(simulator.finish_all, sessions[number * each : (number + 1) * each])
        sleep(Random(number).uniform(0, 0.3))
        _strike(gateway, blow)
        storm.get()
    took = simulator.wait_clean(len(sessions), 120)
    stage.report.note(f"{len(blows)} blows: {', '.join(blows)}")
    stage.report.claim("all recorded in the end", took is not None, f"{took or -1:.1f} s after the last")
    made, evicted = judge.creations(simulator.ledger("calls")), simulator.ledger("evictions")
    stage.report.note(f"{len(made)} channels made, {len(evicted)} unconnected ones evicted")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator)


def _full() -> list[str]:
    blows = ["kill"] * 7 + ["kill worker"] * 3 + ["reload"] * 5
    Random(11).shuffle(blows)
    return blows


def _strike(gateway: Gateway, blow: str) -> None:
    if blow == "kill":
        gateway.restart_after_kill()
        return
    before = gateway.worker
    if blow == "reload":
        gateway.reload()
    else:
        os.kill(before, signal.SIGKILL)  # gunicorn's master starts another
    until(lambda: _replaced(gateway, before), 40, "another worker serves")


def _replaced(gateway: Gateway, before: int) -> bool:
    try:
        return before not in gateway.process.children() and gateway.ready()
    except NoAnswer:
        return False
