"""Plays the demo's own five conversations beside the traffic, for their media, names and notes; and a rush of calls.

Invariant: every conversation takes its steps at fixed intervals and ends by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from uuid import uuid4

from genesys_gateway.simulator.demo.clients import ContactCentre, Gateway
from genesys_gateway.simulator.demo.scenarios import SCENARIOS, WRAPUP_CODES, Scenario

#: Seconds from the start of one conversation to the start of the next.
_EVERY_SECONDS = 5.0
#: Seconds from one step of a conversation to the next.
_STEP_SECONDS = 8.0


@dataclass(slots=True, kw_only=True)
class Guests:
    """The conversations that go on now, and when the next step of each is due."""

    contact_centre: ContactCentre
    gateway: Gateway
    _next: float = 0.0
    _due: list[tuple[float, Iterator[None]]] = field(default_factory=list)
    _scenarios: Iterator[Scenario] = field(default_factory=lambda: cycle(SCENARIOS))

    def prepare(self) -> None:
        """Name the wrap-up codes. Raises DemoFailed."""
        for code, name in WRAPUP_CODES.items():
            self.contact_centre.name_wrapup_code(code, name)

    def rush(self, count: int) -> None:
        """Have that many customers call at once, as soon as :meth:`play` is called."""
        self._due += [(0.0, self._steps(SCENARIOS[0])) for _ in range(count)]

    def play(self, moment: float) -> None:
        """Take every step that is due at that moment, in seconds after the start. Raises DemoFailed."""
        if moment >= self._next:
            self._next = moment + _EVERY_SECONDS
            self._due.append((moment, self._steps(next(self._scenarios))))
        due = [steps for at, steps in self._due if at <= moment]
        self._due = [(at, steps) for at, steps in self._due if at > moment]
        self._due += [(moment + _STEP_SECONDS, steps) for steps in due if next(steps, _over) is not _over]

    def _steps(self, scenario: Scenario) -> Iterator[None]:
        """One conversation: a step each time."""
        centre, (first, *others) = self.contact_centre, scenario.agents
        connected = [centre.start(scenario.conversation, first)]
        conversation_id = connected[0].conversation_id
        customer_id = str(uuid4())
        while not self.gateway.try_to_register(customer_id, conversation_id):
            yield
        yield
        for agent in others:
            connected.append(centre.transfer(conversation_id, agent))
            yield
        centre.end(conversation_id)
        for one, agent in zip(connected, scenario.agents, strict=True):
            yield
            centre.wrap_up(one, agent)


_over = object()
