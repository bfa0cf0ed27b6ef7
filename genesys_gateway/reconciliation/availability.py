"""Tells for each of Genesys's two views whether it may be asked now, how often, and whether it is forbidden (403).

A view rests for as long as it demands (``Retry-After`` of a 503), and for a few seconds after several failures in a
row: then the view itself is taken to be the cause, not the conversations asked about. Meanwhile the other is asked.

Live questions are spread evenly, so that bulk questions have calls left.

Invariant: no view is asked while it rests, and trouble with one never keeps the other from being asked. A view that
demands no wait is tried again after at most LONGEST_REST seconds, so that nothing waits long for a view that works.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.genesys.client import Forbidden, NoToken, Throttled, TokenDead
from genesys_gateway.reconciliation.plan import LIVE
from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import NotSent, PermanentFailure, TransientFailure
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.settings import Settings

log = get_logger(__name__)

#: Longest rest in seconds of a view that demanded none. A view that is down costs at most one call in this time.
LONGEST_REST = 5.0
#: Number of failures in a row after which the cause is taken to be the view, not the conversations. One conversation
#: that makes questions fail causes at most three in a row while they are halved, two such conversations at most four.
FAILURES_IN_A_ROW = 5
#: Failures that no conversation can cause: the same call about any other would fail as well.
OF_NO_CONVERSATION = (NotSent, NoToken, TokenDead)


class View(Enum):
    """The two places in which Genesys shows a conversation."""

    #: one conversation a call, up to date
    LIVE = "live view"
    #: up to 50 conversations a call, late
    ANALYTICS = "analytics"


#: A view that is forbidden is asked at least this often, in seconds, to notice soon that it is no longer.
PROBE_SECONDS = 4.0

#: An answer of the last so many seconds tells enough about a permission that is in doubt.
_KNOWN_SECONDS = 60.0

#: The permission that each view needs.
PERMISSIONS = {View.LIVE: "conversation:communication:view", View.ANALYTICS: "analytics:conversationDetail:view"}


class Resting(TransientFailure):
    """The view is not to be asked now, and was not; ``retry_after`` is the time left."""


@dataclass(slots=True)
class _State:
    #: failures since the last answer
    failures: int = 0
    #: whether the last failure was one of the view, not of the conversations asked about
    down: bool = False
    opens_at: float = -math.inf


class Availability:
    """What is known about both views from the outcomes of their last calls."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._base = settings.retry_base_seconds
        self._longest = min(settings.retry_max_seconds, LONGEST_REST)
        self._clock = clock
        self._states = {view: _State() for view in View}

    @contextmanager
    def asking(self, view: View) -> Iterator[None]:
        """Make one call to the view in the body of the ``with``, and learn from its outcome.

        A refusal (PermanentFailure) is an answer. A 429 says nothing about the view: it holds for the token.

        Raises:
            Resting: The view is not to be asked now; the body was not entered.
        """
        if (left := self.opens_in(view)) > 0:
            raise Resting(f"the {view.value} is left alone for now", left)
        try:
            yield
        except Throttled:
            raise
        except TransientFailure as error:
            self._fail(self._states[view], error)
            raise
        except Exception:
            self._states[view] = _State()
            raise
        self._states[view] = _State()

    def opens_in(self, view: View) -> float:
        """Seconds until the view may be asked; 0 if it may be asked now."""
        return max(0.0, self._states[view].opens_at - self._clock.monotonic())

    def is_open(self, view: View) -> bool:
        """Whether the view may be asked now."""
        return self.opens_in(view) == 0

    def is_down(self, view: View) -> bool:
        """Whether the last call failed because of the view, so that it says nothing about a conversation."""
        return self._states[view].down

    def may_be_own(self, view: View, error: TransientFailure) -> bool:
        """Whether a call to the view may have failed because of the conversation it was about."""
        return not isinstance(error, Resting) and not self.is_down(view)

    def _fail(self, state: _State, error: TransientFailure) -> None:
        state.failures += 1
        state.down = state.failures >= FAILURES_IN_A_ROW or isinstance(error, OF_NO_CONVERSATION)
        rest = error.retry_after or 0.0
        if state.down and error.retry_after is None:
            rest = ceiling(self._base, self._longest, max(0, state.failures - FAILURES_IN_A_ROW))
        state.opens_at = max(state.opens_at, self._clock.monotonic() + rest)


@dataclass(slots=True, kw_only=True)
class _Asked:
    """The latest question to one view."""

    conversation_id: str
    #: monotonic seconds
    at: float
    #: since when it is forbidden, in monotonic seconds; None if it is not
    forbidden_since: float | None = None
    #: whether it is to be asked soon, because something else was refused that a missing permission explains
    in_doubt: bool = False


class Permissions:
    """Which views are forbidden, as far as their latest answers tell.

    A missing permission is missing for all conversations alike. Only an answer that is no 403 shows that it was
    granted: a failure says nothing about it.

    Args:
        clock: Only its monotonic time is used.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[View, _Asked] = {}

    @contextmanager
    def asking(self, view: View, conversation_id: str) -> Iterator[None]:
        """Make one call to the view in the body of the ``with``, and learn from its outcome."""
        now = self._clock.monotonic()
        asked = self._asked.setdefault(view, _Asked(conversation_id=conversation_id, at=now))
        asked.conversation_id, asked.at, asked.in_doubt = conversation_id, now, False
        try:
            yield
        except Forbidden as error:
            if asked.forbidden_since is None:
                asked.forbidden_since = now
                log.error("permission_missing", permission=PERMISSIONS[view], error=str(error))
            raise
        except (PermanentFailure, BadAnswer):
            self._granted(view, asked)
            raise
        self._granted(view, asked)

    def doubt(self, conversation_id: str) -> None:
        """Have the views asked soon, because Genesys refused the topic of this conversation.

        A client without a permission for topics may miss that for a view as well, and nothing else may ask for minutes.
        """
        long_ago = self._clock.monotonic() - _KNOWN_SECONDS
        for view in View:
            asked = self._asked.setdefault(view, _Asked(conversation_id=conversation_id, at=-math.inf))
            if asked.at <= long_ago:
                asked.conversation_id, asked.in_doubt = conversation_id, True

    def _granted(self, view: View, asked: _Asked) -> None:
        if asked.forbidden_since is not None:
            asked.forbidden_since = None
            log.info("permission_granted", permission=PERMISSIONS[view])

    def forbidden(self) -> dict[View, float]:
        """The views that are forbidden, each with the monotonic second since which it is."""
        return {view: one.forbidden_since for view, one in self._asked.items() if one.forbidden_since is not None}

    def due(self) -> list[tuple[View, str]]:
        """The views to ask now, each with a conversation: those in doubt, and those forbidden PROBE_SECONDS ago."""
        latest = self._clock.monotonic() - PROBE_SECONDS
        return [
            (view, one.conversation_id)
            for view, one in self._asked.items()
            if one.in_doubt or (one.forbidden_since is not None and one.at <= latest)
        ]


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
