"""Fixtures for tests of the commands: terminals beside databases of different content."""

from pathlib import Path

import pytest

from genesys_gateway.storage.migrate import migrate
from tests.doubles import stored_rows as stored
from tests.doubles.terminal import CONVERSATION, RECORD, SECOND, Terminal


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that tests copy."""
    path = tmp_path_factory.mktemp("commands") / "gateway.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def terminal(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal beside an empty database."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return Terminal(tmp_path, migrated)


@pytest.fixture
def full(terminal: Terminal) -> Terminal:
    """A conversation with a delivered record and a dead one."""
    terminal.store(
        stored.conversation_row(CONVERSATION),
        stored.entry_row(SECOND, CONVERSATION),
        stored.dead_row(RECORD, CONVERSATION),
    )
    return terminal
