"""One channel: one socket at a time, watched, reconnected on the same channel, given up when it is of no use."""

import time
from collections.abc import Iterator
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event

from genesys_gateway.channels.channel import Channel, ChannelListener
from genesys_gateway.channels.state import State
from genesys_gateway.domain.after_call_work import Acw, Unreadable
from genesys_gateway.genesys.notifications import acw_topic
from genesys_gateway.genesys.websocket import ChannelGone, SocketLost
from genesys_gateway.runtime.errors import PermanentFailure
from tests.doubles.channels import FakeGenesys, FakeSocket, context, conversation, eventually, ids, quick
from tests.doubles.runtime import FakeClock


class House:
    """A channel of a fake Genesys, and what it told."""

    def __init__(self, **changes: Any) -> None:
        self.clock = FakeClock()
        self.server = FakeGenesys(self.clock)
        self.crashes: list[str] = []
        self.told: list[tuple[str, Any]] = []
        self.notified: list[Acw | Unreadable] = []
        self.covered: set[str] = set()
        self.uncovered: list[tuple[list[str], int]] = []
        self.settings = quick(**changes)
        self.context = context(self.server, self.clock, self.settings, self.crashes)
        self.channel = Channel(self.server.create_channel(), self.context, self._listener())
        self.there = self.server.channels[self.channel.id]

    def _listener(self) -> ChannelListener:
        return ChannelListener(
            notified=lambda _, notification, frame: self.notified.append(notification),
            covered=lambda _, some: self.covered.update(some),
            uncovered=self._uncovered,
            rejected=lambda _, one, reason: self.told.append(("rejected", one)),
            drifted=lambda count: self.told.append(("drifted", count)),
            displaced=lambda _, some: self.told.append(("displaced", some)),
            closing=lambda _: self.told.append(("closing", None)),
            gone=lambda _, reason: self.told.append(("gone", reason)),
        )

    def _uncovered(self, _: Channel, some: list[str], since: int) -> None:
        self.uncovered.append((some, since))
        self.covered -= set(some)

    @property
    def socket(self) -> FakeSocket:
        assert self.there.socket is not None
        return self.there.socket

    def start(self, count: int = 0) -> None:
        """Connect, and bring so many conversations onto it."""
        self.channel.start()
        self.channel.writer.want(ids(count))
        eventually(lambda: self.channel.listening and len(self.covered) == count, self.clock)

    def reconnect(self, step: float = 0.001) -> None:
        """Lose the socket, and wait until another one is open."""
        before = self.there.connects
        self.socket.break_off()
        eventually(lambda: self.there.connects > before and self.channel.listening, self.clock, step=step)

    def become(self, state: State) -> None:
        eventually(lambda: self.channel.state is state, self.clock)

    def end(self) -> None:
        self.channel.retire(1.0)
        assert self.channel.state is State.RETIRED
        assert not self.channel.connected
        assert self.crashes == []


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.end()


def test_it_connects_and_brings_what_is_wanted(house: House) -> None:
    assert (house.channel.state, house.channel.connected) == (State.CONNECTING, True)
    house.start(3)
    assert house.channel.state is State.OPEN
    assert (house.channel.free_places, house.channel.idle_seconds()) == (997, 0)


def test_notifications_are_handed_on_with_their_frames(house: House) -> None:
    house.start()
    house.socket.push({"topicName": acw_topic(conversation(1)), "eventBody": {}})
    house.socket.push(b"garbage")
    house.socket.push({"topicName": "channel.metadata", "eventBody": {"message": "pong"}})
    eventually(lambda: len(house.notified) == 2, house.clock)
    assert [type(one) for one in house.notified] == [Acw, Unreadable]


@pytest.mark.parametrize(
    "other",
    [
        {"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}},
        {"topicName": "v2.system.socket_closing", "eventBody": {}},
        {"topicName": "v2.detail.of.something.else", "eventBody": {}},
        {"correlationId": "7", "topics": [], "result": "200", "status": "unsubscribed"},
    ],
)
def test_other_notifications_are_not_handed_on(house: House, other: dict[str, Any]) -> None:
    house.start()
    house.socket.push(other)
    house.socket.push(b"garbage")
    eventually(lambda: house.notified, house.clock)
    assert [type(one) for one in house.notified] == [Unreadable]


def test_the_end_of_the_token_is_not_handed_on_as_an_event(house: House) -> None:
    house.start()
    house.socket.push({"topicName": "v2.system.token_revoked", "eventBody": {}})
    eventually(lambda: ("gone", "token revoked") in house.told, house.clock)
    assert house.notified == []


def test_many_frames_in_a_row_let_other_greenlets_run(house: House) -> None:
    house.start()
    ticks: list[int] = []
    house.clock.sleep = lambda seconds: ticks.append(len(house.notified))  # type: ignore[method-assign] # a double
    for _ in range(100):
        house.socket.push(b"garbage")
    eventually(lambda: len(house.notified) == 100, house.clock)
    assert ticks == [32, 64, 96]


def test_a_lost_socket_uncovers_and_another_one_on_the_same_channel_covers_again(house: House) -> None:
    house.start(2)
    house.socket.break_off()
    eventually(lambda: house.uncovered, house.clock)
    assert sorted(house.uncovered[0][0]) == ids(2)
    eventually(lambda: len(house.covered) == 2, house.clock)
    assert (house.there.connects, len(house.server.channels)) == (2, 1)
    assert house.server.count("add") == 1
    assert house.server.count("list") == 1


def test_it_is_uncovered_since_the_last_sign_of_life_not_since_the_loss_was_noticed() -> None:
    house = House(heartbeat_seconds=1000)
    house.start(2)
    house.clock.advance(50)
    house.socket.push({"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}})
    gevent.sleep(0.002)
    heard_at = house.clock.now()
    house.clock.advance(50)
    house.socket.break_off()
    eventually(lambda: house.uncovered, house.clock)
    assert house.uncovered[0][1] == heard_at
    house.end()


def test_a_waiting_channel_keeps_its_place_in_the_budget(house: House) -> None:
    house.start(1)
    house.server.refuse_sockets.extend([SocketLost("503")])
    house.socket.break_off()
    house.become(State.WAITING)
    assert house.channel.connected
    house.become(State.OPEN)


def test_lost_three_times_in_a_row_it_is_given_up(house: House) -> None:
    house.start(1)
    house.server.refuse_sockets.extend([SocketLost("503")] * 2)
    house.socket.break_off()
    house.become(State.GONE)
    assert house.told == [("gone", "lost too often")]
    assert house.covered == set()


def test_a_socket_that_was_stable_for_a_while_ends_the_row_of_losses(house: House) -> None:
    house.start(1)
    for _ in range(5):
        for _ in range(8):  # longer than one and a half heartbeats, with signs of life
            house.clock.advance(0.01)
            house.socket.push({"topicName": "channel.metadata", "eventBody": {}})
            gevent.sleep(0.001)
        house.reconnect()
    assert house.channel.usable


def test_a_socket_that_flaps_is_given_up_although_it_opens(house: House) -> None:
    house.start(1)
    for _ in range(2):
        house.reconnect(step=0)
    house.socket.break_off()
    house.become(State.GONE)


@pytest.mark.parametrize("error", [ChannelGone("404"), PermanentFailure("connectUri names a host that is not ours")])
def test_an_upgrade_refused_for_good_means_a_new_channel(house: House, error: PermanentFailure) -> None:
    house.server.refuse_sockets.append(error)
    house.channel.start()
    house.become(State.GONE)
    assert house.told == [("gone", str(error))]


def test_a_refusal_after_a_loss_means_a_new_channel_too(house: House) -> None:
    house.start(1)
    house.server.refuse_sockets.append(ChannelGone("404"))
    house.socket.break_off()
    house.become(State.GONE)
    assert house.covered == set()


def test_a_throttled_socket_waits_as_long_as_it_was_asked_to_and_stays_on_its_channel(house: House) -> None:
    house.start(1)
    house.server.refuse_sockets.extend([SocketLost("429", retry_after=0.02)] * 4)
    begun = time.monotonic()
    house.reconnect()
    assert time.monotonic() - begun >= 4 * 0.02
    assert house.told == []


def test_a_silent_socket_is_ended_after_the_heartbeat_time(house: House) -> None:
    house.start(1)
    silent, begun = house.socket, house.clock.monotonic()
    eventually(lambda: silent.lost, house.clock)
    assert house.clock.monotonic() - begun < 0.08
    assert house.uncovered
    assert {"message": "ping"} in silent.sent
    eventually(lambda: house.channel.listening, house.clock)


def test_a_ping_goes_out_at_three_eighths_of_it_and_not_before() -> None:
    house = House(heartbeat_seconds=0.16)
    house.start()
    silent = house.socket
    house.clock.advance(0.059 - 0.01)
    gevent.sleep(0.03)
    assert silent.sent == []
    house.clock.advance(0.02)
    eventually(lambda: silent.sent, house.clock, step=0)
    gevent.sleep(0.03)
    assert silent.sent == [{"message": "ping"}]
    assert not silent.lost
    house.end()


def test_a_socket_that_answers_pings_lives_on(house: House) -> None:
    house.start(1)
    first = house.socket
    for _ in range(60):
        house.clock.advance(0.002)
        gevent.sleep(0.001)
        for _ in range(first.sent.count({"message": "ping"})):
            first.sent.clear()
            first.push({"topicName": "channel.metadata", "eventBody": {"message": "pong"}})
    assert house.there.socket is first
    assert house.uncovered == []


def test_a_closing_notice_is_told_once_and_reading_goes_on(house: House) -> None:
    house.start(1)
    for _ in range(2):
        house.socket.push({"topicName": "v2.system.socket_closing", "eventBody": {}})
    house.socket.push(b"garbage")
    eventually(lambda: house.notified, house.clock)
    assert house.told == [("closing", None), ("closing", None)]
    assert (house.channel.state, house.channel.listening) == (State.CLOSING, True)


def test_a_revoked_token_means_the_channel_is_gone(house: House) -> None:
    house.start(1)
    house.socket.push({"topicName": "v2.system.token_revoked", "eventBody": {"reason": "user_tokens_revoked"}})
    house.become(State.GONE)
    assert house.covered == set()


def test_topics_the_server_took_are_uncovered_and_brought_back(house: House) -> None:
    house.start(3)
    house.there.topics.pop(acw_topic(conversation(1)))
    body = {"topics": [acw_topic(conversation(1))], "reason": "another_channel_subscribed"}
    house.socket.push({"topicName": "v2.system.no_longer_subscribed", "eventBody": body})
    eventually(lambda: house.uncovered, house.clock)
    assert house.uncovered[0][0] == [conversation(1)]
    eventually(lambda: len(house.covered) == 3, house.clock)
    assert house.there.conversations == set(ids(3))


def test_topics_the_server_took_without_naming_them_are_found_by_reading_the_list(house: House) -> None:
    house.start(3)
    house.there.topics.pop(acw_topic(conversation(1)))
    house.socket.push({"topicName": "v2.system.no_longer_subscribed", "eventBody": {"reason": "x"}})
    eventually(lambda: house.uncovered, house.clock)
    eventually(lambda: len(house.covered) == 3, house.clock)


def test_a_channel_whose_list_is_unknown_to_the_server_is_gone(house: House) -> None:
    house.start(1)
    house.there.known = False
    house.channel.writer.audit()
    house.become(State.GONE)


def test_the_answer_to_an_unsubscription_reaches_the_writer(house: House) -> None:
    house.start(3)
    house.channel.writer.drop(conversation(0))
    eventually(lambda: house.channel.writer.size == 2, house.clock)
    assert house.server.count("replace") == 0


def test_retiring_is_quick_although_the_writer_is_held_back() -> None:
    house = House(api_rate_per_minute=300)
    house.start()
    house.server.latency = 100.0
    house.channel.writer.want(ids(1))
    eventually(lambda: house.server.calls[-1][0] == "add", house.clock)
    with gevent.Timeout(0.5, AssertionError("it waited for the writer")):
        house.channel.retire(10.0)
    house.end()


def connecting_slowly(house: House) -> tuple[Event, list[FakeSocket]]:
    """Start a channel that is connected when the event is set; the sockets that were opened."""
    go, opened = Event(), list[FakeSocket]()

    def slow(uri: str, settings: Any) -> Any:
        go.wait()
        opened.append(cast(FakeSocket, FakeGenesys.open_socket(house.server, uri, settings)))
        return opened[-1]

    house.context = context(house.server, house.clock, house.settings, house.crashes)
    object.__setattr__(house.context, "open_socket", slow)
    house.channel = Channel(house.channel.grant, house.context, house._listener())
    house.channel.start()
    gevent.sleep(0.002)
    return go, opened


def test_retired_while_it_connects_it_closes_at_once_and_counts_until_then() -> None:
    house = House()
    go, opened = connecting_slowly(house)
    retiring = gevent.spawn(house.channel.retire, 1.0)
    gevent.sleep(0.002)
    assert (house.channel.state, house.channel.connected) == (State.RETIRED, True)
    go.set()
    retiring.get()
    assert [one.closed for one in opened] == [True]
    assert house.uncovered == []
    house.end()


def test_gone_while_it_connects_it_counts_until_nothing_is_opened_any_more() -> None:
    house = House()
    go, _ = connecting_slowly(house)
    house.channel._give_up("unknown when its list was read")
    assert (house.channel.state, house.channel.connected) == (State.GONE, True)
    go.set()
    eventually(lambda: not house.channel.connected, house.clock)
    assert house.server.connected == 0
    house.end()


def test_retired_while_it_connects_in_vain_it_counts_no_longer() -> None:
    house = House()
    connecting_slowly(house)
    house.channel.retire(0.01)
    assert not house.channel.connected
    house.end()


def test_retiring_uncovers_nobody(house: House) -> None:
    """Who retires a channel has moved its topics before."""
    house.start(2)
    house.channel.retire(1.0)
    assert house.uncovered == []
    assert house.there.socket is None


# --- when it should be handed over ---


def test_it_is_handed_over_an_hour_before_its_end_give_or_take_a_tenth() -> None:
    moments: set[float] = set()
    for seed in range(20):
        house = House(channel_handover_seconds=3600)
        house.server.token = house.server.new_token(200_000)
        house.context.runtime.random.seed(seed)
        channel = Channel(house.server.create_channel(), house.context, house._listener())
        house.clock.advance(86_400 - 3600 * 1.101)
        assert not channel.hand_over_due
        house.clock.advance(3600 * 0.202)
        assert channel.hand_over_due
        moments.add(channel._hand_over_at)
    assert len(moments) == 20  # channels made together do not go together


def test_a_short_life_gives_a_quarter_of_it_for_the_handover() -> None:
    house = House(channel_handover_seconds=3600)
    house.server.life_seconds = 100
    channel = Channel(house.server.create_channel(), house.context, house._listener())
    house.clock.advance(72)
    assert not channel.hand_over_due
    house.clock.advance(6)
    assert channel.hand_over_due


@pytest.mark.parametrize("life", [-86_400.0, -1.0, 0.0, 1.5 * 86_400, 10 * 86_400.0])
def test_with_a_life_that_only_a_wrong_clock_of_ours_explains_it_is_handed_over_after_a_day(life: float) -> None:
    house = House(channel_handover_seconds=3600)
    house.server.token = house.server.new_token(200_000)
    house.server.life_seconds = life
    channel = Channel(house.server.create_channel(), house.context, house._listener())
    house.clock.advance(86_400 - 3600 * 1.101)
    assert not channel.hand_over_due
    house.clock.advance(3600 * 0.202)
    assert channel.hand_over_due


def test_for_the_sake_of_its_token_it_is_handed_over_when_a_new_one_can_be_had() -> None:
    """A token is renewed five minutes before its end: an earlier successor would die with the same one."""
    house = House(channel_handover_seconds=3600)
    house.server.token = house.server.new_token(40_000)
    channel = Channel(house.server.create_channel(), house.context, house._listener())
    house.clock.advance(40_000 - 300)
    assert not channel.hand_over_due
    house.clock.advance(300 * 0.23)
    assert channel.hand_over_due


def test_a_channel_made_late_in_its_tokens_life_is_not_handed_over_at_once() -> None:
    house = House(channel_handover_seconds=3600)
    house.server.token = house.server.new_token(86_400)
    house.clock.advance(86_400 - 1800)
    channel = Channel(house.server.create_channel(), house.context, house._listener())
    assert not channel.hand_over_due


def test_a_wall_clock_that_jumps_does_not_hand_it_over() -> None:
    house = House()
    house.clock.jump(86_400)
    assert not house.channel.hand_over_due
    house.clock.jump(-10 * 86_400)
    assert not house.channel.hand_over_due


def test_a_handover_that_failed_is_put_off_longer_each_time() -> None:
    house = House(heartbeat_seconds=40, retry_max_seconds=300)
    house.channel.put_off_handover()
    assert not house.channel.hand_over_due
    house.clock.advance(86_400)
    waits: list[float] = []
    for _ in range(8):
        house.channel.put_off_handover()
        begun = house.clock.monotonic()
        while not house.channel.hand_over_due:
            house.clock.advance(1)
        waits.append(house.clock.monotonic() - begun)
    assert waits == [20, 40, 80, 160, 300, 300, 300, 300]
