"""The references among the documents: made from the code, so that they can't differ from it.

``make references`` writes them all, ``make references ARGS="settings metrics"`` some.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.runtime.metrics.reference import page as metrics_page
from genesys_gateway.web import openapi
from tests.architecture import log_events
from tests.architecture.sources import PROJECT
from tests.documents.references import commands, http, record, settings, troubles

FOLDER = PROJECT / "docs"
ALERTS = PROJECT / "deploy" / "prometheus" / "alerts.yml"


def _metrics() -> str:
    return metrics_page(Metrics().families, ALERTS.read_text())


#: Each reference, by its name in docs/: what makes its text.
REFERENCES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings.page,
    "http.md": http.page,
    "record.md": record.page,
    "commands.md": commands.page,
    "troubles.md": lambda: troubles.page(ALERTS),
    "metrics.md": _metrics,
    "log-events.md": log_events.document,
    "openapi.json": lambda: openapi.document().decode(),
}


def path_of(name: str) -> Path:
    """Where a reference is."""
    return FOLDER / name
