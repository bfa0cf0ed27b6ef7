"""Placement while calls are scarce, and beyond the capacity."""

from typing import Any

import gevent
import pytest

from genesys_gateway.genesys.websocket import ChannelGone
from tests.doubles.channel_registry import RegistryOnFakeGenesys
from tests.doubles.channels import TOKEN_REVOKED, conversation, ids

#: With this limit, placements are 0.1 s apart while calls are scarce.
RATE = 3000
SPACING = 0.1


def busy_channels(count: int, **changes: Any) -> RegistryOnFakeGenesys:
    """Channels that carry ``count`` conversations; calls are scarce for the next minute."""
    channels = RegistryOnFakeGenesys(**{"api_rate_per_minute": RATE, "heartbeat_seconds": 400.0, **changes})
    channels.start(count)
    channels.clock.advance(700)  # channels that are lost young are not replaced at once
    channels.make_busy()
    channels.server.calls.clear()
    return channels


def sizes(channels: RegistryOnFakeGenesys) -> list[int]:
    return [channel.writer.size for channel in channels.registry.channels()]


def unfollow(channels: RegistryOnFakeGenesys, numbers: range) -> None:
    """Unfollow these, and wait until their topics have left the lists."""
    left = sum(sizes(channels)) - len(numbers)
    for number in numbers:
        channels.unfollow(number)
    channels.until(lambda: sum(sizes(channels)) == left)


def test_what_arrives_one_by_one_is_placed_together_on_the_emptiest_channel() -> None:
    channels = busy_channels(30, channel_topics=10, channel_budget=4)
    unfollow(channels, range(3))
    unfollow(channels, range(10, 17))
    unfollow(channels, range(20, 21))
    assert sizes(channels) == [7, 3, 9]
    # When one arrives, and others while it is being placed
    channels.registry.follow(conversation(100))
    channels.until(lambda: conversation(100) in channels.covered)
    for number in range(101, 106):
        channels.registry.follow(conversation(number))
        gevent.sleep(0)
    assert channels.registry.waiting() == 5
    channels.until(lambda: channels.registry.waiting() == 0)
    channels.until(lambda: conversation(105) in channels.covered)
    # Then they have cost one call, a placement's distance after the first
    calls = [(at, topics) for name, at, topics in channels.server.calls if name == "add"]
    assert [topics for _, topics in calls] == [1, 5]
    assert calls[1][0] - calls[0][0] >= SPACING - 0.01
    assert sizes(channels) == [7, 9, 9]
    channels.check()
    channels.end()


def test_a_steady_arrival_costs_one_call_for_each_second_whatever_the_number_of_channels() -> None:
    channels = busy_channels(40, channel_topics=10, channel_budget=8)
    unfollow(channels, range(0, 40, 2))
    channels.server.calls.clear()
    begun = channels.clock.monotonic()
    for number in range(100, 120):
        channels.registry.follow(conversation(number))
        for _ in range(20):
            channels.clock.advance(0.001)
            gevent.sleep(0.0005)
    channels.until(lambda: len(channels.covered) == 40)
    seconds = channels.clock.monotonic() - begun
    assert channels.server.count("add") <= seconds / SPACING + 2
    channels.check()
    channels.end()


def test_if_calls_are_not_scarce_a_lone_one_is_placed_at_once() -> None:
    channels = RegistryOnFakeGenesys(api_rate_per_minute=RATE)
    channels.start(3)
    for number in range(10, 13):
        channels.registry.follow(conversation(number))
        gevent.sleep(0)
        gevent.sleep(0)
        assert channels.registry.waiting() == 0
    channels.end()


def test_whole_channels_are_filled_without_a_wait() -> None:
    channels = busy_channels(0, channel_topics=50, channel_budget=20)
    for one in ids(50 * 19 - 10):
        channels.registry.follow(one)
    begun = channels.clock.monotonic()
    channels.until(lambda: channels.registry.waiting() == 0, step=0.0)
    assert channels.clock.monotonic() - begun < SPACING
    assert sizes(channels) == [50] * 18 + [40]
    channels.until(lambda: len(channels.covered) == 940)
    assert channels.server.count("add") <= 25
    channels.end()


def test_a_lost_channel_is_replaced_by_one_instead_of_filling_the_gaps_of_all_others() -> None:
    channels = busy_channels(40, channel_topics=10, channel_budget=6)
    unfollow(channels, range(1, 40, 10))
    channels.server.calls.clear()
    lost = channels.channel()
    channels.socket(lost).push(TOKEN_REVOKED)
    channels.until(lambda: lost.id in channels.closed and len(channels.covered) == 36)
    assert [topics for name, _, topics in channels.server.calls if name == "add"] == [9]
    channels.check()
    channels.end()


def test_if_no_channel_can_be_made_the_gaps_are_filled() -> None:
    channels = busy_channels(30, channel_topics=10, channel_budget=4)
    unfollow(channels, range(0, 30, 3))
    for one in ids(10, start=100):
        channels.registry.follow(one)
    channels.until(lambda: len(channels.covered) == 30)
    assert sizes(channels) == [10, 10, 10]
    channels.end()


def test_only_the_first_placement_of_a_conversation_is_a_request() -> None:
    channels = busy_channels(6, channel_topics=10)
    requested: list[int] = []
    channels.load.requested = requested.append  # type: ignore[method-assign, assignment] # notes the calls
    channels.registry.follow(conversation(6))
    channels.until(lambda: len(channels.covered) == 7)
    lost = channels.channel()
    channels.socket().push(TOKEN_REVOKED)
    channels.until(lambda: lost.id in channels.closed and len(channels.covered) == 7)
    assert (sum(requested), len(requested)) == (1, 2)
    channels.end()


# --- beyond the capacity ---


def test_places_that_become_free_go_to_those_that_have_waited_longest() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=5, channel_budget=3)
    channels.registry.start(ids(10))
    channels.until(lambda: len(channels.covered) == 10)
    for one in ids(20, start=10):
        channels.registry.follow(one)
    served: list[int] = []
    for number in range(20):
        channels.unfollow(number)
        channels.until(lambda number=number: conversation(number + 10) in channels.covered)  # type: ignore[misc]
        served.append(channels.registry.waiting())
    assert served == list(range(19, -1, -1))
    channels.check()
    channels.end()


@pytest.mark.parametrize("busy", [False, True])
def test_beyond_the_capacity_a_free_place_is_used_within_about_a_second(busy: bool) -> None:
    channels = RegistryOnFakeGenesys(channel_topics=5, channel_budget=3, api_rate_per_minute=300)
    channels.registry.start(ids(12))
    channels.until(lambda: len(channels.covered) == 10)
    if busy:
        channels.make_busy()
    for number in range(2):
        begun = channels.clock.monotonic()
        channels.unfollow(number)
        channels.until(lambda number=number: conversation(number + 10) in channels.covered)  # type: ignore[misc]
        assert channels.clock.monotonic() - begun < 2.5
    channels.end()


def test_conversations_of_a_lost_channel_go_before_those_that_wait_already() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=5, channel_budget=3)
    channels.registry.start(ids(14))
    channels.until(lambda: len(channels.covered) == 10)
    lost = channels.channel()
    channels.server.refuse_sockets.append(ChannelGone("404"))
    channels.socket(lost).break_off()
    channels.until(lambda: lost.id in channels.closed and len(channels.covered) == 10)
    assert set(channels.covered) == set(ids(10))
    assert channels.registry.waiting() == 4
    channels.end()


def test_conversations_that_a_full_channel_displaces_go_before_those_that_wait_already() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=5, channel_budget=3)
    channels.server.limit = 4
    channels.registry.start(ids(12))
    channels.until(lambda: len(channels.covered) == 8 and channels.registry.waiting() == 4)
    for ended, next_one in ((0, 4), (5, 9), (1, 10), (6, 11)):
        channels.unfollow(ended)
        channels.until(lambda: len(channels.covered) == 8)
        assert conversation(next_one) in channels.covered
    channels.end()


# --- how many places are left ---


def test_the_places_left_are_those_of_the_budget_without_the_one_for_handovers() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=10, channel_budget=3)
    assert (channels.registry.free_places, channels.registry.places_scarce) == (20, False)
    channels.start(16)
    assert (channels.registry.free_places, channels.registry.places_scarce) == (4, False)
    channels.registry.follow(conversation(16))
    assert (channels.registry.free_places, channels.registry.places_scarce) == (3, True)
    for one in ids(10, start=20):
        channels.registry.follow(one)
    channels.until(lambda: len(channels.covered) == 20)
    assert (channels.registry.waiting(), channels.registry.free_places) == (7, 0)
    channels.end()


def test_places_that_the_server_does_not_grant_are_not_left() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=10, channel_budget=3)
    channels.server.limit = 6
    channels.start(7)
    channels.until(lambda: channels.registry.waiting() == 0)
    assert channels.registry.free_places == 20 - 7 - 4
    channels.end()


def test_a_topic_that_is_being_removed_still_takes_its_place() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=10, channel_budget=3)
    channels.start(3)
    channels.server.answers = False
    channels.registry.unfollow(conversation(0))
    assert channels.registry.free_places == 17
    channels.server.answers = True
    channels.until(lambda: channels.registry.free_places == 18)
    channels.end()


# --- the cost of a close ---


def test_an_unfollowed_conversation_wakes_only_the_writer_that_holds_it() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=2, channel_idle_seconds=100.0)
    channels.start(6)
    channels.until(lambda: all(channel.writer.settled for channel in channels.registry.channels()))
    gevent.sleep(0.01)
    steps: list[str] = []
    for channel in channels.registry.channels():
        step = channel.writer._step

        def counted(step: Any = step, name: str = channel.id) -> None:
            steps.append(name)
            step()

        channel.writer._step = counted  # type: ignore[method-assign] # counts the steps, and makes them
    channels.registry.unfollow(conversation(2))
    channels.until(lambda: channels.channel(1).writer.size == 1)
    gevent.sleep(0.01)
    assert set(steps) == {channels.channel(1).id}
    channels.end()
