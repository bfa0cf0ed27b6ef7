"""The disk: tables, migrations, and one way to run a job in a transaction on SQLite or PostgreSQL."""

from genesys_gateway.storage.engine import Storage
from genesys_gateway.storage.portable import database_now, insert_for

__all__ = ["Storage", "database_now", "insert_for"]
