"""The receiver is away for a minute, in three ways: every record arrives after it is back."""

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage

SECONDS = 400
_EACH = 20


def play(stage: Stage) -> None:
    """Refused connections, 503, and silence; then it is as it was."""
    simulator = stage.simulator(own_history_port=True)
    gateway = stage.gateway(simulator).start()
    away = stage.scale.of(full=60.0, fast=10.0)
    for number, mode in enumerate(("down", "503", "hang"), 1):
        _outage(stage, simulator, gateway, mode, away, number * _EACH)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    stage.report.note(f"attempts in all: {len(simulator.attempts())}")


def _outage(stage: Stage, simulator: Simulator, gateway: Gateway, mode: str, away: float, finished: int) -> None:
    sessions = simulator.start_many(_EACH)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    before = len(simulator.attempts())
    simulator.set_receiver(mode)
    simulator.finish_all(sessions)
    sleep(away)
    none = len(simulator.ledger("records")) == finished - _EACH
    during = len(simulator.attempts()) - before
    simulator.set_receiver("ok")
    took = simulator.wait_clean(finished, 60)
    stage.report.note(f"{mode} for {away:.0f} s with {_EACH} records waiting: {during} attempts reached it meanwhile")
    # Tests of an outage come at least every tenth of GATEWAY_RETRY_MAX_SECONDS, 300 by default.
    held = none and took is not None and took <= 31
    stage.report.claim(
        f"receiver {mode} for {away:.0f} s: all arrive after it is back", held, f"after {took or -1:.1f} s"
    )
