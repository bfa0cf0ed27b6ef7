"""Defines every metric of the service, under the names that alarms use.

Invariant: the names and labels that alarms use never change. What a metric is set from is said where it is set.
"""

from collections import Counter as Counts
from collections.abc import Callable, Iterable
from functools import partial

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from genesys_gateway.runtime.metrics import words
from genesys_gateway.runtime.metrics.exposition import Exposition, Scrape
from genesys_gateway.runtime.metrics.families import Families, Family
from genesys_gateway.runtime.version import __version__

#: Buckets in seconds, from an agent's wrap-up to the committed event: under a second live, minutes to hours backfilled.
_FRESHNESS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30, 60, 300, 1800, 7200, 43200)
#: Buckets in seconds of calls that go out.
_CALL = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
#: Buckets in seconds of requests that come in.
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
#: Buckets in seconds of commits, and in jobs of the groups that share one.
_COMMIT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_GROUP = (1, 2, 4, 8, 16, 32, 64, 128)
#: Buckets in seconds of the delay of the event loop.
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """One set of metrics, with a registry of its own, so that tests can make many."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._families = Families(self.registry)
        self._make_conversation_metrics()
        self._make_event_metrics()
        self._make_delivery_metrics()
        self._make_channel_metrics()
        self._make_genesys_metrics()
        self._make_storage_metrics()
        self._make_http_metrics()
        self._make_process_metrics()
        process = [make(registry=self.registry) for make in (ProcessCollector, PlatformCollector, GCCollector)]
        self._exposition = Exposition([*self._families.collectors, *process])

    @property
    def families(self) -> tuple[Family, ...]:
        """What is known of each metric of ours, in the order in which they are shown."""
        return tuple(self._families.made)

    def render(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return self.scrape().body

    def scrape(self, accept: str | None = None) -> Scrape:
        """All metrics in the format that the header ``Accept`` asks for; see :class:`Exposition`."""
        return self._exposition.scrape(accept)

    def show_troubles(self, codes: Iterable[str]) -> None:
        """Show these troubles, and no others."""
        there = set(codes)
        for code in words.TROUBLES:
            self.trouble.labels(code).set(code in there)

    def show_instances(self, states: Iterable[str]) -> None:
        """Show how many instances are in each state, given the state of each."""
        number = Counts(states)
        for state in words.INSTANCE_STATES:
            self.instances.labels(state).set(number[state])

    def phase_of(self, phase: Callable[[], str]) -> None:
        """Let each scrape ask for the phase of the process."""
        for name in words.PHASES:
            self.phase.labels(name).set_function(partial(lambda one: phase() == one, name))

    def _make_conversation_metrics(self) -> None:
        self._families.section = "Conversations"
        counter, gauge = self._families.counter, self._families.gauge
        self.conversations_accepted = counter("conversations_accepted", "Registrations that were new.")
        self.conversations = gauge("conversations", "Conversations by state.", state=words.CONVERSATION_STATES)
        self.conversations_unaccounted = gauge(
            "conversations_unaccounted",
            "Conversations accepted, but neither followed nor closed. A value other than 0 is a bug.",
        )
        self.conversations_uncovered = gauge(
            "conversations_uncovered", "Conversations followed, but not on an open socket; without released ones."
        )
        self.conversations_released = gauge(
            "conversations_released", "Conversations whose topic was given back, and whose last proof is awaited."
        )
        self.topics_released = counter(
            "topics_released", "Topics given back because their conversations were over by the newest answer."
        )
        self.conversations_unresolved = counter(
            "conversations_unresolved", "Conversations closed at their deadline without a record."
        )
        kinds = ("record", "conversation", "frame")
        self.erased = counter("erased", "Rows whose personal data were erased because of their age.", kind=kinds)
        self.forgotten = counter(
            "forgotten",
            "Conversations deleted because of their age, with everything about them.",
            kind=("conversation", "unregistered"),
        )
        self.trouble = gauge("trouble", "1 while the service has this trouble, else 0.", code=words.TROUBLES)

    def _make_event_metrics(self) -> None:
        self._families.section = "Events"
        counter, gauge = self._families.counter, self._families.gauge
        self.events_received = counter(
            "events_received", "After-call work events, newly stored or already known.", source=words.SOURCES
        )
        self.events_duplicate = counter("events_duplicate", "Events that were already stored.")
        self.events_amended = counter("events_amended", "Stored events that came again with other content.")
        self.events_rejected = counter(
            "events_rejected", "Frames, or parts of them, that could not be used.", reason=words.REJECTED
        )
        self.reconcile_recovered_events = counter(
            "reconcile_recovered_events", "Events found over REST that no socket had delivered."
        )
        self.event_freshness_seconds = self._families.histogram(
            "event_freshness_seconds", "Seconds from the time in the event to its commit.", _FRESHNESS
        )
        self.spool_frames = gauge("spool_frames", "Frames of sockets that wait to be stored.")
        self.spool_changes = gauge("spool_changes", "Changes of coverage that wait to be stored.")

    def _make_delivery_metrics(self) -> None:
        self._families.section = "Delivery"
        counter, gauge = self._families.counter, self._families.gauge
        self.deliveries = counter("deliveries", "Delivery attempts by outcome.", outcome=words.DELIVERY_OUTCOMES)
        self.deliveries_ambiguous = counter("deliveries_ambiguous", "Delivery attempts whose outcome is unknown.")
        self.deliveries_in_flight = gauge("deliveries_in_flight", "Records that are claimed for an attempt here.")
        self.delivery_backlog = gauge("delivery_backlog", "Records waiting to be delivered.")
        self.delivery_oldest_pending_seconds = gauge(
            "delivery_oldest_pending_seconds", "Age in seconds of the oldest record waiting to be delivered."
        )
        self.delivery_state = gauge(
            "delivery_state",
            "1 for the present state of the circuit breaker for CommunicationHistory.",
            state=words.DELIVERY_STATES,
        )
        self.records_dead = gauge("records_dead", "Records given up (dead letters); they can be requeued.")
        self.records_requeued = counter("records_requeued", "Dead records that operators requeued over HTTP.")
        self.records_revealed = counter("records_revealed", "Records that operators were shown unmasked.")
        self.history_requests = counter(
            "history_requests",
            "Calls to CommunicationHistory by operation and outcome.",
            operation=words.HISTORY_OPERATIONS,
            outcome=words.HISTORY_OUTCOMES,
        )
        self.history_request_seconds = self._families.histogram(
            "history_request_seconds",
            "Seconds that a call to CommunicationHistory took, whether it was answered or not.",
            _CALL,
            operation=words.HISTORY_OPERATIONS,
        )

    def _make_channel_metrics(self) -> None:
        self._families.section = "Channels"
        counter, gauge = self._families.counter, self._families.gauge
        self.channels_open = gauge("channels_open", "Channels with an open socket.")
        self.channel_budget = gauge("channel_budget", "Maximum number of channels.")
        self.channel_places_taken = gauge(
            "channel_places_taken", "Places of the budget that all instances of this OAuth client hold."
        )
        self.channel_created = counter("channel_created", "Channels created.", reason=words.CHANNEL_REASONS)
        self.channel_handovers = counter(
            "channel_handovers", "Channels handed over to a successor.", reason=words.HANDOVER_REASONS
        )
        self.system_notices = counter("system_notices", "What Genesys says unasked about channels.", kind=words.NOTICES)
        self.subscription_drift = counter(
            "subscription_drift", "Topics that were only in Genesys's list of a channel, or only in ours."
        )

    def _make_genesys_metrics(self) -> None:
        self._families.section = "Calls to Genesys Cloud"
        counter, gauge = self._families.counter, self._families.gauge
        self.genesys_requests = counter(
            "genesys_requests",
            "Calls to Genesys Cloud by operation and outcome.",
            operation=words.GENESYS_OPERATIONS,
            outcome=words.GENESYS_OUTCOMES,
        )
        self.genesys_request_seconds = self._families.histogram(
            "genesys_request_seconds",
            "Seconds that a call to Genesys Cloud took, whether it was answered or not; without its wait for a permit.",
            _CALL,
            operation=words.GENESYS_OPERATIONS,
        )
        self.api_calls = counter("api_calls", "Calls that the rate limiter permitted.", **{"class": words.CALL_CLASSES})
        self.api_calls_limit = gauge("api_calls_limit", "Calls to Genesys in a minute that are allowed now.")
        self.api_calls_left = gauge(
            "api_calls_left", "Calls that the most urgent class may start now; 0 during a pause."
        )
        self.api_calls_waiting = gauge(
            "api_calls_waiting", "Calls that wait for the rate limiter.", **{"class": words.CALL_CLASSES}
        )
        self.token_expiry_timestamp_seconds = gauge(
            "token_expiry_timestamp_seconds", "Expiry time of the Genesys token, in epoch seconds; 0: none yet."
        )
        self.assertion_stale = gauge(
            "assertion_stale",
            "1 if the Genesys token expires soon and no fresh SAML assertion is available to renew it.",
        )
        self.signing_certificate_expiry_timestamp_seconds = gauge(
            "signing_certificate_expiry_timestamp_seconds",
            "When the certificate in GENESYS_SAML_CERTIFICATE_FILE ends, in epoch seconds; 0: none is set or readable.",
        )

    def _make_storage_metrics(self) -> None:
        self._families.section = "Database and instances"
        counter, gauge, histogram = self._families.counter, self._families.gauge, self._families.histogram
        self.commit_seconds = histogram(
            "commit_seconds", "Seconds that a transaction took, from its first statement to its commit.", _COMMIT
        )
        self.commit_group_size = histogram(
            "commit_group_size",
            "Pieces of work that one commit stored: on SQLite jobs, on PostgreSQL registrations.",
            _GROUP,
        )
        self.commits_failed = counter("commits_failed", "Pieces of work that were not stored, or not in time.")
        self.lease_left_seconds = gauge(
            "lease_left_seconds", "Seconds until the lease of this instance ends; 0 without one."
        )
        self.instances = gauge("instances", "Instances by state, as this one sees them.", state=words.INSTANCE_STATES)

    def _make_http_metrics(self) -> None:
        self._families.section = "HTTP"
        counter, gauge = self._families.counter, self._families.gauge
        self.http_requests = counter(
            "http_requests",
            "Answered requests by route, method and class of the status.",
            route=(),
            method=words.METHODS,
            status=words.STATUS_CLASSES,
        )
        self.http_request_seconds = self._families.histogram(
            "http_request_seconds",
            "Seconds from the head of a request to the head of its answer.",
            _REQUEST,
            route=(),
            method=words.METHODS,
        )
        self.ops_streams = gauge("ops_streams", "Dashboards that are open and get live updates.")
        self.ops_logins = counter(
            "ops_logins", "Logins to the dashboard by a form, by outcome.", outcome=words.LOGIN_OUTCOMES
        )

    def _make_process_metrics(self) -> None:
        self._families.section = "The process itself"
        counter, gauge = self._families.counter, self._families.gauge
        self.log_lines_dropped = counter(
            "log_lines_dropped", "Log lines that were not written, because their reader stalled or was gone."
        )
        self.hub_lag_seconds = gauge(
            "hub_lag_seconds", "Longest delay of the gevent event loop in the last period, in seconds."
        )
        self.hub_lag_probe_seconds = self._families.histogram(
            "hub_lag_probe_seconds", "Delay of the gevent event loop in seconds, looked at 20 times a second.", _LAG
        )
        self.phase = gauge("phase", "1 for the present phase of this process.", phase=words.PHASES)
        gauge("build_info", "1 for the version that runs.", version=(__version__,)).labels(__version__).set(1)
