"""500 registrations at once cost at most five subscription calls, one channel, one socket."""

import time

from tests.harness import judge
from tests.harness.stage import Stage

_COUNT, _CLIENTS = 500, 64


def play(stage: Stage) -> None:
    """Register them concurrently, then end the after-call work of all."""
    report, simulator = stage.report, stage.simulator()
    gateway = stage.gateway(simulator).start()
    sessions = simulator.start_many(_COUNT)
    begun = time.monotonic()
    gateway.register_all(sessions, clients=_CLIENTS)
    registered = time.monotonic() - begun
    covered = registered + simulator.until_covered(sessions)
    calls = simulator.ledger("calls")
    report.note(f"{_CLIENTS} clients: {_COUNT} registered in {registered:.2f} s, covered after {covered:.2f} s")
    changes = len(judge.changes_of_subscriptions(calls))
    report.claim("at most 5 subscription calls", changes <= 5, changes)
    made, present = len(judge.creations(calls)), len(simulator.channels())
    report.claim("one channel", (made, present) == (1, 1), f"{made} made, {present} there")
    report.claim("one socket", simulator.sockets_opened() == 1, simulator.sockets_opened())
    subscribed = gateway.wait_state(sessions[-1].conversation, "subscribed", 5)
    report.claim("BOFE is shown `subscribed`", subscribed is not None)

    simulator.finish_all(sessions)
    took = simulator.wait_clean(_COUNT, 30)
    records = simulator.ledger("records")
    delays = judge.delays_ms(simulator.ledger("finished"), records)
    figure = f"median {judge.share(delays, 0.5)} ms, 99 % {judge.share(delays, 0.99)} ms, slowest {delays[-1]} ms"
    limit = stage.scale.of(full=5, fast=5, small=20)  # pytest shares the machine with other tests
    held = took is not None and delays[-1] < limit * 1000
    report.claim(f"500 wrap-ups at once: each recorded within {limit} s", held, figure)
    sources = judge.sources(records)
    report.claim("every record comes live", sources == {"live": _COUNT}, dict(sources))
    judge.nothing_lost_nothing_doubled(report, simulator)
