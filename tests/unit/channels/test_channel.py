"""One channel: one socket at a time, watched for silence, reconnected, and given up when it can't be used."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event

from genesys_gateway.channels.channel import Channel, ChannelListener
from genesys_gateway.channels.state import State
from genesys_gateway.domain.after_call_work import Acw, Unreadable
from genesys_gateway.genesys.notifications import Closing, NoLongerSubscribed, SystemNotice, TokenRevoked, acw_topic
from genesys_gateway.genesys.websocket import ChannelGone, SocketLost
from genesys_gateway.runtime.backoff import ceiling
from genesys_gateway.runtime.errors import PermanentFailure
from genesys_gateway.runtime.greenlets import TURN_SECONDS
from tests.doubles.channels import (
    CLOSING_NOTICE,
    HEARTBEAT,
    PONG,
    TOKEN_REVOKED,
    FakeGenesys,
    FakeSocket,
    acw_notification,
    context,
    conversation,
    eventually,
    ids,
    naming_channel,
    no_longer_subscribed,
    quick,
)
from tests.doubles.runtime import FakeClock


class ChannelOnFakeGenesys:
    """A channel, and what it reported.

    Args:
        changes: Settings.
    """

    def __init__(self, **changes: Any) -> None:
        self.clock = FakeClock()
        self.server = FakeGenesys(self.clock)
        self.crashes: list[str] = []
        self.reports: list[tuple[str, Any]] = []
        self.noticed: list[SystemNotice] = []
        self.notified: list[Acw | Unreadable] = []
        self.covered: set[str] = set()
        self.uncovered: list[tuple[list[str], int]] = []
        self.settings = quick(**changes)
        self.context = context(self.server, self.clock, self.settings, self.crashes)
        #: our side of it
        self.ours = self.create()
        #: the channel as the server sees it
        self.theirs = self.server.channels[self.ours.id]

    def create(self) -> Channel:
        """Create a channel with the token and the life that the server grants now."""
        return Channel(self.server.create_channel(), self.context, self._listener())

    @property
    def socket(self) -> FakeSocket:
        """The open socket."""
        assert self.theirs.socket is not None
        return self.theirs.socket

    def start(self, count: int = 0) -> None:
        """Connect, and wait until ``count`` conversations are covered."""
        self.ours.start()
        self.ours.writer.want(ids(count))
        eventually(lambda: self.ours.listening and len(self.covered) == count, self.clock)

    def connect_slowly(self) -> tuple[Event, list[FakeSocket]]:
        """Start a second object for the same channel; it connects when the event is set.

        Returns:
            The event, and the list to which each opened socket is added.
        """
        go, opened = Event(), list[FakeSocket]()

        def open_slowly(uri: str, settings: Any) -> Any:
            go.wait()
            opened.append(cast(FakeSocket, self.server.open_socket(uri, settings)))
            return opened[-1]

        self.ours = Channel(self.ours.grant, replace(self.context, open_socket=open_slowly), self._listener())
        self.ours.start()
        gevent.sleep(0.002)
        return go, opened

    def reconnect(self, step: float = 0.001) -> None:
        """Lose the socket, and wait until another one is open."""
        before = self.theirs.connects
        self.socket.break_off()
        eventually(lambda: self.theirs.connects > before and self.ours.listening, self.clock, step=step)

    def until(self, state: State) -> None:
        """Wait until the channel is in this state."""
        eventually(lambda: self.ours.state is state, self.clock)

    def end(self) -> None:
        """Retire the channel; fails when a greenlet crashed or it is still connected."""
        self.ours.retire(1.0)
        assert self.ours.state is State.RETIRED
        assert not self.ours.connected
        assert self.crashes == []

    def _listener(self) -> ChannelListener:
        return ChannelListener(
            missing=self._uncovered,
            notified=lambda _, notification, frame: self.notified.append(notification),
            noticed=self.noticed.append,
            covered=lambda _, some: self.covered.update(some),
            uncovered=self._uncovered,
            rejected=lambda _, one, reason: self.reports.append(("rejected", one)),
            drifted=lambda count: self.reports.append(("drifted", count)),
            displaced=lambda _, some: self.reports.append(("displaced", some)),
            closing=lambda _: self.reports.append(("closing", None)),
            gone=lambda _, reason: self.reports.append(("gone", reason)),
        )

    def _uncovered(self, _: Channel, some: list[str], since: int) -> None:
        self.uncovered.append((some, since))
        self.covered -= set(some)


@pytest.fixture
def channel() -> Iterator[ChannelOnFakeGenesys]:
    made = ChannelOnFakeGenesys()
    yield made
    made.end()


def test_it_connects_and_brings_what_is_wanted(channel: ChannelOnFakeGenesys) -> None:
    assert (channel.ours.state, channel.ours.connected) == (State.CONNECTING, True)
    channel.start(3)
    assert channel.ours.state is State.OPEN
    assert (channel.ours.free_places, channel.ours.idle_seconds()) == (997, 0)


def test_its_last_frame_is_as_old_as_itself_before_the_first(channel: ChannelOnFakeGenesys) -> None:
    assert channel.ours.last_frame_at == channel.clock.now()


def test_notifications_are_handed_on_with_their_frames(channel: ChannelOnFakeGenesys) -> None:
    channel.start()
    channel.socket.push(acw_notification(conversation(1)))
    channel.socket.push(b"garbage")
    channel.socket.push(PONG)
    eventually(lambda: len(channel.notified) == 2, channel.clock)
    assert [type(one) for one in channel.notified] == [Acw, Unreadable]


@pytest.mark.parametrize(
    "other",
    [
        HEARTBEAT,
        CLOSING_NOTICE,
        {"topicName": "v2.detail.of.something.else", "eventBody": {}},
        {"correlationId": "7", "topics": [], "result": "200", "status": "unsubscribed"},
    ],
)
def test_other_notifications_are_not_handed_on(channel: ChannelOnFakeGenesys, other: dict[str, Any]) -> None:
    channel.start()
    channel.socket.push(other)
    channel.socket.push(b"garbage")
    eventually(lambda: channel.notified, channel.clock)
    assert [type(one) for one in channel.notified] == [Unreadable]


def test_the_end_of_the_token_is_not_handed_on_as_an_event(channel: ChannelOnFakeGenesys) -> None:
    channel.start()
    channel.socket.push(TOKEN_REVOKED)
    eventually(lambda: ("gone", "token revoked") in channel.reports, channel.clock)
    assert channel.notified == []


class SlowlyNotified(list[Any]):
    """What is told to it takes a turn of the hub's loop."""

    def append(self, notification: Any) -> None:
        until = time.monotonic() + TURN_SECONDS
        while time.monotonic() < until:
            ...
        super().append(notification)


def test_many_frames_in_a_row_let_other_greenlets_run(channel: ChannelOnFakeGenesys) -> None:
    channel.start()
    channel.notified = SlowlyNotified()
    seen: set[int] = set()

    def look() -> None:
        while len(channel.notified) < 10:
            seen.add(len(channel.notified))
            gevent.sleep(1e-7)

    for _ in range(10):
        channel.socket.push(b"garbage")
    gevent.spawn(look).join()
    assert len(seen) >= 4


def test_a_lost_socket_uncovers_and_another_one_on_the_same_channel_covers_again(channel: ChannelOnFakeGenesys) -> None:
    channel.start(2)
    channel.socket.break_off()
    eventually(lambda: channel.uncovered, channel.clock)
    assert sorted(channel.uncovered[0][0]) == ids(2)
    eventually(lambda: len(channel.covered) == 2, channel.clock)
    assert (channel.theirs.connects, len(channel.server.channels)) == (2, 1)
    assert channel.server.count("add") == 1
    assert channel.server.count("list") == 1


def test_it_is_uncovered_since_the_last_sign_of_life_not_since_the_loss_was_noticed() -> None:
    channel = ChannelOnFakeGenesys(heartbeat_seconds=1000)
    channel.start(2)
    channel.clock.advance(50)
    channel.socket.push(HEARTBEAT)
    gevent.sleep(0.002)
    seen_at = channel.clock.now()
    channel.clock.advance(50)
    channel.socket.break_off()
    eventually(lambda: channel.uncovered, channel.clock)
    assert channel.uncovered[0][1] == seen_at
    channel.end()


def test_a_waiting_channel_keeps_its_place_in_the_budget(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    channel.server.refuse_sockets.extend([SocketLost("503")])
    channel.socket.break_off()
    channel.until(State.WAITING)
    assert channel.ours.connected
    channel.until(State.OPEN)


def test_lost_three_times_in_a_row_it_is_given_up(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    channel.server.refuse_sockets.extend([SocketLost("503")] * 2)
    channel.socket.break_off()
    channel.until(State.GONE)
    assert channel.reports == [("gone", "lost too often")]
    assert channel.covered == set()


def test_a_socket_that_was_stable_for_a_while_ends_the_row_of_losses(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    for _ in range(5):
        for _ in range(8):  # longer than one and a half heartbeats, with signs of life
            channel.clock.advance(0.01)
            channel.socket.push(HEARTBEAT)
            gevent.sleep(0.001)
        channel.reconnect()
    assert channel.ours.usable


def test_a_socket_that_flaps_is_given_up_although_it_opens(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    for _ in range(2):
        channel.reconnect(step=0)
    channel.socket.break_off()
    channel.until(State.GONE)


@pytest.mark.parametrize("error", [ChannelGone("404"), PermanentFailure("connectUri names a host that is not ours")])
def test_an_upgrade_refused_for_good_means_a_new_channel(
    channel: ChannelOnFakeGenesys, error: PermanentFailure
) -> None:
    channel.server.refuse_sockets.append(error)
    channel.ours.start()
    channel.until(State.GONE)
    assert channel.reports == [("gone", str(error))]


def test_a_refusal_after_a_loss_means_a_new_channel_too(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    channel.server.refuse_sockets.append(ChannelGone("404"))
    channel.socket.break_off()
    channel.until(State.GONE)
    assert channel.covered == set()


def test_a_throttled_socket_waits_as_long_as_it_was_asked_to_and_stays_on_its_channel(
    channel: ChannelOnFakeGenesys,
) -> None:
    channel.start(1)
    channel.server.refuse_sockets.extend([SocketLost("429", retry_after=0.02)] * 4)
    begun = time.monotonic()
    channel.reconnect()
    assert time.monotonic() - begun >= 4 * 0.02
    assert channel.reports == []


def test_a_silent_socket_is_ended_after_the_heartbeat_time(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    silent, begun = channel.socket, channel.clock.monotonic()
    eventually(lambda: silent.lost, channel.clock)
    assert channel.clock.monotonic() - begun < 0.08
    assert channel.uncovered
    assert {"message": "ping"} in silent.sent
    eventually(lambda: channel.ours.listening, channel.clock)


def test_a_ping_goes_out_at_three_eighths_of_it_and_not_before() -> None:
    channel = ChannelOnFakeGenesys(heartbeat_seconds=0.16)
    channel.start()
    silent = channel.socket
    channel.clock.advance(0.059 - 0.01)
    gevent.sleep(0.03)
    assert silent.sent == []
    channel.clock.advance(0.02)
    eventually(lambda: silent.sent, channel.clock, step=0)
    gevent.sleep(0.03)
    assert silent.sent == [{"message": "ping"}]
    assert not silent.lost
    channel.end()


def test_a_socket_that_answers_pings_lives_on(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    first = channel.socket
    for _ in range(60):
        channel.clock.advance(0.002)
        gevent.sleep(0.001)
        for _ in range(first.sent.count({"message": "ping"})):
            first.sent.clear()
            first.push(PONG)
    assert channel.theirs.socket is first
    assert channel.uncovered == []


def test_each_closing_notice_is_reported_and_reading_goes_on(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    for _ in range(2):
        channel.socket.push(CLOSING_NOTICE)
    channel.socket.push(b"garbage")
    eventually(lambda: channel.notified, channel.clock)
    assert channel.reports == [("closing", None), ("closing", None)]
    assert (channel.ours.state, channel.ours.listening) == (State.CLOSING, True)


def test_a_revoked_token_means_the_channel_is_gone(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    channel.socket.push(TOKEN_REVOKED)
    channel.until(State.GONE)
    assert channel.covered == set()


def test_topics_the_server_took_are_uncovered_and_brought_back(channel: ChannelOnFakeGenesys) -> None:
    channel.start(3)
    channel.theirs.topics.pop(acw_topic(conversation(1)))
    channel.socket.push(no_longer_subscribed([acw_topic(conversation(1))]))
    eventually(lambda: channel.uncovered, channel.clock)
    assert channel.uncovered[0][0] == [conversation(1)]
    eventually(lambda: len(channel.covered) == 3, channel.clock)
    assert channel.theirs.conversations == set(ids(3))


def test_topics_the_server_took_without_naming_them_are_found_by_reading_the_list(
    channel: ChannelOnFakeGenesys,
) -> None:
    channel.start(3)
    channel.theirs.topics.pop(acw_topic(conversation(1)))
    channel.socket.push({"topicName": "v2.system.no_longer_subscribed", "eventBody": {"reason": "x"}})
    eventually(lambda: channel.uncovered, channel.clock)
    eventually(lambda: len(channel.covered) == 3, channel.clock)


@pytest.mark.parametrize("named", ["streaming-1", "other-channel"])
def test_a_notice_that_names_a_channel_is_acted_on_at_once(channel: ChannelOnFakeGenesys, named: str) -> None:
    channel.start(3)
    channel.theirs.topics.pop(acw_topic(conversation(1)))

    channel.socket.push(naming_channel(no_longer_subscribed([]), named))
    eventually(lambda: channel.uncovered, channel.clock)
    eventually(lambda: len(channel.covered) == 3, channel.clock)
    channel.socket.push(naming_channel(CLOSING_NOTICE, named))
    eventually(lambda: ("closing", None) in channel.reports, channel.clock)
    channel.socket.push(naming_channel(TOKEN_REVOKED, named))
    channel.until(State.GONE)

    assert channel.noticed == [NoLongerSubscribed(topics=()), Closing(), TokenRevoked()]


def test_a_topic_that_is_taken_again_and_again_without_being_named_waits_longer_each_time(
    channel: ChannelOnFakeGenesys,
) -> None:
    channel.start(1)
    begun = channel.clock.monotonic()

    for _ in range(6):
        channel.theirs.topics.clear()
        channel.covered.clear()
        channel.socket.push(naming_channel(no_longer_subscribed([]), channel.ours.id))
        eventually(lambda: channel.covered, channel.clock)

    shortest = sum(ceiling(0.001, 0.004, times) for times in range(5))
    assert channel.clock.monotonic() - begun >= shortest


def test_a_channel_whose_list_is_unknown_to_the_server_is_gone(channel: ChannelOnFakeGenesys) -> None:
    channel.start(1)
    channel.theirs.known = False
    channel.ours.writer.audit()
    channel.until(State.GONE)


def test_the_answer_to_an_unsubscription_reaches_the_writer(channel: ChannelOnFakeGenesys) -> None:
    channel.start(3)
    channel.ours.writer.drop(conversation(0))
    eventually(lambda: channel.ours.writer.size == 2, channel.clock)
    assert channel.server.count("replace") == 0


def test_retiring_is_quick_although_the_writer_is_held_back() -> None:
    channel = ChannelOnFakeGenesys(api_rate_per_minute=300)
    channel.start()
    channel.server.latency = 100.0
    channel.ours.writer.want(ids(1))
    eventually(lambda: channel.server.calls[-1][0] == "add", channel.clock)
    with gevent.Timeout(5, AssertionError("it waited for the writer")):
        channel.ours.retire(10.0)
    channel.end()


def test_retired_while_it_connects_it_closes_at_once_and_counts_until_then() -> None:
    channel = ChannelOnFakeGenesys()
    go, opened = channel.connect_slowly()
    retiring = gevent.spawn(channel.ours.retire, 1.0)
    gevent.sleep(0.002)
    assert (channel.ours.state, channel.ours.connected) == (State.RETIRED, True)
    go.set()
    retiring.get()
    assert [one.closed for one in opened] == [True]
    assert channel.uncovered == []
    channel.end()


def test_gone_while_it_connects_it_counts_until_nothing_is_opened_any_more() -> None:
    channel = ChannelOnFakeGenesys()
    go, _ = channel.connect_slowly()
    channel.ours._give_up("unknown when its list was read")
    assert (channel.ours.state, channel.ours.connected) == (State.GONE, True)
    go.set()
    eventually(lambda: not channel.ours.connected, channel.clock)
    assert channel.server.connected == 0
    channel.end()


def test_retired_while_it_connects_in_vain_it_counts_no_longer() -> None:
    channel = ChannelOnFakeGenesys()
    channel.connect_slowly()
    channel.ours.retire(0.01)
    assert not channel.ours.connected
    channel.end()


def test_retiring_uncovers_nobody(channel: ChannelOnFakeGenesys) -> None:
    """Its topics have moved before it is retired."""
    channel.start(2)
    channel.ours.retire(1.0)
    assert channel.uncovered == []
    assert channel.theirs.socket is None


# --- when it should be handed over ---


def test_it_is_handed_over_an_hour_before_its_end_give_or_take_a_tenth() -> None:
    moments: set[float] = set()
    for seed in range(20):
        channel = ChannelOnFakeGenesys(channel_handover_seconds=3600)
        channel.server.token = channel.server.new_token(200_000)
        channel.context.runtime.random.seed(seed)
        created = channel.create()
        channel.clock.advance(86_400 - 3600 * 1.101)
        assert not created.hand_over_due
        channel.clock.advance(3600 * 0.202)
        assert created.hand_over_due
        moments.add(created._hand_over_at)
    assert len(moments) == 20  # channels made together are not handed over together


def test_a_short_life_gives_a_quarter_of_it_for_the_handover() -> None:
    channel = ChannelOnFakeGenesys(channel_handover_seconds=3600)
    channel.server.life_seconds = 100
    created = channel.create()
    channel.clock.advance(72)
    assert not created.hand_over_due
    channel.clock.advance(6)
    assert created.hand_over_due


@pytest.mark.parametrize("life", [-86_400.0, -1.0, 0.0, 1.5 * 86_400, 10 * 86_400.0])
def test_with_a_life_that_only_a_wrong_clock_of_ours_explains_it_is_handed_over_after_a_day(life: float) -> None:
    channel = ChannelOnFakeGenesys(channel_handover_seconds=3600)
    channel.server.token = channel.server.new_token(200_000)
    channel.server.life_seconds = life
    created = channel.create()
    channel.clock.advance(86_400 - 3600 * 1.101)
    assert not created.hand_over_due
    channel.clock.advance(3600 * 0.202)
    assert created.hand_over_due


def test_for_the_sake_of_its_token_it_is_handed_over_when_a_new_one_can_be_had() -> None:
    """A token is renewed five minutes before its end: an earlier successor would end with the same token."""
    channel = ChannelOnFakeGenesys(channel_handover_seconds=3600)
    channel.server.token = channel.server.new_token(40_000)
    created = channel.create()
    channel.clock.advance(40_000 - 300)
    assert not created.hand_over_due
    channel.clock.advance(300 * 0.23)
    assert created.hand_over_due


def test_a_channel_made_late_in_its_tokens_life_is_not_handed_over_at_once() -> None:
    channel = ChannelOnFakeGenesys(channel_handover_seconds=3600)
    channel.server.token = channel.server.new_token(86_400)
    channel.clock.advance(86_400 - 1800)
    created = channel.create()
    assert not created.hand_over_due


def test_a_wall_clock_that_jumps_does_not_hand_it_over() -> None:
    channel = ChannelOnFakeGenesys()
    channel.clock.jump(86_400)
    assert not channel.ours.hand_over_due
    channel.clock.jump(-10 * 86_400)
    assert not channel.ours.hand_over_due


def test_a_handover_that_failed_is_put_off_longer_each_time() -> None:
    channel = ChannelOnFakeGenesys(heartbeat_seconds=40, retry_max_seconds=300)
    channel.ours.postpone_handover()
    assert not channel.ours.hand_over_due
    channel.clock.advance(86_400)
    waits: list[float] = []
    for _ in range(8):
        channel.ours.postpone_handover()
        begun = channel.clock.monotonic()
        while not channel.ours.hand_over_due:
            channel.clock.advance(1)
        waits.append(channel.clock.monotonic() - begun)
    assert waits == [20, 40, 80, 160, 300, 300, 300, 300]
