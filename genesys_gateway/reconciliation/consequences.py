"""Stores what follows from answers: events that were missed, the end, the release of a topic, the next question.

Invariant: all that follows from an answer is one transaction. The events that the answer names are stored in the
transaction that closes the conversation or gives its topic back, and nothing is done against what is newer than the
answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.reconciliation.finding import Finding
from genesys_gateway.reconciliation.plan import Calls, changed_at, date_of_question, is_fresh
from genesys_gateway.reconciliation.schedule import (
    UNANSWERED_QUESTIONS,
    Unanswered,
    longest_unanswered,
    next_question,
    one_more,
    unknown_for_long,
)
from genesys_gateway.runtime.clock import HOUR_SECONDS, Clock, SteadyTime, furthest_date
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SOME, SampledLog
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage, database_now
from genesys_gateway.storage.statements import conversations, intake, locks, reconciliation, timeline
from genesys_gateway.storage.statements.intake import IntakeResult
from genesys_gateway.storage.statements.reconciliation import Answered, Due

log = get_logger(__name__)

#: Maximum number of answers that are stored in one transaction. Events and deliveries must not wait long for it.
_TOGETHER = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What is scarce now."""

    #: how many calls are left
    calls: Calls
    #: whether topics are: those of conversations that are over are given back before their end is proven
    topics: bool

    @property
    def any(self) -> bool:
        """Whether calls or topics are scarce."""
        return self.topics or self.calls is Calls.SCARCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What was stored."""

    #: number of events that were not known before
    events: int
    #: the outcome of the conversation; None if it stays followed
    ended_as: str | None = None
    #: when to ask about it again at the latest (epoch milliseconds); None if it is closed
    due_at: int | None = None
    #: its topic is given back
    released: bool = False
    #: it was released, and is not over after all: it needs a topic again
    taken_up: bool = False


class Consequences:
    """Stores what follows from answers.

    Args:
        steady: A clock that ignores jumps, read in every round.
        pressure: What is scarce now.
    """

    def __init__(
        self, storage: Storage, settings: Settings, clock: Clock, steady: SteadyTime, pressure: Callable[[], Pressure]
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._clock = clock
        self._logger = SampledLog(log, clock, most={"given_up_unanswered": SOME})
        self._steady = steady
        self._pressure = pressure
        self._settle_ms = round(settings.analytics_settle_seconds * 1000)
        self._follow_ms = round(settings.follow_deadline_seconds * 1000)

    def store(self, one: Due, finding: Finding) -> Stored:
        """Store what follows from an answer about a conversation.

        Raises:
            StorageUnavailable: Nothing is stored, or that is unknown.
        """
        pressure = self._pressure()

        def job(connection: Connection) -> Stored:
            locks.hold(connection, one.id)  # before its row: a release takes both
            return self._write(connection, {one: finding}, pressure)[one]

        return self._storage.run(job)

    def store_all(self, findings: Mapping[Due, Finding]) -> Iterator[tuple[Due, Stored]]:
        """Store what follows from an answer about several conversations, some in each transaction.

        Raises:
            StorageUnavailable: What was not returned is not stored, or that is unknown.
        """
        left, alone = list(findings), list[Due]()
        while left:
            some, left = left[:_TOGETHER], left[_TOGETHER:]
            job = partial(self._write_free, findings={one: findings[one] for one in some}, pressure=self._pressure())
            together = self._storage.run(job)
            yield from together.items()
            alone += [one for one in some if one not in together]
        failures: list[StorageUnavailable] = []
        for one in alone:
            try:
                stored = self.store(one, findings[one])
            except StorageUnavailable as error:
                failures.append(error)  # one conversation that stays locked must not keep up the others
                if len(failures) > 1:
                    break
            else:
                yield one, stored
        if failures:
            raise failures[0]

    def postpone(self, one: Due, asked_at: int) -> int:
        """Postpone a question that Genesys itself could not answer, so that the next one is about another.

        Returns:
            Its new date (epoch milliseconds), unless another one was set meanwhile.

        Raises:
            StorageUnavailable: It is not stored, or that is unknown.
        """
        now = self._clock.now()
        unknown = one.unknown_since is not None
        due_at = self._next_question(one, now, self._pressure(), in_doubt=one.in_doubt, unknown=unknown)
        self._storage.run(lambda c: reconciliation.postpone(c, one, now=now, due_at=due_at, looked_at=asked_at))
        return due_at

    def put(
        self,
        connection: Connection,
        conversation_id: str,
        events: Sequence[AcwEvent],
        now: int,
        *,
        moves_deadline: bool = True,
    ) -> int:
        """Store events that an answer names, in the caller's transaction; returns how many were new."""
        new = _new(connection, conversation_id, events)
        due_at = now + round(self._settings.quiet_seconds * 1000)
        deadline_at = self._deadline(now) if moves_deadline else None
        results = [
            intake.put(connection, event, intake.BACKFILL, now=now, due_at=due_at, deadline_at=deadline_at)
            for event in new
        ]
        return results.count(IntakeResult.STORED)

    def _write_free(
        self, connection: Connection, findings: Mapping[Due, Finding], pressure: Pressure
    ) -> dict[Due, Stored]:
        """Store what follows without a wait: for conversations that are not locked, and have no new events."""
        free = locks.hold_free(connection, [one.id for one in findings])
        free -= locks.busy_rows(connection, free)
        without_events = {
            one: finding
            for one, finding in findings.items()
            if one.id in free and not _new(connection, one.id, finding.finished)
        }
        return self._write(connection, without_events, pressure)

    def _write(self, connection: Connection, findings: Mapping[Due, Finding], pressure: Pressure) -> dict[Due, Stored]:
        """Store what follows for conversations that this transaction has locked."""
        now = database_now(connection)
        stored, answers = dict[Due, Stored](), dict[Due, Answered]()
        for one, finding in findings.items():
            # Events named by the answer that shows the end are not newer than it, so they don't move the deadline.
            events = self.put(connection, one.id, finding.finished, now, moves_deadline=not finding.shows_over)
            unanswered = self._unanswered(one, finding)
            ended_as = self._close(connection, one, finding, now, given_up=self._is_given_up(unanswered))
            stored[one] = Stored(events=events, ended_as=ended_as)
            if ended_as is None:
                answers[one] = self._answered(connection, one, finding, now, unanswered, pressure)
                stored[one] = replace(stored[one], due_at=answers[one].due_at)
        reconciliation.ask_again(connection, list(answers.values()), now=now)
        for one in answers:
            stored[one] = replace(
                stored[one],
                released=pressure.topics and self._release(connection, one, findings[one], now),
                taken_up=self._take_up(connection, one, findings[one], now),
            )
        return stored

    def _unanswered(self, one: Due, finding: Finding) -> Unanswered | None:
        """The unanswered questions past the deadline, with this one; None if this one was answered."""
        if not finding.unanswered:
            return None
        asked_at = min(finding.asked_at, self._steady.now())
        return one_more(asked_at, deadline_at=one.deadline_at, count=one.unanswered, since=one.unanswered_since)

    def _is_given_up(self, unanswered: Unanswered | None) -> bool:
        seconds = self._settings.follow_deadline_seconds
        return unanswered is not None and unanswered.given_up(self._steady.now(), seconds)

    def _deadline(self, now: int) -> int:
        return now + self._follow_ms

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
            owner=one.owner,
            last_look_at=now + round(self._settings.last_look_seconds * 1000),
            latest_deadline=self._deadline(known_until) if finding.over else min(finding.asked_at, self._steady.now()),
            furthest_deadline=furthest_date(self._deadline(now)) if finding.over else None,
            latest_look=finding.asked_at if finding.live else known_until,
        )
        if given_up and not finding.over and ended_as is not None:
            self._logger.error("given_up_unanswered", conversation=one.id, outcome=ended_as)
        return ended_as

    def _release(self, connection: Connection, one: Due, finding: Finding, now: int) -> bool:
        """Give the topic back if analytics show the conversation over; what they name is stored.

        The live view closes a conversation that it shows as over, so its answers release none.
        """
        if finding.live or not finding.shows_over or finding.ended_at is None or one.released_at is not None:
            return False
        return reconciliation.release(
            connection,
            one.id,
            owner=one.owner,
            now=now,
            due_at=self._date_of_question(one, now + self._settle_ms, finding, now),
            asked_at=finding.asked_at,
            known_until=finding.known_until,
            ended_at=finding.ended_at,
            follow_ms=self._follow_ms,
        )

    def _take_up(self, connection: Connection, one: Due, finding: Finding, now: int) -> bool:
        """Have a released conversation carried by a channel again if something is still to come."""
        if one.released_at is None or not finding.shows_more:
            return False
        due_at = now + round(self._settings.reconcile_seconds * 1000)
        return reconciliation.take_up(connection, one.id, owner=one.owner, now=now, due_at=due_at)

    def _next_question(self, one: Due, now: int, pressure: Pressure, *, in_doubt: bool, unknown: bool) -> int:
        longest = HOUR_SECONDS
        if now >= one.deadline_at:
            longest = longest_unanswered(self._settings.follow_deadline_seconds) / UNANSWERED_QUESTIONS
        elif one.uncovered_since is not None and not unknown:
            # No socket brings its events.
            longest = max(self._settings.analytics_settle_seconds, self._settings.reconcile_seconds)
        return next_question(
            now,
            asked=one.asked,
            doubt_since=one.covered_at if in_doubt and one.uncovered_since is None else None,
            reconcile_seconds=self._settings.reconcile_seconds,
            settle_seconds=self._settings.analytics_settle_seconds,
            longest_seconds=longest,
            has_record=one.has_record,
            fresh=pressure.calls is not Calls.PLENTY and is_fresh(one, self._follow_ms),
            under_load=pressure.any,
        )

    def _date_of_question(self, one: Due, due_at: int, finding: Finding, now: int) -> int:
        latest = max(changed_at(one, self._follow_ms), one.looked_at or 0)
        latest = min(latest, now)  # what was dated by a wrong clock delays nothing
        return date_of_question(due_at, finding, now, settle_ms=self._settle_ms, latest_change=latest)

    def _answered(
        self,
        connection: Connection,
        one: Due,
        finding: Finding,
        now: int,
        unanswered: Unanswered | None,
        pressure: Pressure,
    ) -> Answered:
        unknown_since = None if finding.shown else one.unknown_since
        if finding.unknown:
            unknown_since = one.unknown_since or now
            self._note_unknown(connection, one.id, unknown_since, now)
        in_doubt = one.in_doubt and not finding.clears_doubt
        unknown = unknown_since is not None
        due_at = self._next_question(one, now, pressure, in_doubt=in_doubt, unknown=unknown)
        return Answered(
            one=one,
            asked_at=finding.asked_at,
            live=finding.live,
            due_at=self._date_of_question(one, due_at, finding, now),
            deadline_at=self._deadline(now) if finding.goes_on else one.deadline_at,
            clears_doubt=finding.clears_doubt,
            counted=not in_doubt or one.uncovered_since is not None,
            unknown_since=unknown_since,
            unanswered=None if unanswered is None else (unanswered.count, unanswered.since),
        )

    def _note_unknown(self, connection: Connection, conversation_id: str, since: int, now: int) -> None:
        """Report, once, a conversation that stays unknown; for a moment after its start that is normal."""
        noted = timeline.was_noted(connection, conversation_id, "unknown_to_genesys", since)
        if not noted and now - since >= unknown_for_long(self._settings.reconcile_seconds) * 1000:
            timeline.note(connection, conversation_id, now, "unknown_to_genesys")


def _new(connection: Connection, conversation_id: str, events: Sequence[AcwEvent]) -> list[AcwEvent]:
    """Those events that are not stored. Each answer names all work ever finished, and most of it is stored already."""
    known = intake.entries_from_genesys(connection, conversation_id) if events else set()
    return [event for event in events if event.record_id not in known]
