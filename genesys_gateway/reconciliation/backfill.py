"""Builds the event of a finished after-call work from an answer of the live view or of analytics.

Both views must give the record that the live event gives. What an agent's leg says about direction and numbers may be
true of this leg only: of a campaign's call, which was routed to the agent, it says ``inbound``. So the customer's leg
goes first.

Invariant: pure.
"""

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys.analytics import Details, Session, WrapupSegment
from genesys_gateway.genesys.legs import CustomerLeg, Ends
from genesys_gateway.genesys.live_view import Agent, Communication, Conversation, Wrapup

_TELEPHONE = frozenset({"VOICE", "CALLBACK"})
_OUTBOUND = "OUTBOUND"
_NO_LEG = CustomerLeg()


def event_from_live(conversation: Conversation, agent: Agent, communication: Communication) -> AcwEvent:
    """The event of a communication whose after-call work is done."""
    wrapup = communication.wrapup or agent.wrapup
    leg = conversation.customer_legs.facing(communication.peer_id, communication.media_type) or _NO_LEG
    # The legs of some media have no direction, such as those of a co-browsing beside a call.
    direction = leg.direction or communication.direction or conversation.customer_legs.direction
    own = Ends(
        # The agent's own dnis is the address of a telephone; the number dialled is on the customer's participant.
        ani=agent.ani,
        dnis=agent.dnis,
        address_from=communication.address_from,
        address_to=communication.address_to,
    )
    ends = _ends(communication.media_type, direction, leg, own)
    return AcwEvent(
        conversation_id=conversation.id,
        participant_id=agent.id,
        session_id=communication.id,
        user_id=agent.user_id,
        event_time=_first(communication.acw_ended_at, wrapup.ended_at if wrapup else None, agent.acw_ended_at),
        media_type=communication.media_type,
        message_type=communication.message_type or leg.message_type,
        direction=direction,
        ani=ends.ani,
        dnis=ends.dnis,
        address_from=ends.address_from,
        address_to=ends.address_to,
        callback_numbers=communication.callback_numbers or leg.callback_numbers,
        subject=communication.subject,
        queue_id=agent.queue_id,
        wrapup_code=wrapup.code if wrapup else None,
        wrapup_notes=wrapup.notes if wrapup else None,
        wrapup_duration_ms=_duration_from_live(agent, communication, wrapup),
    )


def event_from_analytics(details: Details, session: Session, wrapup: WrapupSegment) -> AcwEvent:
    """The event of a session whose after-call work is done."""
    leg = details.customer_legs.facing(session.peer_id, session.media_type) or _NO_LEG
    dialled = _OUTBOUND if details.originating_direction == _OUTBOUND else None
    direction = dialled or leg.direction or session.direction or details.originating_direction
    ends = _ends(session.media_type, direction, leg, session.ends)
    return AcwEvent(
        conversation_id=details.conversation_id,
        participant_id=session.participant_id,
        session_id=session.id,
        user_id=session.user_id,
        event_time=wrapup.ended_at,
        media_type=session.media_type,
        message_type=session.message_type or leg.message_type,
        direction=direction,
        ani=ends.ani,
        dnis=ends.dnis,
        address_from=ends.address_from,
        address_to=ends.address_to,
        callback_numbers=session.callback_numbers or leg.callback_numbers,
        subject=session.subject,
        queue_id=wrapup.queue_id or session.queue_id,
        wrapup_code=wrapup.code,
        wrapup_notes=wrapup.notes,
        wrapup_duration_ms=_duration_from_analytics(session, wrapup),
    )


def _ends(media_type: str | None, direction: str | None, leg: CustomerLeg, own: Ends) -> Ends:
    """Take both ends from the first source that shows the customer's address; from the customer's leg if none does."""
    outbound = direction == _OUTBOUND
    customers = leg.ends if leg.direction in (None, direction) else leg.ends.turned()
    sources = (
        customers,
        Ends(address_from=own.address_from, address_to=own.address_to),
        _with_address(leg.address, telephone=media_type in _TELEPHONE, outbound=outbound),
        own,
    )
    return next((ends for ends in sources if ends.customers(outbound=outbound)), customers)


def _with_address(address: str | None, *, telephone: bool, outbound: bool) -> Ends:
    if telephone:
        return Ends(dnis=address) if outbound else Ends(ani=address)
    return Ends(address_to=address) if outbound else Ends(address_from=address)


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


def _duration_from_analytics(session: Session, wrapup: WrapupSegment) -> int | None:
    """Milliseconds. The metric is exact, but unclear where a session has several wrap-ups, or one in parts."""
    if len(session.wrapups) == len(session.acw_ms) == 1:
        return session.acw_ms[0]
    return _between(wrapup.started_at, wrapup.ended_at)


def _between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None or end < start else end - start


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
