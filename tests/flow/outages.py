"""A gateway on a PostgreSQL server of its own, which a test breaks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import psycopg

from tests.flow.calls import Call
from tests.flow.gateways import start_gateway
from tests.harness.databases import HOST, OwnServer, end_sessions, own_server, url
from tests.harness.gateway import Gateway
from tests.harness.http import Reply
from tests.harness.postgres_proxy import PostgresProxy
from tests.harness.simulator import Simulator

#: Short, so that what waits for the database is bounded by a second; but questions about a gap come seldom, because an
#: answer would tell of what an event that waits for the database is to tell.
SETTINGS = {
    "GATEWAY_ANALYTICS_SETTLE_SECONDS": "3600",
    "GATEWAY_HTTP_TIMEOUT_SECONDS": "1",
    "GATEWAY_LEASE_SECONDS": "6",
    "GATEWAY_RETRY_BASE_SECONDS": "0.1",
    "GATEWAY_RETRY_MAX_SECONDS": "1",
}
#: A registration takes at most the patience, and one turn of a busy machine.
BOUND_SECONDS = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A gateway on a database that fails."""

    server: OwnServer
    proxy: PostgresProxy
    simulator: Simulator
    gateway: Gateway

    def call(self, **started: Any) -> Call:
        return Call(self.simulator, self.gateway, **started)

    def post(self, call: Call) -> Reply:
        """Register it once, as BOFE does, within the bound."""
        with gevent.Timeout(BOUND_SECONDS):
            reply = self.gateway.register(call.id, call.customer)
        if reply.status == 503:
            assert int(reply.headers["Retry-After"]) >= 1
        return reply

    def refuses(self) -> bool:
        return self.post(self.call()).status == 503

    def accepts(self) -> bool:
        return self.post(self.call()).status == 201

    def stored(self, call: Call) -> bool:
        found = self.server.execute(f"SELECT count(*) FROM conversation WHERE id = '{call.id}'", "gateway")
        return found == [(1,)]

    def end_sessions(self) -> None:
        """Have the server end every session of the gateway."""
        end_sessions("gateway", self.server.port)

    @contextmanager
    def person(self) -> Iterator[psycopg.Connection[Any]]:
        """Somebody in psql, whose transaction is open until the end."""
        with psycopg.connect(f"postgresql://postgres@{HOST}:{self.server.port}/gateway") as connection:
            yield connection
            connection.rollback()


@contextmanager
def scene_on_a_server_of_its_own(
    folder: Path, simulator: Simulator, *, place_of_database: Path | None = None
) -> Iterator[Scene | None]:
    """Yield a running gateway; None where the programs of a server are not installed. At the end it must stop well.

    Args:
        folder: Of the gateway.
        place_of_database: Where the server keeps the database; without it beside its log.
    """
    with own_server() as server:
        if server is None:
            yield None
            return
        if place_of_database is not None:
            server.execute(f"CREATE TABLESPACE elsewhere LOCATION '{server.folder_in(place_of_database)}'")
        server.execute(f"CREATE DATABASE gateway{' TABLESPACE elsewhere' if place_of_database else ''}")
        with PostgresProxy(server.port).running() as proxy:
            gateway = start_gateway(folder, simulator.url, DATABASE_URL=url("gateway", proxy.port), **SETTINGS)
            yield Scene(server=server, proxy=proxy, simulator=simulator, gateway=gateway)
            assert gateway.stop() == 0
        crashed = [line for line in gateway.log() if line["event"] in ("greenlet_crashed", "batch_not_stored")]
        assert not crashed
