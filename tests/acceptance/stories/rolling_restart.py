"""Both instances are restarted under load, one after the other, then reloaded: no failure, no gap, no recovery."""

import time

from gevent import sleep

from tests.acceptance import several
from tests.harness import judge, listening
from tests.harness.instances import Instance, Instances, on_one_database
from tests.harness.load import registering, talking
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import until, wait_for

SECONDS = 600
_REST_SECONDS = 3.0
_EXIT_SECONDS = 25.0


def play(stage: Stage) -> None:
    """SIGTERM and start of each, then SIGHUP of each; the next step begins when the instance is ready again."""
    simulator = stage.simulator(stage.scale.of({}, {}, {"analyticsLagSeconds": 1}))
    simulator.set_receiver("ok", deduplicate=False)
    # The default lease at each scale: how long an ending instance waits for others derives from it.
    soon = {"GATEWAY_ANALYTICS_SETTLE_SECONDS": 10, "GATEWAY_RECONCILE_SECONDS": 10}
    instances = on_one_database(stage, simulator, 2, stage.scale.of({}, {}, soon))
    if instances is None:
        return
    instances.start()
    sessions = simulator.start_many(stage.scale.of(full=1000, fast=300, small=60))
    instances.register_all(sessions)
    simulator.until_covered(sessions)
    per_second = stage.scale.of(full=50.0, fast=20.0, small=20.0)
    with talking(simulator, sessions, per_second), registering(instances, 10.0) as taken:
        each = list(instances)
        to_restart, to_reload = stage.scale.of(full=(each * 3, each * 3), fast=(each, each), small=(each[:1], each[1:]))
        for instance in to_restart:
            _restart(stage, simulator, instance, sessions)
        for instance in to_reload:
            _reload(stage, simulator, instance, sessions)
    _claim_no_failure(stage, instances, len(taken))
    _claim_no_gap(stage, simulator, instances, sessions)
    simulator.finish_all(taken)
    several.claim_nothing_lost(stage, instances, 420)
    several.claim_all_taken(stage, instances, [*sessions, *taken])


def _restart(stage: Stage, simulator: Simulator, instance: Instance, sessions: list[AgentSession]) -> None:
    begun = time.monotonic()
    code = instance.stop()
    took = time.monotonic() - begun
    held = code == 0 and took <= _EXIT_SECONDS
    stage.report.claim(f"instance {instance.number + 1}: exit 0 within {_EXIT_SECONDS:.0f} s", held, f"{took:.1f} s")
    instance.gateway.start()
    _rest(stage, simulator, sessions, f"instance {instance.number + 1} restarted")


def _reload(stage: Stage, simulator: Simulator, instance: Instance, sessions: list[AgentSession]) -> None:
    before, process = instance.gateway.worker, instance.gateway.process
    instance.read_counters()
    instance.gateway.reload()
    took = until(lambda: process.children() and before not in process.children(), 40, "the former worker has ended")
    instance.gateway.until_ready()
    _rest(stage, simulator, sessions, f"instance {instance.number + 1} reloaded, {took:.1f} s")


def _rest(stage: Stage, simulator: Simulator, sessions: list[AgentSession], what: str) -> None:
    gaps, double = listening.unheard(simulator, sessions), listening.overlaps(simulator, sessions)
    stage.report.note(f"{what}; so far {len(gaps)} gaps, overlaps: {listening.spread(double)}")
    sleep(_REST_SECONDS)


def _claim_no_failure(stage: Stage, instances: Instances, taken: int) -> None:
    failed = {answer: times for answer, times in instances.answers.items() if answer not in ("200", "201")}
    figure = f"{taken} taken, {sum(instances.repeated.values())} of them by the other instance, failed: {failed}"
    text = "no failure for a client that repeats a 503 or a refused connection once at the other instance"
    stage.report.claim(text, taken > 0 and not failed, figure)


def _claim_no_gap(stage: Stage, simulator: Simulator, instances: Instances, sessions: list[AgentSession]) -> None:
    gaps = listening.unheard(simulator, sessions)
    figure = f"{len(gaps)}, {listening.spread(gaps)}"
    stage.report.claim("no conversation is without an open socket for a moment", not gaps, figure)
    took = wait_for(lambda: not simulator.balance()["lost"], 420, every=0.5)
    stage.report.note(f"all recorded {took or -1:.1f} s after the load")
    recovered = judge.recovered(simulator.ledger("finished"), simulator.ledger("records"))
    heard = sum(acw["heard"] > 0 for acw in recovered)
    figure = f"{len(recovered)}, of which {heard} were written to a socket"
    if stage.scale is Scale.SMALL:  # on a busy machine a question may show a wrap-up before its event is stored
        stage.report.claim("no event is lost with a socket", heard == len(recovered), figure)
    else:
        stage.report.claim("no event is recovered by REST", not recovered, figure)
