"""Does the demo show the whole way, and leave nothing behind?"""

import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from genesys_gateway.simulator.demo.children import Child
from genesys_gateway.simulator.demo.clients import Http
from genesys_gateway.simulator.demo.errors import DemoFailed
from tests.harness.http import JsonClient
from tests.harness.processes import Process, free_port, python
from tests.harness.waiting import until

#: A program that ends neither on SIGTERM nor by itself.
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


class Demo:
    """``python -m genesys_gateway demo`` with a temporary folder of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        environment = {"TMPDIR": str(self.temporary), "GENESYS_CLIENT_ID": "another's"}
        self.process = Process(python("-m", "genesys_gateway", "demo", *arguments), environment, folder / "demo.log")

    @property
    def said(self) -> str:
        return self.process.log.read_text()

    @property
    def token(self) -> str:
        """The operators' token that it has printed."""
        return str(re.findall(r"^  token +(\w+)$", self.said, re.MULTILINE)[0])

    def ports(self) -> list[int]:
        return [
            int(port) for port in re.findall(r"^  (?:simulator|gateway) +http://127\.0\.0\.1:(\d+)", self.said, re.M)
        ]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def left_behind(demo: Demo) -> list[object]:
    """Listeners and files of a demo that has ended."""
    return [*(port for port in demo.ports() if listens(port)), *demo.temporary.iterdir()]


def test_the_demo_ends_by_itself_when_every_record_has_arrived(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "--once")

    code = demo.process.wait(120)

    assert code == 0, demo.said
    assert "6 of 6 records arrived, each exactly once." in demo.said
    assert "5 of 5 conversations are closed as logged." in demo.said
    assert "\x1b[" not in demo.said
    assert len(demo.ports()) == 2
    address = f"http://127.0.0.1:{demo.ports()[1]}/ops/"
    assert re.search(rf"^  address  {re.escape(address)}\n  token    [0-9a-f]{{32}}$", demo.said, re.MULTILINE)
    assert left_behind(demo) == []


def test_traffic_goes_on_until_it_is_interrupted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "--traffic")
    until(lambda: len(demo.ports()) == 2 and "A contact centre at work" in demo.said, 30)
    simulator = JsonClient(f"http://127.0.0.1:{demo.ports()[0]}")
    until(lambda: simulator.request("GET", "/_sim/state").json["records"] >= 3, 60)
    operators = JsonClient(f"http://127.0.0.1:{demo.ports()[1]}", demo.token)
    status = operators.request("GET", "/ops/api/status")
    operators.close()

    demo.process.signal(signal.SIGINT)
    code = demo.process.wait(40)

    simulator.close()
    assert status.status == 200
    assert status.json["promise"]["accepted"] >= 3
    assert code == 0, demo.said
    arrived = re.search(
        r"^(\d+) of \d+ records have arrived, each exactly once; the gateway holds \d+\.$", demo.said, re.M
    )
    assert arrived is not None, demo.said
    assert int(arrived[1]) >= 3
    assert left_behind(demo) == []


def test_traffic_ends_by_itself_after_the_given_minutes(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "--traffic", "--minutes", "0.01")

    code = demo.process.wait(90)

    assert code == 0, demo.said
    assert left_behind(demo) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_the_demo_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    demo = Demo(tmp_path)
    until(lambda: len(demo.ports()) == 2, 30)

    demo.process.signal(number)
    code = demo.process.wait(40)

    assert code == 130, demo.said
    assert "Traceback" not in demo.said
    assert left_behind(demo) == []


def child_of(tmp_path: Path, program: str) -> Child:
    return Child("program", [sys.executable, "-c", program], {}, tmp_path, tmp_path / "log")


def test_a_child_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    child = child_of(tmp_path, "print('no licence'); raise SystemExit(7)")
    with pytest.raises(DemoFailed, match=r"The program ended with code 7:\n  no licence"):
        child.wait_for(Http(f"http://127.0.0.1:{free_port()}"), "/", 30)


def test_a_child_that_never_answers_is_not_waited_for_longer_than_said(tmp_path: Path) -> None:
    child = child_of(tmp_path, STUBBORN)
    try:
        with pytest.raises(DemoFailed, match="did not answer within 0 s"):
            child.wait_for(Http(f"http://127.0.0.1:{free_port()}"), "/", 0.2)
    finally:
        child.stop(0)


def test_a_child_that_hears_nothing_is_ended_the_hard_way(tmp_path: Path) -> None:
    child = child_of(tmp_path, STUBBORN)
    until(lambda: "deaf" in child.last_lines(), 30)

    child.stop(0.2)
    child.stop(0.2)

    assert not child.lives
