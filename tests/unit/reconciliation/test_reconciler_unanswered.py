"""Conversations that Genesys does not know, and conversations that its live view never answers for."""

from collections.abc import Callable
from typing import Any

import pytest

from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.storage.statements import intake
from tests.doubles.channels import conversation, ids
from tests.doubles.reconciliation import GOES_ON, ReconcilerOnFakeInquiry, work

A, B = conversation(1), conversation(2)
#: A third of the time that conversations are followed, in seconds.
DAY = 86_400


@pytest.mark.parametrize("answer", [{}, BadAnswer("no usable id"), TransientFailure("500")])
@pytest.mark.parametrize("has_record", [False, True])
def test_a_conversation_that_the_live_view_never_answers_for_ends_a_day_after_its_deadline(
    reconciler: ReconcilerOnFakeInquiry, answer: dict[str, Any] | Exception, has_record: bool
) -> None:
    reconciler.follow(A, covered=True, seconds=3600.0)
    if has_record:
        reconciler.storage.uncounted(lambda c: intake.put(c, work(A), intake.LIVE, now=0, due_at=0, deadline_at=None))
    deadline_at = reconciler.storage.row(A)["deadline_at"]
    reconciler.inquiry.live_answers[A] = answer
    reconciler.follow(B, covered=True)
    reconciler.start()

    reconciler.until(lambda: reconciler.closed == [A], step=600)

    late = (reconciler.clock.now() - deadline_at) / 1000
    assert DAY <= late < DAY + 3 * 3600
    assert reconciler.storage.view(A).outcome == ("logged" if has_record else "unresolved")
    assert reconciler.value("conversations_unresolved_total") == (0 if has_record else 1)
    assert reconciler.storage.view(B).state == "subscribed"


def test_after_days_without_genesys_the_first_unanswered_question_ends_nothing(
    reconciler: ReconcilerOnFakeInquiry,
) -> None:
    reconciler.follow(A, covered=True, seconds=0.0)
    reconciler.clock.advance(10 * DAY)
    reconciler.inquiry.live_answers[A] = {}
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 5, step=300)
    assert reconciler.closed == []


def test_an_answer_that_it_goes_on_starts_the_count_again(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, covered=True, seconds=0.0)
    reconciler.inquiry.live_answers[A] = {}
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.row(A)["unanswered"] == 11, step=600)
    reconciler.inquiry.live_answers[A] = GOES_ON
    reconciler.until(lambda: reconciler.storage.row(A)["deadline_at"] > reconciler.clock.now(), step=600)
    reconciler.inquiry.live_answers[A] = {}
    reconciler.clock.advance(3 * DAY)
    reconciler.until(lambda: reconciler.storage.row(A)["unanswered"] < 11, step=600)
    assert (reconciler.storage.row(A)["unanswered"], reconciler.closed) == (1, [])


def test_what_analytics_should_show_by_now_and_do_not_is_asked_about_live(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(*ids(12), covered=True)
    reconciler.storage.change_all(in_doubt=False, looked_at=reconciler.clock.now())
    reconciler.inquiry.bulk_answers[A] = {"shown": False}
    reconciler.clock.advance(reconciler.settings.analytics_settle_seconds)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.asked[-1:] == [("live", (A,))])
    assert reconciler.inquiry.count("live") == 1


def test_unknown_for_an_hour_it_is_told_once_and_stays_followed(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {"unknown": True, "evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 8, step=120)
    noted = [item.event for item in reconciler.storage.view(A).timeline].count("unknown_to_genesys")
    assert (noted, reconciler.storage.view(A).state) == (1, "pending")
    reconciler.inquiry.live_answers.pop(A)
    reconciler.until(lambda: reconciler.storage.row(A)["unknown_since"] is None, step=600)


def test_how_long_it_may_be_unknown_shrinks_with_the_first_period() -> None:
    reconciler = ReconcilerOnFakeInquiry(reconcile_seconds=2.0)
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {"unknown": True, "evidence": True}
    begun = reconciler.clock.now()
    reconciler.start()
    reconciler.until(
        lambda: "unknown_to_genesys" in [item.event for item in reconciler.storage.view(A).timeline], step=5
    )
    assert 60_000 <= reconciler.clock.now() - begun < 1_200_000
    reconciler.end()


def asked_again(reconciler: ReconcilerOnFakeInquiry, kind: str) -> Callable[[], bool]:
    """The condition that there was another question of this kind about A since now."""
    asked = reconciler.inquiry.about(A, kind)
    return lambda: reconciler.inquiry.about(A, kind) > asked


@pytest.mark.parametrize("shown", [False, True])
def test_many_asked_about_in_bulk_do_not_hide_one_that_is_unknown(
    reconciler: ReconcilerOnFakeInquiry, shown: bool
) -> None:
    some = ids(12)
    reconciler.inquiry.live_answers[A] = {"unknown": True, "evidence": True}
    reconciler.inquiry.bulk_answers[A] = {"shown": False}
    reconciler.follow(*some, covered=True)
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.row(A)["unknown_since"] is not None)
    reconciler.inquiry.bulk_answers[A] = {"shown": shown}

    for _ in range(3):
        bulk, live = asked_again(reconciler, "bulk"), asked_again(reconciler, "live")
        reconciler.storage.change_all(due_at=reconciler.clock.now())
        reconciler.until(bulk)
        if shown:
            reconciler.until(lambda: reconciler.storage.row(A)["unknown_since"] is None)
        else:
            reconciler.until(live)
        reconciler.clock.advance(2000)

    noted = [item.event for item in reconciler.storage.view(A).timeline].count("unknown_to_genesys")
    assert noted == (0 if shown else 1)
