"""What operators see and do about records: list them, look at one, reveal it, and requeue what is dead.

Invariant: what is personal is masked unless it is revealed. A record is revealed only after a line is on disk, in the
timeline of its conversation, that says who did so.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from genesys_gateway.domain import record as record_rules
from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.record import FirstAttemptFacts, Record, Rules
from genesys_gateway.oversight import last_error
from genesys_gateway.oversight.paging import Page, page_of, place_of
from genesys_gateway.runtime.clock import Deadline
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage, database_now
from genesys_gateway.storage.portable import give_hint
from genesys_gateway.storage.statements import dead_letters, inspection, listing, locks, timeline
from genesys_gateway.storage.statements.inspection import RecordContent
from genesys_gateway.storage.statements.listing import Place, RecordItem
from genesys_gateway.storage.statements.outbox import DEAD, PENDING
from genesys_gateway.storage.statements.timeline import TimelineItem

log = get_logger(__name__)

#: Stands in the place of a value that is masked.
HIDDEN = "•••"
#: Fields of a record, and of its body, that are masked.
PERSONAL, PERSONAL_IN_BODY = ("customerHandle", "title"), ("agentName", "wrapUpNotes")
#: Name of the list in its cursors.
_LIST = "records"
#: Maximum number of dead records that are read, and requeued, in one transaction.
_PORTION = 200
#: Maximum time in seconds for requeueing all that are dead alike. A request is cut after half a minute.
_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRecord:
    """A record as a list shows it. Times are epoch milliseconds."""

    id: str
    interaction_id: str
    #: pending, delivered or dead
    state: str
    #: live, backfill or supportResult
    source: str
    attempts: int
    #: a status, or one of a few kinds
    last_error: str | None
    #: when the next attempt is due; None unless it is pending
    next_at: int | None
    stored_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRecord:
    """A record with its content."""

    listed: ListedRecord
    #: as it would be sent now; None once erased, or if the stored event can't be read
    record: Record | None = field(repr=False)
    #: whether the names of its agent and wrap-up code are still to be looked up
    names_wanted: bool
    #: when it was delivered, given up and last made pending again, as far as it was; epoch milliseconds
    delivered_at: int | None
    given_up_at: int | None
    requeued_at: int | None
    #: by whom, or why
    requeued_by: str | None


class Records:
    """The records of all conversations, for operators.

    Args:
        storage: The database.
        settings: The rules by which a record is built.
        runtime: Its clock limits how long a request takes; reveals and requeues are counted.
        requeued: Called after records were requeued; must not wait.
    """

    def __init__(self, storage: Storage, settings: Settings, runtime: Runtime, *, requeued: Callable[[], None]) -> None:
        self._storage = storage
        self._rules = Rules(domain_by_queue=settings.domain_by_queue, default_country=settings.default_country)
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._requeued = requeued

    def page(self, *, state: str | None = None, cursor: str | None = None, limit: int = 100) -> Page[ListedRecord]:
        """A page of the records, newest first, in one state or in all.

        Raises:
            NotOfThisList: The cursor is none of this list in this state.
            StorageUnavailable: The database can't be read now.
        """
        after = place_of(cursor, _LIST, state)
        lines = self._lines(state, after, limit + 1)
        page = page_of(lines, limit, lambda line: line.place, _LIST, state)
        return Page(items=tuple(_listed(line) for line in page.items), next=page.next)

    def masked(self, record_id: str) -> ShownRecord | None:
        """One record, without what is personal; None if there is no such record. Raises StorageUnavailable."""
        found = self._storage.run(
            partial(_with_timeline, read=inspection.record_content, record_id=record_id), for_request=True
        )
        if found is None:
            return None
        shown = self._shown(*found)
        return replace(shown, record=None if shown.record is None else masked(shown.record))

    def reveal(self, record_id: str, *, by: str) -> ShownRecord | None:
        """One record with all of its content; None if there is no such record.

        Args:
            record_id: The record.
            by: Who reveals it, for the log and the timeline.

        Raises:
            StorageUnavailable: It is not certain that the line of the timeline is on disk.
        """
        noted = partial(note_reveal, by=by)
        found = self._storage.run(partial(_with_timeline, read=noted, record_id=record_id), for_request=True)
        if found is None:
            return None
        self._metrics.records_revealed.inc()
        log.info("record_revealed", record=record_id, conversation=found[0].conversation_id, operator=by)
        return self._shown(*found)

    def requeue(self, record_id: str, *, by: str) -> bool | None:
        """Have a dead record delivered again.

        The timeline says by whom, and so does the line of the log that each transition gets.

        Returns:
            False if it is not dead, or erased; None if there is no such record.

        Raises:
            StorageUnavailable: It may be requeued or not.
        """
        done = self._storage.run(partial(_requeue_one, record_id=record_id, by=by), for_request=True)
        if done:
            self._note_requeued(1)
        return done

    def requeue_alike(self, reason: str, *, by: str) -> int:
        """Have all records delivered again that are dead for a reason, as :attr:`ListedRecord.last_error` names it.

        Takes at most 20 s; the number of requeued records tells whether a repetition would find more.

        Raises:
            StorageUnavailable: Some may be requeued or not.
        """
        deadline, count, after = Deadline(self._clock, _SECONDS), 0, None
        # A record that is given up again keeps its place, which is behind us then: it is not requeued for ever.
        while (lines := self._lines(DEAD, after, _PORTION)) and not deadline.passed:
            after = lines[-1].place
            alike = [line.id for line in lines if last_error.shown(line.reason, line.last_error) == reason]
            count += self._requeue_portion(alike, by) if alike else 0
        if count:  # then the reason is one of a few texts
            log.info("records_requeued", reason=reason, records=count, operator=by)
        return count

    def reasons(self) -> Mapping[str, int]:
        """The number of dead records that can be requeued, by :attr:`ListedRecord.last_error`, most first."""
        counts: Counter[str] = Counter()
        for reason, error, count in self._storage.run(listing.dead_causes, for_request=True):
            counts[last_error.shown(reason, error) or last_error.OTHER] += count
        return dict(counts.most_common())

    def _lines(self, state: str | None, after: Place | None, limit: int) -> list[RecordItem]:
        read = partial(listing.records, state=state, after=after, limit=limit)
        return self._storage.run(read, for_request=True)

    def _requeue_portion(self, record_ids: list[str], by: str) -> int:
        done = self._storage.run(partial(_requeue_some, record_ids=record_ids, by=by), for_request=True)
        # A transaction about one record may wait for its lock.
        late = [self._storage.run(partial(_requeue_one, record_id=one, by=by), for_request=True) for one in done.busy]
        count = done.count + sum(1 for one in late if one)
        if count:
            self._note_requeued(count)
        return count

    def _note_requeued(self, count: int) -> None:
        self._metrics.records_requeued.inc(count)
        self._requeued()

    def _shown(self, found: RecordContent, lines: Sequence[TimelineItem]) -> ShownRecord:
        facts = found.facts
        given_up, requeued = (_latest(lines, event, facts.id) for event in ("dead", "requeued"))
        listed = ListedRecord(
            id=facts.id,
            interaction_id=found.conversation_id,
            state=facts.state,
            source=facts.source,
            attempts=facts.attempt,
            last_error=last_error.shown(facts.reason, facts.last_error),
            next_at=facts.next_at if facts.state == PENDING else None,
            stored_at=facts.stored_at,
        )
        return ShownRecord(
            listed=listed,
            record=self._built(found),
            names_wanted=facts.state == PENDING and found.names is None,
            delivered_at=facts.delivered_at,
            given_up_at=given_up.at if given_up is not None and facts.state == DEAD else None,
            requeued_at=None if requeued is None else requeued.at,
            requeued_by=None if requeued is None else (requeued.detail or "").partition(" ")[2],
        )

    def _built(self, found: RecordContent) -> Record | None:
        """The record as the next attempt would send it, but for names that are not looked up yet."""
        if found.content is None:
            return None
        facts = found.facts
        try:
            event, known = AcwEvent.from_json(found.content), _known(found)
            return record_rules.build(facts.id, event, facts.source, facts.stored_at, known, self._rules)
        except (ValueError, TypeError, AttributeError):
            return None


def masked(record: Record) -> Record:
    """The record with its personal fields masked: nothing of a value can be read, only whether there is one."""
    return _masked(record, PERSONAL) | {"body": _masked(record["body"], PERSONAL_IN_BODY)}


def note_reveal(connection: Connection, record_id: str, by: str) -> RecordContent | None:
    """Read a record with its content, and note in the timeline who did so; None if there is no such record."""
    found = inspection.record_content(connection, record_id)
    if found is not None:
        locks.hold(connection, found.conversation_id)  # so that its conversation is not forgotten meanwhile
        timeline.note(connection, found.conversation_id, database_now(connection), "revealed", f"{record_id} {by}")
    return found


def _with_timeline(
    connection: Connection, read: Callable[[Connection, str], RecordContent | None], record_id: str
) -> tuple[RecordContent, tuple[TimelineItem, ...]] | None:
    """What ``read`` finds of a record, with the timeline of its conversation."""
    found = read(connection, record_id)
    return None if found is None else (found, timeline.of(connection, found.conversation_id))


def _latest(lines: Sequence[TimelineItem], event: str, record_id: str) -> TimelineItem | None:
    """The latest line with this event about this record."""
    about = (one for one in reversed(lines) if one.event == event)
    return next((one for one in about if (one.detail or "").partition(" ")[0] == record_id), None)


def _known(found: RecordContent) -> FirstAttemptFacts:
    if found.names is not None:
        return FirstAttemptFacts.from_json(found.names)
    return FirstAttemptFacts(customer_id=found.customer_id)


def _masked(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return dict(values) | {name: None if values[name] is None else HIDDEN for name in names}


def _listed(line: RecordItem) -> ListedRecord:
    return ListedRecord(
        id=line.id,
        interaction_id=line.conversation_id,
        state=line.state,
        source=line.source,
        attempts=line.attempt,
        last_error=last_error.shown(line.reason, line.last_error),
        next_at=line.next_at if line.state == PENDING else None,
        stored_at=line.stored_at,
    )


def _requeue_one(connection: Connection, record_id: str, by: str) -> bool | None:
    if dead_letters.requeue(connection, record_id, now=database_now(connection), why=f"by {by}"):
        give_hint(connection)
        return True
    return None if inspection.record_content(connection, record_id) is None else False


def _requeue_some(connection: Connection, record_ids: list[str], by: str) -> dead_letters.Requeued:
    done = dead_letters.requeue_many(connection, record_ids, now=database_now(connection), why=f"by {by}")
    if done.count:
        give_hint(connection)
    return done
