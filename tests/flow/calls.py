"""One conversation from its start to its end, as BOFE, the agent and Genesys see it."""

import time
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, NullPool, create_engine, text

from tests.harness.gateway import ADDRESS, Gateway
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

#: Longer than what a test does before the event of its conversation comes.
_SOON_SECONDS = 20


class Call:
    """A conversation at the simulator, which a gateway can be given.

    Args:
        started: Details of the conversation that differ from an inbound voice call.
    """

    def __init__(self, simulator: Simulator, gateway: Gateway, **started: Any) -> None:
        self._simulator, self._gateway = simulator, gateway
        self.customer = str(uuid4())
        details = {"mediaType": "VOICE", "direction": "INBOUND"} | started
        self.id = simulator.start(**details).conversation

    def register(self) -> "Call":
        """Register it as BOFE does."""
        reply = self._gateway.register(self.id, self.customer)
        assert reply.status in (200, 201), reply.body
        assert reply.json["interactionId"] == self.id
        return self

    def view(self) -> Any:
        """The interaction as BOFE is shown it."""
        reply = self._gateway.bofe.request("GET", f"{ADDRESS}/{self.id}", seconds=10)
        assert reply.status == 200, reply.body
        return reply.json

    def until(self, state: str, seconds: float = 15.0) -> "Call":
        """Wait for a state of the conversation."""
        until(lambda: self.view()["state"] == state, seconds, state)
        return self

    def listened_to(self) -> "Call":
        """Register it and wait until only its event can tell of its after-call work.

        That is when it is subscribed and no question about it is due: unless calls are scarce the first one is asked
        at once, and its answer may come after the work has ended.
        """
        self.register().until("subscribed")
        database = create_engine(self._gateway.environment["DATABASE_URL"], poolclass=NullPool)
        until(lambda: self._next_question(database) > time.time() + _SOON_SECONDS, what="no question is due")
        return self

    def _next_question(self, database: Engine) -> float:
        """When Genesys is asked about it next, in seconds since 1970."""
        with database.connect() as connection:
            found = connection.execute(text("SELECT due_at FROM conversation WHERE id = :id"), {"id": self.id})
            return float(found.scalar_one()) / 1000

    def until_delivered(self, seconds: float = 15.0) -> "Call":
        """Wait until its one record is delivered."""
        until(lambda: [one["state"] for one in self.view()["records"]] == ["delivered"], seconds, "delivered")
        return self

    def act(self, action: str, **details: Any) -> "Call":
        """Have something happen in it at Genesys: wrapup, end and others."""
        self._simulator.act(self.id, action, **details)
        return self

    def records(self) -> list[Any]:
        """Its records at CommunicationHistory."""
        found = [one["record"] for one in self._simulator.control("GET", "/history")["records"]]
        return [record for record in found if record["interactionId"] == self.id]
