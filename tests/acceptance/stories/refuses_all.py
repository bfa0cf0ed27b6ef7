"""A receiver that refuses every record alike: the lane pauses after ten, nothing is dead; poison alone is dead."""

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 300
_COUNT = 200
_PROBE_SECONDS = 5
_SENDERS = 8


def play(stage: Stage) -> None:
    """422, 401 and 404 for all; then 422 for three."""
    simulator, finished = stage.simulator(), 0
    gateway = stage.gateway(simulator, {"GATEWAY_RETRY_MAX_SECONDS": _PROBE_SECONDS}).start()
    for status in (422, 401, 404):
        finished += _COUNT
        _play_refusal(stage, simulator, gateway, status, finished)
    _play_poison(stage, simulator, gateway, finished)


def _followed(simulator: Simulator, gateway: Gateway) -> list[AgentSession]:
    sessions = simulator.start_many(_COUNT)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    return sessions


def _play_refusal(stage: Stage, simulator: Simulator, gateway: Gateway, status: int, finished: int) -> None:
    sessions, away = _followed(simulator, gateway), 12.0
    simulator.set_receiver(str(status))
    before = len(simulator.attempts())
    simulator.finish_all(sessions)
    sleep(away)
    tried = len(simulator.attempts()) - before
    # Ten alike pause it (one is enough where the answer speaks of the deployment); as many as there are senders may be
    # under way then.
    bound = (10 if status == 422 else 1) + _SENDERS + int(away / _PROBE_SECONDS) + 1
    dead = _shown(gateway, sessions, "dead")
    stage.report.claim(
        f"{status} for all: the lane pauses", tried <= bound, f"{tried} attempts in {away:.0f} s, bound {bound}"
    )
    simulator.set_receiver("ok")
    took = simulator.wait_clean(finished, 60)
    stage.report.claim(f"{status} for all: nothing is dead", not dead, f"{len(dead)} dead")
    held = took is not None and took <= _PROBE_SECONDS + 5
    stage.report.claim(f"{status} for all: mended, all are delivered", held, f"{took or -1:.1f} s after")


def _play_poison(stage: Stage, simulator: Simulator, gateway: Gateway, finished: int) -> None:
    sessions = _followed(simulator, gateway)
    poison = {judge.record_id(f"{one.conversation}/{one.participant}/{one.session}") for one in sessions[:3]}
    simulator.set_receiver("422", ids=sorted(poison))
    simulator.finish_all(sessions)
    took = wait_for(lambda: len(simulator.ledger("records")) == finished + _COUNT - len(poison), 30)
    wait_for(lambda: len(_shown(gateway, sessions[:3], "dead")) == len(poison), 10)
    dead = _shown(gateway, sessions, "dead")
    figure = f"others after {took or -1:.1f} s, {len(dead)} dead"
    stage.report.claim(
        "three refused among others: they are dead and hold up nobody", took is not None and dead == poison, figure
    )


def _shown(gateway: Gateway, sessions: list[AgentSession], state: str) -> set[str]:
    views = [gateway.view(session.conversation) for session in sessions]
    return {record["id"] for view in views for record in view["records"] if record["state"] == state}
