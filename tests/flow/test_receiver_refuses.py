"""A receiver that refuses every record alike pauses the lane; one that refuses few makes only those dead."""

from collections.abc import Callable

import gevent

from tests.flow.playing import Playing, until

Stage = Callable[..., Playing]

PROBES = {"GATEWAY_RETRY_MAX_SECONDS": "2"}
SENDERS = 8


def states(play: Playing, ids: list[str]) -> set[str]:
    return {record["state"] for one in ids for record in play.view(one)["records"]}


def test_after_ten_refusals_alike_nothing_more_is_sent_nothing_is_dead_and_mended_all_arrive(stage: Stage) -> None:
    play = stage(**PROBES)
    ids = play.followed(60)
    play.receive("422")
    play.finish(ids)
    until(lambda: len(play.attempts()) >= 10)
    gevent.sleep(1)
    assert len(play.attempts()) <= 10 + SENDERS + 1
    assert "dead" not in states(play, ids)

    play.receive("ok")

    play.until_clean(60)


def test_three_refused_among_many_are_dead_and_hold_up_nobody(stage: Stage) -> None:
    play = stage(**PROBES)
    ids = play.followed(40)
    play.receive("503")
    play.finish(ids)
    until(lambda: play.view(ids[0])["records"])
    poison = [play.view(one)["records"][0]["id"] for one in ids[:3]]

    play.receive("422", ids=poison)

    until(lambda: states(play, ids[:3]) == {"dead"})
    until(lambda: states(play, ids[3:]) == {"delivered"})
