"""When topics had no open socket, or several: what the simulator's ledger says about it."""

from __future__ import annotations

from typing import Any

from genesys_gateway.simulator.listening import Listening
from genesys_gateway.simulator.topics import acw_topic

_TOPIC = acw_topic("one")


def _one(begin: int, end: int | None) -> list[dict[str, Any]]:
    return [{"conversationId": "one", "from": begin, "until": end}]


def test_a_topic_that_is_heard_for_the_first_time_was_never_unheard() -> None:
    listening = Listening()
    listening.more(_TOPIC, 1, at=100)
    assert (listening.unheard(), listening.overlaps()) == ([], [])


def test_a_topic_is_unheard_from_the_loss_of_its_last_socket_until_the_next_one() -> None:
    listening = Listening()
    listening.more(_TOPIC, 1, at=100)
    listening.fewer(_TOPIC, 0, at=200)
    assert listening.unheard() == _one(200, None)

    listening.more(_TOPIC, 1, at=250)
    assert listening.unheard() == _one(200, 250)


def test_sockets_that_take_turns_with_an_overlap_leave_nothing_unheard() -> None:
    listening = Listening()
    listening.more(_TOPIC, 1, at=100)
    listening.more(_TOPIC, 2, at=200)
    assert listening.overlaps() == _one(200, None)

    listening.fewer(_TOPIC, 1, at=230)
    assert listening.overlaps() == _one(200, 230)
    assert listening.unheard() == []


def test_an_overlap_of_three_sockets_is_one() -> None:
    listening = Listening()
    for sockets, at in ((1, 100), (2, 200), (3, 300)):
        listening.more(_TOPIC, sockets, at)
    for sockets, at in ((2, 400), (1, 500)):
        listening.fewer(_TOPIC, sockets, at)
    assert listening.overlaps() == _one(200, 500)


def test_the_oldest_are_discarded_first() -> None:
    listening = Listening(kept=2)
    for number in range(3):
        topic = acw_topic(str(number))
        listening.fewer(topic, 0, at=number)
    assert [one["conversationId"] for one in listening.unheard()] == ["1", "2"]
