"""After-call work after the close is recorded too: by another registration, or by the last look."""

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

_EACH = 10
#: Longer than customers and agents need for the second talk, also on a busy machine.
_LAST_LOOK_SECONDS = 40


def play(stage: Stage) -> None:
    """Customers of closed message conversations write again; BOFE registers half of the conversations again."""
    simulator = stage.simulator()
    settings = {
        "GATEWAY_QUIET_SECONDS": 1,
        "GATEWAY_RECONCILE_SECONDS": 10,  # also the period in which last looks are searched
        "GATEWAY_LAST_LOOK_SECONDS": _LAST_LOOK_SECONDS,
    }
    gateway = stage.gateway(simulator, settings).start()
    sessions = simulator.start_many(2 * _EACH, mediaType="MESSAGE", messageType="WHATSAPP", addressFrom="+639171234567")
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    simulator.finish_all(sessions)
    took = wait_for(lambda: all(_shown(gateway, session) == ("closed", 1) for session in sessions), 60, 0.2)
    stage.report.claim("all are closed with their record", took is not None, f"after {took or -1:.1f} s")
    again, silent = sessions[:_EACH], sessions[_EACH:]
    for session in sessions:
        simulator.act(session.conversation, "reopen")
    for session in again:
        customer = gateway.view(session.conversation)["customerId"]
        gateway.register(session.conversation, customer)
    simulator.until_covered(again)
    covered = simulator.covered()
    stage.report.claim("registered again, they are followed again", not {one.conversation for one in silent} & covered)
    for session in sessions:
        simulator.act(session.conversation, "end")
        simulator.act(session.conversation, "wrapup")
    _claim_records(stage, simulator, gateway, again, "registered again: the second agent's record is there", 10)
    _claim_records(
        stage, simulator, gateway, silent, "not registered again: the last look finds it", _LAST_LOOK_SECONDS + 40
    )
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _claim_records(
    stage: Stage, simulator: Simulator, gateway: Gateway, sessions: list[AgentSession], text: str, seconds: float
) -> None:
    took = wait_for(lambda: all(_shown(gateway, session)[1] == 2 for session in sessions), seconds, 0.2)
    figure = f"after {took or -1:.1f} s; {judge.sources(simulator.ledger('records'))['backfill']} by asking so far"
    stage.report.claim(text, took is not None, figure)


def _shown(gateway: Gateway, session: AgentSession) -> tuple[str, int]:
    view = gateway.view(session.conversation)
    return view["state"], sum(record["state"] == "delivered" for record in view["records"])
