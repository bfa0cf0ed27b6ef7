"""Writes everything this process logs or prints as one JSON object per line, or as one line of text for people.

Invariant: no data from outside can break a line or add one, because control characters are always escaped. A service
never waits for whatever reads its lines.
"""

import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import NamedTuple, TextIO, cast

import gevent
import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from genesys_gateway.runtime import log_format
from genesys_gateway.runtime.log_writer import LogWriter

#: How long the end of the process waits until its last lines are written, in seconds.
_LAST_LINES_SECONDS = 2.0
#: Loggers of libraries that below WARNING would write statements with their values, hosts, paths or headers.
_NEVER_BELOW_WARNING = ("urllib3", "websocket", "alembic", "sqlalchemy")
#: see :func:`add_to_lines`
_added: list[Callable[[], Mapping[str, str]]] = []


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module. An event is in snake_case, ids are fields, personal data are never logged."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


def configure(
    level: str = "info", style: str = "json", stream: TextIO | None = None, *, in_background: bool = False
) -> None:
    """Send all logging of this process, of libraries and ``warnings`` too, to one stream.

    A second call replaces the first. Logging must work before the settings are checked, so an unknown level or style
    counts as the default.

    Args:
        level: The lowest level that is written: debug, info, warning, error, critical.
        style: ``json``, ``text``, or ``auto``: text if the stream is a terminal.
        stream: stderr by default, so that stdout holds nothing but a command's result.
        in_background: Whether a thread writes the lines, so that logging never waits. For servers only: what is logged
            just before a kill may be lost.
    """
    number = logging.getLevelNamesMapping().get(level.strip().upper(), logging.INFO)
    target = stream or _unwrapped(sys.stderr)
    handler = _Handler(log_format.of(style, target), target, in_background=in_background)
    put = handler.put
    structlog.configure(
        processors=[handler.line_of_event],
        logger_factory=partial(_Named, debug=put, info=put, warning=put, error=put, critical=put),
        wrapper_class=structlog.make_filtering_bound_logger(number),
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(number)
    for name in _NEVER_BELOW_WARNING:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)


def add_to_lines(fields: Callable[[], Mapping[str, str]] | None) -> None:
    """Add to each line of our own loggers the fields that this returns when the line is logged; None ends that."""
    _added[:] = [] if fields is None else [fields]


def flush() -> None:
    """Wait for a short time until everything that was logged is written; stops all greenlets."""
    for handler in logging.root.handlers:
        handler.flush()


def lines_dropped() -> int:
    """Number of lines that this process has dropped so far, because their reader stalled or was gone."""
    return sum(handler.dropped for handler in logging.root.handlers if isinstance(handler, _Handler))


def capture_everything() -> None:
    """Log also what bypasses logging: uncaught errors, crashed greenlets and printed text. For servers only."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    # gevent prints the traceback of a greenlet that nothing watches, and has no other hook for it.
    gevent.get_hub().print_exception = _lost_greenlet  # type: ignore[method-assign,assignment] # gevent declares a method
    sys.stdout = _Printed("stdout", sys.stdout)
    sys.stderr = _Printed("stderr", sys.stderr)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, event: str = "uncaught_error"
) -> None:
    log = logging.getLogger(__name__)
    if issubclass(kind, KeyboardInterrupt):
        log.info("interrupted")
    else:
        log.critical(event, exc_info=(kind, error or kind(), trace))


def _lost_greenlet(
    _context: object | None,
    kind: type[BaseException] | None,
    error: BaseException | str | None,
    trace: TracebackType | None,
) -> None:
    known = error if isinstance(error, BaseException) else None
    _uncaught(kind or RuntimeError, known, trace, "greenlet_died")


def _unwrapped(stream: TextIO) -> TextIO:
    return stream.beneath if isinstance(stream, _Printed) else stream


class _Named(NamedTuple):
    """The logger of one module, as structlog knows it: each of these is called with a finished line."""

    name: str
    debug: Callable[[str], None]
    info: Callable[[str], None]
    warning: Callable[[str], None]
    error: Callable[[str], None]
    critical: Callable[[str], None]


class _Handler(logging.Handler):
    """Makes a line of each event of our own loggers and of each record of libraries, and has it written.

    Our own events do not become records first: that would take three times as long as the line itself.

    Args:
        render: Makes the line of an event.
        stream: Where the lines go.
        in_background: Whether a thread writes them.
    """

    def __init__(self, render: Callable[[Mapping[str, object]], str], stream: TextIO, *, in_background: bool) -> None:
        super().__init__()
        self._render = render
        self._stream = stream
        self._writer = LogWriter(stream.fileno(), self._report) if in_background else None
        #: writes a line
        self.put = self._writer.put if self._writer else self._write

    @property
    def dropped(self) -> int:
        """Number of lines that were not written, because their reader stalled or was gone."""
        return self._writer.dropped if self._writer else 0

    def line_of_event(self, logger: _Named, level: str, event: EventDict) -> str:
        """Called by structlog for the line of an event."""
        for fields in _added:
            event.update(fields())
        return self._line(logger.name, level, event.pop("event", "-"), event)

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        try:
            line = self._line(record.name, level, record.getMessage(), {"exc_info": record.exc_info})
        except Exception:  # noqa: BLE001 - as in logging: no line may end its caller
            line = _failed(record.name)
        self.put(line)

    def flush(self) -> None:
        if self._writer:
            self._writer.flush(_LAST_LINES_SECONDS)

    def _line(self, logger: str, level: str, event: object, more: EventDict) -> str:
        try:
            if "exc_info" in more:
                more = structlog.processors.format_exc_info(None, "", more)
            return self._render({"at": _now(), "level": level, "event": event, "logger": logger, **more})
        except Exception:  # noqa: BLE001 - a value may fail to become text, too
            return _failed(logger)

    def _write(self, line: str) -> None:
        # If the stream itself is broken, this can't be reported anywhere.
        with self.lock or nullcontext(), suppress(OSError, ValueError):
            try:
                self._stream.write(line + "\n")
            except UnicodeEncodeError:  # the stream takes less than UTF-8
                self._stream.write(line.encode("ascii", "backslashreplace").decode() + "\n")
            self._stream.flush()

    def _report(self, missing: int) -> str:
        head = {"at": _now(), "level": "error", "event": "log_lines_dropped", "logger": __name__, "lines": missing}
        return self._render(head)


def _failed(logger: str) -> str:
    return json.dumps({"level": "error", "event": "log_line_failed", "logger": logger})


class _Printed(io.TextIOBase):
    """Takes the place of stdout or stderr and logs each printed line."""

    def __init__(self, name: str, stream: TextIO) -> None:
        super().__init__()
        self.beneath = _unwrapped(stream)
        self._name = name
        self._unfinished = ""

    def write(self, text: str) -> int:
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            if line.strip():
                logging.getLogger(self._name).warning("%s", line)
        return len(text)

    def flush(self) -> None:
        self.beneath.flush()

    def fileno(self) -> int:
        return self.beneath.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True
