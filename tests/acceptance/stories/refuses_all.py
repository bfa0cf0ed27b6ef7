"""A receiver that refuses every record alike: delivery pauses after ten, nothing is dead; poison alone is dead."""

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import until, wait_for

SECONDS = 300
_SENDERS = 8
#: Number of records that are refused among others.
_POISON = 3
#: Refusals alike after which the circuit breaker opens; fewer are enough where the answer concerns the deployment.
_ALIKE = {422: 10, 401: 1, 404: 3, 403: 3, 302: 3}


def play(stage: Stage) -> None:
    """Each of these statuses for all; then 422 for three, of records that arrive at once and of records that waited."""
    count, probe = stage.scale.of(full=200, fast=200, small=60), stage.scale.of(full=5, fast=5, small=2)
    simulator, finished = stage.simulator(), 0
    gateway = stage.gateway(simulator, {"GATEWAY_RETRY_MAX_SECONDS": probe}).start()
    for status in stage.scale.of(full=tuple(_ALIKE), fast=tuple(_ALIKE), small=(422, 403)):
        sessions = _followed(simulator, gateway, count)
        finished += count
        _play_refusal(stage, simulator, gateway, sessions, status, finished, probe)
    for waited in (False, True):
        sessions = _followed(simulator, gateway, count)
        _play_poison(stage, simulator, gateway, sessions, finished, waited=waited)
        finished += count - _POISON


def _followed(simulator: Simulator, gateway: Gateway, count: int) -> list[AgentSession]:
    sessions = simulator.start_many(count)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    return sessions


def _play_refusal(
    stage: Stage,
    simulator: Simulator,
    gateway: Gateway,
    sessions: list[AgentSession],
    status: int,
    finished: int,
    probe: int,
) -> None:
    away = stage.scale.of(full=12.0, fast=12.0, small=1.0)
    simulator.set_receiver(str(status))
    before = len(simulator.attempts())
    simulator.finish_all(sessions)
    if stage.scale is Scale.SMALL:
        until(lambda: len(simulator.attempts()) >= before + _ALIKE[status], 15, "as many were refused")
    sleep(away)
    tried = len(simulator.attempts()) - before
    # When the breaker opens, one attempt of each sender may be under way.
    bound = _ALIKE[status] + _SENDERS + int(away / probe) + 1
    dead = _shown(gateway, sessions, "dead")
    figure = f"{tried} attempts in {away:.0f} s, bound {bound}"
    stage.report.claim(f"{status} for all: delivery pauses", tried <= bound, figure)
    simulator.set_receiver("ok")
    took = simulator.wait_clean(finished, 60)
    stage.report.claim(f"{status} for all: nothing is dead", not dead, f"{len(dead)} dead")
    held = took is not None and took <= probe + stage.scale.of(full=5, fast=5, small=15)
    stage.report.claim(f"{status} for all: once repaired, all are delivered", held, f"{took or -1:.1f} s after")


def _play_poison(
    stage: Stage, simulator: Simulator, gateway: Gateway, sessions: list[AgentSession], finished: int, *, waited: bool
) -> None:
    """The receiver refuses three records. ``waited``: until then it has answered 503, and all records wait."""
    refused, others = sessions[:_POISON], sessions[_POISON:]
    poison = {judge.record_id(f"{one.conversation}/{one.participant}/{one.session}") for one in refused}
    if waited:
        before = len(simulator.attempts())
        simulator.set_receiver("503")
        simulator.finish_all(sessions)
        until(lambda: len(simulator.attempts()) > before, 15, "a record was tried")
    simulator.set_receiver("422", ids=sorted(poison))
    if not waited:
        simulator.finish_all(sessions)
    took = wait_for(lambda: len(simulator.ledger("records")) == finished + len(others), 30)
    wait_for(lambda: len(_shown(gateway, refused, "dead")) == len(poison), 10)
    dead = _shown(gateway, sessions, "dead")
    figure = f"others after {took or -1:.1f} s, {len(dead)} dead"
    text = f"three refused among others{' that waited' if waited else ''}"
    stage.report.claim(f"{text}: they are dead and hold up no other", took is not None and dead == poison, figure)
    shown = wait_for(lambda: len(_shown(gateway, others, "delivered")) == len(others), 15)
    stage.report.claim(f"{text}: the others are shown as delivered", shown is not None)


def _shown(gateway: Gateway, sessions: list[AgentSession], state: str) -> set[str]:
    views = gateway.views(sessions)
    return {record["id"] for view in views for record in view["records"] if record["state"] == state}
