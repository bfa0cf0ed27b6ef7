"""Each agent's after-call work is a record of its own: after a transfer, a consult, and for a dialled callback."""

from collections.abc import Callable

from tests.flow.playing import Playing, until

Stage = Callable[..., Playing]


def test_two_records_after_a_transfer_a_consult_and_a_callback(stage: Stage) -> None:
    play = stage()
    transferred, consulted = play.followed(2)
    (callback,) = play.followed(1, mediaType="CALLBACK", callbackNumbers=["+639171234567"], dialled=True)

    play.play(transferred, "transfer")
    play.play(consulted, "consult")
    for one in (transferred, consulted):
        play.play(one, "end")
        play.play(one, "wrapup")
        play.play(one, "wrapup")
    play.finish([callback])

    play.until_clean(6)
    ids = (transferred, consulted, callback)
    until(lambda: [len(play.view(one)["records"]) for one in ids] == [2, 2, 2])


def test_what_is_over_is_closed_and_its_topic_taken_off_at_genesys(stage: Stage) -> None:
    play = stage(GATEWAY_RECONCILE_SECONDS="2")
    over, goes_on = play.followed(2)
    (silent,) = play.followed(1, acw=False)
    play.finish([over])
    play.play(silent, "end")
    play.play(goes_on, "wrapup")

    until(lambda: play.listened() == {goes_on}, 20)

    shown = {one: (play.view(one)["state"], play.view(one)["outcome"]) for one in (over, silent, goes_on)}
    assert shown == {over: ("closed", "logged"), silent: ("closed", "no_acw"), goes_on: ("subscribed", None)}
