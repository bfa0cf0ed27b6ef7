"""The answer of ``GET /api/v2/conversations/{id}`` becomes a :class:`Conversation`.

Law: identities and the lists that hold them must be readable; any other odd value counts as absent.
"""

from collections.abc import Mapping
from typing import Any

from genesys_gateway.answers import load, lower, moment, read_object, upper
from genesys_gateway.conversation import AcwState, Agent, Communication, Conversation, Customer, Wrapup
from genesys_gateway.schemas.genesys_answers import AGENT_PARTICIPANT, CONVERSATION, OTHER_PARTICIPANT

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


def has_user(participant: Mapping[str, Any]) -> bool:
    """Whether this is an agent; a user id of a wrong type is one too, and fails where it is loaded."""
    return participant.get("userId") not in (None, "")


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
