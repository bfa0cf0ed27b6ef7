"""Whatever happens to a socket, what it could not bring is asked for: nothing is lost, nothing doubled."""

from collections.abc import Callable

import gevent

from tests.flow.playing import Playing, until

Stage = Callable[..., Playing]
#: Analytics are believed to be complete sooner, so that they are asked more often.
SOON = {"GATEWAY_ANALYTICS_SETTLE_SECONDS": "20"}


def test_100_wrap_ups_while_the_socket_is_away_are_recovered_soon(stage: Stage) -> None:
    play = stage("--set", "analyticsLagSeconds=1", **SOON)
    ids = play.followed(100)
    play.fault("refuse_upgrade", status=503, seconds=2)
    play.control("POST", "channels/all/drop")

    play.finish(ids)

    play.until_clean(100, 15)
    assert play.sources()["backfill"] == 100


def test_a_socket_that_is_open_but_silent_is_replaced(stage: Stage) -> None:
    play = stage("--set", "heartbeatSeconds=1", "--set", "analyticsLagSeconds=1", **SOON, GATEWAY_HEARTBEAT_SECONDS="2")
    ids = play.followed(20)
    play.fault("freeze", seconds=3)

    play.finish(ids)

    until(lambda: play.socket_events("opened") >= 2, 2 + 5)
    play.until_clean(20)


def test_a_channel_that_is_no_more_is_replaced(stage: Stage) -> None:
    play = stage()
    ids = play.followed(50)
    (before,) = play.control("GET", "channels")

    play.control("POST", "channels/all/evict")

    until(lambda: set(ids) <= play.listened())
    assert before["id"] not in [one["id"] for one in play.control("GET", "channels")]
    play.finish(ids)
    play.until_clean(50)


def test_on_a_closing_notice_the_topics_move_before_the_socket_closes_and_all_events_come_live(stage: Stage) -> None:
    play = stage(GATEWAY_CHANNEL_OVERLAP_SECONDS="1")
    ids = play.followed(100)
    (before,) = play.control("GET", "channels")
    play.control("POST", "channels/all/close", {"notice": True, "afterSeconds": 30})

    for one in ids:
        play.finish([one])
        gevent.sleep(0.03)

    play.until_clean(100)
    until(lambda: before["id"] not in [one["id"] for one in play.control("GET", "channels") if one["connected"]])
    assert play.sources() == {"live": 100}
    assert play.socket_events("kicked") == 0
    assert play.ledger("evictions") == []
