"""A terminal in which commands are typed, beside a database and without a gateway."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from sqlalchemy import Connection

from genesys_gateway.commands.cli import main
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage.operator_session import OperatorSession
from tests.doubles import stored_rows as stored

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
RECORD = "e2140ffa-0d7f-5d52-8cb9-11f2c5939144"
SECOND = "8b0a29f1-efd8-5c0d-bd7e-6431455a0cac"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


class Terminal:
    """Runs commands with DATABASE_URL set and nothing else.

    Args:
        folder: Gets a copy of the database.
        migrated: A SQLite file with empty tables.
    """

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.path = folder / "gateway.db"
        self.environ = {"DATABASE_URL": f"sqlite:///{self.path}"}
        shutil.copy(migrated, self.path)

    def type(self, *words: str, given: str = "") -> Result:
        """Run a command; ``given`` is its stdin."""
        return CliRunner().invoke(main, words, input=given, env=self.environ)

    def json(self, *words: str, code: int = 0) -> Any:
        """The JSON that a command prints; its exit code is asserted to be ``code``."""
        result = self.type(*words, "--json")
        assert (result.exit_code, result.stderr) == (code, "")
        return json.loads(result.stdout)

    def at_the_database(self, job: Callable[[Connection], Any]) -> Any:
        with OperatorSession(self.environ["DATABASE_URL"], SystemClock()) as session:
            return session.write(job)

    def store(self, *rows: dict[str, Any]) -> None:
        """Store conversations and entries."""
        for row in rows:
            put = stored.put_entries if "conversation_id" in row else stored.put_conversations
            self.at_the_database(partial(_put, put, row))

    def entry(self, record_id: str) -> Any:
        return self.at_the_database(lambda c: stored.get_entry(c, record_id))


def _put(put: Callable[..., None], row: dict[str, Any], connection: Connection) -> None:
    put(connection, row)
