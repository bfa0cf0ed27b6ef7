"""Defines every metric of the service, under the names that alarms use.

Invariant: a label takes its values from a short fixed list, never an id or anything a caller can choose. Every series
exists from the start: if it first appeared with the value 1, no alarm would see that increase.
"""

from collections.abc import Sequence
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

_PREFIX = "genesys_gateway_"
#: Buckets in seconds, from an agent's wrap-up to the committed event: under a second live, minutes to hours backfilled.
_FRESHNESS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 43200)
#: Reasons why a frame, a part of it, or its storing was rejected.
_REJECTED = (
    *("not_json", "not_an_object", "bad_topic", "no_body", "bad_identity", "no_identity", "other_conversation"),
    *("field", "never_registered", "not_storable", "spool_full"),
)
#: Calls to Genesys Cloud, and their possible outcomes.
_OPERATIONS = (
    *("token", "create_channel", "list_topics", "add_topics", "replace_topics", "clear_topics"),
    *("conversation", "conversation_details", "user_name", "user_names", "wrapup_name", "wrapup_names"),
)
_OUTCOMES = ("ok", "unauthorized", "forbidden", "not_found", "throttled", "refused", "failed", "no_reply", "not_sent")
#: Content type of the text that :meth:`Metrics.render` returns.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# By default each counter has a second series with the time of its creation, which would only double the scraped text.
disable_created_metrics()  # type: ignore[no-untyped-call] # the one function of prometheus_client without types


class Metrics:
    """One set of metrics, with a registry of its own, so that tests can make many."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._make_conversation_metrics()
        self._make_event_metrics()
        self._make_delivery_metrics()
        self._make_channel_metrics()
        self._make_genesys_metrics()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def render(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, **labels: Sequence[str]) -> Counter:
        counter = Counter(_PREFIX + name, text, tuple(labels), registry=self.registry)
        for values in product(*labels.values()) if labels else ():
            counter.labels(*values)
        return counter

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(_PREFIX + name, text, labels, registry=self.registry)

    def _make_conversation_metrics(self) -> None:
        self.conversations_accepted = self._counter("conversations_accepted", "Registrations answered with 2xx.")
        self.conversations = self._gauge("conversations", "Conversations by state.", "state")
        for state in ("pending", "subscribed", "closed"):
            self.conversations.labels(state=state).set(0)
        self.conversations_unaccounted = self._gauge(
            "conversations_unaccounted",
            "Conversations accepted, but neither followed nor closed. A value other than 0 is a bug.",
        )
        self.conversations_uncovered = self._gauge(
            "conversations_uncovered", "Conversations followed, but not on an open socket; without released ones."
        )
        self.conversations_released = self._gauge(
            "conversations_released", "Conversations whose topic was given back, and whose last proof is awaited."
        )
        self.topics_released = self._counter(
            "topics_released", "Topics given back because their conversations were over by the newest answer."
        )
        self.conversations_unresolved = self._counter(
            "conversations_unresolved", "Conversations closed at their deadline without a record."
        )
        kinds = ("record", "conversation", "frame")
        self.erased = self._counter("erased", "Rows whose personal data were erased because of their age.", kind=kinds)
        self.forgotten = self._counter(
            "forgotten",
            "Conversations deleted because of their age, with everything about them.",
            kind=("conversation", "unregistered"),
        )

    def _make_event_metrics(self) -> None:
        sources = ("live", "backfill", "supportResult")
        self.events_received = self._counter(
            "events_received", "After-call work events, newly stored or already known.", source=sources
        )
        self.events_duplicate = self._counter("events_duplicate", "Events that were already stored.")
        self.events_amended = self._counter("events_amended", "Stored events that came again with other content.")
        self.events_rejected = self._counter(
            "events_rejected", "Frames, or parts of them, that could not be used.", reason=_REJECTED
        )
        self.reconcile_recovered_events = self._counter(
            "reconcile_recovered_events", "Events found over REST that no socket had delivered."
        )
        self.event_freshness_seconds = Histogram(
            _PREFIX + "event_freshness_seconds",
            "Seconds from the time in the event to its commit.",
            buckets=_FRESHNESS,
            registry=self.registry,
        )

    def _make_delivery_metrics(self) -> None:
        outcomes = ("delivered", "failed", "dead")
        self.deliveries = self._counter("deliveries", "Delivery attempts by outcome.", outcome=outcomes)
        self.deliveries_ambiguous = self._counter("deliveries_ambiguous", "Delivery attempts whose outcome is unknown.")
        self.delivery_backlog = self._gauge("delivery_backlog", "Records waiting to be delivered.")
        self.delivery_oldest_pending_seconds = self._gauge(
            "delivery_oldest_pending_seconds", "Age in seconds of the oldest record waiting to be delivered."
        )
        self.records_dead = self._gauge("records_dead", "Records given up (dead letters); they can be requeued.")

    def _make_channel_metrics(self) -> None:
        self.channels_open = self._gauge("channels_open", "Channels with an open socket.")
        self.channel_budget = self._gauge("channel_budget", "Maximum number of channels.")
        self.channel_places_taken = self._gauge(
            "channel_places_taken", "Places of the budget that all instances of this OAuth client hold."
        )
        self.channel_created = self._counter("channel_created", "Channels created.", reason=("demand", "handover"))
        reasons = ("notice", "expiry", "idle", "gone")
        self.channel_handovers = self._counter(
            "channel_handovers", "Channels handed over to a successor.", reason=reasons
        )
        kinds = ("socket_closing", "no_longer_subscribed", "token_revoked", "subscription_updated", "unknown")
        self.system_notices = self._counter("system_notices", "What Genesys says unasked about channels.", kind=kinds)
        self.subscription_drift = self._counter(
            "subscription_drift", "Topics that were only in Genesys's list of a channel, or only in ours."
        )

    def _make_genesys_metrics(self) -> None:
        self.genesys_requests = self._counter(
            "genesys_requests",
            "Calls to Genesys Cloud by operation and outcome.",
            operation=_OPERATIONS,
            outcome=_OUTCOMES,
        )
        classes = ("channels", "subscriptions", "names", "bulk_questions", "live_questions")
        self.api_calls = self._counter("api_calls", "Calls that the rate limiter permitted.", **{"class": classes})
        self.api_calls_left = self._gauge(
            "api_calls_left", "Calls that the most urgent class may start now; 0 during a pause."
        )
        self.token_expiry_timestamp_seconds = self._gauge(
            "token_expiry_timestamp_seconds", "Expiry time of the Genesys token, in epoch seconds."
        )
        self.assertion_stale = self._gauge(
            "assertion_stale",
            "1 if the Genesys token expires soon and no fresh SAML assertion is available to renew it.",
        )
        self.log_lines_dropped = self._counter(
            "log_lines_dropped", "Log lines that were not written, because their reader stalled or was gone."
        )
        self.hub_lag_seconds = self._gauge("hub_lag_seconds", "Recent delay of the gevent event loop in seconds.")
