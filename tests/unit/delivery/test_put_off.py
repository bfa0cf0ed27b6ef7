"""What a round could not do because of locks is tried again after a pause, which becomes longer."""

import pytest

from genesys_gateway.delivery.put_off import PutOff
from genesys_gateway.delivery.round import Round

BUSY = Round(revive=["r-1"])


def test_nothing_waits_at_first() -> None:
    put_off = PutOff()
    put_off.add(Round(), 0.0)
    assert put_off.seconds(0.0) is None
    assert put_off.take(0.0).empty


def test_it_waits_for_a_pause_and_is_taken_once() -> None:
    put_off = PutOff()
    put_off.add(BUSY, 10.0)
    assert put_off.seconds(10.0) == pytest.approx(0.02)
    assert put_off.take(10.01).empty
    assert put_off.take(10.02).revive == ("r-1",)
    assert put_off.take(11.0).empty


def test_the_pauses_double_up_to_half_a_second_while_the_lock_stays_and_begin_again_after_it() -> None:
    put_off, now, pauses = PutOff(), 0.0, []
    for _ in range(8):
        put_off.add(put_off.take(now) + BUSY, now)
        pauses.append(put_off.seconds(now) or 0.0)
        now += pauses[-1]
    assert pauses == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5, 0.5])

    # A round that only reads again what was put off does not mean that the lock is gone
    put_off.take(now)
    put_off.add(Round(), now + 0.01)
    put_off.add(BUSY, now + 0.02)
    assert put_off.seconds(now + 0.02) == pytest.approx(0.5)

    now += 0.6
    put_off.take(now)
    put_off.add(Round(), now + 0.6)
    put_off.add(BUSY, now + 0.7)
    assert put_off.seconds(now + 0.7) == pytest.approx(0.02)


def test_what_is_put_off_during_a_pause_is_tried_together() -> None:
    put_off = PutOff()
    put_off.add(BUSY, 0.0)
    put_off.add(Round(), 0.01)
    put_off.add(Round(revive=["r-2"]), 0.01)
    assert put_off.take(0.02).empty
    assert put_off.take(0.06).revive == ("r-1", "r-2")
