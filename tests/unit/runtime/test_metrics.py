"""Do the metrics have the names that alarms use, and a value from the start?"""

import re

from genesys_gateway.runtime.metrics import Metrics


def test_the_metrics_have_the_names_alarms_use() -> None:
    shown = Metrics().render().decode()

    names = {line.split(" ")[2] for line in shown.splitlines() if line.startswith("# TYPE genesys_gateway_")}
    assert names == {
        f"genesys_gateway_{name}"
        for name in (
            "conversations_accepted_total",
            "conversations",
            "conversations_unaccounted",
            "conversations_uncovered",
            "conversations_released",
            "topics_released_total",
            "conversations_unresolved_total",
            "erased_total",
            "forgotten_total",
            "events_received_total",
            "events_duplicate_total",
            "events_amended_total",
            "events_rejected_total",
            "reconcile_recovered_events_total",
            "event_freshness_seconds",
            "deliveries_total",
            "deliveries_ambiguous_total",
            "delivery_backlog",
            "delivery_oldest_pending_seconds",
            "records_dead",
            "channels_open",
            "channel_budget",
            "channel_places_taken",
            "channel_created_total",
            "channel_handovers_total",
            "subscription_drift_total",
            "system_notices_total",
            "genesys_requests_total",
            "api_calls_total",
            "api_calls_left",
            "token_expiry_timestamp_seconds",
            "assertion_stale",
            "log_lines_dropped_total",
            "hub_lag_seconds",
        )
    }
    assert "process_resident_memory_bytes" in shown


def test_every_metric_has_a_value_before_anything_has_happened() -> None:
    lines = Metrics().render().decode().splitlines()

    named = {line.split(" ")[2] for line in lines if line.startswith("# TYPE genesys_gateway_")}
    assert not {name for name in named if not any(re.match(rf"{name}(_count)?[{{ ]", line) for line in lines)}
    for series in (
        'events_rejected_total{reason="never_registered"}',
        'channel_created_total{reason="handover"}',
        'channel_handovers_total{reason="notice"}',
        'system_notices_total{kind="unknown"}',
        'genesys_requests_total{operation="conversation",outcome="forbidden"}',
        'api_calls_total{class="bulk_questions"}',
    ):
        assert f"genesys_gateway_{series} 0.0" in lines
