"""The simulator of a run, and what is measured against it, one after the other.

Invariant: everything is measured against the same simulator process, and begins with an empty world.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from tests.benchmarks.speed.callers import post
from tests.benchmarks.speed.rivals.record import SECRET
from tests.harness import databases
from tests.harness.gateway import ADDRESS, BOFE_TOKEN, Gateway
from tests.harness.judge import customer_of
from tests.harness.processes import Process, free_port, python
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.venvs import python_with
from tests.harness.waiting import until
from tests.sdk.run import OFFICIAL

_RIVALS = "tests.benchmarks.speed.rivals"
_CLIENT = "simulator-client"
#: Calls a minute where the limit is not what is measured.
_UNLIMITED = 10_000_000
#: Calls a minute, and the time of each, where they are limited.
CALLS, _CALL_SECONDS = 300, 0.08
_CONNECT_SECONDS, _SUBSCRIBE_SECONDS = 20.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A program that follows conversations, too."""

    name: str
    module: str
    #: what its own venv holds; None: that of the service
    needs: tuple[str, ...] | None = None

    def command(self, *arguments: str) -> list[str]:
        """How it is started."""
        words = ("-m", f"{_RIVALS}.{self.module}", *arguments)
        if self.needs is None:
            return python(*words)
        folder = "sdk/official" if self.module == "sdk" else f"rivals/{self.module}"
        return [str(python_with(folder, self.needs)), *words]


SDK = Rival(name="(a) official SDK", module="sdk", needs=OFFICIAL)
REQUESTS = Rival(name="(b) requests, websocket-client", module="requests_websocket")
ASYNCIO = Rival(
    name="(c) asyncio in memory",
    module="asyncio_memory",
    needs=("aiohttp==3.14.5", "orjson==3.13.0", "websockets==17.4"),
)
BARE_LOOP = Rival(name="(d) bare loop", module="bare_loop")
RIVALS = (SDK, REQUESTS, ASYNCIO, BARE_LOOP)
BARE_FLASK = "(e) bare Flask"


class Arena:
    """One simulator process, and databases to measure the gateway with.

    Args:
        folder: Where logs and databases are kept while they are needed.
        kinds: `sqlite`, `postgresql` or both.
        quick: Measure less, less exactly.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], *, quick: bool) -> None:
        self.kinds, self.quick = kinds, quick
        self._folder = folder
        self.simulator = Simulator(folder, own_history_port=True)

    def close(self) -> None:
        """End the simulator."""
        self.simulator.process.kill()

    def some(self, count: int) -> int:
        """So many, or in a quick run a fifth of that."""
        return count // 5 if self.quick else count

    @contextmanager
    def gateway(self, database: str) -> Iterator[Gateway]:
        """Start a gateway with a new database in an empty world, and wait until it is ready."""
        self.reset()
        with ExitStack() as undo:
            folder = Path(undo.enter_context(TemporaryDirectory(dir=self._folder)))
            settings = {"COMMUNICATION_HISTORY_URL": self.simulator.history_url}
            if database == "postgresql":
                settings["DATABASE_URL"] = databases.url(undo.enter_context(databases.postgresql()))
            made = Gateway(folder, self.simulator.url, settings)
            undo.callback(made.close)
            yield made.start()

    @contextmanager
    def rival(self, rival: Rival, sessions: Sequence[AgentSession], client: str = _CLIENT) -> Iterator[Process]:
        """Start a rival that follows the conversations, in the world as it is."""
        with TemporaryDirectory(dir=self._folder) as folder:
            file = Path(folder) / "conversations"
            file.write_text("\n".join(session.conversation for session in sessions), encoding="ascii")
            command = rival.command(self.simulator.url, self.simulator.history_url, client, str(file))
            # The official SDK watches its user's home, and would take the processor whenever somebody writes there.
            process = Process(command, {"HOME": folder}, self._folder / f"{rival.module}.log")
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def bare_flask(self) -> Iterator[tuple[int, int]]:
        """Start the bare web server; yields its port and its worker's pid."""
        port, module = free_port(), f"{_RIVALS}.bare_flask"
        command = python("-m", "gunicorn", "-c", f"python:{module}", "--bind", f"127.0.0.1:{port}", f"{module}:app")
        process = Process(command, {}, self._folder / "bare_flask.log")
        try:
            until(
                lambda: _accepts(port) and process.children(),
                _CONNECT_SECONDS,
                "the bare web server accepts connections",
            )
            yield port, process.children()[-1]
        finally:
            process.kill()

    def reset(self) -> None:
        """Begin a new world, in which calls are not limited."""
        self.simulator.control("POST", "/reset")
        self.simulator.control("PATCH", "/settings", {"callsPerMinute": _UNLIMITED})

    def limit_calls(self) -> None:
        """From now on calls are limited as at Genesys, and each takes as long as over the Internet."""
        self.simulator.control("PATCH", "/settings", {"callsPerMinute": CALLS})
        self.simulator.fault("slow", path="/api/v2/*", delaySeconds=_CALL_SECONDS)

    def add_client(self, name: str) -> None:
        """Add an OAuth client, which has calls and channels of its own."""
        self.simulator.control("POST", "/clients", {"id": name, "secret": SECRET})

    def until_subscribed(self, sessions: Sequence[AgentSession]) -> None:
        """Wait until all conversations have a topic on an open socket."""
        self.simulator.until_covered(sessions, _SUBSCRIBE_SECONDS)


def registrations(sessions: Sequence[AgentSession]) -> list[bytes]:
    """The requests that register these conversations."""
    return [
        post(
            ADDRESS,
            BOFE_TOKEN,
            orjson.dumps({"customerId": customer_of(one.conversation), "interactionId": one.conversation}),
        )
        for one in sessions
    ]


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
