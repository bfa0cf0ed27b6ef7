"""The only place that wires the rooms together, and the order in which they start and stop.

Law: nothing is served before the lock is held and the disk answers; on the way down the sockets close first, then what
they brought is stored, then what is being delivered is finished.
"""

from collections.abc import Callable
from enum import Enum
from random import Random
from uuid import uuid4

from genesys_gateway.channels.channel import ChannelContext
from genesys_gateway.channels.registry import ChannelRegistry, RegistryListener
from genesys_gateway.delivery.dispatcher import Delivery
from genesys_gateway.delivery.history_client import History
from genesys_gateway.genesys.client import ChannelGrant, Genesys
from genesys_gateway.genesys.name_cache import NameCache
from genesys_gateway.genesys.rate_limiter import PLACES, RateLimiter
from genesys_gateway.genesys.tokens import Tokens
from genesys_gateway.genesys.websocket import open_socket
from genesys_gateway.intake.event_spool import EventSpool
from genesys_gateway.intake.registration import Registration
from genesys_gateway.intake.support_result import SupportResults
from genesys_gateway.maintenance.gauges import Gauges
from genesys_gateway.maintenance.resync import Resync
from genesys_gateway.maintenance.retention import Retention
from genesys_gateway.reconciliation.inquiry import Inquiry
from genesys_gateway.reconciliation.reconciler import Reconciliation
from genesys_gateway.runtime.clock import Clock, Deadline, SystemClock
from genesys_gateway.runtime.errors import PermanentFailure, StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.file_lock import FileLock
from genesys_gateway.storage.statements import instances
from genesys_gateway.storage.statements.used_assertions import StoredUsedAssertions

log = get_logger(__name__)

#: Calls to CommunicationHistory that may be under way at a time.
_HISTORY_CALLS = 8


class Phase(Enum):
    """How far the gateway is between its start and its end."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


class Gateway:
    """The whole service without its HTTP door.

    Args:
        settings: Checked; the tables of the database are migrated.
        on_broken: Told the name of a greenlet that died of a mistake of ours: what it did is done by nobody now, so
            the process should be started afresh. Everything promised is on disk.
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
        self.instance_id = str(uuid4())
        self._clock = clock or SystemClock()
        self._on_broken = on_broken
        self._phase = Phase.STARTING
        self._adopted: list[str] = []
        self._tasks = TaskGroup("gateway", self._crashed)
        self._lock = FileLock.beside(settings.database_url)
        self._lease_ms = round(settings.lease_seconds * 1000)
        self.storage = Storage(settings.database_url, self._clock, patience_seconds=settings.http_timeout_seconds)
        self._send_state(random or Random())
        self._gauges = Gauges(self.storage, settings, self._clock, self.metrics, self.registry, self._tokens.look_ahead)

    def _send_state(self, random: Random) -> None:
        genesys, history = self._reach_out()
        self._wire_use_cases(genesys, history, random)
        self._wire_channels(genesys, random)

    def _reach_out(self) -> tuple[Genesys, History]:
        settings, clock, metrics = self.settings, self._clock, self.metrics
        login = HttpClient(settings, settings.genesys_login_url, clock, 1)
        used = StoredUsedAssertions(self.storage)
        tokens = self._tokens = Tokens(settings, login, clock, metrics, used=used)
        api = HttpClient(settings, settings.genesys_api_url, clock, PLACES)
        budget = RateLimiter(settings.api_rate_per_minute, clock)
        genesys = Genesys(settings, api, tokens, budget, clock, metrics)
        receiver = HttpClient(settings, settings.communication_history_url, clock, _HISTORY_CALLS)
        self._http_clients = (login, api, receiver)
        return genesys, History(settings, receiver, clock)

    def _wire_use_cases(self, genesys: Genesys, history: History, random: Random) -> None:
        settings, clock, metrics = self.settings, self._clock, self.metrics
        self.delivery = Delivery(
            self.storage,
            history,
            NameCache(genesys, clock),
            settings,
            clock,
            metrics,
            random,
            owner=self.instance_id,
            on_crash=self._crashed,
        )
        self.reconciliation = Reconciliation(
            self.storage,
            Inquiry(genesys, settings, clock),
            settings,
            clock,
            metrics,
            stored=self.delivery.wake,
            closed=self._conversation_closed,
            on_crash=self._crashed,
        )
        self.retention = Retention(self.storage, settings, clock, metrics, on_crash=self._crashed)
        self.event_spool = EventSpool(
            self.storage,
            settings,
            clock,
            metrics,
            owner=self.instance_id,
            stored=self.delivery.wake,
            due=self.reconciliation.wake,
            on_crash=self._crashed,
        )
        self.support_results = SupportResults(
            self.storage, settings, clock, metrics, stored=self.delivery.wake, due=self.reconciliation.wake
        )

    def _wire_channels(self, genesys: Genesys, random: Random) -> None:
        settings, clock, metrics = self.settings, self._clock, self.metrics
        context = ChannelContext(
            genesys=genesys,
            settings=settings,
            clock=clock,
            random=random,
            open_socket=open_socket,
            on_crash=self._crashed,
        )
        listener = RegistryListener(
            notified=self.event_spool.notified,
            covered=self.event_spool.covered,
            uncovered=self.event_spool.uncovered,
            rejected=self.event_spool.rejected,
            created=self._channel_created,
            closed=self._channel_closed,
        )
        self.registry = ChannelRegistry(context, metrics, listener)
        self._resync = Resync(
            self.storage,
            settings,
            clock,
            self.registry,
            owner=self.instance_id,
            uncovered=self.event_spool.uncovered,
        )
        self.registration = Registration(
            self.storage, settings, clock, metrics, owner=self.instance_id, follow=self.registry.follow
        )

    @property
    def phase(self) -> Phase:
        """How far it is."""
        return self._phase

    @property
    def serving(self) -> bool:
        """Whether registrations can be taken: from the moment everything runs until the end of the drain."""
        return self._phase in (Phase.RUNNING, Phase.DRAINING)

    def ready(self) -> bool:
        """Whether new work should be sent here: it runs, does not drain, and a commit works now."""
        if self._phase is not Phase.RUNNING:
            return False
        try:
            return self.storage.run(self._renew)
        except StorageUnavailable:
            return False

    def begin(self) -> None:
        """Start in the background; returns at once."""
        self._tasks.spawn("start", self._start)

    def drain(self) -> None:
        """Say that the end is near: :meth:`ready` turns false, registrations are still taken. May be repeated."""
        if self._phase is Phase.RUNNING:
            self._phase = Phase.DRAINING
            log.info("draining")

    def stop(self, seconds: float) -> None:
        """End everything within ``seconds``; what was promised is on disk. A repetition does nothing."""
        if self._phase is Phase.STOPPED:
            return
        was_serving = self.serving
        self._phase = Phase.STOPPED
        deadline = Deadline(self._clock, seconds)
        late = self._tasks.stop(seconds / 10)
        if was_serving:
            late += self.retention.stop(deadline.left() / 10)
            late += self.reconciliation.stop(deadline.left() / 5)
            late += self.registry.stop(deadline.left() / 4)
            reach("draining")
            late += self.event_spool.stop(deadline.left() / 3)
            late += self.delivery.stop(deadline.left() * 0.8)
            reach("drained")
            self._leave()
        self.storage.close()
        for http in self._http_clients:
            http.close()
        if self._lock is not None:
            self._lock.release()
        log.info("stopped", late=late)

    def _start(self) -> None:
        if not self._take_lock() or not self._open_storage():
            return
        self.event_spool.start()
        self.delivery.start()
        self.registry.start(self._adopted)
        self.reconciliation.start()
        self.retention.start()
        self._phase = Phase.RUNNING
        log.info("running", instance=self.instance_id, followed=len(self._adopted))
        self._tasks.spawn("lease", self._keep_lease)
        self._tasks.spawn("agreement", self._resync.run, self._tasks)
        self._tasks.spawn("gauges", self._gauges.run, self._tasks)

    def _take_lock(self) -> bool:
        """A worker that is being replaced holds the lock until it has stopped; False when told to stop first."""
        told = False
        while self._lock is not None and not self._lock.acquire():
            if not told:
                log.info("waiting_for_lock")
                told = True
            if self._tasks.wait(self.settings.lease_seconds / 400):
                return False
        return True

    def _open_storage(self) -> bool:
        while True:
            try:
                self.storage.open()
                self._adopted = self.storage.run(self._enter)
            except (StorageUnavailable, PermanentFailure) as error:
                log.error("storage_not_open", error=str(error))
                if self._tasks.wait(self.settings.retry_base_seconds):
                    return False
            else:
                reach("adopted")
                return True

    def _enter(self, connection: Connection) -> list[str]:
        if self._lock is not None:
            instances.end_all_leases(connection)
        instances.enter(connection, self.instance_id, self._lease_ms)
        return self._adopt(connection)

    def _adopt(self, connection: Connection) -> list[str]:
        return instances.adopt(connection, self.instance_id, lease_ms=self._lease_ms, now=self._clock.now())

    def _renew(self, connection: Connection) -> bool:
        return instances.renew(connection, self.instance_id, self._lease_ms)

    def _keep_lease(self) -> None:
        while not self._tasks.wait(self.settings.lease_seconds / 3):
            try:
                if not self.storage.run(self._renew):
                    log.error("lease_lost", instance=self.instance_id)
                    self.storage.run(lambda c: instances.enter(c, self.instance_id, self._lease_ms))
                for conversation_id in self.storage.run(self._adopt):
                    self.registry.follow(conversation_id)
            except StorageUnavailable as error:
                log.warning("lease_not_renewed", error=str(error))

    def _leave(self) -> None:
        try:
            self.storage.run(lambda connection: instances.leave(connection, self.instance_id))
        except StorageUnavailable as error:
            log.warning("lease_not_ended", error=str(error))  # it ends by itself

    def _conversation_closed(self, conversation_id: str) -> None:
        self.registry.unfollow(conversation_id)

    def _channel_created(self, grant: ChannelGrant) -> None:
        now = self._clock.now()
        self.storage.run(
            lambda c: instances.channel_created(c, grant.id, self.instance_id, now=now, expires_at=grant.expires_at)
        )

    def _channel_closed(self, channel_id: str) -> None:
        now = self._clock.now()
        try:
            self.storage.run(lambda c: instances.channel_closed(c, channel_id, now))
        except StorageUnavailable as error:
            log.warning("channel_end_not_stored", channel=channel_id, error=str(error))  # it ends with its owner

    def _crashed(self, name: str, error: BaseException) -> None:
        log.error("greenlet_crashed", greenlet=name, exc_info=error)
        if self._on_broken is not None and self._phase is not Phase.STOPPED:
            self._on_broken(name)
