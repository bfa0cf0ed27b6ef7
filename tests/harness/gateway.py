"""The gateway as a process, and BOFE as its client.

Law: what a story does not name is at its default. Assertions are always fresh, as Genesys takes each once.
"""

import base64
import os
import re
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import gevent
import orjson
from gevent.pool import Pool

from tests.harness.http import NoAnswer, Reply, Web
from tests.harness.judge import customer_of
from tests.harness.processes import Child, free_port, python
from tests.harness.simulator import Centre, Line, until, wait_for

ADDRESS = "/customers/supportInteraction"
_TOKENS = {role: f"{role}-{uuid4().hex}" for role in ("bofe", "ops", "backoffice")}
_READY_SECONDS = 30.0


class Gateway:
    """`gunicorn -c gunicorn.conf.py wsgi:app` with its own folder: a second start in it is a restart.

    Args:
        settings: Environment variables that differ from their defaults.
        before: Words before the command, e.g. a tool that runs it.
    """

    def __init__(self, folder: Path, centre: Centre, settings: Mapping[str, str], before: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "gateway.db"
        self._before = before
        self._assertion = folder / "assertion"
        self._environment = {
            "GENESYS_LOGIN_URL": centre.url,
            "GENESYS_API_URL": centre.url,
            "GENESYS_STREAMING_HOSTS": centre.url.removeprefix("http://"),
            "GENESYS_CLIENT_ID": "simulator-client",
            "GENESYS_CLIENT_SECRET": "simulator-secret",
            "GENESYS_ORG_NAME": "simulator-org",
            "GENESYS_SAML_ASSERTION_FILE": str(self._assertion),
            "COMMUNICATION_HISTORY_URL": centre.history_url,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "GATEWAY_BIND": f"127.0.0.1:{self.port}",
            "GATEWAY_TOKENS": ",".join(f"{role}:{token}" for role, token in _TOKENS.items()),
            **settings,
        }
        self.bofe = Web(self.url, _TOKENS["bofe"])
        self.child: Child
        self._identity_provider: gevent.Greenlet[[], None] | None = None

    def start(self, **changes: str) -> "Gateway":
        """Start it and wait until it is ready; ``changes`` stay for later starts."""
        self.launch(**changes)
        self.until_ready()
        return self

    def launch(self, **changes: str) -> None:
        """Start it."""
        self._environment |= changes
        self._provide_assertion()
        if self._identity_provider is None:
            self._identity_provider = gevent.spawn(self._provide_assertions)
        command = [*self._before, *python("-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")]
        self.child = Child(command, self._environment, self.folder / "gateway.log")

    def until_ready(self, seconds: float = _READY_SECONDS) -> float:
        """Seconds until it takes registrations. Raises TimeoutError, also when it has ended."""
        took = until(lambda: self.child.code is not None or self.ready(), seconds, "the gateway is ready")
        if self.child.code is not None:
            raise TimeoutError(f"the gateway ended with code {self.child.code}; see {self.child.log}")
        return took

    def ready(self) -> bool:
        """What a load balancer sees."""
        try:
            return self.bofe.ask("GET", "/readyz", seconds=5).status == 200
        except NoAnswer:
            return False

    def close(self) -> None:
        """End it, and its identity provider."""
        if self._identity_provider is not None:
            self._identity_provider.kill()
            self.kill()

    def _provide_assertions(self) -> None:
        while True:
            gevent.sleep(1)
            self._provide_assertion()

    def _provide_assertion(self) -> None:
        whole = self._assertion.with_suffix(".new")
        whole.write_bytes(base64.b64encode(os.urandom(400)))
        whole.replace(self._assertion)

    def kill(self) -> None:
        """A power cut."""
        self.child.kill()
        self.bofe.close()

    def restart_after_kill(self) -> float:
        """A power cut, and on again; seconds until it is ready."""
        self.kill()
        self.launch()
        return self.until_ready()

    def terminate(self, seconds: float = 40.0) -> int:
        """SIGTERM; its exit code."""
        self.child.signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        finally:
            self.bofe.close()

    def reload(self) -> None:
        """SIGHUP: gunicorn replaces the worker."""
        self.child.signal(signal.SIGHUP)

    @property
    def worker(self) -> int:
        """Pid of the worker that was started last."""
        return self.child.children()[-1]

    # BOFE

    def register(self, conversation: str, customer: str | None = None) -> Reply:
        """What BOFE does when an agent opens the customer, the same each time. Raises NoAnswer."""
        pair = {"customerId": customer or customer_of(conversation), "interactionId": conversation}
        return self.bofe.ask("POST", ADDRESS, pair, seconds=30)

    def register_all(self, lines: Iterable[Line], clients: int = 32) -> None:
        """Everyone, by that many clients at once. Raises RuntimeError for any answer but 201."""
        statuses = Pool(clients).map(lambda line: self.register(line.conversation).status, list(lines))
        if set(statuses) - {201}:
            raise RuntimeError(f"registrations answered with {sorted(set(statuses))}")

    def view(self, conversation: str) -> Any:
        """What it tells BOFE of an interaction; None when it knows none."""
        reply = self.bofe.ask("GET", f"{ADDRESS}/{conversation}")
        return reply.json if reply.status == 200 else None

    def until_state(self, conversation: str, state: str, seconds: float) -> float | None:
        """Seconds until that state shows; None if it does not."""
        return wait_for(lambda: (self.view(conversation) or {}).get("state") == state, seconds)

    # For figures only: what it says of itself proves nothing.

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels, given without its prefix. Raises NoAnswer when it tells none."""
        text = self.bofe.ask("GET", "/metrics").body.decode()
        found = re.findall(rf"^genesys_gateway_{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        if not found:
            raise NoAnswer(f"no {name} among the metrics")
        return sum(map(float, found))

    def log(self) -> list[dict[str, Any]]:
        """Every line it wrote."""
        return [orjson.loads(line) for line in self.child.log.read_bytes().splitlines() if line.startswith(b"{")]
