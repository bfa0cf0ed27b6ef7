"""A TCP proxy between a client and a server that breaks connections on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import gevent
from gevent import socket
from gevent.event import Event
from gevent.pool import Group
from gevent.server import StreamServer


class TcpProxy:
    """Forwards bytes in both directions until one of its methods breaks that.

    Args:
        host: Host of the server.
        port: Port of the server.
        at: Port of the proxy itself; 0 for any. While it does not run, connections are refused.
    """

    def __init__(self, host: str, port: int, at: int = 0) -> None:
        self._target = (host, port)
        self._flowing = Event()
        self._flowing.set()
        self._cut_after: bytes | None = None
        self._is_cut = False
        self._pumps = Group()
        self._server = StreamServer(("127.0.0.1", at), self._handle)

    @property
    def port(self) -> int:
        port = self._server.server_port
        assert port is not None
        return port

    def cut_replies_after(self, request: bytes) -> None:
        """Once, forward the next request with these bytes, but close both connections before the reply."""
        self._cut_after = request

    def stall(self) -> None:
        """Stop forwarding, and leave all connections open."""
        self._flowing.clear()

    def flow(self) -> None:
        """Forward again."""
        self._flowing.set()

    def cut(self) -> None:
        """Close all connections, and each new one at once."""
        self._is_cut = True
        self._pumps.kill()

    def restore(self) -> None:
        """Forward new connections again."""
        self._is_cut = False

    @contextmanager
    def running(self) -> Iterator["TcpProxy"]:
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(timeout=1)
            self._pumps.kill()

    def _handle(self, client: socket.socket, _address: object) -> None:
        if self._is_cut:
            client.close()
            return
        doomed = Event()
        # If the server is down, the client's connection ends at once.
        with suppress(ConnectionRefusedError), client, socket.create_connection(self._target) as server:
            pumps = [self._pumps.spawn(pump, client, server, doomed) for pump in (self._forth, self._back)]
            gevent.joinall(pumps, count=1)
            gevent.killall(pumps)

    def _forth(self, client: socket.socket, server: socket.socket, doomed: Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                self._flowing.wait()
                if self._cut_after is not None and self._cut_after in data:
                    self._cut_after = None
                    doomed.set()
                server.sendall(data)

    def _back(self, client: socket.socket, server: socket.socket, doomed: Event) -> None:
        with suppress(OSError):
            # A reply shows that the server has acted; a client to be cut never receives it.
            while (data := server.recv(65536)) and not doomed.is_set():
                self._flowing.wait()
                client.sendall(data)
