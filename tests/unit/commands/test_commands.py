"""The commands of a person beside the gateway: what they print, what they hide, and how they exit."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection

from genesys_gateway.commands.cli import main
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.operator_session import OperatorSession
from tests.doubles import stored_rows as stored
from tests.doubles.stored_rows import CUSTOMER, DAY, NOW, PERSONAL

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
RECORD = "e2140ffa-0d7f-5d52-8cb9-11f2c5939144"
SECOND = "8b0a29f1-efd8-5c0d-bd7e-6431455a0cac"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
READING = (
    ("why", CONVERSATION),
    ("dead-letters", "list"),
    ("dead-letters", "show", RECORD),
    ("dead-letters", "requeue", "--all"),
    ("erase", "--customer", CUSTOMER),
)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that tests copy."""
    path = tmp_path_factory.mktemp("commands") / "gateway.db"
    migrate(f"sqlite:///{path}")
    return path


class Terminal:
    """A person at a terminal, with DATABASE_URL set and nothing else."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.path = folder / "gateway.db"
        self.environ = {"DATABASE_URL": f"sqlite:///{self.path}"}
        shutil.copy(migrated, self.path)

    def type(self, *words: str, given: str = "") -> Result:
        return CliRunner().invoke(main, words, input=given, env=self.environ)

    def json(self, *words: str, code: int = 0) -> Any:
        result = self.type(*words, "--json")
        assert (result.exit_code, result.stderr) == (code, "")
        return json.loads(result.stdout)

    def at_the_database(self, job: Callable[[Connection], Any]) -> Any:
        with OperatorSession(self.environ["DATABASE_URL"], SystemClock()) as session:
            return session.write(job)

    def store(self, *rows: dict[str, Any]) -> None:
        for row in rows:
            put = stored.put_entries if "conversation_id" in row else stored.put_conversations
            self.at_the_database(partial(_put, put, row))

    def entry(self, record_id: str) -> Any:
        return self.at_the_database(lambda c: stored.get_entry(c, record_id))


def _put(put: Callable[..., None], row: dict[str, Any], connection: Connection) -> None:
    put(connection, row)


@pytest.fixture
def terminal(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
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


# All of them


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


# why


def test_why_explains_state_records_and_timeline(full: Terminal) -> None:
    result = full.type("why", CONVERSATION.upper())

    assert result.exit_code == 0
    assert f"Interaction {CONVERSATION}" in result.stdout
    assert "as logged: there is at least one record" in result.stdout
    assert f"{RECORD} (dead, live)\n    Given up after 1 attempt: refused with HTTP 422" in result.stdout


def test_why_in_json_says_the_same_with_dates(full: Terminal) -> None:
    said = full.json("why", CONVERSATION)

    assert (said["interactionId"], said["state"], said["outcome"], said["paired"]) == (
        CONVERSATION,
        "closed",
        "logged",
        True,
    )
    assert said["closedAt"] == "2025-11-22T10:00:00.000Z"
    assert set(said["explanation"]) == {"state", "coverage", "customer", "awaited"}
    (first, second) = sorted(said["records"], key=lambda one: one["state"])
    assert (first["id"], first["reason"], first["lastError"]) == (RECORD, "refused with HTTP 422", "HTTP 422")
    assert first["text"].startswith("Given up after 1 attempt")
    assert (second["id"], second["deliveredAt"]) == (SECOND, "2025-11-22T10:00:00.000Z")
    assert said["timeline"] == []


def test_why_of_a_stranger_is_code_1(full: Terminal) -> None:
    result = full.type("why", UNKNOWN)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{UNKNOWN} was never registered.\n"


# dead-letters


def test_the_dead_are_listed_with_their_reasons(full: Terminal) -> None:
    result = full.type("dead-letters", "list")

    head, row, _, last = result.stdout.splitlines()
    assert head.split() == ["RECORD", "INTERACTION", "STORED", "ATTEMPTS", "REASON", "LAST", "ERROR"]
    assert row.startswith(f"{RECORD}  {CONVERSATION}  2025-11-21T10:00:00.000Z  1")
    assert last == "1 in all."


def test_a_list_says_when_it_is_not_all(full: Terminal) -> None:
    full.store(stored.dead_row(UNKNOWN, CONVERSATION, reason="tried for too long"))

    assert "1 of 2 shown." in full.type("dead-letters", "list", "--limit", "1").stdout
    assert [one["id"] for one in full.json("dead-letters", "list", "--reason", "tried for too long")] == [UNKNOWN]


def test_a_list_of_nothing_is_an_answer(terminal: Terminal) -> None:
    assert terminal.type("dead-letters", "list").stdout == "Nothing is dead.\n"
    assert terminal.json("dead-letters", "list") == []
    assert "for the reason: x" in terminal.type("dead-letters", "list", "--reason", "x").stdout


def test_a_dead_one_is_shown_with_what_is_personal_hidden(full: Terminal) -> None:
    said = full.json("dead-letters", "show", RECORD)

    assert (said["conversationId"], said["reason"], said["attempt"]) == (CONVERSATION, "refused with HTTP 422", 1)
    event = said["content"]["event"]
    assert (event["mediaType"], event["wrapupCode"], event["userId"]) == ("VOICE", "ININ-WRAP-UP-TIMEOUT", "u-1")
    assert event["eventTime"] == "2025-11-21T10:00:00.000Z"
    assert (event["ani"], event["subject"], event["wrapupNotes"], event["dnis"]) == ("•••", "•••", "•••", None)
    assert set(said["content"]["names"].values()) == {"•••"}


def test_a_dead_one_is_revealed_on_demand(full: Terminal) -> None:
    result = full.type("dead-letters", "show", RECORD, "--reveal")

    assert not [value for value in PERSONAL if value not in result.stdout]
    assert full.json("dead-letters", "show", RECORD, "--reveal")["content"]["names"]["customerId"] == CUSTOMER


def test_what_is_revealed_can_not_move_the_cursor(terminal: Terminal) -> None:
    terminal.store(stored.dead_row(RECORD, CONVERSATION, content='{"subject": "\\u001b[2Jgone\\u009b1A"}', names=None))

    result = terminal.type("dead-letters", "show", RECORD, "--reveal")

    assert "\\x1b[2Jgone\\x9b1A" in result.stdout
    assert "names:\n  nothing" in result.stdout


@pytest.mark.parametrize("content", ["no JSON", "[]"])
def test_one_that_is_dead_because_nobody_can_read_it_is_shown_all_the_same(terminal: Terminal, content: str) -> None:
    terminal.store(stored.dead_row(RECORD, CONVERSATION, content=content))

    assert terminal.json("dead-letters", "show", RECORD)["content"]["event"] == {"unreadable": "•••"}
    assert f"unreadable: {content}" in terminal.type("dead-letters", "show", RECORD, "--reveal").stdout


def test_showing_what_is_not_dead_or_not_there_is_code_1(full: Terminal) -> None:
    result = full.type("dead-letters", "show", SECOND)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"is delivered, not dead; see: python -m genesys_gateway why {CONVERSATION}" in result.stderr

    assert full.type("dead-letters", "show", UNKNOWN).exit_code == 1


@pytest.mark.parametrize("words", [(RECORD,), ("--reason", "refused with HTTP 422"), ("--all",)])
def test_the_dead_are_requeued(full: Terminal, words: tuple[str, ...]) -> None:
    result = full.type("dead-letters", "requeue", *words)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("1 record requeued")
    assert full.entry(RECORD).state == "pending"


def test_many_are_requeued_each_once(terminal: Terminal) -> None:
    terminal.store(*(stored.dead_row(f"{n:036}", CONVERSATION) for n in range(230)))

    assert terminal.json("dead-letters", "requeue", "--all") == {"requeued": 230}
    assert terminal.json("dead-letters", "requeue", "--all", code=1) == {"requeued": 0}


def test_requeueing_what_is_not_dead_is_code_1(full: Terminal) -> None:
    result = full.type("dead-letters", "requeue", SECOND)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{SECOND} is not dead")
    assert full.type("dead-letters", "requeue", "--reason", "another").exit_code == 1


# erase


@pytest.fixture
def delivered(terminal: Terminal) -> Terminal:
    """A customer with a closed conversation and an open one, all of it delivered."""
    terminal.store(
        stored.conversation_row(CONVERSATION),
        stored.entry_row(RECORD, CONVERSATION),
        stored.open_row(UNKNOWN),
    )
    terminal.at_the_database(lambda c: stored.put_frame(c, f"{CONVERSATION} {PERSONAL[0]}"))
    return terminal


def test_a_customer_is_erased_and_what_was_done_is_told(delivered: Terminal) -> None:
    result = delivered.type("erase", "--customer", CUSTOMER)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "Erased: 2 conversations, 1 record, 1 frame in quarantine.",
        "Followed still: 1 of them; their records to come will have no customer.",
    ]
    left = delivered.at_the_database(stored.everything)
    assert not [value for value in PERSONAL if value in left]


def test_the_id_may_come_from_stdin_so_that_nobody_sees_it_in_a_list_of_processes(delivered: Terminal) -> None:
    result = delivered.type("erase", "--customer", "-", "--json", given=f"{CUSTOMER.upper()}\n")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "conversations": [UNKNOWN, CONVERSATION],
        "followed": [UNKNOWN],
        "records": [RECORD],
        "frames": 1,
        "givenUp": [],
        "left": [],
        "logWiped": True,
    }


def test_a_customer_who_is_unknown_or_erased_is_code_1(delivered: Terminal) -> None:
    delivered.type("erase", "--customer", CUSTOMER)

    result = delivered.type("erase", "--customer", CUSTOMER)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Nothing is kept of this customer.\n"


def test_nothing_is_erased_while_a_record_is_undelivered_and_it_is_named(delivered: Terminal) -> None:
    delivered.store(stored.dead_row(SECOND, CONVERSATION))

    result = delivered.type("erase", "--customer", CUSTOMER)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Nothing was erased.")
    assert f"  {SECOND} (dead) of interaction {CONVERSATION}" in result.stderr
    assert "--even-undelivered" in result.stderr
    assert delivered.entry(RECORD).content is not None
    assert delivered.json("erase", "--customer", CUSTOMER, code=1)["left"] == [
        {"id": SECOND, "conversationId": CONVERSATION, "state": "dead", "inDoubt": False}
    ]


def test_on_an_order_of_its_own_the_undelivered_is_given_up_and_named(delivered: Terminal) -> None:
    delivered.store(stored.pending_row(SECOND, CONVERSATION, in_doubt=True, next_at=NOW + DAY))

    result = delivered.type("erase", "--customer", CUSTOMER, "--even-undelivered")

    assert (result.exit_code, result.stderr) == (0, "")
    assert f"  {SECOND} (pending, may be there) of interaction {CONVERSATION}" in result.stdout
    assert (delivered.entry(SECOND).state, delivered.entry(SECOND).content) == ("dead", None)


def test_a_log_that_could_not_be_wiped_is_told(delivered: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OperatorSession, "wipe_log", lambda _: False)

    result = delivered.type("erase", "--customer", CUSTOMER)

    assert result.exit_code == 0
    assert "holds traces" in result.stderr
