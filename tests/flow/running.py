"""Real processes for the flow tests: a simulator and a gunicorn with the gateway in it, each on a port of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from random import randrange
from statistics import median
from typing import Any

import gevent

ROOT = Path(__file__).resolve().parents[2]

BOFE_TOKEN = "bofe-token-for-flow-tests"
OPS_TOKEN = "ops-token-for-flow-tests1"
BACKOFFICE_TOKEN = "backoffice-token-for-flow"

#: By the name of the process: the files that any such process of this test run wrote.
WRITTEN: defaultdict[str, set[Path]] = defaultdict(set)
#: Everything that was ever started by this test run.
STARTED: list["Running"] = []

#: Timers that would make a test wait; everything else is as in production.
_QUICK = {"GATEWAY_QUIET_SECONDS": "0.2", "GATEWAY_CHANNEL_IDLE_SECONDS": "1"}


class Running:
    """A child process that writes into files; ended at the latest by :meth:`stop`.

    Args:
        command: Program and arguments.
        folder: Where ``<name>.out`` and ``<name>.err`` are appended to.
    """

    def __init__(self, name: str, command: list[str], folder: Path, environ: dict[str, str]) -> None:
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        WRITTEN[name].update((self.out, self.err))
        clean = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        with self.out.open("ab") as out, self.err.open("ab") as err:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=clean | environ, stdout=out, stderr=err, start_new_session=True
            )
        STARTED.append(self)

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM, and the exit code it gave; SIGKILL to one that does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL to it and its children at once, as a power cut would: nobody can tidy up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Simulator(Running):
    """Genesys Cloud and CommunicationHistory-manager in one process.

    Args:
        arguments: More of its command line.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "genesys_gateway.simulator", "--port", str(self.port), *arguments]
        super().__init__("simulator", command, folder, {})
        until_answered(f"{self.url}/_sim/history", self)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Its control API; a refusal is an error of the test."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sim/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


class GatewayProcess(Running):
    """gunicorn with the gateway, as in production but for the port and what ``environ`` changes.

    Args:
        folder: Database and logs are kept there, so a second one in the same folder is a restart.
    """

    def __init__(self, folder: Path, simulator_url: str, **environ: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        host = simulator_url.removeprefix("http://")
        settings = _QUICK | {
            "GENESYS_LOGIN_URL": simulator_url,
            "GENESYS_API_URL": simulator_url,
            "GENESYS_STREAMING_HOSTS": host,
            "GENESYS_GRANT_TYPE": "client-credentials",
            "GENESYS_CLIENT_ID": "simulator-client",
            "GENESYS_CLIENT_SECRET": "simulator-secret",
            "COMMUNICATION_HISTORY_URL": f"{simulator_url}/history",
            "DATABASE_URL": f"sqlite:///{folder}/gateway.db",
            "GATEWAY_BIND": f"127.0.0.1:{self.port}",
            "GATEWAY_TOKENS": f"bofe:{BOFE_TOKEN},ops:{OPS_TOKEN},backoffice:{BACKOFFICE_TOKEN}",
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
        super().__init__("gateway", command, folder, settings | environ)

    def until_ready(self, seconds: float = 20.0) -> "GatewayProcess":
        """Wait until it takes registrations."""
        until_answered(f"{self.url}/readyz", self, seconds)
        return self

    def metric(self, name: str) -> float:
        """The value of a metric, given with its labels but without its prefix."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            found = re.search(rf"^genesys_gateway_{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
        assert found, name
        return float(found.group(1))

    def log(self) -> list[dict[str, Any]]:
        """What it wrote so far; a line that is no JSON object fails."""
        return [json.loads(line) for file in (self.out, self.err) for line in file.read_text().splitlines()]


def assert_quick(gateway: GatewayProcess) -> None:
    """It is alive and as quick as ever, and logged no error, whatever it was sent before."""
    took = []
    for _ in range(40):
        begun = time.monotonic()
        with urllib.request.urlopen(f"{gateway.url}/livez", timeout=10) as answer:
            assert answer.status == 200
        took.append(time.monotonic() - begun)
    assert median(took) < 0.25, took
    assert not [line for line in gateway.log() if line["level"] in ("error", "critical")]


def free_port() -> int:
    """A port nobody listens on right now, and none that Linux gives to a connection that goes out."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            port = randrange(10_000, 32_000)
            probe.bind(("127.0.0.1", port))
            return port


def until_answered(url: str, by: Running, seconds: float = 20.0) -> None:
    """Wait until that address answers 200; fails with what the process said."""
    end = time.monotonic() + seconds
    while by.process.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            gevent.sleep(0.05)
        else:
            return
    raise AssertionError(f"{url} did not answer:\n{by.err.read_text()[-4000:]}")
