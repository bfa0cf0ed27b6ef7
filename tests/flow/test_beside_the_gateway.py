"""Commands of an operator, and erasure by age, take effect in a running gateway; with real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.flow.gateways import start_gateway
from tests.harness.processes import ROOT
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

ANI, NOTES = "+639171234567", "He is getting divorced"
LEASE_SECONDS = 10.0
#: Seconds until a running gateway has acted on a command: it looks four times per lease, then sends. The machine may
#: be busy.
LOOK_SECONDS = LEASE_SECONDS / 4 + 8.0


class Story:
    """One customer, the contact centre, a gateway of this test's own, and a terminal."""

    def __init__(self, folder: Path, simulator: Simulator, **environ: str) -> None:
        self.folder = folder
        self.simulator = simulator
        self.customer = str(uuid4())
        self.gateway = start_gateway(folder, simulator.url, **environ)

    def call(self) -> str:
        """Start a conversation with an agent, register it, and wait until it is covered."""
        started = {"mediaType": "VOICE", "direction": "INBOUND", "ani": ANI}
        conversation = str(self.simulator.control("POST", "/conversations", started)["conversationId"])
        assert self.register(conversation)[0] == 201
        until(lambda: self.view(conversation)["state"] == "subscribed", 10)
        return conversation

    def register(self, conversation: str) -> tuple[int, Any]:
        reply = self.gateway.register(conversation, self.customer)
        return reply.status, reply.json

    def view(self, conversation: str) -> Any:
        return self.gateway.view(conversation)

    def wrap_up(self, conversation: str) -> None:
        self.simulator.control("POST", f"/conversations/{conversation}/wrapup", {"notes": NOTES})

    def end(self, conversation: str) -> None:
        self.simulator.control("POST", f"/conversations/{conversation}/end", {})

    def until_record_is(self, state: str, conversation: str, seconds: float = 10.0) -> str:
        until(lambda: [one["state"] for one in self.view(conversation)["records"]] == [state], seconds)
        return str(self.view(conversation)["records"][0]["id"])

    def type(self, *words: str, code: int = 0) -> str:
        """Run a command with DATABASE_URL as its only setting; returns its output."""
        environ = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{self.folder}/gateway.db"}
        command = [sys.executable, "-m", "genesys_gateway", *words]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def delivered(self) -> list[str]:
        """Ids of this customer's records at CommunicationHistory, in the order of their arrival."""
        records = self.simulator.control("GET", "/history")["records"]
        return [one["record"]["id"] for one in records if one["record"]["customerId"] == self.customer]


@pytest.fixture
def refusing(simulator: Simulator) -> Iterator[Simulator]:
    """A CommunicationHistory that refuses every record with 422 at first."""
    simulator.control("POST", "/history/mode", {"mode": "422"})
    yield simulator
    simulator.control("POST", "/history/mode", {"mode": "ok"})


def test_a_requeued_record_is_sent_and_an_erased_customer_is_gone_without_a_restart(
    tmp_path: Path, refusing: Simulator
) -> None:
    quick = {"GATEWAY_LEASE_SECONDS": str(LEASE_SECONDS), "GATEWAY_RECONCILE_SECONDS": "0.2"}
    story = Story(tmp_path, refusing, **quick)
    try:
        conversation = story.call()
        story.wrap_up(conversation)
        record = story.until_record_is("dead", conversation)

        assert "refused with HTTP 422" in story.type("why", conversation)
        assert record in story.type("dead-letters", "list", "--reason", "refused with HTTP 422")
        assert NOTES not in story.type("dead-letters", "show", record)
        assert NOTES in story.type("dead-letters", "show", record, "--reveal")
        assert record in story.type("erase", "--customer", story.customer, code=1), "it names what is undelivered"

        refusing.control("POST", "/history/mode", {"mode": "ok"})
        assert "1 record requeued" in story.type("dead-letters", "requeue", record)
        story.until_record_is("delivered", conversation, LOOK_SECONDS)
        assert story.delivered() == [record]

        assert "Followed still: 1" in story.type("erase", "--customer", story.customer)
        view = story.view(conversation)
        assert (view["customerId"], view["state"]) == (None, "subscribed")
        assert [item["event"] for item in view["timeline"]][-2:] == ["erased", "erased"]
        assert "Its customer was erased" in story.type("why", conversation)

        story.end(conversation)
        until(lambda: story.view(conversation)["outcome"] == "logged", 30)
        assert story.delivered() == [record]
    finally:
        assert story.gateway.stop() == 0
    assert_nothing_personal(story)


def test_what_is_delivered_and_closed_is_erased_by_age_and_may_be_registered_anew(
    tmp_path: Path, simulator: Simulator
) -> None:
    days = 3 / 86_400
    story = Story(tmp_path, simulator, GATEWAY_RETENTION_DAYS=f"{days:.8f}")
    try:
        followed = story.call()
        conversation = story.call()
        story.wrap_up(conversation)
        story.end(conversation)
        record = story.until_record_is("delivered", conversation)

        until(lambda: story.view(conversation)["customerId"] is None, 15)

        view = story.view(conversation)
        assert (view["state"], view["outcome"], view["records"][0]["id"]) == ("closed", "logged", record)
        assert view["timeline"][-1]["event"] == "erased"
        assert story.view(followed)["customerId"] == story.customer, "an open one keeps its customer"
        status, view = story.register(conversation)
        assert (status, view["customerId"]) == (200, story.customer)
        assert story.delivered() == [record]
    finally:
        assert story.gateway.stop() == 0
    assert [line for line in story.gateway.log() if line["event"] == "erased" and line.get("conversations") == 1]
    assert story.customer not in story.gateway.process.log.read_text()


def test_a_closed_conversation_is_forgotten_after_its_time_and_still_counted(
    tmp_path: Path, simulator: Simulator
) -> None:
    days = {"GATEWAY_RETENTION_DAYS": f"{3 / 86_400:.8f}", "GATEWAY_FORGET_DAYS": f"{6 / 86_400:.8f}"}
    story = Story(tmp_path, simulator, **days)
    try:
        followed = story.call()
        conversation = story.call()
        story.wrap_up(conversation)
        story.end(conversation)
        record = story.until_record_is("delivered", conversation)

        until(lambda: story.view(conversation) is None, 30)

        assert story.view(followed)["state"] == "subscribed"
        assert story.gateway.metric("forgotten_total") == 1
        assert story.gateway.metric("conversations_unaccounted") == 0
        story.gateway.restart_after_kill()
        until(lambda: story.gateway.metric("conversations") == 2, 15)
        assert story.gateway.metric("conversations_unaccounted") == 0
        status, view = story.register(conversation)
        assert (status, [line["event"] for line in view["timeline"]]) == (201, ["registered"])
        assert story.delivered() == [record]
    finally:
        assert story.gateway.stop() == 0


def assert_nothing_personal(story: Story) -> None:
    """Assert that no file holds personal data: neither logs nor the database with its own log."""
    for file in story.folder.iterdir():
        kept = file.read_bytes()
        assert not [value for value in (ANI, NOTES, story.customer) if value.encode() in kept], file
