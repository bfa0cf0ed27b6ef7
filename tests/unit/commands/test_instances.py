"""``instances``: what it prints of running, stopping, lost and ended instances, in a table and in JSON."""

from datetime import datetime
from functools import partial

import pytest
from sqlalchemy import Connection, update

from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage.statements import instances
from genesys_gateway.storage.tables import instance
from tests.doubles import stored_rows as stored
from tests.doubles.terminal import Terminal

RUNNING, STOPPING, LOST, LEFT = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(4))
ENDPOINT = "gw1.bank.example 127.0.0.1:8080"
NAMES = ["id", "state", "leaseUntil", "renewedAt", "endpoint", "channels", "conversations"]


def enter(terminal: Terminal, one: str, lease_ms: int = 20_000, endpoint: str | None = ENDPOINT) -> None:
    enters = partial(instances.enter, instance_id=one, lease_ms=lease_ms, client="c" * 64, endpoint=endpoint)
    terminal.at_the_database(enters)


@pytest.fixture
def four(terminal: Terminal) -> Terminal:
    """One instance of each kind; the first follows two conversations on a channel."""
    for one in (LEFT, LOST, STOPPING, RUNNING):
        enter(terminal, one, -1 if one == LOST else 20_000)
    terminal.at_the_database(lambda c: instances.leave(c, LEFT))
    terminal.at_the_database(lambda c: instances.drain(c, STOPPING))
    now = SystemClock().now()
    terminal.at_the_database(lambda c: instances.channel_created(c, "ch", RUNNING, now=now, expires_at=now + 1))
    for number in range(2):
        terminal.store(stored.open_row(f"c-{number}", owner=RUNNING))
    return terminal


def test_each_instance_has_a_line_with_its_state_lease_channels_and_conversations(four: Terminal) -> None:
    result = four.type("instances")

    assert result.exit_code == 0
    head, *lines = result.stdout.splitlines()
    assert head.split("  ")[0] == "INSTANCE"
    assert [line.split()[:2] for line in lines] == [
        [RUNNING, "running"],
        [STOPPING, "draining"],
        [LOST, "lost"],
        [LEFT, "left"],
    ]
    first = [cell.strip() for cell in lines[0].split("  ") if cell.strip()]
    assert first[2].endswith("Z (in 19 s)") or first[2].endswith("Z (in 20 s)")
    assert first[3] in ("0 s ago", "1 s ago")
    assert first[4:] == ["1", "2", ENDPOINT]


def test_in_json_the_names_and_dates_are_those_of_the_http_answers(four: Terminal) -> None:
    found = four.json("instances")

    assert [list(one) for one in found] == [NAMES] * 4
    first = found[0]
    assert (first["id"], first["state"], first["channels"], first["conversations"]) == (RUNNING, "running", 1, 2)
    length = datetime.fromisoformat(first["leaseUntil"]) - datetime.fromisoformat(first["renewedAt"])
    assert length.total_seconds() == 20


def test_one_of_the_release_before_shows_no_renewal_and_no_address(terminal: Terminal) -> None:
    enter(terminal, RUNNING)

    def before(connection: Connection) -> None:
        connection.execute(update(instance).values(client=None, endpoint=None, renewed_at=None))

    terminal.at_the_database(before)

    (one,) = terminal.json("instances")
    assert (one["state"], one["renewedAt"], one["endpoint"]) == ("running", None, None)
    assert terminal.type("instances").stdout.splitlines()[1].split()[-4:] == ["-", "0", "0", "-"]


def test_without_any_the_code_is_1(terminal: Terminal) -> None:
    result = terminal.type("instances")

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "No instance is known on this database.\n")
    assert terminal.json("instances", code=1) == []
