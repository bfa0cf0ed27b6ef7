"""Questions without an answer, and conversations that Genesys does not know."""

from collections.abc import Callable

import gevent
import pytest

from genesys_gateway.runtime.errors import TransientFailure
from tests.doubles.channels import conversation, ids
from tests.doubles.reconciliation import ReconcilerOnFakeInquiry

A, B = conversation(1), conversation(2)


@pytest.mark.parametrize("covered", [False, True])
def test_one_that_can_not_be_asked_about_does_not_hold_up_the_others(
    reconciler: ReconcilerOnFakeInquiry, covered: bool
) -> None:
    reconciler.follow(A, covered=covered)
    reconciler.clock.advance(0.001)
    reconciler.follow(B, covered=covered)
    reconciler.inquiry.live_answers[A] = TransientFailure("the answer has no usable participants")
    reconciler.inquiry.live_answers[B] = {"over": True, "evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [B])


def test_one_that_spoils_its_bulk_does_not_hold_up_the_others(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(*ids(120))
    reconciler.inquiry.bulk_errors[conversation(3)] = TransientFailure("500")
    reconciler.start()
    reconciler.until(lambda: all(reconciler.inquiry.about(one, "bulk") for one in ids(120)))
    reconciler.until(lambda: reconciler.inquiry.about(conversation(3), "bulk") > 2, step=60)


def test_a_failed_question_is_no_answer(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, covered=True, seconds=0.0)
    reconciler.inquiry.live_answers[A] = TransientFailure("503")
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 4, step=60)
    row = reconciler.storage.row(A)
    assert (row["state"], row["in_doubt"], row["asked"]) == ("subscribed", True, 0)


def test_when_all_fail_it_waits_longer_each_time_and_then_goes_on() -> None:
    reconciler = ReconcilerOnFakeInquiry(retry_base_seconds=0.001, retry_max_seconds=0.02)
    reconciler.follow(*ids(4))
    for one in ids(4):
        reconciler.inquiry.live_answers[one] = TransientFailure("503")
    reconciler.start()
    reconciler.until(lambda: len(reconciler.inquiry.asked) >= 3)
    reconciler.inquiry.live_answers.clear()
    reconciler.until(lambda: all(reconciler.inquiry.about(one, "live") > 1 for one in ids(3)), step=5)
    reconciler.end()


def test_a_gap_that_ends_while_questions_fail_is_asked_about_at_once() -> None:
    reconciler = ReconcilerOnFakeInquiry(retry_base_seconds=0.001, retry_max_seconds=300.0)
    reconciler.follow(*ids(4))
    for one in ids(4):
        reconciler.inquiry.live_answers[one] = TransientFailure("503")
    reconciler.reconciliation._failures = 20  # as after many failures: it waits for its longest time now
    reconciler.start()
    reconciler.until(lambda: len(reconciler.inquiry.asked) == 3)
    gap = conversation(9)
    reconciler.follow(gap, covered=True)
    reconciler.until(lambda: reconciler.inquiry.about(gap, "live"))
    reconciler.end()


def test_as_long_as_genesys_asks_for_nobody_is_asked_about(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, covered=True)
    reconciler.inquiry.live_answers[A] = TransientFailure("429", retry_after=300.0)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.asked)
    reconciler.follow(B, covered=True)
    for _ in range(50):
        reconciler.reconciliation.wake()
        reconciler.clock.advance(0.1)
        gevent.sleep(0.0005)
    assert reconciler.inquiry.asked == [("live", (A,))]


def test_analytics_that_fail_keep_the_live_view_from_nobody() -> None:
    reconciler = ReconcilerOnFakeInquiry(retry_base_seconds=100.0, retry_max_seconds=300.0)
    reconciler.inquiry.bulk_errors = {one: TransientFailure("500") for one in ids(200)}
    reconciler.follow(*ids(200))
    gap = conversation(300)
    reconciler.follow(gap, covered=True)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(gap, "live"), step=0.01)
    assert reconciler.inquiry.count("bulk") == 3
    reconciler.until(lambda: reconciler.inquiry.count("live") > 20, step=0.01)
    reconciler.inquiry.bulk_errors.clear()
    reconciler.until(lambda: any(reconciler.inquiry.about(one, "bulk") > 1 for one in ids(200)), step=60)
    reconciler.end()


def test_a_disk_that_refuses_is_waited_for(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)
    reconciler.storage.refuse(3)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live"))


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
