"""Logging into a text that a test can read, and back to how it was."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from genesys_gateway.runtime import logs


@contextmanager
def logging_restored() -> Iterator[None]:
    """Afterwards logging is configured as it was before."""
    root, handlers, level = logging.root, list(logging.root.handlers), logging.root.level
    configuration = structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.configure(**configuration)


def configured(level: str = "info", style: str = "json") -> io.StringIO:
    """The stream to which all logging goes from now on."""
    stream = io.StringIO()
    logs.configure(level, style, stream)
    return stream


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines of a stream, each read as JSON."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]
