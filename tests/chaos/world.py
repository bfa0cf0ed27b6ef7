"""What chaos breaks: a simulator, one or several instances of the gateway, and their disk or database server.

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
from tests.harness.clock import WrongClock
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.instances import Instance
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
        instances: Number of instances on the database; several need PostgreSQL.
    """

    def __init__(
        self, stage: Stage, database: str, random: Random, receiver: Mapping[str, object], instances: int = 1
    ) -> None:
        self.random = random
        self.database = database
        self.receiver = receiver
        self.simulator = stage.simulator(
            {"callsPerMinute": _CALLS_PER_MINUTE, "heartbeatSeconds": 3, "analyticsLagSeconds": 3}
        )
        self.simulator.set_receiver("ok", **receiver)
        #: the file system of the database alone, if we may mount one
        self.disk: Path | None = None
        #: the PostgreSQL server, if it is our own
        self.server: databases.OwnServer | None = None
        self.server_port = databases.PORT
        self.database_name = ""
        self.restarts = 0
        self._undo = ExitStack()
        self._open_database(stage)
        self.instances: list[Instance] = []
        #: of each instance: the way to its database server, and its clock
        self.proxies: list[TcpProxy] = []
        self.clocks: list[WrongClock] = []
        for number in range(instances):
            self._prepare(stage, number, f"gateway-{number + 1}" if instances > 1 else "gateway")
        self._watchman: gevent.Greenlet[..., None] | None = None

    def _open_database(self, stage: Stage) -> None:
        if self.database == "postgresql":
            self.server = self._undo.enter_context(databases.own_server())
            self.server_port = databases.PORT if self.server is None else self.server.port
            self.database_name = self._undo.enter_context(databases.postgresql(self.server_port))
        else:
            self.disk = stage.small_disk("disk", _DISK_MEGABYTES)

    def _prepare(self, stage: Stage, number: int, name: str) -> None:
        settings = dict(_SETTINGS)
        if self.database == "postgresql":
            proxy = self._undo.enter_context(TcpProxy(databases.HOST, self.server_port).running())
            self.proxies.append(proxy)
            settings["DATABASE_URL"] = databases.url(self.database_name, proxy.port)
        else:
            settings["DATABASE_URL"] = f"sqlite:///{self.disk or stage.folder}/gateway.db"
        self.clocks.append(WrongClock(stage.folder / f"{name}-clock"))
        settings |= self.clocks[-1].environment
        self.instances.append(Instance(stage.gateway(self.simulator, settings, name=name), number))

    @property
    def gateway(self) -> Gateway:
        """The first of the gateways."""
        return self.instances[0].gateway

    @property
    def alone(self) -> bool:
        """Whether this run has a disk or a database server of its own, which may be broken."""
        return self.disk is not None or self.server is not None

    @contextmanager
    def running(self) -> Iterator["World"]:
        """Start the gateways and restart each whenever it ends."""
        try:
            for instance in self.instances:
                instance.gateway.start()
            self._watchman = gevent.spawn(self._watch_over)
            yield self
        finally:
            if self._watchman is not None:
                self._watchman.kill()
            for instance in self.instances:
                instance.close()
                instance.gateway.close()
            self._undo.close()

    def _watch_over(self) -> None:
        while True:
            gevent.sleep(_RESTART_SECONDS)
            for instance in self.instances:
                if not instance.gateway.running:
                    self.restarts += 1
                    instance.ended()
                    instance.gateway.launch()

    # Faults of the gateway

    def kill_all(self, number: int = 0) -> None:
        """Kill master and worker of an instance at once, like a power cut."""
        self.instances[number].kill()

    def kill_worker(self, number: int) -> None:
        """Kill the worker only; gunicorn starts another."""
        self.instances[number].read_counters()
        if workers := self._workers(number):
            os.kill(workers[-1], signal.SIGKILL)
            self.restarts += 1
            self.instances[number].ended()

    def freeze(self, number: int) -> None:
        """Stop all processes of an instance; their connections stay open."""
        self._signal_all(number, signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """Continue its processes."""
        self._signal_all(number, signal.SIGCONT)

    def _signal_all(self, number: int, name: signal.Signals) -> None:
        gateway = self.instances[number].gateway
        if gateway.running:
            os.killpg(gateway.process.pid, name)

    def _workers(self, number: int) -> list[int]:
        gateway = self.instances[number].gateway
        try:
            return gateway.process.children() if gateway.running else []
        except OSError:
            return []

    # Figures

    def doubted(self) -> int:
        """Attempts with an unknown outcome, of all processes as far as their metrics could be read."""
        return sum(instance.counted("deliveries_ambiguous_total") for instance in self.instances)

    def metric(self, name: str, number: int = 0) -> float | None:
        """A metric of an instance; None when it does not answer now."""
        try:
            return self.instances[number].gateway.metric(name)
        except NoAnswer:
            return None

    def memory(self, number: int) -> float | None:
        """Resident megabytes of the worker."""
        try:
            return memory_mb(self._workers(number)[-1])
        except (OSError, IndexError, StopIteration):
            return None
