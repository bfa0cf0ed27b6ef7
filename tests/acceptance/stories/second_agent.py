"""After a transfer the second agent's after-call work is a record of its own; so are a consult's and a callback's."""

from functools import partial

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

_CALLBACK = {"mediaType": "CALLBACK", "callbackNumbers": ["+639171234567"], "dialled": True}


def play(stage: Stage) -> None:
    """Two agents end their after-call work, in either order."""
    rounds = stage.scale.of(full=10, fast=10, small=2)
    report, simulator = stage.report, stage.simulator()
    gateway = stage.gateway(simulator).start()
    kinds = {
        "transfer": [_transfer(simulator, gateway, first_agent_first=bool(n % 2)) for n in range(rounds)],
        "consult": [_consult(simulator, gateway) for _ in range(rounds)],
        "callback": [_callback(simulator, gateway) for _ in range(rounds)],
    }
    finished = 2 * sum(map(len, kinds.values()))
    took = simulator.wait_clean(finished, 20)
    records = simulator.ledger("records")
    report.claim("two records for each of them", took is not None, f"{len(records)} of {finished}")
    for kind, sessions in kinds.items():
        shown = wait_for(partial(_show_two, gateway, sessions), 15)
        report.claim(f"{kind}: BOFE is shown two records for each", shown is not None, f"{len(sessions)} conversations")
    report.note(f"agents: {', '.join(sorted({entry['record']['body']['agentName'] for entry in records}))}")
    judge.nothing_lost_nothing_doubled(report, simulator)


def _transfer(simulator: Simulator, gateway: Gateway, *, first_agent_first: bool) -> AgentSession:
    first = _covered(simulator, gateway)
    second = simulator.transfer(first.conversation)
    for session in (first, second) if first_agent_first else (second, first):
        simulator.wrap_up(session)
    simulator.act(first.conversation, "end")
    return first


def _consult(simulator: Simulator, gateway: Gateway) -> AgentSession:
    first = _covered(simulator, gateway)
    for action in ("consult", "end", "wrapup", "wrapup"):
        simulator.act(first.conversation, action)
    return first


def _callback(simulator: Simulator, gateway: Gateway) -> AgentSession:
    session = _covered(simulator, gateway, **_CALLBACK)
    simulator.finish(session)
    return session


def _covered(simulator: Simulator, gateway: Gateway, **conversation: object) -> AgentSession:
    session = simulator.start(**conversation)
    gateway.register(session.conversation)
    simulator.until_covered([session])
    return session


def _show_two(gateway: Gateway, sessions: list[AgentSession]) -> bool:
    return all(len(view["records"]) == 2 for view in gateway.views(sessions))
