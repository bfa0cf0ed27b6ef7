"""Which answers close a conversation, and what must not be newer than they are."""

from typing import Any

import pytest

from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.storage.statements import intake
from tests.doubles.channels import conversation, ids
from tests.doubles.reconciliation import ReconcilerOnFakeInquiry, work

A = conversation(1)


def test_the_answer_that_proves_it_over_closes_it_with_all_that_it_names(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {"finished": (work(A), work(A, "t")), "over": True, "evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [A])
    view = reconciler.storage.view(A)
    assert (view.state, view.outcome, len(view.records)) == ("closed", "logged", 2)


def test_over_with_no_after_call_work_it_is_closed_as_such(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {"over": True, "evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [A])
    assert reconciler.storage.view(A).outcome == "no_acw"


def test_what_analytics_show_as_ended_is_closed_by_the_live_view(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(*ids(8))
    reconciler.inquiry.bulk_answers = {A: {"ended_at": 1, "finished": (work(A),)}}
    reconciler.inquiry.live_answers[A] = {"over": True, "evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [A])
    assert reconciler.storage.view(A).outcome == "logged"


def test_of_many_that_ended_at_once_none_waits_for_its_next_question(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(*ids(100))
    reconciler.inquiry.bulk_answers = {one: {"ended_at": 1} for one in ids(100)}
    reconciler.inquiry.live_answers = {one: {"over": True, "evidence": True} for one in ids(100)}
    reconciler.start()
    begun = reconciler.clock.monotonic()
    reconciler.until(lambda: len(reconciler.closed) == 100, step=0.005)
    assert reconciler.clock.monotonic() - begun < 100
    assert reconciler.inquiry.count("bulk") == 2


def test_past_its_deadline_only_an_answer_closes_it(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, seconds=0.0)
    reconciler.inquiry.live_answers[A] = TransientFailure("503")
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 3, step=60)
    assert reconciler.storage.view(A).state == "pending"
    reconciler.inquiry.live_answers[A] = {"evidence": True, "unknown": True}
    reconciler.until(lambda: reconciler.closed == [A], step=60)
    assert reconciler.storage.view(A).outcome == "unresolved"
    assert reconciler.value("conversations_unresolved_total") == 1


def test_a_clock_that_jumps_past_a_deadline_closes_nothing_before_the_jump_has_lasted(
    reconciler: ReconcilerOnFakeInquiry,
) -> None:
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {
        "evidence": True,
        "shown": True,
    }  # ended, not wrapped up
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 1)
    reconciler.clock.jump(4 * 86_400)
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 5, step=60)
    assert (reconciler.storage.view(A).state, reconciler.closed) == ("pending", [])
    reconciler.until(lambda: reconciler.closed == [A], step=3600)
    assert reconciler.storage.view(A).outcome == "unresolved"


def test_past_its_deadline_with_a_record_it_is_logged_and_no_alarm(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, seconds=0.0)
    reconciler.storage.uncounted(lambda c: intake.put(c, work(A), intake.LIVE, now=0, due_at=0, deadline_at=0))
    reconciler.inquiry.live_answers[A] = {"evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [A])
    assert reconciler.storage.view(A).outcome == "logged"
    assert reconciler.value("conversations_unresolved_total") == 0


def test_an_answer_that_finds_something_past_the_deadline_counts_as_a_sign_of_life(
    reconciler: ReconcilerOnFakeInquiry,
) -> None:
    reconciler.follow(A, seconds=0.0)
    reconciler.inquiry.live_answers[A] = {"evidence": True, "finished": (work(A),)}
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.view(A).records)
    assert (reconciler.storage.view(A).state, reconciler.closed) == ("pending", [])


def test_registered_again_while_it_is_asked_about_for_the_last_time_it_stays_followed(
    reconciler: ReconcilerOnFakeInquiry,
) -> None:
    reconciler.follow(A, seconds=0.0)
    reconciler.inquiry.live_answers[A] = {"evidence": True}
    reconciler.inquiry.meanwhile = lambda one: (
        reconciler.follow(one) if reconciler.inquiry.about(one, "live") == 1 else None
    )
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 2, step=60)
    assert (reconciler.storage.view(A).state, reconciler.closed) == ("pending", [])


def test_registered_again_while_the_answer_that_it_is_over_is_on_its_way_it_stays_followed(
    reconciler: ReconcilerOnFakeInquiry,
) -> None:
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {"over": True, "evidence": True, "finished": (work(A),)}

    def register(one: str) -> None:
        if reconciler.inquiry.about(one, "live") == 1:
            reconciler.clock.advance(1)
            reconciler.follow(one)

    reconciler.inquiry.meanwhile = register
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.view(A).records)
    assert (reconciler.storage.view(A).state, reconciler.closed) == ("pending", [])
    reconciler.until(lambda: reconciler.closed == [A], step=60)


#: What analytics show may be as old as they may be late.
SHOWN_AS_OVER = {"over": True, "ended_at": 1, "clears_doubt": True, "shown": True}


def goes_on(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.inquiry.live_answers.pop(A)
    reconciler.inquiry.bulk_answers[A] = {"ended_at": 1}
    reconciler.until(lambda: reconciler.storage.row(A)["deadline_at"] > reconciler.clock.now() + 259_190_000)


def is_registered(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)


def has_an_event(reconciler: ReconcilerOnFakeInquiry) -> None:
    now = reconciler.clock.now()
    reconciler.storage.uncounted(
        lambda c: intake.put(c, work(A), intake.LIVE, now=now, due_at=now, deadline_at=now + 259_200_000)
    )


def is_looked_at(reconciler: ReconcilerOnFakeInquiry) -> None:
    """A live answer shows its second agent still in after-call work: that proves no end and moves no deadline."""
    reconciler.storage.change_all(looked_at=reconciler.clock.now())


@pytest.mark.parametrize("newer", [goes_on, is_registered, has_an_event, is_looked_at])
def test_analytics_close_nothing_of_which_something_newer_was_heard(
    reconciler: ReconcilerOnFakeInquiry, newer: Any
) -> None:
    some = ids(8)
    for one in some:
        reconciler.inquiry.live_answers[one] = {"evidence": True}
    reconciler.follow(*some, covered=True)
    reconciler.start()
    reconciler.until(lambda: all(reconciler.storage.row(one)["looked_at"] for one in some))
    reconciler.clock.advance(400)
    newer(reconciler)
    reconciler.inquiry.live_answers[A] = {"evidence": True}
    reconciler.inquiry.bulk_answers[A] = SHOWN_AS_OVER
    asked = reconciler.inquiry.about(A, "bulk")

    reconciler.clock.advance(250)
    reconciler.until(lambda: reconciler.inquiry.about(A, "bulk") > asked)
    reconciler.until(lambda: reconciler.inquiry.asked[-1] == ("live", (A,)))
    assert (reconciler.storage.view(A).state, reconciler.closed) == ("subscribed", [])

    reconciler.clock.advance(4000)
    reconciler.until(lambda: reconciler.closed == [A])


def test_a_deadline_that_a_wrong_clock_set_does_not_keep_open_what_is_over(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.clock.jump(86_400)
    reconciler.follow(A)
    reconciler.clock.jump(-86_400)
    reconciler.storage.change_all(due_at=0)
    reconciler.inquiry.live_answers[A] = {"over": True, "evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [A])
