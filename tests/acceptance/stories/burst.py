"""500 registrations at once cost at most five subscription calls, one channel, one socket."""

import time
from collections.abc import Mapping

from tests.harness import databases, judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage

_COUNT, _CLIENTS = 500, 64


def play(stage: Stage) -> None:
    """On SQLite; at a larger scale also on PostgreSQL, where there is a server."""
    _play_on(stage, "sqlite", {})
    if stage.scale is not Scale.SMALL and (name := stage.database()) is not None:
        _play_on(stage, "postgresql", {"DATABASE_URL": databases.url(name)})


def _play_on(stage: Stage, database: str, settings: Mapping[str, str]) -> None:
    """Register them concurrently, then end the after-call work of all."""
    stage.report.note(database)
    simulator = stage.simulator()
    gateway = stage.gateway(simulator, settings, name=database).start()
    sessions = simulator.start_many(_COUNT)
    _register(stage, simulator, gateway, sessions)
    simulator.finish_all(sessions)
    _judge(stage, simulator, database)
    gateway.close()


def _register(stage: Stage, simulator: Simulator, gateway: Gateway, sessions: list[AgentSession]) -> None:
    report = stage.report
    begun = time.monotonic()
    gateway.register_all(sessions, clients=_CLIENTS)
    registered = time.monotonic() - begun
    covered = registered + simulator.until_covered(sessions)
    calls = simulator.ledger("calls")
    report.note(f"{_CLIENTS} clients: {_COUNT} registered in {registered:.2f} s, covered after {covered:.2f} s")
    changes = len(judge.changes_of_subscriptions(calls))
    # One call follows the other. On a machine that takes seconds to register them, that makes more.
    report.claim("at most 5 subscription calls", changes <= max(5, 4 * registered), changes)
    made, present = len(judge.creations(calls)), len(simulator.channels())
    report.claim("one channel", (made, present) == (1, 1), f"{made} made, {present} there")
    report.claim("one socket", simulator.sockets_opened() == 1, simulator.sockets_opened())
    subscribed = gateway.wait_state(sessions[-1].conversation, "subscribed", 5)
    report.claim("BOFE is shown `subscribed`", subscribed is not None)


def _judge(stage: Stage, simulator: Simulator, database: str) -> None:
    report = stage.report
    took = simulator.wait_clean(_COUNT, 30)
    records = simulator.ledger("records")
    delays = judge.delays_ms(simulator.ledger("finished"), records)
    figure = f"median {judge.share(delays, 0.5)} ms, 99 % {judge.share(delays, 0.99)} ms, slowest {delays[-1]} ms"
    limit = stage.scale.of(full=5, fast=5, small=20)  # pytest shares the machine with other tests
    held = took is not None and delays[-1] < limit * 1000
    report.claim(f"500 wrap-ups at once: each recorded within {limit} s", held, figure)
    sources = judge.sources(records)
    if database == "sqlite":
        # pytest shares the machine with other tests: there a question may overtake an event
        late = stage.scale.of(full=0, fast=0, small=_COUNT // 50)
        report.claim("every record comes live", sources["live"] >= _COUNT - late, dict(sources))
    else:  # it stores more slowly: a question may show a wrap-up before its event is stored
        report.note(f"records by source: {dict(sources)}")
    judge.nothing_lost_nothing_doubled(report, simulator)
