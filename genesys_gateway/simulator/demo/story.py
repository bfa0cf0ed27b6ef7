"""The five conversations that are played, as data.

Phone numbers and names are invented; the ids are of nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

MARIA = ("8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac", "Maria Cruz")
JUAN = ("4f0e0b52-6a0f-4f6c-9a5c-3a0c6d7ad5b1", "Juan Reyes")

_BANK = "+63288887777"

#: Wrap-up codes of the contact centre: id to name.
WRAPUP_CODES: Mapping[str, str] = {
    "0b6c1f6e-53c4-4a0c-8b59-0c1f3f1d9a01": "Card replaced",
    "0b6c1f6e-53c4-4a0c-8b59-0c1f3f1d9a02": "Appointment made",
    "0b6c1f6e-53c4-4a0c-8b59-0c1f3f1d9a03": "Question answered",
    "0b6c1f6e-53c4-4a0c-8b59-0c1f3f1d9a04": "Address changed",
    "0b6c1f6e-53c4-4a0c-8b59-0c1f3f1d9a05": "Passed on to loans",
    "0b6c1f6e-53c4-4a0c-8b59-0c1f3f1d9a06": "Loan application taken",
}
_CARD, _APPOINTMENT, _QUESTION, _ADDRESS, _PASSED_ON, _LOAN = WRAPUP_CODES


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who speaks with the customer, and how they wrap it up."""

    user: tuple[str, str]
    wrapup_code: str
    notes: str

    @property
    def name(self) -> str:
        """As the record will show it."""
        return self.user[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One conversation."""

    title: str
    #: who, whom, what: the first line
    opening: tuple[str, str, str]
    #: what the contact centre is told about it, in Genesys's words
    conversation: Mapping[str, object]
    #: each but the first takes over from the one before
    agents: tuple[Agent, ...]
    closing: str = field(default="hangs up")


SCENES = (
    Scene(
        title="Voice call, inbound",
        opening=("customer", "Genesys", f"calls {_BANK}; Maria Cruz answers"),
        conversation={"mediaType": "VOICE", "direction": "INBOUND", "ani": "tel:+639171234567", "dnis": f"tel:{_BANK}"},
        agents=(Agent(user=MARIA, wrapup_code=_CARD, notes="New card is on its way."),),
    ),
    Scene(
        title="Voice call, outbound",
        opening=("agent", "customer", "Juan Reyes calls 0917 765 4321"),
        conversation={"mediaType": "VOICE", "direction": "OUTBOUND", "ani": f"tel:{_BANK}", "dnis": "tel:09177654321"},
        agents=(Agent(user=JUAN, wrapup_code=_APPOINTMENT, notes="Tuesday, 10:00, Makati branch."),),
    ),
    Scene(
        title="Chat",
        opening=("customer", "Genesys", "opens a chat; Maria Cruz answers"),
        conversation={
            "mediaType": "CHAT",
            "direction": "INBOUND",
            "addressFrom": "chat-guest-4711",
            "subject": "How do I raise my transfer limit?",
        },
        agents=(Agent(user=MARIA, wrapup_code=_QUESTION, notes="Sent the guide."),),
        closing="closes the chat",
    ),
    Scene(
        title="SMS",
        opening=("customer", "Genesys", "sends an SMS; Juan Reyes answers"),
        conversation={
            "mediaType": "MESSAGE",
            "messageType": "SMS",
            "direction": "INBOUND",
            "addressFrom": "+639181112222",
            "addressTo": _BANK,
        },
        agents=(Agent(user=JUAN, wrapup_code=_ADDRESS, notes="Confirmed by SMS."),),
        closing="writes no more",
    ),
    Scene(
        title="Voice call with a transfer: two agents, two records",
        opening=("customer", "Genesys", f"calls {_BANK}; Maria Cruz answers"),
        conversation={"mediaType": "VOICE", "direction": "INBOUND", "ani": "tel:+639195550101", "dnis": f"tel:{_BANK}"},
        agents=(
            Agent(user=MARIA, wrapup_code=_PASSED_ON, notes="Wants a home loan."),
            Agent(user=JUAN, wrapup_code=_LOAN, notes="Papers to follow."),
        ),
    ),
)
