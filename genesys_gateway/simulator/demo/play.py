"""Lets the five conversations happen, and prints each thing that travels when it has been seen to.

Law: a line is printed after the fact it states; what does not come within its bound is said in red.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import uuid4

from genesys_gateway.simulator.demo.parties import Json, OnTheLine
from genesys_gateway.simulator.demo.screen import Screen
from genesys_gateway.simulator.demo.stage import QUIET_SECONDS, Stage
from genesys_gateway.simulator.demo.story import SCENES, WRAPUP_CODES, Agent, Scene
from genesys_gateway.simulator.demo.verdict import key_of

T = TypeVar("T")

#: How long a subscription, and a record, may take; a fraction of a second is normal.
_STEP_SECONDS = 15.0
#: How long all conversations may take to be closed.
_CLOSE_SECONDS = QUIET_SECONDS + 30.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One performance; what happened in it is what is expected of the gateway."""

    stage: Stage
    screen: Screen
    #: conversation/participant/session of each after-call work that was done
    announced: list[str] = field(default_factory=list)
    interactions: list[str] = field(default_factory=list)

    def conversations(self) -> None:
        """Play all five, one after the other.

        Raises:
            DemoFailed: The simulator or the gateway answered as it must not.
            Interrupted: Somebody wants it to end.
        """
        for code, name in WRAPUP_CODES.items():
            self.stage.centre.name_wrapup_code(code, name)
        for number, scene in enumerate(SCENES, 1):
            self.screen.heading(f"{number} of {len(SCENES)}  {scene.title}")
            self._scene(scene)

    def ends(self) -> dict[str, str]:
        """Wait until the gateway has closed them all, or the bound is reached; how each ended, or its state."""
        self.screen.heading(f"{QUIET_SECONDS} s after its last event the gateway asks whether a conversation is over")
        deadline = time.monotonic() + _CLOSE_SECONDS
        outcomes = {}
        for one in self.interactions:
            closed = self._until(partial(self._closed, one), deadline - time.monotonic())
            outcomes[one] = str(closed["outcome"] if closed else self.stage.gateway.view(one)["state"])
            what = f"is {_short(one)} over, and is all there?"
            good = outcomes[one] == "logged"
            self.screen.travels("gateway", "Genesys", what, f"closed as {outcomes[one]}" if closed else "", good=good)
        return outcomes

    def _scene(self, scene: Scene) -> None:
        centre, travels = self.stage.centre, self.screen.travels
        joined = [centre.start(scene.conversation, scene.agents[0])]
        conversation_id = joined[0].conversation_id
        travels(*scene.opening, f"conversation {_short(conversation_id)}")
        self._register(conversation_id)
        for before, agent in zip(scene.agents, scene.agents[1:], strict=False):
            joined.append(centre.transfer(conversation_id, agent))
            travels("agent", "agent", f"{before.name} hands over to {agent.name}")
        for who, agent in zip(joined, scene.agents, strict=True):
            self._wrap_up(who, agent)
        centre.end(conversation_id)
        travels("customer", "Genesys", scene.closing)

    def _register(self, conversation_id: str) -> None:
        self.interactions.append(conversation_id)
        customer_id = str(uuid4())
        status, _ = self.stage.gateway.register(customer_id, conversation_id)
        what = f"POST supportInteraction, customer {_short(customer_id)}"
        self.screen.travels("BOFE", "gateway", what, f"{status}, on disk")
        begun = time.monotonic()
        channel = self._until(lambda: self._subscribed(conversation_id), _STEP_SECONDS)
        what = f"subscribes …{_short(conversation_id)}.acw"
        if channel:
            result = f"{channel[:15]}…, {(time.monotonic() - begun) * 1000:.0f} ms"
            self.screen.travels("gateway", "Genesys", what, result)
        else:
            self.screen.travels("gateway", "Genesys", what, f"not there after {_STEP_SECONDS:.0f} s", good=False)

    def _wrap_up(self, who: OnTheLine, agent: Agent) -> None:
        travels = self.screen.travels
        done = self.stage.centre.wrap_up(who, agent)
        self.announced.append(done.key)
        travels("agent", "Genesys", f"{agent.name} wraps up: {WRAPUP_CODES[agent.wrapup_code]}")
        heard = "over the WebSocket" if done.heard else "no socket was listening"
        travels("Genesys", "gateway", "event: end of after-call work", heard, good=bool(done.heard))
        stored = self._until(lambda: self._stored(done.key), _STEP_SECONDS)
        if stored:
            late = datetime.fromisoformat(stored["receivedAt"]).timestamp() * 1000 - done.at
            travels(
                "gateway", "history", f"record {_short(stored['record']['id'])}", f"{late:.0f} ms after the wrap-up"
            )
        else:
            travels("gateway", "history", "record", f"not there after {_STEP_SECONDS:.0f} s", good=False)

    def _subscribed(self, conversation_id: str) -> str | None:
        """The channel, once both sides say so."""
        if self.stage.gateway.view(conversation_id)["state"] != "subscribed":
            return None
        return self.stage.centre.channel_of(conversation_id)

    def _stored(self, key: str) -> Json | None:
        return next((stored for stored in self.stage.centre.records() if key_of(stored["record"]) == key), None)

    def _closed(self, conversation_id: str) -> Json | None:
        view = self.stage.gateway.view(conversation_id)
        return view if view["state"] == "closed" else None

    def _until(self, look: Callable[[], T | None], seconds: float) -> T | None:
        """What ``look`` finds within the time, asked at least once; may raise Interrupted."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found is not None or time.monotonic() >= deadline:
                return found
            self.stage.pause(_LOOK_SECONDS)


def _short(identifier: str) -> str:
    return identifier[:8]
