"""Writes everything this process logs or prints as one JSON object per line, or as one line of text for people.

Invariant: no data from outside can break a line or add one, because control characters are always escaped. A service
never waits for whatever reads its lines.
"""

import io
import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO, cast

import gevent
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, ProcessorReturnValue, WrappedLogger

from genesys_gateway.runtime.log_writer import LogWriter

#: How long the end of the process waits until its last lines are written, in seconds.
_LAST_LINES_SECONDS = 2.0
#: Loggers of libraries that below WARNING would write statements with their values, hosts, paths or headers.
_NEVER_BELOW_WARNING = ("urllib3", "websocket", "alembic", "sqlalchemy")

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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
        style: ``json`` or ``text``.
        stream: stderr by default, so that stdout holds nothing but a command's result.
        in_background: Whether a thread writes the lines, so that logging never waits. For servers only: what is logged
            just before a kill may be lost.
    """
    number = logging.getLevelNamesMapping().get(level.strip().upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *_common_fields(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
    )
    target = stream or _unwrapped(sys.stderr)
    handler = _BackgroundHandler(target.fileno(), style) if in_background else _Handler(target)
    handler.setFormatter(_formatter(style))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(number)
    for name in _NEVER_BELOW_WARNING:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)


def flush() -> None:
    """Wait for a short time until everything that was logged is written; stops all greenlets."""
    for handler in logging.root.handlers:
        handler.flush()


def lines_dropped() -> int:
    """Number of lines that this process has dropped so far, because their reader stalled or was gone."""
    return sum(handler.writer.dropped for handler in logging.root.handlers if isinstance(handler, _BackgroundHandler))


def capture_everything() -> None:
    """Log also what bypasses logging: uncaught errors, crashed greenlets and printed text. For servers only."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    # gevent prints the traceback of a greenlet that nothing watches, and has no other hook for it.
    gevent.get_hub().print_exception = _lost_greenlet  # type: ignore[method-assign,assignment] # gevent declares a method
    sys.stdout = _Printed("stdout", sys.stdout)
    sys.stderr = _Printed("stderr", sys.stderr)


def _common_fields() -> list[structlog.typing.Processor]:
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


def _formatter(style: str) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common_fields(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.StackInfoRenderer(),
            _renderer(style),
        ],
    )


def _renderer(style: str) -> structlog.typing.Processor:
    return _as_text if style.strip().lower() == "text" else _as_json


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> ProcessorReturnValue:
    ordered = {key: event.pop(key) for key in ("at", "level", "event", "logger") if key in event}
    try:
        return json.dumps(ordered | dict(event), default=str, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        # The line must not be lost because JSON can't express a value: NaN, a cycle, an unusual key.
        return json.dumps({str(key): str(value) for key, value in (ordered | dict(event)).items()})


def _as_text(_logger: WrappedLogger, _method: str, event: EventDict) -> ProcessorReturnValue:
    at, level, name = (str(event.pop(key, "-")) for key in ("at", "level", "event"))
    event.pop("logger", None)
    trace = event.pop("exception", None)
    words = [at[11:23], f"{level:8}", name, *(f"{key}={value}" for key, value in event.items())]
    line = " ".join(escaped(word) for word in words)
    return "\n    ".join([line, *(escaped(part) for part in str(trace).splitlines())]) if trace else line


def escaped(text: str) -> str:
    """The text with control characters, line breaks and lone surrogates replaced by escape sequences."""
    return _UNPRINTABLE.sub(lambda found: repr(found.group())[1:-1], text)


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


class _Handler(logging.StreamHandler[TextIO]):
    """Writes records. For one that can't be formatted it writes a line about that; logging would print a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        line: Mapping[str, str] = {"level": "error", "event": "log_line_failed", "logger": record.name}
        try:
            self.stream.write(json.dumps(line) + "\n")
        except (OSError, ValueError):
            # The stream itself is broken, so the failure can't be reported anywhere.
            return


class _BackgroundHandler(logging.Handler):
    """Formats records here and has a thread write them.

    Args:
        descriptor: Where they go.
        style: ``json`` or ``text``.
    """

    def __init__(self, descriptor: int, style: str) -> None:
        super().__init__()
        self._render = _renderer(style)
        self.writer = LogWriter(descriptor, self._report)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as in logging: no line may end its caller
            line = json.dumps({"level": "error", "event": "log_line_failed", "logger": record.name})
        self.writer.put(line)

    def flush(self) -> None:
        self.writer.flush(_LAST_LINES_SECONDS)

    def _report(self, missing: int) -> str:
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        event = {"at": at, "level": "error", "event": "log_lines_dropped", "logger": __name__, "lines": missing}
        return str(self._render(None, "error", event))


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
