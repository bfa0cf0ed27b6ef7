"""Takes the conversations that other instances have left or offer, and offers those that this one has no place for.

Invariant: an instance takes no more conversations than it has free places for topics, as long as another instance could
take them; what nobody has taken a third of a lease later is taken by any. One that drains takes none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gevent.event import Event

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.statements import instances, ownership
from genesys_gateway.storage.statements.instances import Peers
from genesys_gateway.storage.statements.ownership import SLICE, Taken

log = get_logger(__name__)

#: Time between two looks as a share of the lease: alone, and beside other instances.
_PERIOD_ALONE, _PERIOD = 1 / 3, 1 / 10
#: How long conversations of an ended instance are left to those with free places, as a share of the lease.
_GRACE = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What the channels tell and do."""

    #: find out how many places other instances leave; may wait
    count: Callable[[], None]
    #: number of topics that can still be followed
    free: Callable[[], int]
    #: the conversations that wait for a channel
    waiting: Callable[[], list[str]]
    #: subscribe this conversation's topic; must not wait
    follow: Callable[[str], None]
    #: take this conversation's topic off its channel; must not wait
    unfollow: Callable[[str], None]


class Ownership:
    """The greenlet that looks for conversations to take.

    Args:
        peers: The other instances.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        places: Places,
        *,
        identity: Identity,
        lease_seconds: float,
        peers: Callable[[], Peers],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._places = places
        self._identity = identity
        self._seconds = lease_seconds
        self._lease_ms = round(lease_seconds * 1000)
        self._peers = peers
        self._draining = False
        self._waited: set[str] = set()  # conversations that waited for a place at the last look
        self._offered: set[str] = set()
        self._woken = Event()
        self._logger = SampledLog(log, clock)

    def wake(self) -> None:
        """Look soon. Does not wait."""
        self._woken.set()

    def drain(self) -> None:
        """Take nothing from now on."""
        self._draining = True

    def run(self, tasks: TaskGroup) -> None:
        """Look when woken, and at intervals, until the group stops."""
        while not tasks.stopping:
            self._woken.clear()
            try:
                self.look()
                self._logger.over()
            except StorageUnavailable as error:
                self._logger.warning("adoption_delayed", error=str(error))
                tasks.wait(self._seconds * _PERIOD)
            self._woken.wait(self._seconds * (_PERIOD if self._peers().running else _PERIOD_ALONE))

    def look(self) -> None:
        """Take what others have left or offer, and offer what waits here in vain.

        Raises:
            StorageUnavailable: Some of it was done; the next look does the rest.
        """
        if self._draining:
            return
        self.adopt()
        if self._peers().others:
            self._places.count()
            self._take(ownership.take_over)
            self._take(ownership.take_offered)
        self._offer()

    def adopt(self) -> int:
        """Adopt the conversations of ended instances; returns their number.

        Raises:
            StorageUnavailable: Some are adopted.
        """
        now = self._clock.now()
        adopt = partial(ownership.adopt, lease_ms=self._lease_ms, now=now)
        if self._peers().running:
            adopted = self._take(adopt)
            grace_ms = round(self._lease_ms * _GRACE)
            adopted += self._take(partial(adopt, ended_ms_ago=grace_ms), free=lambda: SLICE)
        else:
            adopted = self._take(adopt, free=lambda: SLICE)
        self._storage.run(instances.forget_ended)
        if adopted:
            log.info("adopted", conversations=adopted)
        return adopted

    def _take(self, statement: Callable[..., Taken], free: Callable[[], int] | None = None) -> int:
        """Take slice after slice, as long as there is something to take and a free place."""
        total = 0
        while not self._draining:
            limit = min(SLICE, (free or self._places.free)())
            if limit <= 0:
                break
            owner = self._identity.id
            taken = self._storage.run(partial(_call, statement, owner, limit))
            if owner != self._identity.id:
                break  # lost meanwhile: it belongs to nobody, and is adopted later
            for one in taken.to_follow:
                self._places.follow(one)
            total += taken.total
            if taken.total < limit:
                break
        return total

    def _offer(self) -> None:
        """Offer what has waited here since the last look, and let go of what others have taken."""
        # Also those that were placed here meanwhile: until their cover is stored, another instance may have taken them.
        self._in_slices(list(self._offered), self._let_go)
        waiting = self._places.waiting()
        if not waiting or self._places.free() > 0:
            self._waited.clear()
            return
        still = [one for one in waiting if one in self._waited]
        self._waited = set(waiting)
        if self._peers().running:
            self._in_slices([one for one in still if one not in self._offered], self._offer_slice)

    def _in_slices(self, ids: list[str], act: Callable[[list[str]], None]) -> None:
        for start in range(0, len(ids), SLICE):
            act(ids[start : start + SLICE])

    def _offer_slice(self, ids: list[str]) -> None:
        now = self._clock.now()

        def job(connection: Connection) -> None:
            ownership.offer(connection, self._identity.id, ids, now=now)

        self._storage.run(job)
        self._offered.update(ids)

    def _let_go(self, ids: list[str]) -> None:
        offers = self._storage.run(lambda c: ownership.offers(c, self._identity.id, ids))
        for one in offers.taken:
            self._places.unfollow(one)
        self._offered.difference_update(ids)
        self._offered.update(offers.open)


def _call(statement: Callable[..., Taken], owner: str, limit: int, connection: Connection) -> Taken:
    return statement(connection, owner, limit=limit)
