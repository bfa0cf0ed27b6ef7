"""Topics are taken off a list over the socket; the reply may be late, wrong, without an id, or missing."""

import gevent
import pytest

from genesys_gateway.genesys.notifications import acw_topic
from tests.doubles.channels import conversation, eventually, ids
from tests.doubles.topic_writer import WriterOnFakeGenesys


def test_removals_go_over_the_socket_together(writer: WriterOnFakeGenesys) -> None:
    writer.start(10)
    for one in ids(4):
        writer.topics.drop(one)
    writer.until_settled()
    assert writer.operations() == ["add", "unsubscribe"]
    assert writer.channel.conversations == set(ids(6, start=4))
    assert writer.topics.size == 6


def test_a_reply_without_a_correlation_id_counts_by_its_topics() -> None:
    writer = WriterOnFakeGenesys(correlated=False)
    writer.start(2)
    writer.topics.drop(conversation(0))
    writer.until_settled()
    assert writer.operations() == ["add", "unsubscribe"]
    writer.end()


def test_somebody_elses_reply_does_not_count(writer: WriterOnFakeGenesys) -> None:
    socket = writer.unanswered_removal()
    socket.push({"correlationId": "999", "topics": [acw_topic(conversation(0))], "result": "200", "status": "x"})
    socket.push({"topics": [acw_topic(conversation(1))], "result": "200", "status": "unsubscribed"})
    writer.until_settled()
    assert writer.operations() == ["add", "replace", "list"]


@pytest.mark.parametrize("result", ["400", "500", None])
def test_an_unsubscription_that_did_not_work_is_settled_over_http(
    writer: WriterOnFakeGenesys, result: str | None
) -> None:
    socket = writer.unanswered_removal()
    socket.push({"correlationId": socket.sent[0]["correlationId"], "result": result, "status": "failed"})
    writer.until_settled()
    assert writer.channel.conversations == {conversation(1)}


def test_an_unsubscription_answered_with_404_means_the_channel_is_gone(writer: WriterOnFakeGenesys) -> None:
    socket = writer.unanswered_removal()
    socket.push({"correlationId": socket.sent[0]["correlationId"], "result": "404", "status": "x"})
    eventually(lambda: writer.reports[-1][0] == "gone", writer.clock)


def test_a_late_reply_makes_the_list_be_read_again(writer: WriterOnFakeGenesys) -> None:
    """The removal of a request that timed out may have undone a later addition."""
    socket = writer.unanswered_removal()
    writer.until_settled()
    writer.topics.want(ids(1))
    writer.until_settled()
    # When the server at last makes the removal
    writer.server.unsubscribe(socket, socket.sent[0])
    assert conversation(0) not in writer.channel.conversations
    # Then the writer notices and repairs it
    eventually(lambda: conversation(0) in writer.channel.conversations, writer.clock)
    writer.until_settled()
    assert ("missed", [conversation(0)]) in writer.reports


def test_wanted_again_while_its_removal_is_in_flight_it_ends_on_the_list(writer: WriterOnFakeGenesys) -> None:
    socket = writer.unanswered_removal(3)
    writer.covered.clear()
    writer.topics.want([conversation(0)])
    assert writer.topics.covered_among(ids(3)) == ids(2, start=1)
    writer.server.unsubscribe(socket, socket.sent[0])
    writer.until_settled()
    assert writer.channel.conversations == set(ids(3))
    assert conversation(0) in writer.covered


def test_wanted_again_before_its_removal_was_sent_it_is_not_removed() -> None:
    writer = WriterOnFakeGenesys(api_rate_per_minute=300)
    writer.start(3)
    original = writer.clock.sleep

    def sleep(seconds: float) -> None:  # the pause in which more removals may join
        writer.topics.want([conversation(0)])
        original(seconds)

    writer.clock.sleep = sleep  # type: ignore[method-assign] # the clock is a double already
    writer.topics.drop(conversation(0))
    writer.until_settled()
    assert "unsubscribe" not in writer.operations()
    assert conversation(0) in writer.channel.conversations
    writer.end()


def test_losing_the_socket_during_an_unsubscription_settles_it_on_the_next_one(writer: WriterOnFakeGenesys) -> None:
    writer.unanswered_removal(3)
    writer.lose_socket()
    gevent.sleep(0.005)
    writer.server.answers = True
    writer.open_socket()
    writer.until_settled()
    assert writer.channel.conversations == set(ids(2, start=1))
