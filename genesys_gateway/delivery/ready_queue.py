"""The ready queue: entries that may be claimed next, in order.

Invariant: pure and bounded. The longest due entry comes first, but the number of entries that failed before is limited,
and new entries do not wait behind a long backlog.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from genesys_gateway.domain.outbox import Entry
from genesys_gateway.storage.statements.claims import ReadyEntry

#: Maximum number of queued entries that failed before; further ones stay in the outbox until there is space.
MAX_REPEATED = 24
#: In a backlog, one entry in FRESH_SHARE is a new one.
FRESH_SHARE = 4


class ReadyQueue:
    """Two queues in one: entries without an attempt, and entries that failed before."""

    def __init__(self) -> None:
        self._first: deque[ReadyEntry] = deque()
        self._repeated: deque[ReadyEntry] = deque()

    def __len__(self) -> int:
        return len(self._first) + len(self._repeated)

    @property
    def first_attempts(self) -> int:
        """Number of queued entries without an attempt."""
        return len(self._first)

    def has_space_for(self, entry: Entry) -> bool:
        """Whether this entry may be added. Always true before its first attempt."""
        return not entry.attempt or len(self._repeated) < MAX_REPEATED

    def add(self, wanted: ReadyEntry) -> None:
        """Add an entry at the end."""
        (self._repeated if wanted.entry.attempt else self._first).append(wanted)

    def take(self, most: int, most_repeated: int) -> list[ReadyEntry]:
        """Remove and return the next entries: at most ``most``, at most ``most_repeated`` of which failed before."""
        taken: list[ReadyEntry] = []
        while len(taken) < most:
            if self._repeated and most_repeated > 0 and self._repeated_is_next():
                taken.append(self._repeated.popleft())
                most_repeated -= 1
            elif self._first:
                taken.append(self._first.popleft())
            else:
                break
        return taken

    def take_probe(self, rank: Callable[[str], int]) -> list[ReadyEntry]:
        """Remove and return the best probe, if any: of the lowest rank; of these the newest of the fewest attempts.

        A record that always fails would not show whether the receiver is back.
        """
        queued = (*self._first, *self._repeated)
        if not queued:
            return []
        best = min(queued, key=lambda one: (rank(one.entry.id), one.entry.attempt, -one.entry.next_at))
        (self._repeated if best.entry.attempt else self._first).remove(best)
        return [best]

    def clear(self) -> list[ReadyEntry]:
        """Empty the queue and return what was in it."""
        queued = [*self._first, *self._repeated]
        self._first.clear()
        self._repeated.clear()
        return queued

    def _repeated_is_next(self) -> bool:
        return not self._first or self._repeated[0].entry.next_at <= self._first[0].entry.next_at


def mixed(oldest: Sequence[Entry], newest: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the oldest in their order, with one of the newest after every three of them; each entry once."""
    newcomers = iter(newest)
    seen: set[str] = set()
    for n, entry in enumerate(oldest, 1):
        for one in (entry, *islice(newcomers, not n % (FRESH_SHARE - 1))):
            if one.id not in seen:
                seen.add(one.id)
                yield one
