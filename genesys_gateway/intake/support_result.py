"""Stores a supportResult: the older trigger reports the same after-call work as a Genesys event, before or after it.

Invariant: both reports make one record, in either order. A supportResult registers no conversation and has none
followed.
"""

from collections.abc import Callable

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.runtime import tracing
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage, database_now
from genesys_gateway.storage.statements import intake
from genesys_gateway.storage.statements.counterparts import SUPPORT_RESULT
from genesys_gateway.storage.statements.intake import IntakeResult, SupportResultReceipt

__all__ = ["IntakeResult", "SupportResultReceipt", "SupportResults"]


class SupportResults:
    """Stores supportResults in the outbox.

    Args:
        stored: Called after new entries were committed; must not wait.
        due: Called after conversations became due; must not wait.
    """

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        runtime: Runtime,
        *,
        stored: Callable[[], None],
        due: Callable[[], None],
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._metrics = runtime.metrics
        self._stored = stored
        self._due = due

    def take(self, result: AcwEvent) -> SupportResultReceipt:
        """Put a result into the outbox, unless its after-call work is there already. Returns after the commit.

        A repetition returns the record of the first time.

        Raises:
            StorageUnavailable: It is not committed, or that is unknown.
        """

        def job(connection: Connection) -> SupportResultReceipt:
            now = database_now(connection)
            return intake.put_result(
                connection,
                result,
                now=now,
                due_at=now + round(self._settings.quiet_seconds * 1000),
                deadline_at=now + round(self._settings.follow_deadline_seconds * 1000),
            )

        if (tracer := tracing.active()) is not None:
            tracer.requested(result.conversation_id)
        receipt = self._storage.run(job, for_request=True)
        self._metrics.events_received.labels(source=SUPPORT_RESULT).inc()
        self._metrics.events_duplicate.inc(receipt.result is IntakeResult.DUPLICATE)
        self._metrics.events_amended.inc(receipt.result is IntakeResult.AMENDED)
        if receipt.result is IntakeResult.STORED:
            self._stored()
            self._due()
        return receipt
