"""Joins the wrap-up segments that analytics show of a session, and decides whether its after-call work is done.

Invariant: pure. Nothing is done while the agent is on the line or a segment has no end.
"""

from collections.abc import Sequence
from dataclasses import replace

from genesys_gateway.genesys.analytics import Details, Session, WrapupSegment

#: Times this close count as equal: Genesys rounds some of them, at most to a second (milliseconds).
_ROUNDING_MS = 999


def done_wrapup(
    details: Details, session: Session, complete_until: int | None, on_the_line: frozenset[str]
) -> WrapupSegment | None:
    """Return the wrap-up of a session whose after-call work is done; None while it is not, or was skipped.

    A wrap-up that ended during the talk is only a code that the agent picked early. It counts if analytics show no
    other one although they have had the time to learn of it.

    Args:
        details: The conversation of the session.
        complete_until: The moment (epoch milliseconds) up to which analytics are believed to be complete.
        on_the_line: What the conversation has under this name; computed once for all its sessions.
    """
    if session.acw_skipped or session.participant_id in on_the_line:
        return None
    wrapup = _last_wrapup(session.wrapups)
    talked_until = _talked_until(details, session)
    if wrapup is None or wrapup.ended_at is None or talked_until is None:
        return wrapup
    if talked_until <= wrapup.ended_at + _ROUNDING_MS:
        return wrapup
    return wrapup if complete_until is not None and talked_until <= complete_until else None


def _talked_until(details: Details, session: Session) -> int | None:
    """When the talk ended; None if analytics show no talk. In a conversation that is over none goes on."""
    return details.ended_at if session.goes_on else session.talk_ended_at


def _last_wrapup(segments: Sequence[WrapupSegment]) -> WrapupSegment | None:
    """Join segments without a gap between them; of several wrap-ups the last counts. None if one has no end.

    A reopened message is wrapped up again in the same session.
    """
    ended = sorted((_ordered(one) for one in segments if one.ended_at is not None), key=_place)
    if len(ended) < len(segments) or not ended:
        return None
    parts, until = [ended[0]], _end(ended[0])
    for one in ended[1:]:
        if _begin(one) > until + _ROUNDING_MS:
            parts.clear()
        parts.append(one)
        until = max(until, _end(one))
    return _joined(parts)


def _joined(parts: Sequence[WrapupSegment]) -> WrapupSegment:
    """One wrap-up. Code, notes and queue are the last that are stated, by the end of the part."""
    latest = sorted(parts, key=lambda part: (_end(part), _begin(part)), reverse=True)
    return WrapupSegment(
        started_at=parts[0].started_at,
        ended_at=latest[0].ended_at,
        code=next((part.code for part in latest if part.code), None),
        notes=next((part.notes for part in latest if part.notes), None),
        queue_id=next((part.queue_id for part in latest if part.queue_id), None),
    )


def _ordered(segment: WrapupSegment) -> WrapupSegment:
    """The segment without a start that can't be, because it lies behind the end."""
    possible = segment.started_at is not None and segment.started_at <= _end(segment)
    return segment if possible else replace(segment, started_at=None)


def _place(segment: WrapupSegment) -> tuple[int, bool]:
    return _begin(segment), segment.started_at is not None


def _begin(segment: WrapupSegment) -> int:
    return _end(segment) if segment.started_at is None else segment.started_at


def _end(segment: WrapupSegment) -> int:
    return segment.ended_at or 0
