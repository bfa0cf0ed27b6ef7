"""Runs the loop that asks Genesys what the sockets may have missed, and closes conversations that are over.

Invariant: an event that is found is stored like a live one, under the same id. The answer that proves a conversation
over is also its last reconciliation: the events it names are stored in the transaction that closes the conversation,
and an answer that can't name all of them closes nothing.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import gevent
from gevent.event import Event

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys.client import Throttled
from genesys_gateway.reconciliation.availability import Pace, Resting, View
from genesys_gateway.reconciliation.finding import Finding
from genesys_gateway.reconciliation.inquiry import Inquiry
from genesys_gateway.reconciliation.last_look import LastLook
from genesys_gateway.reconciliation.plan import (
    LIVE,
    GroupSizes,
    Question,
    make_plan,
    needs_live_answer,
    not_after_proof,
)
from genesys_gateway.reconciliation.schedule import (
    UNANSWERED_QUESTIONS,
    Unanswered,
    furthest,
    longest_unanswered,
    next_question,
    one_more,
    unknown_for_long,
)
from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.clock import HOUR_SECONDS, SteadyTime, furthest_date
from genesys_gateway.runtime.errors import NoReply, StorageUnavailable, TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.statements import conversations, intake, reconciliation, timeline
from genesys_gateway.storage.statements.intake import IntakeResult
from genesys_gateway.storage.statements.reconciliation import Due

log = get_logger(__name__)

#: Maximum number of due conversations in one round.
_ROUND = 500
#: Number of findings of one bulk answer that are stored concurrently.
_CONCURRENT_FINDINGS = 16
#: Share of the rate limiter's calls that live questions may use; the bulk questions need the rest.
_LIVE_SHARE = 0.55
#: Seconds after which a round looks for what has become due while others wait for a view that rests.
_RESTING_ROUND = 1.0


class Reconciliation:
    """The loop, and what it remembers between rounds: conversations to ask about live, and sizes of bulk questions.

    Args:
        stored: Called after new entries were committed; must not wait.
        closed: Called with each conversation that was closed, after the commit; must not wait.
    """

    def __init__(
        self,
        storage: Storage,
        inquiry: Inquiry,
        settings: Settings,
        runtime: Runtime,
        *,
        stored: Callable[[], None],
        closed: Callable[[str], None],
    ) -> None:
        self._storage = storage
        self._inquiry = inquiry
        self._settings = settings
        self._clock = clock = runtime.clock
        self._metrics = runtime.metrics
        self._stored = stored
        self._closed = closed
        self._woken = Event()
        self._failures = 0
        self._settle_ms = round(settings.analytics_settle_seconds * 1000)
        self._undecided: dict[str, Due] = {}  # conversations that a live answer may decide
        self._sizes = GroupSizes()
        self._last_look = LastLook(storage, inquiry, settings, clock, self._sizes, put=self._put, count=self._count)
        self._pace = Pace(_LIVE_SHARE * settings.api_rate_per_minute / 60, clock)
        self._steady = SteadyTime(clock, settings.follow_deadline_seconds / 4)
        self._tasks = TaskGroup("reconciliation", runtime.on_crash)

    def start(self) -> None:
        """Start asking."""
        self._tasks.spawn("asker", self._run)

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
                log.warning("reconciliation_delayed", error=str(error), wait_seconds=round(seconds, 3))
            if not self._tasks.wait(pause) and not self._tasks.stopping:
                self._woken.wait(max(0.0, seconds - pause))

    def _back_off(self, failures: int) -> float:
        return ceiling(self._settings.retry_base_seconds, self._settings.retry_max_seconds, failures)

    def _round(self) -> float:
        """Ask about all conversations that are due; return the seconds until the next round."""
        self._steady.now()  # read it in every round: only then does it detect a jump of the clock
        due, doubtful = self._due(), self._doubtful()
        plan = make_plan(
            due=due,
            doubtful=doubtful,
            undecided=self._undecided.values(),
            live=self._pace.allowance() if self._is_open(View.LIVE) else 0,
            bulk=self._is_open(View.ANALYTICS),
            sizes=self._sizes,
        )
        for question in plan.questions:
            self._ask(question)
        if plan.more:
            opens_in = self._inquiry.availability.opens_in(View.LIVE)
            return min(_RESTING_ROUND, max(self._pace.seconds_until_next(), opens_in))
        if len(due) == _ROUND or (not due and self._last_look.look()):
            return 0.0
        return self._until_next()

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
            return

    def _ask_live(self, one: Due) -> None:
        asked_at = self._clock.now()
        self._pace.spend()
        try:
            finding = self._inquiry.live(one)
        except (Resting, Throttled):
            raise
        except TransientFailure as error:
            self._undecided.pop(one.id, None)
            self._postpone(one, error, asked_at)
        else:
            self._undecided.pop(one.id, None)
            self._apply(one, finding)

    def _postpone(self, one: Due, error: TransientFailure, asked_at: int) -> None:
        """Postpone a question that Genesys itself could not answer, so that the next one is about another."""
        now = self._clock.now()
        due_at = self._next_question(one, now, in_doubt=one.in_doubt)
        self._storage.run(lambda c: reconciliation.postpone(c, one, now=now, due_at=due_at, looked_at=asked_at))
        log.warning("question_failed", conversation=one.id, conversations=1, error=str(error))

    def _due(self) -> list[Due]:
        now = self._clock.now()
        beyond = furthest(
            now,
            quiet_seconds=self._settings.quiet_seconds,
            reconcile_seconds=self._settings.reconcile_seconds,
            settle_seconds=self._settings.analytics_settle_seconds,
        )
        return self._storage.run(
            lambda connection: reconciliation.due(connection, now=now, furthest=beyond, limit=_ROUND)
        )

    def _doubtful(self) -> list[Due]:
        now = self._clock.now()
        return self._storage.run(lambda connection: reconciliation.doubtful(connection, now=now, limit=LIVE))

    def _until_next(self) -> float:
        next_at = self._storage.run(reconciliation.next_due)
        longest = self._settings.reconcile_seconds
        return longest if next_at is None else min(max(0.0, (next_at - self._clock.now()) / 1000), longest)

    def _ask_in_bulk(self, some: Sequence[Due]) -> None:
        """Ask in bulk. If that fails, all stay due: the next round asks about them in smaller groups, or live."""
        ids = [one.id for one in some]
        try:
            findings = self._inquiry.bulk(some)
        except (Resting, Throttled):
            raise
        except TransientFailure as error:
            log.warning("question_failed", conversation=ids[0], conversations=len(ids), error=str(error))
            down = self._inquiry.availability.is_down(View.ANALYTICS)
            self._sizes.failed(ids, down=down, timed_out=isinstance(error, NoReply))
            return
        self._sizes.answered(ids)
        closed = self._apply_all(some, findings)
        for one in some:
            if one.id not in closed and needs_live_answer(one, findings[one.id], self._settle_ms):
                self._undecided[one.id] = one

    def _apply_all(self, some: Sequence[Due], findings: Mapping[str, Finding]) -> set[str]:
        """Store findings concurrently, so that they share commits: one by one, 50 take longer than their question.

        Returns:
            The conversations that were closed.
        """
        left, closed, errors = deque(some), set(), list[StorageUnavailable]()

        def apply_some() -> None:
            while left and not errors:
                one = left.popleft()
                try:
                    if self._apply(one, findings[one.id]):
                        closed.add(one.id)
                except StorageUnavailable as error:
                    errors.append(error)

        gevent.joinall([self._tasks.spawn(f"learner-{n}", apply_some) for n in range(_CONCURRENT_FINDINGS)])
        if errors:
            raise errors[0]
        return closed

    def _apply(self, one: Due, finding: Finding) -> bool:
        """Store what was found and what follows from it, in one transaction. True if that closed the conversation."""
        reach("asked")
        stored, ended_as = self._storage.run(lambda connection: self._write(connection, one, finding))
        self._count(one.id, stored)
        if ended_as == conversations.UNRESOLVED:
            self._metrics.conversations_unresolved.inc()
            log.error("unresolved", conversation=one.id)
        if ended_as is not None:
            reach("closed")
            self._undecided.pop(one.id, None)
            self._closed(one.id)
        return ended_as is not None

    def _count(self, conversation_id: str, stored: int) -> None:
        if stored:
            self._metrics.events_received.labels(source=intake.BACKFILL).inc(stored)
            self._metrics.reconcile_recovered_events.inc(stored)
            log.info("recovered", conversation=conversation_id, events=stored)
            self._stored()

    def _write(self, connection: Connection, one: Due, finding: Finding) -> tuple[int, str | None]:
        now = self._clock.now()
        # Events named by the answer that proves the end are not newer than it, so they don't move the deadline.
        stored = self._put(connection, one.id, finding.finished, now, moves_deadline=not finding.over)
        unanswered = self._unanswered(one, finding)
        ended_as = self._close(connection, one, finding, now, given_up=self._is_given_up(unanswered))
        if ended_as is None:
            self._ask_again(connection, one, finding, now, unanswered)
        return stored, ended_as

    def _unanswered(self, one: Due, finding: Finding) -> Unanswered | None:
        """The unanswered questions past the deadline, with this one; None if this one was answered."""
        if not finding.unanswered:
            return None
        asked_at = min(finding.asked_at, self._steady.now())
        return one_more(asked_at, deadline_at=one.deadline_at, count=one.unanswered, since=one.unanswered_since)

    def _is_given_up(self, unanswered: Unanswered | None) -> bool:
        seconds = self._settings.follow_deadline_seconds
        return unanswered is not None and unanswered.given_up(self._steady.now(), seconds)

    def _put(
        self,
        connection: Connection,
        conversation_id: str,
        events: Sequence[AcwEvent],
        now: int,
        *,
        moves_deadline: bool = True,
    ) -> int:
        # Each answer names all work ever finished. Most of it is stored already, and a put takes about six statements.
        known = intake.entries_from_genesys(connection, conversation_id) if events else set()
        due_at = now + round(self._settings.quiet_seconds * 1000)
        deadline_at = self._deadline(now) if moves_deadline else None
        results = [
            intake.put(connection, event, intake.BACKFILL, now=now, due_at=due_at, deadline_at=deadline_at)
            for event in events
            if event.record_id not in known
        ]
        return results.count(IntakeResult.STORED)

    def _deadline(self, now: int) -> int:
        return now + round(self._settings.follow_deadline_seconds * 1000)

    def _close(
        self, connection: Connection, one: Due, finding: Finding, now: int, *, given_up: bool = False
    ) -> str | None:
        """Close the conversation if the answer proves it over, or its deadline has passed and the answer allows it.

        Nothing may be newer than the answer; one of analytics counts as old as analytics may be late.

        Args:
            given_up: Whether no answer is waited for any longer, once the deadline has passed.

        Returns:
            The outcome; None if it stays followed.
        """
        may_expire = given_up or (finding.evidence and not finding.goes_on)
        if not finding.over and not may_expire:
            return None
        known_until = finding.known_until
        ended_as = conversations.close(
            connection,
            one.id,
            without_record=conversations.NO_ACW if finding.over else conversations.UNRESOLVED,
            now=now,
            last_look_at=now + round(self._settings.last_look_seconds * 1000),
            latest_deadline=self._deadline(known_until) if finding.over else min(finding.asked_at, self._steady.now()),
            furthest_deadline=furthest_date(self._deadline(now)) if finding.over else None,
            latest_look=finding.asked_at if finding.live else known_until,
        )
        if given_up and not finding.over and ended_as is not None:
            log.error("given_up_unanswered", conversation=one.id, outcome=ended_as)
        return ended_as

    def _next_question(self, one: Due, now: int, *, in_doubt: bool) -> int:
        past_deadline = now >= one.deadline_at
        spread = longest_unanswered(self._settings.follow_deadline_seconds) / UNANSWERED_QUESTIONS
        return next_question(
            now,
            asked=one.asked,
            doubt_since=one.covered_at if in_doubt and one.uncovered_since is None else None,
            reconcile_seconds=self._settings.reconcile_seconds,
            settle_seconds=self._settings.analytics_settle_seconds,
            longest_seconds=spread if past_deadline else HOUR_SECONDS,
        )

    def _ask_again(
        self, connection: Connection, one: Due, finding: Finding, now: int, unanswered: Unanswered | None
    ) -> None:
        unknown_since = None if finding.shown else one.unknown_since
        if finding.unknown:
            unknown_since = one.unknown_since or now
            self._note_unknown(connection, one.id, unknown_since, now)
        in_doubt = one.in_doubt and not finding.clears_doubt
        due_at = self._next_question(one, now, in_doubt=in_doubt)
        reconciliation.ask_again(
            connection,
            one,
            now=now,
            asked_at=finding.asked_at,
            live=finding.live,
            due_at=not_after_proof(due_at, finding, now, self._settle_ms),
            deadline_at=self._deadline(now) if finding.goes_on else one.deadline_at,
            clears_doubt=finding.clears_doubt,
            counted=not in_doubt or one.uncovered_since is not None,
            unknown_since=unknown_since,
            unanswered=None if unanswered is None else (unanswered.count, unanswered.since),
        )

    def _note_unknown(self, connection: Connection, conversation_id: str, since: int, now: int) -> None:
        """Report, once, a conversation that stays unknown; for a moment after its start that is normal."""
        noted = timeline.noted(connection, conversation_id, "unknown_to_genesys", since)
        if not noted and now - since >= unknown_for_long(self._settings.reconcile_seconds) * 1000:
            timeline.note(connection, conversation_id, now, "unknown_to_genesys")
            log.warning("unknown_to_genesys", conversation=conversation_id)
