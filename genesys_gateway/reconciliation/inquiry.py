"""Asks Genesys about conversations, and states what each answer proves.

Invariant: nothing is concluded from data missing in analytics, and no failure is taken for an answer.
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

#: Maximum number of conversations in one bulk question. Genesys does not accept many more.
BULK = 50
#: Maximum number of live questions in a row. For more conversations than this a bulk question costs fewer calls.
LIVE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one answer proves about one conversation."""

    #: when the question was asked, or shortly before (epoch milliseconds)
    asked_at: int
    #: after-call work that is done
    finished: Sequence[AcwEvent] = ()
    #: whether the live view was asked, not only analytics
    live: bool = False
    #: the live view shows the conversation without an end
    goes_on: bool = False
    #: the conversation is over, and ``finished`` holds all its after-call work
    over: bool = False
    #: whether the answer ends the doubt that a gap has left behind
    clears_doubt: bool = False
    #: whether the answer may close a conversation whose deadline has passed
    evidence: bool = False
    #: Genesys answered that it has no such conversation
    unknown: bool = False
    #: the conversation was in the answer; if it was not, and is not ``unknown``, the answer proves nothing
    shown: bool = False
    #: analytics show an end, so the live view may prove it
    ended: bool = False


class Pace:
    """Spreads live questions evenly, so that each round has calls left for its bulk questions.

    Args:
        per_second: Live questions a second, on average. Up to :data:`LIVE` unused ones are saved.
        clock: Only its monotonic time is used.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._per_second = per_second
        self._clock = clock
        self._saved = float(LIVE)
        self._at = clock.monotonic()

    def allowance(self) -> int:
        """Number of live questions that may be asked now."""
        now = self._clock.monotonic()
        self._saved = min(LIVE, self._saved + (now - self._at) * self._per_second)
        self._at = now
        return int(self._saved)

    def spend(self) -> None:
        """Count one question as asked."""
        self._saved -= 1

    def seconds_until_next(self) -> float:
        """Seconds until the next question may be asked."""
        return max(0.0, 1 - self._saved) / self._per_second


class Inquiry:
    """Asks Genesys about conversations, one at a time in the live view or in bulk through analytics.

    A failure that may pass is raised as :class:`TransientFailure`, except that of analytics asked after the live view:
    then the live answer is used alone.
    """

    def __init__(self, genesys: Genesys, settings: Settings, clock: Clock) -> None:
        self._genesys = genesys
        self._clock = clock
        self._settle_ms = round(settings.analytics_settle_seconds * 1000)
        self._forbidden: set[str] = set()

    def live(self, conversation_id: str) -> Finding:
        """Ask the live view about one conversation, and analytics as well where the live view can't name everything.

        Raises:
            TransientFailure: There was no answer.
        """
        asked_at = self._clock.now()
        try:
            conversation = self._genesys.conversation(conversation_id)
        except TokenRefused as error:
            raise TransientFailure(str(error)) from error  # a refusal of our login, not of the conversation
        except NotFound:
            return Finding(asked_at=asked_at, live=True, evidence=True, unknown=True)
        except Forbidden as error:
            self._log_forbidden("conversation:communication:view", error)
            return self._without_live_view(conversation_id, asked_at)
        except PermanentFailure as error:
            log.error("question_refused", conversation=conversation_id, error=str(error))
            return Finding(asked_at=asked_at, live=True)
        return self._from_live_view(conversation, asked_at)

    def bulk(self, due: Sequence[Due]) -> Mapping[str, Finding]:
        """Ask analytics about up to 50 conversations. One that they do not show gets a finding that proves nothing.

        Raises:
            TransientFailure: There was no answer.
        """
        asked_at = self._clock.now()
        found = {details.conversation_id: details for details in self._details([one.id for one in due])}
        return {one.id: self._from_analytics(one, found.get(one.id), asked_at) for one in due}

    def finished(self, conversation_ids: Sequence[str]) -> Mapping[str, Sequence[AcwEvent]]:
        """Ask analytics for all after-call work that is done, by conversation; those they do not show are left out.

        Raises:
            TransientFailure: There was no answer.
        """
        complete_until = self._clock.now() - self._settle_ms
        return {one.conversation_id: finished_acw(one, complete_until) for one in self._details(conversation_ids)}

    def _details(self, conversation_ids: Sequence[str]) -> Sequence[Details]:
        """Ask analytics. A refusal gives an empty answer: that proves nothing, and the live view can still be asked."""
        try:
            return self._genesys.conversation_details(conversation_ids)
        except TokenRefused as error:
            raise TransientFailure(str(error)) from error
        except Forbidden as error:
            self._log_forbidden("analytics:conversationDetail:view", error)
        except PermanentFailure as error:
            log.error("bulk_question_refused", conversations=len(conversation_ids), error=str(error))
        return ()

    def _from_analytics(self, one: Due, details: Details | None, asked_at: int) -> Finding:
        if details is None:
            return Finding(asked_at=asked_at)
        complete_until = asked_at - self._settle_ms
        covered_since = one.covered_at if one.uncovered_since is None else None
        complete = covered_since is not None and asked_at >= covered_since + self._settle_ms
        settled = details.ended_at is not None and asked_at >= details.ended_at + self._settle_ms
        return Finding(
            asked_at=asked_at,
            finished=finished_acw(details, complete_until),
            over=complete and settled and all_wrapped_up(details, complete_until),
            clears_doubt=complete,
            ended=details.ended,
            shown=True,
        )

    def _from_live_view(self, conversation: Conversation, asked_at: int) -> Finding:
        verdict = judge(conversation)
        finished = {event.record_id: event for event in verdict.finished}
        named = answered = verdict.nameable
        if not named:
            try:
                shown, answered = self._details([conversation.id]), True
            except TransientFailure as error:  # the live answer is valid without analytics
                shown = ()
                log.warning("question_half_answered", conversation=conversation.id, error=str(error))
            for details in shown:
                complete_until = asked_at - self._settle_ms
                named = completes(details, verdict, complete_until)
                for event in finished_acw(details, complete_until):
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
        """Use analytics alone. They prove no end here: the conversation is followed until its deadline."""
        shown = [one for one in self._details([conversation_id]) if one.conversation_id == conversation_id]
        complete_until = asked_at - self._settle_ms
        finished = tuple(event for one in shown for event in finished_acw(one, complete_until))
        return Finding(asked_at=asked_at, finished=finished, live=True, evidence=True, shown=bool(shown))

    def _log_forbidden(self, permission: str, error: PermanentFailure) -> None:
        """Log each missing permission once: it is missing for all conversations."""
        if permission not in self._forbidden:
            self._forbidden.add(permission)
            log.error("permission_missing", permission=permission, error=str(error))
