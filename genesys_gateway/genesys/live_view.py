"""Reads the live view of a conversation: who took part, whether it has ended, and the state of each after-call work.

Invariant: pure. Only ids and the lists that hold them can make an answer unreadable; any other wrong value counts as
absent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from genesys_gateway.genesys.call import BadAnswer, has_user, load, lower, moment, reading, upper
from genesys_gateway.genesys.legs import CustomerLeg, CustomerLegs, Ends, customers, direction
from genesys_gateway.genesys.schemas.conversations import AGENT_PARTICIPANT, CONVERSATION, CUSTOMER, CUSTOMER_LEG
from genesys_gateway.runtime.greenlets import paced


class AcwState(Enum):
    """``afterCallWork.state`` of a communication; an absent or new value counts as unknown."""

    UNKNOWN = "unknown"
    NOT_APPLICABLE = "notapplicable"
    SKIPPED = "skipped"
    PENDING = "pending"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapup:
    """What an agent noted in the end; a draft (``provisional``) never becomes a Wrapup."""

    code: str | None
    notes: str | None
    duration_ms: int | None
    #: epoch milliseconds, like all times in this module
    ended_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Communication:
    """One agent's leg of a conversation in one medium; notifications and analytics call it a session."""

    id: str
    media_type: str | None
    #: the id of the leg that it is connected to
    peer_id: str | None
    #: whether the agent is still on it: it rings, is dialled, connected or on hold
    goes_on: bool
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
    #: whether a wrap-up is being written that would replace the participant's
    draft: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A participant with a user id, whatever its ``purpose``."""

    id: str
    user_id: str
    queue_id: str | None
    ani: str | None
    dnis: str | None
    wrapup_required: bool
    wrapup_skipped: bool
    #: by default one wrap-up belongs to all communications of the participant, and is stored here
    wrapup: Wrapup | None
    draft: bool
    acw_started_at: int | None
    acw_ended_at: int | None
    communications: tuple[Communication, ...]
    #: whether one of the communications goes on
    on_the_line: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation as one answer shows it."""

    id: str
    #: when the last participant left; None while the conversation goes on
    ended_at: int | None
    agents: tuple[Agent, ...]
    customer_legs: CustomerLegs = field(default_factory=CustomerLegs)

    @property
    def ended(self) -> bool:
        """Whether every participant has left; after-call work may still go on."""
        return self.ended_at is not None


#: Names of a participant's lists of communications, and the ``mediaType`` of each in notifications; None for UNKNOWN.
#: Internal messages and screen monitorings are left out, because Genesys gives them no after-call work.
_MEDIA = {
    "calls": "VOICE",
    "callbacks": "CALLBACK",
    "chats": "CHAT",
    "cobrowsesessions": "COBROWSE",
    "emails": "EMAIL",
    "messages": "MESSAGE",
    "screenshares": "SCREENSHARE",
    "socialExpressions": None,
    "videos": "VIDEO",
}

#: States of a communication that has not ended. An agent may note a wrap-up in any of them.
_GOING_ON = frozenset({"alerting", "dialing", "contacting", "offering", "connected", "scheduled", "parked"})
_OVER = frozenset({"disconnected", "terminated"})

#: The fields of a leg in a participant that shows none.
_NO_LEG = load(CUSTOMER_LEG, {})

_ACW_STATES = {state.value: state for state in AcwState}


def from_answer(body: bytes) -> Conversation:
    """Read the answer of ``GET /api/v2/conversations/{id}``.

    Raises:
        BadAnswer: The body is no conversation, it names no participant at all, or an agent's participant or
            communication has no usable id.
    """
    with reading(body) as answer:
        return _conversation(load(CONVERSATION, answer))


def _conversation(answer: Mapping[str, Any]) -> Conversation:
    participants = answer["participants"]
    others = [item for item in participants if not has_user(item)]
    if not participants:  # somebody took part in each conversation, so an answer without anybody proves nothing
        raise BadAnswer("the answer names no participant")
    return Conversation(
        id=answer["id"].lower(),
        ended_at=moment(answer["endTime"]),
        agents=tuple(_agent(load(AGENT_PARTICIPANT, item)) for item in participants if has_user(item)),
        customer_legs=CustomerLegs(
            tuple(leg for item in customers(others) for leg in _customer_legs(load(CUSTOMER, item)))
        ),
    )


def _agent(values: Mapping[str, Any]) -> Agent:
    communications = tuple(
        _communication(media_type, item) for name, media_type in _MEDIA.items() for item in paced(values[name] or ())
    )
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
        communications=communications,
        on_the_line=any(communication.goes_on for communication in communications),
    )


def _communication(media_type: str | None, values: Mapping[str, Any]) -> Communication:
    acw = values["afterCallWork"] or {}
    return Communication(
        id=values["id"].lower(),
        media_type=media_type,
        peer_id=lower(values["peerId"]),
        goes_on=_goes_on(values),
        message_type=upper(values["type"]),
        direction=direction(values["direction"]),
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


def _goes_on(values: Mapping[str, Any]) -> bool:
    """Whether a communication goes on. One without a state does not, unless it is on hold.

    In a state that is neither an end nor known to be none, it goes on until it shows when it was disconnected.
    """
    state = (values["state"] or "none").lower()
    if state in _OVER:
        return False
    if state == "none":
        return bool(values["held"])
    return state in _GOING_ON or moment(values["disconnectedTime"]) is None


def _is_draft(values: Mapping[str, Any] | None) -> bool:
    return bool(values and values["provisional"])


def _wrapup(values: Mapping[str, Any] | None) -> Wrapup | None:
    if values is None or _is_draft(values):
        return None
    seconds, ended_at = values["durationSeconds"], moment(values["endTime"])
    if values["code"] is None and ended_at is None:
        return None  # without a code and an end it is not finished
    return Wrapup(
        code=values["code"],
        notes=values["notes"],
        duration_ms=None if seconds is None else seconds * 1000,
        ended_at=ended_at,
    )


def _address(values: Mapping[str, Any] | None) -> str | None:
    return (values["addressNormalized"] or values["addressRaw"]) if values else None


def _customer_legs(values: Mapping[str, Any]) -> Iterator[CustomerLeg]:
    """The legs of one participant who is the customer; a single empty one if it shows none."""
    legs = [(media_type, item) for name, media_type in _MEDIA.items() for item in paced(values[name] or ())]
    for media_type, item in legs or [(None, _NO_LEG)]:
        yield CustomerLeg(
            id=lower(item["id"]),
            media_type=media_type,
            message_type=upper(item["type"]),
            direction=direction(item["direction"]),
            ends=Ends(
                ani=item["ani"] or values["ani"],
                dnis=item["dnis"] or values["dnis"],
                address_from=_address(item["fromAddress"]),
                address_to=_address(item["toAddress"]),
            ),
            address=_address(item["self"]) or values["address"],
            callback_numbers=item["callbackNumbers"] or (),
        )
