"""The database: one way to run a job in a transaction, on SQLite or PostgreSQL, and every SQL statement.

Invariant: ``Storage.run`` returns only after the commit, and a job uses nothing but its connection.

The files, in reading order:

    tables               the tables, the same for both databases
    engine               Storage: runs a job in a transaction
    group_commit         many jobs of one process share a transaction
    sqlite               SQLite: one connection, owned by one thread
    sqlite_file          the database file: its path and its permissions
    postgresql           PostgreSQL: a pool, and settings that would lose commits are refused
    portable             what the two databases spell differently
    statements           every SQL statement, one module for each use case
    migrate              creates and upgrades the tables
    migrations           the steps of that, for Alembic
    file_lock            one process for one SQLite file
    operator_session     a person's command beside the running gateway
"""

from sqlalchemy import Connection

from genesys_gateway.storage.engine import Storage
from genesys_gateway.storage.portable import NOT_STORABLE, database_now, insert_for

__all__ = ["NOT_STORABLE", "Connection", "Storage", "database_now", "insert_for"]
