"""Single records are always answered 403, 404, 302, or 503 with Retry-After: all others arrive at once."""

from typing import Any

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

SECONDS = 600
#: What the notes of a refused record contain, as if a firewall took it for an attack.
_POISON = "'; DROP TABLE cards; --"
#: Answers to a record that count as its own, if others get through.
_UNTIL_DEAD = 5
_REFUSALS: dict[str, dict[str, object]] = {
    "403": {"mode": "403"},
    "404": {"mode": "404"},
    "302": {"mode": "302"},
    "503 with Retry-After": {"mode": "503", "retryAfter": 300},
}
#: Seconds between two after-call works.
_PACE = 0.25


def play(stage: Stage) -> None:
    """One and then three refused records under steady traffic; then nothing else gets through."""
    simulator = stage.simulator()
    # All at their defaults: the longest back-off is 300 s. The small scale shortens the back-off of the refused record.
    short = {"GATEWAY_RETRY_BASE_SECONDS": 0.2, "GATEWAY_RETRY_MAX_SECONDS": 2}
    gateway = stage.gateway(simulator, stage.scale.of(full={}, fast={}, small=short)).start()
    few = {"403": _REFUSALS["403"]}
    for name, rule in stage.scale.of(full=_REFUSALS, fast=_REFUSALS, small=few).items():
        for poisoned in stage.scale.of(full=(1, 3), fast=(1, 3), small=(1,)):
            _play_traffic(stage, simulator, gateway, name, rule, poisoned)
    if stage.scale is Scale.SMALL:
        _play_alone(stage, simulator, gateway)


def _play_traffic(
    stage: Stage, simulator: Simulator, gateway: Gateway, name: str, rule: dict[str, object], poisoned: int
) -> None:
    works = stage.scale.of(full=120, fast=60, small=24)
    sessions = _followed(simulator, gateway, works)
    simulator.set_receiver("ok", rules=[{**rule, "containing": _POISON}])
    bad = sessions[2 : 2 + 4 * poisoned : 4]
    for session in sessions:
        simulator.act(session.conversation, "end")
        simulator.wrap_up(session, notes=_POISON if session in bad else "all is well")
        sleep(_PACE)
    good = [one for one in sessions if one not in bad]
    wait_for(lambda: len(_waits(simulator, good)) == len(good), 10)
    waits = _waits(simulator, good)
    median = waits[len(waits) // 2] if waits else 999.0
    figure = f"{len(waits)} of {len(good)}, median {median:.3f} s, longest {max(waits, default=999):.1f} s"
    held = len(waits) == len(good) and median < 1
    stage.report.claim(f"{poisoned} of {works} answered {name}: the others arrive, median under 1 s", held, figure)
    if rule["mode"] == "503":
        tried = _tried(simulator, bad)
        stage.report.claim(f"{poisoned} answered {name}: Retry-After is obeyed", tried <= poisoned, f"{tried} attempts")
    else:
        _claim_dead(stage, simulator, gateway, name, bad)


def _claim_dead(stage: Stage, simulator: Simulator, gateway: Gateway, name: str, bad: list[AgentSession]) -> None:
    wait_for(lambda: _states(gateway, bad) == ["dead"] * len(bad), 20)
    states, tried = _states(gateway, bad), _tried(simulator, bad)
    held = states == ["dead"] * len(bad) and _UNTIL_DEAD * len(bad) <= tried <= (_UNTIL_DEAD + 2) * len(bad)
    figure = f"{states.count('dead')} dead, {tried} attempts"
    stage.report.claim(f"{len(bad)} answered {name}: dead after {_UNTIL_DEAD} answers", held, figure)


def _play_alone(stage: Stage, simulator: Simulator, gateway: Gateway) -> None:
    """Two records that the receiver refuses, and no other: they may be right, and the deployment wrong."""
    sessions = _followed(simulator, gateway, 2)
    simulator.set_receiver("403")
    simulator.finish_all(sessions)
    wait_for(lambda: _tried(simulator, sessions) >= 4 * _UNTIL_DEAD, 20)
    states, tried = _states(gateway, sessions), _tried(simulator, sessions)
    held = states == ["pending"] * 2 and tried >= 4 * _UNTIL_DEAD
    stage.report.claim("403 for all, two records: none is dead", held, f"{tried} attempts, {states}")
    simulator.set_receiver("ok")
    took = wait_for(lambda: _states(gateway, sessions) == ["delivered"] * 2, 10)
    stage.report.claim("403 for all, two records: repaired, they arrive", took is not None, f"{took or -1:.1f} s after")


def _followed(simulator: Simulator, gateway: Gateway, number: int) -> list[AgentSession]:
    sessions = simulator.start_many(number)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    return sessions


def _waits(simulator: Simulator, sessions: list[AgentSession]) -> list[float]:
    """Seconds from each end of an after-call work to its arrival, sorted; of those that arrived."""
    of = {session.conversation for session in sessions}
    arrived: list[dict[str, Any]] = [one for one in simulator.ledger("records") if one["record"]["interactionId"] in of]
    waits = (judge.epoch_ms(one["receivedAt"]) - judge.epoch_ms(one["record"]["communicatedAt"]) for one in arrived)
    return sorted(ms / 1000 for ms in waits)


def _tried(simulator: Simulator, sessions: list[AgentSession]) -> int:
    ids = {judge.record_id(f"{one.conversation}/{one.participant}/{one.session}") for one in sessions}
    return sum(attempt["id"] in ids for attempt in simulator.attempts())


def _states(gateway: Gateway, sessions: list[AgentSession]) -> list[str]:
    return [record["state"] for view in gateway.views(sessions) for record in view["records"]]
