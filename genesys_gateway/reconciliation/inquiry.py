"""Asks Genesys about conversations, and states what each answer proves.

Invariant: nothing is concluded from data missing in analytics, and no failure is taken for an answer. Where the live
view can't answer about one conversation, analytics are asked about it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from genesys_gateway.genesys import Genesys
from genesys_gateway.genesys.analytics import Details
from genesys_gateway.genesys.client import Forbidden, NotFound, Throttled
from genesys_gateway.genesys.live_view import Conversation
from genesys_gateway.reconciliation.availability import (
    OF_NO_CONVERSATION,
    Availability,
    Permissions,
    Resting,
    View,
)
from genesys_gateway.reconciliation.evidence import all_wrapped_up, completes, finished_acw, judge
from genesys_gateway.reconciliation.finding import Finding, LastFinding
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.settings import Settings
from genesys_gateway.storage.statements.reconciliation import Due

log = get_logger(__name__)


class BulkRefused(TransientFailure):
    """Analytics refused a question (4xx but 403): because of one of its conversations, or all alike."""


class Inquiry:
    """Asks Genesys about conversations, one at a time in the live view or in bulk through analytics."""

    def __init__(self, genesys: Genesys, settings: Settings, clock: Clock) -> None:
        self._genesys = genesys
        self._clock = clock
        self._logger = SampledLog(log, self._clock)
        #: learns from each call, and keeps a view from being asked while it rests
        self.availability = Availability(settings, clock)
        #: learns from each call whether the permission for it is missing
        self.permissions = Permissions(clock)
        self._settle_ms = round(settings.analytics_settle_seconds * 1000)

    def live(self, one: Due) -> Finding:
        """Ask the live view about one conversation, and analytics as well where the live view can't name everything.

        If the live view refuses, or fails because of this conversation, analytics alone are asked. If they fail too,
        the finding proves nothing.

        Raises:
            TransientFailure: Neither view can be asked about any conversation now, or all calls have to wait.
        """
        asked_at = self._clock.now()
        try:
            conversation = self._conversation(one.id)
        except PermanentFailure as error:
            return self._from_analytics_alone(one, asked_at, error)
        except (Resting, Throttled, *OF_NO_CONVERSATION):
            raise
        except TransientFailure as error:
            self._logger.warning("question_failed", conversation=one.id, conversations=1, error=str(error))
            return self._from_analytics_alone(one, asked_at)
        return self._from_live_view(conversation, asked_at)

    def bulk(self, due: Sequence[Due]) -> Mapping[str, Finding]:
        """Ask analytics about up to 50 conversations. One that they do not show gets a finding that proves nothing.

        Raises:
            TransientFailure: There was no answer. Unless analytics are down or rest, one of them may be the cause.
        """
        asked_at = self._clock.now()
        found = {details.conversation_id: details for details in self._details([one.id for one in due])}
        return {one.id: self._from_analytics(one, found.get(one.id), asked_at) for one in due}

    def last(self, conversation_ids: Sequence[str]) -> Mapping[str, LastFinding]:
        """Ask analytics about closed conversations; those they do not show are left out.

        Raises:
            TransientFailure: As for ``bulk``.
        """
        complete_until = self._clock.now() - self._settle_ms
        return {
            one.conversation_id: LastFinding(
                finished=finished_acw(one, complete_until), complete=one.ended and not one.acw_pending
            )
            for one in self._details(conversation_ids)
        }

    def last_live(self, conversation_id: str) -> LastFinding | None:
        """Ask the live view about a closed conversation of which analytics can't tell; None if it can't tell either.

        Raises:
            TransientFailure: The live view itself is down or rests, or all calls have to wait.
        """
        try:
            verdict = judge(self._conversation(conversation_id))
        except PermanentFailure:
            return None
        except TransientFailure as error:
            if error.retry_after is not None or self.availability.is_down(View.LIVE):
                raise
            return None
        return LastFinding(finished=verdict.finished, complete=verdict.over and verdict.nameable)

    def ask_forbidden(self) -> None:
        """Ask each view whose permission is missing or in doubt, unless that was done just now. One call each."""
        for view, conversation_id in self.permissions.due():
            with suppress(
                PermanentFailure, TransientFailure
            ):  # what follows from a failure is noted where it is raised
                if view is View.LIVE:
                    self._conversation(conversation_id)
                else:
                    self._details([conversation_id])

    def _conversation(self, conversation_id: str) -> Conversation:
        with self.availability.asking(View.LIVE), self.permissions.asking(View.LIVE, conversation_id):
            return self._genesys.conversation(conversation_id)

    def _details(self, conversation_ids: Sequence[str]) -> Sequence[Details]:
        """Ask analytics. The answer is empty without permission, and if they don't know the only one asked about."""
        with self.availability.asking(View.ANALYTICS):
            try:
                with self.permissions.asking(View.ANALYTICS, conversation_ids[0]):
                    return self._genesys.conversation_details(conversation_ids)
            except Forbidden:
                return ()
            except NotFound as error:
                if len(conversation_ids) > 1:
                    raise BulkRefused(str(error)) from error
            except PermanentFailure as error:
                raise BulkRefused(str(error)) from error
            return ()

    def _from_analytics(self, one: Due, details: Details | None, asked_at: int) -> Finding:
        if details is None:
            return Finding(asked_at=asked_at, lag_ms=self._settle_ms)
        complete_until = asked_at - self._settle_ms
        covered_since = one.covered_at if one.uncovered_since is None else None
        wrapped_up = all_wrapped_up(details, complete_until)
        provable_at = self._provable_at(one, details)
        proven = provable_at is not None and asked_at >= provable_at
        return Finding(
            asked_at=asked_at,
            lag_ms=self._settle_ms,
            finished=finished_acw(details, complete_until),
            over=proven and wrapped_up,
            shows_over=wrapped_up,
            provable_at=None if proven else provable_at,
            clears_doubt=covered_since is not None and asked_at >= covered_since + self._settle_ms,
            ended_at=details.ended_at,
            shown=True,
            agents=frozenset() if wrapped_up else frozenset(session.user_id for session in details.sessions),
        )

    def _provable_at(self, one: Due, details: Details) -> int | None:
        """When analytics are complete about the end that they show and, if the conversation has a topic, its cover.

        A conversation without a topic is asked about in its place: a released one was over before its topic was given
        back, and of one that waits for a topic they must be complete about the time before the wait, too.
        """
        since = one.uncovered_since if one.uncovered_since is not None else one.covered_at
        if details.ended_at is None or (since is None and one.released_at is None):
            return None
        begun = details.ended_at if since is None or one.released_at is not None else max(details.ended_at, since)
        return begun + self._settle_ms

    def _from_live_view(self, conversation: Conversation, asked_at: int) -> Finding:
        verdict = judge(conversation)
        finished = {event.record_id: event for event in verdict.finished}
        named = answered = verdict.nameable
        waits = False
        if not named:
            try:
                shown, answered = self._details([conversation.id]), True
            except Throttled:
                raise
            except TransientFailure as error:  # the live answer is valid without analytics
                shown, waits = (), not self.availability.may_be_own(View.ANALYTICS, error)
                self._logger.warning("question_half_answered", conversation=conversation.id, error=str(error))
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
            shows_over=verdict.over,
            clears_doubt=named,
            evidence=answered,
            waits=waits,
            shown=True,
            agents=frozenset() if verdict.over else frozenset(agent.user_id for agent in conversation.agents),
        )

    def _from_analytics_alone(self, one: Due, asked_at: int, refusal: PermanentFailure | None = None) -> Finding:
        """Use analytics where the live view did not answer.

        They may end the conversation as in a bulk answer. But where the permission for the live view is missing (403),
        for all conversations alike, the deadline alone ends them.

        Args:
            refusal: The answer of the live view; None if it failed.
        """
        self._log_refusal(one.id, refusal)
        try:
            shown = self._details([one.id])
        except Throttled:
            raise
        except TransientFailure as error:
            if not self.availability.may_be_own(View.ANALYTICS, error):
                raise TransientFailure(str(error)) from error  # not Resting: the live view was asked
            self._logger.warning("question_unanswered", conversation=one.id, error=str(error))
            return Finding(asked_at=asked_at, lag_ms=self._settle_ms, live=True)
        finding = self._from_analytics(one, shown[0] if shown else None, asked_at)
        forbidden, unknown = isinstance(refusal, Forbidden), isinstance(refusal, NotFound) and not shown
        return replace(
            finding,
            live=True,
            over=finding.over and not forbidden,
            evidence=forbidden or unknown or (refusal is not None and finding.shown),
            unknown=unknown,
        )

    def _log_refusal(self, conversation_id: str, refusal: PermanentFailure | None) -> None:
        if refusal is not None and not isinstance(refusal, NotFound | Forbidden):
            self._logger.error("question_refused", conversation=conversation_id, error=str(refusal))
