"""The writer brings the server's list to what is desired, also when calls fail or their outcome is unknown."""

from typing import Any, cast

import gevent
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from genesys_gateway.genesys.client import Forbidden, NotFound, TokenDead
from genesys_gateway.genesys.notifications import acw_topic
from genesys_gateway.runtime.errors import NoReply, NotSent, PermanentFailure, TransientFailure
from tests.doubles.channels import THROTTLED, FakeGenesys, PacedClock, conversation, eventually, ids
from tests.doubles.topic_writer import WriterOnFakeGenesys


def test_what_is_wanted_is_added_in_one_call_and_reported_as_covered(writer: WriterOnFakeGenesys) -> None:
    writer.start(3)
    assert writer.channel.conversations == writer.covered == set(ids(3))
    assert writer.server.calls[0][::2] == ("add", 3)
    assert len(writer.server.calls) == 1


def test_five_hundred_wants_of_one_second_cost_at_most_five_calls() -> None:
    writer = WriterOnFakeGenesys(api_rate_per_minute=300, clock=PacedClock())
    writer.start()
    for one in ids(500):
        writer.topics.want([one])
        writer.clock.advance(0.002)
        gevent.sleep(0)
    eventually(lambda: len(writer.covered) == 500, writer.clock, step=0.01)
    assert len(writer.server.calls) <= 5
    writer.end()


def test_a_single_want_is_not_held_back_for_long() -> None:
    writer = WriterOnFakeGenesys(api_rate_per_minute=300)
    writer.start()
    gevent.sleep(0.001)
    begun = writer.clock.monotonic()
    writer.topics.want(ids(1))
    eventually(lambda: writer.covered, writer.clock, step=0)
    assert writer.clock.monotonic() - begun <= 0.06
    writer.end()


def test_wants_that_never_pause_are_added_after_a_second_at_the_latest() -> None:
    writer = WriterOnFakeGenesys(api_rate_per_minute=300)
    writer.start()
    numbers = iter(range(10_000))
    begun = writer.clock.monotonic()
    while not writer.covered:
        writer.topics.want([conversation(next(numbers) % 900)])
        writer.clock.advance(0.01)
        gevent.sleep(0)
        assert writer.clock.monotonic() - begun < 2
    writer.end()


def test_a_repetition_costs_nothing(writer: WriterOnFakeGenesys) -> None:
    writer.start(2)
    writer.topics.want(ids(2))
    writer.topics.drop(conversation(7))
    gevent.sleep(0.005)
    assert len(writer.server.calls) == 1


def test_dropped_while_its_addition_is_in_flight_it_is_removed_again(writer: WriterOnFakeGenesys) -> None:
    writer.server.latency = 0.005
    writer.start()
    writer.topics.want(ids(2))
    eventually(lambda: writer.server.calls, writer.clock)
    writer.topics.drop(conversation(1))
    writer.until_settled()
    assert writer.channel.conversations == {conversation(0)}
    assert writer.covered == {conversation(0)}


# --- in doubt ---


@pytest.mark.parametrize("after", [True, False])
def test_an_addition_without_a_reply_is_settled_by_replacing_the_list_and_reading_it(
    writer: WriterOnFakeGenesys, after: bool
) -> None:
    writer.server.fail("add", NoReply("reset"), after=after)
    writer.start(3)
    assert writer.operations() == ["add", "replace", "list"]
    assert writer.channel.conversations == writer.covered == set(ids(3))


def test_a_call_that_was_surely_not_sent_is_simply_made_again(writer: WriterOnFakeGenesys) -> None:
    writer.server.fail("add", NotSent("no connection"), times=3)
    writer.start(3)
    assert writer.operations() == ["add"] * 4


def test_nothing_is_reported_as_covered_while_in_doubt(writer: WriterOnFakeGenesys) -> None:
    writer.server.fail("add", NoReply("reset"), after=True)
    writer.server.fail("replace", NoReply("reset"), times=3)
    writer.server.fail("list", TransientFailure("503"), times=3)
    writer.start(3)
    assert [what for what, _ in writer.reports] == ["covered"]
    assert writer.operations()[-1] == "list"


def test_an_empty_list_in_doubt_is_cleared(writer: WriterOnFakeGenesys) -> None:
    writer.unanswered_removal(1)
    writer.until_settled()
    assert writer.operations() == ["add", "clear", "list"]
    assert writer.channel.topics == {}


def test_a_doubt_is_settled_although_the_whole_list_is_refused(writer: WriterOnFakeGenesys) -> None:
    writer.unanswered_removal(3)
    writer.server.poison = {acw_topic(conversation(1))}
    writer.server.fail("replace", Forbidden("403"))
    eventually(lambda: writer.server.count("replace") >= 1, writer.clock)
    writer.server.answers = True
    writer.server.poison = set()
    writer.until_settled()
    assert writer.channel.conversations == set(ids(2, start=1))


def test_no_call_is_made_before_retry_after_is_over(writer: WriterOnFakeGenesys) -> None:
    writer.server.fail("add", THROTTLED)
    writer.start(1)
    (_, first, _), (_, second, _), *_ = writer.server.calls
    assert second - first >= 0.5


def test_a_socket_that_is_lost_meanwhile_does_not_shorten_retry_after() -> None:
    writer = WriterOnFakeGenesys(clock=PacedClock())
    writer.start(1)
    asked: list[float] = []

    def unavailable(channel_id: str, token: Any) -> Any:
        asked.append(writer.clock.monotonic())
        if len(asked) > 1:
            return FakeGenesys.topics(writer.server, channel_id, token)
        writer.lose_socket()
        raise TransientFailure("503", retry_after=60.0)

    writer.server.topics = unavailable  # type: ignore[method-assign] # the server is a double already
    writer.topics.audit()
    eventually(lambda: asked, writer.clock)
    writer.open_socket()
    for _ in range(59):
        writer.clock.advance(1.0)
        gevent.sleep(0.0005)
    assert len(asked) == 1
    eventually(lambda: len(asked) > 1, writer.clock, step=0.1)
    assert asked[1] - asked[0] >= 60.0
    writer.until_settled()
    writer.end()


def test_a_failure_because_the_socket_was_lost_holds_nothing_back_on_the_next_one() -> None:
    writer = WriterOnFakeGenesys(
        clock=PacedClock(), retry_base_seconds=60.0, retry_max_seconds=300.0, reply_seconds=5.0
    )
    writer.unanswered_removal()
    writer.lose_socket()
    gevent.sleep(0.002)
    lost = writer.clock.monotonic()
    writer.open_socket()
    writer.until_settled()
    assert writer.clock.monotonic() - lost < 1.0
    writer.end()


def test_failures_in_a_row_are_repeated_more_and_more_slowly() -> None:
    writer = WriterOnFakeGenesys(retry_base_seconds=1.0, retry_max_seconds=300.0)
    writer.server.fail("add", NotSent("x"), times=20)
    writer.start()
    writer.topics.want(ids(1))
    eventually(lambda: writer.covered, writer.clock, step=0)
    assert len(writer.server.calls) == 21
    waits = [
        round(later - sooner, 3)
        for (_, sooner, _), (_, later, _) in zip(writer.server.calls, writer.server.calls[1:], strict=False)
    ]
    assert max(waits) <= 300.1
    assert sum(waits[10:]) > sum(waits[:10])
    writer.end()


@pytest.mark.parametrize("error", [NotFound("404"), TokenDead("401")])
@pytest.mark.parametrize("operation", ["add", "list", "replace"])
def test_an_unknown_channel_or_a_dead_token_means_the_channel_is_gone(
    writer: WriterOnFakeGenesys, error: Exception, operation: str
) -> None:
    if operation != "add":
        writer.server.fail("add", NoReply("x"))
    writer.server.fail(operation, cast(Any, error))
    writer.start()
    writer.topics.want(ids(2))
    eventually(lambda: writer.reports, writer.clock)
    assert writer.reports == [("gone", str(error))]


# --- free places ---


def test_what_the_server_has_no_place_for_is_displaced_and_the_rest_stays() -> None:
    writer = WriterOnFakeGenesys(limit=70)
    writer.start()
    writer.topics.want(ids(100))
    eventually(lambda: writer.reported("displaced"), writer.clock)
    (displaced,) = writer.reported("displaced")
    assert writer.channel.conversations == writer.covered == set(ids(100)) - set(displaced)
    assert len(displaced) == 30
    assert writer.topics.free_places == 0
    assert writer.topics.settled
    writer.end()


def test_unexpected_topics_take_places_and_are_removed_if_they_are_of_our_kind() -> None:
    writer = WriterOnFakeGenesys(limit=10, channel_topics=10)
    writer.channel.topics = dict.fromkeys(["v2.users.x.presence", acw_topic(conversation(99))])
    writer.start(3)
    writer.topics.audit()
    eventually(lambda: conversation(99) not in writer.channel.conversations, writer.clock)
    writer.until_settled()
    assert writer.topics.free_places == 6
    assert ("drifted", 1) in writer.reports
    writer.end()


def test_a_reading_that_fails_while_the_list_is_full_does_not_end_the_writer() -> None:
    writer = WriterOnFakeGenesys(limit=1)
    writer.server.fail("list", TransientFailure("503"), times=2)
    writer.start()
    writer.topics.want(ids(2))
    eventually(lambda: writer.reported("displaced"), writer.clock)
    assert len(writer.covered) == 1
    writer.end()


def test_removals_count_until_they_are_done(writer: WriterOnFakeGenesys) -> None:
    writer.unanswered_removal(5)
    assert (writer.topics.size, writer.topics.free_places) == (5, 995)


def test_additions_without_end_do_not_keep_removals_from_being_made() -> None:
    writer = WriterOnFakeGenesys(api_rate_per_minute=300)
    writer.start(10)
    for one in ids(10):
        writer.topics.drop(one)
    number = 100
    while writer.server.count("unsubscribe") == 0:
        writer.topics.want([conversation(number)])
        number += 1
        writer.clock.advance(0.01)
        gevent.sleep(0)
        assert number < 400
    writer.end()


# --- sockets and audits ---


def test_nothing_is_done_without_a_socket(writer: WriterOnFakeGenesys) -> None:
    writer.tasks.spawn("writer", writer.topics.run)
    writer.topics.want(ids(2))
    gevent.sleep(0.005)
    assert writer.server.calls == []
    assert not writer.topics.settled


def test_a_list_that_outlived_its_socket_is_read_before_it_is_believed(writer: WriterOnFakeGenesys) -> None:
    writer.start(3)
    assert sorted(writer.lose_socket()) == ids(3)
    assert writer.topics.covered_among(ids(3)) == []
    del writer.channel.topics[acw_topic(conversation(1))]
    writer.open_socket()
    assert writer.topics.covered_among(ids(3)) == []
    eventually(lambda: len(writer.covered) == 3, writer.clock)
    assert writer.operations() == ["add", "list", "add"]
    assert ("missed", [conversation(1)]) in writer.reports


def test_losing_it_again_before_it_was_read_uncovers_nobody_twice(writer: WriterOnFakeGenesys) -> None:
    writer.start(3)
    writer.lose_socket()
    writer.server.latency = 1.0
    writer.open_socket()
    assert writer.lose_socket() == []


def test_a_reply_to_an_addition_that_comes_after_the_loss_covers_nobody(writer: WriterOnFakeGenesys) -> None:
    writer.server.latency = 0.005
    writer.start()
    writer.topics.want(ids(2))
    eventually(lambda: writer.server.calls, writer.clock)
    assert writer.lose_socket() == []
    gevent.sleep(0.02)
    assert writer.covered == set()
    writer.open_socket()
    eventually(lambda: len(writer.covered) == 2, writer.clock)
    assert writer.operations() == ["add", "list"]


def test_topics_that_the_server_took_are_reported_and_brought_back(writer: WriterOnFakeGenesys) -> None:
    writer.start(3)
    writer.channel.topics.clear()
    taken = [acw_topic(conversation(1)), acw_topic(conversation(9)), "v2.users.x"]
    assert writer.topics.removed_by_server(taken) == [conversation(1)]
    assert writer.topics.covered_among(ids(3)) == [conversation(0), conversation(2)]
    writer.until_settled()
    assert writer.channel.conversations == set(ids(3))


def test_topics_taken_by_another_channel_of_ours_are_no_drift(writer: WriterOnFakeGenesys) -> None:
    writer.start(2)
    writer.topics.freeze(True)
    writer.channel.topics.clear()
    writer.topics.removed_by_server([acw_topic(conversation(0))])  # the list is read before it reports the other one
    eventually(lambda: writer.server.count("list") and not writer.topics.covered_among(ids(2)), writer.clock)
    assert ("missed", [conversation(1)]) in writer.reports
    assert "drifted" not in dict(writer.reports)


def test_a_list_that_is_being_read_is_not_settled_yet(writer: WriterOnFakeGenesys) -> None:
    writer.start(3)
    writer.server.latency = 0.005
    writer.topics.audit()
    eventually(lambda: writer.server.count("list"), writer.clock)
    assert not writer.topics.settled
    writer.until_settled()


def test_an_audit_finds_and_repairs_what_is_missing(writer: WriterOnFakeGenesys) -> None:
    writer.start(3)
    del writer.channel.topics[acw_topic(conversation(2))]
    writer.topics.audit()
    writer.until_settled()
    assert writer.channel.conversations == set(ids(3))
    assert ("missed", [conversation(2)]) in writer.reports
    assert ("drifted", 1) in writer.reports


def test_what_the_server_takes_while_the_list_is_read_is_not_believed_to_be_there(writer: WriterOnFakeGenesys) -> None:
    writer.start(2)
    listing = writer.server.topics

    def slow(channel_id: str, token: Any) -> frozenset[str]:
        seen = listing(channel_id, token)
        writer.channel.topics.pop(acw_topic(conversation(0)), None)
        writer.topics.removed_by_server([acw_topic(conversation(0))])
        writer.server.topics = listing  # type: ignore[method-assign] # the server is a double already
        return seen

    writer.server.topics = slow  # type: ignore[method-assign] # the server is a double already
    writer.topics.audit()
    eventually(lambda: writer.server.count("list") == 2, writer.clock)
    writer.until_settled()
    assert writer.channel.conversations == set(ids(2))


def test_a_frozen_writer_adds_nothing_and_goes_on_when_thawed(writer: WriterOnFakeGenesys) -> None:
    writer.start(2)
    writer.topics.freeze(True)
    writer.channel.topics.clear()
    writer.topics.removed_by_server([acw_topic(one) for one in ids(2)])
    writer.topics.want(ids(1, start=5))
    eventually(lambda: writer.server.count("list"), writer.clock)
    gevent.sleep(0.005)
    assert writer.server.count("add") == 1
    writer.topics.freeze(False)
    writer.until_settled()
    assert writer.channel.conversations == {*ids(2), conversation(5)}


# --- any order of anything ---


@settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
class WriterAgainstServer(RuleBasedStateMachine):
    """Additions, removals, faults, lost sockets and topics in any order; in the end the list is the desired one."""

    def __init__(self) -> None:
        super().__init__()
        self.writer = WriterOnFakeGenesys(limit=1000)
        self.desired: set[str] = set()
        self.writer.start()

    @rule(numbers=st.sets(st.integers(0, 15), min_size=1, max_size=6))
    def want(self, numbers: set[int]) -> None:
        wanted = [conversation(number) for number in sorted(numbers)]
        self.desired |= set(wanted)
        self.writer.topics.want(wanted)

    @rule(number=st.integers(0, 15))
    def drop(self, number: int) -> None:
        self.desired.discard(conversation(number))
        self.writer.covered.discard(conversation(number))
        self.writer.topics.drop(conversation(number))

    @rule(turns=st.integers(1, 8), seconds=st.sampled_from([0.0, 0.0002, 0.01]))
    def pass_time(self, turns: int, seconds: float) -> None:
        for _ in range(turns):
            self.writer.clock.advance(seconds)
            gevent.sleep(0)

    @rule(
        operation=st.sampled_from(["add", "replace", "clear", "list"]),
        error=st.sampled_from([NoReply("x"), NotSent("x"), TransientFailure("x", 0.01), TransientFailure("503")]),
        after=st.booleans(),
    )
    def fault(self, operation: str, error: TransientFailure, after: bool) -> None:
        self.writer.server.fail(operation, error, after=after and not isinstance(error, NotSent))

    @rule(operation=st.sampled_from(["add", "replace"]))
    def refuse(self, operation: str) -> None:
        self.writer.server.fail(operation, PermanentFailure("400"))

    @rule()
    def be_silent_or_not(self) -> None:
        self.writer.server.answers = not self.writer.server.answers

    @precondition(lambda self: self.writer.socket is not None)
    @rule(at=st.integers(0, 5))
    def answer_late(self, at: int) -> None:
        socket = self.writer.socket
        assert socket is not None
        if at < len(socket.sent) and socket.sent[at].get("message") == "unsubscribe" and not self.writer.server.answers:
            self.writer.server.unsubscribe(socket, socket.sent.pop(at))

    @precondition(lambda self: self.writer.socket is not None)
    @rule()
    def lose(self) -> None:
        self.writer.lose_socket()

    @precondition(lambda self: self.writer.socket is None)
    @rule()
    def open(self) -> None:
        self.writer.open_socket()

    @rule(number=st.integers(0, 15))
    def steal(self, number: int) -> None:
        topic = acw_topic(conversation(number))
        self.writer.channel.topics.pop(topic, None)
        self.writer.covered -= set(self.writer.topics.removed_by_server([topic]))

    def teardown(self) -> None:
        writer = self.writer
        try:
            writer.server.answers = True
            if writer.socket is None:
                writer.open_socket()
            eventually(lambda: writer.topics.settled, writer.clock)
            writer.topics.audit()
            eventually(lambda: writer.channel.conversations == self.desired <= writer.covered, writer.clock)
            writer.until_settled()
            assert set(writer.topics.desired) == set(writer.topics.covered_among(self.desired)) == self.desired
        finally:
            writer.end()


TestWriterAgainstServer = WriterAgainstServer.TestCase
