"""One thing that is wrong now, as a code, a time and figures, before it is put into words.

Invariant: its figures hold no personal data: counts, seconds, percentages, statuses, kinds and reasons only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one instance, or the database, says is wrong at this moment."""

    #: one of the codes that operators and alarms know, see :mod:`genesys_gateway.oversight.codes`
    code: str
    #: when it began, in epoch milliseconds
    since: int
    #: the figures of its sentence, by the names that its code expects
    facts: Mapping[str, int | str] = field(default_factory=dict)
