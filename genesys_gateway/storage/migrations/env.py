"""Run by Alembic: takes the connection, the lock and the transaction of ``storage.migrate`` as they are."""

from alembic import context
from sqlalchemy import Connection

connection = context.config.attributes["connection"]
assert isinstance(connection, Connection)  # noqa: S101 - nobody but storage.migrate starts this
context.configure(connection=connection, transactional_ddl=True)
context.run_migrations()
