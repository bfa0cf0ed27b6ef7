"""A wrap-up code picked on the line makes no record; the one record has the notes that come later."""

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import until

_LAG = 0.2
_SETTINGS = {
    "GATEWAY_QUIET_SECONDS": 0.5,
    "GATEWAY_RECONCILE_SECONDS": 1,
    "GATEWAY_ANALYTICS_SETTLE_SECONDS": 1,
    "GATEWAY_API_RATE_PER_MINUTE": 3000,
}
_CODE, _FINAL = "7fb334b0-0e9e-11e4-9191-0800200c9a66", "5d1f6a4e-3a55-4b5e-9f0f-0f6c5d3f1a01"
_NOTES = "card blocked, new one sent"
#: Medium and more of a conversation, and what its legs show while the agent is on the line.
_KINDS: list[tuple[dict[str, object], dict[str, object]]] = [
    ({}, {"state": "connected"}),
    ({}, {"held": True}),
    ({}, {"state": "alerting"}),
    ({"direction": "OUTBOUND"}, {"state": "dialing"}),
    ({"direction": "OUTBOUND", "agentDirection": "INBOUND"}, {"state": "contacting"}),
    ({"mediaType": "CALLBACK", "callbackNumbers": ["+639171234567"]}, {"state": "scheduled"}),
    ({"mediaType": "CALLBACK", "callbackNumbers": ["+639171234567"], "dialled": True}, {"state": "connected"}),
    ({"mediaType": "CHAT"}, {"state": "connected"}),
    ({"mediaType": "EMAIL"}, {"state": "parked"}),
    ({"mediaType": "MESSAGE", "messageType": "SMS"}, {"state": "parked"}),
    ({"mediaType": "VIDEO"}, {"state": "offering"}),
]


def play(stage: Stage) -> None:
    """Few conversations, about which the live view is asked, and many, about which analytics are."""
    _play(stage, "few", _KINDS[:1] + _KINDS[6:7])
    _play(stage, "many", _KINDS * stage.scale.of(full=10, fast=3, small=1))


def _play(stage: Stage, name: str, kinds: list[tuple[dict[str, object], dict[str, object]]]) -> None:
    report, simulator = stage.report, stage.simulator({"analyticsLagSeconds": _LAG, "callsPerMinute": 6000})
    simulator.control("POST", "/wrapup-codes", {"id": _FINAL, "name": "Lost card"})
    gateway = stage.gateway(simulator, _SETTINGS, name=name).start()
    sessions = [simulator.start(**kind) for kind, _ in kinds]
    for session, (_, leg) in zip(sessions, kinds, strict=True):
        simulator.act(session.conversation, "leg", **leg)
        simulator.act(session.conversation, "code", code=_CODE)
    sleep(_LAG)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)

    until(lambda: all(_asked(simulator, session) >= 2 for session in sessions), 30, "each was asked about twice")
    early = simulator.ledger("records")
    report.claim(f"{name}: no record while the agent is on the line", not early, f"{len(early)} of {len(sessions)}")

    # Half of the events are lost, so that their records come from the live view or from analytics.
    for number, session in enumerate(sessions):
        simulator.act(session.conversation, "end")
        if number % 2:
            simulator.fault("lose_events", topic=f"*{session.conversation}*")
    sleep(2 * _LAG)
    for session in sessions:
        simulator.wrap_up(session, code=_FINAL, notes=_NOTES, durationMs=100, segments=2)
    _claim_records(stage, name, simulator, gateway, sessions)
    gateway.close()


def _claim_records(
    stage: Stage, name: str, simulator: Simulator, gateway: Gateway, sessions: list[AgentSession]
) -> None:
    report, finished = stage.report, len(simulator.ledger("finished"))
    took = simulator.wait_clean(finished, 40)
    bodies = [entry["record"]["body"] for entry in simulator.ledger("records")]
    found = f"{len(bodies)} of {finished}, {sum(body['eventSource'] == 'backfill' for body in bodies)} by asking"
    report.claim(f"{name}: one record for each", took is not None and len(bodies) == finished, found)
    final = [body for body in bodies if (body["wrapUpCode"], body["wrapUpNotes"]) == (_FINAL, _NOTES)]
    report.claim(f"{name}: with the final code and the notes", len(final) == len(bodies), f"{len(final)}")
    amended = [one for view in gateway.views(sessions) for one in view["records"] if one["amended"]]
    report.claim(f"{name}: none is amended", not amended, f"{len(amended)}")
    judge.nothing_lost_nothing_doubled(report, simulator)


def _asked(simulator: Simulator, session: AgentSession) -> int:
    """How many questions about it were answered; one in bulk is about all."""
    answered = [call for call in judge.questions(simulator.ledger("calls")) if call["status"] == 200]
    alone = f"/api/v2/conversations/{session.conversation}"
    return sum(call["path"] == alone or call["path"].endswith("conversations/details") for call in answered)
