"""Writes docs/metrics.md: every metric with its labels and its alerts.

Invariant: nothing on the page is written by hand, so it can't differ from the code and from the alerts.
"""

import re
from collections.abc import Iterable, Mapping

from genesys_gateway.runtime.metrics import words
from genesys_gateway.runtime.metrics.families import PREFIX, Family

_HEAD = f"""# Metrics

What `GET /metrics` shows. This page is made from the code by `make references`; do not edit it.

All names begin with `{PREFIX}`. Times and durations are in seconds. Every series exists from the start of the
process, with the value 0. `/metrics` needs no token, and answers from the first moment to the last: also while the
gateway waits for its database, and while it drains. With `Accept: application/openmetrics-text` it answers as
OpenMetrics. Numbers of conversations, records, troubles and instances are those of the whole service, and the same on
every instance; all else is each instance's own.

The alerts are in [alerts.yml](../deploy/prometheus/alerts.yml), what to do about each in the [runbook](runbook.md), a
board for Grafana in [dashboard.json](../deploy/grafana/dashboard.json); [monitoring](monitoring.md) says how
to use them.
"""
_TAIL = """
## Process

Beside them are those of prometheus-client: `process_cpu_seconds_total`, `process_resident_memory_bytes`,
`process_virtual_memory_bytes`, `process_open_fds`, `process_max_fds`, `process_start_time_seconds`,
`python_gc_objects_collected_total`, `python_gc_objects_uncollectable_total`, `python_gc_collections_total` and
`python_info`.
"""
_TABLE = "| name | type | labels | unit | meaning | alerts |\n| --- | --- | --- | --- | --- | --- |\n"
#: A metric, or what a recording rule makes of some, in an expression.
_NAME = re.compile(rf"\b(?:{PREFIX}\w+|genesys_gateway:[\w:]+)")


def page(families: Iterable[Family], rules: str) -> str:
    """The page as Markdown.

    Args:
        families: All metrics.
        rules: The text of the file of alerts and recording rules.
    """
    sections: dict[str, list[str]] = {}
    alerts = alerts_by_metric(rules)
    for family in families:
        sections.setdefault(family.section, []).append(_row(family, alerts.get(family.name, [])))
    return _HEAD + "".join(f"\n## {title}\n\n{_TABLE}{''.join(rows)}" for title, rows in sections.items()) + _TAIL


def alerts_by_metric(rules: str) -> dict[str, list[str]]:
    """The names of the alerts that look at each metric, themselves or by a recording rule."""
    recorded, alerts = _blocks(rules, "record"), _blocks(rules, "alert")
    found: dict[str, list[str]] = {}
    for alert, block in alerts.items():
        for metric in sorted(_metrics(block, recorded)):
            found.setdefault(metric, []).append(alert)
    return found


def _blocks(rules: str, kind: str) -> dict[str, str]:
    """The text of each rule of one kind, with comments and annotations left out, by its name."""
    blocks: dict[str, str] = {}
    for block in re.split(r"^ *- (?=alert:|record:)", rules, flags=re.MULTILINE)[1:]:
        name = re.match(rf"{kind}: *(\S+)", block)
        if name:
            expression = re.sub(r"^ *#.*$", "", block.partition("annotations:")[0], flags=re.MULTILINE)
            blocks[name[1]] = blocks.get(name[1], "") + expression.partition("\n")[2]
    return blocks


def _metrics(block: str, recorded: Mapping[str, str]) -> set[str]:
    names: set[str] = set()
    for name in _NAME.findall(block):
        if name in recorded:
            names |= _metrics(recorded[name], recorded)
        else:
            names.add(re.sub(r"_(?:bucket|sum|count)$", "", name))
    return names


def _row(family: Family, alerts: Iterable[str]) -> str:
    meaning = family.meaning
    if family.buckets:
        meaning += f" Buckets: {', '.join(f'{limit:g}' for limit in family.buckets)}."
    labels = "; ".join(_label(label, values) for label, values in family.labels.items())
    name = family.name.removeprefix(PREFIX)
    cells = (f"`{name}`", family.kind, labels, _unit(family), meaning, ", ".join(f"`{one}`" for one in alerts))
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |") + "\n"


def _label(label: str, values: tuple[str, ...]) -> str:
    return f"`{label}`: {', '.join(f'`{value}`' for value in values) or words.FROM_APPLICATION[label]}"


def _unit(family: Family) -> str:
    name = family.name
    if name.endswith("_timestamp_seconds"):
        return "epoch seconds"
    if name.endswith("_seconds"):
        return "seconds"
    return "0 or 1" if family.meaning.startswith("1 ") else "number"
