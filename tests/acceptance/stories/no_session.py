"""Events that name no session, or nothing at all: one record of each after-call work, whatever else reports it."""

from datetime import UTC, datetime
from typing import Any

from tests.harness.gateway import BACKOFFICE_TOKEN, Gateway
from tests.harness.http import JsonClient
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

SECONDS = 200
_RECORDED_SECONDS = 60.0
_RESULT = "/customers/supportResult"


def play(stage: Stage) -> None:
    """Five kinds of reports; each conversation is asked about afterwards, so each work is named over REST as well."""
    simulator = stage.simulator({"analyticsLagSeconds": 0.5})
    settings = {"GATEWAY_QUIET_SECONDS": 0.5, "GATEWAY_RECONCILE_SECONDS": 1, "GATEWAY_ANALYTICS_SETTLE_SECONDS": 1}
    gateway = stage.gateway(simulator, settings).start()
    story = _Story(stage, simulator, gateway, stage.scale.of(full=50, fast=20, small=5))
    story.event_first()
    story.backfill_first()
    story.three_reports()
    story.nothing_named()
    if stage.scale is not Scale.SMALL:
        story.two_agents()
        story.killed()
    code, text = simulator.verify()
    stage.report.claim("simulator verify is clean", code == 0, text.strip().replace("\n", "; "))


class _Story:
    def __init__(self, stage: Stage, simulator: Simulator, gateway: Gateway, count: int) -> None:
        self._report = stage.report
        self._scale = stage.scale
        self._simulator = simulator
        self._gateway = gateway
        self._count = count

    def event_first(self) -> None:
        """The event comes without session, participant, or both; then the conversation is asked about."""
        fewer, both = [["sessionId"], ["participantId"]], ["sessionId", "participantId"]
        for fields in self._scale.of(full=[*fewer, both], fast=[*fewer, both], small=[both]):
            sessions = self._followed()
            with_fault = self._simulator.fault("omit_fields", fields=fields)
            self._simulator.finish_all(sessions)
            self._simulator.control("DELETE", f"/faults/{with_fault['id']}")
            self._claim_one_each(f"event without {' and '.join(fields)}, then asked about", sessions)

    def backfill_first(self) -> None:
        """The work is found over REST first, because its event was lost; then its event comes without a session."""
        sessions = self._followed()
        self._simulator.fault("lose_events", count=len(sessions))
        for session in sessions:  # the customer stays on the line, so that the topic is still subscribed afterwards
            self._simulator.wrap_up(session)
        found = wait_for(lambda: self._records(sessions) == [1] * len(sessions), _RECORDED_SECONDS)
        changes = {"sessionId": None, "participantId": None}
        received = sum(self._simulator.act(s.conversation, "announce", changes=changes)["heard"] for s in sessions)
        held = found is not None and received > 0
        self._report.claim("found over REST before any event", held, f"{received} events came later")
        for session in sessions:
            self._simulator.act(session.conversation, "end")
        self._claim_one_each("backfill, then an event without a session", sessions)

    def two_agents(self) -> None:
        """The call is transferred; both agents' events name no session."""
        sessions = self._followed()
        second = [self._simulator.transfer(session.conversation) for session in sessions]
        self._simulator.fault("omit_fields", fields=["sessionId", "participantId"])
        self._simulator.finish_all(sessions)
        for session in second:
            self._simulator.wrap_up(session)
        self._simulator.clear_faults()
        self._claim_one_each("two agents, events without a session", sessions, works=2)

    def three_reports(self) -> None:
        """A supportResult, an event without a session, and the backfill: three reports of one work."""
        sessions = self._followed()
        self._simulator.fault("omit_fields", fields=["sessionId"])
        self._simulator.finish_all(sessions)
        self._simulator.clear_faults()
        # Each event has reached a socket. A moment later it is stored; a supportResult before that is answered 202.
        wait_for(lambda: self._records(sessions) == [1] * len(sessions), _RECORDED_SECONDS)
        back_office = JsonClient(self._gateway.url, BACKOFFICE_TOKEN)
        finished = {acw["conversationId"]: acw for acw in self._simulator.ledger("finished")}
        statuses = {
            back_office.request("POST", _RESULT, _result(session, finished[session.conversation]["at"])).status
            for session in sessions
        }
        back_office.close()
        self._report.claim("each supportResult is answered with the record that is known", statuses == {200}, statuses)
        self._claim_one_each("supportResult, event without a session, backfill", sessions)

    def killed(self) -> None:
        """kill -9 right after the events; the next process asks about every conversation."""
        sessions = self._followed()
        self._simulator.fault("omit_fields", fields=["sessionId"])
        self._simulator.finish_all(sessions)
        self._gateway.restart_after_kill()
        self._simulator.clear_faults()
        self._claim_one_each("event without a session, kill -9, asked about", sessions)

    def nothing_named(self) -> None:
        """The body of the event is empty: no record is made of it, and the work is found over REST at once."""
        sessions = self._followed()
        self._simulator.fault("omit_fields", fields=["*"])
        self._simulator.finish_all(sessions)
        self._simulator.clear_faults()
        self._claim_one_each("events with an empty body", sessions)
        counted = self._gateway.metric('events_rejected_total{reason="no_identity"}')
        self._report.claim("each is counted as no_identity", counted == len(sessions), f"{counted:.0f}")

    def _followed(self) -> list[AgentSession]:
        sessions = self._simulator.start_many(self._count)
        self._gateway.register_all(sessions)
        self._simulator.until_covered(sessions)
        return sessions

    def _claim_one_each(self, what: str, sessions: list[AgentSession], works: int = 1) -> None:
        """Claim one record for each work, once an answer of Genesys has closed every conversation."""
        closed = wait_for(lambda: {v["state"] for v in self._views(sessions)} == {"closed"}, _RECORDED_SECONDS)
        found = self._records(sessions)
        figure = f"{sum(found)} records of {works * len(sessions)} works, closed after {closed or -1:.1f} s"
        self._report.claim(f"{what}: one record each", closed is not None and found == [works] * len(sessions), figure)

    def _records(self, sessions: list[AgentSession]) -> list[int]:
        return [len(view["records"]) for view in self._views(sessions)]

    def _views(self, sessions: list[AgentSession]) -> list[Any]:
        return self._gateway.views(sessions)


def _result(session: AgentSession, at: int) -> dict[str, str]:
    """What the older trigger reports a second after the end of the after-call work."""
    return {
        "conversationId": session.conversation,
        "eventTime": datetime.fromtimestamp(at / 1000 + 1, UTC).isoformat(),
        "direction": "inbound",
        "mediaType": "voice",
        "ani": "+639171234567",
        "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
        "userId": session.user,
    }
