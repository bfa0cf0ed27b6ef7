"""A refused or removed topic waits longer each time, delays no other, and is never given up."""

from random import Random
from typing import Any

import gevent
import pytest

from genesys_gateway.channels.topic_refusals import Refusals
from genesys_gateway.genesys.notifications import acw_topic
from tests.doubles.channels import PacedClock, conversation, eventually, ids
from tests.doubles.topic_writer import WriterOnFakeGenesys


def test_a_thousand_refused_topics_are_requested_together() -> None:
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


def test_a_refused_topic_is_that_conversations_trouble_only(writer: WriterOnFakeGenesys) -> None:
    writer.server.rejected = {acw_topic(conversation(1))}
    writer.start()
    writer.topics.want(ids(3))
    eventually(lambda: len(writer.covered) == 2, writer.clock)
    assert writer.covered == {conversation(0), conversation(2)}
    assert ("rejected", (conversation(1), "no right")) in writer.reports
    assert writer.topics.settled


def test_a_refused_topic_is_tried_again_and_reported_once(writer: WriterOnFakeGenesys) -> None:
    writer.server.rejected = {acw_topic(conversation(0))}
    writer.start()
    writer.topics.want(ids(1))
    eventually(lambda: writer.server.count("add") > 4, writer.clock)
    assert writer.reports == [("rejected", (conversation(0), "no right"))]
    writer.server.rejected = set()
    eventually(lambda: writer.covered, writer.clock)


def test_a_dropped_topic_is_not_tried_again(writer: WriterOnFakeGenesys) -> None:
    writer.server.rejected = {acw_topic(conversation(0))}
    writer.start()
    writer.topics.want(ids(1))
    eventually(lambda: writer.reports, writer.clock)
    writer.topics.drop(conversation(0))
    gevent.sleep(0.002)
    calls = len(writer.server.calls)
    for _ in range(20):
        writer.clock.advance(1)
        gevent.sleep(0.0005)
    assert len(writer.server.calls) == calls


def test_a_topic_nobody_answers_for_counts_as_refused(writer: WriterOnFakeGenesys) -> None:
    add = writer.server.add_topics

    def forgetful(channel_id: str, token: Any, topics: Any) -> Any:
        return add(channel_id, token, topics)[1:]

    writer.server.add_topics = forgetful  # type: ignore[method-assign] # the server is a double already
    writer.start()
    writer.topics.want(ids(2))
    eventually(lambda: ("rejected", (conversation(0), "not answered")) in writer.reports, writer.clock)


@pytest.mark.parametrize("bad", [{0}, {499}, {3, 77, 250}])
def test_a_topic_that_fails_the_whole_call_does_not_hold_up_the_others(
    writer: WriterOnFakeGenesys, bad: set[int]
) -> None:
    writer.server.poison = {acw_topic(conversation(number)) for number in bad}
    writer.start()
    writer.topics.want(ids(500))
    eventually(lambda: len(writer.covered) == 500 - len(bad), writer.clock)
    assert {one for one, _ in writer.reported("rejected")} == {conversation(n) for n in bad}
    assert len(writer.server.calls) < 150


def test_when_every_topic_fails_the_whole_call_they_are_not_looked_for_one_by_one_at_full_speed() -> None:
    clock = PacedClock()
    writer = WriterOnFakeGenesys(clock=clock, api_rate_per_minute=300, retry_base_seconds=1.0, retry_max_seconds=300.0)
    writer.server.poison = {acw_topic(one) for one in ids(200)}
    writer.start()
    writer.topics.want(ids(200))
    for _ in range(6000):  # ten minutes
        clock.advance(0.1)
        writer.topics.freeze(False)  # wakes it, because it would wait for real time
        gevent.sleep(0)
    assert writer.server.count("add") < 150
    writer.server.poison = set()
    for _ in range(6000):
        clock.advance(0.1)
        writer.topics.freeze(False)
        gevent.sleep(0)
    assert writer.channel.conversations == set(ids(200))
    writer.end()


def steps_of(writer: WriterOnFakeGenesys) -> list[None]:
    """A list that grows by one with each step the writer makes from now on."""
    steps: list[None] = []
    step = writer.topics._step

    def counted() -> None:
        steps.append(None)
        step()

    writer.topics._step = counted  # type: ignore[method-assign] # to see whether it rests
    return steps


def test_a_frozen_writer_rests_although_a_refused_topic_has_fallen_due(writer: WriterOnFakeGenesys) -> None:
    writer.server.rejected = {acw_topic(conversation(1))}
    writer.start()
    writer.topics.want(ids(2))
    eventually(lambda: writer.topics.settled and len(writer.reports) == 2, writer.clock)
    writer.topics.freeze(True)
    gevent.sleep(0.01)
    writer.clock.advance(400)
    steps = steps_of(writer)
    writer.topics.audit()
    gevent.sleep(0.05)
    assert len(steps) <= 3
    writer.server.rejected = set()
    writer.topics.freeze(False)
    eventually(lambda: len(writer.covered) == 2, writer.clock)


def test_a_writer_without_a_free_place_rests_until_there_is_one() -> None:
    writer = WriterOnFakeGenesys(channel_topics=2)
    writer.server.rejected = {acw_topic(conversation(1))}
    writer.start()
    writer.topics.want(ids(2))
    eventually(lambda: writer.topics.settled and len(writer.reports) == 2, writer.clock)
    writer.channel.topics["v2.users.x.presence"] = None
    writer.topics.audit()
    eventually(lambda: writer.topics._foreign and writer.topics.settled, writer.clock, step=0)
    writer.clock.advance(400)
    steps = steps_of(writer)
    writer.topics.audit()
    gevent.sleep(0.05)
    assert len(steps) <= 3
    writer.server.rejected = set()
    writer.topics.drop(conversation(0))
    eventually(lambda: conversation(1) in writer.covered, writer.clock)
    writer.end()


def test_topics_that_are_taken_time_and_again_are_brought_back_more_and_more_slowly() -> None:
    writer = WriterOnFakeGenesys(retry_base_seconds=10.0, retry_max_seconds=300.0)
    writer.start(2)
    calls = []
    for wait in (0.0, 10.0, 20.0, 40.0):  # another client wants it as well
        del writer.channel.topics[acw_topic(conversation(1))]
        assert writer.topics.removed_by_server([acw_topic(conversation(1))]) == [conversation(1)]
        eventually(lambda: writer.topics.settled, writer.clock)
        writer.clock.advance(wait * 0.9)
        writer.topics.freeze(False)  # wakes it
        gevent.sleep(0.01)
        assert (conversation(1) in writer.channel.conversations) is (wait == 0)
        writer.clock.advance(wait * 0.2)
        writer.topics.freeze(False)
        eventually(lambda: conversation(1) in writer.channel.conversations, writer.clock)
        writer.until_settled()
        calls.append(writer.server.count("add"))
    assert calls == [2, 3, 4, 5]
    assert writer.reports.count(("drifted", 1)) == 4
    writer.end()


def test_a_topic_that_waits_because_it_was_taken_holds_up_nobody_else() -> None:
    writer = WriterOnFakeGenesys(retry_base_seconds=10.0, retry_max_seconds=300.0)
    writer.start(2)
    for _ in range(2):
        writer.channel.topics.pop(acw_topic(conversation(1)), None)
        writer.topics.removed_by_server([acw_topic(conversation(1))])
        writer.until_settled()
    writer.topics.want(ids(3, start=5))
    eventually(lambda: writer.topics.covered_among(ids(3, start=5)) == ids(3, start=5), writer.clock)
    assert conversation(1) not in writer.channel.conversations
    writer.end()
