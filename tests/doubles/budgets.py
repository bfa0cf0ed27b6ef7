"""Budgets of several instances on one database in memory, and the channels that each has connected."""

from typing import Any

from sqlalchemy import func, select

from genesys_gateway.channels.shared_budget import SharedBudget
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.storage.fence import Fence
from genesys_gateway.storage.tables import channel_place, instance
from tests.doubles.channels import quick
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.storage_in_memory import StorageInMemory

LEASE = 20.0


class Member:
    """One instance: its budget, and the number of its channels that are connected.

    Args:
        number: Makes its id.
        changes: Settings.
    """

    def __init__(self, storage: StorageInMemory, clock: FakeClock, number: int, **changes: Any) -> None:
        self._storage = storage
        self._clock = clock
        self.identity = Identity(f"00000000-0000-4000-8000-{number:012d}")
        self.fence = Fence(clock, LEASE)
        self.connected = 0
        self.wanted = 0
        settings = quick(**{"lease_seconds": LEASE, "heartbeat_seconds": 40.0, "channel_budget": 4, **changes})
        self.budget = SharedBudget(
            storage, self.fence, settings, runtime(clock, []), identity=self.identity, client="client"
        )
        self.enter()

    def enter(self) -> None:
        """Register under the id of now, as the lease does."""
        now = self._clock.now()
        row = {"id": self.identity.id, "epoch": 1, "started_at": now, "lease_until": now + round(LEASE * 1000)}
        self._storage.uncounted(lambda c: c.execute(instance.insert().values(**row, client="client")).close())
        self.fence.renewed(self._clock.monotonic())

    def renew(self) -> None:
        """Renew the lease."""
        self.set(lease_until=self._clock.now() + round(LEASE * 1000))
        self.fence.renewed(self._clock.monotonic())

    def set(self, **values: Any) -> None:
        """Set columns of its row."""
        mine = instance.c.id == self.identity.id
        self._storage.uncounted(lambda c: c.execute(instance.update().where(mine).values(values)).close())

    def connect(self, count: int = 1, *, handover: bool = False) -> int:
        """Ask for so many places, one after the other, and connect a channel in each; returns their number."""
        for done in range(count):
            if not self.budget.take(lambda: self.connected + 1, handover=handover):
                return done
            self.connected += 1
        return count

    def settle(self) -> None:
        """Let the budget give back what is not used, and read what the others hold."""
        self.budget.settle(lambda: self.connected, lambda: self.wanted)

    def jobs(self) -> int:
        """Number of transactions of all instances so far."""
        return self._storage.jobs

    def forget_rows(self) -> None:
        """Delete its places in the database."""
        mine = channel_place.c.owner == self.identity.id
        self._storage.uncounted(lambda c: c.execute(channel_place.delete().where(mine)).close())

    def rows(self) -> int:
        """Number of its places in the database."""
        query = select(func.count()).where(channel_place.c.owner == self.identity.id)
        return self._storage.uncounted(lambda c: c.execute(query).scalar_one())
