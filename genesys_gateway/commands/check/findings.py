"""What a check found: one finding for each thing it looked at."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it is."""

    GOOD = "good"
    WRONG = "wrong"
    #: nothing is known of it
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing, looked at."""

    area: str
    state: State
    #: what was seen; no secrets and no personal data
    text: str
    #: what to do
    advice: str | None = None


def good(area: str, text: str) -> Finding:
    """A tick."""
    return Finding(area=area, state=State.GOOD, text=text)


def wrong(area: str, text: str, advice: str) -> Finding:
    """A cross, never without what to do."""
    return Finding(area=area, state=State.WRONG, text=text, advice=advice)


def skipped(area: str, text: str, advice: str | None = None) -> Finding:
    """Neither."""
    return Finding(area=area, state=State.SKIPPED, text=text, advice=advice)
