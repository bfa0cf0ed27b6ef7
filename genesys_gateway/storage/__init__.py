"""The database: runs jobs in transactions, on SQLite or PostgreSQL, and holds every SQL statement.

Invariant: ``Storage.run`` returns only after the commit, and a job uses nothing but its connection.

The files, in reading order:

    tables               the tables, the same for both databases
    triggers             count rows in the table tally
    engine               Storage: runs a job in a transaction
    commit_listener      callbacks about each commit, for the metrics
    joint_job            lets greenlets that want the same job run it once for all
    group_commit         lets the jobs of many greenlets share one transaction of SQLite
    sqlite               SQLite: one connection, owned by one thread
    sqlite_file          the database file: its path, its permissions, connections to it
    postgresql           PostgreSQL: a pool of connections, and one transaction for each job
    postgres_session     one connection to PostgreSQL; a server that can lose commits is refused
    replication          whether a failover of PostgreSQL can lose commits
    servers              finds the primary among the servers of DATABASE_URL
    connections          the engines of SQLAlchemy, for either database
    postgres_engine      those for PostgreSQL, whose driver need not be installed
    many_rows            statements for any number of rows
    noted                logs what a transaction wrote into timelines, after its commit
    portable             the differences between the SQL of the two databases
    statements           every SQL statement, one module for each use case
    migrate              creates and upgrades the tables
    migrations           the revisions of the tables, for Alembic
    file_lock            only one process may use a SQLite file
    instance_lock        the lock by which the others see that this process lives
    own_connection       the connection for the lease alone
    postgres_own_connection  the same on PostgreSQL: a session that holds the lock of the instance
    fence                no commit when this instance may have lost its lease
    backup               a copy of a SQLite file that is in use
    operator_session     database access for a person's command
"""

from sqlalchemy import Connection

from genesys_gateway.storage.engine import Storage
from genesys_gateway.storage.joint_job import JointJob
from genesys_gateway.storage.portable import NOT_STORABLE, database_now

__all__ = ["NOT_STORABLE", "Connection", "JointJob", "Storage", "database_now"]
