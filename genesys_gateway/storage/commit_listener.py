"""The callbacks that the storage calls about each commit, so that commits can be measured."""

from collections.abc import Callable
from dataclasses import dataclass


def _ignore(_: float) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitListener:
    """The callbacks of the storage; they must not wait."""

    #: a transaction was committed, after so many seconds
    took: Callable[[float], None] = _ignore
    #: a commit stored so many pieces of work together
    grouped: Callable[[float], None] = _ignore
    #: so many pieces of work were not stored, or not in time
    failed: Callable[[float], None] = _ignore
