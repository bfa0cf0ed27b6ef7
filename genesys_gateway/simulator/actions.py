"""The actions of agents and customers that the control API offers: JSON in, JSON out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from genesys_gateway.simulator.balance import balance_of
from genesys_gateway.simulator.contact_centre import DEFAULT_CODE, FIRST_AGENT, SECOND_AGENT, Announcement
from genesys_gateway.simulator.conversations import Addresses, Conversation, Participant
from genesys_gateway.simulator.errors import ControlError
from genesys_gateway.simulator.world import World

Body = Mapping[str, Any]
Action = Callable[[World, Conversation, Body], dict[str, Any]]

MEDIA = (
    *("VOICE", "CALLBACK", "CHAT", "EMAIL", "MESSAGE", "VIDEO", "COBROWSE", "SCREENSHARE"),
    *("INTERNALMESSAGE", "SCREENMONITORING", "UNKNOWN"),
)
DIRECTIONS = ("INBOUND", "OUTBOUND", "UNKNOWN")
_CUSTOMER, _BANK, _THIRD = "tel:+639171234567", "tel:+63288887777", "tel:+639990001111"
_DEFAULT_DURATION_MS = 43_250
_PAUSE_PER_COUNT = 20


def start(world: World, body: Body) -> dict[str, Any]:
    """Start a conversation with the given properties, and sensible defaults for the others.

    Raises:
        ControlError: Unknown medium or direction, or the conversation exists already.
    """
    media = str(body.get("mediaType", "VOICE")).upper()
    direction = str(body.get("direction", "INBOUND")).upper()
    agent_direction = str(body.get("agentDirection", direction)).upper()
    if media not in MEDIA or {direction, agent_direction} - set(DIRECTIONS):
        raise ControlError(f"mediaType is one of {', '.join(MEDIA)}; direction of {', '.join(DIRECTIONS)}")
    conversation_id = body.get("conversationId")
    conversation, participant = world.contact_centre.start(
        conversation_id=str(conversation_id).lower() if conversation_id else None,
        media_type=media,
        direction=direction,
        message_type=_upper(body.get("messageType")),
        addresses=_addresses(media, direction, body),
        queue_id=body.get("queueId"),
        agent=_agent(body, FIRST_AGENT),
        has_acw=bool(body.get("acw", True)),
        dialled=bool(body.get("dialled", False)),
        expected=bool(body.get("expected", True)),
        agent_direction=agent_direction,
        customer_purpose=str(body.get("customerPurpose", "customer")),
    )
    return {"conversationId": conversation.id, **_participant_ids(participant)}


def summary(conversation: Conversation) -> dict[str, Any]:
    """The conversation in short, as the control API lists it."""
    return {
        "conversationId": conversation.id,
        "mediaType": conversation.media_type,
        "direction": conversation.direction,
        "ended": conversation.ended is not None,
        "agents": [
            {**_participant_ids(agent), "onLine": agent.active, "done": agent.done} for agent in conversation.agents
        ],
    }


def wrap_up_all(world: World, body: Body) -> int:
    """Wrap up all unfinished agents at a steady rate in the background, and return their number."""
    waiting = [(c, agent) for c in world.contact_centre.conversations.values() for agent in c.agents if not agent.done]
    rate = float(body.get("perSecond", 100))
    code = body.get("code", DEFAULT_CODE[0])
    for number, (conversation, agent) in enumerate(waiting):
        world.clock.call_after(number / rate, _wrap_later(world, conversation, agent, code))
    return len(waiting)


def balance(world: World) -> dict[str, Any]:
    """The balance of this world; see `balance_of`."""
    return balance_of(
        [acw.as_json() for acw in world.ledger.finished.values()],
        [entry["record"] for entry in world.receiver.records],
    )


def recent_balance(world: World) -> dict[str, Any]:
    """The balance, some time ago: at most twenty times as long as it took to count.

    So a page that shows it again and again slows nothing down, however much there is to count.
    """
    now = time.monotonic()
    if world.balance_shown is None or now >= world.balance_shown[0]:
        counted = balance(world)
        world.balance_shown = now + _PAUSE_PER_COUNT * (time.monotonic() - now), counted
    return world.balance_shown[1]


def _wrap_later(world: World, conversation: Conversation, agent: Participant, code: str | None) -> Callable[[], None]:
    def wrap() -> None:
        if not agent.done:
            world.contact_centre.wrap_up(conversation, agent, code, None, _DEFAULT_DURATION_MS)

    return wrap


def _wrapup(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    agent = world.contact_centre.unfinished_agent(conversation, body.get("participantId"))
    code, notes = body.get("code", DEFAULT_CODE[0]), body.get("notes")
    announced = world.contact_centre.wrap_up(
        conversation,
        agent,
        code,
        notes,
        duration=int(body.get("durationMs", _DEFAULT_DURATION_MS)),
        segments=int(body.get("segments", 1)),
    )
    return _announcement_body(announced)


def _draft(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    agent = world.contact_centre.unfinished_agent(conversation, body.get("participantId"))
    world.contact_centre.draft(agent, body.get("code", DEFAULT_CODE[0]), body.get("notes"))
    return _participant_ids(agent)


def _code(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    agent = world.contact_centre.unfinished_agent(conversation, body.get("participantId"))
    world.contact_centre.pick_code(agent, body.get("code", DEFAULT_CODE[0]), body.get("notes"))
    return _participant_ids(agent)


def _leg(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    agent = world.contact_centre.unfinished_agent(conversation, body.get("participantId"))
    for communication in agent.communications:
        communication.state = str(body.get("state", "connected"))
        communication.held = bool(body.get("held", False))
    return _participant_ids(agent)


def _third(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    return _participant_ids(world.contact_centre.call_third_person(conversation, str(body.get("number", _THIRD))))


def _resume(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    agent = _chosen_agent(conversation, body)
    world.contact_centre.resume(conversation, agent)
    return _participant_ids(agent)


def _skip(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    agent = world.contact_centre.unfinished_agent(conversation, body.get("participantId"))
    world.contact_centre.skip(agent)
    return _participant_ids(agent)


def _transfer(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    return _participant_ids(world.contact_centre.transfer(conversation, _agent(body, SECOND_AGENT)))


def _consult(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    return _participant_ids(world.contact_centre.consult(conversation, _agent(body, SECOND_AGENT)))


def _end(world: World, conversation: Conversation, _: Body) -> dict[str, Any]:
    world.contact_centre.end(conversation)
    return summary(conversation)


def _reopen(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    return _participant_ids(world.contact_centre.reopen(conversation, _agent(body, SECOND_AGENT)))


def _correct(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    agent = _chosen_agent(conversation, body)
    code = body.get("code", DEFAULT_CODE[0])
    world.clock.call_after(
        float(body.get("afterSeconds", 0)), lambda: world.contact_centre.correct(agent, code, body.get("notes"))
    )
    return _participant_ids(agent)


def _announce(world: World, conversation: Conversation, body: Body) -> dict[str, Any]:
    changes = body.get("changes", {})
    return _announcement_body(world.contact_centre.announce(conversation, _chosen_agent(conversation, body), changes))


ACTIONS: Mapping[str, Action] = {
    "wrapup": _wrapup,
    "draft": _draft,
    "code": _code,
    "leg": _leg,
    "third": _third,
    "resume": _resume,
    "skip": _skip,
    "transfer": _transfer,
    "consult": _consult,
    "end": _end,
    "reopen": _reopen,
    "correct": _correct,
    "announce": _announce,
}


def _announcement_body(announced: list[Announcement]) -> dict[str, Any]:
    return {
        "recordKey": announced[0].acw.key,
        "event": announced[0].event,
        "heard": announced[0].sockets,
        "recordKeys": [one.acw.key for one in announced],
        "events": [one.event for one in announced],
    }


def _participant_ids(participant: Participant) -> dict[str, Any]:
    return {
        "participantId": participant.id,
        "sessionId": participant.communications[0].id,
        "sessionIds": [communication.id for communication in participant.communications],
        "userId": participant.user_id,
    }


def _chosen_agent(conversation: Conversation, body: Body) -> Participant:
    """The agent that `participantId` names; without it, the first agent with a finished wrap-up."""
    wanted = body.get("participantId")
    for agent in conversation.agents:
        if agent.id == wanted or (wanted is None and agent.final_wrapup is not None):
            return agent
    raise ControlError("no such agent there", status=404)


def _agent(body: Body, default: tuple[str, str]) -> tuple[str, str]:
    agent = body.get("agent")
    return (str(agent["userId"]).lower(), str(agent.get("name", "Agent"))) if agent else default


def _addresses(media: str, direction: str, body: Body) -> Addresses:
    """The given addresses; a voice call or callback without any gets two phone numbers."""
    given = {"ani", "dnis", "addressFrom", "addressTo", "callbackNumbers"} & set(body)
    use_default_numbers = media in ("VOICE", "CALLBACK") and not given
    ani, dnis = (_CUSTOMER, _BANK) if direction != "OUTBOUND" else (_BANK, _CUSTOMER)
    return Addresses(
        ani=body.get("ani", ani if use_default_numbers else None),
        dnis=body.get("dnis", dnis if use_default_numbers else None),
        address_from=body.get("addressFrom"),
        address_to=body.get("addressTo"),
        callback_numbers=tuple(body.get("callbackNumbers") or ()),
        subject=body.get("subject"),
    )


def _upper(text: object) -> str | None:
    return str(text).upper() if text is not None else None
