"""The topics of one channel: what its list shall hold, what it holds, and the difference.

Invariant: pure. The differences are kept, not computed: with a thousand topics on each of nineteen channels that would
be most of the work at each registration and each close.
"""

from collections.abc import Collection, Iterable


class TopicList:
    """*Desired* and *confirmed* conversations."""

    __slots__ = ("_absent", "_confirmed", "_desired", "_surplus")

    def __init__(self) -> None:
        self._desired: dict[str, None] = {}  # oldest request first
        self._confirmed: set[str] = set()
        self._surplus: set[str] = set()  # confirmed, not desired
        self._absent: dict[str, None] = {}  # desired, not confirmed; the first that became so is the first here

    @property
    def desired(self) -> Collection[str]:
        """The conversations that the list shall hold, oldest request first. It changes with the list."""
        return self._desired.keys()

    @property
    def confirmed(self) -> Collection[str]:
        """The conversations that the server reported on its list. It changes with the list."""
        return self._confirmed

    @property
    def surplus(self) -> Collection[str]:
        """The conversations to take off the server's list. It changes with the list."""
        return self._surplus

    @property
    def absent(self) -> Collection[str]:
        """The desired conversations that are not confirmed. It changes with the list."""
        return self._absent.keys()

    @property
    def size(self) -> int:
        """Number of topics that take a place: desired, or not yet removed."""
        return len(self._desired) + len(self._surplus)

    def want(self, conversation_ids: Iterable[str]) -> bool:
        """Desire these; returns whether one was not desired before.

        Such a one counts as not confirmed: its removal may be in flight, so that only a new answer counts.
        """
        fresh = dict.fromkeys(one for one in conversation_ids if one not in self._desired)
        self._confirmed.difference_update(fresh)
        self._surplus.difference_update(fresh)
        self._desired.update(fresh)
        self._absent.update(fresh)
        return bool(fresh)

    def drop(self, conversation_id: str) -> bool:
        """No longer desire this one; returns whether it was desired."""
        if conversation_id not in self._desired:
            return False
        del self._desired[conversation_id]
        self._absent.pop(conversation_id, None)
        if conversation_id in self._confirmed:
            self._surplus.add(conversation_id)
        return True

    def confirm(self, conversation_ids: Iterable[str]) -> None:
        """Note that the server's list holds these."""
        for one in conversation_ids:
            self._confirmed.add(one)
            if one in self._desired:
                self._absent.pop(one, None)
            else:
                self._surplus.add(one)

    def removed(self, conversation_ids: Iterable[str]) -> None:
        """Note that the server's list does not hold these."""
        for one in conversation_ids:
            self._confirmed.discard(one)
            self._surplus.discard(one)
            if one in self._desired:
                self._absent.setdefault(one)

    def read(self, listed: Iterable[str]) -> None:
        """Note that the server's list holds exactly these."""
        self._confirmed = set(listed)
        self._surplus = self._confirmed - self._desired.keys()
        self._absent = {one: None for one in self._desired if one not in self._confirmed}
