"""Looks again and again at what is wrong, and has the answer ready for everybody who asks.

Invariant: all who ask read the same list: the dashboard, the interface, the command and the log. Looking takes no lock
that work waits for, and an answer is never delayed by more than a second, even if the database does not answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

import gevent
from gevent.event import Event

from genesys_gateway.oversight.codes import OF_THE_SERVICE, merged, trouble
from genesys_gateway.oversight.debounce import Debounce
from genesys_gateway.oversight.finding import Code, Finding
from genesys_gateway.oversight.report import Report, from_json, to_json
from genesys_gateway.oversight.status import ChannelStatus, Promise, Status, Trouble
from genesys_gateway.oversight.survey import Survey, findings, still_so, survey
from genesys_gateway.runtime.errors import StorageUnavailable, TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.runtime.single_flight import SingleFlight
from genesys_gateway.storage import Storage

log = get_logger(__name__)

#: Longest time between two looks, in seconds, and as a share of the lease.
_PERIOD_SECONDS, _PERIOD_SHARE = 2.0, 1 / 10
#: Time between two looks while something is kept back that may be a trouble.
_SOON_SECONDS = 1.0
#: How old an answer may be, and how long a caller waits for a newer one, in seconds.
_FRESH_SECONDS, PATIENCE_SECONDS = 1.0, 1.0
#: After so many seconds a look at the database has failed.
_LOOK_SECONDS = 4.0

_NOTHING = Status(
    at=0,
    looked_at=0,
    known=False,
    promise=Promise(accepted=0, followed=0, closed=0, unaccounted=0),
    backlog=0,
    dead=0,
    uncovered=0,
    released=0,
    troubles=(),
    instances=(),
    channels=(),
)


class Watch:
    """The greenlet that looks, and its latest answer.

    Args:
        own: What this instance knows to be wrong now; must not wait.
        channels: The channels of this instance; must not wait.
        shared: Whether other instances may use the same database.
        lease_seconds: How long the lease of an instance lasts.
        patience_seconds: How long a caller waits for a look.
    """

    def __init__(
        self,
        storage: Storage,
        runtime: Runtime,
        *,
        identity: Identity,
        own: Callable[[], list[Finding]],
        channels: Callable[[], Sequence[ChannelStatus]],
        shared: bool,
        lease_seconds: float,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._storage = storage
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._logger = SampledLog(log, self._clock)
        self._identity = identity
        self._own = own
        self._channels = channels
        self._shared = shared
        self._patience_seconds = patience_seconds
        self._period = min(_PERIOD_SECONDS, lease_seconds * _PERIOD_SHARE)
        self._flight: SingleFlight[str, bool] = SingleFlight("watch")
        self._debounce = Debounce()
        self._status = _NOTHING
        self._looked_at: float | None = None  # monotonic seconds
        self._survey: Survey | None = None  # the latest that succeeded
        self._shown: dict[Code, int] = {}  # troubles of the latest status, and since when
        self._failing_since: int | None = None  # epoch milliseconds
        self._opened = False
        self._looked_opened = False  # whether the latest look began after that
        self._not_opened: str | None = None
        self._stopped = False
        self._draining = False
        self._news = Event()  # set, and replaced, by each look

    @property
    def draining(self) -> bool:
        """Whether this process is about to stop, so that nobody should wait for news here."""
        return self._draining

    def opened(self) -> None:
        """Note that the database is open: from now on it is looked at."""
        self._opened = True

    def not_opened(self) -> None:
        """Note that the database could not be opened; the log says why."""
        self._not_opened = "it can't be opened"

    def drain(self) -> None:
        """End all waits for news; further ones end at once."""
        self._draining = True
        self._news.set()

    def run(self, tasks: TaskGroup) -> None:
        """Look at intervals until the group stops."""
        while not tasks.stopping:
            if self._age() >= self._period / 2:
                self._look_in_time()
            tasks.wait(min(self._period, _SOON_SECONDS) if self._debounce.waiting else self._period)

    def stop(self, seconds: float) -> list[str]:
        """Look no longer; the latest answer stays.

        Returns:
            The names of the greenlets that did not end within ``seconds``.
        """
        self._stopped = True
        self.drain()
        return self._flight.stop(seconds)

    def status(self) -> Status:
        """The state of everything, about a second old at most unless the database is slow or does not answer.

        It takes about a second at most; once the database is open and before its figures are known, a few seconds.
        """
        patience = self._patience_seconds if self._status.known else _LOOK_SECONDS
        if self._age() > _FRESH_SECONDS or self._looked_opened != self._opened:
            self._looked_within(patience)
        if self._looked_opened != self._opened:  # that look was under way when the database was opened
            self._looked_within(patience)
        return self._status

    def wait(self, after: int, seconds: float) -> Status | None:
        """Wait for a status with a later ``looked_at`` than ``after``. None if none came in time, or during a drain."""
        deadline = self._clock.monotonic() + seconds
        while self._status.looked_at <= after:
            left = deadline - self._clock.monotonic()
            if left <= 0 or self._draining:
                return None
            self._news.wait(left)
        return self._status

    def _age(self) -> float:
        return float("inf") if self._looked_at is None else self._clock.monotonic() - self._looked_at

    def _look_in_time(self) -> None:
        """Look; if the database does not answer soon, tell that, while the look goes on."""
        if not self._looked_within(_LOOK_SECONDS):
            self._failed(f"no answer in {_LOOK_SECONDS:.0f} s")

    def _looked_within(self, seconds: float) -> bool:
        """Look, or wait for the look under way. False if it is still under way after so many seconds."""
        if self._stopped:
            return True
        try:
            return gevent.with_timeout(seconds, self._flight.do, "look", self._look, timeout_value=False)
        except TransientFailure:
            return True  # stopped meanwhile

    def _look(self) -> bool:
        """Look; if that goes wrong in a way that nobody foresaw, the last answer stays until the next look."""
        try:
            self._look_around()
        except Exception as error:
            self._logger.exception("look_failed", error=type(error).__name__)
            self._looked_at = self._clock.monotonic()
        return True

    def _look_around(self) -> None:
        self._looked_opened = self._opened
        if not self._opened:
            self._failed(self._not_opened)
            return
        me = self._identity.id
        mine = Report(findings=tuple(self._own()), channels=tuple(self._channels()), shown=self._shown)
        try:
            found = self._storage.run(partial(survey, report=(me, to_json(mine)) if self._shared else None))
        except StorageUnavailable as error:
            self._failed(str(error))
            return
        self._survey, self._failing_since = found, None
        others = [from_json(text) for one, text in sorted(found.reports.items()) if one != me]
        self._show(found, [mine, *others])

    def _show(self, known: Survey, reports: Sequence[Report]) -> None:
        """Put together what all instances say and what the database told."""
        said = merged(still_so(chain.from_iterable(report.findings for report in reports), known))
        waiting = sum(_waiting(one) for one in said if one.code == "channels_full")
        shown = _earliest(report.shown for report in reports)
        found = merged([*said, *findings(known, waiting=waiting)])
        settled = self._debounce.settled(found, shown=shown, now=self._clock.monotonic())
        channels = tuple(one for report in reports for one in report.channels)
        self._publish(_lasting(settled, shown), _figures(self._status, known, self._clock.now()), channels)

    def _failed(self, reason: str | None) -> None:
        """Tell what is known without the database: what was read last, and what is wrong here."""
        known = self._survey
        found = list(self._own() if known is None else still_so(self._own(), known))
        if reason is not None:
            if self._failing_since is None:
                self._failing_since = self._clock.now()
            found.append(Finding(code="disk_refuses", since=self._failing_since, facts={"error": reason}))
        if known is not None:
            found += [one for one in findings(known, waiting=0) if one.code in self._shown]
        self._publish(_lasting(merged(found), self._shown), self._status, tuple(self._channels()))

    def _publish(self, lasting: Sequence[Finding], status: Status, channels: tuple[ChannelStatus, ...]) -> None:
        figures = _named(status)
        troubles = tuple(trouble(one, figures) for one in lasting)
        now = self._clock.now()
        self._log(troubles, now)
        self._shown = {one.code: one.since for one in lasting}
        looked_at = max(now, self._status.looked_at + 1)
        self._status = replace(status, looked_at=looked_at, troubles=troubles, channels=channels)
        self._metrics.show_troubles(self._shown)
        self._metrics.show_instances(one.state for one in status.instances)
        self._looked_at = self._clock.monotonic()
        news, self._news = self._news, Event()
        news.set()

    def _log(self, found: Sequence[Trouble], now: int) -> None:
        for one in found:
            if one.code not in self._shown:
                log.warning("trouble_began", code=one.code, text=one.text, advice=one.advice)
        still = {one.code for one in found}
        for code, since in self._shown.items():
            if code not in still:
                log.info("trouble_ended", code=code, seconds=round(max(0, now - since) / 1000, 1))


def _lasting(found: Iterable[Finding], shown: Mapping[Code, int]) -> list[Finding]:
    """The same findings, each since it was first shown without a break."""
    return [replace(one, since=min(one.since, shown.get(one.code, one.since))) for one in found]


def _earliest(shown: Iterable[Mapping[Code, int]]) -> dict[Code, int]:
    result: dict[Code, int] = {}
    for one in shown:
        for code, since in one.items():
            result[code] = min(since, result.get(code, since))
    return result


def _waiting(one: Finding) -> int:
    """How many conversations wait for a place, or just got one; 0 for what is told in no numbers."""
    lasting = one.facts.get("lasting")
    return lasting if isinstance(lasting, int) else 0


def _named(status: Status) -> Mapping[str, int | str]:
    """The figures of the whole service by the names that sentences use."""
    if not status.known:
        return dict.fromkeys(OF_THE_SERVICE, "an unknown number of")
    promise = status.promise
    return {
        "backlog": status.backlog,
        "accepted": promise.accepted,
        "followed": promise.followed,
        "closed": promise.closed,
    }


def _figures(before: Status, known: Survey, read_at: int) -> Status:
    balance = known.balance
    return replace(
        before,
        at=read_at,
        known=True,
        promise=Promise(
            accepted=balance.accepted,
            followed=balance.followed,
            closed=balance.closed,
            unaccounted=balance.unaccounted,
        ),
        backlog=known.backlog,
        dead=known.dead,
        uncovered=balance.uncovered,
        released=balance.released,
        instances=known.instances,
    )
