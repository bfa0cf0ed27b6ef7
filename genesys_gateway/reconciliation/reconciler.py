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
from genesys_gateway.reconciliation.inquiry import BULK, LIVE, Finding, Inquiry, Pace
from genesys_gateway.reconciliation.last_look import LastLook
from genesys_gateway.reconciliation.schedule import furthest, next_question, unknown_for_long
from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.clock import SteadyTime, furthest_date
from genesys_gateway.runtime.errors import StorageUnavailable, TransientFailure
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
#: Number of questions in a row without an answer after which the cause is taken to be Genesys, not the conversations.
_FAILURES_IN_A_ROW = 3
#: Share of the rate limiter's calls that live questions may use; the bulk questions need the rest.
_LIVE_SHARE = 0.55


class Reconciliation:
    """The loop, and what it remembers between rounds: conversations to ask about live, failures in a row.

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
        self._failed_in_a_row = 0
        self._decidable: dict[str, Due] = {}  # conversations that a live answer may decide, oldest first
        self._doubtful_first = False
        self._bulk_failures = 0
        self._bulk_again_at = clock.monotonic()
        self._last_look = LastLook(storage, inquiry, settings, clock, put=self._put, count=self._count)
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
        due = self._due()
        many = len(due) > self._pace.allowance()
        if many:
            self._ask_many(due)
        else:
            self._ask_live(due)
        now = self._clock.now()
        doubtful = self._storage.run(lambda connection: reconciliation.doubtful(connection, now=now, limit=LIVE))
        # In turns, so that neither list waits for the end of the other.
        self._doubtful_first = not self._doubtful_first
        decidable = list(self._decidable.values())
        for some in (doubtful, decidable) if self._doubtful_first else (decidable, doubtful):
            self._ask_live(some)
        paused = many and self._bulk_is_paused()
        if paused:
            self._ask_live(self._due())  # a few at a time, because analytics may be down for hours
        if doubtful or self._decidable or paused:
            return self._pace.seconds_until_next()
        if len(due) == _ROUND or (not due and self._last_look.look()):
            return 0.0
        return self._until_next()

    def _ask_live(self, some: Sequence[Due]) -> None:
        for one in some[: self._pace.allowance()]:
            self._pace.spend()
            self._decidable.pop(one.id, None)
            asked_at = self._clock.now()
            try:
                finding = self._inquiry.live(one.id)
            except TransientFailure as error:
                self._postpone([one], error, looked_at=asked_at)
            else:
                self._failed_in_a_row = 0
                self._apply(one, finding)

    def _postpone(self, some: Sequence[Due], error: TransientFailure, looked_at: int | None = None) -> None:
        """Postpone conversations whose question failed, so that the others go on.

        Raises:
            TransientFailure: Genesys itself seems to be in trouble, or demands a wait: the loop has to pause.
        """
        now = self._clock.now()

        def job(connection: Connection) -> None:
            for one in some:
                due_at = self._next_question(one, now, in_doubt=one.in_doubt)
                reconciliation.postpone(connection, one, now=now, due_at=due_at, looked_at=looked_at)

        self._storage.run(job)
        self._failed_in_a_row += 1
        log.warning("question_failed", conversation=some[0].id, conversations=len(some), error=str(error))
        if self._failed_in_a_row >= _FAILURES_IN_A_ROW or error.retry_after is not None:
            self._failed_in_a_row = 0
            raise error

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

    def _until_next(self) -> float:
        next_at = self._storage.run(reconciliation.next_due)
        longest = self._settings.reconcile_seconds
        return longest if next_at is None else min(max(0.0, (next_at - self._clock.now()) / 1000), longest)

    def _bulk_is_paused(self) -> bool:
        return self._clock.monotonic() < self._bulk_again_at

    def _ask_many(self, due: Sequence[Due]) -> None:
        """Ask in bulk, unless analytics have just failed. Their failure must not stop the live questions."""
        if self._bulk_is_paused():
            return
        try:
            self._ask_in_bulk(due)
        except TransientFailure as error:
            if error.retry_after is not None:
                raise
            self._bulk_failures += 1
            self._bulk_again_at = self._clock.monotonic() + self._back_off(self._bulk_failures)

    def _ask_in_bulk(self, due: Sequence[Due]) -> None:
        """Ask in bulk, and note the conversations that a live answer may decide: they are asked about live next."""
        for start in range(0, len(due), BULK):
            some = due[start : start + BULK]
            findings = self._bulk(some)
            if not findings:
                continue
            closed = self._apply_all(some, findings)
            for one in some:
                finding = findings[one.id]
                unknown = one.unknown_since is not None and not finding.shown
                if one.id not in closed and (finding.ended or unknown or finding.asked_at >= one.deadline_at):
                    self._decidable[one.id] = one

    def _bulk(self, some: Sequence[Due]) -> Mapping[str, Finding]:
        """Return a finding for each of them, or none at all if there was no answer."""
        try:
            findings = self._inquiry.bulk(some)
        except TransientFailure as error:
            self._postpone(some, error)
            return {}
        self._failed_in_a_row = self._bulk_failures = 0
        return findings

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
        ended_as = self._close(connection, one, finding, now)
        if ended_as is None:
            self._ask_again(connection, one, finding, now)
        return stored, ended_as

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

    def _close(self, connection: Connection, one: Due, finding: Finding, now: int) -> str | None:
        """Close the conversation if the answer proves it over, or its deadline has passed and the answer allows it.

        Nothing may be newer than the answer; one of analytics counts as old as analytics may be late.

        Returns:
            The outcome; None if it stays followed.
        """
        if not finding.over and (finding.goes_on or not finding.evidence):
            return None
        settle_ms = round(self._settings.analytics_settle_seconds * 1000)
        known_until = finding.asked_at if finding.live else finding.asked_at - settle_ms
        return conversations.close(
            connection,
            one.id,
            without_record=conversations.NO_ACW if finding.over else conversations.UNRESOLVED,
            now=now,
            last_look_at=now + round(self._settings.last_look_seconds * 1000),
            latest_deadline=self._deadline(known_until) if finding.over else min(finding.asked_at, self._steady.now()),
            furthest_deadline=furthest_date(self._deadline(now)) if finding.over else None,
            latest_look=known_until,
        )

    def _next_question(self, one: Due, now: int, *, in_doubt: bool) -> int:
        return next_question(
            now,
            asked=one.asked,
            doubt_since=one.covered_at if in_doubt and one.uncovered_since is None else None,
            reconcile_seconds=self._settings.reconcile_seconds,
            settle_seconds=self._settings.analytics_settle_seconds,
        )

    def _ask_again(self, connection: Connection, one: Due, finding: Finding, now: int) -> None:
        unknown_since = None if finding.shown else one.unknown_since
        if finding.unknown:
            unknown_since = one.unknown_since or now
            self._note_unknown(connection, one.id, unknown_since, now)
        reconciliation.ask_again(
            connection,
            one,
            now=now,
            asked_at=finding.asked_at,
            live=finding.live,
            due_at=self._next_question(one, now, in_doubt=one.in_doubt and not finding.clears_doubt),
            deadline_at=self._deadline(now) if finding.goes_on else one.deadline_at,
            clears_doubt=finding.clears_doubt,
            unknown_since=unknown_since,
        )

    def _note_unknown(self, connection: Connection, conversation_id: str, since: int, now: int) -> None:
        """Report, once, a conversation that stays unknown; for a moment after its start that is normal."""
        noted = timeline.noted(connection, conversation_id, "unknown_to_genesys", since)
        if not noted and now - since >= unknown_for_long(self._settings.reconcile_seconds) * 1000:
            timeline.note(connection, conversation_id, now, "unknown_to_genesys")
            log.warning("unknown_to_genesys", conversation=conversation_id)
