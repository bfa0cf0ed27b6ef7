"""An outbox in memory, a receiver that answers as told, and names that come when they like."""

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
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import timeline
from genesys_gateway.storage.tables import conversation, entry
from tests.doubles.genesys import settings
from tests.doubles.runtime import FakeClock, runtime, until

T = TypeVar("T")

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
STORED = Result(outcome=Outcome.STORED)
UNREACHED = Result(outcome=Outcome.UNREACHED, error="no connection")
FAILED = of_post(503)


def record_id(n: int) -> str:
    """The id of the n-th entry."""
    return f"00000000-0000-4000-8000-{n:012}"


class FakeReceiver:
    """Keeps what it is sent; ``answers`` says how it answers, ``hangs`` which records it keeps waiting."""

    def __init__(self) -> None:
        self.posts: list[Record] = []
        self.lookups: list[str] = []
        self.answers: Callable[[str], Result] = lambda _: STORED
        self.found: Callable[[str], Result | None] = lambda _: None
        self.hangs: set[str] = set()
        self.release = Event()
        self.at_once = 0
        self.most_at_once = 0

    def post(self, record: Record) -> Result:
        self.posts.append(record)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        gevent.sleep(0)
        if record["id"] in self.hangs:
            self.release.wait()
        self.at_once -= 1
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
        """How often each record was sent."""
        return Counter(self.ids)


class FakeNames:
    """Names that are known, come late, or never."""

    def __init__(self) -> None:
        self.names: dict[str, str | None] = {}
        self.to_be_asked: set[str] = set()
        self.unknown: set[str] = set()
        self.broken: set[str] = set()
        self.silent: set[str] = set()
        self.calls: list[str] = []
        self.silence = Event()

    def known(self, user_id: str | None, wrapup_code: str | None) -> bool:
        return not {user_id, wrapup_code} & (self.to_be_asked | self.unknown | self.silent)

    def agent(self, user_id: str | None) -> str | None:
        return self._name(user_id)

    def wrapup(self, code: str | None) -> str | None:
        return self._name(code)

    def _name(self, one: str | None) -> str | None:
        if one is None:
            return None
        self.calls.append(one)
        if one in self.silent:
            self.silence.wait()
        if one in self.unknown:
            raise TransientFailure("Genesys is away")
        if one in self.broken:
            raise ZeroDivisionError
        return self.names.get(one)


class FailingStorage(Storage):
    """Storage whose next commits fail, and that can be slow."""

    fails = 0
    slow = staticmethod(lambda: None)
    runs = 0
    #: jobs that its thread has not finished
    under_way = 0

    def run(self, job: Callable[[Any], Any]) -> Any:
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


class House:
    """Delivery with everything around it."""

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
        self.delivery = self.new_delivery()

    def new_delivery(self) -> Delivery:
        return Delivery(
            self.storage,
            self.receiver,
            self.names,
            self.settings,
            runtime(self.real_clock or self.clock, self.crashes, metrics=self.metrics, seed=7),
            owner="this instance",
        )

    def _sql(self, job: Callable[[Connection], T]) -> T:
        """On disk behind delivery's back."""
        return Storage.run(self.storage, job)

    def store(self, *numbers: int, wake: bool = True, **values: Any) -> None:
        """Put entries of these numbers into the outbox, each a moment after the one before."""
        event = {name: values.pop(name) for name in tuple(values) if name in AcwEvent.__slots__}
        rows = []
        for position, n in enumerate(numbers):
            acw = AcwEvent(conversation_id=CONVERSATION, participant_id=f"p-{n}", session_id=f"s-{n}", **event)
            at = (self.real_clock or self.clock).now() - len(numbers) + position
            row = {"id": record_id(n), "conversation_id": CONVERSATION, "source": "live", "content": acw.to_json()}
            rows.append({**row, "stored_at": at, "next_at": at, "state": "pending", **values})
        self._sql(lambda connection: connection.execute(insert(entry), rows).close())
        if wake:
            self.delivery.wake()

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
        """Let that much time pass, and everything that is due then happen."""
        self.clock.advance(seconds)
        self.delivery.wake()
        self.settle()

    def settle(self) -> None:
        """Wait until nothing happens any more but what hangs."""
        quiet, before = 0, self._done_so_far()
        while quiet < 5:
            # The thread of the disk is another one: on a busy machine it may be late, and that is no quiet.
            until(lambda: set(self.delivery._claimed) <= self.receiver.hangs and not self.storage.under_way)
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
        self.names.silence.set()
        self.delivery.stop(5.0)
        self.storage.close()
        assert self.crashes == []
