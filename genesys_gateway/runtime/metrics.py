"""Every number the service shows about itself, under the names that alarms use.

Law: a label takes values from a short fixed list only, never an id or anything a caller can choose. Every series is
there from the start: the first increase of one that begins with 1 is seen by no alarm.
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
#: Seconds from an agent's wrap-up to the committed event: sub-second live, minutes or hours when backfilled.
_FRESHNESS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 43200)
#: Why a frame, a part of it, or a thing to be stored could not be used.
_REJECTED = (
    *("not_json", "not_an_object", "bad_topic", "no_body", "bad_identity", "other_conversation"),
    *("field", "never_registered", "not_storable", "spool_full"),
)
#: Calls to Genesys Cloud, and how one may end.
_OPERATIONS = (
    *("token", "create_channel", "list_topics", "add_topics", "replace_topics", "clear_topics"),
    *("conversation", "conversation_details", "user_name", "wrapup_name"),
)
_OUTCOMES = ("ok", "unauthorized", "forbidden", "not_found", "throttled", "refused", "failed", "no_reply", "not_sent")
#: What the content type of :meth:`Metrics.render` is.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# A second series for each counter, saying when it was made, would only double what is scraped.
disable_created_metrics()  # type: ignore[no-untyped-call] # it has no types


class Metrics:
    """One set of metrics with a registry of its own, so that tests can make many."""

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
        """All of it in the Prometheus text format."""
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
            "conversations_unaccounted", "Accepted, but neither followed nor closed. Anything but 0 is a bug."
        )
        self.conversations_uncovered = self._gauge("conversations_uncovered", "Followed, but on no listening socket.")
        self.conversations_unresolved = self._counter(
            "conversations_unresolved", "Closed at their deadline without a record."
        )
        kinds = ("record", "conversation", "frame")
        self.erased = self._counter("erased", "What lost its personal content because of its age.", kind=kinds)

    def _make_event_metrics(self) -> None:
        sources = ("live", "backfill", "supportResult")
        self.events_received = self._counter(
            "events_received", "After-call work events stored or known.", source=sources
        )
        self.events_duplicate = self._counter("events_duplicate", "Events that were stored already.")
        self.events_amended = self._counter("events_amended", "Known events that came again with other content.")
        self.events_rejected = self._counter("events_rejected", "Frames that could not be used.", reason=_REJECTED)
        self.reconcile_recovered_events = self._counter(
            "reconcile_recovered_events", "Events found over REST that no socket had brought."
        )
        self.event_freshness_seconds = Histogram(
            _PREFIX + "event_freshness_seconds",
            "From the event's own time to its commit.",
            buckets=_FRESHNESS,
            registry=self.registry,
        )

    def _make_delivery_metrics(self) -> None:
        outcomes = ("delivered", "failed", "dead")
        self.deliveries = self._counter("deliveries", "Attempts to deliver, by how they ended.", outcome=outcomes)
        self.deliveries_ambiguous = self._counter("deliveries_ambiguous", "Attempts whose outcome is not known.")
        self.delivery_backlog = self._gauge("delivery_backlog", "Records that wait to be delivered.")
        self.delivery_oldest_pending_seconds = self._gauge(
            "delivery_oldest_pending_seconds", "Age of the oldest record that waits."
        )
        self.records_dead = self._gauge("records_dead", "Records given up; they can be requeued.")

    def _make_channel_metrics(self) -> None:
        self.channels_open = self._gauge("channels_open", "Channels with an open socket.")
        self.channel_budget = self._gauge("channel_budget", "Channels this service may have.")
        self.channel_created = self._counter("channel_created", "Channels made.", reason=("demand", "handover"))
        reasons = ("notice", "expiry", "idle", "gone")
        self.channel_handovers = self._counter(
            "channel_handovers", "Channels handed over to a successor.", reason=reasons
        )
        self.subscription_drift = self._counter(
            "subscription_drift", "Topics by which a channel's list differed from ours."
        )

    def _make_genesys_metrics(self) -> None:
        self.genesys_requests = self._counter(
            "genesys_requests",
            "Calls to Genesys Cloud, by how they ended.",
            operation=_OPERATIONS,
            outcome=_OUTCOMES,
        )
        self.token_expiry_timestamp_seconds = self._gauge(
            "token_expiry_timestamp_seconds", "When the Genesys token ends, in epoch seconds."
        )
        self.assertion_stale = self._gauge(
            "assertion_stale", "1 when the Genesys token ends soon and no fresh SAML assertion is there to renew it."
        )
        self.hub_lag_seconds = self._gauge("hub_lag_seconds", "How late the event loop lately was.")
