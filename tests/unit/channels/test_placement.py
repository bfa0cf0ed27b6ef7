"""Which channel gets what waits, and when: at once, or together while calls are scarce."""

from dataclasses import dataclass

import pytest

from genesys_gateway.channels.placement import Placement, Waiting


@dataclass(frozen=True)
class Channel:
    size: int
    capacity: int = 1000

    @property
    def free_places(self) -> int:
        return self.capacity - self.size


FULL, NEARLY_FULL, HALF, NEARLY_EMPTY = Channel(1000), Channel(990), Channel(500), Channel(10)
CHANNELS = [HALF, FULL, NEARLY_EMPTY, NEARLY_FULL]


def placement(per_minute: int = 300, channel_topics: int = 1000) -> Placement:
    return Placement(per_minute, channel_topics)


# --- which channel ---


def test_the_fullest_channel_with_a_free_place_is_chosen_and_while_busy_the_emptiest() -> None:
    assert placement().choose(CHANNELS, busy=False) is NEARLY_FULL
    assert placement().choose(CHANNELS, busy=True) is NEARLY_EMPTY


@pytest.mark.parametrize("busy", [False, True])
def test_without_a_free_place_no_channel_is_chosen_and_a_new_one_wanted(busy: bool) -> None:
    assert placement().choose([FULL, FULL], busy=busy) is None
    assert placement().choose([], busy=busy) is None
    assert placement().wants_new(None, 1, busy=busy)


def test_what_does_not_fit_onto_one_channel_wants_a_new_one_only_while_busy() -> None:
    assert not placement().wants_new(NEARLY_FULL, 11, busy=False)
    assert placement().wants_new(NEARLY_FULL, 11, busy=True)
    assert not placement().wants_new(NEARLY_FULL, 10, busy=True)


def test_a_channel_that_can_be_filled_whole_is_filled_before_a_new_one_is_made() -> None:
    assert not placement().wants_new(HALF, 501, busy=True)
    assert placement().wants_new(Channel(501), 500, busy=True)


# --- when ---


def test_if_calls_are_not_scarce_there_is_no_wait() -> None:
    rules = placement()
    rules.placed(5, 1, 100.0)

    assert rules.seconds_until(5, 1, 100.0, busy=False) == 0


def test_while_busy_placements_are_a_second_apart() -> None:
    rules = placement()
    assert rules.seconds_until(5, 1, 100.0, busy=True) == 0
    rules.placed(5, 1, 100.0)

    assert rules.seconds_until(5, 1, 100.25, busy=True) == 0.75
    assert rules.seconds_until(5, 1, 101.0, busy=True) == 0
    assert rules.seconds_until(5, 1, 200.0, busy=True) == 0


def test_a_higher_limit_shortens_the_wait() -> None:
    rules = placement(per_minute=600)
    rules.placed(5, 1, 100.0)

    assert rules.seconds_until(5, 1, 100.0, busy=True) == 0.5


@pytest.mark.parametrize(
    ("free_places", "waiting", "at_once"), [(1000, 1000, True), (1000, 999, False), (500, 600, True), (499, 600, False)]
)
def test_what_fills_a_channel_that_is_half_empty_or_more_does_not_wait(
    free_places: int, waiting: int, at_once: bool
) -> None:
    rules = placement()
    rules.placed(5, 1, 100.0)

    assert (rules.seconds_until(free_places, waiting, 100.0, busy=True) == 0) is at_once


def test_what_is_left_after_whole_channels_were_filled_does_not_wait_for_them() -> None:
    rules = placement()
    rules.placed(1000, 1300, 100.0)

    assert rules.seconds_until(1000, 300, 100.0, busy=True) == 0


# --- in which order ---


def test_conversations_wait_in_the_order_of_their_registration() -> None:
    waiting = Waiting()
    waiting.arrived("abc", 0.0)
    waiting.arrived("da", 0.0)

    assert (list(waiting), len(waiting)) == (list("abcd"), 4)
    assert waiting.take(3, 0.0) == (list("abc"), 3)
    assert waiting.take(3, 0.0) == (["d"], 1)
    assert waiting.take(3, 0.0) == ([], 0)


def test_conversations_that_lost_their_channel_go_before_those_that_never_had_one() -> None:
    waiting = Waiting()
    waiting.arrived("ab", 0.0)
    waiting.displaced("xy", 0.0)
    waiting.displaced("z", 0.0)
    waiting.arrived("xc", 0.0)

    assert list(waiting) == list("xyzabc")
    assert waiting.take(2, 0.0) == (["x", "y"], 0)
    waiting.displaced("xy", 0.0)
    assert list(waiting) == list("zxyabc")
    assert waiting.take(4, 0.0) == (list("zxya"), 1)
    assert list(waiting) == list("bc")


def test_a_conversation_that_is_discarded_waits_no_longer() -> None:
    waiting = Waiting()
    waiting.arrived("ab", 0.0)
    waiting.displaced("xy", 0.0)
    for one in "ayn":
        waiting.discard(one)

    assert (list(waiting), len(waiting), bool(waiting)) == (["x", "b"], 2, True)
    waiting.take(2, 0.0)
    assert not waiting


def test_those_that_just_came_are_counted() -> None:
    waiting = Waiting()
    waiting.arrived("abc", 1.0)
    waiting.arrived("cd", 2.0)
    waiting.displaced("xa", 3.0)

    assert [waiting.after(moment) for moment in (0.0, 1.0, 2.0, 3.0)] == [6, 3, 2, 0]


def test_who_waited_long_and_was_taken_just_now_is_counted_for_a_while() -> None:
    waiting = Waiting()
    waiting.displaced("x", 0.0)
    waiting.arrived("ab", 1.0)
    waiting.arrived("c", 9.0)
    waiting.take(4, 10.0)

    assert waiting.just_taken(3.0, 10.0) == 3, "c waited for a second only"
    assert waiting.just_taken(3.0, 12.9) == 3
    assert waiting.just_taken(3.0, 13.0) == 0
    assert waiting.just_taken(0.0, 10.0) == 0

    waiting.arrived("d", 12.0)
    waiting.take(1, 30.0)
    assert waiting.just_taken(10.0, 30.0) == 1
