"""Runs the five conversations step by step and prints each message between two parties.

Invariant: a line is printed only after what it states has been observed; what does not happen within its time limit is
printed in red.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import uuid4

from genesys_gateway.simulator.demo.clients import ConnectedAgent, Json
from genesys_gateway.simulator.demo.deployment import QUIET_SECONDS, Deployment
from genesys_gateway.simulator.demo.result import key_of
from genesys_gateway.simulator.demo.scenarios import SCENARIOS, WRAPUP_CODES, Agent, Scenario
from genesys_gateway.simulator.demo.screen import Screen

T = TypeVar("T")

#: Time limit for a subscription, and for a record; a fraction of a second is normal.
_STEP_SECONDS = 15.0
#: Time limit until all conversations are closed.
_CLOSE_SECONDS = QUIET_SECONDS + 30.0
#: Pause between two looks at the same thing.
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRunner:
    """One run of all conversations; it collects what must have arrived at the end."""

    deployment: Deployment
    screen: Screen
    #: conversation/participant/session of each finished after-call work
    announced: list[str] = field(default_factory=list)
    interactions: list[str] = field(default_factory=list)

    def run_all(self) -> None:
        """Run the five conversations, one after the other.

        Raises:
            DemoFailed: The simulator or the gateway gave an unexpected answer.
            Interrupted: A signal asked the demo to end.
        """
        for code, name in WRAPUP_CODES.items():
            self.deployment.contact_centre.name_wrapup_code(code, name)
        for number, scenario in enumerate(SCENARIOS, 1):
            self.screen.heading(f"{number} of {len(SCENARIOS)}  {scenario.title}")
            self._run(scenario)

    def wait_until_closed(self) -> dict[str, str]:
        """Wait until the gateway has closed all conversations, within a time limit.

        Returns:
            Conversation to its outcome, or to its state if it is not closed.
        """
        self.screen.heading(f"{QUIET_SECONDS} s after its last event the gateway asks whether a conversation is over")
        deadline = time.monotonic() + _CLOSE_SECONDS
        outcomes = {}
        for one in self.interactions:
            closed = self._until(partial(self._closed, one), deadline - time.monotonic())
            outcomes[one] = str(closed["outcome"] if closed else self.deployment.gateway.view(one)["state"])
            text = f"is {_short(one)} over, and is all there?"
            good = outcomes[one] == "logged"
            self.screen.message("gateway", "Genesys", text, f"closed as {outcomes[one]}" if closed else "", good=good)
        return outcomes

    def _run(self, scenario: Scenario) -> None:
        contact_centre, message = self.deployment.contact_centre, self.screen.message
        connected = [contact_centre.start(scenario.conversation, scenario.agents[0])]
        conversation_id = connected[0].conversation_id
        message(*scenario.opening, f"conversation {_short(conversation_id)}")
        self._register(conversation_id)
        for previous, agent in zip(scenario.agents, scenario.agents[1:], strict=False):
            connected.append(contact_centre.transfer(conversation_id, agent))
            message("agent", "agent", f"{previous.name} transfers to {agent.name}")
        for one, agent in zip(connected, scenario.agents, strict=True):
            self._wrap_up(one, agent)
        contact_centre.end(conversation_id)
        message("customer", "Genesys", scenario.closing)

    def _register(self, conversation_id: str) -> None:
        self.interactions.append(conversation_id)
        customer_id = str(uuid4())
        status, _ = self.deployment.gateway.register(customer_id, conversation_id)
        text = f"POST supportInteraction, customer {_short(customer_id)}"
        self.screen.message("BOFE", "gateway", text, f"{status}, on disk")
        begun = time.monotonic()
        channel = self._until(lambda: self._subscribed(conversation_id), _STEP_SECONDS)
        text = f"subscribes …{_short(conversation_id)}.acw"
        if channel:
            result = f"{channel[:15]}…, {(time.monotonic() - begun) * 1000:.0f} ms"
            self.screen.message("gateway", "Genesys", text, result)
        else:
            self.screen.message("gateway", "Genesys", text, f"not there after {_STEP_SECONDS:.0f} s", good=False)

    def _wrap_up(self, connected: ConnectedAgent, agent: Agent) -> None:
        message = self.screen.message
        work = self.deployment.contact_centre.wrap_up(connected, agent)
        self.announced.append(work.key)
        message("agent", "Genesys", f"{agent.name} wraps up: {WRAPUP_CODES[agent.wrapup_code]}")
        result = "over the WebSocket" if work.sockets else "no socket was listening"
        message("Genesys", "gateway", "event: end of after-call work", result, good=bool(work.sockets))
        stored = self._until(lambda: self._stored(work.key), _STEP_SECONDS)
        if stored:
            late = datetime.fromisoformat(stored["receivedAt"]).timestamp() * 1000 - work.at
            message(
                "gateway", "history", f"record {_short(stored['record']['id'])}", f"{late:.0f} ms after the wrap-up"
            )
        else:
            message("gateway", "history", "record", f"not there after {_STEP_SECONDS:.0f} s", good=False)

    def _subscribed(self, conversation_id: str) -> str | None:
        """The channel, once both gateway and simulator report the subscription."""
        if self.deployment.gateway.view(conversation_id)["state"] != "subscribed":
            return None
        return self.deployment.contact_centre.channel_of(conversation_id)

    def _stored(self, key: str) -> Json | None:
        records = self.deployment.contact_centre.records()
        return next((stored for stored in records if key_of(stored["record"]) == key), None)

    def _closed(self, conversation_id: str) -> Json | None:
        view = self.deployment.gateway.view(conversation_id)
        return view if view["state"] == "closed" else None

    def _until(self, look: Callable[[], T | None], seconds: float) -> T | None:
        """Call ``look`` until it finds something or the time is over, at least once. Raises Interrupted."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found is not None or time.monotonic() >= deadline:
                return found
            self.deployment.pause(_POLL_SECONDS)


def _short(identifier: str) -> str:
    return identifier[:8]
