"""Writes docs/log-events.md: every event that the service logs, with its levels and fields, as the code has them.

The sentences are kept from the document itself; a new event gets an empty one, and a test fails until it is written.
Run ``make references`` after changing a log call.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.architecture.sources import PROJECT

DOCUMENT = PROJECT / "docs" / "log-events.md"

_LEVELS = ("debug", "info", "warning", "error", "critical")
_METHODS = (*_LEVELS, "exception")
#: Names of loggers; what the second group logs is counted when it repeats.
_LOGGERS, _COUNTED = ("log", "_access", "write_log"), ("_logger", "logger", "sampled")
#: Fields of calls that pass some as ``**fields``.
_FURTHER = {
    "attempt_failed_unexpectedly": "record conversation attempt",
    "concluded_too_late": "record conversation attempt",
    "attempt_failed": "record conversation attempt",
    "record_dead": "record conversation attempt",
    "request": "trace_id",
    "erased": "records conversations frames",
    "forgotten": "conversations unregistered",
}
#: Events that no plain call of a logger shows: levels, fields.
_SPECIAL = {
    "waiting_for_lock": ("info", "reason repeated"),
    "storage_not_open": ("error critical", "reason repeated"),
    "delivery_lane": ("info warning error", "state trouble"),
    "start_refused": ("critical", "reason"),
    "database_unusable": ("critical", "reason"),
    "uncaught_error": ("critical", "exception"),
    "greenlet_died": ("critical", "exception"),
    "log_lines_dropped": ("error", "lines"),
    "log_line_failed": ("error", ""),
}
#: Transitions of a conversation, logged as its timeline holds them: levels, fields.
_TRANSITIONS = {
    "registered": ("info", ""),
    "re_paired": ("info", ""),
    "subscribed": ("info", ""),
    "uncovered": ("info", ""),
    "rejected": ("warning", "reason"),
    "event_stored": ("info", "record"),
    "backfilled": ("info", "record"),
    "amended": ("info", "record"),
    "late_event": ("info", "record"),
    "delivered": ("info", "record"),
    "requeued": ("info", "record reason"),
    "released": ("info", ""),
    "unknown_to_genesys": ("warning", ""),
    "closed": ("info", "outcome"),
    "followed_again": ("info", ""),
    "erased": ("info", "record"),
}
_HEAD = """# Log events

Every event that the gateway logs. `make references` makes the tables from the code and keeps the sentences; a test
fails while they differ. [monitoring.md](monitoring.md#reading-the-log) explains how lines that repeat are counted
(`repeated`, `ids`) and how thousands of transitions share lines. Each line also has `at`, `level`, `event` and
`logger`, and `trace_id` if it belongs to a [trace](tracing.md). Lines of libraries have their text as `event`.
"""
_TABLE = "| event | level | fields | meaning |\n| --- | --- | --- | --- |\n"


@dataclass(slots=True)
class Event:
    """What the calls that log an event have in common."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def events() -> dict[str, Event]:
    """Every event but the transitions, as the code logs them."""
    found: dict[str, Event] = {}
    for path in _sources():
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and (logged := _logged(call)) is not None:
                name, level, fields = logged
                event = found.setdefault(name, Event())
                event.levels.add(level)
                event.fields |= fields
    for name, (levels, more) in _SPECIAL.items():
        found[name] = Event(set(levels.split()), set(more.split()))
    return found


def transitions() -> dict[str, Event]:
    """The transitions of a conversation."""
    both = {"conversation", "conversations", "ids"}
    return {name: Event({levels}, both | set(more.split())) for name, (levels, more) in _TRANSITIONS.items()}


def sentences() -> dict[str, str]:
    """What the document says about each event; the transitions are named ``transition event``."""
    found: dict[str, str] = {}
    section = ""
    for line in DOCUMENT.read_text().splitlines() if DOCUMENT.exists() else ():
        if line.startswith("## "):
            section = "transition " if line == "## Transitions of a conversation" else ""
        if row := re.fullmatch(r"\| `(\w+)` \|[^|]*\|[^|]*\|(.*)\|", line):
            found[section + row[1]] = row[2].strip()
    return found


def document() -> str:
    """The whole document, with the sentences that it has."""
    said = sentences()
    ours = "".join(_row(name, event, said.get(name, "")) for name, event in sorted(events().items()))
    theirs = "".join(_row(name, event, said.get(f"transition {name}", "")) for name, event in transitions().items())
    return (
        f"{_HEAD}\n## Transitions of a conversation\n\nIn the order in which they may happen. A line has "
        f"`conversation`, or `conversations` and `ids` if several share it.\n\n{_TABLE}{theirs}\n"
        f"## All others\n\n{_TABLE}{ours}"
    )


def _sources() -> Iterator[Path]:
    for path in sorted((PROJECT / "genesys_gateway").rglob("*.py")):
        if "simulator" not in path.parts:
            yield path


def _logged(call: ast.Call) -> tuple[str, str, set[str]] | None:
    """Name, level and fields of the event that a call logs; None if it logs none."""
    target = call.func
    if isinstance(target, ast.Attribute) and target.attr in _METHODS and call.args:
        owner = target.value
        receiver = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        name = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
        if receiver in (*_LOGGERS, *_COUNTED) and isinstance(name, str) and re.fullmatch(r"[a-z_]+", name):
            fields = {one.arg for one in call.keywords if one.arg} | set(_FURTHER.get(name, "").split())
            if any(one.arg is None for one in call.keywords) and name not in _FURTHER:
                raise LookupError(f"say in _FURTHER which other fields {name} has")
            if "exc_info" in fields or target.attr == "exception":
                fields = fields - {"exc_info"} | {"exception"}
            if receiver in _COUNTED:
                fields |= {"repeated"} | ({"ids"} if "conversation" in fields else set())
            return name, "error" if target.attr == "exception" else target.attr, fields
    return None


def _row(name: str, event: Event, sentence: str) -> str:
    first = ("conversation", "record")
    fields = [one for one in first if one in event.fields] + sorted(event.fields - set(first))
    levels = ", ".join(one for one in _LEVELS if one in event.levels)
    return f"| `{name}` | {levels} | {', '.join(f'`{one}`' for one in fields)} | {sentence} |\n"
