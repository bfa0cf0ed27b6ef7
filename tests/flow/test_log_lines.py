"""What does a person at a terminal see, what does a program at a pipe get, and is one conversation's life in it?"""

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.flow.gateways import start_gateway
from tests.harness.gateway import Gateway
from tests.harness.processes import python
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

ROOT = Path(__file__).parents[2]
WRONG = {"GATEWAY_LEASE_SECONDS": "1", "GATEWAY_LOG_FORMAT": "auto", "TERM": "dumb"}
COMMAND = python("-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "GENESYS_"))}
    return kept | dict(changes)


def test_a_wrong_environment_in_a_terminal_tells_its_mistakes_one_a_line() -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(COMMAND, cwd=ROOT, env=_environment(WRONG), stdout=slave, stderr=slave)
    os.close(slave)

    code = process.wait(30)

    told = os.read(master, 65_536).decode().replace("\r\n", "\n")
    os.close(master)
    lines = told.splitlines()
    assert code == 2
    start = next(number for number, line in enumerate(lines) if line.startswith("Genesys-gateway can't start: "))
    mistakes = lines[start + 1 :]
    assert f"{len(mistakes)} settings are wrong." in lines[start]
    assert "  GENESYS_CLIENT_ID is missing" in mistakes
    assert all(re.match(r"  [A-Z_]+ ", line) for line in mistakes)
    assert not any(line.startswith("{") for line in lines)


def test_a_wrong_environment_behind_a_pipe_tells_its_mistakes_in_one_object() -> None:
    done = subprocess.run(COMMAND, cwd=ROOT, env=_environment(WRONG), capture_output=True, text=True, timeout=30)

    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    (told,) = [line for line in lines if line["event"] == "settings_wrong"]
    assert done.returncode == 2
    assert "GENESYS_CLIENT_ID is missing" in told["mistakes"]


@pytest.fixture
def gateway(tmp_path: Path, simulator: Simulator) -> Iterator[Gateway]:
    running = start_gateway(tmp_path, simulator.url, GATEWAY_LOG_FORMAT="auto")
    yield running
    running.stop()


def _is_done(view: Any) -> bool:
    return view["state"] == "closed" and [one["state"] for one in view["records"]] == ["delivered"]


def test_the_life_of_a_conversation_is_found_by_its_id(gateway: Gateway, simulator: Simulator) -> None:
    session = simulator.start()
    conversation = session.conversation
    gateway.register(conversation)
    gateway.wait_state(conversation, "subscribed", 20)
    gateway.register(conversation, customer="7d1f5a3e-0000-4000-8000-00000000000a")
    simulator.finish(session)
    until(lambda: _is_done(gateway.view(conversation)), 60)
    (record,) = [one["id"] for one in gateway.view(conversation)["records"]]
    gateway.stop()

    lines = [json.loads(line) for line in gateway.process.log.read_text().splitlines() if conversation in line]
    told = [line for line in lines if "event" in line and line["event"] != "request"]
    events = [line["event"] for line in told]
    assert events[:4] == ["registered", "subscribed", "re_paired", "event_stored"]
    assert sorted(events[4:]) == ["closed", "delivered"], "in either order"
    assert all(line["conversation"] == conversation for line in told)
    assert [line["record"] for line in told if line["event"] in ("event_stored", "delivered")] == [record, record]
    assert [line["outcome"] for line in told if line["event"] == "closed"] == ["logged"]
