"""While CommunicationHistory is away records wait; when it is back they arrive, once."""

from collections import Counter
from collections.abc import Callable

from tests.flow.playing import Playing, until

Stage = Callable[..., Playing]

#: Tests of an outage come at least every tenth of the longest back-off.
LONGEST = {"GATEWAY_RETRY_MAX_SECONDS": "5"}


def test_what_waited_for_a_receiver_that_answers_503_arrives(stage: Stage) -> None:
    play = stage(**LONGEST)
    ids = play.followed(200)
    play.receive("503")
    for one in ids:
        play.finish([one])
    until(lambda: len(play.attempts()) > 5)
    attempts = Counter(one["id"] for one in play.attempts())
    play.receive("ok")
    play.until_clean(200)

    # The breaker lets one through at a time, and none twice while others have not been tried.
    assert sum(attempts.values()) < 40
    assert max(attempts.values()) <= 2


def test_what_waited_for_refused_connections_arrives(stage: Stage) -> None:
    play = stage(**LONGEST)
    ids = play.followed(20)
    play.receive("down")
    play.finish(ids)
    until(lambda: {one["state"] for one in play.view(ids[0])["records"]} == {"pending"})
    assert play.attempts() == []

    play.receive("ok")

    play.until_clean(20)


def test_a_receiver_that_stores_and_does_not_answer_is_asked_before_anything_is_sent_again(stage: Stage) -> None:
    play = stage(**LONGEST, GATEWAY_HTTP_TIMEOUT_SECONDS="1")
    ids = play.followed(20)
    play.receive("apply_then_hang", deduplicate=False)
    play.finish(ids)
    until(play.attempts)

    play.receive("ok", deduplicate=False)

    play.until_clean(20)
    until(lambda: all(one["state"] == "delivered" for i in ids for one in play.view(i)["records"]))
    assert len(play.control("GET", "history")["records"]) == 20
