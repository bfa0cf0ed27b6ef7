"""Which entries a round reads, in which order, and what the first one takes over."""

from genesys_gateway.delivery.outcome import of_post
from tests.doubles.delivery import DeliveryWithDoubles, record_id


def test_entries_of_a_clock_that_was_ahead_are_due_now(delivery: DeliveryWithDoubles) -> None:
    delivery.clock.jump(86_400)
    delivery.store(1)
    delivery.clock.jump(-86_400)

    delivery.start()
    delivery.settle()

    assert delivery.states() == {"delivered": 1}


def test_newcomers_are_served_beside_a_backlog(delivery: DeliveryWithDoubles) -> None:
    delivery.store(*range(400))
    delivery.clock.advance(3600)
    delivery.store(*range(1000, 1010))

    delivery.start()
    delivery.settle()

    places = [delivery.receiver.ids.index(record_id(n)) for n in range(1000, 1010)]
    assert max(places) < 100, "they did not wait for 400 others"
    old = [one for one in delivery.receiver.ids if one < record_id(1000)]
    assert old.index(record_id(0)) < 16
    assert old.index(record_id(399)) > 380, "oldest first among the others"


def test_refusals_in_a_row_are_counted_on_after_a_restart(delivery: DeliveryWithDoubles) -> None:
    delivery.receiver.answers = lambda _: of_post(422)
    delivery.store(*range(9))
    delivery.start()
    delivery.settle()
    assert delivery.states() == {"dead": 9}
    delivery.stop(1.0)

    delivery.new_process()
    delivery.store(9)
    delivery.start()
    delivery.settle()

    assert delivery.states() == {"pending": 10}
    assert delivery.breaker.state.value == "paused"
