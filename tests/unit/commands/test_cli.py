"""What all commands have in common: exit codes, usage errors, and that nothing personal is printed unasked."""

import pytest

from tests.doubles.stored_rows import CUSTOMER, PERSONAL
from tests.doubles.terminal import CONVERSATION, RECORD, Terminal

#: A call of each command that reads the database.
READING = (
    ("why", CONVERSATION),
    ("dead-letters", "list"),
    ("dead-letters", "show", RECORD),
    ("dead-letters", "requeue", "--all"),
    ("erase", "--customer", CUSTOMER),
)


@pytest.mark.parametrize("words", READING)
def test_nothing_personal_is_printed_unasked(full: Terminal, words: tuple[str, ...]) -> None:
    for more in ((), ("--json",)):
        result = full.type(*words, *more)
        assert not [value for value in PERSONAL if value in result.output]


@pytest.mark.parametrize("words", READING)
def test_a_missing_database_is_said_and_not_made(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.path.unlink()

    result = terminal.type(*words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "gateway.db can't be used" in result.stderr
    assert not terminal.path.exists()


def test_tables_that_can_not_be_made_are_misuse_as_for_every_command(terminal: Terminal) -> None:
    (terminal.path.parent / "file").touch()
    terminal.environ["DATABASE_URL"] = f"sqlite:///{terminal.path.parent}/file/gateway.db"

    result = terminal.type("migrate")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


@pytest.mark.parametrize("words", READING)
def test_a_database_url_that_is_none_is_misuse_and_not_repeated(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.environ["DATABASE_URL"] = "mysql://somebody:secret@db/x"

    result = terminal.type(*words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "DATABASE_URL must start with" in result.stderr
    assert "secret" not in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("why",),
        ("why", "nonsense"),
        ("why", CONVERSATION.replace("-", "")),
        ("dead-letters", "show"),
        ("dead-letters", "show", "1"),
        ("dead-letters", "list", "--limit", "0"),
        ("dead-letters", "requeue"),
        ("dead-letters", "requeue", RECORD, "--all"),
        ("dead-letters", "requeue", "--all", "--reason", "x"),
        ("dead-letters", "nonsense"),
        ("erase",),
        ("erase", "--customer", "nonsense"),
        ("nonsense",),
    ],
)
def test_misuse_is_told_with_code_2(full: Terminal, words: tuple[str, ...]) -> None:
    result = full.type(*words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage:" in result.stderr
