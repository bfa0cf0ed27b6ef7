"""Creates all parts of one gateway and connects them by callbacks.

Invariant: nothing runs and nothing is connected before the gateway starts it. Folders that stand side by side do not
know each other; what one has to tell another goes through a callback that is given here.
"""

import platform
from collections.abc import Callable
from dataclasses import replace

from genesys_gateway.channels import ChannelContext, ChannelRegistry, RegistryListener, SharedBudget
from genesys_gateway.delivery import Delivery, HistoryClient
from genesys_gateway.genesys import Genesys, NameCache, RateLimiter, Tokens, open_socket
from genesys_gateway.genesys.client_key import client_key
from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.rate_limiter import CONNECTIONS
from genesys_gateway.intake import EventSpool, Registration, SupportResults
from genesys_gateway.maintenance import Drain, Gauges, Lease, Ownership, Resync, Retention
from genesys_gateway.maintenance.drain import Handing
from genesys_gateway.maintenance.hub_lag import HubLag
from genesys_gateway.maintenance.lease import LeaseListener, Terms
from genesys_gateway.maintenance.live_gauges import show_live
from genesys_gateway.maintenance.ownership import Places
from genesys_gateway.oversight.channel_list import channel_list
from genesys_gateway.oversight.conversations import Conversations
from genesys_gateway.oversight.hour import Hour
from genesys_gateway.oversight.own import OwnFindings, Sources
from genesys_gateway.oversight.probes import DiskProbe, Probes
from genesys_gateway.oversight.records import Records
from genesys_gateway.oversight.watch import Watch
from genesys_gateway.reconciliation import Inquiry, Reconciliation, ReconciliationListener
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.database_clock import DatabaseClock
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.process import kernel_name, own_name
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Storage
from genesys_gateway.storage.commit_listener import CommitListener
from genesys_gateway.storage.fence import Fence
from genesys_gateway.storage.own_connection import own_connection
from genesys_gateway.storage.portable import is_shared
from genesys_gateway.storage.statements.sent_assertions import StoredSentAssertions

#: Maximum number of concurrent calls to CommunicationHistory.
_HISTORY_CALLS = 8


class Parts:
    """The parts of one gateway, each made once.

    Args:
        settings: Checked settings.
        runtime: What all parts share; its clock is ``clock``.
        clock: The machine's time until the database tells its own: on PostgreSQL at each renewal, on SQLite never.
        machine: The machine's own time.
        alone: Whether this process holds the lock of a SQLite file, so that no other instance runs.
        begin_handing_over: Called by the drain when another instance is there that takes the conversations over.
    """

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        *,
        clock: DatabaseClock,
        machine: Clock,
        alone: bool,
        begin_handing_over: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.metrics = runtime.metrics
        self.identity = Identity()
        self._runtime = runtime
        self._clock = clock
        self._machine = machine
        self._alone = alone
        self._begin_handing_over = begin_handing_over
        self._fence = Fence(machine, settings.lease_seconds)
        self.storage = Storage(
            settings.database_url,
            clock,
            patience_seconds=settings.http_timeout_seconds,
            fence=self._fence,
            listener=CommitListener(
                took=self.metrics.commit_seconds.observe,
                grouped=self.metrics.commit_group_size.observe,
                failed=self.metrics.commits_failed.inc,
            ),
        )
        self._compose()

    def _compose(self) -> None:
        genesys, history, tokens = self._clients()
        self._inquiry = Inquiry(genesys, self.settings, self._clock)
        names = NameCache(
            genesys,
            self._clock,
            per_minute=self.settings.api_rate_per_minute,
            busy=lambda: self.load.busy,
            used=self.load.used,
        )
        self.shared_work = (names, tokens)
        self._compose_use_cases(history, names)
        self._compose_channels(genesys)
        self._compose_instance()
        self._compose_oversight(genesys, tokens)
        self.gauges = Gauges(self.storage, self.settings, self._runtime, self.registry, tokens.check_renewal)
        self.hub_lag = HubLag(self.metrics, self.settings.lease_seconds / 4)
        self.hour = Hour(self.metrics, self._machine)
        show_live(
            self.metrics,
            load=self.load,
            spool=self.event_spool,
            delivery=self.delivery,
            lease_left_seconds=self.lease.left_seconds,
        )
        self.watch = self._watch()

    def _clients(self) -> tuple[Genesys, HistoryClient, Tokens]:
        settings, clock, machine, metrics = self.settings, self._clock, self._machine, self.metrics
        login = HttpClient(settings, settings.genesys_login_url, machine, 1)
        api = HttpClient(settings, settings.genesys_api_url, machine, CONNECTIONS)
        receiver = HttpClient(settings, settings.communication_history_url, machine, _HISTORY_CALLS)
        self.http_clients = (login, api, receiver)
        sent = StoredSentAssertions(self.storage)
        tokens = Tokens(settings, login, clock, metrics, sent=sent, machine=machine)
        limiter = RateLimiter(settings.api_rate_per_minute, clock)
        self.load = Load(limiter, clock)
        genesys = Genesys(settings, api, tokens, limiter, clock, metrics)
        return genesys, HistoryClient(settings, receiver, clock, metrics), tokens

    def _compose_use_cases(self, history: HistoryClient, names: NameCache) -> None:
        storage, settings, runtime, identity = self.storage, self.settings, self._runtime, self.identity
        self.delivery = Delivery(storage, history, names, settings, runtime, identity=identity)
        self.reconciliation = Reconciliation(
            storage,
            self._inquiry,
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
        self.records = Records(storage, settings, runtime, requeued=self.delivery.wake)
        self.conversations = Conversations(storage)

    def _topic_refused(self, conversation_id: str, reason: str) -> None:
        self._inquiry.permissions.doubt(conversation_id)
        self.event_spool.rejected(conversation_id, reason)

    def _compose_channels(self, genesys: Genesys) -> None:
        settings, clock, identity = self.settings, self._clock, self.identity
        listener = RegistryListener(
            notified=self.event_spool.notified,
            covered=self.event_spool.covered,
            uncovered=self.event_spool.uncovered,
            rejected=self._topic_refused,
            created=self.event_spool.channel_created,
            closed=self.event_spool.channel_closed,
        )
        context = ChannelContext(
            genesys=genesys, load=self.load, settings=settings, runtime=self._runtime, open_socket=open_socket
        )
        self.registry = ChannelRegistry(context, listener, self._shared_budget())
        self.resync = Resync(
            self.storage, settings, clock, self.registry, identity=identity, uncovered=self.event_spool.uncovered
        )
        self.registration = Registration(
            self.storage, settings, self._runtime, identity=identity, follow=self.registry.follow
        )

    def _compose_oversight(self, genesys: Genesys, tokens: Tokens) -> None:
        disk = DiskProbe(self.storage, self._machine)
        self.probes = Probes(disk, tokens, genesys, self._inquiry, self._clock)
        sources = Sources(
            breaker=self.delivery.breaker,
            tokens=tokens,
            registry=self.registry,
            load=self.load,
            permissions=self._inquiry.permissions,
            disk=disk,
            spooled=lambda: self.event_spool.waiting,
            channel_budget=self.settings.channel_budget,
        )
        self.own_findings = OwnFindings(sources, self._clock)

    def _shared_budget(self) -> SharedBudget | None:
        settings, identity, client = self.settings, self.identity, client_key(self.settings)
        if not is_shared(settings.database_url):
            return None
        return SharedBudget(self.storage, self._fence, settings, self._runtime, identity=identity, client=client)

    def _compose_instance(self) -> None:
        settings, identity, seconds = self.settings, self.identity, self.settings.lease_seconds
        self.lease = Lease(
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
        self.ownership = Ownership(
            self.storage, self._clock, places, identity=identity, lease_seconds=seconds, peers=lambda: self.lease.peers
        )
        handing = Handing(
            takers=lambda: self.lease.peers.running,
            begin=self._begin_handing_over,
            close_emptied=self.registry.close_emptied,
        )
        self.drain = Drain(
            self.storage,
            self._clock,
            handing,
            identity=identity,
            lease_seconds=seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
        )

    def _watch(self) -> Watch:
        settings, identity = self.settings, self.identity
        return Watch(
            self.storage,
            self._runtime,
            identity=identity,
            own=self.own_findings.now,
            channels=lambda: channel_list(self.registry.channels(), owner=identity.id, limit=settings.channel_topics),
            shared=is_shared(settings.database_url),
            lease_seconds=settings.lease_seconds,
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
            alone=self._alone,
        )

    def _unfollow(self, conversation_id: str) -> None:
        self.registry.unfollow(conversation_id)

    def _follow(self, conversation_id: str) -> None:
        self.registry.follow(conversation_id)

    def _look_for_work(self) -> None:
        self.delivery.wake()  # records may have been requeued
        self.ownership.wake()
        self.registry.places_freed()
