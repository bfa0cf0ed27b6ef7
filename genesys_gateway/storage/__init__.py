"""The disk: tables, migrations, and one way to run a job in a transaction on SQLite or PostgreSQL."""

from sqlalchemy import Connection

from genesys_gateway.storage.engine import Storage
from genesys_gateway.storage.portable import NOT_STORABLE, database_now, insert_for

__all__ = ["NOT_STORABLE", "Connection", "Storage", "database_now", "insert_for"]
