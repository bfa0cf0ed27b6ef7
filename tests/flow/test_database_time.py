"""An instance on PostgreSQL whose machine has a clock that is wrong and jumps: what it stores has right dates."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from tests.flow.gateways import start_gateway
from tests.harness import databases
from tests.harness.clock import WrongClock
from tests.harness.gateway import Gateway
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

HOUR = 3600
LEASE_SECONDS = 6.0


@pytest.fixture
def wrong(tmp_path: Path, simulator: Simulator) -> Iterator[tuple[Gateway, WrongClock]]:
    """A gateway on PostgreSQL whose clock is an hour ahead when it starts."""
    if not databases.reachable():
        pytest.skip("no PostgreSQL at 127.0.0.1:5432")
    with ExitStack() as stack:
        url = databases.url(stack.enter_context(databases.postgresql()))
        clock = WrongClock(tmp_path / "clock")
        clock.wrong_by(HOUR)
        quick = {"GATEWAY_LEASE_SECONDS": str(LEASE_SECONDS), "GATEWAY_HTTP_TIMEOUT_SECONDS": "3"}
        gateway = start_gateway(tmp_path, simulator.url, DATABASE_URL=url, **quick, **clock.environment)
        stack.callback(gateway.close)
        yield gateway, clock


def served(gateway: Gateway, simulator: Simulator) -> list[float]:
    """One conversation from its registration to its record; returns how far its dates are from the right ones."""
    begun = time.time()
    started = {"mediaType": "VOICE", "direction": "INBOUND"}
    conversation = str(simulator.control("POST", "/conversations", started)["conversationId"])
    assert gateway.register(conversation, str(uuid4())).status == 201
    until(lambda: gateway.view(conversation)["state"] == "subscribed", 15)
    simulator.control("POST", f"/conversations/{conversation}/wrapup", {"notes": "x"})
    until(lambda: [one["state"] for one in gateway.view(conversation)["records"]] == ["delivered"], 15)
    simulator.control("POST", f"/conversations/{conversation}/end", {})
    until(lambda: gateway.view(conversation)["state"] == "closed", 30)
    ended = time.time()
    dates = [datetime.fromisoformat(item["at"]).timestamp() for item in gateway.view(conversation)["timeline"]]
    return [max(begun - at, at - ended, 0.0) for at in dates]


def test_every_date_is_right_whatever_the_machines_clock_shows(
    wrong: tuple[Gateway, WrongClock], simulator: Simulator
) -> None:
    gateway, clock = wrong
    assert max(served(gateway, simulator)) < 1

    clock.wrong_by(-HOUR)
    assert max(served(gateway, simulator)) < 1
    until(lambda: [line for line in gateway.log() if line["event"] == "clock_differs"], LEASE_SECONDS)

    clock.wrong_by(0)
    assert max(served(gateway, simulator)) < 1
    assert not [line for line in gateway.log() if line["level"] in ("error", "critical")]
