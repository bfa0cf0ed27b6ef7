"""Holds the lease of this instance: while it lasts, the instance owns its conversations and its channels.

Invariant: an instance whose lease another one has declared ended closes all its sockets before it enters again, under a
new id. Another instance is declared ended only if its process is certainly gone, or if its lease is over and it has not
renewed it for a whole lease as seen from here. Nothing has to be written for a lease to end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import gevent

from genesys_gateway.maintenance.lease_watch import LeaseWatch
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.process import is_gone
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.storage import Connection, database_now
from genesys_gateway.storage.fence import Fence
from genesys_gateway.storage.own_connection import OwnConnection
from genesys_gateway.storage.statements import instances
from genesys_gateway.storage.statements.instances import Peers

log = get_logger(__name__)

#: Time between two renewals, and between two attempts while they fail, as shares of the lease.
_PERIOD, _RETRY = 1 / 3, 1 / 20
#: Longest time between two attempts, in seconds.
_MOST_RETRY_SECONDS = 1.0
#: Share of the heartbeat after the end of the lease at which an instance gives up its sockets. After a whole one others
#: may use their places in the budget.
_GIVE_UP_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a lease is about."""

    #: how long it lasts without renewal
    seconds: float
    #: silence after which a socket is dead
    heartbeat_seconds: float
    #: names the OAuth client of this instance
    client: str
    #: where this instance listens, and under which kernel; None if another one may listen there, too
    endpoint: str | None
    #: names the process, as :mod:`genesys_gateway.runtime.process` does
    process: str | None
    #: whether this process holds the lock of a SQLite file, so that no other instance runs
    alone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseListener:
    """The callbacks of the lease."""

    #: the lease is lost: close all sockets; may take a second
    lost: Callable[[], None]
    #: whether a loss of coverage waits to be stored, for longer than so many seconds; must not wait
    loss_waits: Callable[[float], bool]
    #: other instances may have left work for this one; must not wait
    look: Callable[[], None]
    #: the time of the database (epoch milliseconds), which was read between these two monotonic times; must not wait
    told_time: Callable[[int, float, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Renewal:
    peers: Peers
    #: ids of instances that were declared ended
    ended: list[str]


class Lease:
    """The row of this instance and its renewal.

    Args:
        connection: Used by the lease alone.
        clock: Only its monotonic time is used.
        identity: The id of this instance, which the lease renews when it is lost.
        fence: Opened by each renewal.
    """

    def __init__(
        self,
        connection: OwnConnection,
        clock: Clock,
        terms: Terms,
        *,
        identity: Identity,
        fence: Fence,
        listener: LeaseListener,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._terms = terms
        self._lease_ms = round(terms.seconds * 1000)
        self._identity = identity
        self._fence = fence
        self._listener = listener
        self._watch = LeaseWatch(terms.seconds)
        self._logger = SampledLog(log, clock)
        self._renewed_at = -inf  # monotonic seconds
        self._former: str | None = None  # the id under which the lease was lost, until it is entered again
        self._peers = Peers(others=0, running=0, on_client=0)

    @property
    def peers(self) -> Peers:
        """The other instances, as they were at the latest renewal."""
        return self._peers

    def left_seconds(self) -> float:
        """How long the lease lasts without another renewal; 0 without one."""
        return max(0.0, self._renewed_at + self._terms.seconds - self._clock.monotonic())

    def enter(self) -> None:
        """Begin the lease. A repetition is harmless.

        Raises:
            StorageUnavailable: The lease may have begun or not; try again.
        """
        began = self._clock.monotonic()
        self._connection.hold(self._identity.id)
        renewal = self._connection.run(self._enter)
        if renewal is None:
            self._identity.renew()
            raise StorageUnavailable("the lease ended before it was known to have begun")
        self._former = None
        self._succeeded(began, renewal)

    def run(self, tasks: TaskGroup) -> None:
        """Renew three times in each lease until the group stops."""
        pause = self._terms.seconds * _PERIOD
        while True:
            hinted = self._connection.wait(tasks, pause)
            if tasks.stopping:
                return
            if hinted:
                self._listener.look()
                left = self._renewed_at + self._terms.seconds * _PERIOD - self._clock.monotonic()
                if left > 0 and self._connection.connected_since < inf:
                    pause = left
                    continue
            if self._step():
                pause = min(self._terms.seconds * _PERIOD, self._until_next_suspect())
            else:
                pause = min(_MOST_RETRY_SECONDS, self._terms.seconds * _RETRY)

    def renew(self) -> bool:
        """Begin the time of the lease anew. False if another instance has declared it ended.

        Raises:
            StorageUnavailable: It may have been renewed or not.
        """
        began = self._clock.monotonic()
        renewal = self._connection.run(self._renew)
        if renewal is None:
            return False
        self._succeeded(began, renewal)
        return True

    def leave(self, seconds: float) -> None:
        """End the lease within ``seconds``, if it has begun: other instances may adopt the conversations at once."""
        if self._renewed_at == -inf:
            return
        error = gevent.with_timeout(seconds, self._leave, timeout_value="the database is too slow")
        if error is not None:
            log.warning("lease_not_ended", error=error)  # it ends by itself

    def close(self) -> None:
        """Close the connection of the lease."""
        self._connection.close()

    def _step(self) -> bool:
        """Renew, or enter again. False if that failed."""
        try:
            if self._former is None and not self.renew():
                log.error("lease_lost", instance=self._identity.id)
                self._lose()
            if self._former is not None:
                self.enter()
                log.info("lease_entered_again", instance=self._identity.id)
        except StorageUnavailable as error:
            self._failed(error)
            return False
        return True

    def _failed(self, error: StorageUnavailable) -> None:
        self._logger.warning("lease_not_renewed", error=str(error))
        silent = self._clock.monotonic() - self._renewed_at
        longest = self._terms.seconds + self._terms.heartbeat_seconds * _GIVE_UP_SHARE
        if self._former is None and self._peers.on_client and silent > longest:
            log.error("lease_given_up", instance=self._identity.id, seconds=round(silent, 1))
            self._lose()

    def _lose(self) -> None:
        """Close the sockets; from now on this process has another id."""
        self._fence.close()
        self._listener.lost()
        self._former = self._identity.id
        self._identity.renew()

    def _leave(self) -> str | None:
        """End the lease; returns why that failed, if so."""
        mine = self._former or self._identity.id
        try:
            self._connection.run(lambda connection: instances.leave(connection, mine))
        except StorageUnavailable as error:
            return str(error)
        return None

    def _until_next_suspect(self) -> float:
        left = self._watch.next_suspect_at() - self._clock.monotonic()
        return max(self._terms.seconds * _RETRY, left)

    def _succeeded(self, began: float, renewal: _Renewal) -> None:
        self._fence.renewed(began)
        self._logger.over()
        self._renewed_at = began
        self._peers = renewal.peers
        if renewal.ended:
            log.warning("instances_ended", instances=renewal.ended)
        self._listener.look()

    def _enter(self, connection: Connection) -> _Renewal | None:
        self._tell_time(connection)
        if self._terms.alone:
            instances.end_all_leases(connection)
        if self._former is not None:
            instances.leave(connection, self._former)
        mine, terms = self._identity.id, self._terms
        named = {"client": terms.client, "endpoint": terms.endpoint, "process": terms.process}
        if not instances.enter(connection, mine, self._lease_ms, **named):
            return None
        return self._renewal(connection)

    def _renew(self, connection: Connection) -> _Renewal | None:
        self._tell_time(connection)
        # After the fence was closed nothing is certain before all losses of that time are stored.
        patience = self._terms.heartbeat_seconds if self._fence.open else 0.0
        covers = not self._listener.loss_waits(patience)
        if not instances.renew(connection, self._identity.id, self._lease_ms, covers=covers):
            return None
        return self._renewal(connection)

    def _renewal(self, connection: Connection) -> _Renewal:
        mine, terms = self._identity.id, self._terms
        ended = instances.declare_proven(connection, mine, terms.endpoint, is_gone=is_gone)
        now = self._clock.monotonic()
        self._watch.look(instances.leases_of_others(connection, mine), now)
        if suspects := self._watch.suspects(now):
            ended += instances.declare_lapsed(connection, suspects)
        return _Renewal(peers=instances.peers(connection, mine, terms.client), ended=ended)

    def _tell_time(self, connection: Connection) -> None:
        asked = self._clock.monotonic()
        now = database_now(connection)
        self._listener.told_time(now, asked, self._clock.monotonic())
