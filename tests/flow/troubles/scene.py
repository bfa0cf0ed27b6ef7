"""A gateway and a simulator of their own, the gateway's list of troubles, and how long each takes to come and to go."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.flow.calls import Call
from tests.flow.gateways import start_gateway
from tests.harness.gateway import BACKOFFICE_TOKEN, OPS_TOKEN, Gateway
from tests.harness.http import JsonClient, NoAnswer
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

#: Within so many seconds of its cause a trouble is there, and within so many of its end it is gone; a machine that is
#: busy with other tests gets more.
SECONDS = 10.0

Json = dict[str, Any]


class Scene:
    """One gateway among those of a database, asked as an operator asks it."""

    def __init__(self, simulator: Simulator, gateway: Gateway) -> None:
        self.simulator, self.gateway = simulator, gateway
        self._ops = JsonClient(gateway.url, OPS_TOKEN)

    def call(self, **started: object) -> Call:
        """Begin a conversation."""
        return Call(self.simulator, self.gateway, **started)

    def finished(self, count: int) -> list[Call]:
        """Begin that many conversations, have them covered, and have the after-call work of each done."""
        calls = [self.call().register() for _ in range(count)]
        for call in calls:
            call.until("subscribed")
        for call in calls:
            call.act("end").act("wrapup")
        return calls

    def status(self) -> Json:
        """What the gateway tells operators now. Raises NoAnswer when it tells nothing."""
        reply = self._ops.request("GET", "/ops/api/status", seconds=10)
        if reply.status == 503:
            raise NoAnswer("the gateway has not read its database yet")
        assert reply.status == 200, reply.body
        found: Json = reply.json
        return found

    def troubles(self) -> dict[str, Json]:
        """The troubles by code. Raises NoAnswer as :meth:`status` does."""
        return {one["code"]: one for one in self.status()["troubles"]}

    def comes(self, code: str) -> Json:
        """Wait until the trouble is there, and return it: with its figure, and with what to do."""
        seen: list[Json] = []

        def is_there() -> bool:
            with suppress(NoAnswer):
                seen[:] = filter(None, [self.troubles().get(code)])
            return bool(seen)

        took = until(is_there, SECONDS, f"{code} is told")
        print(f"{code} came after {took:.1f} s: {seen[0]['text']}")  # noqa: T201 - shown by pytest -rP, as figures
        assert seen[0]["advice"].endswith(f"docs/runbook.md#{code}"), seen[0]
        return seen[0]

    def goes(self, code: str) -> None:
        """Wait until an answer comes without the trouble."""

        def is_gone() -> bool:
            with suppress(NoAnswer):
                return code not in self.troubles()
            return False

        took = until(is_gone, SECONDS, f"{code} is over")
        print(f"{code} went after {took:.1f} s")  # noqa: T201 - as above

    def requeue(self, record: str) -> None:
        """Have a dead record sent again."""
        assert self._ops.request("POST", f"/ops/api/records/{record}/requeue").status == 202

    def support_result(self, conversation: str) -> int:
        """Report an after-call work by supportResult, as the former trigger did; returns the status of the answer."""
        body = {
            "conversationId": conversation,
            "eventTime": "2026-11-22T10:00:00Z",
            "direction": "inbound",
            "mediaType": "voice",
            "ani": "+639171234567",
            "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
            "userId": "7b0d3f1e-2a44-4c1b-9a55-0f2f7a1f3c11",
        }
        client = JsonClient(self.gateway.url, BACKOFFICE_TOKEN)
        try:
            return client.request("POST", "/customers/supportResult", body).status
        finally:
            client.close()

    def close(self) -> None:
        """End what it asks with."""
        self._ops.close()


@contextmanager
def scene(folder: Path, *, options: dict[str, object] | None = None, **settings: str) -> Iterator[Scene]:
    """A simulator and a gateway with these settings, which must stop well at the end."""
    simulator = Simulator(folder, options)
    try:
        gateway = start_gateway(folder, simulator.url, **settings)
        made = Scene(simulator, gateway)
        yield made
        made.close()
        simulator.clear_faults()
        simulator.set_receiver("ok")
        assert gateway.stop() == 0
    finally:
        simulator.stop()
