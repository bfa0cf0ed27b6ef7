"""The data of a conversation: participants, their communications, and after-call work.

Every moment is kept in wall time and in virtual time, because analytics show it later than the conversation API (F56).
"""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(slots=True, kw_only=True)
class Participant:
    """The customer or an agent."""

    id: str
    purpose: str
    started: Moment
    user_id: str | None = None
    name: str | None = None
    ended: Moment | None = None
    wrapup_required: bool = False
    wrapup_skipped: bool = False
    wrapup: Wrapup | None = None
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
        return self.wrapup if self.wrapup is not None and not self.wrapup.provisional else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of both sides as in the event; None for those that do not apply (F36, F44)."""

    ani: str | None = None
    dnis: str | None = None
    address_from: str | None = None
    address_to: str | None = None
    callback_numbers: tuple[str, ...] = ()
    subject: str | None = None


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

    @property
    def agents(self) -> list[Participant]:
        return [participant for participant in self.participants if participant.user_id is not None]

    def participant(self, participant_id: str) -> Participant | None:
        return next((p for p in self.participants if p.id == participant_id), None)
