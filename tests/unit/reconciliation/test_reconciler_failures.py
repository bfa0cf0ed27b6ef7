"""Questions without an answer, and what becomes of conversations that spoil questions."""

import gevent
import pytest

from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.genesys.client import Throttled
from genesys_gateway.reconciliation.inquiry import BulkRefused
from genesys_gateway.reconciliation.plan import BULK
from genesys_gateway.runtime.errors import NoReply, NotSent, TransientFailure
from genesys_gateway.storage.statements import reconciliation
from genesys_gateway.storage.statements.reconciliation import Due
from tests.doubles.channels import conversation, ids
from tests.doubles.reconciliation import OVER, ReconcilerOnFakeInquiry
from tests.doubles.storage_in_memory import OWNER

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


def test_one_that_spoils_its_bulk_question_does_not_hold_up_the_others(reconciler: ReconcilerOnFakeInquiry) -> None:
    bad = conversation(3)
    reconciler.follow(*ids(120))
    reconciler.inquiry.bulk_errors[bad] = TransientFailure("500")
    reconciler.start()
    reconciler.until(lambda: all(reconciler.storage.row(one)["asked"] == 1 for one in ids(120)))

    about = [some for what, some in reconciler.inquiry.asked if what == "bulk" and bad in some]
    assert [len(some) for some in about] == [50, 25, 13, 7, 4]  # and four are few enough to be asked about live
    assert reconciler.inquiry.count("bulk") <= 3 + 2 * 5
    assert reconciler.inquiry.about(bad, "live") == 1

    for _ in range(3):  # it is remembered: soon it is asked about live only
        asked = reconciler.inquiry.about(bad, "bulk")
        reconciler.storage.change_all(due_at=reconciler.clock.now())
        reconciler.until(lambda: not due(reconciler), step=0.1)
    assert reconciler.inquiry.about(bad, "live") == 4
    assert reconciler.inquiry.about(bad, "bulk") == asked == 7


def due(reconciler: ReconcilerOnFakeInquiry) -> list[Due]:
    """Conversations that are due now."""
    now = reconciler.clock.now()
    return reconciler.storage.uncounted(
        lambda c: reconciliation.due(c, owner=OWNER, now=now, furthest=2 * now, limit=500)
    )


@pytest.mark.parametrize("going_on", [0, 30])
@pytest.mark.parametrize("error", [NoReply("larger than 5242880 bytes"), BadAnswer("no JSON"), BulkRefused("400")])
def test_of_many_that_ended_one_that_spoils_its_bulk_question_keeps_none_open(
    reconciler: ReconcilerOnFakeInquiry, error: Exception, going_on: int
) -> None:
    ended, others = ids(50), ids(going_on, 1000)
    reconciler.follow(*ended, *others, covered=True)
    for one in ended:
        reconciler.inquiry.live_answers[one] = OVER
        reconciler.inquiry.bulk_answers[one] = {"ended_at": 1, "shown": True}
    reconciler.inquiry.bulk_errors[ended[0]] = error
    reconciler.storage.change_all(in_doubt=False, looked_at=reconciler.clock.now())
    reconciler.start()
    begun = reconciler.clock.monotonic()
    reconciler.until(lambda: len(reconciler.closed) == 50, step=0.05)
    assert reconciler.clock.monotonic() - begun < 60
    assert reconciler.inquiry.count("bulk") < 20


def test_analytics_that_are_down_are_asked_no_more_often_than_a_few_seconds_apart() -> None:
    reconciler = ReconcilerOnFakeInquiry(retry_base_seconds=1.0, retry_max_seconds=300.0)
    reconciler.inquiry.bulk_errors = {one: TransientFailure("500") for one in ids(100)}
    reconciler.follow(*ids(100))
    reconciler.start()
    begun = reconciler.clock.monotonic()
    reconciler.until(lambda: reconciler.clock.monotonic() - begun > 60, step=0.5)
    assert 5 <= reconciler.inquiry.count("bulk") <= 20
    reconciler.inquiry.bulk_errors.clear()
    reconciler.storage.change_all(due_at=reconciler.clock.now())
    asked = reconciler.inquiry.count("bulk")
    reconciler.until(lambda: reconciler.inquiry.count("bulk") > asked, step=0.5)
    largest = max(len(some) for what, some in reconciler.inquiry.asked[-20:] if what == "bulk")
    assert largest == BULK  # the outage has split no question
    reconciler.end()


def test_a_question_that_fails_counts_as_unanswered_and_ends_no_doubt(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, covered=True, seconds=0.0)
    reconciler.inquiry.live_answers[A] = TransientFailure("503")
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 4, step=60)
    reconciler.until(lambda: reconciler.storage.row(A)["unanswered"] == 4)
    row = reconciler.storage.row(A)
    assert (row["state"], row["in_doubt"]) == ("subscribed", True)


def test_when_the_live_view_is_down_the_question_does_not_count(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(*ids(6))
    for one in ids(6):
        reconciler.inquiry.live_answers[one] = NotSent("refused")
    reconciler.inquiry.bulk_errors = {one: NotSent("refused") for one in ids(6)}
    reconciler.start()
    reconciler.until(lambda: len(reconciler.inquiry.asked) > 10, step=1)
    assert {reconciler.storage.row(one)["asked"] for one in ids(6)} == {0}


def test_when_all_fail_it_waits_and_then_goes_on() -> None:
    reconciler = ReconcilerOnFakeInquiry(retry_base_seconds=0.001, retry_max_seconds=0.02)
    reconciler.follow(*ids(4))
    for one in ids(4):
        reconciler.inquiry.live_answers[one] = TransientFailure("503")
    reconciler.start()
    reconciler.until(lambda: len(reconciler.inquiry.asked) >= 3)
    reconciler.inquiry.live_answers.clear()
    reconciler.until(lambda: all(reconciler.inquiry.about(one, "live") > 1 for one in ids(3)), step=5)
    reconciler.end()


def test_a_gap_that_ends_while_questions_fail_is_asked_about_within_seconds() -> None:
    reconciler = ReconcilerOnFakeInquiry(retry_base_seconds=1.0, retry_max_seconds=300.0)
    reconciler.inquiry.bulk_errors = {one: TransientFailure("503") for one in ids(20)}
    reconciler.follow(*ids(20))
    for one in ids(20):
        reconciler.inquiry.live_answers[one] = TransientFailure("503")
    reconciler.start()
    reconciler.until(lambda: len(reconciler.inquiry.asked) > 40, step=0.5)
    gap = conversation(30)
    reconciler.follow(gap, covered=True)
    ended_at = reconciler.clock.monotonic()
    reconciler.until(lambda: reconciler.inquiry.about(gap, "live") or reconciler.inquiry.about(gap, "bulk"), step=0.1)
    assert reconciler.clock.monotonic() - ended_at < 10
    reconciler.end()


def test_when_genesys_throttles_calls_nobody_is_asked_about(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, covered=True)
    reconciler.inquiry.live_answers[A] = Throttled("429", retry_after=300.0)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.asked)
    reconciler.follow(B, covered=True)
    for _ in range(50):
        reconciler.reconciliation.wake()
        reconciler.clock.advance(0.1)
        gevent.sleep(0.0005)
    assert reconciler.inquiry.asked == [("live", (A,))]


def test_if_only_the_live_view_demands_a_wait_analytics_are_asked(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, covered=True)
    reconciler.inquiry.live_answers[A] = TransientFailure("503", retry_after=300.0)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.asked)
    reconciler.follow(B, covered=True)
    begun = reconciler.clock.monotonic()
    reconciler.until(lambda: reconciler.inquiry.about(B, "bulk"), step=0.1)
    assert reconciler.clock.monotonic() - begun < 10
    reconciler.until(lambda: reconciler.inquiry.about(B, "live"), step=1)
    assert 299 <= reconciler.clock.monotonic() - begun < 310


def test_if_only_analytics_demand_a_wait_the_live_view_is_asked(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.inquiry.bulk_errors = {one: TransientFailure("503", retry_after=300.0) for one in ids(50)}
    reconciler.follow(*ids(50))
    reconciler.start()
    begun = reconciler.clock.monotonic()
    reconciler.until(lambda: all(reconciler.inquiry.about(one, "live") for one in ids(50)), step=0.01)
    assert reconciler.clock.monotonic() - begun < 60
    assert reconciler.inquiry.count("bulk") == 1
    reconciler.until(lambda: reconciler.clock.monotonic() - begun > 290, step=10)
    assert reconciler.inquiry.count("bulk") == 1
    reconciler.clock.advance(20)
    reconciler.follow(*ids(50, 100))
    reconciler.until(lambda: reconciler.inquiry.count("bulk") == 2)


def test_analytics_that_fail_keep_the_live_view_from_nobody() -> None:
    reconciler = ReconcilerOnFakeInquiry(retry_base_seconds=100.0, retry_max_seconds=300.0)
    reconciler.inquiry.bulk_errors = {one: TransientFailure("500") for one in ids(200)}
    reconciler.follow(*ids(200))
    gap = conversation(300)
    reconciler.follow(gap, covered=True)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(gap, "live"), step=0.01)
    reconciler.until(lambda: reconciler.inquiry.count("live") > 20, step=0.01)
    reconciler.inquiry.bulk_errors.clear()
    asked = len(reconciler.inquiry.asked)
    reconciler.until(lambda: any(what == "bulk" for what, _ in reconciler.inquiry.asked[asked:]), step=60)
    reconciler.end()


def test_a_disk_that_refuses_is_waited_for(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)
    reconciler.storage.refuse(3)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live"))
