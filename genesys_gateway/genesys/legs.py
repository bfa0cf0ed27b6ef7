"""The customer's legs, as both REST answers about a conversation show them, and which of them an agent's leg faces.

Invariant: pure. A participant without a user is the customer by its purpose; no field of it can make an answer
unreadable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True, slots=True)
class CustomerLegs:
    """All legs of the customer, found without a search: an answer may hold thousands of legs."""

    legs: tuple[CustomerLeg, ...] = ()
    _by_id: dict[str | None, CustomerLeg] = field(init=False, compare=False, repr=False, default_factory=dict)
    _by_medium: dict[str | None, CustomerLeg] = field(init=False, compare=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Of several legs with the same id or medium the first counts."""
        for leg in self.legs:
            self._by_id.setdefault(leg.id, leg)
            self._by_medium.setdefault(leg.media_type, leg)

    @property
    def direction(self) -> str | None:
        """The first direction that one of them shows."""
        return next((leg.direction for leg in self._by_medium.values() if leg.direction), None)

    def facing(self, peer_id: str | None, media_type: str | None) -> CustomerLeg | None:
        """The leg that an agent's leg is connected to: the one it names, else the first in the same medium.

        One in another medium shows addresses, but not who called whom: of a callback, the customer asked for the
        callback and the agent made the call.
        """
        named = self._by_id.get(peer_id) if peer_id is not None else None
        first = replace(self.legs[0], direction=None) if self.legs else None
        return named or self._by_medium.get(media_type) or first


def customers(participants: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those who are the customer. In a call made without a queue that is the ``external`` one.

    Beside a customer an ``external`` is a third person, whom an agent has called.
    """
    found = [one for one in participants if _purpose(one) == "customer"]
    return found or [one for one in participants if _purpose(one) == "external"]


def direction(text: str | None) -> str | None:
    """``INBOUND`` or ``OUTBOUND``; None for anything else, so that another source decides."""
    value = text.upper() if text else None
    return value if value in _DIRECTIONS else None


def _purpose(participant: Mapping[str, Any]) -> str:
    purpose = participant.get("purpose")
    return purpose.lower() if isinstance(purpose, str) else ""
