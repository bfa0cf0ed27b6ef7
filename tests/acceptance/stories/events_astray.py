"""A second agent's event is lost, late, doubled, or comes while the conversation is being closed: one record each."""

from random import Random

import gevent
from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 400
_EACH = 20
_FAULTS = {
    "lose_events": {},
    "delay_events": {"delaySeconds": 25},
    "duplicate_events": {"times": 3, "delaySeconds": 2},
    "reorder_events": {"delaySeconds": 5},
}


def play(stage: Stage) -> None:
    """Transfers first, then closes that race with events."""
    simulator = stage.simulator()
    # Defaults need half an hour for the same; the periods are shortened, not the order of things.
    gateway = stage.gateway(simulator, {"GATEWAY_QUIET_SECONDS": 3, "GATEWAY_RECONCILE_SECONDS": 5}).start()
    finished = _transfers(stage, simulator, gateway)
    simulator.clear_faults()
    _races(stage, simulator, gateway, finished)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _transfers(stage: Stage, simulator: Simulator, gateway: Gateway) -> int:
    for name, how in _FAULTS.items():
        for session in _followed(simulator, gateway, _EACH):
            second = simulator.transfer(session.conversation)
            simulator.wrap_up(session)
            simulator.fault(name, topic=f"*{session.conversation}*", **how)
            simulator.act(session.conversation, "end")
            simulator.wrap_up(second)
    finished = 2 * _EACH * len(_FAULTS)
    took = simulator.wait_clean(finished, 90)
    text = "second agent's event lost, 25 s late, tripled or out of order: one record each"
    recovered = judge.sources(simulator.ledger("records"))["backfill"]
    figure = f"{finished} records after {took or -1:.1f} s, {recovered} by asking"
    stage.report.claim(text, took is not None, figure)
    sleep(30)  # the late ones come after all was recovered
    return finished


def _races(stage: Stage, simulator: Simulator, gateway: Gateway, finished: int) -> None:
    """The answer to "is it over" takes long, and the second agent is done while it is under way, or just before."""
    random = Random(5)
    simulator.fault("slow", path="/api/v2/conversations/*", delaySeconds=0.5)
    sessions = _followed(simulator, gateway, 3 * _EACH)
    gevent.joinall(
        [gevent.spawn(_race, simulator, session, random.uniform(2, 6)) for session in sessions], raise_error=True
    )
    took = simulator.wait_clean(finished + 2 * len(sessions), 60)
    figure = f"{2 * len(sessions)} records after {took or -1:.1f} s"
    stage.report.claim("closes that race with an event: none lost, none doubled", took is not None, figure)
    simulator.clear_faults()
    closed = wait_for(lambda: all(_closed_as_logged(gateway, session) for session in sessions), 90, 1)
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


def _closed_as_logged(gateway: Gateway, session: AgentSession) -> bool:
    view = gateway.view(session.conversation)
    return (view["state"], view["outcome"], len(view["records"])) == ("closed", "logged", 2)
