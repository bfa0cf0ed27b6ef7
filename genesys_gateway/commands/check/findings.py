"""A finding: the result of one check."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Result of a check: printed as a tick, a cross, or a dash."""

    GOOD = "good"
    WRONG = "wrong"
    #: not checked, or works but is to be looked at
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check, and what to do about it."""

    area: str
    state: State
    #: what was found; no secrets and no personal data
    text: str
    #: what to do
    advice: str | None = None


def good(area: str, text: str) -> Finding:
    """A tick."""
    return Finding(area=area, state=State.GOOD, text=text)


def wrong(area: str, text: str, advice: str) -> Finding:
    """A cross; it always says what to do."""
    return Finding(area=area, state=State.WRONG, text=text, advice=advice)


def skipped(area: str, text: str, advice: str | None = None) -> Finding:
    """A dash: this could not be checked, or was not asked for, or it works, but with less safety than it could."""
    return Finding(area=area, state=State.SKIPPED, text=text, advice=advice)
