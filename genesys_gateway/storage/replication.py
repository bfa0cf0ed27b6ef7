"""Tells whether a failover of PostgreSQL can lose what was committed.

A commit that returns is on the primary's disk. It survives the loss of the primary only if the server waits for a
standby as well, and it does so only if an administrator has set it up.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

#: Reads what an ordinary user may see. Without the role pg_monitor the state of a standby is hidden, its row is not. A
#: subscriber of logical replication reads the same log, but no failover goes to it.
QUERY = """
SELECT (SELECT count(*) FROM pg_stat_replication AS standby
        WHERE coalesce(standby.state, 'streaming') = 'streaming' AND NOT EXISTS (
            SELECT FROM pg_replication_slots AS slot
            WHERE slot.active_pid = standby.pid AND slot.slot_type = 'logical')),
       current_setting('synchronous_standby_names'), current_setting('synchronous_commit'),
       (SELECT system_identifier::text FROM pg_control_system()),
       CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END
"""
#: What it returns.
Row = tuple[int, str, str, str, str | None]

#: Values of synchronous_commit with which a commit waits for the disk of a standby.
_WAITS = ("on", "remote_apply")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """How the server replicates now."""

    #: number of standbys that are connected
    standbys: int
    #: which standbys a commit waits for; empty: for none
    synchronous_standby_names: str
    #: what a commit of this session waits for
    synchronous_commit: str
    #: which servers have the same data, or had it once
    cluster: str
    #: each promotion of a standby begins the next one; None on a standby
    timeline: int | None

    def weakness(self) -> str | None:
        """Why a failover can lose commits; None if it can't, or if there is no standby to fail over to."""
        if not self.standbys:
            return None
        if not self.synchronous_standby_names.strip():
            return "synchronous_standby_names is empty, so no commit waits for a standby"
        if self.synchronous_commit not in _WAITS:
            return f"synchronous_commit is {self.synchronous_commit}, so no commit waits for the disk of a standby"
        return None


def of_row(row: Row) -> Replication:
    """Read a row of :data:`QUERY`."""
    standbys, names, commit, cluster, timeline = row
    return Replication(
        standbys=standbys,
        synchronous_standby_names=names,
        synchronous_commit=commit,
        cluster=cluster,
        timeline=None if timeline is None else int(timeline, 16),
    )


def read(connection: Connection) -> Replication:
    """Read how the server replicates now."""
    standbys, names, commit, cluster, timeline = connection.exec_driver_sql(QUERY).one()
    return of_row((standbys, names, commit, cluster, timeline))
