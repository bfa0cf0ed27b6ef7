"""The listeners: HTTP and WebSockets on one port, without Nagle's delay, on connections that can be reset."""

from __future__ import annotations

import signal
import socket
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler  # type: ignore[import-untyped]  # it has no types

from genesys_gateway.simulator.app import CHANNELS, REFUSAL, Simulator
from genesys_gateway.simulator.errors import ConnectionDropped
from genesys_gateway.simulator.sender import reset_on_close
from genesys_gateway.simulator.world import World

_BACKLOG = 1024
_LAST_PORT = 65_535
_POLL_SECONDS = 0.02


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens. Port 0 is replaced by a free one. Raises OSError if the port is in use, or no port."""
    if not 0 <= port <= _LAST_PORT:
        raise OSError(f"{port} is no port: ports are from 0 to {_LAST_PORT}")
    listening = socket.create_server((host, port), backlog=_BACKLOG)
    # Accepted sockets inherit this option. With Nagle's delay an answer takes 44 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def wait_until_stopped() -> None:
    """Wait for SIGINT or SIGTERM."""
    stop_requested = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, stop_requested.set)
    stop_requested.wait()


class SocketHandler(WebSocketHandler):  # type: ignore[misc]  # its base class has no types
    """Handles one connection. WebSockets are rejected before the upgrade, so that a rejection is an HTTP answer."""

    def upgrade_websocket(self) -> Any:
        """Upgrade the connection, unless the path or the application rejects it."""
        if not str(self.environ.get("PATH_INFO", "")).startswith(CHANNELS):
            return None
        refusal = self.server.application.refusal(self.environ)
        if refusal is not None:
            self.environ[REFUSAL] = refusal
            return None
        self.environ["simulator.socket"] = self.socket
        return super().upgrade_websocket()

    def run_application(self) -> None:
        """Run the application; reset the connection if it raises ConnectionDropped."""
        try:
            super().run_application()
        except ConnectionDropped as error:
            reset_on_close(self.socket)
            self.close_connection = True
            # The server takes this errno for a disconnected client, so it closes without an answer.
            raise ConnectionResetError(104, "told to") from error

    def log_request(self) -> None:
        """Do nothing: the ledger records every call."""


class Listener:
    """One port that can be opened and closed repeatedly."""

    def __init__(self, world: World, host: str, port: int) -> None:
        self.simulator = Simulator(world)
        self._host, self._port = host, port
        self._server: WSGIServer | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def open(self) -> bool:
        return self._server is not None

    def start(self) -> None:
        """Listen; has no effect if already listening. Port 0 is replaced by the assigned port.

        Raises:
            OSError: The port is in use.
        """
        if self._server is not None:
            return
        listening = listening_socket(self._host, self._port)
        self._port = listening.getsockname()[1]
        # With a pool, stopping ends the open connections too; without, it only rejects new ones.
        self._server = WSGIServer(listening, self.simulator, handler_class=SocketHandler, log=None, spawn=Pool())
        self._server.start()

    def stop(self) -> None:
        """Refuse new connections and end the open ones."""
        if self._server is not None:
            self._server.stop(timeout=0.1)
            self._server = None


class Service:
    """A world with its listeners: the main port, and optionally one only for the communication history."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, history_port: int | None = None) -> None:
        self.world = World()
        self._main = Listener(self.world, host, port)
        self._history = Listener(self.world, host, history_port) if history_port is not None else None
        self._watch: gevent.Greenlet[[Listener], None] | None = None
        self._host = host

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._main.port}"

    @property
    def history_url(self) -> str:
        return f"http://{self._host}:{self._history.port}" if self._history else f"{self.url}/history"

    @property
    def history_open(self) -> bool:
        """Whether the port of the communication history accepts connections."""
        return self._history is None or self._history.open

    def start(self) -> None:
        self._main.start()
        if self._history is not None:
            self._history.start()
            self._watch = gevent.spawn(self._watch_history, self._history)

    def stop(self) -> None:
        """Drop every socket and close the ports. Has no effect if already stopped."""
        if self._watch is not None:
            self._watch.kill()
        self.world.close()
        for listener in (self._main, self._history):
            if listener is not None:
                listener.stop()

    def _watch_history(self, listener: Listener) -> None:
        # A separate port can be closed, so that connections are refused rather than reset.
        while True:
            if self.world.receiver.down and listener.open:
                listener.stop()
            elif not self.world.receiver.down and not listener.open:
                listener.start()
            gevent.sleep(_POLL_SECONDS)
