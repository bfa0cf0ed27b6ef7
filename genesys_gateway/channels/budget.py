"""The budget of connected channels, counted in this process: for a SQLite file, which has no other process."""

from collections.abc import Callable
from typing import Protocol

from genesys_gateway.runtime.greenlets import TaskGroup


class ChannelBudget(Protocol):
    """Grants the right to have one more channel connected. Demand leaves the last place of the budget to handovers.

    ``used`` returns the number of channels that count now: those that are connected and those that are being made. A
    caller that wants to make one counts it already when it asks.
    """

    @property
    def attainable(self) -> int:
        """Maximum number of channels that demand can have in this process, as far as is known."""

    @property
    def certain(self) -> bool:
        """Whether the places that were granted certainly belong to this process now."""

    @property
    def others_may_wait(self) -> bool:
        """Whether other instances may wait for a place that this one could give back."""

    def take(self, used: Callable[[], int], *, handover: bool) -> bool:
        """Grant a place, or not, for a channel that is about to be made. May wait for the database."""

    def settle(self, used: Callable[[], int], wanted: Callable[[], int]) -> None:
        """Give back places that nothing uses, but for as many as are ``wanted`` soon. May wait for the database."""

    def run(self, tasks: TaskGroup, used: Callable[[], int], wanted: Callable[[], int]) -> None:
        """Do so again and again, until the group stops."""

    def freed(self) -> None:
        """Note that other instances may have given back places. Does not wait."""

    def reset(self) -> None:
        """Forget all places: they belong to the id that this instance had before."""


class OwnBudget:
    """A budget that no other process shares.

    Args:
        places: Maximum number of connected channels.
    """

    def __init__(self, places: int) -> None:
        self._places = places

    @property
    def attainable(self) -> int:
        """All but the last place."""
        return self._places - 1

    @property
    def certain(self) -> bool:
        """Always true: there is nobody else."""
        return True

    @property
    def others_may_wait(self) -> bool:
        """Always false."""
        return False

    def take(self, used: Callable[[], int], *, handover: bool) -> bool:
        """Compare the number with the budget; does not wait."""
        return used() <= self._places - (0 if handover else 1)

    def settle(self, used: Callable[[], int], wanted: Callable[[], int]) -> None:
        """Do nothing: a place is free as soon as ``used`` says so."""

    def run(self, tasks: TaskGroup, used: Callable[[], int], wanted: Callable[[], int]) -> None:
        """Return at once."""

    def freed(self) -> None:
        """Do nothing: there are no others."""

    def reset(self) -> None:
        """Do nothing: no place is remembered."""
