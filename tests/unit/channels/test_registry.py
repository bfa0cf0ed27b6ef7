"""Every followed conversation has one home, or waits for one; and no moment of a handover is left uncovered."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from genesys_gateway.channels.channel import Channel
from genesys_gateway.channels.registry import ChannelRegistry, RegistryListener
from genesys_gateway.domain.after_call_work import Acw
from genesys_gateway.genesys.client import ChannelGrant
from genesys_gateway.genesys.notifications import Notification, acw_topic
from genesys_gateway.genesys.websocket import ChannelGone, SocketLost
from genesys_gateway.runtime.errors import PermanentFailure, StorageUnavailable, TransientFailure
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.channels import (
    FakeChannel,
    FakeGenesys,
    FakeSocket,
    PacedClock,
    context,
    conversation,
    eventually,
    ids,
    quick,
)
from tests.doubles.runtime import FakeClock

NOTICE = {"topicName": "v2.system.socket_closing", "eventBody": {"message": "soon"}}
#: Long enough that nobody dies of silence while a test waits.
CALM: dict[str, Any] = {"heartbeat_seconds": 4.0, "channel_idle_seconds": 0.2}


class House:
    """A registry before a fake Genesys, and the coverage that it told, as the disk would know it."""

    def __init__(self, clock: FakeClock | None = None, **changes: Any) -> None:
        self.clock = clock or FakeClock()
        self.server = FakeGenesys(self.clock)
        self.server.pongs = True  # or a socket could die of silence in the middle of what a test waits for
        self.crashes: list[str] = []
        self.metrics = Metrics()
        self.covered: dict[str, str] = {}
        self.uncovered: list[str] = []
        self.rejected: list[tuple[str, str]] = []
        self.notified: list[Notification] = []
        self.created: list[str] = []
        self.closed: list[str] = []
        self.refusing_disk = 0
        self.registry = ChannelRegistry(
            context(self.server, self.clock, quick(**{**CALM, **changes}), self.crashes, self.metrics),
            RegistryListener(
                notified=lambda notification, frame: self.notified.append(notification),
                covered=self._covered,
                uncovered=self._uncovered,
                rejected=lambda one, reason: self.rejected.append((one, reason)),
                created=self._created,
                closed=self.closed.append,
            ),
        )

    def _covered(self, some: list[str], channel_id: str) -> None:
        self.covered.update(dict.fromkeys(some, channel_id))

    def _uncovered(self, some: list[str], since: int) -> None:
        self.uncovered += some
        for one in some:
            self.covered.pop(one, None)

    def _created(self, grant: ChannelGrant) -> None:
        if self.refusing_disk:
            self.refusing_disk -= 1
            raise StorageUnavailable("the disk refuses")
        self.created.append(grant.id)

    def start(self, count: int = 0, step: float = 0.001) -> None:
        """Follow so many, and wait until all are covered."""
        self.registry.start(ids(count))
        self.until(lambda: len(self.covered) == count, step)

    def until(self, condition: Any, step: float = 0.001) -> None:
        eventually(condition, self.clock, step=step)

    def channel(self, at: int = 0) -> Channel:
        return self.registry.channels()[at]

    def there(self, channel: Channel | None = None) -> FakeChannel:
        return self.server.channels[(channel or self.channel()).id]

    def socket(self, channel: Channel | None = None) -> FakeSocket:
        socket = self.there(channel).socket
        assert socket is not None
        return socket

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels) or 0.0

    def check(self) -> None:
        """What is told as covered is on the list of a channel with a socket; nobody is homeless; no ghosts."""
        for one, channel_id in self.covered.items():
            there = self.server.channels[channel_id]
            assert there.socket is not None, f"{one} is not covered"
            assert one in there.conversations
        on_channels = [one for channel in self.registry.channels() for one in channel.writer.desired]
        assert sorted(on_channels) == sorted(self.registry.followed() - set(self.registry._waiting))

    def end(self) -> None:
        assert self.registry.stop(1.0) == []
        assert self.server.connected == 0
        assert self.crashes == []


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.end()


# --- placement ---


def test_what_is_followed_at_the_start_is_covered_on_one_channel(house: House) -> None:
    house.start(5)
    assert len(house.server.channels) == 1
    assert house.registry.covered() == house.registry.followed() == set(ids(5))
    assert house.created == [house.channel().id]
    assert house.value("channel_created_total", reason="demand") == 1
    house.check()


def test_nothing_followed_means_no_channel(house: House) -> None:
    house.start()
    gevent.sleep(0.01)
    assert house.server.channels == {}


def test_a_repetition_costs_nothing_but_tells_again_what_is_covered(house: House) -> None:
    house.start(2)
    calls = len(house.server.calls)
    house.covered.clear()
    house.registry.follow(conversation(0))
    gevent.sleep(0.005)
    assert len(house.server.calls) == calls
    assert list(house.covered) == [conversation(0)]


def test_the_first_one_too_many_opens_a_second_channel() -> None:
    house = House(channel_topics=10)
    house.start(10)
    assert len(house.server.channels) == 1
    house.registry.follow(conversation(10))
    house.until(lambda: len(house.covered) == 11)
    assert [channel.writer.size for channel in house.registry.channels()] == [10, 1]
    house.check()
    house.end()


def test_the_fullest_channel_with_room_is_taken_so_that_others_drain() -> None:
    house = House(channel_topics=10)
    house.start(15)
    for one in ids(4):
        house.registry.unfollow(one)
    house.until(lambda: [c.writer.size for c in house.registry.channels()] == [6, 5])
    house.registry.follow(conversation(20))
    house.until(lambda: conversation(20) in house.covered)
    assert [c.writer.size for c in house.registry.channels()] == [7, 5]
    house.end()


def test_however_many_wait_one_channel_is_made_at_a_time(house: House) -> None:
    house.server.latency = 0.005
    house.registry.start(())
    for one in ids(300):
        house.registry.follow(one)
        if one.endswith("0"):
            gevent.sleep(0)
    house.until(lambda: len(house.covered) == 300)
    assert house.server.count("create") == 1


def test_a_channel_with_no_topic_is_closed_after_the_idle_time(house: House) -> None:
    house.start(2)
    for one in ids(2):
        house.registry.unfollow(one)
    house.until(lambda: not house.registry.channels())
    assert house.server.connected == 0
    assert house.closed == house.created
    assert house.value("channel_handovers_total", reason="idle") == 0


def test_after_an_idle_close_a_new_registration_finds_a_new_channel(house: House) -> None:
    house.start(1)
    house.registry.unfollow(conversation(0))
    house.covered.clear()
    house.until(lambda: not house.registry.channels())
    house.registry.follow(conversation(1))
    house.until(lambda: house.covered)
    house.check()


# --- the budget ---


def test_all_but_one_of_the_budget_work_and_the_rest_waits_until_there_is_room() -> None:
    house = House(channel_topics=2, channel_budget=4)
    house.registry.start(ids(9))
    house.until(lambda: len(house.covered) == 6)
    gevent.sleep(0.05)
    assert (house.registry.connected(), house.registry.waiting(), house.server.connected) == (3, 3, 3)
    # When one ends
    house.registry.unfollow(conversation(0))
    house.covered.pop(conversation(0))
    # Then the one that waited longest takes its place
    house.until(lambda: conversation(6) in house.covered)
    assert house.registry.waiting() == 2
    assert house.server.most_connected == 3
    house.check()
    house.end()


def test_lost_sockets_keep_their_places_so_that_no_channel_too_many_is_ever_connected() -> None:
    house = House(channel_topics=2, channel_budget=4)
    house.registry.start(ids(20))
    house.until(lambda: len(house.covered) == 6)
    for _ in range(3):
        house.server.refuse_sockets.append(SocketLost("503"))
        for channel in house.registry.channels():
            if channel.listening:
                house.socket(channel).break_off()
        house.until(lambda: len(house.covered) == 6)
        house.clock.advance(7)
    assert house.server.most_connected <= 3
    house.end()


def test_a_channel_that_can_not_be_made_is_tried_again_and_everything_else_goes_on(house: House) -> None:
    house.server.fail("create", TransientFailure("503"), times=3)
    house.server.fail("create", PermanentFailure("403"))
    house.start(3)
    assert house.server.count("create") == 5


def test_a_disk_that_refuses_a_new_channel_ends_nothing(house: House) -> None:
    house.refusing_disk = 3
    house.start(3, step=0.05)
    assert len(house.created) == 1
    assert house.registry.connected() == 1


def test_no_channel_is_asked_for_before_retry_after_is_over(house: House) -> None:
    house.server.fail("create", TransientFailure("429", retry_after=0.4))
    house.start(1)
    (_, first, _), (_, second, _) = [call for call in house.server.calls if call[0] == "create"]
    assert second - first >= 0.4


def test_of_several_troubles_at_one_time_the_longest_retry_after_counts() -> None:
    house = House(PacedClock())
    house.start(1)
    for seconds in (5.0, 60.0, 1.0):
        house.server.fail("create", TransientFailure("503", retry_after=seconds))
    house.server.latency = 0.005
    begun = house.clock.monotonic()
    # As three handovers do, each for its own channel.
    gevent.joinall([gevent.spawn(house.registry.make_successor) for _ in range(3)], raise_error=True)
    house.server.latency = 0.0
    assert house.server.count("create") == 4
    house.clock.advance(59)
    assert house.registry.make_successor() is None
    assert house.server.count("create") == 4
    house.clock.advance(1.1)
    assert house.registry.make_successor() is not None
    assert house.clock.monotonic() - begun < 62
    house.end()


def test_room_that_comes_about_while_no_channel_can_be_made_is_used() -> None:
    house = House(channel_topics=2)
    house.start(2)
    house.server.fail("create", TransientFailure("503", retry_after=10_000.0))
    house.registry.follow(conversation(2))
    house.until(lambda: house.server.count("create") == 2)
    house.registry.unfollow(conversation(0))
    house.covered.pop(conversation(0))
    house.until(lambda: conversation(2) in house.covered)
    house.end()


@pytest.mark.parametrize("error", [ChannelGone("404"), PermanentFailure("connectUri")])
def test_channels_that_die_young_are_not_replaced_as_fast_as_they_die(error: Any) -> None:
    house = House(retry_base_seconds=1.0, retry_max_seconds=300.0, heartbeat_seconds=40.0)
    house.server.refuse_sockets.extend([error] * 100_000)
    house.registry.start(ids(1))
    begun = house.clock.monotonic()
    while house.clock.monotonic() - begun < 600:
        house.clock.advance(0.5)
        gevent.sleep(0.0003)
    # 5 to 10 s apart, and up to 3 s to notice: seldom enough for the calls, soon enough after an outage.
    assert 600 / 13 <= house.server.count("create") <= 600 / 5 + 5
    house.end()


# --- unfollow ---


def test_who_is_unfollowed_while_waiting_waits_no_longer() -> None:
    house = House(channel_budget=2, channel_topics=1)
    house.registry.start(ids(2))
    house.until(lambda: house.covered)
    house.registry.unfollow(conversation(1))
    assert house.registry.waiting() == 0
    house.end()


def test_unfollowed_and_followed_again_it_ends_up_covered(house: House) -> None:
    house.start(3)
    house.covered.pop(conversation(0))
    house.registry.unfollow(conversation(0))
    house.registry.follow(conversation(0))
    house.until(lambda: conversation(0) in house.covered)
    house.until(lambda: house.channel().writer.settled)
    house.check()


def test_unfollowed_before_it_was_covered_it_is_never_told_as_covered(house: House) -> None:
    house.server.latency = 0.005
    house.registry.start(ids(2))
    house.until(lambda: house.server.count("add"))
    house.registry.unfollow(conversation(0))
    house.until(lambda: house.covered)
    assert list(house.covered) == [conversation(1)]


# --- losses ---


def test_a_lost_socket_is_told_and_the_same_channel_covers_again(house: House) -> None:
    house.start(3)
    house.socket().break_off()
    house.until(lambda: len(house.uncovered) == 3)
    house.until(lambda: len(house.covered) == 3)
    assert len(house.server.channels) == 1
    house.check()


def test_a_channel_lost_three_times_is_replaced_by_a_new_one(house: House) -> None:
    house.start(3)
    old = house.channel()
    house.server.refuse_sockets.extend([SocketLost("503")] * 2)
    house.socket().break_off()
    house.until(lambda: old.id in house.closed and len(house.covered) == 3)
    assert house.channel() is not old
    assert house.value("channel_handovers_total", reason="gone") == 1
    house.check()


def test_an_upgrade_answered_with_404_gives_a_new_channel(house: House) -> None:
    house.start(3)
    old = house.channel()
    house.server.refuse_sockets.append(ChannelGone("404"))
    house.socket().break_off()
    house.until(lambda: old.id in house.closed and len(house.covered) == 3)
    house.check()


def test_a_revoked_token_gives_new_channels_for_all() -> None:
    house = House(channel_topics=2)
    house.start(6)
    for channel in house.registry.channels():
        house.socket(channel).push({"topicName": "v2.system.token_revoked", "eventBody": {}})
    house.until(lambda: len(house.closed) == 3 and len(house.covered) == 6)
    house.check()
    house.end()


def test_a_topic_refused_for_one_is_told_and_the_others_are_covered(house: House) -> None:
    house.server.rejected = {acw_topic(conversation(1))}
    house.registry.start(ids(3))
    house.until(lambda: len(house.covered) == 2)
    assert house.rejected == [(conversation(1), "no right")]


def test_what_one_channel_has_no_room_for_finds_another() -> None:
    house = House()
    house.server.limit = 4
    house.start(7)
    assert sorted(len(c.conversations) for c in house.server.channels.values()) == [3, 4]
    house.check()
    house.end()


def test_drift_is_counted(house: House) -> None:
    house.start(3)
    del house.there().topics[acw_topic(conversation(1))]
    house.channel().writer.audit()
    house.until(lambda: house.value("subscription_drift_total") == 1)
    house.until(lambda: len(house.covered) == 3)


def test_lists_are_compared_every_audit_period() -> None:
    house = House(audit_seconds=0.5)
    house.start(3)
    del house.there().topics[acw_topic(conversation(1))]
    house.until(lambda: house.uncovered == [conversation(1)])
    house.until(lambda: len(house.covered) == 3)
    house.end()


# --- handover ---


class Stream:
    """A server that sends an event for each conversation all the time, and counts those that reached nobody."""

    def __init__(self, house: House, count: int) -> None:
        self._house = house
        self._ids = ids(count)
        self.unheard = 0
        self.sent = 0

    def turn(self) -> bool:
        """Send one event for each; always false, to be used in a condition."""
        for one in self._ids:
            self.sent += 1
            self.unheard += not self._house.server.deliver(one, {"topicName": acw_topic(one), "eventBody": {}})
        return False


def test_a_closing_notice_moves_everything_before_the_close_with_nobody_uncovered(house: House) -> None:
    house.start(20)
    old, stream = house.channel(), Stream(house, 20)
    house.socket().push(NOTICE)
    house.until(lambda: stream.turn() or old.id in house.closed)
    assert stream.sent > 100
    assert stream.unheard == 0
    assert house.uncovered == []
    assert set(house.covered.values()) == {house.channel().id} != {old.id}
    assert house.value("channel_handovers_total", reason="notice") == 1
    assert house.value("channel_created_total", reason="handover") == 1
    eventually(lambda: len(house.notified) >= stream.sent, house.clock)
    assert all(isinstance(one, Acw) for one in house.notified)
    house.check()


def test_the_old_socket_reads_on_for_the_overlap() -> None:
    house = House(channel_overlap_seconds=1.0)
    house.start(2)
    old = house.channel()
    house.socket().push(NOTICE)
    house.until(lambda: set(house.covered.values()) != {old.id})
    moved_at = house.clock.monotonic()
    house.until(lambda: house.value("channel_handovers_total", reason="notice") == 1)
    assert old.listening
    house.until(lambda: not old.listening)
    assert 0.9 <= house.clock.monotonic() - moved_at <= 1.5
    house.end()


def test_the_server_may_close_the_old_socket_during_the_overlap() -> None:
    house = House(channel_overlap_seconds=1000.0)
    house.start(2)
    old = house.channel()
    house.socket().push(NOTICE)
    house.until(lambda: set(house.covered.values()) != {old.id})
    house.socket(old).break_off()
    house.until(lambda: old.id in house.closed)
    assert house.uncovered == []
    assert house.there(old).connects == 1
    house.check()
    house.end()


@pytest.mark.parametrize(("life", "token_life"), [(10.0, 100_000.0), (100_000.0, 20.0)])
def test_before_its_own_end_or_its_tokens_a_channel_is_handed_over(life: float, token_life: float) -> None:
    house = House(heartbeat_seconds=400.0)
    house.server.life_seconds = life
    house.server.token = house.server.new_token(token_life)
    house.start(3)
    old, stream, ends_at = house.channel(), Stream(house, 3), house.channel().ends_at
    house.server.life_seconds = 100_000
    house.server.token = house.server.new_token(100_000)
    house.until(lambda: stream.turn() or old.id in house.closed, step=0.02)
    assert house.clock.now() < ends_at
    assert (stream.unheard, house.uncovered) == (0, [])
    assert house.value("channel_handovers_total", reason="expiry") == 1
    house.end()


def test_while_no_new_token_can_be_had_successors_are_not_made_in_a_row() -> None:
    house = House(heartbeat_seconds=100_000.0, retry_max_seconds=300.0, channel_idle_seconds=0.02)
    house.server.token = house.server.new_token(3000.0)
    house.start(3)
    house.clock.advance(2690)
    begun = house.clock.monotonic()
    while house.clock.monotonic() - begun < 290:
        house.clock.advance(0.5)
        gevent.sleep(0.0003)
    assert 1 < house.server.count("create") < 8
    assert house.uncovered == []
    assert len(house.covered) == 3
    house.check()
    house.end()


def test_a_failed_handover_leaves_everything_where_it_was(house: House) -> None:
    house.start(3)
    old = house.channel()
    house.server.refuse_sockets.append(ChannelGone("404"))
    house.socket().push(NOTICE)
    house.until(lambda: len(house.closed) == 1)
    assert house.closed != [old.id]
    assert (house.uncovered, set(house.covered.values())) == ([], {old.id})
    house.registry.follow(conversation(7))
    house.until(lambda: len(house.covered) == 4)
    house.check()


def test_a_successor_counts_only_by_its_own_list_read_back(house: House) -> None:
    house.start(5)
    old = house.channel()
    add, lost = house.server.add_topics, [acw_topic(conversation(2))]

    def forgetful(channel_id: str, token: Any, topics: Any) -> Any:
        results = add(channel_id, token, topics)
        if lost:
            del house.server.channels[channel_id].topics[lost.pop()]
        return results

    house.server.add_topics = forgetful  # type: ignore[method-assign] # the server is a double already
    stream = Stream(house, 5)
    house.socket().push(NOTICE)
    house.until(lambda: stream.turn() or old.id in house.closed)
    assert (stream.unheard, house.uncovered) == (0, [])
    house.check()


def test_a_successor_that_never_confirms_is_given_up_in_time() -> None:
    house = House(PacedClock(), heartbeat_seconds=1.0)
    house.start(3)
    old = house.channel()
    house.server.fail("add", TransientFailure("503"), times=1000)
    house.server.fail("replace", TransientFailure("503"), times=1000)
    house.socket().push(NOTICE)
    house.until(lambda: house.closed and not house.registry._handovers, 0.02)
    assert old.usable
    assert house.uncovered == []
    house.check()
    house.end()


def test_until_the_move_only_the_old_channel_counts_as_covering() -> None:
    house = House(PacedClock(), heartbeat_seconds=1.0)
    house.start(3)
    old = house.channel()
    seen: set[str] = set()
    house.server.fail("list", TransientFailure("503"), times=10_000)
    house.socket().push(NOTICE)

    def given_up() -> bool:
        seen.update(house.covered.values())
        return bool(house.closed)  # another attempt may have begun already

    house.until(given_up, 0.02)
    assert house.server.count("add") >= 2
    assert (seen, house.uncovered) == ({old.id}, [])
    house.end()


def test_topics_that_moved_by_themselves_to_a_successor_that_fails_find_a_home_again() -> None:
    house = House(PacedClock(), heartbeat_seconds=1.0)
    house.start(5)
    old, old_socket = house.channel(), house.socket()
    house.server.fail("list", TransientFailure("503"), times=10_000)
    old_socket.push(NOTICE)
    house.until(lambda: house.server.count("add") == 2)
    house.there(old).topics.pop(acw_topic(conversation(1)))
    body = {"topics": [acw_topic(conversation(1))], "reason": "another_channel_subscribed"}
    old_socket.push({"topicName": "v2.system.no_longer_subscribed", "eventBody": body})
    house.until(lambda: house.covered.get(conversation(1), old.id) != old.id, 0.02)
    house.until(lambda: house.closed, 0.02)  # another attempt may have begun already
    house.server._faults.clear()
    house.until(lambda: len(house.covered) == 5)
    assert house.uncovered == [conversation(1)]
    house.until(lambda: house.channel().writer.settled and not house.registry._handovers)
    house.check()
    house.end()


def test_a_handover_goes_on_when_the_old_channel_is_gone_meanwhile() -> None:
    house = House(channel_topics=30)
    house.start(30)
    old = house.channel()
    house.server.latency = 0.01
    house.socket().push(NOTICE)
    house.until(lambda: len(house.registry.channels()) == 2)
    house.socket(old).push({"topicName": "v2.system.token_revoked", "eventBody": {}})
    house.server.latency = 0.0
    house.until(lambda: old.id in house.closed and len(house.covered) == 30)
    house.until(lambda: not house.registry._handovers)
    assert len(house.server.channels) == 2
    house.check()
    house.end()


def test_a_successor_that_can_not_be_verified_is_kept_when_the_old_channel_is_gone() -> None:
    house = House(heartbeat_seconds=1.0)
    house.start(5)
    old = house.channel()
    house.server.fail("list", TransientFailure("503"), times=10_000)
    house.socket().push(NOTICE)
    house.until(lambda: house.server.count("add") == 2)
    house.socket(old).push({"topicName": "v2.system.token_revoked", "eventBody": {}})
    house.until(lambda: old.id in house.closed and not house.registry._handovers)
    house.until(lambda: len(house.covered) == 5)
    assert len(house.server.channels) == 2
    house.check()
    house.end()


def test_a_successor_that_fails_after_the_old_channel_is_gone_leaves_nobody_behind() -> None:
    house = House(heartbeat_seconds=1.0)
    house.start(5)
    old = house.channel()
    house.server.fail("add", TransientFailure("503"), times=60)
    house.server.fail("replace", TransientFailure("503"), times=60)
    house.socket().push(NOTICE)
    house.until(lambda: len(house.registry.channels()) == 2)
    house.socket(old).push({"topicName": "v2.system.token_revoked", "eventBody": {}})
    house.until(lambda: old.id in house.closed)
    house.until(lambda: len(house.covered) == 5)
    house.until(lambda: not house.registry._handovers)
    house.until(lambda: len(house.covered) == 5)
    house.check()
    house.end()


def test_unfollowed_during_a_handover_it_is_dropped_from_both(house: House) -> None:
    house.start(5)
    house.server.latency = 0.005
    house.socket().push(NOTICE)
    house.until(lambda: len(house.registry.channels()) == 2)
    house.registry.unfollow(conversation(0))
    house.covered.pop(conversation(0), None)
    house.server.latency = 0.0
    house.until(lambda: len(house.closed) == 1)
    house.until(lambda: house.channel().writer.settled and house.channel().writer.size == 4)
    assert conversation(0) not in house.covered
    house.check()


def test_followed_during_a_handover_it_is_covered_on_the_successor_or_elsewhere(house: House) -> None:
    house.start(5)
    house.socket().push(NOTICE)
    house.until(lambda: house.registry._handovers)
    house.registry.follow(conversation(9))
    house.until(lambda: conversation(9) in house.covered and len(house.closed) == 1)
    house.until(lambda: not house.registry._handovers)
    house.check()


def test_topics_that_the_server_moves_by_itself_are_not_fetched_back(house: House) -> None:
    """Genesys may say no_longer_subscribed (another_channel_subscribed) when the successor subscribes."""
    house.start(5)
    old, old_socket = house.channel(), house.socket()
    house.server.latency = 0.003
    add = house.server.add_topics

    def thieving(channel_id: str, token: Any, topics: Any) -> Any:
        results = add(channel_id, token, topics)
        if channel_id != old.id:
            for topic in topics:
                house.there(old).topics.pop(topic, None)
            body = {"topics": list(topics), "reason": "another_channel_subscribed"}
            old_socket.push({"topicName": "v2.system.no_longer_subscribed", "eventBody": body})
        return results

    house.server.add_topics = thieving  # type: ignore[method-assign] # the server is a double already
    house.socket().push(NOTICE)
    house.until(lambda: old.id in house.closed)
    assert house.server.count("add") == 2
    assert len(house.covered) == 5
    house.check()


def test_a_refused_topic_does_not_hold_up_a_handover_and_is_not_told_as_covered(house: House) -> None:
    house.start(3)
    old = house.channel()
    house.server.rejected = {acw_topic(conversation(1))}
    house.socket().push(NOTICE)
    house.until(lambda: old.id in house.closed)
    assert house.uncovered == [conversation(1)]
    assert set(house.covered) == {conversation(0), conversation(2)}
    house.server.rejected = set()
    house.until(lambda: len(house.covered) == 3)
    house.check()


def test_several_handovers_go_one_after_the_other_where_only_one_place_is_free() -> None:
    house = House(channel_topics=2, channel_budget=4, channel_overlap_seconds=12.0, heartbeat_seconds=1000.0)
    house.start(6)
    old, stream = house.registry.channels(), Stream(house, 6)
    for channel in old:
        house.socket(channel).push(NOTICE)
    house.until(lambda: stream.turn() or len(house.closed) == 3, step=0.05)
    assert house.server.most_connected == 4
    assert (stream.unheard, house.uncovered) == (0, [])
    assert {channel.id for channel in old}.isdisjoint(house.covered.values())
    house.check()
    house.end()


def test_an_old_socket_is_closed_earlier_when_conversations_wait_for_its_place() -> None:
    house = House(channel_topics=2, channel_budget=4, channel_overlap_seconds=1200.0, heartbeat_seconds=10_000.0)
    house.start(4)
    old = house.channel()
    house.socket(old).push(NOTICE)
    house.until(lambda: old.id not in house.covered.values())
    moved_at = house.clock.monotonic()
    house.registry.follow(conversation(4))
    house.until(lambda: conversation(4) in house.covered, step=0.5)
    assert 99 <= house.clock.monotonic() - moved_at <= 300
    assert (house.server.most_connected, house.uncovered) == (3, [])
    house.end()


def test_an_old_socket_is_not_closed_earlier_for_conversations_that_its_place_is_no_use_to() -> None:
    house = House(channel_topics=2, channel_budget=3, channel_overlap_seconds=12.0, heartbeat_seconds=10_000.0)
    house.start(4)
    old = house.channel()
    house.registry.follow(conversation(4))
    house.socket(old).push(NOTICE)
    house.until(lambda: old.id not in house.covered.values())
    moved_at = house.clock.monotonic()
    house.until(lambda: not old.listening, step=0.1)
    assert house.clock.monotonic() - moved_at >= 11
    house.end()


def test_a_notice_that_can_not_be_served_in_time_ends_in_a_reconnect_on_the_same_channel() -> None:
    house = House(channel_topics=2, channel_budget=2, heartbeat_seconds=10_000.0)
    house.start(2)
    old = house.channel()
    house.server.fail("create", TransientFailure("503"), times=1_000_000)
    old_socket = house.socket()
    old_socket.push(NOTICE)
    begun = house.clock.monotonic()
    house.until(lambda: house.clock.monotonic() - begun > 50, step=0.1)
    assert house.registry._handovers == {}
    old_socket.break_off()
    house.until(lambda: len(house.uncovered) == 2 and len(house.covered) == 2)
    assert house.there(old).connects == 2
    house.end()


def test_stopping_in_the_middle_of_everything_is_quick_and_leaves_nothing_open() -> None:
    house = House(channel_topics=2)
    house.start(10)
    for channel in house.registry.channels()[:3]:
        house.socket(channel).push(NOTICE)
    house.registry.follow(conversation(50))
    house.server.latency = 0.01
    gevent.sleep(0.005)
    with gevent.Timeout(3):
        house.registry.stop(0.5)
    assert house.server.connected == 0
    assert house.crashes == []
    house.end()
