"""The customer's legs, as both REST answers about a conversation show them, and which of them an agent's leg faces.

Invariant: pure. A participant without a user is the customer by its purpose; no field of it can make an answer
unreadable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

_DIRECTIONS = frozenset({"INBOUND", "OUTBOUND"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The addresses of both ends of a leg. Those that the answer does not show are None."""

    ani: str | None = None
    dnis: str | None = None
    address_from: str | None = None
    address_to: str | None = None

    def customers(self, *, outbound: bool) -> str | None:
        """The customer's address: in an outbound conversation the one that was called or written to."""
        return (self.dnis or self.address_to) if outbound else (self.ani or self.address_from)

    def turned(self) -> "Ends":
        """The same ends, seen from the other side."""
        return Ends(ani=self.dnis, dnis=self.ani, address_from=self.address_to, address_to=self.address_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLeg:
    """One leg of the customer. It shows who called whom; the leg of an agent, to whom it was routed, may not."""

    id: str | None = None
    #: None also for a participant that shows no legs
    media_type: str | None = None
    message_type: str | None = None
    #: INBOUND or OUTBOUND
    direction: str | None = None
    ends: Ends = Ends()
    #: the customer's own address, in either direction
    address: str | None = None
    callback_numbers: tuple[str, ...] = ()


def customers(participants: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those who are the customer. In a call made without a queue that is the ``external`` one.

    Beside a customer an ``external`` is a third person, whom an agent has called.
    """
    found = [one for one in participants if _purpose(one) == "customer"]
    return found or [one for one in participants if _purpose(one) == "external"]


def facing(legs: Sequence[CustomerLeg], peer_id: str | None, media_type: str | None) -> CustomerLeg | None:
    """The customer's leg that an agent's leg is connected to: the one it names, else the first in the same medium.

    One in another medium shows addresses, but not who called whom: of a callback, the customer asked for the callback
    and the agent made the call.
    """
    named = (leg for leg in legs if peer_id is not None and leg.id == peer_id)
    alike = (leg for leg in legs if leg.media_type == media_type)
    others = (replace(leg, direction=None) for leg in legs)
    return next(named, None) or next(alike, None) or next(others, None)


def direction(text: str | None) -> str | None:
    """``INBOUND`` or ``OUTBOUND``; None for anything else, so that another source decides."""
    value = text.upper() if text else None
    return value if value in _DIRECTIONS else None


def _purpose(participant: Mapping[str, Any]) -> str:
    purpose = participant.get("purpose")
    return purpose.lower() if isinstance(purpose, str) else ""
