"""What is asked while calls or topics are scarce, and which topics are given back."""

from typing import Any

import pytest

from genesys_gateway.reconciliation.plan import BULK, LIVE
from genesys_gateway.runtime.errors import NotSent
from genesys_gateway.storage.statements import intake
from tests.doubles.channels import conversation, ids
from tests.doubles.reconciliation import GOES_ON, ReconcilerOnFakeInquiry, work

A = conversation(1)
#: analytics show it over; the proof is still to come
SHOWN_OVER: dict[str, Any] = {"shown": True, "shows_over": True, "ended_at": 1}


@pytest.fixture
def scarce(reconciler: ReconcilerOnFakeInquiry) -> ReconcilerOnFakeInquiry:
    """Calls and topics are scarce."""
    reconciler.load.busy = reconciler.topics_scarce = True
    return reconciler


def released(reconciler: ReconcilerOnFakeInquiry, one: str = A, **answer: Any) -> None:
    """Have a covered conversation released, with a proof that is due in 300 s."""
    reconciler.follow(one, covered=True)
    now = reconciler.clock.now()
    shown = {**SHOWN_OVER, "ended_at": now, "provable_at": now + 300_000}
    reconciler.inquiry.bulk_answers[one] = {**shown, **answer}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [one], step=1)
    assert reconciler.storage.row(one)["released_at"] is not None


def test_while_calls_are_scarce_all_are_asked_about_in_bulk(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.busy = True
    reconciler.follow(*ids(BULK + 3), covered=True)
    reconciler.start()
    reconciler.until(lambda: all(reconciler.inquiry.about(one, "bulk") for one in ids(BULK + 3)), step=1)
    assert [len(some) for _, some in reconciler.inquiry.asked[:2]] == [BULK, 3]
    assert reconciler.inquiry.count("live") == 0


def test_few_new_conversations_are_asked_about_at_once_and_many_a_little_later(
    reconciler: ReconcilerOnFakeInquiry,
) -> None:
    first_question = reconciler.reconciliation.first_question
    assert (first_question(LIVE), first_question(LIVE + 1)) == (0, 25)
    reconciler.load.busy, reconciler.load.share = True, 0.7
    assert first_question(1) == 300


def test_slow_answers_do_not_keep_other_questions_waiting(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.busy = True
    reconciler.follow(*ids(4 * BULK), covered=True)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.count("bulk") == 4, step=1)
    assert reconciler.inquiry.most_under_way == 4


def test_an_end_that_analytics_will_prove_costs_no_live_question(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.busy = True
    reconciler.follow(A, covered=True)
    provable_at = reconciler.clock.now() + 300_000
    reconciler.inquiry.bulk_answers[A] = {**SHOWN_OVER, "provable_at": provable_at}
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.row(A)["due_at"] == provable_at, step=1)

    reconciler.inquiry.bulk_answers[A] = {**SHOWN_OVER, "over": True}
    reconciler.until(lambda: reconciler.closed == [A], step=1)
    assert (reconciler.inquiry.count("bulk"), reconciler.inquiry.count("live")) == (2, 0)
    assert reconciler.clock.now() <= provable_at + 10_000


def test_what_analytics_can_not_prove_is_left_to_the_live_view(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.busy = True
    reconciler.follow(A, covered=True)
    reconciler.inquiry.bulk_answers[A] = {"shown": True, "ended_at": 1}
    reconciler.inquiry.live_answers[A] = {"over": True, "evidence": True, "shown": True, "shows_over": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [A], step=1)
    assert reconciler.inquiry.count("live") == 1


def test_what_a_later_answer_of_analytics_decides_is_not_asked_live(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.busy = True
    reconciler.follow(A, covered=True)
    reconciler.inquiry.bulk_answers[A] = {"shown": True, "ended_at": 1, "provable_at": 10**13}
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "bulk"), step=1)
    reconciler.inquiry.bulk_answers[A] = {"shown": True}
    reconciler.until(lambda: reconciler.inquiry.about(A, "bulk") == 2, step=1)

    reconciler.load.busy, reconciler.load.share = False, 0.6
    reconciler.until(lambda: reconciler.inquiry.about(A, "bulk") == 3, step=1)

    assert reconciler.inquiry.count("live") == 0


def test_few_calls_left_keep_doubts_from_the_live_view_but_not_ends(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.share = 0.6
    doubtful, ended = conversation(2), A
    reconciler.follow(doubtful, ended, covered=True)
    now = reconciler.clock.now()
    reconciler.storage.uncounted(
        lambda c: intake.put(c, work(ended), intake.LIVE, now=now, due_at=now, deadline_at=now + 10**9)
    )
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(ended, "live"), step=1)
    assert reconciler.inquiry.about(doubtful, "live") == 0


def test_few_calls_left_are_enough_for_the_doubts_of_a_gap(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.share = 0.6
    reconciler.follow(A)
    reconciler.clock.advance(60)
    reconciler.storage.cover(A)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live"), step=1)


def test_a_topic_is_given_back_when_topics_are_scarce(scarce: ReconcilerOnFakeInquiry) -> None:
    released(scarce, finished=(work(A),))

    row = scarce.storage.row(A)
    assert (row["state"], row["due_at"]) == ("pending", scarce.inquiry.bulk_answers[A]["provable_at"])
    assert len(scarce.storage.view(A).records) == 1
    assert scarce.value("topics_released_total") == 1
    assert scarce.storage.view(A).timeline[-1].event == "released"


def test_while_there_are_enough_topics_none_is_given_back(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.busy = True
    reconciler.follow(A, covered=True)
    reconciler.inquiry.bulk_answers[A] = SHOWN_OVER
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live"), step=1)
    assert reconciler.storage.view(A).state == "subscribed"


@pytest.mark.parametrize(
    "answer",
    [{"shown": True}, {"shown": True, "ended_at": 1}, {}],
    ids=["goes on", "after-call work is left", "not shown"],
)
def test_what_is_not_shown_as_over_keeps_its_topic(scarce: ReconcilerOnFakeInquiry, answer: dict[str, Any]) -> None:
    scarce.follow(A, covered=True)
    scarce.inquiry.bulk_answers[A] = answer
    scarce.start()
    scarce.until(lambda: scarce.inquiry.about(A, "bulk") >= 2, step=5)
    assert scarce.storage.view(A).state == "subscribed"


def test_the_proof_closes_a_released_one_with_what_came_late(scarce: ReconcilerOnFakeInquiry) -> None:
    released(scarce, finished=(work(A),))
    scarce.inquiry.bulk_answers[A] = {**SHOWN_OVER, "over": True, "finished": (work(A), work(A, "t"))}
    scarce.until(lambda: scarce.closed == [A, A], step=1)

    view = scarce.storage.view(A)
    assert (view.state, view.outcome, len(view.records)) == ("closed", "logged", 2)
    assert scarce.taken_up == []


@pytest.mark.parametrize("answer", [{"shown": True}, {"shown": True, "ended_at": 1, "provable_at": 10**13}])
def test_a_released_one_that_is_not_over_gets_a_topic_again(
    scarce: ReconcilerOnFakeInquiry, answer: dict[str, Any]
) -> None:
    released(scarce)
    released_at = scarce.storage.row(A)["released_at"]
    scarce.inquiry.bulk_answers[A] = answer
    scarce.until(lambda: scarce.taken_up == [A], step=1)

    row = scarce.storage.row(A)
    assert (row["released_at"], row["uncovered_since"], row["in_doubt"]) == (None, released_at, True)


def test_the_first_live_answer_that_shows_a_released_one_going_on_has_it_taken_up(
    scarce: ReconcilerOnFakeInquiry,
) -> None:
    released(scarce)
    scarce.load.busy = scarce.topics_scarce = False

    scarce.until(lambda: scarce.inquiry.about(A, "live") == 1, step=1)
    scarce.until(lambda: scarce.storage.row(A)["looked_at"] is not None)

    assert scarce.storage.row(A)["released_at"] is None


def test_an_answer_that_does_not_show_a_released_one_changes_nothing(scarce: ReconcilerOnFakeInquiry) -> None:
    released(scarce)
    scarce.inquiry.bulk_answers[A] = {}
    scarce.until(lambda: scarce.inquiry.about(A, "bulk") == 2, step=1)
    scarce.until(lambda: scarce.storage.row(A)["due_at"] > scarce.clock.now(), step=1)
    assert scarce.storage.row(A)["released_at"] is not None
    assert scarce.taken_up == []


def test_the_agents_of_a_conversation_that_goes_on_are_reported(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.inquiry.live_answers[A] = {**GOES_ON, "agents": frozenset({"u"})}
    reconciler.follow(A, covered=True)
    reconciler.start()
    reconciler.until(lambda: reconciler.agents_seen == {"u"})


def test_last_looks_are_taken_while_doubts_wait_for_a_live_view_that_rests() -> None:
    reconciler = ReconcilerOnFakeInquiry(retry_base_seconds=5.0, retry_max_seconds=300.0)
    doubtful = ids(40, 100)
    reconciler.follow(A)
    reconciler.storage.close_conversations(A, at=reconciler.clock.now() - 1000)
    reconciler.follow(*doubtful, covered=True)
    reconciler.inquiry.live_answers = {one: NotSent("no connection") for one in doubtful}
    reconciler.inquiry.last_look = {A: ()}
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.count("last") == 1, step=0.1)
    assert 1 <= reconciler.inquiry.count("live") < len(doubtful)
    reconciler.end()


def test_last_looks_wait_while_few_calls_are_left(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.share = 0.8
    reconciler.load.busy = True
    reconciler.follow(A)
    reconciler.storage.close_conversations(A, at=reconciler.clock.now() - 1000)
    reconciler.inquiry.last_look = {A: ()}
    reconciler.start()
    reconciler.until(lambda: reconciler.clock.monotonic() > 1100, step=10)
    assert reconciler.inquiry.count("last") == 0

    reconciler.load.share = 0.6
    reconciler.until(lambda: reconciler.inquiry.count("last") == 1, step=1)


def test_last_looks_are_taken_while_live_questions_use_what_is_idle(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.share = 0.8
    reconciler.follow(A)
    reconciler.storage.close_conversations(A, at=reconciler.clock.now() - 1000)
    reconciler.inquiry.last_look = {A: ()}
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.count("last") == 1, step=1)


def test_no_question_begins_after_the_stop(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.load.busy = True
    reconciler.follow(*ids(9 * BULK), covered=True)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.count("bulk"))

    before = reconciler.inquiry.count("bulk")
    assert reconciler.reconciliation.stop(1.0) == []

    assert reconciler.inquiry.count("bulk") == before
