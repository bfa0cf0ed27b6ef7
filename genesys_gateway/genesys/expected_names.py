"""Fetches the names of agents who are talking now, before their events come, while there are calls to spare.

Invariant: bounded; no record waits for this, and a wanted name does not wait for it. A failure is forgotten: the name
is then looked up when it is wanted.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from gevent.greenlet import Greenlet

from genesys_gateway.genesys.client import MAX_NAMES
from genesys_gateway.genesys.name_queue import BULK_REFUSALS, BulkRest
from genesys_gateway.runtime.clock import HOUR_SECONDS, Clock
from genesys_gateway.runtime.errors import GatewayError
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog

#: Maximum number of ids remembered; the oldest is dropped first.
MAX_EXPECTED = 2_000
#: How long ids are gathered for one call, and the wait after a failure or while too many calls are in use; seconds.
GATHER_SECONDS = 5.0
#: How long an id that an answer left out is not asked about again, in seconds.
LEFT_OUT_SECONDS = HOUR_SECONDS
#: Share of the rate limit in use from which on no call is made.
SPARE_BELOW = 0.9

log = get_logger(__name__)


class ExpectedNames:
    """Agents whose names will be wanted soon.

    Args:
        fetch: The least urgent bulk call for names.
        keep: Called with each id and its name.
        needless: Whether an id needs no call: its name is known, or being looked up.
        used: Share of the rate limit in use now.
    """

    def __init__(
        self,
        *,
        fetch: Callable[[Sequence[str]], Mapping[str, str | None]],
        keep: Callable[[str, str | None], None],
        needless: Callable[[str], bool],
        clock: Clock,
        rest: BulkRest,
        used: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._keep = keep
        self._needless = needless
        self._clock = clock
        self._logger = SampledLog(log, self._clock)
        self._rest = rest
        self._used = used
        self._expected: OrderedDict[str, None] = OrderedDict()
        #: ids that an answer left out, and until when they are not asked about again (monotonic seconds)
        self._left_out: OrderedDict[str, float] = OrderedDict()
        #: ids of the call under way
        self._asked: Sequence[str] = ()
        self._fetcher: Greenlet[..., object] | None = None
        self._tasks = TaskGroup("names", _crashed)

    def add(self, ids: Iterable[str]) -> None:
        """Fetch these names soon, if calls are left. Returns at once."""
        if self._rest.lasts:
            return
        for one in ids:
            if one not in self._asked and not self._was_left_out(one) and not self._needless(one):
                self._expected[one] = None
        while len(self._expected) > MAX_EXPECTED:
            self._expected.popitem(last=False)
        self._start()

    def withdraw(self, one: str) -> None:
        """A record wants this name now, and it will be asked for at once: take it out, also of a call under way."""
        self._expected.pop(one, None)
        if one in self._asked and self._fetcher is not None:
            # The call may still wait for the rate limiter, behind everything else.
            for other in self._asked:
                if other != one:
                    self._expected[other] = None
            self._asked = ()
            self._fetcher.kill(block=False)

    def stop(self) -> None:
        """End the call under way: nobody waits for it."""
        self._expected.clear()
        self._tasks.stop(0)

    def _start(self) -> None:
        if self._expected and self._fetcher is None and not self._tasks.stopping:
            self._fetcher = self._tasks.spawn("expected", self._run)

    def _run(self) -> None:
        try:
            answered = True
            while self._expected:
                if len(self._expected) < MAX_NAMES or not answered or not self._calls_left():
                    self._clock.sleep(GATHER_SECONDS)
                if self._calls_left():
                    answered = self._ask()
        finally:  # this greenlet may have been killed because one of its names was wanted
            self._fetcher = None
            self._start()

    def _was_left_out(self, one: str) -> bool:
        until = self._left_out.get(one)
        return until is not None and self._clock.monotonic() < until

    def _leave_out(self, ids: Iterable[str]) -> None:
        """Bulk answers don't show these agents, perhaps for want of a permission: another one would not either."""
        self._left_out.update(dict.fromkeys(ids, self._clock.monotonic() + LEFT_OUT_SECONDS))
        while len(self._left_out) > MAX_EXPECTED:
            self._left_out.popitem(last=False)

    def _calls_left(self) -> bool:
        return self._used() < SPARE_BELOW

    def _ask(self) -> bool:
        """Ask for the next ids. Returns whether Genesys answered."""
        taken = [self._expected.popitem(last=False)[0] for _ in range(min(MAX_NAMES, len(self._expected)))]
        asked = self._asked = [one for one in taken if not self._needless(one)]
        if not asked:
            return True
        try:
            names = self._fetch(asked)
        except BULK_REFUSALS as error:
            self._rest.begin("user", error)
            self._expected.clear()
        except GatewayError as error:
            self._logger.info("expected_names_not_fetched", error=str(error), names=len(asked))
        else:
            for one, name in names.items():
                self._keep(one, name)
            self._leave_out(one for one in asked if one not in names)
            return True
        finally:
            self._asked = ()
        return False


def _crashed(name: str, error: BaseException) -> None:
    log.error("name_call_crashed", greenlet=name, exc_info=error)
