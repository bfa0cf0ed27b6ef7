"""``check`` beside several instances on PostgreSQL: those that are missing, the clocks, the places of our client."""

import pytest

from genesys_gateway.commands.check import instances as checked
from genesys_gateway.commands.check.findings import Finding, State
from genesys_gateway.genesys.client_key import client_key
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import instances
from genesys_gateway.storage.tables import channel_place
from tests.doubles import stored_rows as stored
from tests.doubles.genesys import settings
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import NOW

ONE, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


class Machine(SystemClock):
    """A machine whose wall clock is wrong by so many seconds."""

    def __init__(self, ahead: float = 0.0) -> None:
        self._ahead_ms = round(ahead * 1000)

    def now(self) -> int:
        return super().now() + self._ahead_ms


def inspected(url: str, ahead: float = 0.0) -> tuple[dict[str, Finding], str]:
    """Findings by area, and what is said of places."""
    places = checked.Places()
    with_url = settings(database_url=url, http_timeout_seconds=2.0)
    found = {one.area: one for one in checked.inspect(with_url, Machine(ahead), places)}
    return found, checked.held(places)


@pytest.fixture
def shared(postgres_url: str) -> Storage:
    """Two instances of the client in the settings, one of which holds three places and the other two."""
    storage = Storage(postgres_url, FakeClock())
    storage.open()
    client = client_key(settings())
    for one, count in ((ONE, 3), (OTHER, 2)):
        storage.run(lambda c, one=one: instances.enter(c, one, 20_000, client=client, endpoint=f"host-{one[-1]} :80"))  # type: ignore[misc]
        rows = [{"id": f"{one[-1]}-{n}", "client": client, "owner": one, "reserved_at": NOW} for n in range(count)]
        storage.run(lambda c, rows=rows: stored.put(c, channel_place, *rows))  # type: ignore[misc]
    storage.run(
        lambda c: stored.put(c, channel_place, {"id": "x", "client": "another", "owner": "else", "reserved_at": NOW})
    )
    storage.close()
    return storage


def test_running_instances_and_right_clocks_get_ticks(postgres_url: str, shared: Storage) -> None:
    found, held = inspected(postgres_url)

    assert {area: (one.state, one.text) for area, one in found.items()} == {
        "instances": (State.GOOD, "2 running"),
        "database clock": (State.GOOD, "within 1 s of this machine's"),
    }
    assert held == "; 2 instances of this client hold 5 places for them"


def test_one_that_is_lost_is_named_with_the_place_where_it_ran(postgres_url: str, shared: Storage) -> None:
    shared.open()
    shared.run(lambda c: instances.renew(c, OTHER, -1))
    shared.close()

    lost = inspected(postgres_url)[0]["instances"]

    assert lost.state is State.WRONG
    assert lost.text.startswith(f"1 running, 1 lost: {OTHER} at host-2 :80, whose lease ended ")
    assert lost.advice is not None
    assert "start it again" in lost.advice


@pytest.mark.parametrize(("ahead", "words"), [(3600.0, "3600 s ahead of that"), (-120.0, "120 s behind that")])
def test_a_clock_that_differs_from_the_databases_gets_a_cross(postgres_url: str, ahead: float, words: str) -> None:
    found, _ = inspected(postgres_url, ahead)

    assert found["database clock"].state is State.WRONG
    assert words in found["database clock"].text


def test_nothing_is_said_of_a_database_that_can_not_be_used_or_is_a_file(sqlite_url: str) -> None:
    unreachable = "postgresql+psycopg://nobody@127.0.0.1:1/none"

    assert inspected(unreachable) == ({}, "")
    assert inspected(sqlite_url) == ({}, "")
