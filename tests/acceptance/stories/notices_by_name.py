"""System notices whose topic ends with the channel's id: each is acted on at once, not at the next audit."""

from collections.abc import Collection

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 200
#: Much less than the 600 s between two audits.
_AT_ONCE_SECONDS, _AT_ONCE_BESIDE_OTHER_TESTS = 5.0, 20.0


def play(stage: Stage) -> None:
    """Topics are taken, the socket is about to be closed, the token is revoked; then a notice of an unknown kind."""
    simulator = stage.simulator({"noticesNameChannel": "true", "analyticsLagSeconds": stage.scale.of(10, 10, 1)})
    gateway = stage.gateway(simulator).start()
    sessions = simulator.start_many(stage.scale.of(full=500, fast=100, small=20))
    gateway.register_all(sessions)
    simulator.until_covered(sessions)

    simulator.fault("no_longer_subscribed")
    _claim_covered(stage, simulator, sessions, "topics taken, none named: all are on the list again")
    old = simulator.connected()
    simulator.fault("closing_notice")  # the socket is closed a minute later: long after the claim is judged
    _claim_covered(stage, simulator, sessions, "closing notice: all are on another channel", without=old)
    old = simulator.connected()
    simulator.fault("revoked_token")
    _claim_covered(stage, simulator, sessions, "token revoked: all are on another channel", without=old)
    _unknown(stage, simulator, gateway)

    simulator.finish_all(sessions)
    simulator.wait_clean(len(sessions), 60)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _claim_covered(
    stage: Stage, simulator: Simulator, sessions: list[AgentSession], what: str, without: Collection[str] = ()
) -> None:
    """Claim that all are covered within seconds, by other channels than those."""
    wanted = {session.conversation for session in sessions}

    def covered() -> bool:
        topics = [c["topics"] for c in simulator.channels() if c["connected"] and c["id"] not in without]
        return wanted <= {topic.split(".")[4] for some in topics for topic in some}

    limit = _at_once(stage)
    took = wait_for(covered, limit)
    stage.report.claim(f"{what} within {limit:.0f} s", took is not None, f"after {took or -1:.1f} s")


def _at_once(stage: Stage) -> float:
    return stage.scale.of(_AT_ONCE_SECONDS, _AT_ONCE_SECONDS, _AT_ONCE_BESIDE_OTHER_TESTS)


def _unknown(stage: Stage, simulator: Simulator, gateway: Gateway) -> None:
    """One unknown kind comes five times, with another id each time."""
    for number in range(5):
        notice = {"topicName": f"v2.system.maintenance.C{number}", "eventBody": {}}
        simulator.control("POST", "/channels/all/send", {"json": notice})
    name = 'system_notices_total{kind="unknown"}'

    def logged() -> list[object]:
        return [line["kind"] for line in gateway.log() if line.get("event") == "system_notice_unknown"]

    # The log is written in the background, a moment after the notice was counted.
    counted = wait_for(lambda: gateway.metric(name) >= 5 and logged(), _at_once(stage))
    kinds = logged()
    held = counted is not None and kinds == ["maintenance"]
    figure = f"{gateway.metric(name):.0f} counted, {len(kinds)} logged"
    stage.report.claim("a notice of an unknown kind: counted each time, logged once", held, figure)
