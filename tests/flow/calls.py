"""One phone call from its start to its end, as BOFE, the agent and Genesys see it."""

import json
import urllib.request
from typing import Any
from uuid import uuid4

from tests.doubles import until
from tests.flow.running import BOFE_TOKEN, GatewayProcess, Simulator


class Call:
    """A conversation at the simulator that a gateway is told of.

    Args:
        started: What the simulator is told beside the usual.
    """

    def __init__(self, simulator: Simulator, gateway: GatewayProcess, **started: Any) -> None:
        self._simulator, self._gateway = simulator, gateway
        self.customer = str(uuid4())
        told = {"mediaType": "VOICE", "direction": "INBOUND"} | started
        self.id = str(simulator.control("POST", "conversations", told)["conversationId"])

    def register(self) -> "Call":
        """BOFE tells the gateway."""
        body = {"customerId": self.customer, "interactionId": self.id}
        assert self._http("/customers/supportInteraction", json.dumps(body).encode())["interactionId"] == self.id
        return self

    def view(self) -> Any:
        """What the gateway says of it."""
        return self._http(f"/customers/supportInteraction/{self.id}")

    def until(self, state: str, seconds: float = 15.0) -> "Call":
        """Wait for a state of the conversation."""
        until(lambda: self.view()["state"] == state, seconds)
        return self

    def until_delivered(self, seconds: float = 15.0) -> "Call":
        """Wait until its one record has arrived."""
        until(lambda: [one["state"] for one in self.view()["records"]] == ["delivered"], seconds)
        return self

    def play(self, deed: str, **how: Any) -> "Call":
        """What happens at Genesys: wrapup, end and others."""
        self._simulator.control("POST", f"conversations/{self.id}/{deed}", how)
        return self

    def records(self) -> list[Any]:
        """What CommunicationHistory has of it."""
        found = [one["record"] for one in self._simulator.control("GET", "history")["records"]]
        return [record for record in found if record["interactionId"] == self.id]

    def _http(self, path: str, body: bytes | None = None) -> Any:
        headers = {"Authorization": f"Bearer {BOFE_TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._gateway.url + path, body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
