"""Does an after-call work that arrives as a supportResult and as an event reach CommunicationHistory once?"""

import time
from typing import Any
from uuid import uuid4

import pytest

from genesys_gateway.runtime.clock import isoformat
from tests.harness.gateway import ADDRESS, BACKOFFICE_TOKEN, Gateway
from tests.harness.http import JsonClient, Reply
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"


class Play:
    """One conversation at the simulator, and both endpoints of the gateway.

    Args:
        registered: Register it first, and wait until it is covered.
    """

    def __init__(self, simulator: Simulator, gateway: Gateway, *, registered: bool) -> None:
        self._simulator, self._gateway = simulator, gateway
        self._back_office = JsonClient(gateway.url, BACKOFFICE_TOKEN)
        session = simulator.start(direction="INBOUND", ani="tel:+639171234567")
        self.conversation, self.agent = session.conversation, session.user
        if registered:
            assert gateway.register(self.conversation, CUSTOMER).status == 201
            until(lambda: self.view()["state"] == "subscribed")

    def view(self) -> Any:
        return self._gateway.bofe.request("GET", f"{ADDRESS}/{self.conversation}").json

    def wrap_up(self) -> None:
        """The agent ends the after-call work, and Genesys sends its event."""
        self._simulator.act(self.conversation, "wrapup")

    def end(self) -> None:
        self._simulator.act(self.conversation, "end")

    def trigger(self) -> Reply:
        """The older trigger reports it, with a time a minute off."""
        body = {
            "conversationId": self.conversation,
            "eventTime": isoformat(round(time.time() * 1000) - 60_000),
            "direction": "outbound",
            "mediaType": "voice",
            "ani": "+639171234567",
            "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
            "userId": self.agent,
        }
        return self._back_office.request("POST", "/customers/supportResult", body)

    def sent(self) -> list[Any]:
        """The records of this conversation at CommunicationHistory."""
        records = self._simulator.ledger("records")
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

    assert first.status == 202
    (record,) = play.sent()
    assert record["id"] == first.json["recordId"]
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
    until(lambda: [one["state"] for one in play.view()["records"]] == ["delivered"])

    late = play.trigger()
    play.end()
    until(lambda: play.view()["outcome"] == "logged")

    (record,) = play.sent()
    assert (late.status, late.json) == (200, {"recordId": record["id"], "state": "delivered"})
    assert record["body"]["eventSource"] == "live"


def test_a_result_of_a_conversation_that_nobody_registered_is_sent_and_registers_nothing(
    simulator: Simulator, gateway: Gateway
) -> None:
    play = Play(simulator, gateway, registered=False)
    accepted = gateway.metric("conversations_accepted_total")

    assert play.trigger().status == 202
    until(play.sent)

    (record,) = play.sent()
    assert record["customerId"] is None
    assert play.view()["status"] == 404
    assert gateway.metric("conversations_accepted_total") == accepted


def test_a_result_of_another_agent_is_another_record(play: Play) -> None:
    play.wrap_up()
    until(play.sent)
    play.agent = str(uuid4())

    assert play.trigger().status == 202
    until(lambda: len(play.sent()) == 2)
