"""The gateway as a process, and BOFE as its client.

Invariant: settings that a test does not give are at their defaults. Its assertion file is kept fresh.
"""

import base64
import os
import re
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gevent
import orjson
from gevent.pool import Pool

from tests.harness.http import JsonClient, NoAnswer, Reply
from tests.harness.judge import customer_of
from tests.harness.processes import Process, free_port, python
from tests.harness.simulator import AgentSession
from tests.harness.waiting import until, wait_for

ADDRESS = "/customers/supportInteraction"
BOFE_TOKEN = "bofe-token-of-the-harness1"
OPS_TOKEN = "ops-token-of-the-harness22"
BACKOFFICE_TOKEN = "backoffice-token-of-harness"
_READY_SECONDS = 30.0
#: Seconds after which the identity provider writes another assertion.
_ASSERTION_SECONDS = 1.0


class Gateway:
    """`gunicorn -c gunicorn.conf.py wsgi:app` in a folder of its own: a second start in the folder is a restart.

    Args:
        genesys_url: Address of the simulator, which is also CommunicationHistory unless a setting says otherwise.
        settings: Environment variables that differ from their defaults. Without GENESYS_GRANT_TYPE the gateway
            logs in with assertions, which an identity provider of ours writes into a file.
        before: Words before the command, e.g. a tool that runs it.
        port: Its port; without it any that is free.
    """

    def __init__(
        self,
        folder: Path,
        genesys_url: str,
        settings: Mapping[str, str],
        before: tuple[str, ...] = (),
        port: int | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "gateway.db"
        self._before = before
        self._assertion = folder / "assertion"
        self._environment = {
            "GENESYS_LOGIN_URL": genesys_url,
            "GENESYS_API_URL": genesys_url,
            "GENESYS_STREAMING_HOSTS": genesys_url.removeprefix("http://"),
            "GENESYS_CLIENT_ID": "simulator-client",
            "GENESYS_CLIENT_SECRET": "simulator-secret",
            "COMMUNICATION_HISTORY_URL": f"{genesys_url}/history",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "GATEWAY_BIND": f"127.0.0.1:{self.port}",
            "GATEWAY_TOKENS": f"bofe:{BOFE_TOKEN},ops:{OPS_TOKEN},backoffice:{BACKOFFICE_TOKEN}",
        }
        self._needs_assertions = "GENESYS_GRANT_TYPE" not in settings
        if self._needs_assertions:
            self._environment["GENESYS_ORG_NAME"] = "simulator-org"
            self._environment["GENESYS_SAML_ASSERTION_FILE"] = str(self._assertion)
        self._environment |= settings
        self.bofe = JsonClient(self.url, BOFE_TOKEN)
        self._process: Process | None = None
        self._identity_provider: gevent.Greenlet[[], None] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings of its next start, as environment variables."""
        return self._environment

    @property
    def process(self) -> Process:
        """The process that was launched last."""
        assert self._process is not None, "the gateway was not launched"
        return self._process

    @property
    def running(self) -> bool:
        """Whether it was launched and has not ended."""
        return self._process is not None and self._process.code is None

    def start(self, **changes: str) -> "Gateway":
        """Start it and wait until it is ready; ``changes`` of the settings also apply to later starts."""
        self.launch(**changes)
        self.until_ready()
        return self

    def launch(self, **changes: str) -> "Gateway":
        """Start it and return at once."""
        self._environment |= changes
        if self._needs_assertions:
            self._write_assertion()
            if self._identity_provider is None:
                self._identity_provider = gevent.spawn(self._provide_assertions)
        command = [*self._before, *python("-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")]
        self._process = Process(command, self._environment, self.folder / "gateway.log")
        return self

    def forget(self, name: str) -> None:
        """Leave out a setting from the next start on."""
        del self._environment[name]

    def until_ready(self, seconds: float = _READY_SECONDS) -> float:
        """Wait until it accepts registrations; returns the seconds. Raises TimeoutError, also when it has ended."""
        took = until(lambda: self.process.code is not None or self.ready(), seconds, f"ready; see {self.process.log}")
        if self.process.code is not None:
            raise TimeoutError(f"the gateway ended with code {self.process.code}; see {self.process.log}")
        return took

    def ready(self) -> bool:
        """Whether a load balancer would send it requests."""
        try:
            return self.bofe.request("GET", "/readyz", seconds=5).status == 200
        except NoAnswer:
            return False

    def close(self) -> None:
        """Kill it, if it runs, and its identity provider."""
        if self._identity_provider is not None:
            self._identity_provider.kill()
        if self._process is not None:
            self.kill()

    def _provide_assertions(self) -> None:
        while True:
            gevent.sleep(_ASSERTION_SECONDS)
            self._write_assertion()

    def _write_assertion(self) -> None:
        whole = self._assertion.with_suffix(".new")
        whole.write_bytes(base64.b64encode(os.urandom(400)))
        whole.replace(self._assertion)

    def kill(self) -> None:
        """Kill master and worker at once, like a power cut."""
        self.process.kill()
        self.bofe.close()

    def restart_after_kill(self) -> float:
        """Kill it and start it again; returns the seconds until it is ready."""
        self.kill()
        self.launch()
        return self.until_ready()

    def stop(self, seconds: float = 40.0) -> int:
        """Send SIGTERM and return the exit code. Raises subprocess.TimeoutExpired, and then kills it."""
        try:
            return self.process.stop(seconds)
        finally:
            self.bofe.close()

    def reload(self) -> None:
        """Send SIGHUP: gunicorn replaces the worker."""
        self.process.signal(signal.SIGHUP)

    @property
    def worker(self) -> int:
        """Pid of the worker that was started last."""
        return self.process.children()[-1]

    # BOFE

    def register(self, conversation: str, customer: str | None = None) -> Reply:
        """Register a conversation as BOFE does when an agent opens the customer.

        Args:
            customer: Another customer than :func:`customer_of` gives.

        Raises:
            NoAnswer: It is unknown whether it was registered.
        """
        pair = {"customerId": customer or customer_of(conversation), "interactionId": conversation}
        return self.bofe.request("POST", ADDRESS, pair, seconds=30)

    def register_all(self, sessions: Iterable[AgentSession], clients: int = 32) -> None:
        """Register the conversations through that many clients at once. Raises RuntimeError for any answer but 201."""
        statuses = Pool(clients).map(lambda session: self.register(session.conversation).status, list(sessions))
        if set(statuses) - {201}:
            raise RuntimeError(f"registrations answered with {sorted(set(statuses))}")

    def view(self, conversation: str) -> Any:
        """The interaction as BOFE is shown it; None when the gateway does not know it."""
        reply = self.bofe.request("GET", f"{ADDRESS}/{conversation}")
        return reply.json if reply.status == 200 else None

    def views(self, sessions: Iterable[AgentSession]) -> list[Any]:
        """The interaction of each session, as BOFE is shown it."""
        return [self.view(session.conversation) for session in sessions]

    def wait_state(self, conversation: str, state: str, seconds: float) -> float | None:
        """Wait until BOFE is shown that state; returns the seconds, or None when it took too long."""
        return wait_for(lambda: (self.view(conversation) or {}).get("state") == state, seconds)

    # For figures only: the gateway's statements about itself prove nothing.

    def metric(self, name: str) -> float:
        """The value of a metric, given without its prefix: with its labels, or else the sum over all labels.

        Raises:
            NoAnswer: The gateway does not answer, or has no such metric.
        """
        text = self.bofe.request("GET", "/metrics").body.decode()
        pattern = rf"^genesys_gateway_{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$"
        found = re.findall(pattern, text, re.MULTILINE)
        if not found:
            raise NoAnswer(f"no {name} among the metrics")
        return sum(map(float, found))

    def log(self) -> list[dict[str, Any]]:
        """Every line that was logged in its folder, as far as it is whole. Raises ValueError when one is not JSON."""
        whole, _, _ = self.process.log.read_bytes().rpartition(b"\n")  # the rest is being written
        return [orjson.loads(line) for line in whole.splitlines()]
