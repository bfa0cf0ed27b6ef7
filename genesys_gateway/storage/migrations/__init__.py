"""The environment in which Alembic makes and changes the tables."""
