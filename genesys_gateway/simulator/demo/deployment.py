"""The gateway and the simulator of one demo: free ports, fresh secrets, a temporary folder, two processes.

Invariant: no setting of a real deployment reaches the demo (they are removed from the environment), and the demo leaves
nothing behind, except its files when it failed.
"""

import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from genesys_gateway.simulator.demo.children import Child
from genesys_gateway.simulator.demo.clients import ContactCentre, Gateway, Http, Operators
from genesys_gateway.simulator.demo.errors import DemoFailed
from genesys_gateway.simulator.demo.identity_provider import IdentityProvider
from genesys_gateway.simulator.demo.interrupts import Interrupted, Interrupts
from genesys_gateway.simulator.demo.screen import Screen

#: The folder with the package: a checkout, or where it is installed. Python finds the package from there.
_HOME = Path(__file__).resolve().parents[3]

#: Time after the last event of a conversation until the gateway asks whether it is over. The only setting that always
#: differs from production (60 s), to keep the demo short.
QUIET_SECONDS = 3

#: Ports to use if they are free.
_GATEWAY_PORT, _SIMULATOR_PORT, _BOFE_PORT = 8080, 9000, 9100
#: Time limit for the start of one process.
_START_SECONDS = 30.0
#: Time limit for the end of one process. The gateway ends within 25 s.
_STOP_SECONDS = 28.0
#: Pause between two looks at the processes while everything runs.
_POLL_SECONDS = 0.2
#: Prefixes of the settings that a real deployment may have set.
_OURS = ("GATEWAY_", "GENESYS_", "COMMUNICATION_HISTORY_", "DATABASE_", "GUNICORN_")


class Deployment:
    """Simulator and gateway, which run as long as the ``with`` block.

    Args:
        settings: Settings of the gateway beside those that every demo needs.
        options: Options of the simulator that differ from their defaults.
    """

    def __init__(
        self,
        screen: Screen,
        interrupts: Interrupts,
        settings: Mapping[str, str] | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self._more_settings = dict(settings or {})
        self._options = [word for name, value in (options or {}).items() for word in ("--set", f"{name}={value}")]
        self._interrupts = interrupts
        self._screen = screen
        self.folder = Path(tempfile.mkdtemp(prefix="genesys-gateway-demo-"))
        self.database = self.folder / "gateway.db"
        self.identity_provider = IdentityProvider(self.folder / "assertion")
        self._keep = False
        self._children: list[Child] = []
        #: BOFE's token. Letters and digits only, so that a double click selects the whole token.
        self.token = secrets.token_hex(16)
        #: The operators' token, for the dashboard. Both are new in each demo.
        self.ops_token = secrets.token_hex(16)
        self.gateway_url = f"http://127.0.0.1:{_free_port(_GATEWAY_PORT)}"
        self.simulator_url = f"http://127.0.0.1:{_free_port(_SIMULATOR_PORT)}"
        self.gateway = Gateway(Http(self.gateway_url, self.token))
        self.operators = Operators(Http(self.gateway_url, self.ops_token))
        self.contact_centre = ContactCentre(Http(self.simulator_url))

    def __enter__(self) -> "Deployment":
        try:
            self._start()
        except BaseException as error:
            self._keep = not isinstance(error, Interrupted)
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._keep = self._keep or kind not in (None, Interrupted)
        self._end()

    def keep_files(self) -> None:
        """Keep database and logs after the end, for inspection."""
        self._keep = True

    def show_dashboard(self) -> None:
        """Print where the operators' dashboard is, and the token that opens it."""
        self._screen.heading("The dashboard: open the address in a browser; the token is for this demo only")
        self._screen.line(f"  address  {self.gateway_url}/ops/")
        self._screen.line(f"  token    {self.ops_token}")

    def start_bofe(self) -> str:
        """Start BOFE, which registers each conversation it is told of; return the URL that is to be told.

        Raises:
            DemoFailed: It ended, or is not there in time.
        """
        port = _free_port(_BOFE_PORT)
        command = [sys.executable, "-m", "genesys_gateway", "simulator", "bofe"]
        command += ["--gateway", self.gateway_url, "--port", str(port)]
        bofe = self._start_child("BOFE", command, {**_inherited(), "BOFE_TOKEN": self.token})
        bofe.wait_for_output(_START_SECONDS, self._interrupts.pause)
        return f"http://127.0.0.1:{port}/"

    def run_until_interrupted(self) -> None:
        """Keep everything running until Ctrl-C; raises like :meth:`pause`."""
        while True:
            self.pause(_POLL_SECONDS)

    def pause(self, seconds: float) -> None:
        """Wait for a fraction of a second, and write a fresh assertion when one is due.

        Raises:
            DemoFailed: One of the processes ended.
            Interrupted: Ctrl-C, now or before.
        """
        for child in self._children:
            if not child.lives:
                raise DemoFailed(f"The {child.name} ended:\n{child.last_lines()}")
        self.identity_provider.write_if_due()
        self._interrupts.pause(seconds)

    def _start(self) -> None:
        self._screen.heading("Genesys-gateway: the whole path, on this machine")
        self.identity_provider.write_if_due()
        module = [sys.executable, "-m"]
        port = self.simulator_url.rpartition(":")[2]
        simulator = self._start_child(
            "simulator", [*module, "genesys_gateway", "simulator", "--port", port, *self._options], _inherited()
        )
        seconds = simulator.wait_for(Http(self.simulator_url), "/_sim/state", _START_SECONDS, self._interrupts.pause)
        self._show("simulator", self.simulator_url, f"Genesys Cloud and CommunicationHistory; up in {seconds:.1f} s")
        gateway = self._start_child(
            "gateway", [*module, "genesys_gateway", "run"], {**_inherited(), **self._settings()}
        )
        seconds = gateway.wait_for(Http(self.gateway_url), "/readyz", _START_SECONDS, self._interrupts.pause)
        self._show("gateway", self.gateway_url, f"gunicorn and SQLite; ready in {seconds:.1f} s")
        self._show("files", str(self.folder), "database and logs")
        self.show_dashboard()

    def _start_child(self, name: str, command: list[str], environment: Mapping[str, str]) -> Child:
        child = Child(name, command, environment, _HOME, self.folder / f"{name}.log")
        self._children.append(child)
        return child

    def _show(self, name: str, where: str, what: str) -> None:
        self._screen.line(f"  {name:<9}  {where:<35}  {what}")

    def _settings(self) -> dict[str, str]:
        """The settings that every deployment needs, the one timer that is always shortened, and those of this demo."""
        return {
            "GENESYS_LOGIN_URL": self.simulator_url,
            "GENESYS_API_URL": self.simulator_url,
            "GENESYS_STREAMING_HOSTS": self.simulator_url.removeprefix("http://"),
            "GENESYS_GRANT_TYPE": "saml2-bearer",
            "GENESYS_CLIENT_ID": "simulator-client",
            "GENESYS_CLIENT_SECRET": "simulator-secret",
            "GENESYS_ORG_NAME": "simulator-org",
            "GENESYS_SAML_ASSERTION_FILE": str(self.identity_provider.file),
            "COMMUNICATION_HISTORY_URL": f"{self.simulator_url}/history",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "GATEWAY_BIND": self.gateway_url.removeprefix("http://"),
            "GATEWAY_TOKENS": f"bofe:{self.token},ops:{self.ops_token}",
            "GATEWAY_QUIET_SECONDS": str(QUIET_SECONDS),
            "GATEWAY_LOG_FORMAT": "text",
            **self._more_settings,
        }

    def _end(self) -> None:
        for child in reversed(self._children):
            child.stop(_STOP_SECONDS)
        if self._keep:
            self._screen.line(f"Database and logs are kept in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def _free_port(wanted: int) -> int:
    """The wanted port if no process listens there, else any free one."""
    for port in (wanted, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as listening:
                return int(listening.getsockname()[1])
        except OSError:
            continue
    raise DemoFailed("There is no free port on 127.0.0.1.")
