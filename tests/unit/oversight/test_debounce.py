"""What is wrong for a moment only is kept back; what lasts is shown, and everything else at once."""

from genesys_gateway.oversight.debounce import Debounce
from genesys_gateway.oversight.finding import Code, Finding

UNCOVERED = Finding(code="uncovered", since=1)
DOWN = Finding(code="receiver_down", since=1)


def test_a_gap_that_a_reconnection_ends_is_never_shown() -> None:
    debounce = Debounce()

    assert debounce.settled([UNCOVERED], shown=(), now=10.0) == []
    assert debounce.waiting
    assert debounce.settled([], shown=(), now=11.0) == []
    assert not debounce.waiting
    assert debounce.settled([UNCOVERED], shown=(), now=13.0) == [], "it begins anew"


def test_a_gap_that_lasts_is_shown_from_the_third_second_on() -> None:
    debounce = Debounce()

    shown = [debounce.settled([UNCOVERED], shown=(), now=float(now)) for now in (10, 11, 12, 13)]

    assert shown == [[], [], [], [UNCOVERED]]
    assert not debounce.waiting


def test_what_is_shown_already_is_not_kept_back_again() -> None:
    shown: list[Code] = ["uncovered"]

    assert Debounce().settled([UNCOVERED], shown=shown, now=10.0) == [UNCOVERED]


def test_every_other_trouble_is_shown_at_once() -> None:
    assert Debounce().settled([DOWN, UNCOVERED], shown=(), now=10.0) == [DOWN]
