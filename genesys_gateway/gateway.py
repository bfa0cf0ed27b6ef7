"""Creates all parts of the service, connects them, and starts and stops them in order.

Invariant: nothing is served before the file lock is held and the database answers. At the stop the sockets close first,
then the events that they brought are stored, then deliveries under way are finished.
"""

from collections.abc import Callable
from enum import Enum
from random import Random
from uuid import uuid4

import gevent

from genesys_gateway.channels import ChannelContext, ChannelRegistry, RegistryListener
from genesys_gateway.delivery import Delivery, HistoryClient
from genesys_gateway.genesys import Genesys, NameCache, RateLimiter, Tokens, open_socket
from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.rate_limiter import CONNECTIONS
from genesys_gateway.intake import EventSpool, Registration, SupportResults
from genesys_gateway.maintenance import Gauges, Lease, Resync, Retention
from genesys_gateway.reconciliation import Inquiry, Reconciliation, ReconciliationListener
from genesys_gateway.runtime.clock import Clock, Deadline, SystemClock
from genesys_gateway.runtime.errors import GatewayError, PermanentFailure, StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Storage
from genesys_gateway.storage.file_lock import FileLock
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.statements.sent_assertions import StoredSentAssertions

log = get_logger(__name__)

#: Maximum number of concurrent calls to CommunicationHistory.
_HISTORY_CALLS = 8
#: While the start waits for the same reason, it is logged again after this many seconds.
_REMIND_SECONDS = 60.0


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
        self.instance_id = str(uuid4())
        self._clock = clock or SystemClock()
        self._on_broken = on_broken
        self._phase = Phase.STARTING
        self._adopted: list[str] = []
        self._runtime = Runtime(
            clock=self._clock, random=random or Random(), metrics=self.metrics, on_crash=self._crashed
        )
        self._tasks = TaskGroup("gateway", self._crashed)
        self._lock = FileLock.beside(settings.database_url)
        self.storage = Storage(settings.database_url, self._clock, patience_seconds=settings.http_timeout_seconds)
        self._compose()

    def _compose(self) -> None:
        genesys, history, tokens = self._clients()
        names = NameCache(
            genesys,
            self._clock,
            per_minute=self.settings.api_rate_per_minute,
            busy=lambda: self.load.busy,
            used=self.load.used,
        )
        self._shared_work = (names, tokens)
        self._compose_use_cases(genesys, history, names)
        self._compose_channels(genesys)
        self._gauges = Gauges(
            self.storage, self.settings, self._runtime, self.registry, self.load, tokens.check_renewal
        )

    def _clients(self) -> tuple[Genesys, HistoryClient, Tokens]:
        settings, clock, metrics = self.settings, self._clock, self.metrics
        login = HttpClient(settings, settings.genesys_login_url, clock, 1)
        api = HttpClient(settings, settings.genesys_api_url, clock, CONNECTIONS)
        receiver = HttpClient(settings, settings.communication_history_url, clock, _HISTORY_CALLS)
        self._http_clients = (login, api, receiver)
        tokens = Tokens(settings, login, clock, metrics, sent=StoredSentAssertions(self.storage))
        limiter = RateLimiter(settings.api_rate_per_minute, clock)
        self.load = Load(limiter, clock)
        genesys = Genesys(settings, api, tokens, limiter, clock, metrics)
        return genesys, HistoryClient(settings, receiver, clock), tokens

    def _compose_use_cases(self, genesys: Genesys, history: HistoryClient, names: NameCache) -> None:
        storage, settings, runtime, owner = self.storage, self.settings, self._runtime, self.instance_id
        self.delivery = Delivery(storage, history, names, settings, runtime, owner=owner)
        self.reconciliation = Reconciliation(
            storage,
            Inquiry(genesys, settings, self._clock),
            settings,
            runtime,
            load=self.load,
            topics_scarce=lambda: self.registry.places_scarce,
            listener=ReconciliationListener(
                stored=self.delivery.wake,
                unfollow=self._unfollow,
                follow=self._follow,
                agents_seen=names.expect,
            ),
        )
        self.retention = Retention(storage, settings, runtime)
        stored, due = self.delivery.wake, self.reconciliation.wake
        first_question = self.reconciliation.first_question
        self.event_spool = EventSpool(
            storage, settings, runtime, owner=owner, stored=stored, due=due, first_question=first_question
        )
        self.support_results = SupportResults(storage, settings, runtime, stored=stored, due=due)

    def _compose_channels(self, genesys: Genesys) -> None:
        settings, clock, owner = self.settings, self._clock, self.instance_id
        self._lease = Lease(
            self.storage,
            clock,
            owner=owner,
            seconds=settings.lease_seconds,
            alone=self._lock is not None,
            follow=self._follow,
        )
        listener = RegistryListener(
            notified=self.event_spool.notified,
            covered=self.event_spool.covered,
            uncovered=self.event_spool.uncovered,
            rejected=self.event_spool.rejected,
            created=self.event_spool.channel_created,
            closed=self.event_spool.channel_closed,
        )
        context = ChannelContext(
            genesys=genesys, load=self.load, settings=settings, runtime=self._runtime, open_socket=open_socket
        )
        self.registry = ChannelRegistry(context, listener)
        self._resync = Resync(
            self.storage, settings, clock, self.registry, owner=owner, uncovered=self.event_spool.uncovered
        )
        self.registration = Registration(
            self.storage, settings, self._runtime, owner=owner, follow=self.registry.follow
        )

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
            return self._lease.renew()
        except StorageUnavailable:
            return False

    def begin(self) -> None:
        """Start in the background; returns at once."""
        self._tasks.spawn("start", self._start)

    def drain(self) -> None:
        """Prepare the stop: :meth:`ready` turns false, registrations are still accepted. May be repeated."""
        if self._phase is Phase.RUNNING:
            self._phase = Phase.DRAINING
            log.info("draining")

    def stop(self, seconds: float) -> None:
        """Stop everything within ``seconds``; what was promised is stored. A repetition does nothing."""
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
            for part in self._shared_work:
                late += part.stop(min(1.0, deadline.left() / 10))
            reach("drained")
            self._lease.leave()
        self.storage.close()
        for client in self._http_clients:
            client.close()
        if self._lock is not None:
            self._lock.release()
        log.info("stopped", late=late)

    def _start(self) -> None:
        """Start everything as soon as the lock is free and the database answers, whenever that is."""
        if not self._repeat("waiting_for_lock", self._take_lock, self.settings.lease_seconds / 400):
            return
        if not self._repeat("storage_not_open", self._open_storage, self.settings.retry_base_seconds):
            return
        self.event_spool.start()
        self.delivery.start()
        self.registry.start(self._adopted)
        self.reconciliation.start()
        self.retention.start()
        self._phase = Phase.RUNNING
        log.info("running", instance=self.instance_id, followed=len(self._adopted))
        self._tasks.spawn("lease", self._lease.run, self._tasks)
        self._tasks.spawn("resync", self._resync.run, self._tasks)
        self._tasks.spawn("gauges", self._gauges.run, self._tasks)

    def _repeat(self, event: str, attempt: Callable[[], bool], seconds: float) -> bool:
        """Repeat the attempt until it succeeds; log why it fails, at most once a minute. False if stopped first."""
        logged, logged_at = "", 0.0
        while True:
            reason, level = "another process holds it", "info"
            try:
                if attempt():
                    return True
            except (StorageUnavailable, OSError) as error:
                reason, level = str(error), "error"
            except PermanentFailure as error:
                reason, level = str(error), "critical"
            if reason != logged or self._clock.monotonic() - logged_at > _REMIND_SECONDS:
                logged, logged_at = reason, self._clock.monotonic()
                getattr(log, level)(event, reason=reason)
            if self._tasks.wait(seconds):
                return False

    def _take_lock(self) -> bool:
        """Try to take the lock: a worker that is replaced holds it until it has stopped."""
        return self._lock is None or self._lock.acquire()

    def _open_storage(self) -> bool:
        # In a thread, because a locked file and Alembic's import would stop all greenlets.
        if error := gevent.get_hub().threadpool.apply(self._migrate):
            raise error
        self.storage.open()
        self._adopted = self._lease.enter()
        reach("adopted")
        return True

    def _migrate(self) -> GatewayError | OSError | None:
        """Migrate the tables; returns the error, because gevent logs one that is raised in a thread as a crash."""
        try:
            migrate(self.settings.database_url, self.settings.http_timeout_seconds)
        except (GatewayError, OSError) as error:
            return error
        return None

    def _unfollow(self, conversation_id: str) -> None:
        self.registry.unfollow(conversation_id)

    def _follow(self, conversation_id: str) -> None:
        self.registry.follow(conversation_id)

    def _crashed(self, name: str, error: BaseException) -> None:
        log.error("greenlet_crashed", greenlet=name, exc_info=error)
        if self._on_broken is not None and self._phase is not Phase.STOPPED:
            self._on_broken(name)
