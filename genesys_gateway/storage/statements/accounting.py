"""Counts that show whether every accepted conversation is still accounted for.

Invariant: they are read in one statement, so that they belong to one moment.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, literal, literal_column, select, union_all

from genesys_gateway.storage.statements import owners, tally
from genesys_gateway.storage.statements.conversations import CLOSED, FOLLOWED, PENDING, SUBSCRIBED
from genesys_gateway.storage.tables import conversation

_table = conversation.c

# A single statement, because on PostgreSQL a second one would also count registrations made since the first. Rows are
# counted by triggers; only those of followed and released conversations and of missed works, which are few, are counted
# here.
_COUNTS = (
    select(literal("accepted"), tally.total("registrations", "forgotten_registrations")),
    select(literal("conversations"), tally.total("conversations", "forgotten_conversations")),
    select(literal("missed"), tally.total("forgotten_missed")),
    select(literal("missed"), func.coalesce(func.sum(_table.missed), 0)).where(_table.missed > literal_column("0")),
    select(literal("released"), func.count()).where(_table.released_at.is_not(None)),
    # In the order of the index, so that nothing is sorted.
    select(_table.state, func.count()).where(FOLLOWED).group_by(_table.owner, _table.state),
)
_BALANCE = union_all(*_COUNTS)
#: Of those that are stored as subscribed, it is not certain of all that their owner's socket is open.
_IN_DOUBT = _table.owner.not_in(owners.CERTAIN)
_BALANCE_OF_SEVERAL = union_all(
    *_COUNTS, select(literal("in_doubt"), func.count()).where(FOLLOWED, _table.state == SUBSCRIBED, _IN_DOUBT)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Counts that show whether every accepted conversation is still accounted for."""

    #: conversations whose registration was ever answered with 2xx, also those that are forgotten
    accepted: int
    #: conversations in each state; forgotten ones were closed
    states: Mapping[str, int]
    #: after-call works that only the last look found
    missed: int
    #: pending conversations whose topic was given back
    released: int = 0

    @property
    def uncovered(self) -> int:
        """Followed conversations whose topic should be subscribed and is not."""
        return self.states.get(PENDING, 0) - self.released

    @property
    def closed(self) -> int:
        """Conversations that are followed no longer."""
        return self.states.get(CLOSED, 0)

    @property
    def followed(self) -> int:
        """Conversations that are followed, covered or not."""
        return sum(self.states.values()) - self.closed

    @property
    def unaccounted(self) -> int:
        """Lost conversations and missed after-call works; 0 unless there is a bug."""
        return self.accepted - sum(self.states.values()) + self.missed


def balance(connection: Connection) -> Balance:
    """Return the balance at one moment. It takes no longer the more conversations are closed."""
    counts: Counter[str] = Counter()
    several = connection.dialect.name == "postgresql"
    for name, count in connection.execute(_BALANCE_OF_SEVERAL if several else _BALANCE):
        counts[name] += int(count)
    in_doubt = counts.pop("in_doubt", 0)
    counts[PENDING] += in_doubt
    counts[SUBSCRIBED] -= in_doubt
    accepted, missed, known = counts.pop("accepted"), counts.pop("missed"), counts.pop("conversations")
    released = counts.pop("released")
    counts[CLOSED] = known - counts.total()
    states = {state: n for state, n in counts.items() if n}
    return Balance(accepted=accepted, states=states, missed=missed, released=released)
