"""A second agent's event is lost, late, doubled, or comes while the conversation is being closed: one record each."""

from collections.abc import Mapping
from random import Random

import gevent
from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 400


def play(stage: Stage) -> None:
    """Transfers first, then conversations whose close races with an event."""
    simulator = stage.simulator(stage.scale.of({}, {}, {"analyticsLagSeconds": 1}))
    # With the defaults the same takes half an hour; the periods are shorter, the order of events is the same.
    quiet, routine = stage.scale.of(full=(3, 5), fast=(3, 5), small=(1, 2))
    settings = {"GATEWAY_QUIET_SECONDS": quiet, "GATEWAY_RECONCILE_SECONDS": routine}
    gateway = stage.gateway(simulator, settings).start()
    finished = _transfers(stage, simulator, gateway)
    simulator.clear_faults()
    _races(stage, simulator, gateway, finished)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _transfers(stage: Stage, simulator: Simulator, gateway: Gateway) -> int:
    late = stage.scale.of(full=25, fast=25, small=3)
    faults: Mapping[str, Mapping[str, float]] = {
        "lose_events": {},
        "delay_events": {"delaySeconds": late},
        "duplicate_events": {"times": 3, "delaySeconds": stage.scale.of(2, 2, 0.5)},
        "reorder_events": {"delaySeconds": stage.scale.of(5, 5, 1)},
    }
    sessions = _followed(simulator, gateway, len(faults) * stage.scale.of(full=20, fast=20, small=6))
    for number, session in enumerate(sessions):
        second = simulator.transfer(session.conversation)
        simulator.wrap_up(session)
        name = [*faults][number % len(faults)]
        simulator.fault(name, topic=f"*{session.conversation}*", **faults[name])
        simulator.act(session.conversation, "end")
        simulator.wrap_up(second)
    finished = 2 * len(sessions)
    took = simulator.wait_clean(finished, 90)
    recovered = judge.sources(simulator.ledger("records"))["backfill"]
    figure = f"{finished} records after {took or -1:.1f} s, {recovered} by asking"
    text = f"second agent's event lost, {late} s late, tripled or out of order: one record each"
    stage.report.claim(text, took is not None, figure)
    closed = wait_for(lambda: _all_logged(gateway, sessions), 90, 0.5)
    stage.report.claim("they are closed, logged, with two records", closed is not None, f"{closed or -1:.1f} s later")
    sleep(late + 1)  # the late events come after everything was recovered
    return finished


def _races(stage: Stage, simulator: Simulator, gateway: Gateway, finished: int) -> None:
    """The answer to "is it over" is slow; the second agent finishes while it is under way, or just before."""
    random = Random(5)
    simulator.fault("slow", path="/api/v2/conversations/*", delaySeconds=stage.scale.of(0.5, 0.5, 0.3))
    earliest, latest = stage.scale.of(full=(2.0, 6.0), fast=(2.0, 6.0), small=(0.8, 2.0))
    sessions = _followed(simulator, gateway, stage.scale.of(full=60, fast=60, small=24))
    races = [gevent.spawn(_race, simulator, session, random.uniform(earliest, latest)) for session in sessions]
    gevent.joinall(races, raise_error=True)
    took = simulator.wait_clean(finished + 2 * len(sessions), 60)
    figure = f"{2 * len(sessions)} records after {took or -1:.1f} s"
    stage.report.claim("closes that race with an event: none lost, none doubled", took is not None, figure)
    simulator.clear_faults()
    closed = wait_for(lambda: _all_logged(gateway, sessions), 90, 0.5)
    stage.report.claim("all of them are closed, logged", closed is not None, f"{closed or -1:.1f} s later")


def _race(simulator: Simulator, session: AgentSession, seconds: float) -> None:
    second = simulator.transfer(session.conversation)
    simulator.act(session.conversation, "end")
    simulator.wrap_up(session)
    sleep(seconds)
    simulator.wrap_up(second)


def _followed(simulator: Simulator, gateway: Gateway, count: int) -> list[AgentSession]:
    sessions = simulator.start_many(count)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    return sessions


def _all_logged(gateway: Gateway, sessions: list[AgentSession]) -> bool:
    views = gateway.views(sessions)
    return {(view["state"], view["outcome"], len(view["records"])) for view in views} == {("closed", "logged", 2)}
