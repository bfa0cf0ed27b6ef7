"""The data of a conversation: participants, their communications, and after-call work.

Every moment is kept in wall time and in virtual time, because analytics show it later than the conversation API (F56).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment at which something happened, on both clocks."""

    #: Epoch milliseconds, as sent to clients.
    wall: int
    #: Virtual seconds, from which the analytics lag is counted.
    virtual: float


class AcwState(Enum):
    """States of a communication's after-call work, in Genesys's words (F50)."""

    UNKNOWN = "unknown"
    NOT_APPLICABLE = "notApplicable"
    SKIPPED = "skipped"
    PENDING = "pending"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapup:
    """A wrap-up. It belongs to the participant, and so to all communications of the participant (F40)."""

    code: str | None
    notes: str | None
    duration_ms: int
    ended: Moment
    #: True for a draft: the after-call work is not finished (F51).
    provisional: bool = False
    #: True for a code that was picked before the talk was over (F45).
    early: bool = False
    #: Number of segments without a gap that analytics cut it into; code and notes are in the first (F47).
    segments: int = 1

    @property
    def started(self) -> int:
        """When it began, by its duration (epoch milliseconds)."""
        return self.ended.wall - self.duration_ms


@dataclass(slots=True, kw_only=True)
class Communication:
    """One medium of a participant. Its id is the session id of events and analytics (F38)."""

    id: str
    #: Upper case, as in events; REST uses lower case (F37).
    media_type: str
    started: Moment
    ended: Moment | None = None
    acw: AcwState = AcwState.UNKNOWN
    acw_started: Moment | None = None
    acw_ended: Moment | None = None
    #: False on a queue without after-call work (F43).
    has_acw: bool = True
    #: INBOUND or OUTBOUND. A call that was dialled for the agent comes in for the agent (F48).
    direction: str | None = None
    #: Id of the customer's communication that an agent's is connected to.
    peer: str | None = None
    #: What the conversation API shows until it has ended.
    state: str = "connected"
    held: bool = False
    #: Start and end of each talk before the present one: the customer wrote again in the same session.
    earlier_talks: list[tuple[Moment, Moment | None]] = field(default_factory=list)
    resumed: Moment | None = None

    @property
    def talks(self) -> list[tuple[Moment, Moment | None]]:
        return [*self.earlier_talks, (self.resumed or self.started, self.ended)]


@dataclass(slots=True, kw_only=True)
class Participant:
    """The customer, an agent, or a third person."""

    id: str
    purpose: str
    started: Moment
    user_id: str | None = None
    name: str | None = None
    ended: Moment | None = None
    wrapup_required: bool = False
    wrapup_skipped: bool = False
    wrapup: Wrapup | None = None
    #: Wrap-ups that a later one replaced; only analytics still show them (F47).
    earlier_wrapups: list[Wrapup] = field(default_factory=list)
    #: True while `wrapup` does not end the after-call work: it was picked early, or the customer wrote again.
    preliminary: bool = False
    #: Address of a third person whom an agent has called.
    number: str | None = None
    #: A later correction of the wrap-up that only analytics show (F56).
    correction: Wrapup | None = None
    acw_started: Moment | None = None
    acw_ended: Moment | None = None
    communications: list[Communication] = field(default_factory=list)
    #: For the second agent of a consult: the participant id of the agent who started it.
    consulted_by: str | None = None

    @property
    def active(self) -> bool:
        return self.ended is None

    @property
    def done(self) -> bool:
        """Whether nothing is left to wrap up."""
        return self.wrapup_skipped or not self.wrapup_required or self.final_wrapup is not None

    @property
    def final_wrapup(self) -> Wrapup | None:
        if self.wrapup is None or self.wrapup.provisional or self.preliminary:
            return None
        return self.wrapup


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of both sides as in the event; None for those that do not apply (F36, F44)."""

    ani: str | None = None
    dnis: str | None = None
    address_from: str | None = None
    address_to: str | None = None
    callback_numbers: tuple[str, ...] = ()
    subject: str | None = None

    def customers(self, direction: str) -> str | None:
        """The customer's own address."""
        called, caller = self.dnis or self.address_to, self.ani or self.address_from
        return called if direction == "OUTBOUND" else caller


@dataclass(slots=True, kw_only=True)
class Conversation:
    """A conversation, called an interaction by BOFE."""

    id: str
    media_type: str
    direction: str
    message_type: str | None
    addresses: Addresses
    queue_id: str
    started: Moment
    ended: Moment | None = None
    participants: list[Participant] = field(default_factory=list)
    #: False if the test that started it asked no client to follow it.
    expected: bool = True
    #: The direction that agents' communications show; of a call that was dialled for them another than `direction`.
    agent_direction: str = "INBOUND"

    @property
    def agents(self) -> list[Participant]:
        return [participant for participant in self.participants if participant.user_id is not None]

    def is_dialled(self, communication: Communication) -> bool:
        """Whether it is the call of a callback, which the agent made (F48)."""
        return self.media_type == "CALLBACK" and communication.media_type == "VOICE"

    def direction_for(self, communication: Communication) -> str:
        """The direction for the customer."""
        return "OUTBOUND" if self.is_dialled(communication) else self.direction

    def addresses_for(self, communication: Communication) -> Addresses:
        """The addresses of both sides of one communication."""
        if not self.is_dialled(communication):
            return self.addresses
        called = next(iter(self.addresses.callback_numbers), self.addresses.ani)
        return replace(self.addresses, ani=self.addresses.dnis, dnis=called)

    def participant(self, participant_id: str) -> Participant | None:
        return next((p for p in self.participants if p.id == participant_id), None)
