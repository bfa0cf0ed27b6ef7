"""Which connection leaves when places are scarce, and is a request that has just begun ever lost?"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import gevent
import pytest
from gevent import socket

from genesys_gateway.web.idle_connections import FRESH_CONNECTIONS, FRESH_SECONDS, IdleConnections


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


class Caller:
    """One connection: the caller's end, and the greenlet that waits for its request."""

    def __init__(self, connections: IdleConnections, stack: ExitStack, seconds: float = 60.0) -> None:
        listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        self.end = stack.enter_context(closing(socket.create_connection(listener.getsockname())))
        self.sock, _ = listener.accept()
        self._connections = connections
        self._seconds = seconds
        self._busy = gevent.event.Event()
        self.received: list[bytes] = []
        self.left: list[bool] = []
        self.greenlet = gevent.spawn(self._serve)
        stack.callback(self.greenlet.kill)
        gevent.sleep(0)

    def _serve(self) -> None:
        with closing(self.sock), self._connections.opened(self.sock):
            while piece := self._connections.first_bytes(self.sock, lambda: bytes(self.sock.recv(99)), self._seconds):
                self.received.append(piece)
                self.left.append(self._connections.leaves(self.sock))
                if piece == b"long":
                    self._busy.wait()

    def send(self, text: bytes) -> None:
        self.end.sendall(text)

    def answer(self) -> None:
        """End the long request."""
        self._busy.set()

    @property
    def open(self) -> bool:
        return not self.greenlet.ready()


def settle() -> None:
    """Let every greenlet run until it waits."""
    for _ in range(20):
        gevent.sleep(0.001)


def callers(connections: IdleConnections, stack: ExitStack, count: int) -> list[Caller]:
    made = [Caller(connections, stack) for _ in range(count)]
    settle()
    return made


def opened(some: list[Caller]) -> int:
    return sum(one.open for one in some)


def test_while_there_are_places_nobody_leaves(stack: ExitStack) -> None:
    assert opened(callers(IdleConnections(70), stack, 70)) == 70


def test_of_many_idle_ones_the_longest_idle_makes_way(stack: ExitStack) -> None:
    connections = IdleConnections(FRESH_CONNECTIONS + 2)
    first, second, *others = callers(connections, stack, FRESH_CONNECTIONS + 2)
    first.send(b"request")
    settle()

    new = Caller(connections, stack)
    settle()

    assert (first.open, second.open, opened(others), new.open) == (True, False, len(others), True)
    assert second.end.recv(1) == b""


def test_one_that_has_just_come_may_say_its_first_word_although_all_places_are_taken(stack: ExitStack) -> None:
    connections = IdleConnections(1)
    (busy,) = callers(connections, stack, 1)
    busy.send(b"long")
    settle()

    new = Caller(connections, stack)
    settle()
    new.send(b"request")
    settle()

    assert (new.received, new.left) == ([b"request"], [False])
    assert busy.open


def test_one_that_says_nothing_for_a_moment_leaves_when_all_places_are_taken(stack: ExitStack) -> None:
    connections = IdleConnections(1)
    (busy,) = callers(connections, stack, 1)
    busy.send(b"long")
    settle()
    silent = Caller(connections, stack)

    silent.greenlet.join(FRESH_SECONDS + 1)

    assert (busy.open, silent.open) == (True, False)


def test_one_with_a_request_under_way_never_leaves(stack: ExitStack) -> None:
    connections = IdleConnections(1)
    (busy,) = callers(connections, stack, 1)
    busy.send(b"long")
    settle()

    idle = callers(connections, stack, FRESH_CONNECTIONS + 3)

    assert busy.open
    assert opened(idle) == FRESH_CONNECTIONS


@pytest.mark.parametrize("sent", ["before", "after"])
def test_a_request_that_meets_the_end_of_its_connection_is_still_read(stack: ExitStack, sent: str) -> None:
    connections = IdleConnections(5)
    caller = Caller(connections, stack)

    steps: list[Callable[[], None]] = [lambda: caller.send(b"request"), connections.close]
    for step in steps if sent == "before" else reversed(steps):
        step()  # no other greenlet runs between the two
    settle()

    assert (caller.received, caller.left) == ([b"request"], [True])
    assert not caller.open


def test_a_connection_is_closed_when_it_was_idle_for_too_long(stack: ExitStack) -> None:
    caller = Caller(IdleConnections(5), stack, seconds=0.05)
    gevent.sleep(0.03)
    caller.send(b"request")
    gevent.sleep(0.03)
    assert caller.open

    caller.greenlet.join(5)

    assert not caller.open
    assert caller.received == [b"request"]


def test_after_the_close_every_connection_leaves_once_it_is_idle(stack: ExitStack) -> None:
    connections = IdleConnections(5)
    idle, busy = Caller(connections, stack), Caller(connections, stack)
    busy.send(b"long")
    settle()

    connections.close()
    settle()
    assert (idle.open, busy.open) == (False, True)

    busy.answer()
    settle()
    assert not busy.open


def test_a_caller_that_has_gone_is_no_trouble(stack: ExitStack) -> None:
    connections = IdleConnections(1)
    gone, *there = callers(connections, stack, FRESH_CONNECTIONS)
    gone.end.close()

    new = Caller(connections, stack)
    settle()

    assert (gone.open, opened(there), new.open) == (False, FRESH_CONNECTIONS - 1, True)
