"""One connection to PostgreSQL: opened, limited in time, and checked before any job uses it.

Invariant: no job runs on a server that can lose commits when its power fails, or on one that was the primary before the
server that this process used last.
"""

import select
from typing import Any, ClassVar, TypeVar, cast

import psycopg
from gevent import monkey
from psycopg.abc import PQGen
from psycopg.errors import Diagnostic
from psycopg.waiting import READY_R, READY_W, WAIT_R, WAIT_RW, WAIT_W

from genesys_gateway.runtime.errors import UnsafeDatabase
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.storage import replication

log = get_logger(__name__)

V = TypeVar("V")

#: Share of the patience that a statement waits for a lock. So a lock that a person holds costs the job, but not the
#: connection, which is free for others earlier.
_LOCK_SHARE = 0.5

#: Reads whether the server keeps commits, and sets the time limits of a connection, and how the server plans: each
#: statement goes through an index, row by row. A plan is made once. Made while a table was small, it would read all of
#: the table, until the server counts the rows again. A table that has no index is read all the same; such a plan then
#: seems so costly that the server would compile it.
_SESSION = """
SELECT current_setting('fsync'), current_setting('synchronous_commit'),
       set_config('statement_timeout', %(statement)s, false), set_config('lock_timeout', %(lock)s, false),
       set_config('idle_in_transaction_session_timeout', %(idle)s, false),
       set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false), set_config('jit', 'off', false)
"""
#: The unpatched ``poll``: it returns at once and does not yield to the hub.
_native_poll = monkey.get_original("select", "poll")
_EVENTS = {WAIT_R: select.POLLIN, WAIT_W: select.POLLOUT, WAIT_RW: select.POLLIN | select.POLLOUT}


def _without_needless_waits(protocol: PQGen[V], fileno: int) -> PQGen[V]:
    """Wrap a generator of psycopg so that it waits for the socket only if the socket is not ready yet."""
    try:
        wanted = next(protocol)
        poll = _native_poll()
        while True:
            poll.register(fileno, _EVENTS[wanted])
            events = sum(event for _, event in poll.poll(0))
            ready = (READY_R if events & select.POLLIN else 0) | (READY_W if events & select.POLLOUT else 0)
            wanted = protocol.send(ready or (yield wanted))
    except StopIteration as end:
        return cast("V", end.value)


class Session(psycopg.Connection[Any]):
    """A connection that saves one turn of gevent's loop for each statement, and keeps the last warning of the server.

    The patched ``poll`` takes a turn even to find that a socket accepts bytes. While other greenlets are busy a turn
    takes milliseconds, and a job has many statements.
    """

    #: the server's last warning; a caller that wants to know about its own statement clears it before
    warning: str | None = None

    def wait(self, gen: PQGen[V], interval: float = 0.1, timeout: float | None = None) -> V:
        """Run a generator to its end; overrides psycopg's method."""
        return super().wait(_without_needless_waits(gen, self.pgconn.socket), interval, timeout)

    def keep_warnings(self) -> None:
        """From now on, keep the last warning."""
        self.add_notice_handler(self._keep)

    def _keep(self, notice: Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            self.warning = notice.message_primary


class SessionOpener:
    """Opens connections of one process to one database.

    Args:
        patience_seconds: How long a statement may take.
        idle_seconds: After how long without a statement the server ends a transaction.
        warns: Whether to log that a failover can lose commits.
    """

    #: The newest timeline that was seen of each cluster, by any connection of this process: if only one of them went
    #: back to an old primary, the lease and the work of an instance would be on two servers.
    _timelines: ClassVar[dict[str, int]] = {}

    def __init__(self, patience_seconds: float, idle_seconds: float, *, warns: bool = True) -> None:
        limits = {"statement": patience_seconds, "lock": patience_seconds * _LOCK_SHARE, "idle": idle_seconds}
        self._limits = {name: str(max(1, round(seconds * 1000))) for name, seconds in limits.items()}
        self._warns = warns
        #: the server about whose replication was warned last
        self._warned_about: tuple[str, int] | None = None

    def open(self, **options: Any) -> Session:
        """Open a connection to one server.

        Raises:
            UnsafeDatabase: ``fsync`` or ``synchronous_commit`` is off.
            psycopg.Error: The server can't be reached, or was the primary before another one that was used already.
        """
        session = Session.connect(**options)
        try:
            session.autocommit = True
            self._limit(session)
            self._look_around(session)
            session.autocommit = False
            session.keep_warnings()
        except BaseException:
            session.close()
            raise
        return session

    def _limit(self, session: Session) -> None:
        row = session.execute(_SESSION, self._limits).fetchone()
        if row is None or "off" in row[:2]:
            raise UnsafeDatabase("PostgreSQL runs with fsync=off or synchronous_commit=off; turn both on")

    def _look_around(self, session: Session) -> None:
        try:
            row = session.execute(replication.QUERY).fetchone()
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedObject) as error:
            # A hosted server may hide its administration. Nothing depends on these answers while all is well.
            log.debug("server_not_described", error=str(error))
            return
        found = replication.of_row(cast("replication.Row", row))
        if found.timeline is not None:
            self._require_newest(found.cluster, found.timeline)
        self._warn_about(found, (session.info.host, session.info.port))

    def _require_newest(self, cluster: str, timeline: int) -> None:
        newest = self._timelines.get(cluster, timeline)
        if timeline < newest:
            raise psycopg.OperationalError(f"an old primary: its timeline is {timeline}, but {newest} was used already")
        self._timelines[cluster] = timeline

    def _warn_about(self, found: replication.Replication, server: tuple[str, int]) -> None:
        weakness = found.weakness()
        if weakness is None:
            # A standby may be connected later, or again, and then this is said once more.
            self._warned_about = None
        elif self._warns and server != self._warned_about:
            self._warned_about = server
            log.warning("replication_is_asynchronous", standbys=found.standbys, reason=weakness)
