"""The five conversations of the demo, as data.

Phone numbers, names and ids are invented.
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
    """An agent of a conversation, and the wrap-up that the agent enters."""

    #: id and name
    user: tuple[str, str]
    wrapup_code: str
    notes: str

    @property
    def name(self) -> str:
        """The name that the record will show."""
        return self.user[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One conversation."""

    title: str
    #: sender, receiver and text of its first message
    opening: tuple[str, str, str]
    #: the conversation in Genesys's terms, as given to the simulator
    conversation: Mapping[str, object]
    #: in order: each agent takes over from the previous one
    agents: tuple[Agent, ...]
    #: how the customer ends it
    closing: str = field(default="hangs up")


SCENARIOS = (
    Scenario(
        title="Voice call, inbound",
        opening=("customer", "Genesys", f"calls {_BANK}; Maria Cruz answers"),
        conversation={"mediaType": "VOICE", "direction": "INBOUND", "ani": "tel:+639171234567", "dnis": f"tel:{_BANK}"},
        agents=(Agent(user=MARIA, wrapup_code=_CARD, notes="New card is on its way."),),
    ),
    Scenario(
        title="Voice call, outbound",
        opening=("agent", "customer", "Juan Reyes calls 0917 765 4321"),
        conversation={"mediaType": "VOICE", "direction": "OUTBOUND", "ani": f"tel:{_BANK}", "dnis": "tel:09177654321"},
        agents=(Agent(user=JUAN, wrapup_code=_APPOINTMENT, notes="Tuesday, 10:00, Makati branch."),),
    ),
    Scenario(
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
    Scenario(
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
        closing="stops writing",
    ),
    Scenario(
        title="Voice call with a transfer: two agents, two records",
        opening=("customer", "Genesys", f"calls {_BANK}; Maria Cruz answers"),
        conversation={"mediaType": "VOICE", "direction": "INBOUND", "ani": "tel:+639195550101", "dnis": f"tel:{_BANK}"},
        agents=(
            Agent(user=MARIA, wrapup_code=_PASSED_ON, notes="Wants a home loan."),
            Agent(user=JUAN, wrapup_code=_LOAN, notes="Papers to follow."),
        ),
    ),
)
