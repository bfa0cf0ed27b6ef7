"""What an answer of Genesys proves: is the conversation over, and whose after-call work is done?

Invariant: pure, and in doubt *not yet*. What is missing in an answer proves nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys.analytics import Details, Session, WrapupSegment, _event_of
from genesys_gateway.genesys.live_view import AcwState, Agent, Communication, Conversation, Customer, Wrapup

_TELEPHONE = frozenset({"VOICE", "CALLBACK"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one answer proves."""

    #: ended, and no agent has after-call work left
    over: bool
    #: after-call work that is done and whose session is certain
    finished: tuple[AcwEvent, ...]
    #: whether ``finished`` is all that is done; if not, analytics must say, and this answer alone closes nothing
    nameable: bool
    #: ids of participants who certainly have done after-call work that ``finished`` does not name
    unnamed: frozenset[str] = frozenset()
    #: by id of participant, whose work ``finished`` may not name: how many of its sessions have done some, or may have
    unclear: Mapping[str, int] = field(default_factory=dict)
    #: the latest moment that the answer tells of
    told_until: int | None = None


class Work(Enum):
    """How far one session's after-call work is."""

    NONE = auto()
    OPEN = auto()
    DONE = auto()
    #: nothing is awaited, but whether anything was done this answer does not tell
    DOUBTFUL = auto()


def judge(conversation: Conversation) -> Verdict:
    """What this answer proves about the whole conversation."""
    finished: list[AcwEvent] = []
    is_open, unnamed, unclear = False, set(), dict[str, int]()
    for agent in conversation.agents:
        works = _works(agent)
        states = [work for _, work in works]
        done = [communication for communication, work in works if work is Work.DONE]
        named = [leg for leg in done if leg and (len(done) == 1 or _has_its_own(agent, leg))]
        finished += (_event(conversation, agent, leg) for leg in named)
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
        told_until=max(_moments(conversation), default=None),
    )


def _works(agent: Agent) -> list[tuple[Communication | None, Work]]:
    if not agent.communications:  # a medium that we do not know: it can be awaited, but not named
        return [(None, _by_participant(agent))]
    return [(communication, _work(agent, communication)) for communication in agent.communications]


def _work(agent: Agent, communication: Communication) -> Work:
    match communication.acw:
        case AcwState.PENDING:
            return Work.OPEN
        case AcwState.SKIPPED | AcwState.NOT_APPLICABLE:
            return Work.NONE
        case AcwState.COMPLETE:
            draft = communication.draft or (agent.draft and communication.wrapup is None)
            return Work.OPEN if draft else Work.DONE
        case AcwState.UNKNOWN:
            return Work.DONE if communication.wrapup else _by_participant(agent, communication.acw_required)


def _by_participant(agent: Agent, required: bool = False) -> Work:
    """The state of a session that itself has none."""
    if agent.wrapup:
        return Work.DOUBTFUL if agent.wrapup_skipped else Work.DONE
    if agent.wrapup_skipped:
        return Work.NONE
    if agent.wrapup_required or required:
        # Where after-call work belongs to communications, one that wrapped up leaves its siblings without a state.
        return Work.DOUBTFUL if any(sibling.wrapup for sibling in agent.communications) else Work.OPEN
    if agent.acw_ended_at is not None:
        return Work.DOUBTFUL
    return Work.NONE if agent.acw_started_at is None else Work.OPEN


def _has_its_own(agent: Agent, communication: Communication) -> bool:
    """Whether a wrap-up is this communication's alone; a participant's tags every one it fits (a callback has two)."""
    return communication.wrapup is not None and agent.wrapup is None


def _moments(conversation: Conversation) -> Iterator[int]:
    ends = [conversation.ended_at]
    for agent in conversation.agents:
        ends += [agent.acw_ended_at, *(leg.acw_ended_at for leg in agent.communications)]
    return (end for end in ends if end is not None)


def _event(conversation: Conversation, agent: Agent, communication: Communication) -> AcwEvent:
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
        # The agent's own dnis is the address of a telephone; the customer's participant shows the dialled number.
        ani=customer.ani or agent.ani,
        dnis=customer.dnis or agent.dnis,
        address_from=address_from,
        address_to=address_to,
        callback_numbers=communication.callback_numbers,
        subject=communication.subject,
        queue_id=agent.queue_id,
        wrapup_code=wrapup.code if wrapup else None,
        wrapup_notes=wrapup.notes if wrapup else None,
        wrapup_duration_ms=_duration(agent, communication, wrapup),
    )


def _addresses(communication: Communication, customer: Customer) -> tuple[str | None, str | None]:
    written = communication.address_from, communication.address_to
    if any(written) or communication.media_type in _TELEPHONE:
        return written
    return (None, customer.address) if communication.direction == "OUTBOUND" else (customer.address, None)


def _duration(agent: Agent, communication: Communication, wrapup: Wrapup | None) -> int | None:
    """Milliseconds. The wrap-up says it in whole seconds; the clocks refine that where they agree with it."""
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


def finished_acw(details: Details) -> tuple[AcwEvent, ...]:
    """Every after-call work that this answer shows as done; an agent who skipped it did none."""
    done = ((session, _last_done(session)) for session in details.sessions if not session.acw_skipped)
    return tuple(_event_of(details.conversation_id, session, wrapup) for session, wrapup in done if wrapup)


def all_wrapped_up(details: Details) -> bool:
    """Whether it has ended, and each agent's session shows its after-call work as done or skipped.

    A session that shows neither may have had none, or may still be in the middle of it: that only the live view tells.
    """
    if not details.ended or details.acw_pending or not details.sessions:
        return False
    return all(session.acw_skipped or _last_done(session) for session in details.sessions)


def completes(details: Details, verdict: Verdict, complete_until: int | None = None) -> bool:
    """Whether analytics have caught up with a verdict that could not name everything.

    Only then do both together name every finished after-call work of a conversation that is over. Who certainly did
    some must be seen here; where fewer sessions are seen done than may have been, that is believed only of what
    analytics have had the time to learn.

    Args:
        details: The conversation in analytics.
        verdict: On the live answer, taken before.
        complete_until: The moment (epoch milliseconds) up to which analytics are believed to be complete.
    """
    if not details.ended or details.acw_pending:
        return False
    found = Counter(event.participant_id for event in finished_acw(details))
    told, until = verdict.told_until, complete_until
    had_time = told is not None and until is not None and told <= until
    all_seen = all(found[participant] >= sessions for participant, sessions in verdict.unclear.items())
    return verdict.unnamed <= found.keys() and (had_time or all_seen)


def _last_done(session: Session) -> WrapupSegment | None:
    """A reopened message is wrapped up again in the same session: the last end is the valid one."""
    done = [wrapup for wrapup in session.wrapups if wrapup.ended_at is not None]
    return max(done, key=lambda wrapup: wrapup.ended_at or 0, default=None)
