"""The side door: asks Genesys what the sockets may have missed, and whether a conversation is over.

Law: what is found takes the same way as a live event, under the same id. The answer that proves a conversation over is
also its last reconciliation: what it names is stored in the transaction that closes, and an answer that can't name
everything closes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gevent.event import Event
from sqlalchemy import Connection

from genesys_gateway import analytics
from genesys_gateway.analytics import Details
from genesys_gateway.clock import Clock
from genesys_gateway.conversation import Verdict, judge
from genesys_gateway.errors import Delayed, Refused, StorageUnavailable
from genesys_gateway.events import AcwEvent
from genesys_gateway.genesys import Forbidden, Genesys, NotFound
from genesys_gateway.greenlets import Crash, Crew
from genesys_gateway.logs import get_logger
from genesys_gateway.metrics import Metrics
from genesys_gateway.schedule import HOUR_SECONDS, next_question
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Storage, conversations, intake, timeline
from genesys_gateway.storage.conversations import Due
from genesys_gateway.storage.intake import Taken

log = get_logger(__name__)

#: Conversations looked at in one round.
_ROUND = 500
#: Ids in one bulk question; Genesys advises no more.
_BULK = 50
#: Single questions in one round: beyond them the bulk question is cheaper.
_SINGLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What was learned about one conversation."""

    #: epoch milliseconds before the question was asked
    asked_at: int
    finished: Sequence[AcwEvent]
    #: Genesys says the conversation goes on
    goes_on: bool = False
    #: it is over, and ``finished`` names everything
    settled: bool = False
    #: whether the doubt that a gap left behind is cleared
    clears_doubt: bool = False
    #: whether it may decide a conversation whose deadline has passed
    evidence: bool = False
    unknown: bool = False


class Reconciliation:
    """The loop that asks.

    Args:
        stored: Called after new entries were committed; must not wait.
        closed: Told each conversation that was closed, after the commit; must not wait.
    """

    def __init__(
        self,
        storage: Storage,
        genesys: Genesys,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        *,
        stored: Callable[[], None],
        closed: Callable[[str], None],
        on_crash: Crash,
    ) -> None:
        self._storage = storage
        self._genesys = genesys
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._stored = stored
        self._closed = closed
        self._poked = Event()
        self._failures = 0
        self._forbidden_told = False
        self._crew = Crew("reconciliation", on_crash)

    def start(self) -> None:
        """Begin to ask."""
        self._crew.spawn("asker", self._run)

    def stop(self, seconds: float) -> list[str]:
        """Ask no more; a question under way ends within ``seconds``.

        Returns:
            The names of greenlets that were late.
        """
        self._poked.set()
        return self._crew.stop(seconds)

    def wake(self) -> None:
        """Somebody may have become due. Does not wait."""
        self._poked.set()

    def _run(self) -> None:
        least = 60 / self._settings.api_rate_per_minute
        while not self._crew.stopping:
            self._poked.clear()
            try:
                seconds = self._round()
                self._failures = 0
            except (Delayed, StorageUnavailable) as error:
                seconds = self._delay(error)
                log.warning("reconciliation_delayed", error=str(error), wait_seconds=round(seconds, 3))
                if self._crew.wait(seconds):
                    return
                continue
            if not self._crew.wait(least):
                self._poked.wait(seconds)

    def _delay(self, error: Delayed | StorageUnavailable) -> float:
        self._failures += 1
        longest = min(
            self._settings.retry_max_seconds, self._settings.retry_base_seconds * 2.0 ** min(self._failures, 30)
        )
        return error.retry_after or longest

    def _round(self) -> float:
        """Ask about everyone due; seconds until the next is."""
        now = self._clock.now()
        furthest = now + round(self._settings.follow_deadline_seconds * 1000) + round(HOUR_SECONDS * 1000)
        due = self._storage.run(lambda c: conversations.due(c, now=now, furthest=furthest, limit=_ROUND))
        singles = due if len(due) <= _SINGLES else self._ask_many(due)[:_SINGLES]
        for one in singles:
            if self._crew.stopping:
                return 0.0
            self._ask_one(one)
        next_at = self._storage.run(conversations.next_due)
        if next_at is None:
            return self._settings.reconcile_seconds
        return min(max(0.0, (next_at - self._clock.now()) / 1000), self._settings.reconcile_seconds)

    def _ask_many(self, due: Sequence[Due]) -> list[Due]:
        """Ask in bulk.

        Returns:
            Those that a single question may close now, longest due first.
        """
        closable = []
        for start in range(0, len(due), _BULK):
            some = due[start : start + _BULK]
            asked_at = self._clock.now()
            found = {one.conversation_id: one for one in self._genesys.conversation_details([d.id for d in some])}
            for one in some:
                details = found.get(one.id)
                if (details is not None and details.ended) or asked_at >= one.deadline_at:
                    closable.append(one)
                self._learn(one, self._from_analytics(one, details, asked_at))
        return closable

    def _from_analytics(self, one: Due, details: Details | None, asked_at: int) -> _Answer:
        """Analytics lag: only an answer taken long enough after the gap clears a doubt, and none closes."""
        settled_at = (one.covered_at or asked_at) + round(self._settings.analytics_settle_seconds * 1000)
        return _Answer(
            asked_at=asked_at,
            finished=analytics.finished_acw(details) if details else (),
            clears_doubt=details is not None and asked_at >= settled_at,
        )

    def _ask_one(self, one: Due) -> None:
        asked_at = self._clock.now()
        try:
            conversation = self._genesys.conversation(one.id)
            answer = self._from_verdict(one, judge(conversation), asked_at)
            self._learn(one, replace(answer, goes_on=not conversation.ended))
        except NotFound:
            self._learn(one, _Answer(asked_at=asked_at, finished=(), evidence=True, unknown=True))
        except Forbidden as error:
            if not self._forbidden_told:
                self._forbidden_told = True
                log.error("permission_missing", error=str(error), advice="grant conversation:communication:view")
            self._learn(one, _Answer(asked_at=asked_at, finished=(), evidence=True))
        except Refused as error:
            log.error("question_refused", conversation=one.id, error=str(error))
            self._learn(one, _Answer(asked_at=asked_at, finished=()))

    def _from_verdict(self, one: Due, verdict: Verdict, asked_at: int) -> _Answer:
        finished = {event.record_id: event for event in verdict.finished}
        named = verdict.nameable
        if not named:
            details = next(iter(self._genesys.conversation_details([one.id])), None)
            if details is not None:
                named = analytics.completes(details, verdict)
                for event in analytics.finished_acw(details):
                    finished.setdefault(event.record_id, event)
        return _Answer(
            asked_at=asked_at,
            finished=tuple(finished.values()),
            settled=verdict.over and named,
            clears_doubt=named,
            evidence=True,
        )

    def _learn(self, one: Due, answer: _Answer) -> None:
        """Put what was found and decide what follows, in one transaction."""
        stored, closed = self._storage.run(lambda connection: self._write(connection, one, answer))
        if stored:
            self._metrics.events_received.labels(source=intake.BACKFILL).inc(stored)
            self._metrics.reconcile_recovered_events.inc(stored)
            log.info("recovered", conversation=one.id, events=stored)
            self._stored()
        if closed:
            self._closed(one.id)

    def _write(self, connection: Connection, one: Due, answer: _Answer) -> tuple[int, bool]:
        now = self._clock.now()
        deadline_at = one.deadline_at
        if answer.goes_on:
            deadline_at = now + round(self._settings.follow_deadline_seconds * 1000)
        stored = 0
        for event in answer.finished:
            put = intake.put(connection, event, intake.BACKFILL, now=now, due_at=now, deadline_at=deadline_at)
            stored += put is Taken.STORED
        last_look_at = now + round(self._settings.last_look_seconds * 1000)
        if answer.settled or (answer.evidence and not answer.goes_on and answer.asked_at >= deadline_at):
            outcome = conversations.NO_ACW if answer.settled else conversations.UNRESOLVED
            closed = conversations.close(connection, one.id, without_record=outcome, now=now, last_look_at=last_look_at)
            return stored, closed
        self._postpone(connection, one, answer, now, deadline_at)
        return stored, False

    def _postpone(self, connection: Connection, one: Due, answer: _Answer, now: int, deadline_at: int) -> None:
        in_doubt = one.in_doubt and not answer.clears_doubt
        due_at = next_question(
            now,
            asked=one.asked,
            doubt_since=one.covered_at if in_doubt and one.uncovered_since is None else None,
            reconcile_seconds=self._settings.reconcile_seconds,
            settle_seconds=self._settings.analytics_settle_seconds,
        )
        unknown_since = None
        if answer.unknown:
            unknown_since = one.unknown_since or now
            self._note_unknown(connection, one.id, unknown_since, now)
        conversations.ask_again(
            connection,
            one,
            due_at=due_at,
            deadline_at=deadline_at,
            clears_doubt=answer.clears_doubt,
            unknown_since=unknown_since,
        )

    def _note_unknown(self, connection: Connection, conversation_id: str, since: int, now: int) -> None:
        """A conversation may be unknown for a moment after its start; after an hour it is worth telling, once."""
        known = timeline.noted(connection, conversation_id, "unknown_to_genesys", since)
        if not known and now - since >= HOUR_SECONDS * 1000:
            timeline.note(connection, conversation_id, now, "unknown_to_genesys")
            log.warning("unknown_to_genesys", conversation=conversation_id)
