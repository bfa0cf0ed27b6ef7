"""The writer brings the server's list to what is desired, whatever becomes of its calls."""

from collections.abc import Iterator
from random import Random
from typing import Any, cast

import gevent
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from genesys_gateway.channels.topic_refusals import Refusals
from genesys_gateway.channels.topic_writer import TopicWriter, WriterListener
from genesys_gateway.genesys.client import Forbidden, Genesys, NotFound, TokenDead
from genesys_gateway.genesys.notifications import Reply, acw_topic, parse
from genesys_gateway.genesys.websocket import SocketLost
from genesys_gateway.runtime.errors import NoReply, NotSent, PermanentFailure, TransientFailure
from genesys_gateway.runtime.greenlets import TaskGroup
from tests.doubles.channels import THROTTLED, FakeGenesys, FakeSocket, PacedClock, conversation, eventually, ids, quick
from tests.doubles.runtime import FakeClock, runtime


class House:
    """A writer on a channel of a fake Genesys, with a socket, and what it told."""

    def __init__(
        self, *, limit: int = 1000, correlated: bool = True, clock: FakeClock | None = None, **changes: Any
    ) -> None:
        self.clock = clock or FakeClock()
        self.settings = quick(**changes)
        self.server = FakeGenesys(self.clock, limit=limit, correlated=correlated)
        self.crashes: list[str] = []
        self.told: list[tuple[str, Any]] = []
        #: what the writer has said is covered, followed through everything it told
        self.covered: set[str] = set()
        grant = self.server.create_channel()
        self.channel = self.server.channels[grant.id]
        self.socket: FakeSocket | None = None
        self.writer = TopicWriter(
            grant,
            genesys=cast(Genesys, self.server),
            settings=self.settings,
            runtime=runtime(self.clock, self.crashes, seed=2),
            listener=WriterListener(
                covered=self._covered,
                missed=self._missed,
                drifted=lambda count: self.told.append(("drifted", count)),
                rejected=lambda one, reason: self.told.append(("rejected", (one, reason))),
                displaced=lambda some: self.told.append(("displaced", some)),
                gone=lambda reason: self.told.append(("gone", reason)),
                send=self._send,
            ),
        )
        self.tasks = TaskGroup("house", lambda name, error: self.crashes.append(f"{name}: {error!r}"))
        self.server.calls.clear()

    def _covered(self, some: list[str]) -> None:
        self.told.append(("covered", some))
        self.covered |= set(some)

    def _missed(self, some: list[str]) -> None:
        self.told.append(("missed", some))
        self.covered -= set(some)

    def _send(self, text: str) -> None:
        if self.socket is None:
            raise SocketLost("no socket")
        self.socket.send(text)

    def open(self) -> None:
        """A socket is opened, and what arrives on it is handed to the writer."""
        self.socket = cast(FakeSocket, self.server.open_socket(f"wss://x/{self.channel.id}", self.settings))
        self.tasks.spawn("reader", self._read, self.socket)
        self.writer.opened()

    def _read(self, socket: FakeSocket) -> None:
        while not socket.lost:
            try:
                notification = parse(socket.receive())
            except SocketLost:
                return
            assert isinstance(notification, Reply)
            self.writer.replied(notification)

    def lose(self) -> list[str]:
        """The socket is lost; the server keeps the list."""
        assert self.socket is not None
        self.socket.break_off()
        self.socket.close()
        self.socket = None
        covered = self.writer.lost()
        self.covered -= set(covered)
        return covered

    def start(self) -> None:
        self.open()
        self.tasks.spawn("writer", self.writer.run)

    def until_settled(self) -> None:
        eventually(lambda: self.writer.settled and self.writer.size == len(self.writer.desired), self.clock)

    def names(self) -> list[str]:
        return [name for name, _, _ in self.server.calls]

    def end(self) -> None:
        self.writer.stop()
        if self.socket is not None:
            self.socket.break_off()
        self.tasks.stop(0.05)
        assert self.crashes == []


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.end()


def test_what_is_wanted_is_added_in_one_call_and_told_as_covered(house: House) -> None:
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    assert house.channel.conversations == house.covered == set(ids(3))
    assert house.server.calls[0][::2] == ("add", 3)
    assert len(house.server.calls) == 1


def test_five_hundred_wants_of_one_second_cost_at_most_five_calls() -> None:
    house = House(api_rate_per_minute=300, clock=PacedClock())
    house.start()
    for one in ids(500):
        house.writer.want([one])
        house.clock.advance(0.002)
        gevent.sleep(0)
    eventually(lambda: len(house.covered) == 500, house.clock, step=0.01)
    assert len(house.server.calls) <= 5
    house.end()


def test_a_single_want_is_not_held_back_for_long() -> None:
    house = House(api_rate_per_minute=300)
    house.start()
    gevent.sleep(0.001)
    begun = house.clock.monotonic()
    house.writer.want(ids(1))
    eventually(lambda: house.covered, house.clock, step=0)
    assert house.clock.monotonic() - begun <= 0.06
    house.end()


def test_wants_that_never_pause_are_added_after_a_second_at_the_latest() -> None:
    house = House(api_rate_per_minute=300)
    house.start()
    numbers = iter(range(10_000))
    begun = house.clock.monotonic()
    while not house.covered:
        house.writer.want([conversation(next(numbers) % 900)])
        house.clock.advance(0.01)
        gevent.sleep(0)
        assert house.clock.monotonic() - begun < 2
    house.end()


def test_a_repetition_costs_nothing(house: House) -> None:
    house.start()
    house.writer.want(ids(2))
    house.until_settled()
    house.writer.want(ids(2))
    house.writer.drop(conversation(7))
    gevent.sleep(0.005)
    assert len(house.server.calls) == 1


def test_removals_go_over_the_socket_together(house: House) -> None:
    house.start()
    house.writer.want(ids(10))
    house.until_settled()
    for one in ids(4):
        house.writer.drop(one)
    house.until_settled()
    assert house.names() == ["add", "unsubscribe"]
    assert house.channel.conversations == set(ids(6, start=4))
    assert house.writer.size == 6


def test_a_reply_without_a_correlation_id_counts_by_its_topics() -> None:
    house = House(correlated=False)
    house.start()
    house.writer.want(ids(2))
    house.until_settled()
    house.writer.drop(conversation(0))
    house.until_settled()
    assert house.names() == ["add", "unsubscribe"]
    house.end()


def test_somebody_elses_reply_does_not_count(house: House) -> None:
    house.start()
    house.server.answers = False
    house.writer.want(ids(2))
    house.until_settled()
    house.writer.drop(conversation(0))
    assert house.socket is not None
    eventually(lambda: house.socket and house.socket.sent, house.clock)
    house.socket.push({"correlationId": "999", "topics": [acw_topic(conversation(0))], "result": "200", "status": "x"})
    house.socket.push({"topics": [acw_topic(conversation(1))], "result": "200", "status": "unsubscribed"})
    house.until_settled()
    assert house.names() == ["add", "replace", "list"]


@pytest.mark.parametrize("result", ["400", "500", None])
def test_an_unsubscription_that_did_not_work_is_settled_over_http(house: House, result: str | None) -> None:
    house.start()
    house.server.answers = False
    house.writer.want(ids(2))
    house.until_settled()
    house.writer.drop(conversation(0))
    assert house.socket is not None
    eventually(lambda: house.socket and house.socket.sent, house.clock)
    house.socket.push({"correlationId": house.socket.sent[0]["correlationId"], "result": result, "status": "failed"})
    house.until_settled()
    assert house.channel.conversations == {conversation(1)}


def test_an_unsubscription_answered_with_404_means_the_channel_is_gone(house: House) -> None:
    house.start()
    house.server.answers = False
    house.writer.want(ids(2))
    house.until_settled()
    house.writer.drop(conversation(0))
    assert house.socket is not None
    eventually(lambda: house.socket and house.socket.sent, house.clock)
    house.socket.push({"correlationId": house.socket.sent[0]["correlationId"], "result": "404", "status": "x"})
    eventually(lambda: house.told[-1][0] == "gone", house.clock)


def test_a_late_reply_makes_the_list_be_read_again(house: House) -> None:
    """The removal that nobody waited for any more may have undone a later addition."""
    house.start()
    house.server.answers = False
    house.writer.want(ids(2))
    house.until_settled()
    house.writer.drop(conversation(0))
    house.until_settled()
    house.writer.want(ids(1))
    house.until_settled()
    # When the server does at last what it was asked for
    assert house.socket is not None
    house.server.unsubscribe(house.socket, house.socket.sent[0])
    assert conversation(0) not in house.channel.conversations
    # Then it is noticed and repaired
    eventually(lambda: conversation(0) in house.channel.conversations, house.clock)
    house.until_settled()
    assert ("missed", [conversation(0)]) in house.told


def test_wanted_again_while_its_removal_is_in_flight_it_ends_on_the_list(house: House) -> None:
    house.start()
    house.server.answers = False
    house.writer.want(ids(3))
    house.until_settled()
    house.writer.drop(conversation(0))
    assert house.socket is not None
    eventually(lambda: house.socket and house.socket.sent, house.clock)
    house.covered.clear()
    house.writer.want([conversation(0)])
    assert house.writer.covers(ids(3)) == ids(2, start=1)
    house.server.unsubscribe(house.socket, house.socket.sent[0])
    house.until_settled()
    assert house.channel.conversations == set(ids(3))
    assert conversation(0) in house.covered


def test_wanted_again_before_its_removal_was_sent_it_is_not_removed() -> None:
    house = House(api_rate_per_minute=300)
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    original = house.clock.sleep

    def sleep(seconds: float) -> None:  # the pause in which more may come together
        house.writer.want([conversation(0)])
        original(seconds)

    house.clock.sleep = sleep  # type: ignore[method-assign] # the clock is a double already
    house.writer.drop(conversation(0))
    house.until_settled()
    assert "unsubscribe" not in house.names()
    assert conversation(0) in house.channel.conversations
    house.end()


def test_dropped_while_its_addition_is_in_flight_it_is_removed_again(house: House) -> None:
    house.server.latency = 0.005
    house.start()
    house.writer.want(ids(2))
    eventually(lambda: house.server.calls, house.clock)
    house.writer.drop(conversation(1))
    house.until_settled()
    assert house.channel.conversations == {conversation(0)}
    assert house.covered == {conversation(0)}


# --- doubt ---


@pytest.mark.parametrize("after", [True, False])
def test_an_addition_without_a_reply_is_settled_by_saying_the_list_and_reading_it(house: House, after: bool) -> None:
    house.server.fail("add", NoReply("reset"), after=after)
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    assert house.names() == ["add", "replace", "list"]
    assert house.channel.conversations == house.covered == set(ids(3))


def test_a_call_that_was_surely_not_sent_is_simply_made_again(house: House) -> None:
    house.server.fail("add", NotSent("no connection"), times=3)
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    assert house.names() == ["add"] * 4


def test_nothing_is_told_as_covered_while_in_doubt(house: House) -> None:
    house.server.fail("add", NoReply("reset"), after=True)
    house.server.fail("replace", NoReply("reset"), times=3)
    house.server.fail("list", TransientFailure("503"), times=3)
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    assert [what for what, _ in house.told] == ["covered"]
    assert house.names()[-1] == "list"


def test_an_empty_list_in_doubt_is_cleared(house: House) -> None:
    house.start()
    house.writer.want(ids(1))
    house.until_settled()
    house.server.answers = False
    house.writer.drop(conversation(0))
    house.until_settled()
    assert house.names() == ["add", "clear", "list"]
    assert house.channel.topics == {}


def test_no_call_is_made_before_retry_after_is_over(house: House) -> None:
    house.server.fail("add", THROTTLED)
    house.start()
    house.writer.want(ids(1))
    house.until_settled()
    (_, first, _), (_, second, _), *_ = house.server.calls
    assert second - first >= 0.5


def test_a_socket_that_is_lost_meanwhile_does_not_shorten_retry_after() -> None:
    house = House(clock=PacedClock())
    house.start()
    house.writer.want(ids(1))
    house.until_settled()
    asked: list[float] = []

    def unavailable(channel_id: str, token: Any) -> Any:
        asked.append(house.clock.monotonic())
        if len(asked) > 1:
            return FakeGenesys.topics(house.server, channel_id, token)
        house.lose()
        raise TransientFailure("503", retry_after=60.0)

    house.server.topics = unavailable  # type: ignore[method-assign] # the server is a double already
    house.writer.audit()
    eventually(lambda: asked, house.clock)
    house.open()
    for _ in range(59):
        house.clock.advance(1.0)
        gevent.sleep(0.0005)
    assert len(asked) == 1
    eventually(lambda: len(asked) > 1, house.clock, step=0.1)
    assert asked[1] - asked[0] >= 60.0
    house.until_settled()
    house.end()


def test_a_failure_because_the_socket_was_lost_holds_nothing_back_on_the_next_one() -> None:
    house = House(clock=PacedClock(), retry_base_seconds=60.0, retry_max_seconds=300.0, reply_seconds=5.0)
    house.start()
    house.writer.want(ids(2))
    house.until_settled()
    house.server.answers = False
    house.writer.drop(conversation(0))
    eventually(lambda: house.socket and house.socket.sent, house.clock)
    house.lose()
    gevent.sleep(0.002)
    lost = house.clock.monotonic()
    house.open()
    house.until_settled()
    assert house.clock.monotonic() - lost < 1.0
    house.end()


def test_failures_in_a_row_are_repeated_more_and_more_slowly() -> None:
    house = House(retry_base_seconds=1.0, retry_max_seconds=300.0)
    house.server.fail("add", NotSent("x"), times=20)
    house.start()
    house.writer.want(ids(1))
    eventually(lambda: house.covered, house.clock, step=0)
    assert len(house.server.calls) == 21
    waits = [
        round(later - sooner, 3)
        for (_, sooner, _), (_, later, _) in zip(house.server.calls, house.server.calls[1:], strict=False)
    ]
    assert max(waits) <= 300.1
    assert sum(waits[10:]) > sum(waits[:10])
    house.end()


@pytest.mark.parametrize("error", [NotFound("404"), TokenDead("401")])
@pytest.mark.parametrize("operation", ["add", "list", "replace"])
def test_an_unknown_channel_or_a_dead_token_means_the_channel_is_gone(
    house: House, error: Exception, operation: str
) -> None:
    if operation != "add":
        house.server.fail("add", NoReply("x"))
    house.server.fail(operation, cast(Any, error))
    house.start()
    house.writer.want(ids(2))
    eventually(lambda: house.told, house.clock)
    assert house.told == [("gone", str(error))]


# --- refusals ---


def test_a_refused_topic_is_that_conversations_trouble_only(house: House) -> None:
    house.server.rejected = {acw_topic(conversation(1))}
    house.start()
    house.writer.want(ids(3))
    eventually(lambda: len(house.covered) == 2, house.clock)
    assert house.covered == {conversation(0), conversation(2)}
    assert ("rejected", (conversation(1), "no right")) in house.told
    assert house.writer.settled


def test_a_refused_topic_is_tried_again_and_told_once(house: House) -> None:
    house.server.rejected = {acw_topic(conversation(0))}
    house.start()
    house.writer.want(ids(1))
    eventually(lambda: house.server.named("add") > 4, house.clock)
    assert house.told == [("rejected", (conversation(0), "no right"))]
    house.server.rejected = set()
    eventually(lambda: house.covered, house.clock)


def test_a_dropped_topic_is_not_tried_again(house: House) -> None:
    house.server.rejected = {acw_topic(conversation(0))}
    house.start()
    house.writer.want(ids(1))
    eventually(lambda: house.told, house.clock)
    house.writer.drop(conversation(0))
    gevent.sleep(0.002)
    calls = len(house.server.calls)
    for _ in range(20):
        house.clock.advance(1)
        gevent.sleep(0.0005)
    assert len(house.server.calls) == calls


def steps_of(house: House) -> list[None]:
    """One more for each step that the writer makes from now on."""
    steps: list[None] = []
    step = house.writer._step

    def counted() -> None:
        steps.append(None)
        step()

    house.writer._step = counted  # type: ignore[method-assign] # to see whether it rests
    return steps


def test_a_thousand_refused_topics_are_asked_for_together() -> None:
    refusals, refused, now = Refusals(1.0, 300.0, Random(4)), ids(1000), 0.0
    for number, one in enumerate(refused):  # in the course of a minute
        now = number * 0.06
        refusals.add(one, "no right", now)
    calls = 0
    while now < 1800:
        now += refusals.seconds_until_next(now) or 0.0
        calls += 1
        for one in [one for one in refused if not refusals.must_wait(one, now)]:
            refusals.add(one, "no right", now)
    assert calls <= 50


def test_a_frozen_writer_rests_although_a_refused_topic_has_fallen_due(house: House) -> None:
    house.server.rejected = {acw_topic(conversation(1))}
    house.start()
    house.writer.want(ids(2))
    eventually(lambda: house.writer.settled and len(house.told) == 2, house.clock)
    house.writer.freeze(True)
    gevent.sleep(0.01)
    house.clock.advance(400)
    steps = steps_of(house)
    house.writer.audit()
    gevent.sleep(0.05)
    assert len(steps) <= 3
    house.server.rejected = set()
    house.writer.freeze(False)
    eventually(lambda: len(house.covered) == 2, house.clock)


def test_a_writer_without_room_rests_until_there_is_some() -> None:
    house = House(channel_topics=2)
    house.server.rejected = {acw_topic(conversation(1))}
    house.start()
    house.writer.want(ids(2))
    eventually(lambda: house.writer.settled and len(house.told) == 2, house.clock)
    house.channel.topics["v2.users.x.presence"] = None
    house.writer.audit()
    eventually(lambda: house.writer._foreign and house.writer.settled, house.clock, step=0)
    house.clock.advance(400)
    steps = steps_of(house)
    house.writer.audit()
    gevent.sleep(0.05)
    assert len(steps) <= 3
    house.server.rejected = set()
    house.writer.drop(conversation(0))
    eventually(lambda: conversation(1) in house.covered, house.clock)
    house.end()


@pytest.mark.parametrize("bad", [{0}, {499}, {3, 77, 250}])
def test_a_topic_that_fails_the_whole_call_does_not_hold_up_the_others(house: House, bad: set[int]) -> None:
    house.server.poison = {acw_topic(conversation(number)) for number in bad}
    house.start()
    house.writer.want(ids(500))
    eventually(lambda: len(house.covered) == 500 - len(bad), house.clock)
    assert {told[0] for what, told in house.told if what == "rejected"} == {conversation(n) for n in bad}
    assert len(house.server.calls) < 150


def test_when_every_topic_fails_the_whole_call_they_are_not_looked_for_one_by_one_at_full_speed() -> None:
    clock = PacedClock()
    house = House(clock=clock, api_rate_per_minute=300, retry_base_seconds=1.0, retry_max_seconds=300.0)
    house.server.poison = {acw_topic(one) for one in ids(200)}
    house.start()
    house.writer.want(ids(200))
    for _ in range(6000):  # ten minutes
        clock.advance(0.1)
        house.writer.drop(conversation(999))  # wakes it where it would wait for real time to pass
        gevent.sleep(0)
    assert house.server.named("add") < 150
    house.server.poison = set()
    for _ in range(6000):
        clock.advance(0.1)
        house.writer.drop(conversation(999))
        gevent.sleep(0)
    assert house.channel.conversations == set(ids(200))
    house.end()


def test_a_doubt_is_settled_although_the_whole_list_is_refused(house: House) -> None:
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    house.server.poison = {acw_topic(conversation(1))}
    house.server.answers = False
    house.writer.drop(conversation(0))
    house.server.fail("replace", Forbidden("403"))
    eventually(lambda: house.server.named("replace") >= 1, house.clock)
    house.server.answers = True
    house.server.poison = set()
    house.until_settled()
    assert house.channel.conversations == set(ids(2, start=1))


def test_a_topic_nobody_answers_for_counts_as_refused(house: House) -> None:
    add = house.server.add_topics

    def forgetful(channel_id: str, token: Any, topics: Any) -> Any:
        return add(channel_id, token, topics)[1:]

    house.server.add_topics = forgetful  # type: ignore[method-assign] # the server is a double already
    house.start()
    house.writer.want(ids(2))
    eventually(lambda: ("rejected", (conversation(0), "not answered")) in house.told, house.clock)


# --- room ---


def test_what_the_server_has_no_room_for_is_displaced_and_the_rest_stays() -> None:
    house = House(limit=70)
    house.start()
    house.writer.want(ids(100))
    eventually(lambda: any(what == "displaced" for what, _ in house.told), house.clock)
    (displaced,) = [told for what, told in house.told if what == "displaced"]
    assert house.channel.conversations == house.covered == set(ids(100)) - set(displaced)
    assert len(displaced) == 30
    assert house.writer.free_places == 0
    assert house.writer.settled
    house.end()


def test_strangers_on_the_list_take_up_room_and_are_removed_if_they_are_of_our_kind() -> None:
    house = House(limit=10, channel_topics=10)
    house.channel.topics = dict.fromkeys(["v2.users.x.presence", acw_topic(conversation(99))])
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    house.writer.audit()
    eventually(lambda: conversation(99) not in house.channel.conversations, house.clock)
    house.until_settled()
    assert house.writer.free_places == 6
    assert ("drifted", 1) in house.told
    house.end()


def test_a_reading_that_fails_while_the_list_is_full_does_not_end_the_writer() -> None:
    house = House(limit=1)
    house.server.fail("list", TransientFailure("503"), times=2)
    house.start()
    house.writer.want(ids(2))
    eventually(lambda: any(what == "displaced" for what, _ in house.told), house.clock)
    assert len(house.covered) == 1
    house.end()


def test_removals_count_until_they_are_done(house: House) -> None:
    house.start()
    house.writer.want(ids(5))
    house.until_settled()
    house.server.answers = False
    house.writer.drop(conversation(0))
    assert (house.writer.size, house.writer.free_places) == (5, 995)


def test_additions_without_end_do_not_keep_removals_from_being_made() -> None:
    house = House(api_rate_per_minute=300)
    house.start()
    house.writer.want(ids(10))
    house.until_settled()
    for one in ids(10):
        house.writer.drop(one)
    number = 100
    while house.server.named("unsubscribe") == 0:
        house.writer.want([conversation(number)])
        number += 1
        house.clock.advance(0.01)
        gevent.sleep(0)
        assert number < 400
    house.end()


# --- sockets ---


def test_nothing_is_done_without_a_socket(house: House) -> None:
    house.tasks.spawn("writer", house.writer.run)
    house.writer.want(ids(2))
    gevent.sleep(0.005)
    assert house.server.calls == []
    assert not house.writer.settled


def test_a_list_that_outlived_its_socket_is_read_before_it_is_believed(house: House) -> None:
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    assert sorted(house.lose()) == ids(3)
    assert house.writer.covers(ids(3)) == []
    del house.channel.topics[acw_topic(conversation(1))]
    house.open()
    assert house.writer.covers(ids(3)) == []
    eventually(lambda: len(house.covered) == 3, house.clock)
    assert house.names() == ["add", "list", "add"]
    assert ("missed", [conversation(1)]) in house.told


def test_losing_it_again_before_it_was_read_uncovers_nobody_twice(house: House) -> None:
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    house.lose()
    house.server.latency = 1.0
    house.open()
    assert house.lose() == []


def test_a_reply_to_an_addition_that_comes_after_the_loss_covers_nobody(house: House) -> None:
    house.server.latency = 0.005
    house.start()
    house.writer.want(ids(2))
    eventually(lambda: house.server.calls, house.clock)
    assert house.lose() == []
    gevent.sleep(0.02)
    assert house.covered == set()
    house.open()
    eventually(lambda: len(house.covered) == 2, house.clock)
    assert house.names() == ["add", "list"]


def test_losing_the_socket_during_an_unsubscription_settles_it_on_the_next_one(house: House) -> None:
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    house.server.answers = False
    house.writer.drop(conversation(0))
    eventually(lambda: house.socket and house.socket.sent, house.clock)
    house.lose()
    gevent.sleep(0.005)
    house.server.answers = True
    house.open()
    house.until_settled()
    assert house.channel.conversations == set(ids(2, start=1))


def test_topics_that_the_server_took_are_told_and_brought_back(house: House) -> None:
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    house.channel.topics.clear()
    taken = [acw_topic(conversation(1)), acw_topic(conversation(9)), "v2.users.x"]
    assert house.writer.removed_by_server(taken) == [conversation(1)]
    assert house.writer.covers(ids(3)) == [conversation(0), conversation(2)]
    house.until_settled()
    assert house.channel.conversations == set(ids(3))


def test_topics_that_are_taken_time_and_again_are_brought_back_more_and_more_slowly() -> None:
    house = House(retry_base_seconds=10.0, retry_max_seconds=300.0)
    house.start()
    house.writer.want(ids(2))
    house.until_settled()
    calls = []
    for wait in (0.0, 10.0, 20.0, 40.0):  # somebody else wants it as well
        del house.channel.topics[acw_topic(conversation(1))]
        assert house.writer.removed_by_server([acw_topic(conversation(1))]) == [conversation(1)]
        eventually(lambda: house.writer.settled, house.clock)
        house.clock.advance(wait * 0.9)
        house.writer.drop(conversation(9))  # wakes it
        gevent.sleep(0.01)
        assert (conversation(1) in house.channel.conversations) is (wait == 0)
        house.clock.advance(wait * 0.2)
        house.writer.drop(conversation(9))
        eventually(lambda: conversation(1) in house.channel.conversations, house.clock)
        house.until_settled()
        calls.append(house.server.named("add"))
    assert calls == [2, 3, 4, 5]
    assert house.told.count(("drifted", 1)) == 4
    house.end()


def test_a_topic_that_waits_because_it_was_taken_holds_up_nobody_else() -> None:
    house = House(retry_base_seconds=10.0, retry_max_seconds=300.0)
    house.start()
    house.writer.want(ids(2))
    house.until_settled()
    for _ in range(2):
        house.channel.topics.pop(acw_topic(conversation(1)), None)
        house.writer.removed_by_server([acw_topic(conversation(1))])
        house.until_settled()
    house.writer.want(ids(3, start=5))
    eventually(lambda: house.writer.covers(ids(3, start=5)) == ids(3, start=5), house.clock)
    assert conversation(1) not in house.channel.conversations
    house.end()


def test_topics_taken_by_another_channel_of_ours_are_no_drift(house: House) -> None:
    house.start()
    house.writer.want(ids(2))
    house.until_settled()
    house.writer.freeze(True)
    house.channel.topics.clear()
    house.writer.removed_by_server([acw_topic(conversation(0))])  # the list is read before it says so of the other one
    eventually(lambda: house.server.named("list") and not house.writer.covers(ids(2)), house.clock)
    assert ("missed", [conversation(1)]) in house.told
    assert "drifted" not in dict(house.told)


def test_a_list_that_is_being_read_is_not_settled_yet(house: House) -> None:
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    house.server.latency = 0.005
    house.writer.audit()
    eventually(lambda: house.server.named("list"), house.clock)
    assert not house.writer.settled
    house.until_settled()


def test_an_audit_finds_and_mends_what_is_missing(house: House) -> None:
    house.start()
    house.writer.want(ids(3))
    house.until_settled()
    del house.channel.topics[acw_topic(conversation(2))]
    house.writer.audit()
    house.until_settled()
    assert house.channel.conversations == set(ids(3))
    assert ("missed", [conversation(2)]) in house.told
    assert ("drifted", 1) in house.told


def test_what_the_server_takes_while_the_list_is_read_is_not_believed_to_be_there(house: House) -> None:
    house.start()
    house.writer.want(ids(2))
    house.until_settled()
    listing = house.server.topics

    def slow(channel_id: str, token: Any) -> frozenset[str]:
        seen = listing(channel_id, token)
        house.channel.topics.pop(acw_topic(conversation(0)), None)
        house.writer.removed_by_server([acw_topic(conversation(0))])
        house.server.topics = listing  # type: ignore[method-assign] # the server is a double already
        return seen

    house.server.topics = slow  # type: ignore[method-assign] # the server is a double already
    house.writer.audit()
    eventually(lambda: house.server.named("list") == 2, house.clock)
    house.until_settled()
    assert house.channel.conversations == set(ids(2))


def test_a_frozen_writer_adds_nothing_and_goes_on_when_thawed(house: House) -> None:
    house.start()
    house.writer.want(ids(2))
    house.until_settled()
    house.writer.freeze(True)
    house.channel.topics.clear()
    house.writer.removed_by_server([acw_topic(one) for one in ids(2)])
    house.writer.want(ids(1, start=5))
    eventually(lambda: house.server.named("list"), house.clock)
    gevent.sleep(0.005)
    assert house.server.named("add") == 1
    house.writer.freeze(False)
    house.until_settled()
    assert house.channel.conversations == {*ids(2), conversation(5)}


# --- any order of anything ---


@settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
class WriterAgainstServer(RuleBasedStateMachine):
    """Wants, drops, faults, losses and thefts in any order; at peace the server's list is the desired one."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House(limit=1000)
        self.desired: set[str] = set()
        self.house.start()

    @rule(numbers=st.sets(st.integers(0, 15), min_size=1, max_size=6))
    def want(self, numbers: set[int]) -> None:
        wanted = [conversation(number) for number in sorted(numbers)]
        self.desired |= set(wanted)
        self.house.writer.want(wanted)

    @rule(number=st.integers(0, 15))
    def drop(self, number: int) -> None:
        self.desired.discard(conversation(number))
        self.house.covered.discard(conversation(number))
        self.house.writer.drop(conversation(number))

    @rule(turns=st.integers(1, 8), seconds=st.sampled_from([0.0, 0.0002, 0.01]))
    def pass_time(self, turns: int, seconds: float) -> None:
        for _ in range(turns):
            self.house.clock.advance(seconds)
            gevent.sleep(0)

    @rule(
        operation=st.sampled_from(["add", "replace", "clear", "list"]),
        error=st.sampled_from([NoReply("x"), NotSent("x"), TransientFailure("x", 0.01), TransientFailure("503")]),
        after=st.booleans(),
    )
    def fault(self, operation: str, error: TransientFailure, after: bool) -> None:
        self.house.server.fail(operation, error, after=after and not isinstance(error, NotSent))

    @rule(operation=st.sampled_from(["add", "replace"]))
    def refuse(self, operation: str) -> None:
        self.house.server.fail(operation, PermanentFailure("400"))

    @rule()
    def be_silent_or_not(self) -> None:
        self.house.server.answers = not self.house.server.answers

    @precondition(lambda self: self.house.socket is not None)
    @rule(at=st.integers(0, 5))
    def answer_late(self, at: int) -> None:
        socket = self.house.socket
        assert socket is not None
        if at < len(socket.sent) and socket.sent[at].get("message") == "unsubscribe" and not self.house.server.answers:
            self.house.server.unsubscribe(socket, socket.sent.pop(at))

    @precondition(lambda self: self.house.socket is not None)
    @rule()
    def lose(self) -> None:
        self.house.lose()

    @precondition(lambda self: self.house.socket is None)
    @rule()
    def open(self) -> None:
        self.house.open()

    @rule(number=st.integers(0, 15))
    def steal(self, number: int) -> None:
        topic = acw_topic(conversation(number))
        self.house.channel.topics.pop(topic, None)
        self.house.covered -= set(self.house.writer.removed_by_server([topic]))

    def teardown(self) -> None:
        house = self.house
        try:
            house.server.answers = True
            if house.socket is None:
                house.open()
            eventually(lambda: house.writer.settled, house.clock)
            house.writer.audit()
            eventually(lambda: house.channel.conversations == self.desired <= house.covered, house.clock)
            house.until_settled()
            assert set(house.writer.desired) == set(house.writer.covers(self.desired)) == self.desired
        finally:
            house.end()


TestWriterAgainstServer = WriterAgainstServer.TestCase
