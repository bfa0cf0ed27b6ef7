"""The budget of connected channels that all instances of one OAuth client share, kept in the database (ADR 0027).

Invariant: a place is reserved, by a commit that is known, before the call that creates a channel; it is given back only
after the channel's socket is closed. In every transaction the rows of this instance are made equal to the places that
it holds. So a reservation or a return whose commit has an unknown outcome is corrected by the next one.
"""

from collections.abc import Callable
from math import inf
from random import Random
from uuid import uuid4

from gevent.lock import BoundedSemaphore

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.fence import Fence
from genesys_gateway.storage.statements import places
from genesys_gateway.storage.statements.places import Claimant

log = get_logger(__name__)


class SharedBudget:
    """The places that this instance holds, and what is known of those of the others.

    Args:
        fence: While it is closed, no place is granted.
        identity: The id of this instance, which must be in the database.
        client: Names the OAuth client, as :func:`genesys_gateway.genesys.client_key.client_key` does.
    """

    def __init__(
        self, storage: Storage, fence: Fence, settings: Settings, runtime: Runtime, *, identity: Identity, client: str
    ) -> None:
        self._storage = storage
        self._fence = fence
        self._clock: Clock = runtime.clock
        self._random: Random = runtime.random
        self._taken_gauge = runtime.metrics.channel_places_taken
        self._identity = identity
        self._client = client
        self._budget = settings.channel_budget
        self._heartbeat_ms = round(settings.heartbeat_seconds * 1000)
        self._lease = settings.lease_seconds
        #: ids of the rows of this instance: any channel may use any of them
        self._held: list[str] = []
        #: whether the last place of the budget, which demand must not use, is one of them
        self._holds_last = False
        #: whether demand may use the last place, too: another instance of the client hands its conversations over, and
        #: gives back a place as soon as one of its channels is empty
        self._last_for_demand = False
        #: number of places of the client that all instances held at the latest contact
        self._taken = 0
        #: number of resets: an answer to a question from before a reset does not count
        self._resets = 0
        #: one transaction at a time, so that each knows what this instance holds
        self._turn = BoundedSemaphore()
        # Monotonic seconds: nothing is asked for demand, or for a handover, earlier; the next contact is due at last
        self._ask_again = {False: -inf, True: -inf}
        self._contact_due = -inf
        self._logger = SampledLog(log, runtime.clock)

    @property
    def attainable(self) -> int:
        """The places held here and those that nobody holds, as a rule without the last one."""
        return self._held_for(handover=False) + max(0, self._limit(handover=False) - self._taken)

    @property
    def certain(self) -> bool:
        """Whether the lease of this instance holds for certain."""
        return self._fence.open

    @property
    def others_may_wait(self) -> bool:
        """Whether the last place of the client is held here: without it no other instance can hand a channel over."""
        return self._holds_last

    def take(self, used: Callable[[], int], *, handover: bool) -> bool:
        """Use a place that is held, else reserve one: one transaction, at most once in a tenth of a lease in vain."""
        if not self._fence.open:
            return False
        if self._held_for(handover=handover) >= used():
            return True
        if self._clock.monotonic() < self._ask_again[handover]:
            return False
        return self._reserve(used, handover)

    def run(self, tasks: TaskGroup, used: Callable[[], int], wanted: Callable[[], int]) -> None:
        """Call :meth:`settle` again and again until the group stops."""
        while not tasks.stopping:
            self.settle(used, wanted)
            tasks.wait(self._lease / 40)

    def settle(self, used: Callable[[], int], wanted: Callable[[], int]) -> None:
        """Give back what nothing uses, and read three times in a lease what the others hold. May wait."""
        if not self._fence.open or (self._clock.monotonic() < self._contact_due and not self._surplus(used, wanted)):
            return
        with self._turn:
            self._drop(self._surplus(used, wanted))
            self._ask(places.settle)

    def freed(self) -> None:
        """Note that places may have become free elsewhere: the next question need not wait."""
        self._ask_again = {False: -inf, True: -inf}
        self._contact_due = -inf

    def reset(self) -> None:
        """Forget the places: for the id of before they count until its lease has ended, and a heartbeat longer."""
        self._held.clear()
        self._holds_last = False
        self._resets += 1
        self.freed()

    def _limit(self, *, handover: bool) -> int:
        return self._budget if handover or self._last_for_demand else self._budget - 1

    def _held_for(self, *, handover: bool) -> int:
        return len(self._held) - (self._holds_last and not handover and not self._last_for_demand)

    def _surplus(self, used: Callable[[], int], wanted: Callable[[], int]) -> int:
        return max(0, len(self._held) - used() - wanted())

    def _reserve(self, used: Callable[[], int], handover: bool) -> bool:
        with self._turn:
            if self._held_for(handover=handover) >= used():  # one was given up by a channel meanwhile
                return True
            if self._holds_last and len(self._held) >= used():
                self._drop(1)  # the last one is not for demand; without it another place may be free
            new = str(uuid4())
            before = self._resets
            limit = self._limit(handover=handover)
            answer = self._ask(lambda connection, mine, held: places.reserve(connection, mine, held, new, limit=limit))
            if answer is None or not answer.reserved or before != self._resets:
                self._ask_again[handover] = self._clock.monotonic() + self._pause()
                return False
            self._held.append(new)
            self._holds_last = self._taken >= self._budget and (limit == self._budget or self._holds_last)
            return True

    def _drop(self, count: int) -> None:
        """Hold that many places fewer. They are not used again: their rows may be gone after the next transaction."""
        if count:
            del self._held[-count:]
            self._holds_last = False

    def _ask(self, statement: Callable[[Connection, Claimant, list[str]], places.Answer]) -> places.Answer | None:
        """Run a transaction about the places of the client; None if nothing is known of its outcome."""
        mine = Claimant(client=self._client, owner=self._identity.id, heartbeat_ms=self._heartbeat_ms)
        held = list(self._held)
        self._contact_due = self._clock.monotonic() + self._pause()  # should it fail
        try:
            answer = self._storage.run(lambda connection: statement(connection, mine, held))
        except StorageUnavailable as error:
            self._logger.warning("places_not_asked", error=str(error), held=len(held))
            return None
        self._logger.over()
        self._contact_due = self._clock.monotonic() + self._lease / 3
        self._taken = answer.taken
        self._last_for_demand = answer.draining
        if answer.taken < self._budget:
            self._holds_last = False
        self._taken_gauge.set(answer.taken)
        return answer

    def _pause(self) -> float:
        return self._lease / 10 * self._random.uniform(0.5, 1.0)
