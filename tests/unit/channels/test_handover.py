"""Topics move to a successor, and at every moment of the move a socket listens."""

from typing import Any

import gevent
import pytest

from genesys_gateway.domain.after_call_work import Acw
from genesys_gateway.genesys.notifications import acw_topic
from genesys_gateway.genesys.websocket import ChannelGone
from genesys_gateway.runtime.errors import TransientFailure
from tests.doubles.channel_registry import EventStream, RegistryOnFakeGenesys
from tests.doubles.channels import TOKEN_REVOKED, PacedClock, conversation, eventually, no_longer_subscribed


def test_a_closing_notice_moves_everything_before_the_close_with_nobody_uncovered(
    channels: RegistryOnFakeGenesys,
) -> None:
    channels.start(20)
    old, stream = channels.channel(), EventStream(channels, 20)
    channels.announce_close()
    channels.until(lambda: stream.turn() or old.id in channels.closed)
    assert stream.sent > 100
    assert stream.missed == 0
    assert channels.uncovered == []
    assert set(channels.covered.values()) == {channels.channel().id} != {old.id}
    assert channels.value("channel_handovers_total", reason="notice") == 1
    assert channels.value("channel_created_total", reason="handover") == 1
    eventually(lambda: len(channels.notified) >= stream.sent, channels.clock)
    assert all(isinstance(one, Acw) for one in channels.notified)
    channels.check()


def test_the_old_socket_reads_on_for_the_overlap() -> None:
    channels = RegistryOnFakeGenesys(channel_overlap_seconds=1.0)
    channels.start(2)
    old = channels.announce_close()
    channels.until(lambda: set(channels.covered.values()) != {old.id})
    moved_at = channels.clock.monotonic()
    channels.until(lambda: channels.value("channel_handovers_total", reason="notice") == 1)
    assert old.listening
    channels.until(lambda: not old.listening)
    assert 0.9 <= channels.clock.monotonic() - moved_at <= 1.5
    channels.end()


def test_the_server_may_close_the_old_socket_during_the_overlap() -> None:
    channels = RegistryOnFakeGenesys(channel_overlap_seconds=1000.0)
    channels.start(2)
    old = channels.announce_close()
    channels.until(lambda: set(channels.covered.values()) != {old.id})
    channels.socket(old).break_off()
    channels.until(lambda: old.id in channels.closed)
    assert channels.uncovered == []
    assert channels.theirs(old).connects == 1
    channels.check()
    channels.end()


@pytest.mark.parametrize(("life", "token_life"), [(10.0, 100_000.0), (100_000.0, 20.0)])
def test_before_its_own_end_or_its_tokens_a_channel_is_handed_over(life: float, token_life: float) -> None:
    channels = RegistryOnFakeGenesys(heartbeat_seconds=400.0)
    channels.server.life_seconds = life
    channels.server.token = channels.server.new_token(token_life)
    channels.start(3)
    old, stream, ends_at = channels.channel(), EventStream(channels, 3), channels.channel().ends_at
    channels.server.life_seconds = 100_000
    channels.server.token = channels.server.new_token(100_000)
    channels.until(lambda: stream.turn() or old.id in channels.closed, step=0.02)
    assert channels.clock.now() < ends_at
    assert (stream.missed, channels.uncovered) == (0, [])
    assert channels.value("channel_handovers_total", reason="expiry") == 1
    channels.end()


def test_while_no_new_token_can_be_had_successors_are_not_made_in_a_row() -> None:
    channels = RegistryOnFakeGenesys(heartbeat_seconds=100_000.0, retry_max_seconds=300.0, channel_idle_seconds=0.02)
    channels.server.token = channels.server.new_token(3000.0)
    channels.start(3)
    channels.clock.advance(2690)
    begun = channels.clock.monotonic()
    while channels.clock.monotonic() - begun < 290:
        channels.clock.advance(0.5)
        gevent.sleep(0.0003)
    assert 1 < channels.server.count("create") < 8
    assert channels.uncovered == []
    assert len(channels.covered) == 3
    channels.check()
    channels.end()


def test_a_failed_handover_leaves_everything_where_it_was(channels: RegistryOnFakeGenesys) -> None:
    channels.start(3)
    old = channels.channel()
    channels.server.refuse_sockets.append(ChannelGone("404"))
    channels.announce_close()
    channels.until(lambda: len(channels.closed) == 1)
    assert channels.closed != [old.id]
    assert (channels.uncovered, set(channels.covered.values())) == ([], {old.id})
    channels.registry.follow(conversation(7))
    channels.until(lambda: len(channels.covered) == 4)
    assert len(channels.closed) == 1
    channels.check()


def test_a_successor_counts_only_by_its_own_list_read_back(channels: RegistryOnFakeGenesys) -> None:
    channels.start(5)
    old = channels.channel()
    add, lost = channels.server.add_topics, [acw_topic(conversation(2))]

    def forgetful(channel_id: str, token: Any, topics: Any) -> Any:
        results = add(channel_id, token, topics)
        if lost:
            del channels.server.channels[channel_id].topics[lost.pop()]
        return results

    channels.server.add_topics = forgetful  # type: ignore[method-assign] # the server is a double already
    stream = EventStream(channels, 5)
    channels.announce_close()
    channels.until(lambda: stream.turn() or old.id in channels.closed)
    assert (stream.missed, channels.uncovered) == (0, [])
    channels.check()


def test_a_successor_that_never_confirms_is_given_up_in_time() -> None:
    channels = RegistryOnFakeGenesys(PacedClock(), heartbeat_seconds=1.0)
    channels.start(3)
    old = channels.channel()
    channels.server.fail("add", TransientFailure("503"), times=1000)
    channels.server.fail("replace", TransientFailure("503"), times=1000)
    channels.announce_close()
    channels.until(lambda: channels.closed and not channels.registry._handovers, 0.02)
    assert old.usable
    assert channels.uncovered == []
    channels.check()
    channels.end()


def test_until_the_move_only_the_old_channel_counts_as_covering() -> None:
    channels = RegistryOnFakeGenesys(PacedClock(), heartbeat_seconds=1.0)
    channels.start(3)
    old = channels.channel()
    seen: set[str] = set()
    channels.server.fail("list", TransientFailure("503"), times=10_000)
    channels.announce_close()

    def given_up() -> bool:
        seen.update(channels.covered.values())
        return bool(channels.closed)  # another attempt may have begun already

    channels.until(given_up, 0.02)
    assert channels.server.count("add") >= 2
    assert (seen, channels.uncovered) == ({old.id}, [])
    channels.end()


def test_topics_that_moved_by_themselves_to_a_successor_that_fails_find_a_home_again() -> None:
    channels = RegistryOnFakeGenesys(PacedClock(), heartbeat_seconds=1.0)
    channels.start(5)
    old, old_socket = channels.channel(), channels.socket()
    channels.server.fail("list", TransientFailure("503"), times=10_000)
    channels.announce_close()
    channels.until(lambda: channels.server.count("add") == 2)
    channels.theirs(old).topics.pop(acw_topic(conversation(1)))
    old_socket.push(no_longer_subscribed([acw_topic(conversation(1))]))
    channels.until(lambda: channels.covered.get(conversation(1), old.id) != old.id, 0.02)
    channels.until(lambda: channels.closed, 0.02)  # another attempt may have begun already
    channels.server._faults.clear()
    channels.until(lambda: len(channels.covered) == 5)
    assert channels.uncovered == [conversation(1)]
    channels.until(lambda: channels.channel().writer.settled and not channels.registry._handovers)
    channels.check()
    channels.end()


def test_a_handover_goes_on_when_the_old_channel_is_gone_meanwhile() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=30)
    channels.start(30)
    old = channels.channel()
    channels.server.latency = 0.01
    channels.announce_close()
    channels.until(lambda: len(channels.registry.channels()) == 2)
    channels.socket(old).push(TOKEN_REVOKED)
    channels.server.latency = 0.0
    channels.until(lambda: old.id in channels.closed and len(channels.covered) == 30)
    channels.until(lambda: not channels.registry._handovers)
    assert len(channels.server.channels) == 2
    channels.check()
    channels.end()


def test_a_successor_that_can_not_be_verified_is_kept_when_the_old_channel_is_gone() -> None:
    channels = RegistryOnFakeGenesys(heartbeat_seconds=1.0)
    channels.start(5)
    old = channels.channel()
    channels.server.fail("list", TransientFailure("503"), times=10_000)
    channels.announce_close()
    channels.until(lambda: channels.server.count("add") == 2)
    channels.socket(old).push(TOKEN_REVOKED)
    channels.until(lambda: old.id in channels.closed and not channels.registry._handovers)
    channels.until(lambda: len(channels.covered) == 5)
    assert len(channels.server.channels) == 2
    channels.check()
    channels.end()


def test_a_successor_that_fails_after_the_old_channel_is_gone_leaves_nobody_behind() -> None:
    channels = RegistryOnFakeGenesys(heartbeat_seconds=1.0)
    channels.start(5)
    old = channels.channel()
    channels.server.fail("add", TransientFailure("503"), times=60)
    channels.server.fail("replace", TransientFailure("503"), times=60)
    channels.announce_close()
    channels.until(lambda: len(channels.registry.channels()) == 2)
    channels.socket(old).push(TOKEN_REVOKED)
    channels.until(lambda: old.id in channels.closed)
    channels.until(lambda: len(channels.covered) == 5)
    channels.until(lambda: not channels.registry._handovers)
    channels.until(lambda: len(channels.covered) == 5)
    channels.check()
    channels.end()


def test_unfollowed_during_a_handover_it_is_dropped_from_both(channels: RegistryOnFakeGenesys) -> None:
    channels.start(5)
    channels.server.latency = 0.005
    channels.announce_close()
    channels.until(lambda: len(channels.registry.channels()) == 2)
    channels.unfollow(0)
    channels.server.latency = 0.0
    channels.until(lambda: len(channels.closed) == 1)
    channels.until(lambda: channels.channel().writer.settled and channels.channel().writer.size == 4)
    assert conversation(0) not in channels.covered
    channels.check()


def test_followed_during_a_handover_it_is_covered_on_the_successor_or_elsewhere(
    channels: RegistryOnFakeGenesys,
) -> None:
    channels.start(5)
    channels.announce_close()
    channels.until(lambda: channels.registry._handovers)
    channels.registry.follow(conversation(9))
    channels.until(lambda: conversation(9) in channels.covered and len(channels.closed) == 1)
    channels.until(lambda: not channels.registry._handovers)
    channels.check()


def test_topics_that_the_server_moves_by_itself_are_not_fetched_back(channels: RegistryOnFakeGenesys) -> None:
    """Genesys may say no_longer_subscribed (another_channel_subscribed) when the successor subscribes."""
    channels.start(5)
    old, old_socket = channels.channel(), channels.socket()
    channels.server.latency = 0.003
    add = channels.server.add_topics

    def thieving(channel_id: str, token: Any, topics: Any) -> Any:
        results = add(channel_id, token, topics)
        if channel_id != old.id:
            for topic in topics:
                channels.theirs(old).topics.pop(topic, None)
            old_socket.push(no_longer_subscribed(topics))
        return results

    channels.server.add_topics = thieving  # type: ignore[method-assign] # the server is a double already
    channels.announce_close()
    channels.until(lambda: old.id in channels.closed)
    assert channels.server.count("add") == 2
    assert len(channels.covered) == 5
    channels.check()


def test_a_refused_topic_does_not_hold_up_a_handover_and_is_not_reported_as_covered(
    channels: RegistryOnFakeGenesys,
) -> None:
    channels.start(3)
    old = channels.channel()
    channels.server.rejected = {acw_topic(conversation(1))}
    channels.announce_close()
    channels.until(lambda: old.id in channels.closed)
    assert channels.uncovered == [conversation(1)]
    assert set(channels.covered) == {conversation(0), conversation(2)}
    channels.server.rejected = set()
    channels.until(lambda: len(channels.covered) == 3)
    channels.check()


def test_several_handovers_go_one_after_the_other_where_only_one_place_is_free() -> None:
    channels = RegistryOnFakeGenesys(
        channel_topics=2, channel_budget=4, channel_overlap_seconds=12.0, heartbeat_seconds=1000.0
    )
    channels.start(6)
    old, stream = channels.registry.channels(), EventStream(channels, 6)
    for channel in old:
        channels.announce_close(channel)
    channels.until(lambda: stream.turn() or len(channels.closed) == 3, step=0.05)
    assert channels.server.most_connected == 4
    assert (stream.missed, channels.uncovered) == (0, [])
    assert {channel.id for channel in old}.isdisjoint(channels.covered.values())
    channels.check()
    channels.end()


def test_an_old_socket_is_closed_earlier_when_conversations_wait_for_its_place() -> None:
    channels = RegistryOnFakeGenesys(
        channel_topics=2, channel_budget=4, channel_overlap_seconds=1200.0, heartbeat_seconds=10_000.0
    )
    channels.start(4)
    old = channels.announce_close()
    channels.until(lambda: old.id not in channels.covered.values())
    moved_at = channels.clock.monotonic()
    channels.registry.follow(conversation(4))
    channels.until(lambda: conversation(4) in channels.covered, step=0.5)
    assert 99 <= channels.clock.monotonic() - moved_at <= 300
    assert (channels.server.most_connected, channels.uncovered) == (3, [])
    channels.end()


def test_an_old_socket_is_not_closed_earlier_for_conversations_that_its_place_is_no_use_to() -> None:
    channels = RegistryOnFakeGenesys(
        channel_topics=2, channel_budget=3, channel_overlap_seconds=12.0, heartbeat_seconds=10_000.0
    )
    channels.start(4)
    old = channels.channel()
    channels.registry.follow(conversation(4))
    channels.announce_close(old)
    channels.until(lambda: old.id not in channels.covered.values())
    moved_at = channels.clock.monotonic()
    channels.until(lambda: not old.listening, step=0.1)
    assert channels.clock.monotonic() - moved_at >= 11
    channels.end()


def test_a_notice_that_can_not_be_served_in_time_ends_in_a_reconnect_on_the_same_channel() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=2, channel_budget=2, heartbeat_seconds=10_000.0)
    channels.start(2)
    old = channels.channel()
    channels.server.fail("create", TransientFailure("503"), times=1_000_000)
    old_socket = channels.socket()
    channels.announce_close()
    begun = channels.clock.monotonic()
    channels.until(lambda: channels.clock.monotonic() - begun > 50, step=0.1)
    assert channels.registry._handovers == {}
    old_socket.break_off()
    channels.until(lambda: len(channels.uncovered) == 2 and len(channels.covered) == 2)
    assert channels.theirs(old).connects == 2
    channels.end()


def test_stopping_in_the_middle_of_everything_is_quick_and_leaves_nothing_open() -> None:
    channels = RegistryOnFakeGenesys(channel_topics=2)
    channels.start(10)
    for channel in channels.registry.channels()[:3]:
        channels.announce_close(channel)
    channels.registry.follow(conversation(50))
    channels.server.latency = 0.01
    gevent.sleep(0.005)
    with gevent.Timeout(20):
        channels.registry.stop(0.5)
    assert channels.server.connected == 0
    assert channels.crashes == []
    channels.end()
