"""Do the metrics have the names and labels that alarms use, and a value from the start?"""

import re

import pytest

from genesys_gateway.runtime.metrics import Metrics, words

#: Every name that alarms use, with its labels.
PROMISED = {
    "conversations_accepted_total": (),
    "conversations": ("state",),
    "conversations_unaccounted": (),
    "conversations_uncovered": (),
    "conversations_unresolved_total": (),
    "events_received_total": ("source",),
    "events_duplicate_total": (),
    "events_amended_total": (),
    "events_rejected_total": ("reason",),
    "reconcile_recovered_events_total": (),
    "event_freshness_seconds": (),
    "deliveries_total": ("outcome",),
    "deliveries_ambiguous_total": (),
    "delivery_backlog": (),
    "delivery_oldest_pending_seconds": (),
    "records_dead": (),
    "channels_open": (),
    "channel_budget": (),
    "channel_created_total": ("reason",),
    "channel_handovers_total": ("reason",),
    "subscription_drift_total": (),
    "genesys_requests_total": ("operation", "outcome"),
    "token_expiry_timestamp_seconds": (),
    "hub_lag_seconds": (),
    "topics_released_total": (),
    "api_calls_left": (),
    "assertion_stale": (),
}


def lines() -> list[str]:
    return Metrics().render().decode().splitlines()


def test_the_metrics_have_the_names_and_labels_that_alarms_use() -> None:
    labels = {family.name.removeprefix("genesys_gateway_"): tuple(family.labels) for family in Metrics().families}

    assert {name: labels.get(name) for name in PROMISED} == PROMISED


def test_what_is_shown_is_what_is_known_of_each() -> None:
    families = Metrics().families

    types = {f"# TYPE {family.name} {family.kind}" for family in families}
    assert {line for line in lines() if line.startswith("# TYPE genesys_gateway_")} == types
    assert len({family.name for family in families}) == len(families)


def test_names_and_meanings_keep_the_rules_of_prometheus() -> None:
    for family in Metrics().families:
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert not re.search(r"_(ms|millis|milliseconds|minutes|hours|kb)\b", family.name), family.name
        assert family.meaning.endswith("."), family.name
        if family.kind == "histogram":
            assert family.name.endswith(("_seconds", "_size")), family.name


def test_every_series_has_a_value_before_anything_has_happened() -> None:
    shown = [line for line in lines() if line.startswith("genesys_gateway_")]

    named = {re.split(r"[{ ]", line)[0].removesuffix("_count") for line in shown}
    open_ones = {family.name for family in Metrics().families if "route" in family.labels}
    assert {family.name for family in Metrics().families} - named == open_ones
    for series in (
        'events_rejected_total{reason="never_registered"}',
        'channel_created_total{reason="handover"}',
        'channel_handovers_total{reason="notice"}',
        'system_notices_total{kind="unknown"}',
        'genesys_requests_total{operation="conversation",outcome="forbidden"}',
        'genesys_request_seconds_count{operation="token"}',
        'history_requests_total{operation="post",outcome="no_reply"}',
        'api_calls_total{class="bulk_questions"}',
        'trouble{code="receiver_down"}',
        'event_freshness_seconds_bucket{le="30.0"}',
    ):
        assert f"genesys_gateway_{series} 0.0" in shown
    assert any(line.startswith("process_resident_memory_bytes") for line in lines())


def test_exactly_the_troubles_that_there_are_are_shown() -> None:
    metrics = Metrics()

    metrics.show_troubles(["no_token"])
    metrics.show_troubles(["uncovered", "channels_full"])

    there = [code for code in words.TROUBLES if value(metrics, "trouble", code=code) == 1]
    assert there == ["uncovered", "channels_full"]


def test_instances_are_counted_by_state() -> None:
    metrics = Metrics()

    metrics.show_instances(["running", "lost", "lost"])
    metrics.show_instances(["running", "running", "left"])

    assert [value(metrics, "instances", state=state) for state in words.INSTANCE_STATES] == [2, 0, 0, 1]


@pytest.mark.parametrize("phase", words.PHASES)
def test_the_phase_is_the_present_one(phase: str) -> None:
    metrics = Metrics()

    metrics.phase_of(lambda: phase)

    assert [one for one in words.PHASES if value(metrics, "phase", phase=one) == 1] == [phase]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels)
