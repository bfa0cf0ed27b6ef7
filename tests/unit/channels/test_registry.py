"""Every followed conversation has one home channel, or waits for one."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest

from genesys_gateway.channels.budget import OwnBudget
from genesys_gateway.genesys import ChannelGrant
from genesys_gateway.genesys.notifications import acw_topic
from genesys_gateway.genesys.websocket import ChannelGone, SocketLost
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
from tests.doubles.channel_registry import RegistryOnFakeGenesys
from tests.doubles.channels import TOKEN_REVOKED, FakeChannel, PacedClock, conversation, ids

# --- placement ---


def test_what_is_followed_at_the_start_is_covered_on_one_channel(channels: RegistryOnFakeGenesys) -> None:
    channels.start(5)
    assert len(channels.server.channels) == 1
    assert channels.registry.covered() == channels.registry.followed() == set(ids(5))
    assert channels.created == [channels.channel().id]
    assert channels.value("channel_created_total", reason="demand") == 1
    channels.check()


def test_nothing_followed_means_no_channel(channels: RegistryOnFakeGenesys) -> None:
    channels.start()
    gevent.sleep(0.01)
    assert channels.server.channels == {}


def test_a_repetition_costs_nothing_but_reports_again_what_is_covered(channels: RegistryOnFakeGenesys) -> None:
    channels.start(2)
    calls = len(channels.server.calls)
    channels.covered.clear()
    channels.registry.follow(conversation(0))
    gevent.sleep(0.005)
    assert len(channels.server.calls) == calls
    assert list(channels.covered) == [conversation(0)]


def test_the_first_one_too_many_opens_a_second_channel() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=10)
    channels.start(10)
    assert len(channels.server.channels) == 1
    channels.registry.follow(conversation(10))
    channels.until(lambda: len(channels.covered) == 11)
    assert [channel.writer.size for channel in channels.registry.channels()] == [10, 1]
    channels.check()
    channels.end()


def test_the_fullest_channel_with_free_places_is_taken_so_that_others_drain() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=10)
    channels.start(15)
    for one in ids(4):
        channels.registry.unfollow(one)
    channels.until(lambda: [c.writer.size for c in channels.registry.channels()] == [6, 5])
    channels.registry.follow(conversation(20))
    channels.until(lambda: conversation(20) in channels.covered)
    assert [c.writer.size for c in channels.registry.channels()] == [7, 5]
    channels.end()


def test_however_many_wait_one_channel_is_made_at_a_time(channels: RegistryOnFakeGenesys) -> None:
    channels.server.latency = 0.005
    channels.registry.start(())
    for one in ids(300):
        channels.registry.follow(one)
        if one.endswith("0"):
            gevent.sleep(0)
    channels.until(lambda: len(channels.covered) == 300)
    assert channels.server.count("create") == 1


def test_a_channel_with_no_topic_is_closed_after_the_idle_time(channels: RegistryOnFakeGenesys) -> None:
    channels.start(2)
    for one in ids(2):
        channels.registry.unfollow(one)
    channels.until(lambda: not channels.registry.channels())
    assert channels.server.connected == 0
    assert channels.closed == channels.created
    assert channels.value("channel_handovers_total", reason="idle") == 0


def test_after_an_idle_close_a_new_registration_finds_a_new_channel(channels: RegistryOnFakeGenesys) -> None:
    channels.start(1)
    channels.registry.unfollow(conversation(0))
    channels.covered.clear()
    channels.until(lambda: not channels.registry.channels())
    channels.registry.follow(conversation(1))
    channels.until(lambda: channels.covered)
    channels.check()


# --- the budget ---


def test_all_but_one_of_the_budget_work_and_the_rest_waits_until_a_place_is_free() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=2, channel_budget=4)
    channels.registry.start(ids(9))
    channels.until(lambda: len(channels.covered) == 6)
    gevent.sleep(0.05)
    assert (channels.registry.connected(), channels.registry.waiting(), channels.server.connected) == (3, 3, 3)
    assert (channels.registry.waiting_for_a_place(), channels.registry.waiting_for_a_place(1e6)) == (3, 0)
    # When one ends
    channels.unfollow(0)
    # Then the one that waited longest takes its place
    channels.until(lambda: conversation(6) in channels.covered)
    assert channels.registry.waiting() == 2
    assert channels.server.most_connected == 3
    channels.check()
    channels.end()


def test_lost_sockets_keep_their_places_so_that_no_channel_too_many_is_ever_connected() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=2, channel_budget=4)
    channels.registry.start(ids(20))
    channels.until(lambda: len(channels.covered) == 6)
    for _ in range(3):
        channels.server.refuse_sockets.append(SocketLost("503"))
        for channel in channels.registry.channels():
            if channel.listening:
                channels.socket(channel).break_off()
        channels.until(lambda: len(channels.covered) == 6)
        channels.clock.advance(7)
    assert channels.server.most_connected <= 3
    channels.end()


def test_a_channel_that_can_not_be_made_is_tried_again_and_everything_else_goes_on(
    channels: RegistryOnFakeGenesys,
) -> None:
    channels.server.fail("create", TransientFailure("503"), times=3)
    channels.server.fail("create", PermanentFailure("403"))
    channels.start(3)
    assert channels.server.count("create") == 5


def test_no_channel_is_asked_for_before_retry_after_is_over(channels: RegistryOnFakeGenesys) -> None:
    channels.server.fail("create", TransientFailure("429", retry_after=0.4))
    channels.start(1)
    (_, first, _), (_, second, _) = [call for call in channels.server.calls if call[0] == "create"]
    assert second - first >= 0.4


def test_of_several_failures_at_one_time_the_longest_retry_after_counts() -> None:
    channels = RegistryOnFakeGenesys(PacedClock())
    channels.start(1)
    for seconds in (5.0, 60.0, 1.0):
        channels.server.fail("create", TransientFailure("503", retry_after=seconds))
    channels.server.latency = 0.005
    begun = channels.clock.monotonic()
    # As three handovers do at the same time.
    gevent.joinall([gevent.spawn(channels.registry.make_successor) for _ in range(3)], raise_error=True)
    channels.server.latency = 0.0
    assert channels.server.count("create") == 4
    channels.clock.advance(59)
    assert channels.registry.make_successor() is None
    assert channels.server.count("create") == 4
    channels.clock.advance(1.1)
    assert channels.registry.make_successor() is not None
    assert channels.clock.monotonic() - begun < 62
    channels.end()


def test_a_place_that_becomes_free_while_no_channel_can_be_made_is_used() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=2)
    channels.start(2)
    channels.server.fail("create", TransientFailure("503", retry_after=10_000.0))
    channels.registry.follow(conversation(2))
    channels.until(lambda: channels.server.count("create") == 2)
    channels.unfollow(0)
    channels.until(lambda: conversation(2) in channels.covered)
    channels.end()


@pytest.mark.parametrize("error", [ChannelGone("404"), PermanentFailure("connectUri")])
def test_channels_that_die_young_are_not_replaced_as_fast_as_they_die(error: Any) -> None:
    channels = RegistryOnFakeGenesys(retry_base_seconds=1.0, retry_max_seconds=300.0, heartbeat_seconds=40.0)
    channels.server.refuse_sockets.extend([error] * 100_000)
    channels.registry.start(ids(1))
    begun = channels.clock.monotonic()
    while channels.clock.monotonic() - begun < 600:
        channels.clock.advance(0.5)
        gevent.sleep(0.0003)
    # 5 to 10 s apart, and up to 3 s to notice: rare enough for the rate limit, soon enough after an outage.
    assert 600 / 13 <= channels.server.count("create") <= 600 / 5 + 5
    channels.end()


# --- unfollow ---


def test_a_waiting_conversation_that_is_unfollowed_waits_no_longer() -> None:
    channels = RegistryOnFakeGenesys(channel_budget=2, channel_topics=1)
    channels.registry.start(ids(2))
    channels.until(lambda: channels.covered)
    channels.registry.unfollow(conversation(1))
    assert channels.registry.waiting() == 0
    channels.end()


def test_unfollowed_and_followed_again_it_ends_up_covered(channels: RegistryOnFakeGenesys) -> None:
    channels.start(3)
    channels.covered.pop(conversation(0))
    channels.registry.unfollow(conversation(0))
    channels.registry.follow(conversation(0))
    channels.until(lambda: conversation(0) in channels.covered)
    channels.until(lambda: channels.channel().writer.settled)
    channels.check()


def test_unfollowed_before_it_was_covered_it_is_never_reported_as_covered(channels: RegistryOnFakeGenesys) -> None:
    channels.server.latency = 0.005
    channels.registry.start(ids(2))
    channels.until(lambda: channels.server.count("add"))
    channels.registry.unfollow(conversation(0))
    channels.until(lambda: channels.covered)
    assert list(channels.covered) == [conversation(1)]


# --- losses ---


def test_a_lost_socket_is_reported_and_the_same_channel_covers_again(channels: RegistryOnFakeGenesys) -> None:
    channels.start(3)
    channels.socket().break_off()
    channels.until(lambda: len(channels.uncovered) == 3)
    channels.until(lambda: len(channels.covered) == 3)
    assert len(channels.server.channels) == 1
    channels.check()


def test_a_channel_lost_three_times_is_replaced_by_a_new_one(channels: RegistryOnFakeGenesys) -> None:
    channels.start(3)
    old = channels.channel()
    channels.server.refuse_sockets.extend([SocketLost("503")] * 2)
    channels.socket().break_off()
    channels.until(lambda: old.id in channels.closed and len(channels.covered) == 3)
    assert channels.channel() is not old
    assert channels.value("channel_handovers_total", reason="gone") == 1
    channels.check()


def test_an_upgrade_answered_with_404_gives_a_new_channel(channels: RegistryOnFakeGenesys) -> None:
    channels.start(3)
    old = channels.channel()
    channels.server.refuse_sockets.append(ChannelGone("404"))
    channels.socket().break_off()
    channels.until(lambda: old.id in channels.closed and len(channels.covered) == 3)
    channels.check()


def test_a_revoked_token_gives_new_channels_for_all() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=2)
    channels.start(6)
    for channel in channels.registry.channels():
        channels.socket(channel).push(TOKEN_REVOKED)
    channels.until(lambda: len(channels.closed) == 3 and len(channels.covered) == 6)
    channels.check()
    channels.end()


def test_a_topic_refused_for_one_is_reported_and_the_others_are_covered(channels: RegistryOnFakeGenesys) -> None:
    channels.server.rejected = {acw_topic(conversation(1))}
    channels.registry.start(ids(3))
    channels.until(lambda: len(channels.covered) == 2)
    assert channels.rejected == [(conversation(1), "no right")]


def test_what_one_channel_has_no_place_for_finds_another() -> None:
    channels = RegistryOnFakeGenesys()
    channels.server.limit = 4
    channels.start(7)
    assert sorted(len(c.conversations) for c in channels.server.channels.values()) == [3, 4]
    channels.check()
    channels.end()


def test_drift_is_counted(channels: RegistryOnFakeGenesys) -> None:
    channels.start(3)
    channels.remove(1)
    channels.channel().writer.audit()
    channels.until(lambda: channels.value("subscription_drift_total") == 1)
    channels.until(lambda: len(channels.covered) == 3)


def test_lists_are_compared_every_audit_period() -> None:
    channels = RegistryOnFakeGenesys(audit_seconds=0.5)
    channels.start(3)
    channels.remove(1)
    channels.until(lambda: channels.uncovered == [conversation(1)])
    channels.until(lambda: len(channels.covered) == 3)
    channels.end()


# --- several instances ---


def test_what_another_instance_owns_is_let_go_and_reported_if_it_was_covered_here(
    channels: RegistryOnFakeGenesys,
) -> None:
    """A cover that is stored late could otherwise count for the time after its return."""
    channels.start(2)
    channels.registry.let_go(conversation(0))
    channels.registry.let_go(conversation(7))
    assert (channels.uncovered, channels.registry.followed()) == ([conversation(0)], {conversation(1)})
    channels.until(lambda: channels.theirs().conversations == {conversation(1)})
    channels.check()


# --- a budget that is shared ---


class Shared(OwnBudget):
    """A budget of which other instances hold a part, and which may be in doubt."""

    def __init__(self, places: int) -> None:
        super().__init__(places)
        self.of_others = 0
        self.certain_now = True
        self.was_freed = 0

    @property
    def attainable(self) -> int:
        return super().attainable - self.of_others

    @property
    def certain(self) -> bool:
        return self.certain_now

    def take(self, used: Callable[[], int], *, handover: bool) -> bool:
        return self.certain_now and super().take(lambda: used() + self.of_others, handover=handover)

    def freed(self) -> None:
        self.was_freed += 1


def test_what_other_instances_hold_is_not_free_and_is_used_as_soon_as_it_is() -> None:
    budget = Shared(4)
    channels = RegistryOnFakeGenesys(budget=budget, channel_topics=2, channel_budget=4)
    budget.of_others = 2
    channels.registry.start(ids(4))
    channels.until(lambda: len(channels.covered) == 2)
    gevent.sleep(0.02)
    assert (channels.registry.waiting(), channels.registry.free_places, channels.registry.places_scarce) == (2, 0, True)
    budget.of_others = 1
    channels.registry.places_freed()
    channels.until(lambda: len(channels.covered) == 4)
    assert budget.was_freed == 1
    channels.end()


def test_a_registry_without_any_attainable_place_says_that_places_are_scarce() -> None:
    budget = Shared(4)
    budget.of_others = 3
    channels = RegistryOnFakeGenesys(budget=budget, channel_topics=2, channel_budget=4)
    assert (channels.registry.free_places, channels.registry.places_scarce) == (0, True)


def test_no_first_socket_is_opened_while_the_place_is_in_doubt() -> None:
    budget = Shared(4)
    channels = RegistryOnFakeGenesys(budget=budget)
    grant = channels.server.grant

    def lose_certainty(channel: FakeChannel) -> ChannelGrant:
        budget.certain_now = False
        return grant(channel)

    channels.server.grant = lose_certainty  # type: ignore[method-assign]
    channels.registry.start(ids(1))
    channels.until(lambda: channels.closed)
    assert (channels.server.most_connected, len(channels.server.channels)) == (0, 1)
    channels.server.grant = grant  # type: ignore[method-assign]
    budget.certain_now = True
    channels.until(lambda: channels.covered)
    # But a channel that had its socket opens another while the lease is in doubt
    budget.certain_now = False
    channels.socket().break_off()
    channels.until(lambda: channels.theirs().connects == 2)
    channels.end()
