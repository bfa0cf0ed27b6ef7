"""Decides which reports are about the same after-call work: events with and without a session, and supportResults.

Invariant: pure; a work has one report of each kind, and as few works as possible are made of the reports that are
known, in whichever order they came. A report that names another participant or session is never of the same work.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

#: Maximum difference between the times of two reports of the same after-call work, in milliseconds.
APART_MS = 120_000


class Kind(Enum):
    """What a report names, and who sent it."""

    #: Genesys; it names participant and session
    SESSION = "session"
    #: Genesys; it names only agent and time
    AGENT = "agent"
    #: the older trigger; it names only agent and time
    RESULT = "supportResult"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of an after-call work. Two reports of the same kind and id are the same report."""

    #: id of the record that would be made of it alone
    id: str
    kind: Kind
    participant_id: str | None
    session_id: str | None
    user_id: str | None
    #: epoch milliseconds
    event_time: int | None


#: The known works of one conversation by the ids of their records, each with its reports.
Works = Mapping[str, Sequence[Report]]


def place(new: Report, works: Works) -> list[tuple[Report, str]]:
    """Find the work that a new report is about.

    That is the one whose session it names, or the nearest in time, if that has no report of its kind yet. If all near
    ones have, one of their reports moves to another work that fits it as well, so that the new one finds its place.

    Returns:
        The new report with its work, then the reports that move, each with its new work. Empty if the new report is
        about a work of its own.
    """
    same = [(work, one) for work, reports in works.items() for one in reports if _same_session(new, one)]
    repeated = [(new, work) for work, one in same if one.kind is new.kind]
    return repeated[:1] or _search(new, works) or [(new, work) for work, _ in same[:1]]


def _search(new: Report, works: Works) -> list[tuple[Report, str]]:
    #: work -> the report that would take the place of the work's own one of this kind
    wanted_by: dict[str, tuple[Report, str | None]] = {}
    seeking: deque[tuple[Report, str | None]] = deque([(new, None)])
    while seeking:
        report, home = seeking.popleft()
        for work in _nearest(report, works):
            if work in wanted_by:
                continue
            wanted_by[work] = report, home
            holders = [one for one in works[work] if one.kind is new.kind]
            if not holders:
                return _moves(work, wanted_by)
            if len(holders) == 1:
                seeking.append((holders[0], work))
    return []


def _moves(work: str | None, wanted_by: Mapping[str, tuple[Report, str | None]]) -> list[tuple[Report, str]]:
    moves: list[tuple[Report, str]] = []
    while work is not None:
        report, home = wanted_by[work]
        moves.append((report, work))
        work = home
    return moves[::-1]


def _nearest(report: Report, works: Works) -> Iterator[str]:
    """The works that a report may be about, apart from those that have only reports of its kind; nearest first."""
    near = ((_apart(report, works[work]), work) for work in works)
    return (work for apart, work in sorted(near) if apart <= APART_MS)


def _apart(report: Report, reports: Sequence[Report]) -> float:
    """Milliseconds between a report and the nearest one of another kind; infinite if it is not of the same work."""
    others = [one for one in reports if one.kind is not report.kind]
    if any(_contradict(report, one) for one in others):
        return float("inf")
    if any(_same_session(report, one) for one in others):
        return -1
    times = [one.event_time for one in others if one.user_id and one.user_id == report.user_id]
    known = [abs(time - report.event_time) for time in times if time is not None and report.event_time is not None]
    return min(known, default=float("inf"))


def _contradict(one: Report, other: Report) -> bool:
    return _differ(one.participant_id, other.participant_id) or _differ(one.session_id, other.session_id)


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one and other and one != other)


def _same_session(one: Report, other: Report) -> bool:
    """Whether both name the same session, which no two works share."""
    same = bool(one.session_id) and one.session_id == other.session_id
    return same and not _differ(one.participant_id, other.participant_id)
