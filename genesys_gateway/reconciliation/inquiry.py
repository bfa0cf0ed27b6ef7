"""Questions to Genesys about conversations, and what the answers prove.

Law: nothing is concluded from what is absent in analytics, and no failure is taken for an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys import Genesys
from genesys_gateway.genesys.analytics import Details
from genesys_gateway.genesys.client import Forbidden, NotFound
from genesys_gateway.genesys.live_view import Conversation
from genesys_gateway.genesys.tokens import TokenRefused
from genesys_gateway.reconciliation.evidence import all_wrapped_up, completes, finished_acw, judge
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.settings import Settings
from genesys_gateway.storage.statements.reconciliation import Due

log = get_logger(__name__)

#: Ids in one bulk question; Genesys takes no more with good grace.
BULK = 50
#: Live questions in a row: beyond them the bulk question is cheaper.
LIVE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one answer proves about one conversation."""

    #: epoch milliseconds before the question was asked
    asked_at: int
    #: after-call works that are done
    finished: Sequence[AcwEvent] = ()
    #: whether it came from the live view, not from analytics
    live: bool = False
    #: Genesys says the conversation goes on
    goes_on: bool = False
    #: it is over, and ``finished`` names every after-call work
    over: bool = False
    #: whether it clears the doubt that a gap has left behind
    clears_doubt: bool = False
    #: whether it may close a conversation whose deadline has passed
    evidence: bool = False
    #: Genesys knows no such conversation
    unknown: bool = False
    #: it was in the answer; neither this nor ``unknown`` when that tells nothing
    shown: bool = False
    #: analytics show an end: the live view may prove it
    ended: bool = False


class Pace:
    """Lets live questions through evenly, so that they leave room for the bulk questions of every round.

    Args:
        per_second: On the long run.
        clock: Its monotonic time counts.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._per_second = per_second
        self._clock = clock
        self._saved = float(LIVE)
        self._at = clock.monotonic()

    def allowance(self) -> int:
        """How many may be asked now."""
        now = self._clock.monotonic()
        self._saved = min(LIVE, self._saved + (now - self._at) * self._per_second)
        self._at = now
        return int(self._saved)

    def spend(self) -> None:
        """One is asked."""
        self._saved -= 1

    def seconds(self) -> float:
        """How long until the next may be asked."""
        return max(0.0, 1 - self._saved) / self._per_second


class Inquiry:
    """Asks, live or in bulk. Every failure that may pass is raised as Delayed, unless half of the answer is there."""

    def __init__(self, genesys: Genesys, settings: Settings, clock: Clock) -> None:
        self._genesys = genesys
        self._clock = clock
        self._settle_ms = round(settings.analytics_settle_seconds * 1000)
        self._forbidden: set[str] = set()

    def live(self, conversation_id: str) -> Finding:
        """The live view of one; where it can't name everything, analytics are asked as well."""
        asked_at = self._clock.now()
        try:
            conversation = self._genesys.conversation(conversation_id)
        except TokenRefused as error:
            raise TransientFailure(str(error)) from error  # it speaks of us, not of the conversation
        except NotFound:
            return Finding(asked_at=asked_at, live=True, evidence=True, unknown=True)
        except Forbidden as error:
            self._tell_forbidden("conversation:communication:view", error)
            return self._without_live_view(conversation_id, asked_at)
        except PermanentFailure as error:
            log.error("question_refused", conversation=conversation_id, error=str(error))
            return Finding(asked_at=asked_at, live=True)
        return self._judged(conversation, asked_at)

    def bulk(self, due: Sequence[Due]) -> Mapping[str, Finding]:
        """What analytics tell of up to 50; a conversation that they do not show gives a finding that proves nothing."""
        asked_at = self._clock.now()
        found = {details.conversation_id: details for details in self._details([one.id for one in due])}
        return {one.id: self._from_analytics(one, found.get(one.id), asked_at) for one in due}

    def finished(self, conversation_ids: Sequence[str]) -> Mapping[str, Sequence[AcwEvent]]:
        """All after-call works that analytics show as done, by conversation; one that they do not show is not in it."""
        return {one.conversation_id: finished_acw(one) for one in self._details(conversation_ids)}

    def _details(self, conversation_ids: Sequence[str]) -> Sequence[Details]:
        """Nothing when analytics refuse: that proves nothing, and the live view goes on telling."""
        try:
            return self._genesys.conversation_details(conversation_ids)
        except TokenRefused as error:
            raise TransientFailure(str(error)) from error
        except Forbidden as error:
            self._tell_forbidden("analytics:conversationDetail:view", error)
        except PermanentFailure as error:
            log.error("bulk_question_refused", conversations=len(conversation_ids), error=str(error))
        return ()

    def _from_analytics(self, one: Due, details: Details | None, asked_at: int) -> Finding:
        if details is None:
            return Finding(asked_at=asked_at)
        heard = one.covered_at if one.uncovered_since is None else None
        complete = heard is not None and asked_at >= heard + self._settle_ms
        settled = details.ended_at is not None and asked_at >= details.ended_at + self._settle_ms
        return Finding(
            asked_at=asked_at,
            finished=finished_acw(details),
            over=complete and settled and all_wrapped_up(details),
            clears_doubt=complete,
            ended=details.ended,
            shown=True,
        )

    def _judged(self, conversation: Conversation, asked_at: int) -> Finding:
        verdict = judge(conversation)
        finished = {event.record_id: event for event in verdict.finished}
        named = answered = verdict.nameable
        if not named:
            try:
                shown, answered = self._details([conversation.id]), True
            except TransientFailure as error:  # what the live view has told stands all the same
                shown = ()
                log.warning("question_half_answered", conversation=conversation.id, error=str(error))
            for details in shown:
                named = completes(details, verdict, asked_at - self._settle_ms)
                for event in finished_acw(details):
                    finished.setdefault(event.record_id, event)
        return Finding(
            asked_at=asked_at,
            finished=tuple(finished.values()),
            live=True,
            goes_on=not conversation.ended,
            over=verdict.over and named,
            clears_doubt=named,
            evidence=answered,
            shown=True,
        )

    def _without_live_view(self, conversation_id: str, asked_at: int) -> Finding:
        """What analytics show has to be enough then; when it ends only its deadline decides."""
        shown = [one for one in self._details([conversation_id]) if one.conversation_id == conversation_id]
        finished = tuple(event for one in shown for event in finished_acw(one))
        return Finding(asked_at=asked_at, finished=finished, live=True, evidence=True, shown=bool(shown))

    def _tell_forbidden(self, permission: str, error: PermanentFailure) -> None:
        """Once for each permission: it is missing for every conversation alike."""
        if permission not in self._forbidden:
            self._forbidden.add(permission)
            log.error("permission_missing", permission=permission, error=str(error))
