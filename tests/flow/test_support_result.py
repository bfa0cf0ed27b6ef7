"""Does an after-call work that comes through both doors reach CommunicationHistory once, whoever is first?"""

import time
from typing import Any
from uuid import uuid4

import pytest
import requests

from genesys_gateway.runtime.clock import isoformat
from tests.harness.gateway import BACKOFFICE_TOKEN, BOFE_TOKEN, Gateway
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"


class Play:
    """One conversation at the simulator, and both doors of the gateway.

    Args:
        registered: Whether BOFE knows it; then it begins when Genesys brings its events.
    """

    def __init__(self, simulator: Simulator, gateway: Gateway, *, registered: bool) -> None:
        self._simulator, self._gateway = simulator, gateway
        self._legs = self._sim("conversations", {"direction": "INBOUND", "ani": "tel:+639171234567"})
        self.conversation = self._legs["conversationId"]
        if registered:
            pair = {"customerId": CUSTOMER, "interactionId": self.conversation}
            assert self._ask("POST", "customers/supportInteraction", BOFE_TOKEN, json=pair).status_code == 201
            until(lambda: self.view()["state"] == "subscribed")

    def _sim(self, path: str, body: dict[str, Any]) -> Any:
        answer = requests.post(f"{self._simulator.url}/_sim/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def _ask(self, method: str, path: str, token: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, f"{self._gateway.url}/{path}", headers=headers, timeout=10, **more)

    def view(self) -> Any:
        return self._ask("GET", f"customers/supportInteraction/{self.conversation}", BOFE_TOKEN).json()

    def wrap_up(self) -> None:
        """The agent has done the after-call work; Genesys tells its own way."""
        self._sim(f"conversations/{self.conversation}/wrapup", {})

    def end(self) -> None:
        self._sim(f"conversations/{self.conversation}/end", {})

    def trigger(self) -> requests.Response:
        """The old trigger tells of it, a minute apart."""
        body = {
            "conversationId": self.conversation,
            "eventTime": isoformat(round(time.time() * 1000) - 60_000),
            "direction": "outbound",
            "mediaType": "voice",
            "ani": "+639171234567",
            "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
            "userId": self._legs["userId"],
        }
        return self._ask("POST", "customers/supportResult", BACKOFFICE_TOKEN, json=body)

    def sent(self) -> list[Any]:
        """The records of this conversation that CommunicationHistory was sent."""
        records = requests.get(f"{self._simulator.url}/_sim/history", timeout=10).json()["records"]
        return [one["record"] for one in records if one["record"]["interactionId"] == self.conversation]


@pytest.fixture
def play(simulator: Simulator, gateway: Gateway) -> Play:
    return Play(simulator, gateway, registered=True)


def test_a_result_before_the_event_is_the_one_record(play: Play, gateway: Gateway) -> None:
    duplicates = gateway.metric("events_duplicate_total")

    first = play.trigger()
    play.wrap_up()
    until(lambda: gateway.metric("events_duplicate_total") > duplicates)
    play.end()
    until(lambda: play.view()["outcome"] == "logged")

    assert first.status_code == 202
    (record,) = play.sent()
    assert record["id"] == first.json()["recordId"]
    assert record["customerId"] == CUSTOMER
    assert (record["direction"], record["channel"]) == ("OUTBOUND", "VOICE")
    assert record["customerHandle"] == "+639171234567", "the one number that the trigger knows"
    body = record["body"]
    assert (body["eventSource"], body["wrapUpCode"]) == ("supportResult", "ININ-WRAP-UP-TIMEOUT")
    assert [body[name] for name in ("participantId", "sessionId", "queueId", "wrapUpNotes", "afterCallWorkMs")] == [
        None
    ] * 5
    (shown,) = play.view()["records"]
    assert (shown["id"], shown["source"], shown["amended"]) == (record["id"], "supportResult", False)


def test_a_result_after_the_event_is_answered_with_the_events_record(play: Play) -> None:
    play.wrap_up()
    until(play.sent)

    late = play.trigger()
    play.end()
    until(lambda: play.view()["outcome"] == "logged")

    (record,) = play.sent()
    assert (late.status_code, late.json()) == (200, {"recordId": record["id"], "state": "delivered"})
    assert record["body"]["eventSource"] == "live"


def test_a_result_of_a_conversation_that_nobody_registered_is_sent_and_registers_nothing(
    simulator: Simulator, gateway: Gateway
) -> None:
    play = Play(simulator, gateway, registered=False)
    accepted = gateway.metric("conversations_accepted_total")

    assert play.trigger().status_code == 202
    until(play.sent)

    (record,) = play.sent()
    assert record["customerId"] is None
    assert play.view()["status"] == 404
    assert gateway.metric("conversations_accepted_total") == accepted


def test_a_result_of_another_agent_is_another_record(play: Play) -> None:
    play.wrap_up()
    until(play.sent)
    play._legs["userId"] = str(uuid4())

    assert play.trigger().status_code == 202
    until(lambda: len(play.sent()) == 2)
