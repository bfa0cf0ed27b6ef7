"""When each view of Genesys may be asked."""

from contextlib import suppress

import pytest

from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.genesys.client import Forbidden, NotFound, NoToken, Throttled
from genesys_gateway.reconciliation.availability import (
    FAILURES_IN_A_ROW,
    LONGEST_REST,
    PROBE_SECONDS,
    Availability,
    Permissions,
    Resting,
    View,
)
from genesys_gateway.runtime.errors import NoReply, NotSent, PermanentFailure, TransientFailure
from tests.doubles.channels import quick
from tests.doubles.runtime import FakeClock

LIVE, ANALYTICS = View.LIVE, View.ANALYTICS


class Views:
    """An availability, and calls that fail or not."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.known = Availability(quick(retry_base_seconds=1.0, retry_max_seconds=300.0), self.clock)

    def call(self, view: View, *errors: Exception | None) -> None:
        for error in errors:
            assert self.known.is_open(view)
            with suppress(TransientFailure, PermanentFailure), self.known.asking(view):
                if error is not None:
                    raise error


@pytest.fixture
def views() -> Views:
    return Views()


@pytest.mark.parametrize("view", View)
def test_a_view_rests_for_as_long_as_it_demands_and_the_other_does_not(views: Views, view: View) -> None:
    views.call(view, TransientFailure("503", retry_after=300.0))
    assert [views.known.opens_in(one) for one in View if one is not view] == [0]
    assert views.known.opens_in(view) == 300
    with pytest.raises(Resting) as refusal, views.known.asking(view):
        pytest.fail("it was asked")
    assert refusal.value.retry_after == 300
    assert not views.known.is_down(view)
    views.clock.advance(300)
    views.call(view, None)


def test_after_several_failures_in_a_row_it_is_down_and_tried_again_every_few_seconds(views: Views) -> None:
    views.call(LIVE, *[BadAnswer("no")] * (FAILURES_IN_A_ROW - 1))
    assert (views.known.is_down(LIVE), views.known.opens_in(LIVE)) == (False, 0)
    rests = []
    for _ in range(6):
        views.call(LIVE, NoReply("timeout"))
        assert views.known.is_down(LIVE)
        rests.append(views.known.opens_in(LIVE))
        views.clock.advance(rests[-1])
    assert rests == [1, 2, 4, LONGEST_REST, LONGEST_REST, LONGEST_REST]
    views.call(LIVE, None)
    assert (views.known.is_down(LIVE), views.known.is_open(LIVE)) == (False, True)


@pytest.mark.parametrize("answer", [None, NotFound("404"), PermanentFailure("400")])
def test_an_answer_between_the_failures_shows_that_it_is_not_down(views: Views, answer: Exception | None) -> None:
    views.call(LIVE, *[BadAnswer("no")] * (FAILURES_IN_A_ROW - 1), answer, *[BadAnswer("no")] * (FAILURES_IN_A_ROW - 1))
    assert not views.known.is_down(LIVE)


@pytest.mark.parametrize("error", [NotSent("refused"), NoToken("no assertion")])
def test_a_failure_that_no_conversation_can_cause_needs_no_second(views: Views, error: Exception) -> None:
    views.call(ANALYTICS, error)
    assert (views.known.is_down(ANALYTICS), views.known.opens_in(ANALYTICS)) == (True, 1)


def test_too_many_calls_say_nothing_about_the_view(views: Views) -> None:
    views.call(ANALYTICS, *[Throttled("429", retry_after=9.0)] * 9)
    assert (views.known.is_down(ANALYTICS), views.known.opens_in(ANALYTICS)) == (False, 0)


def test_a_shorter_rest_never_ends_a_longer_one(views: Views) -> None:
    views.call(LIVE, TransientFailure("503", retry_after=300.0))
    views.clock.advance(299)
    assert views.known.opens_in(LIVE) == 1


def test_a_forbidden_view_is_asked_again_after_a_while_about_the_conversation_asked_about_last() -> None:
    clock = FakeClock()
    permissions = Permissions(clock)
    for one in ("a", "b"):
        with pytest.raises(Forbidden), permissions.asking(View.LIVE, one):
            raise Forbidden("403")
    assert permissions.forbidden() == {View.LIVE: clock.monotonic()}
    assert permissions.due() == []

    clock.advance(PROBE_SECONDS)
    assert permissions.due() == [(View.LIVE, "b")]


def test_a_refused_topic_puts_each_view_in_doubt_until_it_is_asked() -> None:
    clock = FakeClock()
    permissions = Permissions(clock)
    with permissions.asking(View.LIVE, "a"):
        pass
    permissions.doubt("b")
    assert permissions.due() == [(View.ANALYTICS, "b")], "the live view has just answered"

    with pytest.raises(Forbidden), permissions.asking(View.ANALYTICS, "b"):
        raise Forbidden("403")
    assert permissions.due() == []
    assert View.ANALYTICS in permissions.forbidden()

    clock.advance(60)
    permissions.doubt("c")
    assert permissions.due() == [(View.LIVE, "c"), (View.ANALYTICS, "c")]


@pytest.mark.parametrize("answer", [NotFound("404"), PermanentFailure("400"), BadAnswer("no JSON")])
def test_any_answer_but_403_shows_that_a_view_is_no_longer_forbidden(answer: Exception) -> None:
    permissions = Permissions(FakeClock())
    with pytest.raises(Forbidden), permissions.asking(View.ANALYTICS, "a"):
        raise Forbidden("403")
    for failure in (Throttled("429", 1.0), TransientFailure("503")):
        with pytest.raises(TransientFailure), permissions.asking(View.ANALYTICS, "a"):
            raise failure
    assert View.ANALYTICS in permissions.forbidden()

    with pytest.raises(type(answer)), permissions.asking(View.ANALYTICS, "a"):
        raise answer
    assert permissions.forbidden() == {}
    assert permissions.due() == []
