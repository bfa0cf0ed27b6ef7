"""One thing that is wrong now, as a code, a time and figures, before it is put into words.

Invariant: its figures hold no personal data: counts, seconds, percentages, statuses, kinds and reasons only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: The codes that operators and alarms know. They are part of the interface: none is renamed.
Code = Literal[
    "receiver_down",
    "receiver_misdeployed",
    "receiver_refuses",
    "records_dead",
    "no_token",
    "assertion_stale",
    "uncovered",
    "channels_full",
    "calls_exhausted",
    "reads_forbidden",
    "disk_refuses",
    "unresolved",
    "unaccounted",
    "frames_set_aside",
    "instance_lost",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one instance, or the database, says is wrong at this moment."""

    code: Code
    #: when it began, in epoch milliseconds
    since: int
    #: the figures of its sentence, by the names that :mod:`genesys_gateway.oversight.codes` expects for its code
    facts: Mapping[str, int | str] = field(default_factory=dict)
