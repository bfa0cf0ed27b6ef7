"""SIGHUP: a new worker takes over; nothing is lost, one socket per channel, and the gap in readiness is short."""

import time
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import gevent

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer, Web
from tests.harness.processes import nap
from tests.harness.simulator import Centre, until, wait_for
from tests.harness.stage import Stage

_COUNT = 100
_GAP_SECONDS = 10.0


@dataclass(slots=True)
class Watch:
    """What a load balancer and a client see."""

    gateway: Gateway
    longest_gap: float = 0.0
    taken: int = 0
    refused: int = 0
    cut: int = 0
    over: bool = False

    def look(self) -> None:
        """Ask for readiness every 10 ms, over fresh connections."""
        ready_at = time.monotonic()
        while not self.over:
            fresh = Web(self.gateway.url)
            try:
                ready = fresh.ask("GET", "/readyz", seconds=5).status == 200
            except NoAnswer:
                ready = False
            fresh.close()
            if ready:
                self.longest_gap = max(self.longest_gap, time.monotonic() - ready_at)
                ready_at = time.monotonic()
            nap(0.01)

    def register(self) -> None:
        """Register on and on."""
        while not self.over:
            try:
                status = self.gateway.register(str(uuid4())).status
                self.taken += status == 201
                self.refused += status == 503
            except NoAnswer:
                self.cut += 1
            nap(0.02)


def play(stage: Stage) -> None:
    """Reloads amid wrap-ups and registrations."""
    centre = stage.centre()
    gateway = stage.gateway(centre).start()
    watch = Watch(gateway)
    watching = [gevent.spawn(watch.look), gevent.spawn(watch.register)]
    rounds = 2 if stage.fast else 4
    for number in range(rounds):
        _reload(centre, gateway)
        took = centre.until_clean((number + 1) * _COUNT, 60)
        stage.report.did(f"reload {number + 1}: all {_COUNT} recorded {took or -1:.1f} s after the new worker served")
    watch.over = True
    gevent.joinall(watching, raise_error=True)
    figure = f"longest {watch.longest_gap:.2f} s in {rounds} reloads"
    stage.report.claim(f"not ready for less than {_GAP_SECONDS:.0f} s", watch.longest_gap < _GAP_SECONDS, figure)
    answers = f"{watch.taken} x 201, {watch.refused} x 503, {watch.cut} without an answer"
    stage.report.did(f"a client meanwhile: {answers}")
    judge.nothing_lost_nothing_doubled(stage.report, centre)
    judge.one_socket_per_channel(stage.report, centre, most=2)


def _reload(centre: Centre, gateway: Gateway) -> None:
    lines = centre.start_many(_COUNT)
    for line in lines:
        until(partial(_registered, gateway, line.conversation), 20, "registered")
    centre.until_listened(lines)
    before = gateway.worker
    storm = gevent.spawn(centre.finish_all, lines)
    nap(0.05)
    gateway.reload()
    storm.join()
    wait_for(lambda: gateway.child.children() not in ([before], []) and before not in gateway.child.children(), 40)
    gateway.until_ready()


def _registered(gateway: Gateway, conversation: str) -> bool:
    try:
        return gateway.register(conversation).status in (200, 201)
    except NoAnswer:
        return False
