"""The primary of PostgreSQL dies and its standby is promoted: the running gateway goes on at the new one."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.flow.calls import Call
from tests.flow.gateways import start_gateway
from tests.flow.outages import SETTINGS
from tests.harness.databases import HOST, OwnServer, own_server
from tests.harness.gateway import Gateway
from tests.harness.simulator import Simulator
from tests.harness.waiting import until


@pytest.fixture
def servers() -> Iterator[tuple[OwnServer, OwnServer]]:
    """A primary, and a standby that each commit waits for."""
    with ExitStack() as stack:
        first = stack.enter_context(own_server())
        if first is None:
            pytest.skip("the programs of a PostgreSQL server are not installed")
        second = stack.enter_context(own_server(primary=first))
        assert second is not None
        first.configure(synchronous_standby_names="*")
        until(lambda: first.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)])
        yield first, second


def instances(server: OwnServer) -> list[str]:
    return [str(row[0]) for row in server.execute("SELECT id FROM instance")]


def test_after_a_failover_the_same_instance_goes_on_with_its_sockets(
    tmp_path: Path, simulator: Simulator, servers: tuple[OwnServer, OwnServer]
) -> None:
    first, second = servers
    hosts = "&".join(f"host={HOST}:{one.port}" for one in servers)
    gateway = start_gateway(
        tmp_path, simulator.url, DATABASE_URL=f"postgresql+psycopg://postgres@/test?{hosts}", **SETTINGS
    )
    talking = [Call(simulator, gateway).listened_to() for _ in range(3)]
    before, sockets = instances(first), simulator.sockets_opened()

    first.crash()
    assert gateway.register(talking[0].id, talking[0].customer).status == 503
    for call in talking:
        call.act("wrapup")
    second.promote()

    for call in talking:
        call.until_delivered()
        assert [record["source"] for record in call.view()["records"]] == ["live"]
        assert len(call.records()) == 1
    Call(simulator, gateway).register().until("subscribed")
    assert instances(second) == before
    assert simulator.sockets_opened() == sockets
    until(gateway.ready)
    _goes_on_beside_the_old_primary(gateway, simulator, first)
    assert gateway.stop() == 0


def _goes_on_beside_the_old_primary(gateway: Gateway, simulator: Simulator, old: OwnServer) -> None:
    old.start()
    old.configure(synchronous_standby_names="")
    Call(simulator, gateway).register().until("subscribed").act("wrapup").until_delivered()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'genesys-gateway%'"
    until(lambda: old.execute(sessions) == [(0,)])
