"""SIGHUP: a new worker takes over; nothing is lost, one socket per channel, and the gap in readiness is short."""

import time
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import gevent
from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.http import JsonClient, NoAnswer
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import until, wait_for

_COUNT = 100
_GAP_SECONDS = 10.0


@dataclass(slots=True)
class Watch:
    """What a load balancer and a client observe during reloads."""

    gateway: Gateway
    longest_gap: float = 0.0
    taken: int = 0
    refused: int = 0
    cut: int = 0
    over: bool = False

    def look(self) -> None:
        """Request /readyz every 10 ms, each time over a new connection."""
        ready_at = time.monotonic()
        while not self.over:
            client = JsonClient(self.gateway.url)
            try:
                ready = client.request("GET", "/readyz", seconds=5).status == 200
            except NoAnswer:
                ready = False
            client.close()
            if ready:
                self.longest_gap = max(self.longest_gap, time.monotonic() - ready_at)
                ready_at = time.monotonic()
            sleep(0.01)

    def register(self) -> None:
        """Register conversations until it is over."""
        while not self.over:
            try:
                status = self.gateway.register(str(uuid4())).status
                self.taken += status == 201
                self.refused += status == 503
            except NoAnswer:
                self.cut += 1
            sleep(0.02)


def play(stage: Stage) -> None:
    """Reload during wrap-ups and registrations."""
    simulator = stage.simulator()
    gateway = stage.gateway(simulator).start()
    watch = Watch(gateway)
    watching = [gevent.spawn(watch.look), gevent.spawn(watch.register)]
    rounds = stage.scale.of(full=4, fast=2)
    for number in range(rounds):
        _reload(simulator, gateway)
        took = simulator.wait_clean((number + 1) * _COUNT, 60)
        stage.report.note(f"reload {number + 1}: all {_COUNT} recorded {took or -1:.1f} s after the new worker served")
    watch.over = True
    gevent.joinall(watching, raise_error=True)
    figure = f"longest {watch.longest_gap:.2f} s in {rounds} reloads"
    stage.report.claim(f"not ready for less than {_GAP_SECONDS:.0f} s", watch.longest_gap < _GAP_SECONDS, figure)
    answers = f"{watch.taken} x 201, {watch.refused} x 503, {watch.cut} without an answer"
    stage.report.note(f"a client meanwhile: {answers}")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator, most=2)


def _reload(simulator: Simulator, gateway: Gateway) -> None:
    sessions = simulator.start_many(_COUNT)
    for session in sessions:
        until(partial(_registered, gateway, session.conversation), 20, "registered")
    simulator.until_covered(sessions)
    before = gateway.worker
    storm = gevent.spawn(simulator.finish_all, sessions)
    sleep(0.05)
    gateway.reload()
    storm.join()
    wait_for(lambda: gateway.process.children() not in ([before], []) and before not in gateway.process.children(), 40)
    gateway.until_ready()


def _registered(gateway: Gateway, conversation: str) -> bool:
    try:
        return gateway.register(conversation).status in (200, 201)
    except NoAnswer:
        return False
