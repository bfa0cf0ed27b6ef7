"""Tells tracing, if it is on, what happens: a request, an entry that was stored, an attempt to deliver it.

Invariant: while tracing is off, nothing of OpenTelemetry is imported, and each place that would tell it something only
compares a variable with None. No span holds personal data: ids, numbers, states and kinds of errors only.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

#: conversation and record of an entry
Entry = tuple[str, str]


class OpenSpan(Protocol):
    """A span that has begun."""

    def about(self, **ids: str) -> None:
        """Note ids that are known only now: ``conversation``, ``record``."""

    def conclude(self, outcome: str, error: str | None = None) -> None:
        """Note how it ended; an error is a status or a kind, never the other side's text."""


class Tracer(Protocol):
    """What makes the spans."""

    def request(self, name: str, traceparent: str | None) -> AbstractContextManager[OpenSpan]:
        """The span of a request that a caller made; its parent is the caller's, if ``traceparent`` is valid."""

    def requested(self, conversation: str) -> None:
        """Remember the current span as the request about this conversation: later spans are linked to it."""

    def stored(self, entries: Sequence[Entry]) -> None:
        """Make a span for each entry, linked to the latest request about its conversation."""

    def attempt(self, entry: Entry, number: int) -> AbstractContextManager[OpenSpan]:
        """The span of an attempt to deliver an entry, linked to the span of the entry."""

    def headers(self) -> Mapping[str, str]:
        """The header ``traceparent`` of the current span, for a call that belongs to it."""

    def current_trace_id(self) -> str | None:
        """The id of the current span's trace, if that is sampled."""

    def trace_id_of_entry(self, record: str) -> str | None:
        """The id of the trace of this entry's span, if that is sampled and still remembered."""

    def stop(self, seconds: float) -> None:
        """Export what is left, within ``seconds``."""


class _Use:
    """Which tracer this process uses."""

    tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Have this process traced by it from now on; None switches tracing off."""
    _Use.tracer = tracer


def active() -> Tracer | None:
    """The tracer; None while tracing is off."""
    return _Use.tracer


def current_trace_id() -> str | None:
    """The id of the trace that this greenlet works for now, as 32 hexadecimal digits; None without a sampled one."""
    return None if _Use.tracer is None else _Use.tracer.current_trace_id()


def exemplar(trace_id: str | None) -> dict[str, str] | None:
    """What a histogram keeps beside an observation, so that a slow one leads to its trace; None without a trace."""
    return None if trace_id is None else {"trace_id": trace_id}
