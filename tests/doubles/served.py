"""The application on a port of this process, with a service that a test sets."""

from __future__ import annotations

from typing import cast

from gevent.pywsgi import WSGIServer

from app import create_app
from genesys_gateway.web.routes import GatewayFacade
from tests.doubles.operated import ShownWatch, a_busy_hour
from tests.doubles.web import FakeGateway

#: Maximum number of connections; browsers keep theirs open, and would be answered after the end otherwise.
_CONNECTIONS = 1000


class Served:
    """Serves until :meth:`stop`; its dashboard shows what :attr:`watch` is told to show."""

    def __init__(self, *, away_at: range = range(210, 246)) -> None:
        self.gateway = FakeGateway()
        self.watch = ShownWatch()
        self.gateway.watching = self.watch  # type: ignore[assignment]
        self.gateway.hour = a_busy_hour(self.gateway.metrics, away_at)
        self.app = create_app(cast(GatewayFacade, self.gateway))
        self._server = WSGIServer(("127.0.0.1", 0), self.app, log=None, spawn=_CONNECTIONS)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """End all streams, all connections and the server."""
        self.watch.draining = True
        self._server.stop(timeout=1)
        self.gateway.close()
