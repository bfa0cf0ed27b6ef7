"""A drain gives topics up to other instances; a reset forgets everything at once."""

from collections.abc import Iterator

import pytest

from genesys_gateway.genesys.notifications import acw_topic
from tests.doubles.channel_registry import RegistryOnFakeGenesys
from tests.doubles.channels import conversation, ids


@pytest.fixture
def channels() -> Iterator[RegistryOnFakeGenesys]:
    """Two full channels."""
    made = RegistryOnFakeGenesys(channel_topics=3)
    made.registry.start(ids(6))
    made.until(lambda: len(made.covered) == 6)
    yield made
    made.end()


def let_time_pass(channels: RegistryOnFakeGenesys) -> None:
    """Long enough for what must not happen."""
    turns = iter(range(50))
    channels.until(lambda: next(turns, None) is None)


def test_a_reset_closes_every_socket_and_forgets_all_without_a_report(channels: RegistryOnFakeGenesys) -> None:
    before = [channel.id for channel in channels.registry.channels()]
    channels.registry.reset()
    assert channels.server.connected == 0
    assert channels.uncovered == []
    assert channels.registry.followed() == set()
    assert channels.registry.channels() == ()
    assert sorted(channels.closed) == sorted(before)


def test_after_a_reset_what_is_followed_is_covered_on_new_channels(channels: RegistryOnFakeGenesys) -> None:
    before = {channel.id for channel in channels.registry.channels()}
    channels.registry.reset()
    channels.covered.clear()
    channels.registry.follow(conversation(1))
    channels.until(lambda: conversation(1) in channels.covered)
    assert channels.covered[conversation(1)] not in before


def test_during_a_drain_a_new_conversation_waits_for_another_instance(channels: RegistryOnFakeGenesys) -> None:
    channels.registry.unfollow(conversation(0))
    channels.registry.drain()
    channels.registry.follow(conversation(50))
    let_time_pass(channels)
    assert channels.registry.waiting_ids() == [conversation(50)]
    assert conversation(50) not in channels.covered


def test_a_topic_that_goes_to_another_instance_is_no_loss_and_is_not_requested_again(
    channels: RegistryOnFakeGenesys,
) -> None:
    channels.registry.drain()
    one = channels.channel().writer.desired[0]
    del channels.theirs().topics[acw_topic(one)]
    channels.channel().writer.audit()
    let_time_pass(channels)
    assert channels.uncovered == []
    assert acw_topic(one) not in channels.theirs().topics


def test_a_socket_that_is_lost_during_a_drain_is_a_loss(channels: RegistryOnFakeGenesys) -> None:
    channels.registry.drain()
    lost = channels.channel().writer.desired
    channels.socket().break_off()
    channels.until(lambda: len(channels.uncovered) == len(lost))
    assert sorted(channels.uncovered) == sorted(lost)


def test_a_channel_is_closed_when_others_cover_all_that_it_carried(channels: RegistryOnFakeGenesys) -> None:
    channels.registry.drain()
    first, second = channels.registry.channels()
    remaining = {*first.writer.desired[:1], *second.writer.desired}
    channels.registry.close_emptied(remaining)
    let_time_pass(channels)
    assert channels.server.connected == 2
    channels.registry.close_emptied(set(second.writer.desired))
    channels.until(lambda: channels.closed == [first.id])
    assert channels.server.connected == 1
    assert channels.registry.followed() == set(second.writer.desired)
    channels.registry.close_emptied(set())
    channels.until(lambda: len(channels.closed) == 2)
    assert channels.server.connected == 0
    assert channels.uncovered == []
