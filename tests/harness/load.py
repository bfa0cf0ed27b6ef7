"""The load on several instances: agents wrap up at a rate, and BOFE registers new conversations at another.

Invariant: it keeps its pace by the clock, whatever the gateway does.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import gevent
from gevent.event import Event
from gevent.pool import Pool

from tests.harness.instances import Instances
from tests.harness.simulator import AgentSession, Simulator

#: Actions under way at the same time.
_AT_ONCE = 32


@contextmanager
def paced(per_second: float, action: Callable[[int], object]) -> Iterator[None]:
    """Within the block call the action at that rate, with a number that rises. Raises what an action raised."""
    over, pool, errors = Event(), Pool(_AT_ONCE), list[BaseException]()

    def act(number: int) -> None:
        try:
            action(number)
        except Exception as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    def run() -> None:
        begun = time.monotonic()
        for number in itertools.count():
            if over.wait(max(0.0, begun + number / per_second - time.monotonic())):
                return
            pool.spawn(act, number)

    running = gevent.spawn(run)
    try:
        yield
    finally:
        over.set()
        running.get()
        pool.join()
    if errors:
        raise errors[0]


class Talk:
    """Transfers conversations from agent to agent in turn: each transfer ends the after-call work of the one before.

    The last one registered comes first: reconciliation asks about the first ones first, and an answer that shows a
    wrap-up of the same millisecond may be stored before its event.
    """

    def __init__(self, simulator: Simulator, sessions: Sequence[AgentSession]) -> None:
        self._simulator = simulator
        self._sessions = list(reversed(sessions))

    def next(self, number: int) -> None:
        """Transfer the conversation whose turn it is."""
        place = number % len(self._sessions)
        done = self._sessions[place]
        self._sessions[place] = self._simulator.transfer(done.conversation)
        self._simulator.wrap_up(done)


@contextmanager
def talking(simulator: Simulator, sessions: Sequence[AgentSession], per_second: float) -> Iterator[None]:
    """Within the block, that many after-call works end each second in these conversations."""
    with paced(per_second, Talk(simulator, sessions).next):
        yield


@contextmanager
def registering(instances: Instances, per_second: float) -> Iterator[list[AgentSession]]:
    """Within the block BOFE registers that many new conversations each second; yields those that were taken."""
    taken = list[AgentSession]()

    def register(_number: int) -> None:
        session = instances.simulator.start()
        if instances.register(session.conversation):
            taken.append(session)

    with paced(per_second, register):
        yield taken
