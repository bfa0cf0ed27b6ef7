"""Are request, entry and attempt joined in the traces that a collector receives, and does it delay nothing?"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
import requests

from tests.doubles.canaries import PRIVATE, found_in
from tests.doubles.trace_collector import TraceCollector
from tests.flow.gateways import start_gateway
from tests.harness.gateway import ADDRESS, BACKOFFICE_TOKEN, BOFE_TOKEN, Gateway
from tests.harness.http import JsonClient
from tests.harness.judge import customer_of
from tests.harness.processes import python
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

CALLER = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{CALLER}-b7ad6b7169203331-01"
REGISTER, REPORT = "POST /customers/supportInteraction", "POST /customers/supportResult"


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    with TraceCollector() as running:
        yield running
        running.hangs = False


@pytest.fixture
def gateway(tmp_path: Path, simulator: Simulator, collector: TraceCollector) -> Iterator[Gateway]:
    running = start_gateway(
        tmp_path, simulator.url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="100"
    )
    yield running
    running.stop()


def _register(gateway: Gateway, conversation: str, traceparent: str) -> int:
    """Register over HTTP with that header."""
    pair = {"customerId": customer_of(conversation), "interactionId": conversation}
    headers = {"Authorization": f"Bearer {BOFE_TOKEN}", "traceparent": traceparent}
    return requests.post(gateway.url + ADDRESS, json=pair, headers=headers, timeout=30).status_code


def _only(collector: TraceCollector, name: str, conversation: str) -> Any:
    def found() -> list[Any]:
        return [one for one in collector.named(name) if conversation in one.attributes.values()]

    until(lambda: found() != [], 30, f"a span {name}")
    (span,) = found()
    return span


def test_request_entry_and_attempt_are_joined_by_links(
    gateway: Gateway, simulator: Simulator, collector: TraceCollector
) -> None:
    session = simulator.start()
    conversation = session.conversation

    assert _register(gateway, conversation, TRACEPARENT) == 201
    simulator.until_covered([session])
    simulator.finish(session)

    attempt = _only(collector, "delivery attempt", conversation)
    entry = _only(collector, "entry stored", conversation)
    request = _only(collector, REGISTER, conversation)
    record = attempt.attributes["genesys_gateway.record"]
    assert (request.trace, request.parent) == (CALLER, "b7ad6b7169203331")
    assert entry.links == (request.context,)
    assert attempt.links == (entry.context,)
    assert len({request.trace, entry.trace, attempt.trace}) == 3
    assert {one.service for one in (request, entry, attempt)} == {"genesys-gateway"}
    assert request.attributes["genesys_gateway.outcome"] == "201"
    assert entry.attributes["genesys_gateway.record"] == record
    assert attempt.attributes["genesys_gateway.outcome"] == "Delivered"
    assert [one.failed for one in (request, entry, attempt)] == [False, False, False]
    (sent,) = [one for one in simulator.attempts() if one["id"] == record]
    assert re.fullmatch(f"00-{attempt.trace}-{attempt.id}-0[13]", sent["traceparent"])
    assert found_in(repr(collector.spans), (*PRIVATE, customer_of(conversation))) == []
    lines = [line for line in gateway.log() if line.get("trace_id") == CALLER]
    assert "request" in [line["event"] for line in lines]


def test_a_support_result_is_joined_too_and_a_failed_attempt_is_an_error(
    gateway: Gateway, simulator: Simulator, collector: TraceCollector
) -> None:
    conversation = "5f0c0a4e-7d52-4a3b-9a51-3a1b5c0d9e01"
    result = {
        "conversationId": conversation,
        "eventTime": "2026-11-22T10:00:00+00:00",
        "direction": "inbound",
        "mediaType": "voice",
        "ani": "+639171234567",
        "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
        "userId": "5f0c0a4e-7d52-4a3b-9a51-3a1b5c0d9e02",
    }
    simulator.set_receiver("422")
    client = JsonClient(gateway.url, BACKOFFICE_TOKEN)
    try:
        assert client.request("POST", "/customers/supportResult", result).status == 202
        attempt = _only(collector, "delivery attempt", conversation)
    finally:
        simulator.set_receiver("ok")
        client.close()

    entry, request = _only(collector, "entry stored", conversation), _only(collector, REPORT, conversation)
    assert request.parent == ""
    assert (entry.links, attempt.links) == ((request.context,), (entry.context,))
    assert (attempt.failed, attempt.attributes["error.type"]) == (True, "HTTP 422")
    assert found_in(repr(collector.spans), PRIVATE) == []


@pytest.mark.parametrize(
    "traceparent", ["", "garbage", f"ff-{CALLER}-b7ad6b7169203331-01", f"00-{'0' * 32}-b7ad6b7169203331-01"]
)
def test_a_traceparent_that_is_not_valid_begins_a_new_trace(
    gateway: Gateway, simulator: Simulator, collector: TraceCollector, traceparent: str
) -> None:
    conversation = simulator.start().conversation

    assert _register(gateway, conversation, traceparent) == 201

    request = _only(collector, REGISTER, conversation)
    assert request.parent == ""
    assert re.fullmatch(r"[0-9a-f]{32}", request.trace)
    assert request.trace not in (CALLER, "0" * 32)


def test_a_collector_that_hangs_delays_neither_records_nor_the_end(
    gateway: Gateway, simulator: Simulator, collector: TraceCollector
) -> None:
    collector.hangs = True
    session = simulator.start()
    assert _register(gateway, session.conversation, TRACEPARENT) == 201
    until(lambda: collector.calls > 0)

    simulator.until_covered([session])
    simulator.finish(session)

    until(lambda: [one["state"] for one in gateway.view(session.conversation)["records"]] == ["delivered"], 30)
    began = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - began < 15, "the SDK itself would wait for 30 s"


def test_a_collector_that_is_away_is_logged_once_without_its_address(tmp_path: Path, simulator: Simulator) -> None:
    gateway = start_gateway(
        tmp_path,
        simulator.url,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        OTEL_BSP_SCHEDULE_DELAY="50",
    )
    try:
        for _ in range(3):
            assert _register(gateway, simulator.start().conversation, TRACEPARENT) == 201
            gevent.sleep(0.2)
        until(lambda: "traces_not_exported" in [line["event"] for line in gateway.log()], 30)
    finally:
        gateway.stop()

    assert not [line for line in gateway.log() if "127.0.0.1:9" in json.dumps(line) and "mistake" not in line]


OFF = """
import sys
from gevent import monkey; monkey.patch_all()
import app, genesys_gateway.gateway, genesys_gateway.web.gunicorn_logs
from genesys_gateway.runtime import tracing
assert tracing.active() is None and tracing.current_trace_id() is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_without_it_nothing_of_opentelemetry_is_loaded() -> None:
    done = subprocess.run(python("-c", OFF), capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"
