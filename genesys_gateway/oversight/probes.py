"""Asks every few seconds about troubles that no other part would ask about again: disk, login, forbidden views.

Invariant: a probe changes nothing, and none waits for another. What an answer means is noted by the part that asked.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC

from genesys_gateway.genesys import Genesys, Tokens
from genesys_gateway.reconciliation import Inquiry
from genesys_gateway.reconciliation.availability import PROBE_SECONDS
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import PermanentFailure, StorageUnavailable, TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.storage import Storage

log = get_logger(__name__)

#: Seconds between two looks at the database.
_DISK_SECONDS = 2.0
#: Seconds after which a database that does not answer counts as one that refuses.
_DISK_PATIENCE = 3.0
#: Seconds between two looks at the token and its assertion, and at least while the login host fails.
_LOGIN_SECONDS, _LEAST_SECONDS = 4.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskTrouble:
    """Why commits fail, and since when."""

    #: monotonic seconds
    since: float
    #: why, in words without names of hosts and files
    error: str


class DiskProbe:
    """Commits a write that changes nothing, and tests whether the disk takes more.

    Args:
        clock: Only its monotonic time is used.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._trouble: DiskTrouble | None = None
        #: when the look began that is under way, in monotonic seconds
        self._looking_since: float | None = None

    @property
    def trouble(self) -> DiskTrouble | None:
        """Why commits fail, by the latest look or because that gets no answer; None if they succeed."""
        began = self._looking_since
        if self._trouble is None and began is not None and self._clock.monotonic() - began >= _DISK_PATIENCE:
            return DiskTrouble(since=began, error="no answer in time")
        return self._trouble

    def look(self) -> None:
        """Look once. It may take as long as a job of the storage, or as long as the disk hangs."""
        began = self._looking_since = self._clock.monotonic()
        try:
            self._storage.probe()
        except StorageUnavailable as error:
            since = began if self._trouble is None else self._trouble.since
            self._trouble = DiskTrouble(since=since, error=_words(error))
        else:
            self._trouble = None
        finally:
            self._looking_since = None


class Probes:
    """The greenlets that ask.

    Args:
        disk: Looks at the database.
        clock: Only its monotonic time is used.
    """

    def __init__(self, disk: DiskProbe, tokens: Tokens, genesys: Genesys, inquiry: Inquiry, clock: Clock) -> None:
        self._logger = SampledLog(log, clock)
        self._disk = disk
        self._tokens = tokens
        self._genesys = genesys
        self._inquiry = inquiry

    def start(self, tasks: TaskGroup) -> None:
        """Start asking, until the group stops."""
        tasks.spawn("disk-probe", self._repeat, tasks, lambda: _DISK_SECONDS, self._disk.look)
        tasks.spawn("login-probe", self._repeat, tasks, self._until_login, self.ask_for_token)
        tasks.spawn("permission-probe", self._repeat, tasks, lambda: PROBE_SECONDS / 4, self._inquiry.ask_forbidden)

    def ask_for_token(self) -> None:
        """Have the token renewed if it is due, and check that there is something to renew it with."""
        with suppress(PermanentFailure, TransientFailure):  # the token's trouble tells of it
            self._tokens.current()
            if self._tokens.rejected:
                self._genesys.count_channels()  # only a call shows whether Genesys accepts it
        self._tokens.check_renewal()

    def _until_login(self) -> float:
        """Seconds until the next look at the token: soon after the login host may be asked again."""
        left = self._tokens.seconds_until_retry()
        return min(_LOGIN_SECONDS, max(_LEAST_SECONDS, left)) if left > 0 else _LOGIN_SECONDS

    def _repeat(self, tasks: TaskGroup, seconds: Callable[[], float], action: Callable[[], None]) -> None:
        while not tasks.stopping:
            try:
                action()
            except Exception as error:
                # A probe only finds out what operators are told; no error of one may end the process.
                self._logger.exception("probe_failed", error=type(error).__name__)
            tasks.wait(seconds())


def _words(error: StorageUnavailable) -> str:
    cause = error.__cause__
    text = str(getattr(cause, "orig", cause))
    if getattr(cause, "errno", None) in (ENOSPC, EDQUOT) or "disk is full" in text or "No space left" in text:
        return "the disk is full"
    return str(error)
