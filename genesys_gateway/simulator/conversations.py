"""What a conversation is made of: participants, their communications, and after-call work.

Every moment is kept twice, because analytics learn of it later than the conversation API (F56).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened."""

    #: epoch ms, what clients are told
    wall: int
    #: virtual seconds, what the analytics lag is counted from
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
    """A wrap-up; it belongs to the participant, and so to all its communications (F40)."""

    code: str | None
    notes: str | None
    duration_ms: int
    ended: Moment
    #: a draft, not done (F51)
    provisional: bool = False


@dataclass(slots=True, kw_only=True)
class Communication:
    """One medium of a participant; its id is the event's and analytics' session id (F38)."""

    id: str
    #: upper case, as in events; REST says it in lower case (F37)
    media_type: str
    started: Moment
    ended: Moment | None = None
    acw: AcwState = AcwState.UNKNOWN
    acw_started: Moment | None = None
    acw_ended: Moment | None = None
    #: queues may have no after-call work (F43)
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
    #: a later correction of the wrap-up that only analytics show (F56)
    correction: Wrapup | None = None
    acw_started: Moment | None = None
    acw_ended: Moment | None = None
    communications: list[Communication] = field(default_factory=list)
    #: set while a consult: the agent who asked
    consulted_by: str | None = None

    @property
    def active(self) -> bool:
        return self.ended is None

    @property
    def done(self) -> bool:
        """Nothing is left to wrap up."""
        return self.wrapup_skipped or not self.wrapup_required or self.final_wrapup is not None

    @property
    def final_wrapup(self) -> Wrapup | None:
        return self.wrapup if self.wrapup is not None and not self.wrapup.provisional else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Who spoke with whom, as the event carries it; what does not apply is None (F36, F44)."""

    ani: str | None = None
    dnis: str | None = None
    address_from: str | None = None
    address_to: str | None = None
    callback_numbers: tuple[str, ...] = ()
    subject: str | None = None


@dataclass(slots=True, kw_only=True)
class Conversation:
    """A conversation; what BOFE calls an interaction."""

    id: str
    media_type: str
    direction: str
    message_type: str | None
    addresses: Addresses
    queue_id: str
    started: Moment
    ended: Moment | None = None
    participants: list[Participant] = field(default_factory=list)
    #: False: whoever started it says that no client was told of it
    expected: bool = True

    @property
    def agents(self) -> list[Participant]:
        return [participant for participant in self.participants if participant.user_id is not None]

    def participant(self, participant_id: str) -> Participant | None:
        return next((p for p in self.participants if p.id == participant_id), None)
