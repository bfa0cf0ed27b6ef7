"""An operator's commands beside two instances on one PostgreSQL: what they show, and that both act on them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.flow.gateways import start_gateway
from tests.harness import databases
from tests.harness.gateway import Gateway
from tests.harness.processes import ROOT
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

LEASE_SECONDS, HEARTBEAT_SECONDS = 6.0, 4.0
#: How long until the conversations of a killed instance are covered by the other.
ADOPTED_SECONDS = LEASE_SECONDS + HEARTBEAT_SECONDS + 20.0
_QUICK = {
    "GATEWAY_LEASE_SECONDS": str(LEASE_SECONDS),
    "GATEWAY_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
    "GATEWAY_HTTP_TIMEOUT_SECONDS": "3",
}


class Two:
    """Two instances, one customer, and a terminal."""

    def __init__(self, folder: Path, simulator: Simulator, database_url: str) -> None:
        self.simulator = simulator
        self.customer = str(uuid4())
        self.database_url = database_url
        self.gateways = []
        for name in ("one", "other"):
            (folder / name).mkdir()
            settings = _QUICK | {"DATABASE_URL": database_url}
            self.gateways.append(start_gateway(folder / name, simulator.url, **settings))

    def call(self, gateway: Gateway) -> str:
        """Start a conversation with an agent, and register it at one of the instances."""
        started = {"mediaType": "VOICE", "direction": "INBOUND", "ani": "+639171234567"}
        conversation = str(self.simulator.control("POST", "/conversations", started)["conversationId"])
        assert gateway.register(conversation, self.customer).status == 201
        until(lambda: gateway.view(conversation)["state"] == "subscribed", 15)
        return conversation

    def type(self, *words: str, code: int = 0, **settings: str) -> str:
        """Run a command with DATABASE_URL as its only setting; returns its output."""
        environ = {"PATH": os.environ["PATH"], "DATABASE_URL": self.database_url} | settings
        command = [sys.executable, "-m", "genesys_gateway", *words]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def instances(self) -> dict[str, dict[str, Any]]:
        """What the command says of each instance, by the port at which it listens."""
        return {one["endpoint"].rpartition(":")[2]: one for one in json.loads(self.type("instances", "--json"))}

    def of(self, gateway: Gateway) -> dict[str, Any]:
        return self.instances()[str(gateway.port)]

    def check(self, code: int = 0) -> str:
        environ = self.gateways[0].environment
        return self.type("check", code=code, **{key: value for key, value in environ.items() if key != "PATH"})

    def until_records_are(self, states: list[str], conversation: str, seconds: float) -> None:
        until(lambda: [one["state"] for one in self.gateways[1].view(conversation)["records"]] == states, seconds)

    def close(self) -> None:
        for gateway in self.gateways:
            gateway.close()


@pytest.fixture
def two(tmp_path: Path, simulator: Simulator) -> Iterator[Two]:
    if not databases.reachable():
        pytest.skip("no PostgreSQL at 127.0.0.1:5432")
    with ExitStack() as stack:
        made = Two(tmp_path, simulator, databases.url(stack.enter_context(databases.postgresql())))
        stack.callback(made.close)
        yield made


def test_commands_see_both_instances_and_act_whichever_owns_the_conversation(two: Two) -> None:
    one, other = two.gateways
    calls = [two.call(gateway) for gateway in (one, other)]

    assert {found["state"] for found in two.instances().values()} == {"running"}
    until(lambda: [two.of(gateway)["conversations"] for gateway in (one, other)] == [1, 1], 10)
    for gateway, conversation in zip((one, other), calls, strict=True):
        owner = two.of(gateway)["id"]
        assert f"Owned by instance {owner}, whose lease lasts until" in two.type("why", conversation)

    said = two.check()
    assert "✓ instances: 2 running" in said
    assert "✓ database clock: within 1 s" in said
    assert "2 instances of this client hold" in said

    two.simulator.control("POST", "/history/mode", {"mode": "422"})
    try:
        for conversation in calls:
            two.simulator.control("POST", f"/conversations/{conversation}/wrapup", {"notes": "private"})
            two.until_records_are(["dead"], conversation, 15)
        assert len(json.loads(two.type("dead-letters", "list", "--json"))) == 2
    finally:
        two.simulator.control("POST", "/history/mode", {"mode": "ok"})
    assert "2 records requeued" in two.type("dead-letters", "requeue", "--all")
    for conversation in calls:
        two.until_records_are(["delivered"], conversation, LEASE_SECONDS + 10)

    assert "Followed still: 2" in two.type("erase", "--customer", two.customer)
    for gateway in (one, other):
        for conversation in calls:
            assert gateway.view(conversation)["customerId"] is None


def test_commands_name_an_instance_that_was_killed_and_who_took_over(two: Two) -> None:
    one, other = two.gateways
    conversation = two.call(one)
    lost = two.of(one)["id"]

    one.kill()
    # The server frees the lock of the killed one when it sees that its connection is closed, a moment later.
    until(lambda: other.view(conversation)["state"] == "pending", 5)
    said = two.type("why", conversation)
    assert f"instance {lost}, is in doubt" in said or f"instance {lost}, is lost" in said

    until(lambda: two.of(one)["state"] == "lost", ADOPTED_SECONDS)
    said = two.check(code=1)
    assert "✗ instances: 1 running, 1 lost" in said
    assert lost in said
    until(lambda: other.view(conversation)["state"] == "subscribed", ADOPTED_SECONDS)
    assert f"Owned by instance {two.of(other)['id']}, whose lease" in two.type("why", conversation)

    assert other.stop() == 0
    assert two.of(other)["state"] == "left"
    assert "the next instance that starts takes it over" in two.type("why", conversation).lower()
