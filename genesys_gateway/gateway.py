"""Starts and stops the service: its parts, which ``parts`` creates, in their order.

Invariant: nothing is served before the file lock is held and the database answers. At the stop other instances take the
conversations over, then the sockets close, then the events that they brought are stored, then deliveries under way are
finished. The lease is renewed until all of that is done.
"""

from collections.abc import Callable
from enum import Enum
from random import Random

import gevent

from genesys_gateway.parts import Parts
from genesys_gateway.runtime.clock import Clock, Deadline, SystemClock
from genesys_gateway.runtime.database_clock import DatabaseClock
from genesys_gateway.runtime.errors import GatewayError, PermanentFailure, StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.runtime.sampled_log import SampledLog, flush_all
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage.file_lock import FileLock
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.portable import write_nothing

log = get_logger(__name__)


class Phase(Enum):
    """How far the gateway is between its start and its end."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


class Gateway:
    """The whole service without its HTTP interface.

    Args:
        settings: Checked settings. The database need not be there yet: its tables are migrated when it is.
        on_broken: Called with the name of a greenlet that an unexpected error ended. Its work is no longer done, so
            the process should be restarted; everything promised is stored.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        on_broken: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        machine = clock or SystemClock()
        self._clock = DatabaseClock(machine)
        self._on_broken = on_broken
        self._phase = Phase.STARTING
        self._tasks = TaskGroup("gateway", self._crashed)
        self._lease_tasks = TaskGroup("gateway", self._crashed)
        self._upkeep_tasks = TaskGroup("gateway", self._crashed)
        self._lock = FileLock.beside(settings.database_url)
        runtime = Runtime(clock=self._clock, random=random or Random(), metrics=self.metrics, on_crash=self._crashed)
        self._parts = Parts(
            settings,
            runtime,
            clock=self._clock,
            machine=machine,
            alone=self._lock is not None,
            begin_handing_over=self._begin_handing_over,
        )
        self.metrics.phase_of(lambda: self._phase.value)
        self.registration = self._parts.registration
        self.support_results = self._parts.support_results
        self.records = self._parts.records
        self.conversations = self._parts.conversations
        self.hour = self._parts.hour
        self.watch = self._parts.watch

    @property
    def phase(self) -> Phase:
        """How far the gateway is between its start and its end."""
        return self._phase

    @property
    def serving(self) -> bool:
        """Whether registrations are accepted: from the moment everything runs until the stop."""
        return self._phase in (Phase.RUNNING, Phase.DRAINING)

    def ready(self) -> bool:
        """Whether new requests should be sent here: it runs, does not drain, and a commit succeeds now."""
        if self._phase is not Phase.RUNNING:
            return False
        try:
            self._parts.storage.run(write_nothing, for_request=True)
        except StorageUnavailable:
            return False
        return True

    def begin(self) -> None:
        """Start in the background; returns at once."""
        if self.settings.otel_exporter_otlp_endpoint is not None:
            # Here, and in this process: without tracing, none of these packages has to be installed.
            from genesys_gateway.runtime import tracing_sdk

            tracing_sdk.start(self.settings.otel_exporter_otlp_endpoint, self._clock)
        self._tasks.spawn("hub-lag", self._parts.hub_lag.run, self._tasks)
        self._tasks.spawn("start", self._start)
        self._tasks.spawn("watch", self.watch.run, self._tasks)

    def drain(self, *, successor: bool = False) -> None:
        """Prepare the stop: :meth:`ready` turns false, registrations are still accepted. May be repeated.

        Other instances begin to take the conversations over.

        Args:
            successor: Whether a process starts now that will do so.
        """
        if self._phase is Phase.RUNNING:
            self._phase = Phase.DRAINING
            log.info("draining")
            self.watch.drain()
            self._parts.drain.begin(self._tasks, successor=successor and self._lock is None)

    def stop(self, seconds: float) -> None:
        """Stop everything within ``seconds``; what was promised is stored. A repetition does nothing."""
        if self._phase is Phase.STOPPED:
            return
        parts, was_serving = self._parts, self.serving
        self._phase = Phase.STOPPED
        deadline = Deadline(self._clock, seconds)
        if was_serving:
            parts.drain.begin(self._tasks)
            parts.drain.wait(deadline.left() * 0.6)
        late = self.watch.stop(min(1.0, seconds / 10))
        late += self._tasks.stop(seconds / 10)
        parts.ownership.wake()
        late += self._upkeep_tasks.stop(deadline.left() / 10)
        if was_serving:
            late += parts.retention.stop(deadline.left() / 10)
            late += parts.reconciliation.stop(deadline.left() / 5)
            late += parts.registry.stop(deadline.left() / 4)
            reach("draining")
            late += parts.event_spool.stop(deadline.left() / 3)
            late += parts.delivery.stop(deadline.left() * 0.8)
            for part in parts.shared_work:
                late += part.stop(min(1.0, deadline.left() / 10))
            reach("drained")
            late += self._lease_tasks.stop(1.0)
        parts.lease.leave(max(1.0, deadline.left()))
        parts.lease.close()
        parts.storage.close()
        for client in parts.http_clients:
            client.close()
        if self._lock is not None:
            self._lock.release()
        if self.settings.otel_exporter_otlp_endpoint is not None:
            from genesys_gateway.runtime import tracing_sdk

            tracing_sdk.stop(1.5)  # a collector that is down must not delay the end
        flush_all()
        log.info("stopped", late=late)

    def _start(self) -> None:
        """Start everything as soon as the lock is free and the database answers, whenever that is."""
        if not self._repeat("waiting_for_lock", self._take_lock, self.settings.lease_seconds / 400):
            return
        if not self._repeat("storage_not_open", self._open_storage, self.settings.retry_base_seconds):
            return
        parts = self._parts
        parts.event_spool.start()
        parts.delivery.start()
        parts.registry.start(())
        parts.reconciliation.start()
        parts.retention.start()
        self._phase = Phase.RUNNING
        log.info("running", instance=parts.identity.id, followed=len(parts.registry.followed()))
        self._lease_tasks.spawn("lease", parts.lease.run, self._lease_tasks)
        self._upkeep_tasks.spawn("ownership", parts.ownership.run, self._upkeep_tasks)
        self._upkeep_tasks.spawn("resync", parts.resync.run, self._upkeep_tasks)
        self._tasks.spawn("gauges", parts.gauges.run, self._tasks)
        self._tasks.spawn("hour", parts.hour.run, self._tasks)
        parts.probes.start(self._tasks)

    def _repeat(self, event: str, attempt: Callable[[], bool], seconds: float) -> bool:
        """Repeat the attempt until it succeeds; log why it fails, at most once a minute. False if stopped first."""
        sampled = SampledLog(log, self._clock)
        while True:
            reason, level = "another process holds it", "info"
            try:
                if attempt():
                    return True
            except (StorageUnavailable, OSError) as error:
                reason, level = str(error), "error"
            except PermanentFailure as error:
                reason, level = str(error), "critical"
            getattr(sampled, level)(event, reason=reason)
            if level != "info":
                self.watch.not_opened()
            if self._tasks.wait(seconds):
                return False

    def _take_lock(self) -> bool:
        """Try to take the lock: a worker that is replaced holds it until it has stopped."""
        return self._lock is None or self._lock.acquire()

    def _open_storage(self) -> bool:
        # In a thread, because a locked file and Alembic's import would stop all greenlets.
        if error := gevent.get_hub().threadpool.apply(self._migrate):
            raise error
        self._parts.storage.open()
        self._parts.lease.enter()
        self._parts.registry.count_places()
        self._parts.ownership.adopt()
        self.watch.opened()
        self.watch.status()  # from its first moment on operators are told the truth, and the other instances know of it
        reach("adopted")
        return True

    def _migrate(self) -> GatewayError | OSError | None:
        """Migrate the tables; returns the error, because gevent logs one that is raised in a thread as a crash."""
        try:
            migrate(self.settings.database_url, self.settings.http_timeout_seconds)
        except (GatewayError, OSError) as error:
            return error
        return None

    def _begin_handing_over(self) -> None:
        self._parts.registry.drain()  # first: others subscribe already, which takes the topics off our lists
        self._parts.ownership.drain()
        self._parts.ownership.wake()
        self._upkeep_tasks.stop(1.0)

    def _crashed(self, name: str, error: BaseException) -> None:
        log.error("greenlet_crashed", greenlet=name, exc_info=error)
        if self._on_broken is not None and self._phase is not Phase.STOPPED:
            self._on_broken(name)
