"""Asks Genesys for the names of one kind: a lone one at once, and names that are wanted meanwhile together.

Invariant: at most one call at a time asks about an id, and no call begins for an id for which nobody waits. An id whose
call fails or hangs delays no other for longer than that one call.

One call is under way for ids that go together; those that come meanwhile wait for its end and go with the next one.
Beside it, at most ALONE calls are under way for ids that go alone: system codes, ids that a bulk call left out, the ids
of a bulk call that failed, and suspects: ids whose own call failed while other calls were answered.

If the calls about ALONE different ids fail in a row, Genesys is at fault and no id is. From then on until its next
answer calls are kept apart as while they are scarce, and a single failure ends all lookups that wait: their callers try
again later.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import gevent
from gevent.event import AsyncResult
from gevent.greenlet import Greenlet

from genesys_gateway.genesys.client import MAX_NAMES, NoToken, Throttled, TokenDead, in_bulk
from genesys_gateway.runtime.clock import HOUR_SECONDS, Clock
from genesys_gateway.runtime.errors import GatewayError, NoReply, NotSent, PermanentFailure, TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog

#: Maximum number of calls under way about single ids, beside the call for ids that go together.
ALONE = 4
#: How long no bulk call is made after one was refused, in seconds.
REFUSED_SECONDS = HOUR_SECONDS
#: The same after one without an answer: another would cost its callers the time limit of a call again.
UNANSWERED_SECONDS = 60.0
#: How long a suspect goes alone, in seconds, and the maximum number of suspects.
SUSPECT_SECONDS, MAX_SUSPECTS = 600.0, 1_000

#: Failures for which no id is to blame: another call now would fail alike.
_FAILS_ALL = (Throttled, NoToken, NotSent)
#: Refusals of a bulk call. TokenDead: a token that was just issued is refused too; repeating would cost more tokens.
BULK_REFUSALS = (PermanentFailure, TokenDead)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameCalls:
    """The calls for the names of one kind."""

    #: the kind as logs name it
    kind: str
    #: the name of one id
    one: Callable[[str], str | None]
    #: the names of up to MAX_NAMES ids; an id may be missing in the result
    many: Callable[[Sequence[str]], Mapping[str, str | None]]


class Pace:
    """Keeps the calls of one kind apart while calls are scarce.

    Args:
        busy: Whether calls are scarce now.
        seconds: Time between the beginnings of two calls then.
    """

    def __init__(self, clock: Clock, busy: Callable[[], bool], seconds: float) -> None:
        self._clock = clock
        self._busy = busy
        self._seconds = seconds
        self._free_at = clock.monotonic()

    def wait(self, *, slow: bool) -> None:
        """Return when a call may begin; ``slow`` keeps it apart from the one before in any case."""
        now = self._clock.monotonic()
        at = max(now, self._free_at) if slow or self._busy() else now
        self._free_at = at + self._seconds
        if at > now:
            self._clock.sleep(at - now)


class BulkRest:
    """The time after a refusal, or a call without an answer, in which no bulk call of a kind is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.monotonic()

    def begin(self, kind: str, error: GatewayError) -> None:
        """Genesys refused a bulk call, or did not answer it."""
        seconds = UNANSWERED_SECONDS if isinstance(error, NoReply) else REFUSED_SECONDS
        log.warning("bulk_names_refused", kind=kind, error=str(error), seconds=seconds)
        self._until = self._clock.monotonic() + seconds

    @property
    def lasts(self) -> bool:
        """Whether no bulk call may be made now."""
        return self._clock.monotonic() < self._until


class _Lookup:
    """One id being looked up, and the number of callers that wait for it."""

    __slots__ = ("call", "id", "result", "waiters")

    def __init__(self, one: str) -> None:
        self.id = one
        self.waiters = 0
        self.result: AsyncResult[str | None] = AsyncResult()
        #: the call that asks about it, if one is under way
        self.call: _Call | None = None


class _Call:
    """One call under way, and the greenlet that makes it."""

    __slots__ = ("greenlet", "lookups")

    def __init__(self, lookups: Sequence[_Lookup]) -> None:
        self.greenlet = cast("Greenlet[..., object]", gevent.getcurrent())
        self.lookups = lookups
        for lookup in lookups:
            lookup.call = self


#: Lookups that wait for their call, by id, in the order of arrival.
_Waiting = OrderedDict[str, _Lookup]


class NameQueue:
    """The lookups of one kind of name.

    Args:
        keep: Called with each id and its name, None if there is none, before the callers get it; must not wait.
    """

    def __init__(
        self, calls: NameCalls, keep: Callable[[str, str | None], None], clock: Clock, pace: Pace, rest: BulkRest
    ) -> None:
        self._calls = calls
        self._keep = keep
        self._clock = clock
        self._logger = SampledLog(log, clock)
        self._pace = pace
        self._rest = rest
        self._lookups: dict[str, _Lookup] = {}
        self._together: _Waiting = OrderedDict()
        self._alone: _Waiting = OrderedDict()
        #: those whose own call has failed before; they go last
        self._again: _Waiting = OrderedDict()
        #: until when an id goes alone (monotonic seconds)
        self._suspects: OrderedDict[str, float] = OrderedDict()
        #: ids whose own call failed since Genesys last answered; suspects are not counted again
        self._failed: OrderedDict[str, None] = OrderedDict()
        self._asking_together = False
        self._asking_alone = 0
        self._stopped = False
        self._tasks = TaskGroup("names", self._crashed)

    def get(self, one: str) -> str | None:
        """The name of this id, from Genesys. Callers that ask for the same id meanwhile share the call.

        A caller that is killed or gets a Timeout leaves; a call ends when its last caller has left.

        Raises:
            GatewayError: There was no answer; or :meth:`stop` was called.
        """
        if self._stopped:
            raise _stopped()
        lookup = self._lookups.get(one)
        if lookup is None:
            lookup = self._lookups[one] = _Lookup(one)
            self._queue_of(one)[one] = lookup
            self._start_asking()
        lookup.waiters += 1
        try:
            return lookup.result.get()
        finally:
            lookup.waiters -= 1
            if not lookup.waiters and not lookup.result.ready():
                self._leave(lookup)

    def asks(self, one: str) -> bool:
        """Whether this id is being looked up."""
        return one in self._lookups

    def stop(self, seconds: float) -> list[str]:
        """Let the calls under way end within ``seconds``, then kill them. No other call begins.

        Returns:
            The names of the greenlets that were killed. Callers without an answer get a TransientFailure.
        """
        self._stopped = True
        self._fail(self._waiting(), _stopped())
        late = self._tasks.stop(seconds)
        self._fail(list(self._lookups.values()), _stopped())
        return late

    def _queue_of(self, one: str) -> _Waiting:
        if self._is_suspect(one) or (one in self._failed and not self._genesys_fails):
            return self._again
        return self._together if in_bulk(one) and not self._rest.lasts else self._alone

    def _is_suspect(self, one: str) -> bool:
        until = self._suspects.get(one)
        return until is not None and self._clock.monotonic() < until

    @property
    def _genesys_fails(self) -> bool:
        return len(self._failed) >= ALONE

    def _waiting(self) -> list[_Lookup]:
        """The lookups for which no call is under way."""
        return [lookup for queue in (self._together, self._alone, self._again) for lookup in queue.values()]

    def _start_asking(self) -> None:
        if self._stopped:
            return
        if self._together and not self._asking_together:
            self._asking_together = True
            self._tasks.spawn("together", self._ask_together)
        most = 1 if self._genesys_fails else ALONE
        for _ in range(min(len(self._alone) + len(self._again), most - self._asking_alone)):
            self._asking_alone += 1
            self._tasks.spawn("alone", self._ask_alone)

    def _ask_together(self) -> None:
        try:
            while self._together and not self._stopped:
                self._pace.wait(slow=self._genesys_fails)
                taken = [self._together.popitem(last=False)[1] for _ in range(min(MAX_NAMES, len(self._together)))]
                if taken:
                    self._make(_Call(taken))
        finally:  # this greenlet may have been killed because nobody waited for its call
            self._asking_together = False
            self._start_asking()

    def _ask_alone(self) -> None:
        try:
            while (self._alone or self._again) and not self._stopped:
                self._pace.wait(slow=self._genesys_fails)
                if queue := self._alone or self._again:
                    self._make(_Call([queue.popitem(last=False)[1]]))
        finally:
            self._asking_alone -= 1
            self._start_asking()

    def _make(self, call: _Call) -> None:
        try:
            if len(call.lookups) == 1:
                self._ask_one(call.lookups[0])
            else:
                self._ask_many(call.lookups)
        finally:
            # It was killed for an earlier call, for which nobody waited, after that call had just ended.
            for lookup in call.lookups:
                if lookup.call is call and not lookup.result.ready() and lookup.waiters:
                    lookup.call = None
                    self._queue_of(lookup.id)[lookup.id] = lookup

    def _ask_one(self, lookup: _Lookup) -> None:
        try:
            name = self._calls.one(lookup.id)
        except (*_FAILS_ALL, TokenDead) as error:
            self._fail([lookup, *self._alone.values(), *self._again.values()], error)
        except GatewayError as error:
            self._failed_alone(lookup, error)
        except Exception as error:
            self._logger.exception("name_call_failed")  # a mistake of ours must not stop all lookups
            self._failed_alone(lookup, error)
        else:
            self._genesys_answered()
            self._answer(lookup, name)

    def _ask_many(self, lookups: Sequence[_Lookup]) -> None:
        try:
            names = self._calls.many([one.id for one in lookups])
        except _FAILS_ALL as error:
            self._fail(lookups, error)
        except (*BULK_REFUSALS, NoReply) as error:
            self._rest.begin(self._calls.kind, error)
            self._move_alone([*lookups, *self._together.values()])
        except TransientFailure as error:  # perhaps because of one of the ids
            self._logger.info("bulk_names_failed", kind=self._calls.kind, error=str(error), names=len(lookups))
            self._move_alone(lookups)
        except Exception:
            self._logger.exception("bulk_name_call_failed")
            self._move_alone(lookups)
        else:
            self._genesys_answered()
            for lookup in lookups:
                if lookup.id in names:
                    self._answer(lookup, names[lookup.id])
            self._move_alone([lookup for lookup in lookups if lookup.id not in names])

    def _move_alone(self, lookups: Iterable[_Lookup]) -> None:
        for lookup in lookups:
            self._forget(lookup)
            lookup.call = None
            if lookup.waiters:
                queue = self._again if lookup.id in self._failed else self._alone
                self._lookups[lookup.id] = queue[lookup.id] = lookup
        self._start_asking()

    def _answer(self, lookup: _Lookup, name: str | None) -> None:
        self._suspects.pop(lookup.id, None)
        self._forget(lookup)
        self._keep(lookup.id, name)
        lookup.result.set(name)

    def _failed_alone(self, lookup: _Lookup, error: Exception) -> None:
        """The call about this id alone failed."""
        if isinstance(error, PermanentFailure):  # that is an answer
            self._genesys_answered()
            self._suspect(lookup.id)
        elif not self._is_suspect(lookup.id):
            self._failed[lookup.id] = None
        self._fail([lookup], error)
        if self._genesys_fails:
            self._fail(self._waiting(), error)
            while len(self._failed) > MAX_SUSPECTS:
                self._failed.popitem(last=False)

    def _genesys_answered(self) -> None:
        """Ids whose own calls failed before this answer become suspects, unless so many failed that Genesys did."""
        failed, fails = list(self._failed), self._genesys_fails
        self._failed.clear()
        for one in failed:
            if not fails:
                self._suspect(one)

    def _suspect(self, one: str) -> None:
        self._suspects[one] = self._clock.monotonic() + SUSPECT_SECONDS
        self._suspects.move_to_end(one)
        while len(self._suspects) > MAX_SUSPECTS:
            self._suspects.popitem(last=False)

    def _fail(self, lookups: Iterable[_Lookup], error: Exception) -> None:
        for lookup in lookups:
            if not lookup.result.ready():
                self._forget(lookup)
                lookup.result.set_exception(error)

    def _leave(self, lookup: _Lookup) -> None:
        """The last caller has left: it is not asked about; a call is ended if nobody waits for any of its ids."""
        call = lookup.call
        if call is None:
            self._forget(lookup)
        elif not any(one.waiters for one in call.lookups):
            for one in call.lookups:
                self._forget(one)
            call.greenlet.kill(block=False)

    def _forget(self, lookup: _Lookup) -> None:
        for waiting in (self._lookups, self._together, self._alone, self._again):
            if waiting.get(lookup.id) is lookup:  # a later one of the same id may have taken its place
                del waiting[lookup.id]

    def _crashed(self, name: str, error: BaseException) -> None:
        """A mistake of ours ended a greenlet: no caller may wait for ever."""
        log.error("name_call_crashed", greenlet=name, exc_info=error)
        self._fail(list(self._lookups.values()), TransientFailure(f"{name} ended by a mistake"))


def _stopped() -> TransientFailure:
    return TransientFailure("this process stops")
