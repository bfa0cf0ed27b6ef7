"""Several instances on one PostgreSQL: one is killed, the server stops or hangs; each instance tells of it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flow.gateways import launch_gateway
from tests.flow.troubles.scene import Scene
from tests.harness.databases import OwnServer, own_server, url
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

QUICK = {"GATEWAY_LEASE_SECONDS": "6", "GATEWAY_HEARTBEAT_SECONDS": "4", "GATEWAY_HTTP_TIMEOUT_SECONDS": "2"}


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as made:
        if made is None:
            pytest.skip("the programs of a PostgreSQL server are not installed")
        made.execute("CREATE DATABASE gateway")
        yield made


@contextmanager
def instances(folder: Path, server: OwnServer, count: int) -> Iterator[list[Scene]]:
    """That many gateways on one database, each asked by itself."""
    simulator = Simulator(folder)
    made: list[Scene] = []
    for number in range(count):
        place = folder / f"instance-{number}"
        place.mkdir()
        gateway = launch_gateway(place, simulator.url, DATABASE_URL=url("gateway", server.port), **QUICK)
        made.append(Scene(simulator, gateway))
    try:
        for one in made:
            one.gateway.until_ready()
        yield made
    finally:
        for one in made:
            one.close()
            one.gateway.close()
        simulator.stop()


def test_an_instance_that_is_killed_until_another_runs_in_its_place(tmp_path: Path, server: OwnServer) -> None:
    with instances(tmp_path, server, 2) as (survivor, killed):
        killed.call().register().until("subscribed")

        killed.gateway.kill()
        trouble = survivor.comes("instance_lost")
        assert "1 instance" in trouble["text"]

        killed.gateway.start()
        survivor.goes("instance_lost")
        killed.goes("instance_lost")
        for one in (survivor, killed):
            assert one.gateway.stop() == 0


@pytest.mark.parametrize("how", ["stopped", "hangs"])
def test_a_server_that_does_not_answer(tmp_path: Path, server: OwnServer, how: str) -> None:
    with instances(tmp_path, server, 1) as (here,):
        call = here.call().register().until("subscribed")

        with outage(server, how):
            here.comes("disk_refuses")

        here.goes("disk_refuses")
        until(here.gateway.ready)
        call.act("end").act("wrapup").until_delivered()


@contextmanager
def outage(server: OwnServer, how: str) -> Iterator[None]:
    """Have the server stop, or hang with all its sessions, for as long as the body lasts."""
    if how == "stopped":
        server.crash()
        try:
            yield
        finally:
            server.start()
        return
    parent = server.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    pids = [parent, *map(int, children)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
