"""What chaos breaks: a simulator, one gateway, and the gateway's disk or database server.

Invariant: a process that ended is started again at once, as any service manager does; nothing else helps it.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import gevent

from tests.harness import databases
from tests.harness.http import NoAnswer
from tests.harness.processes import memory_mb
from tests.harness.stage import Stage
from tests.harness.tcp_proxy import TcpProxy

_DISK_MEGABYTES = 192
_RESTART_SECONDS = 0.3

#: The limit of calls to Genesys, high enough for the load.
_CALLS_PER_MINUTE = 6000
#: Shorter waits and the higher limit; all other settings are at their defaults.
_SETTINGS: Mapping[str, object] = {
    "GENESYS_GRANT_TYPE": "client-credentials",
    "GATEWAY_API_RATE_PER_MINUTE": _CALLS_PER_MINUTE * 9 // 10,
    "GATEWAY_CHANNEL_TOPICS": 100,
    "GATEWAY_QUIET_SECONDS": 5,
    "GATEWAY_RECONCILE_SECONDS": 20,
    "GATEWAY_ANALYTICS_SETTLE_SECONDS": 20,
    "GATEWAY_LAST_LOOK_SECONDS": 3600,
    "GATEWAY_RETRY_MAX_SECONDS": 5,
    "GATEWAY_HEARTBEAT_SECONDS": 8,
    "GATEWAY_CHANNEL_OVERLAP_SECONDS": 5,
    "GATEWAY_AUDIT_SECONDS": 20,
    "GATEWAY_LEASE_SECONDS": 10,
    "GATEWAY_LOG_LEVEL": "warning",
}


class World:
    """The parties of one run.

    Args:
        database: ``sqlite`` or ``postgresql``.
        receiver: How CommunicationHistory treats a record it has already; repeated with each change of its mode.
    """

    def __init__(self, stage: Stage, database: str, random: Random, receiver: Mapping[str, object]) -> None:
        self.random = random
        self.database = database
        self.receiver = receiver
        self.simulator = stage.simulator(
            {"callsPerMinute": _CALLS_PER_MINUTE, "heartbeatSeconds": 3, "analyticsLagSeconds": 3}
        )
        self.simulator.set_receiver("ok", **receiver)
        #: the file system of the database alone, if we may mount one
        self.disk: Path | None = None
        self.proxy: TcpProxy | None = None
        #: the PostgreSQL server, if it is our own
        self.server: databases.OwnServer | None = None
        self.server_port = databases.PORT
        self.database_name = ""
        self.restarts = 0
        #: attempts in doubt, counted by processes that have ended
        self.doubted_before = 0.0
        self._doubted = 0.0
        self._undo = ExitStack()
        self.gateway = stage.gateway(self.simulator, {**_SETTINGS, "DATABASE_URL": self._database_url(stage)})
        self._watchman: gevent.Greenlet[..., None] | None = None

    def _database_url(self, stage: Stage) -> str:
        if self.database == "postgresql":
            self.server = self._undo.enter_context(databases.own_server())
            self.server_port = databases.PORT if self.server is None else self.server.port
            self.database_name = self._undo.enter_context(databases.postgresql(self.server_port))
            self.proxy = self._undo.enter_context(TcpProxy(databases.HOST, self.server_port).running())
            return databases.url(self.database_name, self.proxy.port)
        self.disk = stage.small_disk("disk", _DISK_MEGABYTES)
        return f"sqlite:///{self.disk or stage.folder}/gateway.db"

    @property
    def alone(self) -> bool:
        """Whether this run has a disk or a database server of its own, which may be broken."""
        return self.disk is not None or self.server is not None

    @contextmanager
    def running(self) -> Iterator["World"]:
        """Start the gateway and restart it whenever it ends."""
        try:
            self.gateway.start()
            self._watchman = gevent.spawn(self._watch_over)
            yield self
        finally:
            if self._watchman is not None:
                self._watchman.kill()
            self.gateway.kill()
            self._undo.close()

    def _watch_over(self) -> None:
        while True:
            gevent.sleep(_RESTART_SECONDS)
            if self.gateway.process.code is not None:
                self._forget_process()
                self.gateway.launch()

    def _forget_process(self) -> None:
        self.restarts += 1
        self.doubted_before, self._doubted = self.doubted_before + self._doubted, 0.0

    # Faults of the gateway

    def kill_all(self) -> None:
        """Kill master and worker at once, like a power cut."""
        self.doubted()
        self.gateway.kill()

    def kill_worker(self) -> None:
        """Kill the worker only; gunicorn starts another."""
        self.doubted()
        if workers := self._workers():
            os.kill(workers[-1], signal.SIGKILL)
            self._forget_process()

    def freeze(self) -> None:
        """Stop all its processes; their connections stay open."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue its processes."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        if self.gateway.process.code is None:
            os.killpg(self.gateway.process.pid, number)

    def _workers(self) -> list[int]:
        try:
            return self.gateway.process.children() if self.gateway.process.code is None else []
        except OSError:
            return []

    # Figures

    def doubted(self) -> float:
        """Attempts with an unknown outcome, of all processes as far as their metrics could be read."""
        self._doubted = max(self._doubted, self.metric("deliveries_ambiguous_total") or 0.0)
        return self.doubted_before + self._doubted

    def metric(self, name: str) -> float | None:
        """A metric of the gateway; None when it does not answer now."""
        try:
            return self.gateway.metric(name)
        except NoAnswer:
            return None

    def memory(self) -> float | None:
        """Resident megabytes of the worker."""
        try:
            return memory_mb(self._workers()[-1])
        except (OSError, IndexError, StopIteration):
            return None
