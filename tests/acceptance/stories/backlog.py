"""The receiver is away for an hour (scaled) with 20,000 records waiting: it drains, oldest first, and none is dead."""

from collections import Counter
from typing import Any

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.processes import memory_mb
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import until

SECONDS = 600
#: How much faster than real time it is: the back-off is shortened by the same factor, and an hour takes a minute.
_SCALE = 60
_SENDERS = 8


def play(stage: Stage) -> None:
    """Callbacks give two records each. The receiver answers 503, so that every attempt is counted."""
    count = stage.scale.of(full=10_000, fast=1_000)
    away = stage.scale.of(full=60.0, fast=20.0)
    longest = 300 / _SCALE
    settings = {
        "GATEWAY_RETRY_BASE_SECONDS": round(1 / _SCALE, 4),
        "GATEWAY_RETRY_MAX_SECONDS": longest,
        "GATEWAY_RETRY_LIMIT_HOURS": round(72 / _SCALE, 3),
    }
    simulator = stage.simulator()
    gateway = stage.gateway(simulator, settings).start()
    sessions = simulator.start_many(count, mediaType="CALLBACK", callbackNumbers=["+639171234567"], dialled=True)
    gateway.register_all(sessions)
    simulator.until_covered(sessions, 60)
    stage.report.note(f"{count} callbacks are followed")
    simulator.set_receiver("503")
    simulator.control("POST", "/wrapup-all", {"perSecond": 500})
    until(lambda: simulator.state()["finishedAcw"] == 2 * count, 60, "all are wrapped up")
    sleep(away)
    during = simulator.attempts()
    _claim_attempts(stage, during, away + count / 500, longest)
    simulator.set_receiver("ok")
    took = simulator.wait_clean(2 * count, 180)
    held = took is not None
    figure = f"{2 * count} in {took or -1:.1f} s: {2 * count / (took or 1e9):.0f} a second"
    stage.report.claim("all are delivered after it is back, none is dead", held, figure)
    _claim_order(stage, simulator)
    _claim_few_repeated(stage, simulator, len(during))
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    _note_memory(stage, gateway)


def _claim_attempts(stage: Stage, attempts: list[dict[str, Any]], seconds: float, longest: float) -> None:
    """The breaker permits one attempt at a time, at most ten times as often as the longest back-off."""
    bound = 5 + 2 * _SENDERS + 10 + round(seconds / (longest / 10))
    most = max(Counter(attempt["id"] for attempt in attempts).values(), default=0)
    figure = f"{len(attempts)} in {seconds:.0f} s, bound {bound}; {most} of one record at most"
    stage.report.claim("while it is away, it is only tested", len(attempts) <= bound, figure)


def _claim_order(stage: Stage, simulator: Simulator) -> None:
    """Claim that records arrive in the order of their after-call work."""
    times = [judge.epoch_ms(entry["record"]["communicatedAt"]) for entry in simulator.ledger("records")]
    ranks = sorted(range(len(times)), key=lambda n: (times[n], n))
    displaced = sorted(abs(rank - place) for rank, place in enumerate(ranks))
    half, most = judge.share(displaced, 0.5), judge.share(displaced, 0.99)
    figure = f"half are within {half} places of their turn, 99 % within {most}"
    bound = max(500, len(times) // 50)
    stage.report.claim("drained oldest first", most <= bound, figure)


def _claim_few_repeated(stage: Stage, simulator: Simulator, during: int) -> None:
    again = len(simulator.attempts()) - during - len(simulator.ledger("records"))
    stage.report.claim("none is sent twice after it is back", again <= 0, f"{max(0, again)} needless attempts")


def _note_memory(stage: Stage, gateway: Gateway) -> None:
    stage.report.note(f"worker: {memory_mb(gateway.worker):.0f} MB")
