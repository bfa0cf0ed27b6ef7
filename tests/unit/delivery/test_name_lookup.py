"""Names for records are looked up before the first attempt; entries that wait for names delay no others."""

from genesys_gateway.delivery.name_lookup import ENTRIES_PER_LOOKUP, MAX_ENTRIES, MAX_LOOKUPS
from tests.doubles.delivery import DeliveryWithDoubles, record_id
from tests.doubles.runtime import until

PATIENCE = 120


def agent_of(delivery: DeliveryWithDoubles, n: int) -> str | None:
    (name,) = [post["body"]["agentName"] for post in delivery.receiver.posts if post["id"] == record_id(n)]
    assert name is None or isinstance(name, str)
    return name


def test_a_name_that_is_not_known_yet_is_looked_up_first(delivery: DeliveryWithDoubles) -> None:
    delivery.names.names = {"u": "Maria Cruz", "c": "Invoice"}
    delivery.names.uncached = {"u", "c"}
    delivery.store(1, user_id="u", wrapup_code="c")

    delivery.start()
    delivery.settle()

    assert delivery.receiver.posts[0]["purpose"] == "Invoice"
    assert agent_of(delivery, 1) == "Maria Cruz"


def test_entries_alike_share_one_lookup(delivery: DeliveryWithDoubles) -> None:
    delivery.names.names = {"u": "Maria Cruz"}
    delivery.names.uncached = {"u"}
    delivery.store(*range(30), user_id="u")

    delivery.start()
    delivery.settle()

    assert delivery.states() == {"delivered": 30}
    assert delivery.names.calls == ["u"]


def test_while_a_name_can_not_be_fetched_the_record_waits_and_no_attempt_begins(delivery: DeliveryWithDoubles) -> None:
    delivery.names.unavailable = {"u"}
    delivery.store(1, user_id="u")
    delivery.start()
    delivery.settle()

    delivery.pass_time(5.0)

    assert delivery.receiver.posts == []
    row = delivery.row(1)
    assert (row.attempt, row.claimed_by, row.names) == (0, None, None)
    assert len(delivery.names.calls) >= 2


def test_a_name_that_comes_in_time_is_in_the_record(delivery: DeliveryWithDoubles) -> None:
    delivery.names.unavailable = {"u"}
    delivery.names.names = {"u": "Maria Cruz"}
    delivery.store(1, user_id="u")
    delivery.start()
    delivery.settle()

    delivery.names.unavailable = set()
    delivery.pass_time(60.0)

    assert agent_of(delivery, 1) == "Maria Cruz"


def test_after_the_patience_the_record_goes_without_the_name_it_lacks(delivery: DeliveryWithDoubles) -> None:
    delivery.names.unavailable = {"u"}
    delivery.names.names = {"c": "Invoice"}
    delivery.store(1, user_id="u", wrapup_code="c")
    delivery.start()
    delivery.settle()

    for _ in range(PATIENCE - 1):
        delivery.pass_time(1.0)
    assert delivery.receiver.posts == []
    for _ in range(10):
        delivery.pass_time(1.0)

    assert agent_of(delivery, 1) is None
    assert delivery.receiver.posts[0]["purpose"] == "Invoice", "one unknown name does not cost the known one"
    assert delivery.row(1).waited_ms == 0, "waiting for names does not count towards giving up"


def test_a_name_that_does_not_come_in_time_does_not_cost_the_known_one(delivery: DeliveryWithDoubles) -> None:
    delivery.names.silent = {"u"}
    delivery.names.names = {"c": "Invoice"}
    delivery.store(1, user_id="u", wrapup_code="c", waited_ms=PATIENCE * 1000 - 10)
    delivery.start()
    until(lambda: delivery.names.calls)

    delivery.clock.advance(1.0)
    until(lambda: delivery.receiver.posts)

    assert delivery.receiver.posts[0]["purpose"] == "Invoice"


def test_patience_survives_a_restart(delivery: DeliveryWithDoubles) -> None:
    delivery.names.unavailable = {"u"}
    delivery.store(1, user_id="u", waited_ms=PATIENCE * 1000)

    delivery.start()
    delivery.settle()

    assert agent_of(delivery, 1) is None


def test_a_silent_genesys_holds_up_only_those_whose_names_are_not_known(delivery: DeliveryWithDoubles) -> None:
    silent = [f"u{n}" for n in range(3 * MAX_LOOKUPS)]
    delivery.names.silent = set(silent)
    for n, user in enumerate(silent):
        delivery.store(n, user_id=user)
    delivery.start()

    delivery.store(*range(1000, 1100), user_id="known")

    until(lambda: delivery.states()["delivered"] == 100)
    assert len(delivery.names.calls) - 100 <= MAX_LOOKUPS


def test_most_entries_that_wait_for_the_same_name_wait_in_the_database(delivery: DeliveryWithDoubles) -> None:
    delivery.names.silent = {"u"}
    delivery.store(*range(5 * ENTRIES_PER_LOOKUP), user_id="u")
    delivery.start()

    delivery.store(*range(1000, 1100), user_id="known")

    until(lambda: delivery.states()["delivered"] == 100)
    assert len(delivery.held) <= ENTRIES_PER_LOOKUP


def test_entries_that_wait_for_many_names_fill_no_memory_either(delivery: DeliveryWithDoubles) -> None:
    pairs = MAX_ENTRIES // ENTRIES_PER_LOOKUP + 2
    delivery.names.silent = {f"u{n}" for n in range(pairs)}
    for n in range(pairs):
        first = n * ENTRIES_PER_LOOKUP
        delivery.store(*range(first, first + ENTRIES_PER_LOOKUP), user_id=f"u{n}")
    delivery.start()

    delivery.store(*range(10_000, 10_100), user_id="known")

    until(lambda: delivery.states()["delivered"] == 100)
    assert len(delivery.held) <= MAX_ENTRIES


def test_two_hundred_agents_are_looked_up_at_the_same_time(delivery: DeliveryWithDoubles) -> None:
    delivery.names.silent = {f"u{n}" for n in range(200)}
    for n in range(200):
        delivery.store(n, user_id=f"u{n}")

    delivery.start()

    until(lambda: len(delivery.names.calls) == 200)


def test_a_mistake_while_looking_up_costs_the_name_and_not_the_record(delivery: DeliveryWithDoubles) -> None:
    delivery.names.broken = {"u"}
    delivery.names.uncached = {"u"}
    delivery.store(1, user_id="u", waited_ms=PATIENCE * 1000 - 1)
    delivery.start()
    delivery.settle()

    delivery.pass_time(1.0)

    assert agent_of(delivery, 1) is None


def test_stop_does_not_wait_for_names(delivery: DeliveryWithDoubles) -> None:
    delivery.names.silent = {"u"}
    delivery.store(1, user_id="u")
    delivery.start()
    until(lambda: delivery.names.calls)

    assert delivery.stop(5.0) == []
    assert delivery.row(1).attempt == 0


def test_a_live_event_that_replaces_a_backfilled_one_brings_its_own_names(delivery: DeliveryWithDoubles) -> None:
    delivery.names.names = {"u": "Maria Cruz", "v": "Ana Reyes"}
    delivery.names.silent = {"u"}
    delivery.store(1, user_id="u", source="backfill")
    delivery.start()
    until(lambda: delivery.names.calls)

    content = delivery.row(1).content.replace('"user_id":"u"', '"user_id":"v"')
    delivery.change(1, source="live", content=content)
    delivery.names.answer_silent.set()
    delivery.names.silent = set()
    delivery.settle()

    assert agent_of(delivery, 1) == "Ana Reyes"
    assert delivery.receiver.posts[0]["body"]["eventSource"] == "live"
