"""Asks Genesys about each conversation once more, some time after its close.

The last look is a check on ourselves: if it finds an event, the conversation was closed too early. The event is
delivered, and an alarm is raised.

Invariant: only an answer that shows a conversation concludes its last look. Without one the look is repeated, until the
retention of the closed conversation is over.
"""

from collections.abc import Callable, Sequence

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.reconciliation.inquiry import BULK, Inquiry
from genesys_gateway.runtime.clock import DAY_SECONDS, Clock, furthest_date
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.statements import conversations

log = get_logger(__name__)


class LastLook:
    """Takes the last looks that are due, up to 50 in one bulk question.

    Args:
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
        *,
        put: Callable[[Connection, str, Sequence[AcwEvent], int], int],
        count: Callable[[str, int], None],
    ) -> None:
        self._storage = storage
        self._inquiry = inquiry
        self._settings = settings
        self._clock = clock
        self._put = put
        self._count = count

    def look(self) -> bool:
        """Take up to 50 last looks. False if none is due or Genesys does not answer."""
        now = self._clock.now()
        furthest = furthest_date(now, self._settings.last_look_seconds, DAY_SECONDS)
        ids = self._storage.run(
            lambda connection: conversations.due_for_last_look(connection, now=now, furthest=furthest, limit=BULK)
        )
        if not ids:
            return False
        try:
            shown = self._inquiry.finished(ids)
        except TransientFailure as error:
            # Not urgent: the questions about followed conversations must not wait for it.
            log.warning("last_look_failed", conversations=len(ids), error=str(error))
            self._look_later(ids, self._settings.retry_max_seconds)
            return False
        reach("looked_last")
        for conversation_id, events in shown.items():
            self._conclude(conversation_id, events)
        self._look_later([one for one in ids if one not in shown], DAY_SECONDS)
        return True

    def _conclude(self, conversation_id: str, events: Sequence[AcwEvent]) -> None:
        def job(connection: Connection) -> int:
            missed = self._put(connection, conversation_id, events, self._clock.now())
            conversations.conclude_last_look(connection, conversation_id, missed)
            return missed

        missed = self._storage.run(job)
        if missed:
            log.error("missed_until_last_look", conversation=conversation_id, events=missed)
        self._count(conversation_id, missed)

    def _look_later(self, ids: Sequence[str], seconds: float) -> None:
        at = self._clock.now() + round(seconds * 1000)
        closed_after = at - round(self._settings.retention_days * DAY_SECONDS * 1000)
        if ids:
            self._storage.run(
                lambda connection: conversations.postpone_last_look(connection, ids, at=at, closed_after=closed_after)
            )
