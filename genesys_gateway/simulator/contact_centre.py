"""The contact centre: calls start, are transferred, wrapped up and ended; finished after-call work is announced.

Invariant: an event is announced once per agent session, when its after-call work is finished and not before (F39).
Every announcement is recorded in the ledger, even if no socket received it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from genesys_gateway.simulator.channels import Channels
from genesys_gateway.simulator.conversations import (
    AcwState,
    Addresses,
    Communication,
    Conversation,
    Moment,
    Participant,
    Wrapup,
)
from genesys_gateway.simulator.errors import ControlError
from genesys_gateway.simulator.events import acw_event, without_fields
from genesys_gateway.simulator.ledger import FinishedAcw, Ledger
from genesys_gateway.simulator.topics import acw_topic

FIRST_AGENT = ("8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac", "Maria Cruz")
SECOND_AGENT = ("4f0e0b52-6a0f-4f6c-9a5c-3a0c6d7ad5b1", "Juan Reyes")
DEFAULT_QUEUE = "9a58c219-a109-4a46-a1af-dd8303f12a5a"
DEFAULT_CODE = ("7fb334b0-0e9e-11e4-9191-0800200c9a66", "Billing question")


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An event as it was sent, and how many sockets it was written to."""

    acw: FinishedAcw
    event: dict[str, Any]
    sockets: int


@dataclass(slots=True, kw_only=True)
class ContactCentre:
    """All conversations, agents and wrap-up codes of the organisation."""

    channels: Channels
    ledger: Ledger
    conversations: dict[str, Conversation] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=lambda: dict((FIRST_AGENT, SECOND_AGENT)))
    #: Ids of users and wrap-up codes that were deleted: their names come as null.
    nameless: set[str] = field(default_factory=set)
    wrapup_codes: dict[str, str] = field(default_factory=lambda: dict((DEFAULT_CODE,)))

    def now(self) -> Moment:
        clock = self.channels.clock
        return Moment(clock.wall(), clock.virtual())

    def start(
        self,
        *,
        media_type: str,
        direction: str,
        addresses: Addresses,
        conversation_id: str | None = None,
        message_type: str | None = None,
        queue_id: str | None = None,
        agent: tuple[str, str] | None = None,
        has_acw: bool = True,
        dialled: bool = False,
        expected: bool = True,
        agent_direction: str | None = None,
        customer_purpose: str = "customer",
    ) -> tuple[Conversation, Participant]:
        """Start a conversation between a customer and an agent. Raises ControlError if the id is in use.

        `dialled` is for a callback whose call was made: the agent also gets a voice session (F40). `agent_direction`
        is for a call that was dialled for the agent: it comes in for the agent (F48).
        """
        conversation_id = conversation_id or str(uuid.uuid4())
        if conversation_id in self.conversations:
            raise ControlError(f"there is a conversation {conversation_id} already", status=409)
        now = self.now()
        conversation = Conversation(
            id=conversation_id,
            media_type=media_type,
            direction=direction,
            message_type=message_type,
            addresses=addresses,
            queue_id=queue_id or DEFAULT_QUEUE,
            started=now,
            expected=expected,
            agent_direction=agent_direction or direction,
        )
        customer = Participant(id=str(uuid.uuid4()), purpose=customer_purpose, started=now)
        customer.communications.append(_communication(media_type, now, direction=direction))
        if dialled:
            customer.communications.append(_communication("VOICE", now, direction="OUTBOUND"))
        conversation.participants.append(customer)
        self.conversations[conversation_id] = conversation
        return conversation, self.join(conversation, agent or FIRST_AGENT, has_acw=has_acw, dialled=dialled)

    def join(
        self,
        conversation: Conversation,
        agent: tuple[str, str],
        *,
        has_acw: bool = True,
        dialled: bool = False,
        consulted_by: str | None = None,
    ) -> Participant:
        """Add an agent to the conversation as a new participant."""
        user_id, name = agent
        self.users.setdefault(user_id, name)
        now = self.now()
        participant = Participant(
            id=str(uuid.uuid4()),
            purpose="agent",
            user_id=user_id,
            name=self.users[user_id],
            started=now,
            wrapup_required=has_acw,
            consulted_by=consulted_by,
        )
        peers = conversation.participants[0].communications
        for peer in peers if dialled else peers[:1]:
            direction = conversation.agent_direction if peer is peers[0] else peer.direction
            participant.communications.append(
                _communication(peer.media_type, now, direction=direction, has_acw=has_acw, peer=peer.id)
            )
        conversation.participants.append(participant)
        return participant

    def get(self, conversation_id: str) -> Conversation:
        """The conversation of an id. Raises ControlError if there is none."""
        try:
            return self.conversations[conversation_id]
        except KeyError:
            raise ControlError(f"no conversation {conversation_id}", status=404) from None

    def unfinished_agent(self, conversation: Conversation, participant_id: str | None) -> Participant:
        """The agent of an id, or without an id the first agent whose after-call work is not finished.

        Raises:
            ControlError: There is no such agent.
        """
        if participant_id is None:
            chosen = next((p for p in conversation.agents if not p.done), None)
        else:
            chosen = conversation.participant(participant_id)
        if chosen is None or chosen.user_id is None:
            raise ControlError("no agent there has anything left to wrap up", status=409)
        return chosen

    def leave(self, participant: Participant) -> None:
        """The agent hangs up. After-call work begins if the queue has any."""
        now = self.now()
        participant.ended = participant.ended or now
        for communication in participant.communications:
            if communication.ended is None:
                communication.ended = now
                self._begin_acw(participant, communication, now)

    def transfer(self, conversation: Conversation, agent: tuple[str, str]) -> Participant:
        """A second agent takes over. The agents before go into after-call work (F39)."""
        for participant in conversation.agents:
            if participant.active:
                self.leave(participant)
        return self.join(conversation, agent)

    def consult(self, conversation: Conversation, agent: tuple[str, str]) -> Participant:
        """A second agent joins while the first stays on the line. Both will have after-call work (F39).

        Raises:
            ControlError: No agent is on the line.
        """
        first = next((p for p in conversation.agents if p.active), None)
        if first is None:
            raise ControlError("nobody is on the line to consult anyone", status=409)
        return self.join(conversation, agent, consulted_by=first.id)

    def call_third_person(self, conversation: Conversation, number: str) -> Participant:
        """An agent calls someone else, who is `external` to the organisation like a customer without a queue (F48)."""
        now = self.now()
        third = Participant(id=str(uuid.uuid4()), purpose="external", started=now, number=number)
        third.communications.append(_communication("VOICE", now, direction="OUTBOUND"))
        conversation.participants.insert(1, third)
        return third

    def pick_code(self, participant: Participant, code: str | None, notes: str | None) -> None:
        """The agent picks a wrap-up code while still on the line; the after-call work comes later (F45).

        Raises:
            ControlError: The agent is no longer on the line.
        """
        if not participant.active:
            raise ControlError("that agent has hung up already", status=409)
        picked = Wrapup(code=code, notes=notes, duration_ms=0, ended=self.now(), early=True)
        participant.wrapup, participant.preliminary = picked, True
        participant.earlier_wrapups.append(picked)

    def resume(self, conversation: Conversation, participant: Participant) -> None:
        """The customer of an ended conversation writes again, to the same agent and in the same session (F47).

        Raises:
            ControlError: The conversation has not ended, or the agent's wrap-up is not done.
        """
        if conversation.ended is None or participant.final_wrapup is None:
            raise ControlError("it is still open, or not wrapped up", status=409)
        now = self.now()
        self._reopen(conversation)
        participant.earlier_wrapups.append(participant.final_wrapup)
        participant.preliminary = True
        participant.ended = participant.acw_started = participant.acw_ended = None
        for communication in participant.communications:
            communication.earlier_talks = communication.talks
            communication.resumed, communication.ended = now, None
            communication.acw, communication.acw_started, communication.acw_ended = AcwState.UNKNOWN, None, None

    def end(self, conversation: Conversation) -> None:
        """The customer hangs up: the conversation ends. After-call work may take hours longer (F43, F52)."""
        now = self.now()
        conversation.ended = conversation.ended or now
        self.ledger.record_end(acw_topic(conversation.id), conversation.ended.wall)
        for participant in conversation.participants:
            self.leave(participant)

    def reopen(self, conversation: Conversation, agent: tuple[str, str]) -> Participant:
        """The customer of an ended message conversation writes again, to a new agent (F41).

        Raises:
            ControlError: The conversation has not ended.
        """
        if conversation.ended is None:
            raise ControlError("it is still open", status=409)
        self._reopen(conversation)
        return self.join(conversation, agent)

    @staticmethod
    def _reopen(conversation: Conversation) -> None:
        conversation.ended = None
        customer = conversation.participants[0]
        customer.ended = None
        customer.communications[0].ended = None

    def wrap_up(
        self,
        conversation: Conversation,
        participant: Participant,
        code: str | None,
        notes: str | None,
        duration: int,
        segments: int = 1,
    ) -> list[Announcement]:
        """The agent finishes after-call work. `duration` (ms) and `segments` are what Genesys shows of it (F47).

        Returns:
            One announcement per session of the agent, the first session first (F39, F40).

        Raises:
            ControlError: The agent has no after-call work, or has finished or skipped it.
        """
        if participant.final_wrapup is not None or participant.wrapup_skipped:
            raise ControlError("that agent is done already", status=409)
        if not participant.wrapup_required:
            raise ControlError("there is no after-call work on that queue", status=409)
        self.leave(participant)
        now = self.now()
        wrapup = Wrapup(code=code, notes=notes, duration_ms=duration, ended=now, segments=segments)
        participant.wrapup, participant.preliminary = wrapup, False
        begun = participant.acw_started or now
        participant.acw_started, participant.acw_ended = Moment(wrapup.started, begun.virtual), now
        for communication in participant.communications:
            communication.acw, communication.acw_ended = AcwState.COMPLETE, now
            communication.acw_started = participant.acw_started
        announced = [self._announce(conversation, participant, c) for c in self._announced_sessions(participant)]
        self._announce_earlier_sessions(conversation, participant)
        return announced

    def draft(self, participant: Participant, code: str | None, notes: str | None) -> None:
        """The agent saves a draft of the wrap-up without finishing (F51)."""
        self.leave(participant)
        participant.preliminary = False
        participant.wrapup = Wrapup(code=code, notes=notes, duration_ms=0, ended=self.now(), provisional=True)

    def skip(self, participant: Participant) -> None:
        """The agent skips after-call work. It is never announced."""
        self.leave(participant)
        now = self.now()
        participant.wrapup_skipped, participant.acw_ended = True, now
        if participant.preliminary:
            participant.wrapup, participant.preliminary = None, False
        for communication in participant.communications:
            communication.acw, communication.acw_ended = AcwState.SKIPPED, now

    def correct(self, participant: Participant, code: str | None, notes: str | None) -> None:
        """Correct a wrap-up in analytics only, as may happen for days; event and conversation API keep the first (F56).

        Raises:
            ControlError: The agent has no finished wrap-up.
        """
        if participant.final_wrapup is None:
            raise ControlError("there is no wrap-up to correct yet", status=409)
        duration = participant.final_wrapup.duration_ms
        participant.correction = Wrapup(code=code, notes=notes, duration_ms=duration, ended=self.now())

    def announce(
        self, conversation: Conversation, participant: Participant, changes: Mapping[str, Any]
    ) -> list[Announcement]:
        """Announce a finished agent's sessions again. `changes` override fields of the event.

        Raises:
            ControlError: The agent has not finished after-call work.
        """
        if participant.final_wrapup is None:
            raise ControlError("there is nothing to announce", status=409)
        return [self._announce(conversation, participant, c, changes) for c in self._announced_sessions(participant)]

    def _announced_sessions(self, participant: Participant) -> list[Communication]:
        both = self.channels.options.callback_announces_voice
        return participant.communications if both else participant.communications[:1]

    def _announce_earlier_sessions(self, conversation: Conversation, newest: Participant) -> None:
        # Reported by Genesys users: when a reopened message conversation is wrapped up, its earlier sessions are
        # announced again (F41).
        if conversation.media_type != "MESSAGE":
            return
        for participant in conversation.agents:
            if participant is not newest and participant.final_wrapup is not None:
                for communication in self._announced_sessions(participant):
                    self._announce(conversation, participant, communication)

    def _announce(
        self,
        conversation: Conversation,
        participant: Participant,
        communication: Communication,
        changes: Mapping[str, Any] | None = None,
    ) -> Announcement:
        topic, now = acw_topic(conversation.id), self.channels.clock.wall()
        event = acw_event(conversation, participant, communication, now, changes or {})
        if fault := self.channels.faults.trigger("omit_fields", topic=topic):
            event["eventBody"] = without_fields(event["eventBody"], fault.params.get("fields", ()))
        sockets = self.channels.publish(topic, event)
        self.ledger.record_finish(topic, now)
        acw = FinishedAcw(
            conversation=conversation.id,
            participant=participant.id,
            session=communication.id,
            user=participant.user_id or "",
            at=event["eventBody"].get("eventTime", now),
            expected=conversation.expected,
        )
        return Announcement(acw=self.ledger.record_announcement(acw, sockets), event=event, sockets=sockets)

    @staticmethod
    def _begin_acw(participant: Participant, communication: Communication, now: Moment) -> None:
        if not communication.has_acw:
            communication.acw = AcwState.NOT_APPLICABLE
            return
        communication.acw, communication.acw_started = AcwState.PENDING, now
        participant.acw_started = participant.acw_started or now


def _communication(
    media_type: str, now: Moment, *, direction: str | None, has_acw: bool = False, peer: str | None = None
) -> Communication:
    return Communication(
        id=str(uuid.uuid4()), media_type=media_type, started=now, has_acw=has_acw, direction=direction, peer=peer
    )
