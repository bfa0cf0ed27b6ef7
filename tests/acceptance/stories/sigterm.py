"""SIGTERM with events and deliveries in flight: exit 0 within 25 s, and nothing is lost or doubled."""

import time
from uuid import uuid4

import gevent

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.processes import nap
from tests.harness.stage import Stage

_COUNT = 120
_END_SECONDS = 25


def play(stage: Stage) -> None:
    """Three endings, each amid a storm: a slow receiver, a hanging one, one that cuts the line after storing."""
    centre, finished, taken = stage.centre(), 0, list[str]()
    gateway = stage.gateway(centre).start()
    for mode in ("slow", "hang", "apply_then_reset"):
        lines = centre.start_many(_COUNT)
        gateway.register_all(lines)
        centre.until_listened(lines)
        centre.receive(mode, delaySeconds=1, deduplicate=False)
        storm = gevent.spawn(centre.finish_all, lines)
        asking = gevent.spawn(_register_on, gateway, taken)
        nap(0.15)
        begun = time.monotonic()
        code = gateway.terminate()
        took = time.monotonic() - begun
        storm.get()
        asking.get()
        figure = (
            f"exit {code} after {took:.1f} s; {len(centre.ledger('records')) - finished} of {_COUNT} stored by then"
        )
        stage.report.claim(
            f"receiver {mode}: exit 0 within {_END_SECONDS} s", code == 0 and took <= _END_SECONDS, figure
        )
        finished += _COUNT
        centre.receive("ok", deduplicate=False)
        gateway.start()
        back = centre.until_clean(finished, 60)
        stage.report.claim(f"receiver {mode}: all arrive after the next start", back is not None, f"{back or -1:.1f} s")
    sources = judge.sources(centre.ledger("records"))
    stage.report.did(f"records: {dict(sources)}; the receiver does not deduplicate, but can be asked")
    missing = [one for one in taken if gateway.view(one) is None]
    stage.report.claim("every 201 given during the drains is there", not missing, f"{len(taken)} given")
    judge.nothing_lost_nothing_doubled(stage.report, centre)
    judge.one_socket_per_channel(stage.report, centre, most=1)


def _register_on(gateway: Gateway, taken: list[str]) -> None:
    """One client that keeps its connection, until nobody answers any more."""
    try:
        while True:
            conversation = str(uuid4())
            if gateway.register(conversation).status == 201:
                taken.append(conversation)
            nap(0.01)
    except NoAnswer:
        return
