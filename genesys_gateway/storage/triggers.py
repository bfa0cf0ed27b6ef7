"""The triggers that count rows in the table ``tally``, for either database.

A trigger sees every change, also one made by hand or by a statement that is wrong. So ``accepted = followed + closed``
still compares two tables: each is counted by triggers of its own.

Invariant: a count changes in the transaction that changes the rows, and no session waits for another one to count.
"""

from sqlalchemy import Connection

from genesys_gateway.storage.tables import metadata

_SQLITE = (
    "INSERT INTO tally (session) VALUES (0)",
    "CREATE TRIGGER tally_registration_insert AFTER INSERT ON registration BEGIN"
    " UPDATE tally SET registrations = registrations + 1 WHERE session = 0; END",
    "CREATE TRIGGER tally_registration_delete AFTER DELETE ON registration BEGIN"
    " UPDATE tally SET registrations = registrations - 1 WHERE session = 0; END",
    "CREATE TRIGGER tally_conversation_insert AFTER INSERT ON conversation BEGIN"
    " UPDATE tally SET conversations = conversations + 1 WHERE session = 0; END",
    "CREATE TRIGGER tally_conversation_delete AFTER DELETE ON conversation BEGIN"
    " UPDATE tally SET conversations = conversations - 1 WHERE session = 0; END",
    "CREATE TRIGGER tally_entry_insert AFTER INSERT ON entry BEGIN UPDATE tally SET"
    " pending = pending + (NEW.state = 'pending'),"
    " dead = dead + (NEW.state = 'dead' AND NEW.erased_at IS NULL) WHERE session = 0; END",
    "CREATE TRIGGER tally_entry_update AFTER UPDATE OF state, erased_at ON entry"
    " WHEN OLD.state <> NEW.state OR (OLD.erased_at IS NULL) <> (NEW.erased_at IS NULL) BEGIN UPDATE tally SET"
    " pending = pending + (NEW.state = 'pending') - (OLD.state = 'pending'),"
    " dead = dead + (NEW.state = 'dead' AND NEW.erased_at IS NULL)"
    " - (OLD.state = 'dead' AND OLD.erased_at IS NULL) WHERE session = 0; END",
    "CREATE TRIGGER tally_entry_delete AFTER DELETE ON entry BEGIN UPDATE tally SET"
    " pending = pending - (OLD.state = 'pending'),"
    " dead = dead - (OLD.state = 'dead' AND OLD.erased_at IS NULL) WHERE session = 0; END",
)

_COUNT = (
    "CREATE FUNCTION tally_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN"
    " IF TG_OP = 'INSERT' THEN SELECT count(*) INTO n FROM added; ELSE SELECT -count(*) INTO n FROM removed; END IF;"
    " IF n <> 0 THEN INSERT INTO tally (session, {name}s) VALUES (pg_backend_pid(), n)"
    " ON CONFLICT (session) DO UPDATE SET {name}s = tally.{name}s + excluded.{name}s; END IF;"
    " RETURN NULL; END $$"
)
_ON_INSERT = (
    "CREATE TRIGGER tally_{name}_insert AFTER INSERT ON {name} REFERENCING NEW TABLE AS added"
    " FOR EACH STATEMENT EXECUTE FUNCTION tally_{name}()"
)
_ON_UPDATE = (
    "CREATE TRIGGER tally_{name}_update AFTER UPDATE ON {name} REFERENCING OLD TABLE AS removed NEW TABLE AS added"
    " FOR EACH STATEMENT EXECUTE FUNCTION tally_{name}()"
)
_ON_DELETE = (
    "CREATE TRIGGER tally_{name}_delete AFTER DELETE ON {name} REFERENCING OLD TABLE AS removed"
    " FOR EACH STATEMENT EXECUTE FUNCTION tally_{name}()"
)
#: Each session counts in a row of its own, so that two registrations never wait for each other's commit. Each statement
#: counts once, because to change one row thousands of times in a transaction takes quadratic time.
_POSTGRESQL = (
    "INSERT INTO tally (session) VALUES (0)",
    *(
        statement.format(name=name)
        for name in ("registration", "conversation")
        for statement in (_COUNT, _ON_INSERT, _ON_DELETE)
    ),
    "CREATE FUNCTION tally_entry() RETURNS trigger LANGUAGE plpgsql AS $$"
    " DECLARE p bigint := 0; d bigint := 0; q bigint := 0; e bigint := 0; BEGIN"
    " IF TG_OP <> 'DELETE' THEN"
    " SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'dead' AND erased_at IS NULL)"
    " INTO p, d FROM added; END IF;"
    " IF TG_OP <> 'INSERT' THEN"
    " SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'dead' AND erased_at IS NULL)"
    " INTO q, e FROM removed; END IF;"
    " IF p <> q OR d <> e THEN INSERT INTO tally (session, pending, dead) VALUES (pg_backend_pid(), p - q, d - e)"
    " ON CONFLICT (session) DO UPDATE"
    " SET pending = tally.pending + excluded.pending, dead = tally.dead + excluded.dead; END IF;"
    " RETURN NULL; END $$",
    *(statement.format(name="entry") for statement in (_ON_INSERT, _ON_UPDATE, _ON_DELETE)),
)


_STATEMENTS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}


def create_tables(connection: Connection) -> None:
    """Create all tables with their triggers, in a new database that is not migrated, such as one in memory."""
    metadata.create_all(connection)
    for statement in _STATEMENTS[connection.dialect.name]:
        connection.exec_driver_sql(statement)
