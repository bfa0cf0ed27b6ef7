"""The load during chaos: calls begin, are registered, are transferred from agent to agent, and end.

Invariant: BOFE repeats a registration, at one instance after the other, until the answer is 2xx; agents never wait for
the gateway.
"""

import time
from collections import Counter
from collections.abc import Callable
from itertools import count, cycle
from typing import Any
from uuid import uuid4

import gevent
from gevent.pool import Group

from tests.chaos.world import World
from tests.harness.http import NoAnswer
from tests.harness.simulator import AgentSession

#: Calls that begin each second, and agents of each call, one a second: 100 events a second.
_CALLS_PER_SECOND = 10
_AGENTS = 10
#: Number of agents: the gateway looks up that many names after each start.
_STAFF = 400


class Load:
    """Runs from :meth:`start` to :meth:`stop`; then all calls are over and all registrations answered."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls = Group()
        self._stopping = False
        self._source: gevent.Greenlet[..., None] | None = None
        #: greenlets that died of an error: a part of the load is missing
        self.failures: list[object] = []
        self.calls = 0
        #: conversations whose registration was answered with 2xx
        self.promised: list[str] = []
        #: registrations by the status of their answer; ``-``: no answer
        self.answers: Counter[str] = Counter()
        self.events = 0
        self._staff = cycle([{"userId": str(uuid4()), "name": f"Agent {n}"} for n in range(_STAFF)])

    def start(self) -> None:
        """Let calls begin."""
        self._source = gevent.spawn(self._begin_calls)
        self._source.link_exception(self.failures.append)

    def stop(self, seconds: float) -> bool:
        """Begin no more calls and end all calls. Returns False if a registration is unanswered after that time."""
        self._stopping = True
        if self._source is not None:
            self._source.join()
        self._calls.join(seconds)
        return not len(self._calls)

    def _begin_calls(self) -> None:
        begun = time.monotonic()
        for number in count():
            # By the clock: the time that starting a call takes must not reduce the load.
            gevent.sleep(max(0.0, begun + number / _CALLS_PER_SECOND - time.monotonic()))
            if self._stopping:
                return
            session = self._world.simulator.start(agent=next(self._staff))
            self.calls += 1
            self._spawn(self._register, session.conversation)
            self._spawn(self._handle, session)

    def _spawn(self, action: Callable[[Any], None], what: object) -> None:
        self._calls.spawn(action, what).link_exception(self.failures.append)

    def _register(self, conversation: str) -> None:
        for instance in cycle(self._world.instances[::-1] if self.calls % 2 else self._world.instances):
            try:
                status = str(instance.gateway.register(conversation).status)
            except NoAnswer:
                status = "-"
            self.answers[status] += 1
            if status in ("200", "201"):
                self.promised.append(conversation)
                return
            gevent.sleep(self._world.random.uniform(0.2, 1.0))

    def _handle(self, session: AgentSession) -> None:
        simulator, begun = self._world.simulator, time.monotonic()
        for number in range(1, _AGENTS):
            gevent.sleep(max(0.0, begun + number - time.monotonic()))
            if self._stopping:
                break
            successor = simulator.transfer(session.conversation, agent=next(self._staff))
            self._wrap_up(session)
            session = successor
        simulator.act(session.conversation, "end")
        self._wrap_up(session)

    def _wrap_up(self, session: AgentSession) -> None:
        self._world.simulator.wrap_up(session)
        self.events += 1
