"""Do the spans say what they should, and stay the contexts bounded?"""

import io
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from genesys_gateway.runtime import logs, tracing, tracing_sdk
from genesys_gateway.runtime.tracing import Tracer
from tests.doubles.log_lines import configured, logging_restored, written
from tests.doubles.runtime import FakeClock

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    memory = InMemorySpanExporter()
    tracing_sdk.use(SimpleSpanProcessor(memory))
    yield memory
    tracing_sdk.stop(1.0)


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Tracer:
    active = tracing.active()
    assert active is not None
    return active


def test_off_there_is_no_tracer_and_no_trace() -> None:
    assert tracing.active() is None
    assert tracing.current_trace_id() is None


def test_within_a_request_the_trace_of_the_caller_is_known_and_logged(tracer: Tracer) -> None:
    with logging_restored():
        stream: io.StringIO = configured()
        with tracer.request("POST /", TRACEPARENT):
            assert tracing.current_trace_id() == TRACE
            logs.get_logger("module").info("within")
        logs.get_logger("module").info("after")

    within, after = written(stream)
    assert (within["trace_id"], "trace_id" in after) == (TRACE, False)


def test_a_caller_that_samples_nothing_is_obeyed(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    with tracer.request("POST /", TRACEPARENT.removesuffix("01") + "00"):
        assert tracing.current_trace_id() is None

    assert exporter.get_finished_spans() == ()


def test_an_error_is_the_status_of_its_span(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    with tracer.attempt(("c", "r"), 3) as span:
        span.conclude("TryAgain", "HTTP 503")

    (attempt,) = exporter.get_finished_spans()
    assert attempt.status.status_code is StatusCode.ERROR
    assert dict(attempt.attributes or {}) == {
        "genesys_gateway.conversation": "c",
        "genesys_gateway.record": "r",
        "genesys_gateway.attempt": 3,
        "genesys_gateway.outcome": "TryAgain",
        "error.type": "HTTP 503",
    }


def test_an_attempt_whose_entry_is_not_known_has_no_link(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    with tracer.attempt(("c", "r"), 1):
        pass

    (attempt,) = exporter.get_finished_spans()
    assert (list(attempt.links), attempt.parent) == ([], None)


def test_contexts_to_link_to_are_bounded_and_the_oldest_are_forgotten(
    exporter: InMemorySpanExporter,
) -> None:
    tracing_sdk.use(SimpleSpanProcessor(exporter), most_linked=10)
    tracer = tracing.active()
    assert tracer is not None

    tracer.stored([("c", f"r{number}") for number in range(12)])
    for record in ("r0", "r11"):
        with tracer.attempt(("c", record), 1):
            pass

    forgotten, known = exporter.get_finished_spans()[-2:]
    assert (len(forgotten.links), len(known.links)) == (0, 1)


def test_the_service_has_its_name_unless_another_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracing_sdk._resource().attributes["service.name"] == "genesys-gateway"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
    assert tracing_sdk._resource().attributes["service.name"] == "ours"
    monkeypatch.delenv("OTEL_SERVICE_NAME")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=theirs,zone=a")
    assert tracing_sdk._resource().attributes["service.name"] == "theirs"


class Failing(SpanExporter):
    """Reaches no collector."""

    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.FAILURE


def test_failed_exports_are_logged_once_a_minute() -> None:
    exporter = tracing_sdk._ReportedExporter(Failing(), FakeClock())

    with logging_restored():
        stream = configured()
        for _ in range(20):
            exporter.export([])

    assert [line["event"] for line in written(stream)] == ["traces_not_exported"]


def test_the_processor_of_the_service_passes_spans_on_and_ends() -> None:
    memory = InMemorySpanExporter()
    tracing_sdk.use(BatchSpanProcessor(memory, schedule_delay_millis=10_000))
    tracer = tracing.active()
    assert tracer is not None
    tracer.stored([("c", "r")])

    tracing_sdk.stop(1.0)

    assert [span.name for span in memory.get_finished_spans()] == ["entry stored"]
    assert tracing.active() is None


def test_the_trace_of_a_stored_entry_is_known_by_its_record(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    tracer.stored([("c", "r")])

    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert tracer.trace_id_of_entry("r") == f"{span.context.trace_id:032x}"
    assert tracer.trace_id_of_entry("another") is None
