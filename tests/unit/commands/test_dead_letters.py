"""``dead-letters``: what list, show and requeue print, what they hide, and what they change."""

import pytest

from tests.doubles import stored_rows as stored
from tests.doubles.stored_rows import CUSTOMER, PERSONAL
from tests.doubles.terminal import CONVERSATION, RECORD, SECOND, UNKNOWN, Terminal


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
    shown = full.json("dead-letters", "show", RECORD)

    assert (shown["conversationId"], shown["reason"], shown["attempt"]) == (CONVERSATION, "refused with HTTP 422", 1)
    event = shown["content"]["event"]
    assert (event["mediaType"], event["wrapupCode"], event["userId"]) == ("VOICE", "ININ-WRAP-UP-TIMEOUT", "u-1")
    assert event["eventTime"] == "2025-11-21T10:00:00.000Z"
    assert (event["ani"], event["subject"], event["wrapupNotes"], event["dnis"]) == ("•••", "•••", "•••", None)
    assert set(shown["content"]["names"].values()) == {"•••"}


def test_a_dead_one_is_revealed_on_demand(full: Terminal) -> None:
    result = full.type("dead-letters", "show", RECORD, "--reveal")

    assert not [value for value in PERSONAL if value not in result.stdout]
    assert full.json("dead-letters", "show", RECORD, "--reveal")["content"]["names"]["customerId"] == CUSTOMER
    lines = [one for one in full.json("why", CONVERSATION)["timeline"] if one["event"] == "revealed"]
    assert len(lines) == 2
    assert lines[0]["detail"].startswith(f"{RECORD} user ")


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
