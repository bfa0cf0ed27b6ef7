"""What goes on while things break: calls come in, are registered, are handed from agent to agent, and end.

Law: BOFE asks again until it is answered with 2xx; agents wait for nobody.
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

#: Calls that begin in a second, and agents that each of them meets, one a second: 100 events a second.
_CALLS_PER_SECOND = 10
_AGENTS = 10
#: People who work there: the names of so many are asked for after each start.
_STAFF = 400


class Load:
    """Begins with :meth:`start`; after :meth:`stop` all calls are over and all registrations answered."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls = Group()
        self._stopping = False
        self._source: gevent.Greenlet[..., None] | None = None
        #: greenlets that died of a mistake: what they had to do was not done
        self.failures: list[object] = []
        self.calls = 0
        #: conversations answered with 2xx
        self.promised: list[str] = []
        #: what registrations were answered; ``-``: nothing
        self.answers: Counter[str] = Counter()
        self.events = 0
        self._staff = cycle([{"userId": str(uuid4()), "name": f"Agent {n}"} for n in range(_STAFF)])

    def start(self) -> None:
        """Let calls come in."""
        self._source = gevent.spawn(self._begin_calls)
        self._source.link_exception(self.failures.append)

    def stop(self, seconds: float) -> bool:
        """No more calls; end those under way. False when BOFE still waits for an answer after that time."""
        self._stopping = True
        if self._source is not None:
            self._source.join()
        self._calls.join(seconds)
        return not len(self._calls)

    def _begin_calls(self) -> None:
        begun = time.monotonic()
        for number in count():
            # By the clock: the time that a call takes to begin must not make the load smaller.
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
        while True:
            try:
                status = str(self._world.gateway.register(conversation).status)
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
