"""500 registrations at once cost at most five subscription calls, one channel, one socket."""

import time

from tests.harness import judge
from tests.harness.stage import Stage

_COUNT, _CLIENTS = 500, 64


def play(stage: Stage) -> None:
    """Register them concurrently, then have them all wrapped up."""
    simulator = stage.simulator()
    gateway = stage.gateway(simulator).start()
    sessions = simulator.start_many(_COUNT)
    begun = time.monotonic()
    gateway.register_all(sessions, clients=_CLIENTS)
    registered = time.monotonic() - begun
    covered = registered + simulator.until_covered(sessions)
    calls = simulator.ledger("calls")
    stage.report.note(f"{_CLIENTS} clients: {_COUNT} registered in {registered:.2f} s, covered after {covered:.2f} s")
    changes = len(judge.changes_of_subscriptions(calls))
    stage.report.claim("at most 5 subscription calls", changes <= 5, changes)
    stage.report.claim("one channel", len(judge.creations(calls)) == 1, len(judge.creations(calls)))
    opened = sum(entry["event"] == "opened" for entry in simulator.ledger("sockets"))
    stage.report.claim("one socket", opened == 1, opened)
    subscribed = gateway.wait_state(sessions[-1].conversation, "subscribed", 5)
    stage.report.claim("BOFE is shown `subscribed`", subscribed is not None)

    simulator.finish_all(sessions)
    took = simulator.wait_clean(_COUNT, 30)
    delays = judge.delays_ms(simulator.ledger("finished"), simulator.ledger("records"))
    figure = f"median {judge.share(delays, 0.5)} ms, 99 % {judge.share(delays, 0.99)} ms, slowest {delays[-1]} ms"
    stage.report.claim("500 wrap-ups at once: each recorded within 5 s", took is not None and delays[-1] < 5000, figure)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
