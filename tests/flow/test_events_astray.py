"""A second agent's event is lost, late, doubled or comes amid the close: one record for each agent, none more."""

from collections.abc import Callable
from random import Random

import gevent

from tests.flow.playing import Playing, until

Stage = Callable[..., Playing]

EACH = 8
#: As short as the story bears: the order of things stays as it is.
PERIODS = {"GATEWAY_QUIET_SECONDS": "1", "GATEWAY_RECONCILE_SECONDS": "2"}


def closed_as_logged(play: Playing, conversation_id: str) -> bool:
    view = play.view(conversation_id)
    return (view["state"], view["outcome"], len(view["records"])) == ("closed", "logged", 2)


def test_a_transfers_second_event_may_be_lost_late_or_doubled(stage: Stage) -> None:
    play = stage("--set", "analyticsLagSeconds=1", **PERIODS)
    faults = {"lose_events": {}, "delay_events": {"delaySeconds": 4}, "duplicate_events": {"times": 3}}
    ids = play.followed(EACH * len(faults))
    for n, one in enumerate(ids):
        second = play.play(one, "transfer")
        play.play(one, "wrapup")
        name = [*faults][n % len(faults)]
        play.fault(name, topic=f"*{one}*", **faults[name])
        play.play(one, "end")
        play.play(one, "wrapup", participantId=second["participantId"])

    until(lambda: all(closed_as_logged(play, one) for one in ids), 30)
    gevent.sleep(1)  # whatever is still on its way comes now

    play.until_clean(2 * len(ids))


def test_an_event_that_races_with_the_close_is_recorded_once(stage: Stage) -> None:
    play = stage("--set", "analyticsLagSeconds=1", **PERIODS)
    play.fault("slow", path="/api/v2/conversations/*", delaySeconds=0.3)
    ids = play.followed(EACH * 3)
    random = Random(5)

    def race(one: str) -> None:
        second = play.play(one, "transfer")
        play.play(one, "end")
        play.play(one, "wrapup")
        gevent.sleep(random.uniform(0.8, 2))
        play.play(one, "wrapup", participantId=second["participantId"])

    gevent.joinall([gevent.spawn(race, one) for one in ids], raise_error=True)

    play.until_clean(2 * len(ids), 30)
    until(lambda: all(closed_as_logged(play, one) for one in ids), 30)
