"""A topic writer on a channel of the fake Genesys, for tests of its parts."""

from typing import Any, cast

from genesys_gateway.channels.topic_writer import TopicWriter, WriterListener
from genesys_gateway.genesys.client import Genesys
from genesys_gateway.genesys.notifications import Reply, parse
from genesys_gateway.genesys.websocket import SocketLost
from genesys_gateway.runtime.greenlets import TaskGroup
from tests.doubles.channels import FakeGenesys, FakeSocket, conversation, eventually, ids, quick
from tests.doubles.runtime import FakeClock, runtime


class WriterOnFakeGenesys:
    """A writer with a socket, and what it reported.

    Args:
        limit: Maximum number of topics that the server accepts on the channel.
        correlated: Whether replies over the socket carry a correlation id.
        changes: Settings.
    """

    def __init__(
        self, *, limit: int = 1000, correlated: bool = True, clock: FakeClock | None = None, **changes: Any
    ) -> None:
        self.clock = clock or FakeClock()
        self.settings = quick(**changes)
        self.server = FakeGenesys(self.clock, limit=limit, correlated=correlated)
        self.crashes: list[str] = []
        self.reports: list[tuple[str, Any]] = []
        #: the conversations that are covered according to all reports until now
        self.covered: set[str] = set()
        grant = self.server.create_channel()
        #: the channel as the server sees it
        self.channel = self.server.channels[grant.id]
        self.socket: FakeSocket | None = None
        shared = runtime(self.clock, self.crashes, seed=2)
        self.topics = TopicWriter(
            grant,
            genesys=cast(Genesys, self.server),
            settings=self.settings,
            runtime=shared,
            listener=WriterListener(
                covered=self._covered,
                missed=self._missed,
                drifted=lambda count: self.reports.append(("drifted", count)),
                rejected=lambda one, reason: self.reports.append(("rejected", (one, reason))),
                displaced=lambda some: self.reports.append(("displaced", some)),
                gone=lambda reason: self.reports.append(("gone", reason)),
                send=self._send,
            ),
        )
        self.tasks = TaskGroup("writer-test", shared.on_crash)
        self.server.calls.clear()

    def start(self, count: int = 0) -> None:
        """Open a socket, run the writer, and wait until ``count`` conversations are on the list."""
        self.open_socket()
        self.tasks.spawn("writer", self.topics.run)
        if count:
            self.topics.want(ids(count))
            self.until_settled()

    def unanswered_removal(self, count: int = 2) -> FakeSocket:
        """Start with ``count`` conversations and drop the first one; the server does not answer its removal.

        Returns:
            The socket over which the removal was sent.
        """
        self.start(count)
        self.server.answers = False
        self.topics.drop(conversation(0))
        socket = self.socket
        assert socket is not None
        eventually(lambda: socket.sent, self.clock)
        return socket

    def open_socket(self) -> None:
        """Open a socket, and pass what arrives on it to the writer."""
        self.socket = cast(FakeSocket, self.server.open_socket(f"wss://x/{self.channel.id}", self.settings))
        self.tasks.spawn("reader", self._read, self.socket)
        self.topics.opened()

    def lose_socket(self) -> list[str]:
        """Lose the socket; the server keeps the list. Returns the conversations that were covered until now."""
        assert self.socket is not None
        self.socket.break_off()
        self.socket.close()
        self.socket = None
        covered = self.topics.lost()
        self.covered -= set(covered)
        return covered

    def until_settled(self) -> None:
        """Wait until the server's list is the desired one."""
        eventually(lambda: self.topics.settled and self.topics.size == len(self.topics.desired), self.clock)

    def operations(self) -> list[str]:
        """The operations called until now, in order."""
        return [name for name, _, _ in self.server.calls]

    def reported(self, kind: str) -> list[Any]:
        """The values of all reports of one kind."""
        return [value for name, value in self.reports if name == kind]

    def end(self) -> None:
        """Stop everything; fails when a greenlet crashed."""
        self.topics.stop()
        if self.socket is not None:
            self.socket.break_off()
        self.tasks.stop(0.05)
        assert self.crashes == []

    def _covered(self, some: list[str]) -> None:
        self.reports.append(("covered", some))
        self.covered |= set(some)

    def _missed(self, some: list[str]) -> None:
        self.reports.append(("missed", some))
        self.covered -= set(some)

    def _send(self, text: str) -> None:
        if self.socket is None:
            raise SocketLost("no socket")
        self.socket.send(text)

    def _read(self, socket: FakeSocket) -> None:
        while not socket.lost:
            try:
                notification = parse(socket.receive())
            except SocketLost:
                return
            assert isinstance(notification, Reply)
            self.topics.replied(notification)
