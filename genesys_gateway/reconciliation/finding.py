"""What the answer to one question proves about one conversation.

Invariant: pure. What a finding does not state, it does not prove.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from genesys_gateway.domain.after_call_work import AcwEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one answer proves about one conversation."""

    #: when the question was asked, or shortly before (epoch milliseconds)
    asked_at: int
    #: milliseconds by which the answer may lag behind; what is newer than that, it need not show
    lag_ms: int = 0
    #: after-call work that is done
    finished: Sequence[AcwEvent] = ()
    #: whether the live view was asked, not only analytics
    live: bool = False
    #: the live view shows the conversation without an end
    goes_on: bool = False
    #: the conversation is over, and ``finished`` holds all its after-call work
    over: bool = False
    #: whether the answer ends the doubt that a gap has left behind
    clears_doubt: bool = False
    #: whether the answer may close a conversation whose deadline has passed
    evidence: bool = False
    #: the live answer needs analytics to complete it, and they can't be asked now
    waits: bool = False
    #: neither view has such a conversation
    unknown: bool = False
    #: the conversation was in the answer; if it was not, and is not ``unknown``, the answer proves nothing
    shown: bool = False
    #: the end that analytics show (epoch milliseconds): the live view may prove it; None if they show none
    ended_at: int | None = None
    #: the answer shows the end, and no agent with after-call work left; something may have come too late for it
    shows_over: bool = False
    #: when analytics could prove the end that they show (epoch milliseconds); None if they do now, or show none
    provable_at: int | None = None
    #: user ids of the agents in a conversation that is not shown as over
    agents: frozenset[str] = frozenset()

    @property
    def ended(self) -> bool:
        """Whether analytics show an end."""
        return self.ended_at is not None

    @property
    def shows_more(self) -> bool:
        """Whether the answer shows that something is still to come: more of the talk, or after-call work."""
        return self.shown and not self.shows_over

    @property
    def unanswered(self) -> bool:
        """Whether the live view was asked and did not answer, or not completely: the conversation can't end by it."""
        return self.live and not (self.goes_on or self.over or self.evidence or self.waits)

    @property
    def known_until(self) -> int:
        """The moment (epoch milliseconds) up to which the answer knows everything."""
        return self.asked_at - self.lag_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFinding:
    """What one answer shows about a closed conversation."""

    #: after-call work that is done
    finished: Sequence[AcwEvent]
    #: the answer was read whole, and shows an end and nothing that is still to be done
    complete: bool
