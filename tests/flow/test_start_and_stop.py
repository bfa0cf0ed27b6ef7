"""How does the real process start, refuse to start, reload and end?"""

import http.client
import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from uuid import uuid4

import gevent
import pytest

from tests.flow.gateways import launch_gateway, start_gateway
from tests.harness.gateway import BOFE_TOKEN, Gateway
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

ADDRESS = "/customers/supportInteraction"


@pytest.fixture
def own_gateway(tmp_path: Path, simulator: Simulator) -> Iterator[Gateway]:
    """A gateway that a test may end."""
    running = start_gateway(tmp_path, simulator.url)
    yield running
    running.stop()


class Client:
    """One connection that is kept open."""

    def __init__(self, gateway: Gateway) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)

    def close(self) -> None:
        self._connection.close()

    def get(self, address: str) -> int:
        return self._answer("GET", address, None)

    def register(self) -> int:
        return self._answer("POST", ADDRESS, json.dumps({"customerId": str(uuid4()), "interactionId": str(uuid4())}))

    def _answer(self, method: str, address: str, body: str | None) -> int:
        headers = {"Authorization": f"Bearer {BOFE_TOKEN}", "Content-Type": "application/json"}
        self._connection.request(method, address, body, headers)
        response = self._connection.getresponse()
        response.read()
        return response.status


Connect = Callable[[Gateway], Client]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open connections that are closed after the test."""
    with ExitStack() as connections:
        yield lambda gateway: connections.enter_context(closing(Client(gateway)))


def started(folder: Path, **environ: str) -> tuple[int, Gateway]:
    """Start a gateway that is expected to end by itself; returns its exit code."""
    refused = launch_gateway(folder, "http://127.0.0.1:9", **environ)
    return refused.process.wait(20), refused


def test_wrong_settings_are_told_all_at_once_and_end_with_exit_code_2(tmp_path: Path) -> None:
    wrong = {"GATEWAY_LEASE_SECONDS": "1", "GATEWAY_BIND": "nonsense", "GATEWAY_TOKENS": "bofe:canary token"}

    code, refused = started(tmp_path, **wrong)

    assert code == 2
    (told,) = [line for line in refused.log() if line["level"] == "critical"]
    assert told["event"] == "settings_wrong"
    assert [mistake.split(" ")[0] for mistake in told["mistakes"]] == sorted(wrong)
    assert "canary" not in json.dumps(refused.log())


def test_people_are_told_in_lines(tmp_path: Path) -> None:
    code, refused = started(tmp_path, GATEWAY_LOG_FORMAT="text", GATEWAY_LEASE_SECONDS="1")

    assert code == 2
    assert refused.process.log.read_text().splitlines()[-2:] == [
        "Genesys-gateway can't start: 1 setting is wrong.",
        "  GATEWAY_LEASE_SECONDS must be at least twice GATEWAY_HTTP_TIMEOUT_SECONDS",
    ]


def test_a_database_with_two_names_ends_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").touch()
    (tmp_path / "other.db").hardlink_to(tmp_path / "gateway.db")

    code, refused = started(tmp_path)

    assert code == 2
    assert [line["event"] for line in refused.log() if line["level"] == "critical"] == ["database_unusable"]


def test_of_two_processes_on_one_file_one_serves_whatever_it_is_called(
    own_gateway: Gateway, tmp_path: Path, simulator: Simulator
) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "link.db").symlink_to(own_gateway.database)
    url = f"sqlite:///{tmp_path}/second/link.db"

    second = launch_gateway(tmp_path / "second", simulator.url, DATABASE_URL=url)

    until(lambda: "waiting_for_lock" in [line["event"] for line in second.log()])
    assert (own_gateway.ready(), second.ready()) == (True, False)
    assert own_gateway.stop() == 0
    second.until_ready()
    assert second.stop() == 0
    own_gateway.launch()


def test_several_hangups_at_once_leave_one_worker_that_serves(own_gateway: Gateway) -> None:
    def noticed(count: int) -> bool:
        return [line["event"] for line in own_gateway.log()].count("Hang up: Master") == count

    for number in range(1, 4):
        own_gateway.reload()
        until(partial(noticed, number), 30)  # of two signals that wait Linux would make one
    until(lambda: len(own_gateway.process.children()) == 1)
    own_gateway.until_ready()


def test_a_setting_nobody_knows_is_warned_about(tmp_path: Path, simulator: Simulator) -> None:
    running = start_gateway(tmp_path, simulator.url, GATEWAY_CHANEL_TOPICS="3")
    running.stop()

    warned = [line["warning"] for line in running.log() if line["event"] == "setting_to_look_at"]
    assert warned == ["GATEWAY_CHANEL_TOPICS is not a setting; did you mean GATEWAY_CHANNEL_TOPICS?"]


def test_on_sigterm_open_connections_are_served_but_not_ready_and_the_exit_code_is_0(
    own_gateway: Gateway, connect: Connect
) -> None:
    probe, bofe = connect(own_gateway), connect(own_gateway)
    assert (probe.get("/readyz"), bofe.register()) == (200, 201)

    own_gateway.process.signal(signal.SIGTERM)
    until(lambda: "draining" in [line["event"] for line in own_gateway.log()])

    assert (probe.get("/readyz"), bofe.register()) == (503, 201)
    assert own_gateway.process.wait(25) == 0
    assert own_gateway.log()[-1]["event"] == "Shutting down: Master"


def test_a_body_that_never_ends_does_not_keep_the_gateway_from_ending(own_gateway: Gateway) -> None:
    head = f"POST {ADDRESS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {BOFE_TOKEN}\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection(("127.0.0.1", own_gateway.port)) as stuck:
        stuck.sendall(head.encode() + b"{")
        gevent.sleep(0.2)

        assert own_gateway.stop(25) == 0
    assert "stopped" in [line["event"] for line in own_gateway.log()]


def test_a_reload_never_takes_what_it_does_not_keep_and_serves_again(own_gateway: Gateway, connect: Connect) -> None:
    assert connect(own_gateway).register() == 201

    own_gateway.process.signal(signal.SIGHUP)
    until(lambda: [line["event"] for line in own_gateway.log()].count("running") == 2, seconds=15)

    own_gateway.until_ready()
    assert connect(own_gateway).register() == 201
    assert "uncaught_error" not in [line["event"] for line in own_gateway.log()]


def test_after_a_kill_what_was_taken_is_still_there(
    own_gateway: Gateway, connect: Connect, tmp_path: Path, simulator: Simulator
) -> None:
    bofe = connect(own_gateway)
    assert [bofe.register() for _ in range(5)] == [201] * 5
    own_gateway.kill()

    again = start_gateway(tmp_path, simulator.url)

    # A line is written a moment after what it tells of.
    until(lambda: [line["event"] for line in again.log()].count("running") == 2)
    running = [line for line in again.log() if line["event"] == "running"][1]
    assert running["followed"] == 5
    assert again.stop() == 0
