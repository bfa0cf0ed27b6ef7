"""Asks Genesys about each conversation once more, some time after its close.

The last look is a check on ourselves: if it finds an event, the conversation was closed too early. The event is
delivered, and an alarm is raised.

Each look is claimed for one lease, so that only one of several instances takes it; if that one dies, the look is due
again. Looks for which half the lease leaves no time are given back.

Invariant: a last look is concluded only by an answer that was read whole, and shows an end and nothing that is still to
be done. Without one the look is repeated daily, until the retention of the closed conversation is over.
"""

from collections.abc import Callable, Mapping, Sequence

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys.client import Throttled
from genesys_gateway.reconciliation.availability import Resting, View
from genesys_gateway.reconciliation.finding import LastFinding
from genesys_gateway.reconciliation.inquiry import Inquiry
from genesys_gateway.reconciliation.plan import BULK, GroupSizes
from genesys_gateway.runtime.clock import DAY_SECONDS, Clock, Deadline, furthest_date
from genesys_gateway.runtime.errors import NoReply, TransientFailure
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SOME, SampledLog
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage, database_now
from genesys_gateway.storage.statements import last_look
from genesys_gateway.storage.statements.reconciliation import NextDates

log = get_logger(__name__)

#: Share of the claim in which questions are begun; the rest is for their answers.
_LEASE_SHARE = 1 / 2


class LastLook:
    """Takes the last looks that are due, up to 50 in one bulk question.

    Args:
        sizes: What is known from bulk questions that failed.
        put: Stores the events of a conversation in a transaction, at a moment (epoch milliseconds); returns how many
            were new.
        count: Called with a conversation and its number of new events, after the commit.
    """

    def __init__(
        self,
        storage: Storage,
        inquiry: Inquiry,
        settings: Settings,
        clock: Clock,
        sizes: GroupSizes,
        *,
        put: Callable[[Connection, str, Sequence[AcwEvent], int], int],
        count: Callable[[int], None],
    ) -> None:
        self._storage = storage
        self._inquiry = inquiry
        self._settings = settings
        self._clock = clock
        self._logger = SampledLog(log, self._clock, most={"missed_until_last_look": SOME})
        self._sizes = sizes
        self._put = put
        self._count = count

    def is_due(self, dates: NextDates) -> bool:
        """Whether any last look is due, also one that a wrong clock has dated."""
        if dates.look is None or dates.latest_look is None:
            return False
        now = self._clock.now()
        return dates.look <= now or dates.latest_look > self._furthest(now)

    def look(self) -> bool:
        """Take up to 50 last looks. False if none is due or Genesys does not answer."""
        lease = self._settings.lease_seconds
        now, deadline = self._clock.now(), Deadline(self._clock, lease * _LEASE_SHARE)
        furthest = self._furthest(now)
        until = now + round(lease * 1000)
        ids = self._storage.run(lambda c: last_look.claim(c, now=now, furthest=furthest, until=until, limit=BULK))
        answered = [self._look_in_time(deadline, one, live=True) for one in self._alone(ids)]
        answered += [self._look_in_time(deadline, group, live=False) for group in self._sizes.groups(ids)]
        return bool(ids) and all(answered)

    def _furthest(self, now: int) -> int:
        return furthest_date(now, self._settings.last_look_seconds, DAY_SECONDS)

    def _alone(self, ids: Sequence[str]) -> list[list[str]]:
        return [[one] for one in ids if not self._sizes.most(one)]

    def _look_in_time(self, deadline: Deadline, ids: Sequence[str], *, live: bool) -> bool:
        """Look at some, or give them back if the claim may end before their answer is stored."""
        if deadline.passed:
            self._look_later(ids, 0.0)
            return True
        return self._look_live(ids[0]) if live else self._look_at(ids)

    def _look_at(self, ids: Sequence[str]) -> bool:
        try:
            shown = self._inquiry.last(ids)
        except TransientFailure as error:
            return self._failed(ids, error)
        self._sizes.answered(ids)
        reach("looked_last")
        self._take_in(ids, shown)
        return True

    def _look_live(self, conversation_id: str) -> bool:
        """Look at one of which analytics can't tell."""
        try:
            finding = self._inquiry.last_live(conversation_id)
        except TransientFailure as error:
            self._put_off([conversation_id], error)
            return False
        self._take_in([conversation_id], {} if finding is None else {conversation_id: finding})
        return True

    def _failed(self, ids: Sequence[str], error: TransientFailure) -> bool:
        """After a failed question. True if its conversations are to be asked about in smaller groups at once."""
        down = self._inquiry.availability.is_down(View.ANALYTICS)
        if not isinstance(error, (Resting, Throttled)):
            self._sizes.failed(ids, down=down, timed_out=isinstance(error, NoReply))
        if down or error.retry_after is not None:
            self._put_off(ids, error)
            return False
        self._logger.warning("question_failed", conversation=ids[0], conversations=len(ids), error=str(error))
        self._look_later(ids, 0.0)
        return True

    def _put_off(self, ids: Sequence[str], error: TransientFailure) -> None:
        # Not urgent: the questions about followed conversations must not wait for it.
        self._logger.warning("last_look_failed", conversations=len(ids), error=str(error))
        self._look_later(ids, self._settings.retry_max_seconds)

    def _take_in(self, ids: Sequence[str], shown: Mapping[str, LastFinding]) -> None:
        """Store what the answer shows, and look again later at those that it does not show as done."""
        for conversation_id, finding in shown.items():
            self._store(conversation_id, finding)
        self._look_later([one for one in ids if one not in shown or not shown[one].complete], DAY_SECONDS)

    def _store(self, conversation_id: str, finding: LastFinding) -> None:
        def job(connection: Connection) -> int:
            missed = self._put(connection, conversation_id, finding.finished, database_now(connection))
            last_look.note(connection, conversation_id, missed, concluded=finding.complete)
            return missed

        missed = self._storage.run(job)
        if missed:
            self._logger.error("missed_until_last_look", conversation=conversation_id, events=missed)
        self._count(missed)

    def _look_later(self, ids: Sequence[str], seconds: float) -> None:
        at = self._clock.now() + round(seconds * 1000)
        closed_after = at - round(self._settings.retention_days * DAY_SECONDS * 1000)
        if ids:
            self._storage.run(lambda c: last_look.postpone(c, ids, at=at, closed_after=closed_after))
