"""500 registrations at once cost at most five subscription calls, one channel, one socket."""

from collections.abc import Callable

from tests.flow.playing import Playing

Stage = Callable[..., Playing]


def test_500_at_once_cost_five_calls_one_channel_one_socket(stage: Stage) -> None:
    play = stage()

    ids = play.followed(500)

    assert play.subscription_calls() <= 5
    assert len(play.control("GET", "channels")) == 1
    assert play.socket_events("opened") == 1
    play.finish(ids)
    play.until_clean(500)
    assert play.sources()["live"] == 500
