"""An operator requeues over HTTP what the receiver refused, and it is delivered at once; with real processes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.test_beside_the_gateway import NOTES, Story
from tests.harness.gateway import OPS_TOKEN
from tests.harness.http import JsonClient
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

#: By itself the gateway would look for what was requeued after a quarter of it.
LEASE_SECONDS = 240.0
#: Seconds within which a requeued record is delivered, on a busy machine.
SOON = 30.0


@pytest.fixture
def refusing(simulator: Simulator) -> Iterator[Simulator]:
    """A CommunicationHistory that refuses every record with 422 at first."""
    simulator.control("POST", "/history/mode", {"mode": "422"})
    yield simulator
    simulator.control("POST", "/history/mode", {"mode": "ok"})


def test_what_was_refused_is_seen_revealed_requeued_and_delivered(tmp_path: Path, refusing: Simulator) -> None:
    story = Story(tmp_path, refusing, GATEWAY_LEASE_SECONDS=str(LEASE_SECONDS), GATEWAY_RECONCILE_SECONDS="60")
    operator = JsonClient(story.gateway.url, OPS_TOKEN)

    def get(address: str) -> Any:
        return operator.request("GET", f"/ops/api/{address}").json

    conversations = [story.call() for _ in range(3)]
    for conversation in conversations:
        story.wrap_up(conversation)
    until(lambda: len(get("records?state=dead")["items"]) == 3, 30)
    dead = {one["interactionId"]: one for one in get("records?state=dead")["items"]}
    first = dead[conversations[0]]["id"]

    assert {one["lastError"] for one in dead.values()} == {"HTTP 422"}
    assert NOTES not in str(get(f"records/{first}"))
    assert NOTES in str(operator.request("POST", f"/ops/api/records/{first}/reveal").json)
    assert "revealed" in [one["event"] for one in story.view(conversations[0])["timeline"]]

    refusing.control("POST", "/history/mode", {"mode": "ok"})
    one = operator.request("POST", f"/ops/api/records/{first}/requeue")
    assert (one.status, one.json) == (202, {"requeued": 1})
    story.until_record_is("delivered", conversations[0], SOON)
    assert operator.request("POST", f"/ops/api/records/{first}/requeue").status == 409
    rest = operator.request("POST", "/ops/api/records/requeue", {"reason": "HTTP 422"})
    assert (rest.status, rest.json) == (202, {"requeued": 2})
    for conversation in conversations[1:]:
        story.until_record_is("delivered", conversation, SOON)

    assert sorted(story.delivered()) == sorted(one["id"] for one in dead.values())
    assert get("records?state=dead") == {"items": [], "next": None}
    assert {one["state"] for one in get("conversations")["items"]} <= {"pending", "subscribed", "closed"}
    until(lambda: len(get("channels")) == 1, what="a look that saw the channel")
    operator.close()
    assert story.gateway.stop() == 0
