"""``erase``: what it erases, what it refuses to erase, and what it reports."""

import json

import pytest

from genesys_gateway.commands.erase import erase
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage.operator_session import OperatorSession
from tests.doubles import stored_rows as stored
from tests.doubles.stored_rows import CUSTOMER, DAY, NOW, PERSONAL
from tests.doubles.terminal import CONVERSATION, RECORD, SECOND, UNKNOWN, Terminal


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


class SessionWithBusyLog(OperatorSession):
    """A session that can't empty the write-ahead log, as while another process reads it."""

    def wipe_log(self) -> bool:
        return False


def test_a_log_that_could_not_be_wiped_is_told(delivered: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    with SessionWithBusyLog(delivered.environ["DATABASE_URL"], SystemClock()) as session:
        code = erase(session, CUSTOMER, even_undelivered=False, as_json=False)

    assert code == 0
    assert "holds traces" in capsys.readouterr().err


RESULT = {"source": "supportResult", "participant_id": None, "session_id": None}


def test_a_dead_result_of_an_interaction_never_registered_can_be_erased(terminal: Terminal) -> None:
    terminal.store(stored.dead_row(RECORD, CONVERSATION, **RESULT))

    refused = terminal.type("erase", "--interaction", CONVERSATION)
    assert refused.exit_code == 1
    assert RECORD in refused.stderr
    assert terminal.entry(RECORD).content is not None

    erased = terminal.json("erase", "--interaction", CONVERSATION, "--even-undelivered")
    assert (erased["conversations"], erased["records"]) == ([CONVERSATION], [RECORD])
    left = terminal.at_the_database(stored.everything)
    assert not [value for value in PERSONAL if value in left]
    assert terminal.type("erase", "--interaction", CONVERSATION).exit_code == 1, "nothing is left to erase"


def test_one_interaction_of_a_customer_is_erased_and_the_others_stay(delivered: Terminal) -> None:
    erased = delivered.json("erase", "--interaction", CONVERSATION)

    assert (erased["conversations"], erased["records"]) == ([CONVERSATION], [RECORD])
    assert delivered.entry(RECORD).content is None
    other = delivered.at_the_database(lambda c: stored.get_conversation(c, UNKNOWN))
    assert other.customer_id == CUSTOMER


@pytest.mark.parametrize("words", [(), ("--customer", CUSTOMER, "--interaction", CONVERSATION)])
def test_one_of_customer_and_interaction_must_be_given(terminal: Terminal, words: tuple[str, ...]) -> None:
    assert terminal.type("erase", *words).exit_code == 2
