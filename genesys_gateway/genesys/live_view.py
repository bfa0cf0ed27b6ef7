"""A conversation as Genesys shows it live: is it over, and whose after-call work is done?

Law: pure, and in doubt *not yet*. An after-call work is named only where exactly one communication can be meant; where
several could be, the verdict says that this answer can't name it, and analytics must.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys.call import has_user, load, lower, moment, read_object, upper
from genesys_gateway.genesys.schemas.conversations import AGENT_PARTICIPANT, CONVERSATION, OTHER_PARTICIPANT

_TELEPHONE = frozenset({"VOICE", "CALLBACK"})


class AcwState(Enum):
    """``afterCallWork.state`` of a communication; absent and new words count as unknown."""

    UNKNOWN = "unknown"
    NOT_APPLICABLE = "notapplicable"
    SKIPPED = "skipped"
    PENDING = "pending"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapup:
    """What an agent noted, finally: drafts (``provisional``) do not become one of these."""

    code: str | None
    notes: str | None
    duration_ms: int | None
    #: epoch milliseconds, like every time here
    ended_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Communication:
    """One agent's leg of a conversation in one medium; notifications and analytics call it a session."""

    id: str
    media_type: str
    message_type: str | None
    direction: str | None
    subject: str | None
    callback_numbers: tuple[str, ...]
    address_from: str | None
    address_to: str | None
    acw: AcwState
    acw_started_at: int | None
    acw_ended_at: int | None
    acw_required: bool
    #: only where after-call work belongs to the communication, not to the participant
    wrapup: Wrapup | None
    #: a wrap-up is being written and would replace the participant's
    draft: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A participant with a user id, whatever its purpose is called."""

    id: str
    user_id: str
    queue_id: str | None
    ani: str | None
    dnis: str | None
    wrapup_required: bool
    wrapup_skipped: bool
    #: by default one wrap-up stands here for all communications of the participant
    wrapup: Wrapup | None
    draft: bool
    acw_started_at: int | None
    acw_ended_at: int | None
    communications: tuple[Communication, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """How the other side can be reached, as far as the conversation tells."""

    ani: str | None = None
    dnis: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Everybody who was on the line, as of one answer."""

    id: str
    #: when the last participant left; None while it goes on
    ended_at: int | None
    agents: tuple[Agent, ...]
    customer: Customer

    @property
    def ended(self) -> bool:
        """Whether nobody is on the line any more; after-call work may still go on."""
        return self.ended_at is not None


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


#: A participant's lists of communications, and what a notification calls each medium. Internal messages and screen
#: monitorings are left out: Genesys gives them no after-call work.
_MEDIA = {
    "calls": "VOICE",
    "callbacks": "CALLBACK",
    "chats": "CHAT",
    "cobrowsesessions": "COBROWSE",
    "emails": "EMAIL",
    "messages": "MESSAGE",
    "screenshares": "SCREENSHARE",
    "socialExpressions": "UNKNOWN",
    "videos": "VIDEO",
}

_ACW_STATES = {state.value: state for state in AcwState}


def from_answer(body: bytes) -> Conversation:
    """Read ``GET /api/v2/conversations/{id}``.

    Raises:
        BadAnswer: It is no conversation, or an agent's participant or communication has no usable id.
    """
    answer = load(CONVERSATION, read_object(body))
    participants = answer["participants"]
    return Conversation(
        id=answer["id"].lower(),
        ended_at=moment(answer["endTime"]),
        agents=tuple(_agent(load(AGENT_PARTICIPANT, item)) for item in participants if has_user(item)),
        customer=_customer([load(OTHER_PARTICIPANT, item) for item in participants if not has_user(item)]),
    )


def _agent(values: Mapping[str, Any]) -> Agent:
    return Agent(
        id=values["id"].lower(),
        user_id=values["userId"].lower(),
        queue_id=lower(values["queueId"]),
        ani=values["ani"],
        dnis=values["dnis"],
        wrapup_required=bool(values["wrapupRequired"]),
        wrapup_skipped=bool(values["wrapupSkipped"]),
        wrapup=_wrapup(values["wrapup"]),
        draft=_is_draft(values["wrapup"]),
        acw_started_at=moment(values["startAcwTime"]),
        acw_ended_at=moment(values["endAcwTime"]),
        communications=tuple(
            _communication(media_type, item) for name, media_type in _MEDIA.items() for item in values[name] or ()
        ),
    )


def _communication(media_type: str, values: Mapping[str, Any]) -> Communication:
    acw = values["afterCallWork"] or {}
    return Communication(
        id=values["id"].lower(),
        media_type=media_type,
        message_type=upper(values["type"]),
        direction=upper(values["direction"]),
        subject=values["subject"],
        callback_numbers=values["callbackNumbers"] or (),
        address_from=_address(values["fromAddress"]),
        address_to=_address(values["toAddress"]),
        acw=_ACW_STATES.get((acw.get("state") or "").lower(), AcwState.UNKNOWN),
        acw_started_at=moment(acw.get("startTime")),
        acw_ended_at=moment(acw.get("endTime")),
        acw_required=bool(values["afterCallWorkRequired"]),
        wrapup=_wrapup(values["wrapup"]),
        draft=_is_draft(values["wrapup"]),
    )


def _is_draft(values: Mapping[str, Any] | None) -> bool:
    return bool(values and values["provisional"])


def _wrapup(values: Mapping[str, Any] | None) -> Wrapup | None:
    if values is None or _is_draft(values):
        return None
    seconds, ended_at = values["durationSeconds"], moment(values["endTime"])
    if values["code"] is None and ended_at is None:
        return None  # neither a code nor an end: nobody finished this
    return Wrapup(
        code=values["code"],
        notes=values["notes"],
        duration_ms=None if seconds is None else seconds * 1000,
        ended_at=ended_at,
    )


def _address(values: Mapping[str, Any] | None) -> str | None:
    return (values["addressNormalized"] or values["addressRaw"]) if values else None


def _customer(others: list[dict[str, Any]]) -> Customer:
    """The customer's participant; one that was called without a queue is called external."""
    for purpose in ("customer", "external"):
        for other in others:
            if (other["purpose"] or "").lower() == purpose:
                return Customer(ani=other["ani"], dnis=other["dnis"], address=other["address"])
    return Customer()
