"""Entries that are ready to be claimed, and in which order.

Law: pure and bounded. Longest due first, yet a crowd of entries that failed before leaves senders to the others, and
newcomers are not left queued behind a long backlog.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from genesys_gateway.domain.outbox import Entry
from genesys_gateway.storage.statements.outbox import ReadyEntry

#: Entries that failed before and may stand in the line; the others of their kind stay on disk meanwhile.
MAX_REPEATED = 24
#: One place in so many belongs to a newcomer.
FRESH_SHARE = 4


class ReadyQueue:
    """Two lines, one for first attempts and one for repeated ones."""

    def __init__(self) -> None:
        self._first: deque[ReadyEntry] = deque()
        self._repeated: deque[ReadyEntry] = deque()

    def __len__(self) -> int:
        return len(self._first) + len(self._repeated)

    @property
    def first_attempts(self) -> int:
        """How many stand for their first attempt."""
        return len(self._first)

    def has_space_for(self, entry: Entry) -> bool:
        """Whether it may stand in the line too."""
        return not entry.attempt or len(self._repeated) < MAX_REPEATED

    def add(self, wanted: ReadyEntry) -> None:
        """It stands last."""
        (self._repeated if wanted.entry.attempt else self._first).append(wanted)

    def take(self, most: int, most_repeated: int) -> list[ReadyEntry]:
        """The next ones, ``most`` at most, of which ``most_repeated`` at most failed before."""
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

    def take_probe(self) -> list[ReadyEntry]:
        """The newest of those tried least often: a record that fails whatever happens would be no test of the lane."""
        queued = (*self._first, *self._repeated)
        if not queued:
            return []
        best = min(queued, key=lambda one: (one.entry.attempt, -one.entry.next_at))
        (self._repeated if best.entry.attempt else self._first).remove(best)
        return [best]

    def clear(self) -> list[ReadyEntry]:
        """Nobody stands in the line any more; who did."""
        queued = [*self._first, *self._repeated]
        self._first.clear()
        self._repeated.clear()
        return queued

    def _repeated_is_next(self) -> bool:
        return not self._first or self._repeated[0].entry.next_at <= self._first[0].entry.next_at


def mixed(oldest: Sequence[Entry], newest: Sequence[Entry]) -> Iterator[Entry]:
    """The oldest in their order, with one of the newest after every three; each once."""
    newcomers = iter(newest)
    seen: set[str] = set()
    for n, entry in enumerate(oldest, 1):
        for one in (entry, *islice(newcomers, not n % (FRESH_SHARE - 1))):
            if one.id not in seen:
                seen.add(one.id)
                yield one
