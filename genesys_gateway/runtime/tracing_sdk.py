"""Makes spans with OpenTelemetry's SDK and exports them over OTLP/HTTP. Imported only if tracing is switched on.

Invariant: nothing waits for the exporter. It runs in a greenlet of its own; while it fails, the oldest spans are
dropped. The contexts to which spans are linked are kept in memory only: after a restart a link is missing.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import environ

import gevent
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from genesys_gateway.runtime import logs, tracing
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.tracing import Entry

log = logs.get_logger(__name__)

#: Maximum number of conversations, and of entries, whose spans can still be linked to.
MOST_LINKED = 20_000
#: Number of spans in a call, unless OTEL_BSP_MAX_EXPORT_BATCH_SIZE says otherwise. To encode one takes 0.1 ms, and no
#: other greenlet runs meanwhile.
_BATCH = 32
#: Total time of an export with its repetitions, in seconds, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise.
_TIMEOUT_SECONDS = 5.0

_CONVERSATION, _RECORD = "genesys_gateway.conversation", "genesys_gateway.record"
_OUTCOME = "genesys_gateway.outcome"
_PROPAGATOR = TraceContextTextMapPropagator()


def start(endpoint: str, clock: Clock) -> None:
    """Switch tracing on, as the OTEL_ variables of the environment say. Call it in the process that is traced.

    Args:
        endpoint: The base URL of the collector, unless OTEL_EXPORTER_OTLP_TRACES_ENDPOINT has a whole one.
        clock: Only its monotonic time is used.
    """
    # The SDK reports each failed call, with the address. The exporter below reports them once a minute, without it.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
    timeout = None if _is_set("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT") else _TIMEOUT_SECONDS
    address = None if _is_set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") else f"{endpoint}/v1/traces"
    exporter = _ReportedExporter(OTLPSpanExporter(address, timeout=timeout), clock)
    batch = None if _is_set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") else _BATCH
    use(BatchSpanProcessor(exporter, max_export_batch_size=batch))


def use(processor: SpanProcessor, *, most_linked: int = MOST_LINKED) -> None:
    """Have spans made, and passed to this processor."""
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracing.use(SdkTracer(provider, most_linked))
    logs.add_to_lines(_trace_of_line)


def stop(seconds: float) -> None:
    """Export what is left, within ``seconds``, and switch tracing off."""
    if (tracer := tracing.active()) is not None:
        tracing.use(None)
        logs.add_to_lines(None)
        tracer.stop(seconds)


class SdkTracer:
    """The tracer of this process; see :class:`tracing.Tracer`."""

    def __init__(self, provider: TracerProvider, most_linked: int) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("genesys_gateway")
        self._most_linked = most_linked
        #: the request about each conversation, and the span of each entry; the oldest first
        self._requests: OrderedDict[str, SpanContext] = OrderedDict()
        self._entries: OrderedDict[str, SpanContext] = OrderedDict()

    @contextmanager
    def request(self, name: str, traceparent: str | None) -> Iterator["_OpenSpan"]:
        """The span of a request."""
        # The SDK checks the form. The caller's tracestate is not taken: nobody here knows what it holds.
        parent = _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {})
        with self._tracer.start_as_current_span(
            name, parent, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            yield _OpenSpan(span)

    def requested(self, conversation: str) -> None:
        """Remember the current span as the request about this conversation."""
        span = trace.get_current_span()
        span.set_attribute(_CONVERSATION, conversation)
        self._remember(self._requests, conversation, span.get_span_context())

    def stored(self, entries: Sequence[Entry]) -> None:
        """Make a span for each entry."""
        for conversation, record in entries:
            ids = {_CONVERSATION: conversation, _RECORD: record}
            links = _links(self._requests.get(conversation))
            # A trace of its own: the transaction may serve many requests and events.
            span = self._tracer.start_span(
                "entry stored", trace.set_span_in_context(trace.INVALID_SPAN), SpanKind.PRODUCER, ids, links
            )
            span.end()
            self._remember(self._entries, record, span.get_span_context())

    @contextmanager
    def attempt(self, entry: Entry, number: int) -> Iterator["_OpenSpan"]:
        """The span of an attempt to deliver an entry."""
        conversation, record = entry
        ids: dict[str, str | int] = {_CONVERSATION: conversation, _RECORD: record, "genesys_gateway.attempt": number}
        with self._tracer.start_as_current_span(
            "delivery attempt",
            trace.set_span_in_context(trace.INVALID_SPAN),
            SpanKind.CONSUMER,
            ids,
            _links(self._entries.get(record)),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield _OpenSpan(span)

    def headers(self) -> Mapping[str, str]:
        """The header ``traceparent`` of the current span."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        carrier.pop("tracestate", None)
        return carrier

    def current_trace_id(self) -> str | None:
        """The id of the current span's trace."""
        return _trace_id(trace.get_current_span().get_span_context())

    def trace_id_of_entry(self, record: str) -> str | None:
        """The id of the trace of this entry's span."""
        context = self._entries.get(record)
        return None if context is None else _trace_id(context)

    def stop(self, seconds: float) -> None:
        """Export what is left."""
        # The SDK itself would wait for 30 s.
        gevent.with_timeout(seconds, self._provider.shutdown, timeout_value=None)

    def _remember(self, contexts: OrderedDict[str, SpanContext], key: str, context: SpanContext) -> None:
        if context.is_valid:
            contexts[key] = context
            contexts.move_to_end(key)
            if len(contexts) > self._most_linked:
                contexts.popitem(last=False)


class _OpenSpan:
    """See :class:`tracing.OpenSpan`."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def about(self, **ids: str) -> None:
        for name, one in ids.items():
            self._span.set_attribute(f"genesys_gateway.{name}", one)

    def conclude(self, outcome: str, error: str | None = None) -> None:
        self._span.set_attribute(_OUTCOME, outcome)
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR, error))


class _ReportedExporter(SpanExporter):
    """An exporter whose failures are logged once a minute.

    Args:
        exporter: Exports.
        clock: Only its monotonic time is used.
    """

    def __init__(self, exporter: SpanExporter, clock: Clock) -> None:
        self._exporter = exporter
        self._logger = SampledLog(log, clock)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Called by the SDK, in a greenlet of its own."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._logger.over()
        else:
            self._logger.warning("traces_not_exported", spans=len(spans))
        return result

    def shutdown(self) -> None:
        """Called by the SDK at the end; a repetition of a call is not waited for."""
        self._exporter.shutdown()


def _resource() -> Resource:
    named = _is_set("OTEL_SERVICE_NAME") or "service.name" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if named else {SERVICE_NAME: "genesys-gateway"})


def _is_set(*names: str) -> bool:
    return any(environ.get(name, "").strip() for name in names)


def _trace_id(context: SpanContext) -> str | None:
    return trace.format_trace_id(context.trace_id) if context.trace_flags.sampled else None


def _links(context: SpanContext | None) -> list[Link]:
    return [] if context is None else [Link(context)]


def _trace_of_line() -> Mapping[str, str]:
    trace_id = tracing.current_trace_id()
    return {} if trace_id is None else {"trace_id": trace_id}
