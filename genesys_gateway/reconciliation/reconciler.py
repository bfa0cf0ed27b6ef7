"""Runs the loop that asks Genesys what the sockets may have missed, and closes conversations that are over.

Invariant: an event that is found is stored like a live one, under the same id. The answer that proves a conversation
over is also its last reconciliation: the events it names are stored in the transaction that closes the conversation,
and an answer that can't name all of them closes nothing.
"""

import math
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import gevent
from gevent.event import Event

from genesys_gateway.genesys.client import Throttled
from genesys_gateway.genesys.load import Load
from genesys_gateway.reconciliation.availability import Pace, Resting, View
from genesys_gateway.reconciliation.consequences import Consequences, Pressure, Stored
from genesys_gateway.reconciliation.finding import Finding
from genesys_gateway.reconciliation.inquiry import Inquiry
from genesys_gateway.reconciliation.last_look import LastLook
from genesys_gateway.reconciliation.plan import (
    LIVE,
    Calls,
    GroupSizes,
    Plan,
    Question,
    Undecided,
    is_fresh,
    left_to_live_view,
    make_plan,
)
from genesys_gateway.reconciliation.schedule import first_question, furthest
from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.clock import SteadyTime
from genesys_gateway.runtime.errors import GatewayError, NoReply, StorageUnavailable, TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SOME, SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.statements import conversations, intake, reconciliation
from genesys_gateway.storage.statements.reconciliation import Due, NextDates

log = get_logger(__name__)

#: Maximum number of due conversations in one round.
_ROUND = 500
#: Number of questions of a round that are under way at the same time: one by one, slow answers would allow too few.
_CONCURRENT_QUESTIONS = 4
#: Share of the rate limiter's calls that live questions may use; the bulk questions need the rest.
_LIVE_SHARE = 0.55
#: Seconds after which a round looks for what has become due while others wait for a view that rests, or for others.
_RESTING_ROUND = 1.0
#: How long a conversation waits for others with which it is asked about, as a share of the time that analytics take to
#: settle; 5 s by default.
_PATIENCE = 1 / 60
#: Share of the limit up to which new conversations are asked about early while calls are scarce, although that proves
#: nothing.
_SPARE = 0.6
#: Share of the limit up to which last looks are taken while calls are scarce.
_LAST_LOOKS = 0.75
#: Longest time between two rounds as a share of the lease: another instance may have set a date meanwhile, because it
#: was told of one of our conversations.
_LEASE_SHARE = 1 / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What there is to ask about, read in one transaction."""

    due: Sequence[Due]
    doubtful: Sequence[Due]
    dates: NextDates


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationListener:
    """The callbacks of the reconciliation, each called after the commit; they must not wait."""

    #: new entries are stored
    stored: Callable[[], None]
    #: the topic of this conversation is no longer needed: it is closed, or its topic is given back
    unfollow: Callable[[str], None]
    #: the topic of this conversation is needed again
    follow: Callable[[str], None]
    #: these agents are talking to customers, or at their after-call work
    agents_seen: Callable[[Collection[str]], None]


class Reconciliation:
    """The loop, and what it remembers between rounds: conversations to ask about live, and sizes of bulk questions.

    Args:
        identity: This instance; it asks about the conversations that it owns.
        load: Whether calls are scarce.
        topics_scarce: Whether few topics are left on all channels.
        listener: The callbacks.
    """

    def __init__(
        self,
        storage: Storage,
        inquiry: Inquiry,
        settings: Settings,
        runtime: Runtime,
        *,
        identity: Identity,
        load: Load,
        topics_scarce: Callable[[], bool],
        listener: ReconciliationListener,
    ) -> None:
        self._storage = storage
        self._inquiry = inquiry
        self._settings = settings
        self._clock = clock = runtime.clock
        self._logger = SampledLog(log, clock, most={"unresolved": SOME})
        self._metrics = runtime.metrics
        self._identity = identity
        self._load = load
        self._topics_scarce = topics_scarce
        self._listener = listener
        self._woken = Event()
        self._failures = 0
        self._settle_ms = round(settings.analytics_settle_seconds * 1000)
        self._undecided: dict[str, Undecided] = {}
        #: the first date that was set by the answers of this round (epoch milliseconds)
        self._first_date = math.inf
        self._sizes = GroupSizes()
        self._steady = SteadyTime(clock, settings.follow_deadline_seconds / 4)
        self._consequences = Consequences(storage, settings, clock, self._steady, self._pressure)
        put = self._consequences.put
        self._last_look = LastLook(storage, inquiry, settings, clock, self._sizes, put=put, count=self._count)
        self._pace = Pace(_LIVE_SHARE * settings.api_rate_per_minute / 60, clock)
        self._tasks = TaskGroup("reconciliation", runtime.on_crash)

    def start(self) -> None:
        """Start asking."""
        self._tasks.spawn("rounds", self._run)

    def stop(self, seconds: float) -> list[str]:
        """Stop asking. A question under way may take up to ``seconds``.

        Returns:
            The names of greenlets that were late.
        """
        self._woken.set()
        return self._tasks.stop(seconds)

    def wake(self) -> None:
        """Have the loop look for due conversations now. Does not wait."""
        self._woken.set()

    def first_question(self, conversations: int) -> float:
        """Seconds from the first cover to the first question about so many conversations that are covered together.

        If a gap came before their cover, they are asked about at once instead.
        """
        live = self._load.plenty and conversations <= LIVE
        spare = not self._load.busy or self._load.used() < _SPARE
        return first_question(self._settings.analytics_settle_seconds, live=live, spare=spare)

    def _run(self) -> None:
        shortest = 60 / self._settings.api_rate_per_minute
        while not self._tasks.stopping:
            self._woken.clear()
            pause = shortest
            try:
                seconds = self._round()
                self._failures = 0
            except (TransientFailure, StorageUnavailable) as error:
                self._failures += 1
                seconds = error.retry_after or self._back_off(self._failures)
                # A wait that was demanded is kept. Any other can be cut short, because a gap may end meanwhile.
                pause = error.retry_after or min(seconds, max(shortest, self._settings.retry_base_seconds))
                self._logger.warning("reconciliation_delayed", error=str(error), wait_seconds=round(seconds, 3))
            if not self._tasks.wait(pause) and not self._tasks.stopping:
                self._woken.wait(max(0.0, seconds - pause))

    def _back_off(self, failures: int) -> float:
        return ceiling(self._settings.retry_base_seconds, self._settings.retry_max_seconds, failures)

    def _round(self) -> float:
        """Ask about all conversations that are due; return the seconds until the next round."""
        self._steady.now()  # read it in every round: only then does it detect a jump of the clock
        self._first_date = math.inf
        calls = self._calls()
        read = self._read(calls)
        plan = make_plan(
            due=read.due,
            doubtful=read.doubtful,
            undecided=self._undecided.values(),
            live=self._pace.allowance() if self._is_open(View.LIVE) else None,
            bulk=self._is_open(View.ANALYTICS),
            sizes=self._sizes,
            calls=calls,
            now=self._clock.now(),
            patience_ms=round(self._settle_ms * _PATIENCE),
        )
        self._ask_all(plan.questions)
        return self._seconds_after(plan, read)

    def _seconds_after(self, plan: Plan, read: _Read) -> float:
        """Seconds until the next round."""
        may_look = not self._load.busy or self._load.used() < _LAST_LOOKS
        looks = may_look and not plan.questions and self._last_look.is_due(read.dates)
        if len(read.due) == _ROUND or (looks and self._last_look.look()):
            return 0.0
        if plan.more:
            opens_in = self._inquiry.availability.opens_in(View.LIVE)
            return min(_RESTING_ROUND, max(self._pace.seconds_until_next(), opens_in))
        if plan.waits_ms is not None:
            return min(_RESTING_ROUND, plan.waits_ms / 1000)
        return self._until_next(read.dates) if may_look else max(_RESTING_ROUND, self._until_next(read.dates))

    def _calls(self) -> Calls:
        if self._load.busy:
            return Calls.SCARCE
        return Calls.PLENTY if self._load.plenty else Calls.FEW

    def _pressure(self) -> Pressure:
        return Pressure(calls=self._calls(), topics=self._topics_scarce())

    def _is_open(self, view: View) -> bool:
        return self._inquiry.availability.is_open(view)

    def _ask(self, question: Question) -> None:
        """Ask one question, and store what follows from its answer.

        Raises:
            Throttled: All calls have to wait.
        """
        try:
            if question.live:
                self._ask_live(question.about[0])
            else:
                self._ask_in_bulk(question.about)
        except Resting:  # since an earlier question of this round; what is due stays due
            self._first_date = 0

    def _ask_live(self, one: Due) -> None:
        asked_at = self._clock.now()
        self._pace.spend()
        try:
            finding = self._inquiry.live(one)
        except (Resting, Throttled):
            raise
        except TransientFailure as error:
            self._undecided.pop(one.id, None)
            self._first_date = min(self._first_date, self._consequences.postpone(one, asked_at))
            self._logger.warning("question_failed", conversation=one.id, conversations=1, error=str(error))
        else:
            self._undecided.pop(one.id, None)
            reach("asked")
            self._report(one, finding, self._consequences.store(one, finding))

    def _read(self, calls: Calls) -> _Read:
        """Read what there is to ask about.

        When calls are few, only those in doubt that had a gap are asked about live.
        """
        now, owner, settings = self._clock.now(), self._identity.id, self._settings
        beyond = furthest(
            now,
            quiet_seconds=settings.quiet_seconds,
            reconcile_seconds=settings.reconcile_seconds,
            settle_seconds=settings.analytics_settle_seconds,
        )
        most = {Calls.SCARCE: 0, Calls.FEW: _ROUND, Calls.PLENTY: LIVE}[calls]

        def job(connection: Connection) -> _Read:
            return _Read(
                due=reconciliation.due(connection, owner=owner, now=now, furthest=beyond, limit=_ROUND),
                doubtful=reconciliation.doubtful(connection, owner=owner, now=now, limit=most) if most else [],
                dates=reconciliation.next_dates(connection, owner, now),
            )

        read = self._storage.run(job)
        if calls is Calls.PLENTY:
            return read
        follow_ms = round(settings.follow_deadline_seconds * 1000)
        return replace(read, doubtful=[one for one in read.doubtful if not is_fresh(one, follow_ms)])

    def _until_next(self, dates: NextDates) -> float:
        longest = min(self._settings.reconcile_seconds, self._settings.lease_seconds * _LEASE_SHARE)
        first = self._first_date if dates.first is None else min(dates.first, self._first_date)
        return min(max(0.0, (first - self._clock.now()) / 1000), longest)

    def _ask_in_bulk(self, some: Sequence[Due]) -> None:
        """Ask in bulk. If that fails, all stay due: the next round asks about them in smaller groups, or live."""
        ids = [one.id for one in some]
        try:
            findings = self._inquiry.bulk(some)
        except (Resting, Throttled):
            raise
        except TransientFailure as error:
            self._logger.warning("question_failed", conversation=ids[0], conversations=len(ids), error=str(error))
            down = self._inquiry.availability.is_down(View.ANALYTICS)
            self._sizes.failed(ids, down=down, timed_out=isinstance(error, NoReply))
            self._first_date = 0
            return
        self._sizes.answered(ids)
        reach("asked")
        for one, stored in self._consequences.store_all({one: findings[one.id] for one in some}):
            self._report(one, findings[one.id], stored)
            # About what was closed or released the live view is not asked before the proof.
            done = stored.ended_as is not None or stored.released
            left = None if done else left_to_live_view(one, findings[one.id], self._settle_ms)
            if left is None:
                self._undecided.pop(one.id, None)
            else:
                self._undecided[one.id] = left

    def _ask_all(self, questions: Sequence[Question]) -> None:
        """Ask some at a time. After an error no other question is begun, and it is raised.

        Nor is another one begun once the loop is to stop: what is due stays due.
        """
        if len(questions) == 1:
            self._ask(questions[0])
            return
        left, errors = deque(questions), list[GatewayError]()

        def ask_some() -> None:
            while left and not (errors or self._tasks.stopping):
                try:
                    self._ask(left.popleft())
                except (TransientFailure, StorageUnavailable) as error:
                    errors.append(error)

        askers = range(min(_CONCURRENT_QUESTIONS, len(questions)))
        gevent.joinall([self._tasks.spawn(f"asker-{number}", ask_some) for number in askers])
        if errors:
            raise errors[0]

    def _report(self, one: Due, finding: Finding, stored: Stored) -> None:
        """Tell the others what was stored."""
        self._count(stored.events)
        if stored.due_at is not None:
            self._first_date = min(self._first_date, stored.due_at)
        if stored.ended_as == conversations.UNRESOLVED:
            self._metrics.conversations_unresolved.inc()
            self._logger.error("unresolved", conversation=one.id)
        if stored.ended_as is not None:
            reach("closed")
            self._listener.unfollow(one.id)
        elif stored.released:
            self._metrics.topics_released.inc()
            self._listener.unfollow(one.id)
        elif stored.taken_up:
            self._listener.follow(one.id)
        if finding.agents:
            self._listener.agents_seen(finding.agents)

    def _count(self, events: int) -> None:
        if events:
            self._metrics.events_received.labels(source=intake.BACKFILL).inc(events)
            self._metrics.reconcile_recovered_events.inc(events)
            self._listener.stored()
