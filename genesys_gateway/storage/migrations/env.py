"""Run by Alembic: uses the connection, the lock and the transaction of ``storage.migrate``."""

from alembic import context
from sqlalchemy import Connection

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=True)
context.run_migrations()
