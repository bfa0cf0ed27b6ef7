"""The gateway connects only to configured hosts, wherever Genesys, the receiver or a caller tries to lead it."""

import ast
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from gevent.server import StreamServer

from tests.flow.calls import Call
from tests.flow.gateways import launch_gateway
from tests.harness.processes import ROOT
from tests.harness.simulator import Simulator
from tests.harness.waiting import until


class Trap:
    """A port to which nothing may connect."""

    def __init__(self) -> None:
        self.visits = 0
        self._server = StreamServer(("127.0.0.1", 0), self._visited)
        self._server.start()

    @property
    def port(self) -> int:
        assert self._server.server_port
        return self._server.server_port

    def close(self) -> None:
        self._server.stop(timeout=0)

    def _visited(self, _connection: object, _address: object) -> None:
        self.visits += 1


class Watched:
    """A gateway whose connections are all recorded, and a trap to which it must not connect."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.notes = folder / "notes"
        self.trap = Trap()
        stack.callback(self.trap.close)
        self.simulator = Simulator(folder)
        stack.callback(self.simulator.stop)
        watching = {"PYTHONPATH": str(ROOT / "tests/flow/watched"), "WATCHED_NOTES": str(self.notes)}
        quick = {"GATEWAY_RETRY_BASE_SECONDS": "0.1", "GATEWAY_RETRY_MAX_SECONDS": "0.3"}
        # Variables that lead most HTTP clients elsewhere.
        lures = {"HTTP_PROXY": self.lure, "HTTPS_PROXY": self.lure, "ALL_PROXY": self.lure}
        self.gateway = launch_gateway(folder, self.simulator.url, **watching, **quick, **lures)
        stack.callback(self.gateway.stop)
        self.gateway.until_ready()

    @property
    def lure(self) -> str:
        return f"http://127.0.0.1:{self.trap.port}"

    def seen(self) -> set[tuple[str, object]]:
        """Every (host, port) it connected to, and every name it looked up with "name" for a port."""
        found: set[tuple[str, object]] = set()
        for line in self.notes.read_text().splitlines():
            kind, _, told = line.partition(" ")
            value = ast.literal_eval(told)
            found.add((value[0], value[1]) if kind == "connect" else (_text(value), "name"))
        return found


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with ExitStack() as stack:
        yield Watched(tmp_path, stack)


def test_neither_redirects_nor_addresses_in_answers_nor_the_environment_lead_it_elsewhere(watched: Watched) -> None:
    simulator = watched.simulator
    elsewhere = {"status": 307, "headers": {"Location": f"{watched.lure}/"}, "count": 3}
    for path in ("/oauth/token", "/api/v2/notifications/channels", "/history/communicationRecords"):
        simulator.control("POST", "/faults", {"name": "answer", "path": path} | elsewhere)
    for uri in (f"ws://127.0.0.1:{watched.trap.port}/channels/x", "wss://evil.example/channels/x", "ws://u@127.0.0.1/"):
        simulator.control("POST", "/faults", {"name": "connect_uri", "uri": uri, "count": 1})
    simulator.control("POST", "/faults", {"name": "revoked_token"})  # it has one since its start

    call = Call(simulator, watched.gateway).register().until("subscribed", 40)
    call.act("wrapup", notes=f"see {watched.lure}").until_delivered(40)

    until(lambda: not simulator.control("GET", "/state")["faults"], 20)
    assert watched.trap.visits == 0
    assert watched.seen() <= {("127.0.0.1", simulator.port), ("127.0.0.1", "name")}


def test_the_watch_would_notice(watched: Watched) -> None:
    Call(watched.simulator, watched.gateway).register().until("subscribed")

    assert ("127.0.0.1", watched.simulator.port) in watched.seen()
