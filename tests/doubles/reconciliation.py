"""A reconciler that asks an inquiry of our own instead of Genesys."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import gevent

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys.client import Throttled
from genesys_gateway.genesys.load import Load
from genesys_gateway.reconciliation.availability import OF_NO_CONVERSATION, Availability, Resting, View
from genesys_gateway.reconciliation.finding import Finding, LastFinding
from genesys_gateway.reconciliation.inquiry import Inquiry
from genesys_gateway.reconciliation.reconciler import Reconciliation, ReconciliationListener
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings
from genesys_gateway.storage.statements import accounting
from genesys_gateway.storage.statements.reconciliation import Due
from tests.doubles.channels import quick
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.storage_in_memory import OWNER, StorageInMemory

GOES_ON: dict[str, Any] = {"goes_on": True, "evidence": True, "clears_doubt": True, "shown": True}

OVER: dict[str, Any] = {"over": True, "evidence": True, "clears_doubt": True, "shown": True}


def work(one: str, session: str = "s") -> AcwEvent:
    """A finished after-call work of a conversation."""
    return AcwEvent(conversation_id=one, participant_id="p", session_id=session, event_time=1)


class FakeLoad:
    """What a test says about the calls of the last minute."""

    def __init__(self) -> None:
        self.busy = False
        #: share of the limit that is in use
        self.share = 0.0

    def used(self) -> float:
        return self.share

    @property
    def plenty(self) -> bool:
        return not self.busy and self.share < 0.5


class FakeInquiry:
    """Answers by conversation; an error stands for a question that failed."""

    def __init__(self, clock: FakeClock, settings: Settings) -> None:
        self._clock = clock
        self._lag_ms = round(settings.analytics_settle_seconds * 1000)
        self.availability = Availability(settings, clock)
        self.live_answers: dict[str, dict[str, Any] | Exception] = {}
        self.bulk_answers: dict[str, dict[str, Any]] = {}
        self.bulk_errors: dict[str, Exception] = {}
        #: kind and conversations of each question: "live", "bulk", "last" or "last live"
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        #: number of questions that are not answered yet
        self.under_way = 0
        #: the most questions that were under way at one time
        self.most_under_way = 0
        #: what a last look shows, or the error that it fails with
        self.last_look: dict[str, Sequence[AcwEvent]] | Exception = {}
        #: conversations of which the last look shows that something is still to be done
        self.incomplete: set[str] = set()
        #: called with the conversation before a live answer is given
        self.meanwhile: Callable[[str], object] = lambda one: None
        #: called before a last look is answered
        self.meanwhile_last: Callable[[], object] = lambda: None

    def live(self, one: Due) -> Finding:
        asked_at = self._clock.now()
        try:
            with self.availability.asking(View.LIVE):
                self._ask("live", one.id)
                answer = self.live_answers.get(one.id, GOES_ON)
                self.meanwhile(one.id)
                if isinstance(answer, Exception):
                    raise answer
        except (Resting, Throttled, *OF_NO_CONVERSATION):
            raise
        except TransientFailure:
            return Finding(asked_at=asked_at, live=True)
        return Finding(asked_at=asked_at, live=True, **answer)

    def bulk(self, due: Sequence[Due]) -> Mapping[str, Finding]:
        some = [one.id for one in due]
        with self.availability.asking(View.ANALYTICS):
            self._ask("bulk", *some)
            self._fail(some)
        asked_at = self._clock.now()
        answers = {one: self.bulk_answers.get(one, {"shown": True}) for one in some}
        return {one: Finding(asked_at=asked_at, lag_ms=self._lag_ms, **answer) for one, answer in answers.items()}

    def last(self, some: Sequence[str]) -> Mapping[str, LastFinding]:
        with self.availability.asking(View.ANALYTICS):
            self._ask("last", *some)
            self.meanwhile_last()
            self._fail(some)
            if isinstance(self.last_look, Exception):
                raise self.last_look
        return {one: self._last(one, found) for one, found in self.last_look.items() if one in some}

    def last_live(self, one: str) -> LastFinding | None:
        with self.availability.asking(View.LIVE):
            self._ask("last live", one)
        found = {} if isinstance(self.last_look, Exception) else self.last_look
        return self._last(one, found[one]) if one in found else None

    def _last(self, one: str, found: Sequence[AcwEvent]) -> LastFinding:
        return LastFinding(finished=found, complete=one not in self.incomplete)

    def _fail(self, some: Sequence[str]) -> None:
        for one in some:
            if one in self.bulk_errors:
                raise self.bulk_errors[one]

    def _ask(self, kind: str, *some: str) -> None:
        self.asked.append((kind, some))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        gevent.sleep(0)
        self.under_way -= 1

    def about(self, one: str, kind: str) -> int:
        """Number of questions of this kind about a conversation."""
        return sum(1 for what, some in self.asked if what == kind and one in some)

    def count(self, kind: str) -> int:
        """Number of questions of this kind."""
        return sum(1 for what, _ in self.asked if what == kind)


class ReconcilerOnFakeInquiry:
    """A reconciliation on a storage in memory, with a clock that moves only while the reconciliation waits."""

    def __init__(self, **changes: Any) -> None:
        self.clock = FakeClock()
        self.settings = quick(**{"reconcile_seconds": 120.0, "quiet_seconds": 60.0, **changes})
        self.storage = StorageInMemory(self.clock)
        self.inquiry = FakeInquiry(self.clock, self.settings)
        self.metrics = Metrics()
        self.load = FakeLoad()
        self.topics_scarce = False
        #: conversations whose topic is no longer needed, in order
        self.closed: list[str] = []
        #: conversations whose topic is needed again
        self.taken_up: list[str] = []
        self.agents_seen: set[str] = set()
        #: number of calls of ``stored``
        self.stored = 0
        self.crashes: list[str] = []
        self._jobs_before_round = 0
        self.reconciliation = Reconciliation(
            self.storage,
            cast(Inquiry, self.inquiry),
            self.settings,
            runtime(self.clock, self.crashes, metrics=self.metrics),
            identity=Identity(OWNER),
            load=cast(Load, self.load),
            topics_scarce=lambda: self.topics_scarce,
            listener=ReconciliationListener(
                stored=self._count_stored,
                unfollow=self.closed.append,
                follow=self.taken_up.append,
                agents_seen=self.agents_seen.update,
            ),
        )

    def _count_stored(self) -> None:
        self.stored += 1

    def follow(self, *some: str, covered: bool = False, seconds: float = 259_200.0) -> None:
        """Register conversations that are due now and reach their deadline in ``seconds``."""
        self.storage.register(*some, deadline_in=seconds)
        if covered:
            self.storage.cover(*some)

    def start(self) -> None:
        self.reconciliation.start()

    def until(self, condition: Callable[[], object], step: float = 0.001) -> None:
        """Let the reconciler make round after round until the condition holds; ``step`` seconds pass between two.

        The clock stands still during a round, so the number of rounds in a given time is the same on a busy machine.
        """
        with gevent.Timeout(60.0, AssertionError("it did not happen in time")):
            while not condition():
                if self._waits():
                    self.clock.advance(step)
                    self._jobs_before_round = self.storage.jobs
                    self.reconciliation.wake()
                gevent.sleep(0.0005)

    def _waits(self) -> bool:
        """Whether a round was made since the last call of ``wake``, and the reconciler does nothing now."""
        busy = self.storage.under_way or self.inquiry.under_way
        return not busy and self.storage.jobs > self._jobs_before_round

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels) or 0.0

    def end(self) -> None:
        assert self.reconciliation.stop(1.0) == []
        balance = self.storage.uncounted(accounting.balance)
        self.storage.close()
        assert balance.accepted == sum(balance.states.values())
        assert self.crashes == []
