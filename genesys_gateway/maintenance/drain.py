"""Hands the conversations of an instance that is about to stop over to other instances, before its sockets close.

Invariant: a channel closes when other instances cover all its conversations, or when the time for that is over. What
nobody has taken by then is stored as uncovered since the drain began, before its socket closes. Nothing waits if no
other instance runs and none is about to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count

from gevent.event import Event

from genesys_gateway.runtime.clock import Clock, Deadline
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.portable import give_hint
from genesys_gateway.storage.statements import instances, ownership
from genesys_gateway.storage.statements.ownership import SLICE

log = get_logger(__name__)

#: Maximum time for the hand-over, in seconds. With short timers it is half a lease or a quarter of a heartbeat.
_MOST_SECONDS, _LEASE_SHARE, _HEARTBEAT_SHARE = 10.0, 1 / 2, 1 / 4
#: Time between two looks at what others have taken, as a share of the time for all.
_LOOK_SHARE = 1 / 50
#: Number of looks after which the others are reminded: there may be conversations that were registered meanwhile.
_REMIND = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Handing:
    """What the drain does to the other parts."""

    #: number of other instances that could take conversations over, as last known
    takers: Callable[[], int]
    #: take nothing from others, subscribe nothing more, and make no channel
    begin: Callable[[], None]
    #: close the channels that carry none of these conversations
    close_emptied: Callable[[set[str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    #: conversations that no other instance covers yet
    remaining: set[str]
    #: number of other instances that can take them
    takers: int


class Drain:
    """The hand-over, once in the life of a process."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        handing: Handing,
        *,
        identity: Identity,
        lease_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._handing = handing
        self._identity = identity
        longest = max(lease_seconds * _LEASE_SHARE, heartbeat_seconds * _HEARTBEAT_SHARE)
        self._seconds = min(_MOST_SECONDS, longest)
        self._begun = False
        self._announced: str | None = None  # the id under which the others know of the drain
        self._logger = SampledLog(log, clock)
        self._done = Event()

    def begin(self, tasks: TaskGroup, *, successor: bool = False) -> None:
        """Begin the hand-over in the background; a repetition does nothing.

        Args:
            successor: Whether another instance is about to start in the place of this one.
        """
        if not self._begun:
            self._begun = True
            tasks.spawn("drain", self._run, tasks, successor)

    def wait(self, seconds: float) -> bool:
        """Wait until it is over, for ``seconds`` at most. Returns whether it is."""
        return not self._begun or self._done.wait(seconds)

    def _run(self, tasks: TaskGroup, successor: bool) -> None:
        try:
            self._hand_over(tasks, successor)
        finally:
            self._done.set()

    def _hand_over(self, tasks: TaskGroup, successor: bool) -> None:
        deadline, began_at = Deadline(self._clock, self._seconds), self._clock.now()
        begun, last = False, _Look(remaining=set(), takers=0)
        for number in count():
            try:
                mine = self._identity.id
                last = self._storage.run(partial(self._look, number, mine))
                self._announced = mine
            except StorageUnavailable as error:
                self._logger.warning("drain_delayed", error=str(error))
                if not (self._handing.takers() or successor):
                    break
            else:
                if not begun and last.takers:
                    begun = True
                    self._handing.begin()
                if begun:
                    self._handing.close_emptied(last.remaining)
                if not last.remaining or not (last.takers or successor):
                    break
            if deadline.passed or tasks.wait(self._seconds * _LOOK_SHARE):
                break
        if begun and last.remaining:
            self._give_up(tasks, began_at)
        log.info("drained", remaining=len(last.remaining), takers=last.takers)

    def _give_up(self, tasks: TaskGroup, since: int) -> None:
        """Store that the rest is uncovered. What others have locked is left to them: they cover it, or report it."""
        left = SLICE
        while left == SLICE and not tasks.stopping:
            try:
                left = self._storage.run(partial(self._give_up_slice, since))
            except StorageUnavailable as error:
                self._logger.warning("drain_not_stored", error=str(error))
                return

    def _give_up_slice(self, since: int, connection: Connection) -> int:
        now = self._clock.now()
        return ownership.give_up(connection, self._identity.id, since=since, now=now, limit=SLICE)

    def _look(self, number: int, mine: str, connection: Connection) -> _Look:
        if self._announced != mine:
            instances.drain(connection, mine)
        remaining = ownership.remaining_of(connection, mine)
        if remaining and number % _REMIND == _REMIND - 1:
            give_hint(connection)
        return _Look(remaining=remaining, takers=instances.peers(connection, mine, None).running)
