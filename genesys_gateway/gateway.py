"""Creates all parts of the service, connects them, and starts and stops them in order.

Invariant: nothing is served before the file lock is held and the database answers. At the stop other instances take the
conversations over, then the sockets close, then the events that they brought are stored, then deliveries under way are
finished. The lease is renewed until all of that is done.
"""

import platform
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from random import Random

import gevent

from genesys_gateway.channels import ChannelContext, ChannelRegistry, RegistryListener, SharedBudget
from genesys_gateway.delivery import Delivery, HistoryClient
from genesys_gateway.genesys import Genesys, NameCache, RateLimiter, Tokens, open_socket
from genesys_gateway.genesys.client_key import client_key
from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.rate_limiter import CONNECTIONS
from genesys_gateway.intake import EventSpool, Registration, SupportResults
from genesys_gateway.maintenance import Drain, Gauges, Lease, Ownership, Resync, Retention
from genesys_gateway.maintenance.drain import Handing
from genesys_gateway.maintenance.lease import LeaseListener, Terms
from genesys_gateway.maintenance.ownership import Places
from genesys_gateway.reconciliation import Inquiry, Reconciliation, ReconciliationListener
from genesys_gateway.runtime.clock import Clock, Deadline, SystemClock
from genesys_gateway.runtime.database_clock import DatabaseClock
from genesys_gateway.runtime.errors import GatewayError, PermanentFailure, StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.runtime.process import kernel_name, own_name
from genesys_gateway.runtime.reminder import Reminder
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Storage
from genesys_gateway.storage.fence import Fence
from genesys_gateway.storage.file_lock import FileLock
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.own_connection import own_connection
from genesys_gateway.storage.portable import is_shared, write_nothing
from genesys_gateway.storage.statements.sent_assertions import StoredSentAssertions

log = get_logger(__name__)

#: Maximum number of concurrent calls to CommunicationHistory.
_HISTORY_CALLS = 8


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
        self.identity = Identity()
        self._machine = clock or SystemClock()
        # The machine's time until the database tells its own: on PostgreSQL at each renewal, on SQLite never.
        self._clock = DatabaseClock(self._machine)
        self._on_broken = on_broken
        self._phase = Phase.STARTING
        self._runtime = Runtime(
            clock=self._clock, random=random or Random(), metrics=self.metrics, on_crash=self._crashed
        )
        self._tasks = TaskGroup("gateway", self._crashed)
        self._lease_tasks = TaskGroup("gateway", self._crashed)
        self._upkeep_tasks = TaskGroup("gateway", self._crashed)
        self._lock = FileLock.beside(settings.database_url)
        self._fence = Fence(self._machine, settings.lease_seconds)
        self.storage = Storage(
            settings.database_url, self._clock, patience_seconds=settings.http_timeout_seconds, fence=self._fence
        )
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
        self._compose_instance()
        self._gauges = Gauges(
            self.storage, self.settings, self._runtime, self.registry, self.load, tokens.check_renewal
        )

    def _clients(self) -> tuple[Genesys, HistoryClient, Tokens]:
        settings, clock, machine, metrics = self.settings, self._clock, self._machine, self.metrics
        login = HttpClient(settings, settings.genesys_login_url, machine, 1)
        api = HttpClient(settings, settings.genesys_api_url, machine, CONNECTIONS)
        receiver = HttpClient(settings, settings.communication_history_url, machine, _HISTORY_CALLS)
        self._http_clients = (login, api, receiver)
        sent = StoredSentAssertions(self.storage)
        tokens = Tokens(settings, login, clock, metrics, sent=sent, machine=machine)
        limiter = RateLimiter(settings.api_rate_per_minute, clock)
        self.load = Load(limiter, clock)
        genesys = Genesys(settings, api, tokens, limiter, clock, metrics)
        return genesys, HistoryClient(settings, receiver, clock), tokens

    def _compose_use_cases(self, genesys: Genesys, history: HistoryClient, names: NameCache) -> None:
        storage, settings, runtime, identity = self.storage, self.settings, self._runtime, self.identity
        self.delivery = Delivery(storage, history, names, settings, runtime, identity=identity)
        self.reconciliation = Reconciliation(
            storage,
            Inquiry(genesys, settings, self._clock),
            settings,
            runtime,
            identity=identity,
            load=self.load,
            topics_scarce=lambda: self.registry.places_scarce,
            listener=ReconciliationListener(
                stored=self.delivery.wake,
                unfollow=self._unfollow,
                follow=self._follow,
                agents_seen=names.expect,
            ),
        )
        # It compares the machine's clocks with the database's, so it must not be given one for the other (ADR 0015).
        self.retention = Retention(storage, settings, replace(runtime, clock=self._machine))
        stored, due = self.delivery.wake, self.reconciliation.wake
        first_question = self.reconciliation.first_question
        self.event_spool = EventSpool(
            storage,
            settings,
            runtime,
            identity=identity,
            stored=stored,
            due=due,
            first_question=first_question,
            unfollow=self._unfollow,
        )
        self.support_results = SupportResults(storage, settings, runtime, stored=stored, due=due)

    def _compose_channels(self, genesys: Genesys) -> None:
        settings, clock, identity = self.settings, self._clock, self.identity
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
        self.registry = ChannelRegistry(context, listener, self._shared_budget())
        self._resync = Resync(
            self.storage, settings, clock, self.registry, identity=identity, uncovered=self.event_spool.uncovered
        )
        self.registration = Registration(
            self.storage, settings, self._runtime, identity=identity, follow=self.registry.follow
        )

    def _shared_budget(self) -> SharedBudget | None:
        settings, identity, client = self.settings, self.identity, client_key(self.settings)
        if not is_shared(settings.database_url):
            return None
        return SharedBudget(self.storage, self._fence, settings, self._runtime, identity=identity, client=client)

    def _compose_instance(self) -> None:
        settings, identity, seconds = self.settings, self.identity, self.settings.lease_seconds
        self._lease = Lease(
            own_connection(settings.database_url, self.storage, self._machine, seconds),
            self._machine,
            self._terms(),
            identity=identity,
            fence=self._fence,
            listener=LeaseListener(
                lost=self.registry.reset,  # others may have taken over what its sockets covered
                loss_waits=self.event_spool.loss_waits,
                look=self._look_for_work,
                told_time=self._clock.sync if is_shared(settings.database_url) else lambda *_: None,
            ),
        )
        places = Places(
            count=self.registry.count_places,
            free=lambda: self.registry.free_places,
            waiting=self.registry.waiting_ids,
            follow=self.registry.follow,
            unfollow=self.registry.let_go,
        )
        self._ownership = Ownership(
            self.storage, self._clock, places, identity=identity, lease_seconds=seconds, peers=lambda: self._lease.peers
        )
        handing = Handing(
            takers=lambda: self._lease.peers.running,
            begin=self._begin_handing_over,
            close_emptied=self.registry.close_emptied,
        )
        self._drain = Drain(
            self.storage,
            self._clock,
            handing,
            identity=identity,
            lease_seconds=seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
        )

    def _terms(self) -> Terms:
        settings, host, kernel = self.settings, platform.node(), kernel_name()
        return Terms(
            seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            client=client_key(settings),
            # With port 0 the system chooses the port, so that several may have the same setting on one host.
            endpoint=f"{host} {settings.bind} {kernel}"[-400:] if kernel and not settings.bind.endswith(":0") else None,
            process=own_name(),
            alone=self._lock is not None,
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
            self.storage.run(write_nothing, for_request=True)
        except StorageUnavailable:
            return False
        return True

    def begin(self) -> None:
        """Start in the background; returns at once."""
        self._tasks.spawn("start", self._start)

    def drain(self, *, successor: bool = False) -> None:
        """Prepare the stop: :meth:`ready` turns false, registrations are still accepted. May be repeated.

        Other instances begin to take the conversations over.

        Args:
            successor: Whether a process starts now that will do so.
        """
        if self._phase is Phase.RUNNING:
            self._phase = Phase.DRAINING
            log.info("draining")
            self._drain.begin(self._tasks, successor=successor and self._lock is None)

    def stop(self, seconds: float) -> None:
        """Stop everything within ``seconds``; what was promised is stored. A repetition does nothing."""
        if self._phase is Phase.STOPPED:
            return
        was_serving = self.serving
        self._phase = Phase.STOPPED
        deadline = Deadline(self._clock, seconds)
        if was_serving:
            self._drain.begin(self._tasks)
            self._drain.wait(deadline.left() * 0.6)
        late = self._tasks.stop(seconds / 10)
        self._ownership.wake()
        late += self._upkeep_tasks.stop(deadline.left() / 10)
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
            late += self._lease_tasks.stop(1.0)
        self._lease.leave(max(1.0, deadline.left()))
        self._lease.close()
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
        self.registry.start(())
        self.reconciliation.start()
        self.retention.start()
        self._phase = Phase.RUNNING
        log.info("running", instance=self.identity.id, followed=len(self.registry.followed()))
        self._lease_tasks.spawn("lease", self._lease.run, self._lease_tasks)
        self._upkeep_tasks.spawn("ownership", self._ownership.run, self._upkeep_tasks)
        self._upkeep_tasks.spawn("resync", self._resync.run, self._upkeep_tasks)
        self._tasks.spawn("gauges", self._gauges.run, self._tasks)

    def _repeat(self, event: str, attempt: Callable[[], bool], seconds: float) -> bool:
        """Repeat the attempt until it succeeds; log why it fails, at most once a minute. False if stopped first."""
        waiting = Reminder(self._clock)
        while True:
            reason, level = "another process holds it", "info"
            try:
                if attempt():
                    return True
            except (StorageUnavailable, OSError) as error:
                reason, level = str(error), "error"
            except PermanentFailure as error:
                reason, level = str(error), "critical"
            if waiting.due(reason):
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
        self._lease.enter()
        self.registry.count_places()
        self._ownership.adopt()
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

    def _look_for_work(self) -> None:
        self._ownership.wake()
        self.registry.places_freed()

    def _begin_handing_over(self) -> None:
        self.registry.drain()  # first: others subscribe already, which takes the topics off our lists
        self._ownership.drain()
        self._ownership.wake()
        self._upkeep_tasks.stop(1.0)

    def _crashed(self, name: str, error: BaseException) -> None:
        log.error("greenlet_crashed", greenlet=name, exc_info=error)
        if self._on_broken is not None and self._phase is not Phase.STOPPED:
            self._on_broken(name)
