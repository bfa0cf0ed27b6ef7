"""SIGTERM with events and deliveries in flight: exit 0 within 25 s, and nothing is lost or doubled."""

import time
from uuid import uuid4

import gevent
from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.stage import Stage

_COUNT = 120
_END_SECONDS = 25


def play(stage: Stage) -> None:
    """End it three times under load: with a slow receiver, a hanging one, and one that resets after storing."""
    simulator, finished, taken = stage.simulator(), 0, list[str]()
    gateway = stage.gateway(simulator).start()
    for mode in ("slow", "hang", "apply_then_reset"):
        sessions = simulator.start_many(_COUNT)
        gateway.register_all(sessions)
        simulator.until_covered(sessions)
        simulator.set_receiver(mode, delaySeconds=1, deduplicate=False)
        storm = gevent.spawn(simulator.finish_all, sessions)
        asking = gevent.spawn(_register_on, gateway, taken)
        sleep(0.15)
        begun = time.monotonic()
        code = gateway.stop()
        took = time.monotonic() - begun
        storm.get()
        asking.get()
        figure = (
            f"exit {code} after {took:.1f} s; {len(simulator.ledger('records')) - finished} of {_COUNT} stored by then"
        )
        stage.report.claim(
            f"receiver {mode}: exit 0 within {_END_SECONDS} s", code == 0 and took <= _END_SECONDS, figure
        )
        finished += _COUNT
        simulator.set_receiver("ok", deduplicate=False)
        gateway.start()
        back = simulator.wait_clean(finished, 60)
        stage.report.claim(f"receiver {mode}: all arrive after the next start", back is not None, f"{back or -1:.1f} s")
    sources = judge.sources(simulator.ledger("records"))
    stage.report.note(f"records: {dict(sources)}; the receiver does not deduplicate, but answers lookups")
    missing = [one for one in taken if gateway.view(one) is None]
    stage.report.claim("every 201 given during the drains is there", not missing, f"{len(taken)} given")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator, most=1)


def _register_on(gateway: Gateway, taken: list[str]) -> None:
    """Register over one kept connection until no answer comes."""
    try:
        while True:
            conversation = str(uuid4())
            if gateway.register(conversation).status == 201:
                taken.append(conversation)
            sleep(0.01)
    except NoAnswer:
        return
