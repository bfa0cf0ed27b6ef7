"""A collector of traces that keeps what it receives over OTLP/HTTP, and can be told to hang."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """A span as it came over the wire; ids in hexadecimal digits."""

    name: str
    trace: str
    id: str
    parent: str
    service: str
    attributes: Mapping[str, str]
    #: trace and span of each link
    links: tuple[tuple[str, str], ...]
    failed: bool

    @property
    def context(self) -> tuple[str, str]:
        """What a link to it holds."""
        return self.trace, self.id


@dataclass(slots=True)
class TraceCollector:
    """Listens on a free port of 127.0.0.1 while it is used as a context."""

    hangs: bool = False
    calls: int = 0
    spans: list[ReceivedSpan] = field(default_factory=list)
    _server: WSGIServer | None = None

    def __enter__(self) -> "TraceCollector":
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.stop(timeout=0)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    def named(self, name: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.name == name]

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        self.calls += 1
        while self.hangs:
            gevent.sleep(0.05)
        assert (environ["PATH_INFO"], environ["CONTENT_TYPE"]) == ("/v1/traces", "application/x-protobuf")
        self.spans += _spans_of(body)
        start_response("200 OK", [("Content-Type", "application/x-protobuf")])
        return [b""]


def _spans_of(body: bytes) -> list[ReceivedSpan]:
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return [
        ReceivedSpan(
            name=span.name,
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            service=_attributes(resource.resource.attributes).get("service.name", ""),
            attributes=_attributes(span.attributes),
            links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
            failed=span.status.code == 2,
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _attributes(pairs: Iterable[Any]) -> dict[str, str]:
    return {pair.key: str(pair.value.string_value or pair.value.int_value) for pair in pairs}
