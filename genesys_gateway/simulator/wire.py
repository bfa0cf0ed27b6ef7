"""The thin HTTP layer below every interface of the simulator: request, answer, router.

Plain WSGI on purpose: the simulator has to misbehave on the connection itself, and it must never be the bottleneck
of a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs

import orjson

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
T = TypeVar("T")

#: Answers with these statuses end after their headers: a client would read further bytes as the next answer.
_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request with its body already read."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: bytes
    environ: Environ

    @classmethod
    def of(cls, environ: Environ) -> Request:
        return cls(
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO", "/"),
            query=parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True),
            body=environ["wsgi.input"].read() if _has_body(environ) else b"",
            environ=environ,
        )

    def header(self, name: str) -> str:
        key = name.upper().replace("-", "_")
        value = self.environ.get(key if key == "CONTENT_TYPE" else f"HTTP_{key}", "")
        return str(value)

    def json(self) -> Any:
        """The body as JSON; None if it is empty. Raises ValueError if it is not JSON."""
        return orjson.loads(self.body) if self.body else None

    def form(self) -> dict[str, str]:
        """The body as a form; only the first value of each field."""
        fields = parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[0] for name, values in fields.items()}

    def one(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer. `body` is JSON-encoded unless it is bytes."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def send(answer: Answer, start_response: StartResponse, *, head: bool = False) -> Iterable[bytes]:
    """Start the response with status line and headers, and return the body."""
    body = b"" if answer.status in _WITHOUT_BODY else _encoded(answer.body)
    headers = list(answer.headers.items())
    if answer.status not in _WITHOUT_BODY:
        headers.append(("Content-Length", str(len(body))))
    if body:
        headers.append(("Content-Type", answer.content_type))
    start_response(f"{answer.status} {_phrase(answer.status)}", headers)
    return [] if head or not body else [body]


def _encoded(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else orjson.dumps(body)


class Router(Generic[T]):
    """Finds the handlers of a path. Templates look like `/fixed/{parameter}`; a parameter is one segment."""

    def __init__(self) -> None:
        self._routes: dict[int, list[tuple[tuple[str, ...], dict[str, T]]]] = {}

    def add(self, method: str, template: str, handler: T) -> None:
        segments = tuple(template.strip("/").split("/"))
        candidates = self._routes.setdefault(len(segments), [])
        for known, methods in candidates:
            if known == segments:
                methods[method] = handler
                return
        candidates.append((segments, {method: handler}))

    def find(self, path: str) -> tuple[dict[str, T], dict[str, str]] | None:
        """The handlers by method and the parameters of a path; None if the path is unknown."""
        parts = path.strip("/").split("/")
        for segments, methods in self._routes.get(len(parts), ()):
            found: dict[str, str] = {}
            for segment, part in zip(segments, parts, strict=True):
                if segment[:1] == "{":
                    found[segment[1:-1]] = part
                elif segment != part:
                    break
            else:
                return methods, found
        return None


def _has_body(environ: Environ) -> bool:
    return bool(environ.get("CONTENT_LENGTH")) or environ.get("HTTP_TRANSFER_ENCODING") == "chunked"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
