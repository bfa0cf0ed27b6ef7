"""Decides what an answer of Genesys proves: whether the conversation is over, and which after-call work is done.

Invariant: pure. Data missing in an answer prove nothing; if in doubt, the conversation is not over.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys.analytics import Details, Session, WrapupSegment
from genesys_gateway.genesys.live_view import AcwState, Agent, Communication, Conversation, Customer, Wrapup
from genesys_gateway.reconciliation.wrapups import done_wrapup

_TELEPHONE = frozenset({"VOICE", "CALLBACK"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one answer of the live view proves."""

    #: the conversation has ended, and no agent has after-call work left
    over: bool
    #: after-call work that is done and whose session is certain
    finished: tuple[AcwEvent, ...]
    #: whether ``finished`` holds all work that is done; if not, analytics decide, and this answer alone closes nothing
    nameable: bool
    #: ids of participants with work that is certainly done but missing in ``finished``
    unnamed: frozenset[str] = frozenset()
    #: participants whose work may be missing in ``finished``: id -> number of sessions in which work was done, or may
    #: have been done
    unclear: Mapping[str, int] = field(default_factory=dict)
    #: the latest moment in the answer (epoch milliseconds)
    shown_until: int | None = None


class Work(Enum):
    """State of one session's after-call work."""

    NONE = auto()
    OPEN = auto()
    DONE = auto()
    #: nothing is awaited, but the answer does not show whether anything was done
    DOUBTFUL = auto()


def judge(conversation: Conversation) -> Verdict:
    """Decide what this answer of the live view proves about the whole conversation."""
    finished: list[AcwEvent] = []
    is_open, unnamed, unclear = False, set(), dict[str, int]()
    for agent in conversation.agents:
        works = _works(agent)
        states = [work for _, work in works]
        done = [communication for communication, work in works if work is Work.DONE]
        named = [leg for leg in done if leg and (len(done) == 1 or _has_its_own(agent, leg))]
        finished += (_event_from_live(conversation, agent, leg) for leg in named)
        is_open |= Work.OPEN in states
        unnamed |= {agent.id} if len(named) < len(done) else set()
        if agent.id in unnamed or Work.DOUBTFUL in states:
            unclear[agent.id] = len(done) + states.count(Work.DOUBTFUL)
    return Verdict(
        over=conversation.ended and not is_open,
        finished=tuple(finished),
        nameable=not unclear,
        unnamed=frozenset(unnamed),
        unclear=unclear,
        shown_until=max(_moments(conversation), default=None),
    )


def _works(agent: Agent) -> list[tuple[Communication | None, Work]]:
    if not agent.communications:  # an unknown medium: its work can be awaited, but no session can be named
        return [(None, _by_participant(agent))]
    return [(communication, _work(agent, communication)) for communication in agent.communications]


def _work(agent: Agent, communication: Communication) -> Work:
    if communication.goes_on:
        return Work.OPEN  # an agent may pick a code, or an API set one, before the talk is over
    match communication.acw:
        case AcwState.PENDING:
            return Work.OPEN
        case AcwState.SKIPPED | AcwState.NOT_APPLICABLE:
            return Work.NONE
        case AcwState.COMPLETE:
            draft = communication.draft or (agent.draft and communication.wrapup is None)
            return Work.OPEN if draft or _may_change(agent, communication) else Work.DONE
        case AcwState.UNKNOWN:
            if _may_change(agent, communication):
                return Work.OPEN
            return Work.DONE if communication.wrapup else _by_participant(agent, communication.acw_required)


def _may_change(agent: Agent, communication: Communication) -> bool:
    """Whether the wrap-up is one for all legs of an agent who is still on another of them."""
    return agent.on_the_line and not _has_its_own(agent, communication)


def _by_participant(agent: Agent, required: bool = False) -> Work:
    """Derive the state of a session that shows none from its participant."""
    if agent.wrapup:
        return Work.DOUBTFUL if agent.wrapup_skipped else Work.DONE
    if agent.wrapup_skipped:
        return Work.NONE
    if agent.wrapup_required or required:
        # Where wrap-ups belong to communications, the siblings of one that was wrapped up are left without a state.
        return Work.DOUBTFUL if any(sibling.wrapup for sibling in agent.communications) else Work.OPEN
    if agent.acw_ended_at is not None:
        return Work.DOUBTFUL
    return Work.NONE if agent.acw_started_at is None else Work.OPEN


def _has_its_own(agent: Agent, communication: Communication) -> bool:
    """Whether the communication has a wrap-up of its own.

    A participant's wrap-up is copied to all communications that it may belong to; a callback has two.
    """
    return communication.wrapup is not None and agent.wrapup is None


def _moments(conversation: Conversation) -> Iterator[int]:
    ends = [conversation.ended_at]
    for agent in conversation.agents:
        ends += [agent.acw_ended_at, *(leg.acw_ended_at for leg in agent.communications)]
    return (end for end in ends if end is not None)


def _event_from_live(conversation: Conversation, agent: Agent, communication: Communication) -> AcwEvent:
    wrapup = communication.wrapup or agent.wrapup
    customer = conversation.customer
    address_from, address_to = _addresses(communication, customer)
    return AcwEvent(
        conversation_id=conversation.id,
        participant_id=agent.id,
        session_id=communication.id,
        user_id=agent.user_id,
        event_time=_first(communication.acw_ended_at, wrapup.ended_at if wrapup else None, agent.acw_ended_at),
        media_type=communication.media_type,
        message_type=communication.message_type,
        direction=communication.direction,
        # The agent's own dnis is the address of a telephone; the number dialled is on the customer's participant.
        ani=customer.ani or agent.ani,
        dnis=customer.dnis or agent.dnis,
        address_from=address_from,
        address_to=address_to,
        callback_numbers=communication.callback_numbers,
        subject=communication.subject,
        queue_id=agent.queue_id,
        wrapup_code=wrapup.code if wrapup else None,
        wrapup_notes=wrapup.notes if wrapup else None,
        wrapup_duration_ms=_duration_from_live(agent, communication, wrapup),
    )


def _addresses(communication: Communication, customer: Customer) -> tuple[str | None, str | None]:
    stated = communication.address_from, communication.address_to
    if any(stated) or communication.media_type in _TELEPHONE:
        return stated
    return (None, customer.address) if communication.direction == "OUTBOUND" else (customer.address, None)


def _duration_from_live(agent: Agent, communication: Communication, wrapup: Wrapup | None) -> int | None:
    """Milliseconds. The wrap-up states whole seconds; where start and end agree with it, they are more exact."""
    measured = _first(
        _between(communication.acw_started_at, communication.acw_ended_at),
        _between(agent.acw_started_at, agent.acw_ended_at),
    )
    stated = wrapup.duration_ms if wrapup else None
    if stated is None or (measured is not None and abs(measured - stated) < 1000):
        return measured
    return stated


def _between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None or end < start else end - start


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def finished_acw(details: Details, complete_until: int | None = None) -> tuple[AcwEvent, ...]:
    """List all after-call work that analytics show as done. An agent who skipped it did none.

    Args:
        details: The conversation in analytics.
        complete_until: The moment (epoch milliseconds) up to which analytics are believed to be complete.
    """
    done = ((session, done_wrapup(details, session, complete_until)) for session in details.sessions)
    return tuple(_event_from_analytics(details.conversation_id, session, wrapup) for session, wrapup in done if wrapup)


def all_wrapped_up(details: Details, complete_until: int | None = None) -> bool:
    """Whether the conversation has ended, and each agent's session shows its after-call work as done or skipped.

    A session that shows neither may have had no after-call work or may be in the middle of it; only the live view shows
    which. The arguments are those of :func:`finished_acw`.
    """
    if not details.ended or details.acw_pending or not details.sessions:
        return False
    return all(session.acw_skipped or done_wrapup(details, session, complete_until) for session in details.sessions)


def completes(details: Details, verdict: Verdict, complete_until: int | None = None) -> bool:
    """Whether analytics have caught up with a verdict that could not name everything.

    If so, both together name all finished after-call work of a conversation that is over. Each participant with work
    that is certainly done must be shown here. Fewer finished sessions than the live view allows for are believed only
    if analytics are complete up to the latest moment of the live answer.

    Args:
        details: The conversation in analytics.
        verdict: The verdict on a live answer that was taken earlier.
        complete_until: The moment (epoch milliseconds) up to which analytics are believed to be complete.
    """
    if not details.ended or details.acw_pending:
        return False
    found = Counter(event.participant_id for event in finished_acw(details, complete_until))
    shown, until = verdict.shown_until, complete_until
    caught_up = shown is not None and until is not None and shown <= until
    all_found = all(found[participant] >= sessions for participant, sessions in verdict.unclear.items())
    return verdict.unnamed <= found.keys() and (caught_up or all_found)


def _event_from_analytics(conversation_id: str, session: Session, wrapup: WrapupSegment) -> AcwEvent:
    return AcwEvent(
        conversation_id=conversation_id,
        participant_id=session.participant_id,
        session_id=session.id,
        user_id=session.user_id,
        event_time=wrapup.ended_at,
        media_type=session.media_type,
        message_type=session.message_type,
        direction=session.direction,
        ani=session.ani,
        dnis=session.dnis,
        address_from=session.address_from,
        address_to=session.address_to,
        callback_numbers=session.callback_numbers,
        subject=session.subject,
        queue_id=wrapup.queue_id or session.queue_id,
        wrapup_code=wrapup.code,
        wrapup_notes=wrapup.notes,
        wrapup_duration_ms=_duration_from_analytics(session, wrapup),
    )


def _duration_from_analytics(session: Session, wrapup: WrapupSegment) -> int | None:
    """Milliseconds. The metric is exact, but unclear where a session has several wrap-ups, or one in parts."""
    if len(session.wrapups) == len(session.acw_ms) == 1:
        return session.acw_ms[0]
    return _between(wrapup.started_at, wrapup.ended_at)
