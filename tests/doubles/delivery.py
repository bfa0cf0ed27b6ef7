"""Delivery with doubles around it: an outbox in memory, a receiver with scripted answers, and fake names."""

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.event import Event
from sqlalchemy import Connection, Row, insert, select, update

from genesys_gateway.delivery.dispatcher import Delivery
from genesys_gateway.delivery.outcome import Outcome, Result, of_post
from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.record import Record
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable, TransientFailure
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import timeline
from genesys_gateway.storage.tables import conversation, entry
from tests.doubles.genesys import settings
from tests.doubles.runtime import FakeClock, runtime, until

T = TypeVar("T")

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
CUSTOMER = "11111111-2222-4333-8444-555555555555"
#: The default of GATEWAY_RETRY_MAX_SECONDS.
LONGEST_BACK_OFF = 300
STORED = Result(outcome=Outcome.STORED)
UNREACHED = Result(outcome=Outcome.UNREACHED, error="no connection")
FAILED = of_post(503)


def record_id(n: int) -> str:
    """The id of the n-th entry."""
    return f"00000000-0000-4000-8000-{n:012}"


def record_ids(*numbers: int) -> list[str]:
    """The ids of the entries of these numbers."""
    return [record_id(n) for n in numbers]


class FakeReceiver:
    """A CommunicationHistory that records each call and answers as a test sets it."""

    def __init__(self) -> None:
        self.posts: list[Record] = []
        self.lookups: list[str] = []
        #: result of a post by record id
        self.answers: Callable[[str], Result] = lambda _: STORED
        #: result of a lookup by record id
        self.found: Callable[[str], Result | None] = lambda _: None
        #: ids of records whose post is answered only after ``release``
        self.hangs: set[str] = set()
        self.release = Event()
        self.in_flight = 0
        self.most_in_flight = 0

    def post(self, record: Record) -> Result:
        self.posts.append(record)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        gevent.sleep(0)
        if record["id"] in self.hangs:
            self.release.wait()
        self.in_flight -= 1
        return self.answers(record["id"])

    def lookup(self, record_id: str) -> Result | None:
        self.lookups.append(record_id)
        gevent.sleep(0)
        return self.found(record_id)

    @property
    def ids(self) -> list[str]:
        return [record["id"] for record in self.posts]

    @property
    def times(self) -> Counter[str]:
        """How many times each record was sent."""
        return Counter(self.ids)


class FakeNames:
    """Names by id. Each is cached, unless its id is in one of the sets."""

    def __init__(self) -> None:
        self.names: dict[str, str | None] = {}
        #: found only by a call
        self.uncached: set[str] = set()
        #: a call fails, as while Genesys is down
        self.unavailable: set[str] = set()
        #: a call raises an error that nobody expects
        self.broken: set[str] = set()
        #: a call is answered only after ``answer_silent``
        self.silent: set[str] = set()
        self.answer_silent = Event()
        self.calls: list[str] = []

    def known(self, user_id: str | None, wrapup_code: str | None) -> bool:
        return not {user_id, wrapup_code} & (self.uncached | self.unavailable | self.silent)

    def agent(self, user_id: str | None) -> str | None:
        return self._name(user_id)

    def wrapup(self, code: str | None) -> str | None:
        return self._name(code)

    def _name(self, one: str | None) -> str | None:
        if one is None:
            return None
        self.calls.append(one)
        if one in self.silent:
            self.answer_silent.wait()
        if one in self.unavailable:
            raise TransientFailure("Genesys is away")
        if one in self.broken:
            raise ZeroDivisionError
        return self.names.get(one)


class FailingStorage(Storage):
    """Storage whose next jobs can be made to fail or to be slow."""

    #: number of jobs to come that fail
    fails = 0
    #: called after each job
    slow = staticmethod(lambda: None)
    #: number of jobs so far
    runs = 0
    #: number of jobs that its thread has not finished
    under_way = 0

    def run(self, job: Callable[[Any], Any], *, for_request: bool = False) -> Any:
        self.runs += 1
        if self.fails:
            self.fails -= 1
            raise StorageUnavailable("the disk is away", retry_after=0.0)
        self.under_way += 1
        try:
            result = super().run(job)
        finally:
            self.under_way -= 1
        self.slow()
        return result


class DeliveryWithDoubles:
    """Delivery on a database in memory, with a fake receiver, fake names, and a clock that a test moves.

    Args:
        clock: A real clock instead of the fake one.
        changes: Settings that differ from the defaults.
    """

    def __init__(self, clock: Clock | None = None, **changes: Any) -> None:
        self.clock = FakeClock()
        self.real_clock = clock
        self.storage = FailingStorage("sqlite://", clock or self.clock)
        self.storage.open()
        self.receiver = FakeReceiver()
        self.names = FakeNames()
        self.metrics = Metrics()
        self.crashes: list[str] = []
        self.settings = settings(**changes)
        self.new_process()

    def new_process(self) -> None:
        """Replace the delivery by a new one on the same database, as after a restart; it is not started."""
        self.tested = Delivery(
            self.storage,
            self.receiver,
            self.names,
            self.settings,
            runtime(self.real_clock or self.clock, self.crashes, metrics=self.metrics, seed=7),
            identity=Identity("this instance"),
        )
        self.start, self.wake, self.stop = self.tested.start, self.tested.wake, self.tested.stop
        self.breaker = self.tested.breaker

    @property
    def held(self) -> set[str]:
        """Ids of the entries in memory that are not claimed."""
        return self.tested._held

    def _sql(self, job: Callable[[Connection], T]) -> T:
        """Run a job that neither fails nor counts as one of delivery's own."""
        return Storage.run(self.storage, job)

    def store(self, *numbers: int, wake: bool = True, **values: Any) -> None:
        """Put entries of these numbers into the outbox, each 1 ms after the one before.

        Args:
            numbers: Of the entries; see :func:`record_id`.
            wake: Whether delivery is woken.
            values: Fields of the event, and columns of the entry.
        """
        event = {name: values.pop(name) for name in tuple(values) if name in AcwEvent.__slots__}
        rows = []
        for position, n in enumerate(numbers):
            acw = AcwEvent(conversation_id=CONVERSATION, participant_id=f"p-{n}", session_id=f"s-{n}", **event)
            at = (self.real_clock or self.clock).now() - len(numbers) + position
            row = {"id": record_id(n), "conversation_id": CONVERSATION, "source": "live", "content": acw.to_json()}
            rows.append({**row, "stored_at": at, "next_at": at, "state": "pending", **values})
        self._sql(lambda connection: connection.execute(insert(entry), rows).close())
        if wake:
            self.wake()

    def register(self, customer_id: str) -> None:
        row = {"id": CONVERSATION, "customer_id": customer_id, "state": "pending", "created_at": 0, "deadline_at": 0}
        self._sql(lambda connection: connection.execute(insert(conversation).values(row)).close())

    def change(self, n: int, **values: Any) -> None:
        statement = update(entry).where(entry.c.id == record_id(n)).values(values)
        self._sql(lambda connection: connection.execute(statement).close())

    def row(self, n: int) -> Row[*tuple[Any, ...]]:
        query = select(entry).where(entry.c.id == record_id(n))
        return self._sql(lambda connection: connection.execute(query).one())

    def states(self) -> Counter[str]:
        query = select(entry.c.state)
        return Counter(self._sql(lambda connection: connection.execute(query).scalars().all()))

    def timeline(self) -> list[str]:
        return [item.event for item in self._sql(lambda connection: timeline.of(connection, CONVERSATION))]

    def pass_time(self, seconds: float) -> None:
        """Advance the clock, and wait until all that is due then has happened."""
        self.clock.advance(seconds)
        self.wake()
        self.settle()

    def settle(self) -> None:
        """Wait until delivery is idle, apart from records that hang."""
        quiet, before = 0, self._done_so_far()
        while quiet < 5:
            # The database has a thread of its own. On a busy machine it may be late; delivery is not idle then.
            until(lambda: set(self.tested._claimed) <= self.receiver.hangs and not self.storage.under_way)
            gevent.sleep(0.002)
            now = self._done_so_far()
            quiet, before = (quiet + 1 if now == before else 0), now

    def _done_so_far(self) -> tuple[int, ...]:
        return self.storage.runs, len(self.receiver.posts), len(self.receiver.lookups), len(self.names.calls)

    def outcomes(self) -> dict[str, float]:
        return {
            sample.labels["outcome"]: sample.value
            for metric in self.metrics.deliveries.collect()
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.value
        }

    def ambiguous(self) -> float:
        value = self.metrics.registry.get_sample_value("genesys_gateway_deliveries_ambiguous_total")
        return value or 0.0

    def close(self) -> None:
        self.receiver.release.set()
        self.names.answer_silent.set()
        self.stop(5.0)
        self.storage.close()
        assert self.crashes == []
