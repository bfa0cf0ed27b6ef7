"""What an instance says of itself, in its row of the table ``instance``, so that each instance can answer for all.

Invariant: pure. A report of another release is read as far as it can be understood; nothing in it stops a look.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_args

import orjson

from genesys_gateway.oversight.finding import Code, Finding
from genesys_gateway.oversight.status import ChannelStatus

_CODES = get_args(Code)
_CHANNEL_FIELDS = {one.name: get_args(one.type) or (one.type,) for one in fields(ChannelStatus)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one instance knows of itself, and which troubles it shows."""

    findings: tuple[Finding, ...] = ()
    channels: tuple[ChannelStatus, ...] = ()
    #: since when it has shown each trouble, its own and those of others, in epoch milliseconds
    shown: Mapping[Code, int] = field(default_factory=dict)


def to_json(report: Report) -> str:
    """The report as text."""
    return orjson.dumps(
        {
            "findings": [{"code": one.code, "since": one.since, "facts": dict(one.facts)} for one in report.findings],
            "channels": [asdict(one) for one in report.channels],
            "shown": dict(report.shown),
        }
    ).decode()


def from_json(text: str) -> Report:
    """Read a report; what can't be understood is left out."""
    try:
        said = orjson.loads(text)
    except ValueError:
        return Report()
    if not isinstance(said, dict):
        return Report()
    shown = said.get("shown")
    return Report(
        findings=tuple(_findings(said.get("findings"))),
        channels=tuple(_channels(said.get("channels"))),
        shown={code: at for code, at in shown.items() if code in _CODES and _is_number(at)}
        if isinstance(shown, dict)
        else {},
    )


def _findings(said: object) -> Iterable[Finding]:
    for one in said if isinstance(said, list) else ():
        if not isinstance(one, dict) or one.get("code") not in _CODES or not _is_number(one.get("since")):
            continue
        facts = one.get("facts")
        known = facts.items() if isinstance(facts, dict) else ()
        yield Finding(
            code=one["code"],
            since=one["since"],
            facts={name: value for name, value in known if isinstance(value, str) or _is_number(value)},
        )


def _channels(said: object) -> Iterable[ChannelStatus]:
    for one in said if isinstance(said, list) else ():
        if isinstance(one, dict) and all(type(one.get(name)) in types for name, types in _CHANNEL_FIELDS.items()):
            values: dict[str, Any] = {name: one[name] for name in _CHANNEL_FIELDS}
            yield ChannelStatus(**values)


def _is_number(value: object) -> bool:
    return type(value) is int
