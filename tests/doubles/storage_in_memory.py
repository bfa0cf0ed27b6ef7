"""A storage in memory with short ways to its rows, which refuses jobs on demand."""

from collections.abc import Callable
from typing import Any, TypeVar

import gevent

from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.statements import conversations, coverage, reconciliation
from genesys_gateway.storage.statements.conversations import ConversationView, Newcomer
from genesys_gateway.storage.tables import conversation as conversation_table
from tests.doubles.runtime import FakeClock

T = TypeVar("T")

CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"
ANOTHER_CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d5"
#: The instance under test.
OWNER = "00000000-0000-4000-8000-000000000001"


class StorageInMemory(Storage):
    """An open storage. What a test itself does through the methods below is neither counted nor refused."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__("sqlite://", clock)
        self.open()
        self._time = clock
        self._refused = range(0)
        #: number of jobs that were handed in
        self.jobs = 0
        #: number of jobs that have not returned yet
        self.under_way = 0
        #: the most jobs that were under way at one time
        self.most_under_way = 0
        #: called after each commit, before the caller gets its result; an error that it raises is the caller's
        self.after_commit: Callable[[], object] = lambda: None

    def refuse(self, times: int, *, after: int = 0) -> None:
        """Refuse the next ``times`` jobs, or as many after the next ``after``."""
        first = self.jobs + after
        self._refused = range(first, first + times)

    @property
    def refusals_left(self) -> int:
        return max(0, self._refused.stop - max(self.jobs, self._refused.start))

    def run(self, job: Callable[[Connection], T], *, for_request: bool = False) -> T:
        refused = self.jobs in self._refused
        self.jobs += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if refused:
                gevent.sleep(0)
                raise StorageUnavailable("the disk is full", retry_after=0.001)
            value = super().run(job)
        finally:
            self.under_way -= 1
        self.after_commit()
        return value

    def uncounted(self, job: Callable[[Connection], T]) -> T:
        """Run a job of the test's own."""
        return super().run(job)

    def register(self, *ids: str, owner: str = OWNER, due_in: float = 0.0, deadline_in: float = 259_200.0) -> None:
        """Register conversations that are due, and reach their deadline, in that many seconds."""
        now = self._time.now()
        due_at, deadline_at = now + round(due_in * 1000), now + round(deadline_in * 1000)

        def job(connection: Connection) -> None:
            for one in ids:
                newcomer = Newcomer(id=one, customer_id=CUSTOMER, now=now, due_at=due_at, deadline_at=deadline_at)
                conversations.register(connection, newcomer, owner)

        self.uncounted(job)

    def cover(self, *ids: str, owner: str = OWNER) -> None:
        now = self._time.now()
        self.uncounted(lambda c: coverage.cover(c, ids, channel_id="c", owner=owner, now=now, fresh_due_at=now))

    def release(self, *ids: str, owner: str = OWNER) -> None:
        """Release conversations, which are due for their last proof at once."""
        now = self._time.now()

        def job(connection: Connection) -> None:
            for one in ids:
                reconciliation.release(
                    connection,
                    one,
                    owner=owner,
                    now=now,
                    due_at=now,
                    asked_at=now,
                    known_until=now,
                    ended_at=now,
                    follow_ms=10**12,
                )

        self.uncounted(job)

    def close_conversations(self, *ids: str, at: int = 0) -> None:
        """Close conversations without a record at a moment, for which their last look is due as well."""

        def job(connection: Connection) -> None:
            for one in ids:
                conversations.close(connection, one, without_record=conversations.NO_ACW, now=at, last_look_at=at)

        self.uncounted(job)

    def change_all(self, **values: Any) -> None:
        """Set columns of every conversation."""
        self.uncounted(lambda c: c.execute(conversation_table.update().values(values)).close())

    def change(self, one: str, **values: Any) -> None:
        """Set columns of one conversation."""
        mine = conversation_table.c.id == one
        self.uncounted(lambda c: c.execute(conversation_table.update().where(mine).values(values)).close())

    def view(self, one: str) -> ConversationView:
        view = self.uncounted(lambda c: conversations.view(c, one))
        assert view is not None
        return view

    def row(self, one: str) -> dict[str, Any]:
        query = conversation_table.select().where(conversation_table.c.id == one)
        return self.uncounted(lambda c: c.execute(query).one()._asdict())
