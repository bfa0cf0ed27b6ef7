"""Decides what an answer of Genesys proves: whether the conversation is over, and which after-call work is done.

Invariant: pure, apart from pauses in long work. Data missing in an answer prove nothing; if in doubt, the conversation
is not over.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys.analytics import Details, Session, WrapupSegment
from genesys_gateway.genesys.live_view import AcwState, Agent, Communication, Conversation
from genesys_gateway.reconciliation.backfill import event_from_analytics, event_from_live
from genesys_gateway.reconciliation.wrapups import done_wrapup
from genesys_gateway.runtime.greenlets import paced


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
    for agent in paced(conversation.agents):
        works = _works(agent)
        states = [work for _, work in works]
        done = [communication for communication, work in works if work is Work.DONE]
        named = [leg for leg in done if leg and (len(done) == 1 or _has_its_own(agent, leg))]
        finished += (event_from_live(conversation, agent, leg) for leg in paced(named))
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
    return [(communication, _work(agent, communication)) for communication in paced(agent.communications)]


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


def finished_acw(details: Details, complete_until: int | None = None) -> tuple[AcwEvent, ...]:
    """List all after-call work that analytics show as done. An agent who skipped it did none.

    Args:
        details: The conversation in analytics.
        complete_until: The moment (epoch milliseconds) up to which analytics are believed to be complete.
    """
    return tuple(
        event_from_analytics(details, session, wrapup) for session, wrapup in _done(details, complete_until) if wrapup
    )


def all_wrapped_up(details: Details, complete_until: int | None = None) -> bool:
    """Whether the conversation has ended, and each agent's session shows its after-call work as done or skipped.

    A session that shows neither may have had no after-call work or may be in the middle of it; only the live view shows
    which. The arguments are those of :func:`finished_acw`.
    """
    if not details.ended or details.acw_pending or not details.sessions:
        return False
    return all(session.acw_skipped or wrapup for session, wrapup in _done(details, complete_until))


def _done(details: Details, complete_until: int | None) -> Iterator[tuple[Session, WrapupSegment | None]]:
    """Each session, and its wrap-up if its work is done."""
    on_the_line = details.on_the_line
    for session in paced(details.sessions):
        yield session, done_wrapup(details, session, complete_until, on_the_line)


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
