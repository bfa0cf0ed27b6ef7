"""Names for records: looked up before the first attempt, waited for with patience, held against nobody else."""

from collections.abc import Iterator

import pytest

from genesys_gateway.delivery.name_lookup import ENTRIES_PER_LOOKUP, MAX_LOOKUPS
from tests.doubles.delivery import House, record_id
from tests.doubles.runtime import until

PATIENCE = 120


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


def agent_of(house: House, n: int) -> str | None:
    (name,) = [post["body"]["agentName"] for post in house.receiver.posts if post["id"] == record_id(n)]
    assert name is None or isinstance(name, str)
    return name


def test_a_name_that_is_not_known_yet_is_looked_up_first(house: House) -> None:
    house.names.names = {"u": "Maria Cruz", "c": "Invoice"}
    house.names.to_be_asked = {"u", "c"}
    house.store(1, user_id="u", wrapup_code="c")

    house.delivery.start()
    house.settle()

    assert house.receiver.posts[0]["purpose"] == "Invoice"
    assert agent_of(house, 1) == "Maria Cruz"


def test_entries_alike_share_one_lookup(house: House) -> None:
    house.names.names = {"u": "Maria Cruz"}
    house.names.to_be_asked = {"u"}
    house.store(*range(30), user_id="u")

    house.delivery.start()
    house.settle()

    assert house.states() == {"delivered": 30}
    assert house.names.calls == ["u"]


def test_while_a_name_can_not_be_told_the_record_waits_and_no_attempt_begins(house: House) -> None:
    house.names.unknown = {"u"}
    house.store(1, user_id="u")
    house.delivery.start()
    house.settle()

    house.pass_time(5.0)

    assert house.receiver.posts == []
    row = house.row(1)
    assert (row.attempt, row.claimed_by, row.names) == (0, None, None)
    assert len(house.names.calls) >= 2


def test_a_name_that_comes_in_time_is_in_the_record(house: House) -> None:
    house.names.unknown = {"u"}
    house.names.names = {"u": "Maria Cruz"}
    house.store(1, user_id="u")
    house.delivery.start()
    house.settle()

    house.names.unknown = set()
    house.pass_time(60.0)

    assert agent_of(house, 1) == "Maria Cruz"


def test_after_the_patience_the_record_goes_without_the_name_it_lacks(house: House) -> None:
    house.names.unknown = {"u"}
    house.names.names = {"c": "Invoice"}
    house.store(1, user_id="u", wrapup_code="c")
    house.delivery.start()
    house.settle()

    for _ in range(PATIENCE - 1):
        house.pass_time(1.0)
    assert house.receiver.posts == []
    for _ in range(10):
        house.pass_time(1.0)

    assert agent_of(house, 1) is None
    assert house.receiver.posts[0]["purpose"] == "Invoice", "the name that could be told is not given up with the other"
    assert house.row(1).waited_ms == 0, "waiting for names brings nobody nearer to being given up"


def test_a_name_that_is_waited_for_to_the_last_takes_none_along_that_is_known(house: House) -> None:
    house.names.silent = {"u"}
    house.names.names = {"c": "Invoice"}
    house.store(1, user_id="u", wrapup_code="c", waited_ms=PATIENCE * 1000 - 10)
    house.delivery.start()
    until(lambda: house.names.calls)

    house.clock.advance(1.0)
    until(lambda: house.receiver.posts)

    assert house.receiver.posts[0]["purpose"] == "Invoice"


def test_patience_survives_a_restart(house: House) -> None:
    house.names.unknown = {"u"}
    house.store(1, user_id="u", waited_ms=PATIENCE * 1000)

    house.delivery.start()
    house.settle()

    assert agent_of(house, 1) is None


def test_a_silent_genesys_holds_up_only_those_whose_names_are_not_known(house: House) -> None:
    silent = [f"u{n}" for n in range(3 * MAX_LOOKUPS)]
    house.names.silent = set(silent)
    for n, user in enumerate(silent):
        house.store(n, user_id=user)
    house.delivery.start()

    house.store(*range(1000, 1100), user_id="known")

    until(lambda: house.states()["delivered"] == 100)
    assert len(house.names.calls) - 100 <= MAX_LOOKUPS


def test_a_crowd_that_waits_for_the_same_name_waits_on_disk(house: House) -> None:
    house.names.silent = {"u"}
    house.store(*range(5 * ENTRIES_PER_LOOKUP), user_id="u")
    house.delivery.start()

    house.store(*range(1000, 1100), user_id="known")

    until(lambda: house.states()["delivered"] == 100)
    assert len(house.delivery._held) <= ENTRIES_PER_LOOKUP


def test_a_mistake_while_looking_up_costs_the_name_and_not_the_record(house: House) -> None:
    house.names.broken = {"u"}
    house.names.to_be_asked = {"u"}
    house.store(1, user_id="u", waited_ms=PATIENCE * 1000 - 1)
    house.delivery.start()
    house.settle()

    house.pass_time(1.0)

    assert agent_of(house, 1) is None


def test_stop_does_not_wait_for_names(house: House) -> None:
    house.names.silent = {"u"}
    house.store(1, user_id="u")
    house.delivery.start()
    until(lambda: house.names.calls)

    assert house.delivery.stop(5.0) == []
    assert house.row(1).attempt == 0


def test_a_live_event_that_replaces_a_backfilled_one_brings_its_own_names(house: House) -> None:
    house.names.names = {"u": "Maria Cruz", "v": "Ana Reyes"}
    house.names.silent = {"u"}
    house.store(1, user_id="u", source="backfill")
    house.delivery.start()
    until(lambda: house.names.calls)

    content = house.row(1).content.replace('"user_id":"u"', '"user_id":"v"')
    house.change(1, source="live", content=content)
    house.names.silence.set()
    house.names.silent = set()
    house.settle()

    assert agent_of(house, 1) == "Ana Reyes"
    assert house.receiver.posts[0]["body"]["eventSource"] == "live"
