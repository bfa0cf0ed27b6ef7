"""3,000 registrations as fast as HTTP takes them: covered within 5 s after the last, at most 12 subscription calls."""

import time

from tests.harness import judge
from tests.harness.stage import Stage

_COUNT = 3000


def play(stage: Stage) -> None:
    """Three full channels; each call of the API takes 80 ms."""
    simulator = stage.simulator()
    simulator.fault("slow", path="/api/v2/*", delaySeconds=0.08)
    gateway = stage.gateway(simulator).start()
    sessions = simulator.start_many(_COUNT)
    begun = time.monotonic()
    gateway.register_all(sessions, clients=64)
    registered = time.monotonic() - begun
    after = simulator.wait_covered(sessions, 30)
    stage.report.note(f"registered in {registered:.1f} s: {_COUNT / registered:.0f} a second")
    stage.report.claim("covered within 5 s after the last", after is not None and after <= 5, f"{after or -1:.1f} s")
    shown = gateway.wait_state(sessions[-1].conversation, "subscribed", 5)
    stage.report.claim("BOFE is shown `subscribed`", shown is not None)
    calls = simulator.ledger("calls")
    changes = len(judge.changes_of_subscriptions(calls))
    stage.report.claim("at most 12 subscription calls", changes <= 12, changes)
    stage.report.claim("three channels", len(judge.creations(calls)) == 3, len(judge.creations(calls)))
    simulator.finish_all(sessions)
    took = simulator.wait_clean(_COUNT, 60)
    stage.report.claim("each is recorded", took is not None, f"{took or -1:.1f} s after the last wrap-up")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator, most=3)
