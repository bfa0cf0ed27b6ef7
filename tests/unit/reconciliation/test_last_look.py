"""The last look is taken after the close, and repeated until an answer shows the conversation."""

from genesys_gateway.runtime.errors import NotSent, TransientFailure
from genesys_gateway.storage.statements import accounting
from tests.doubles.channels import conversation, eventually, ids
from tests.doubles.reconciliation import ReconcilerOnFakeInquiry, work

A, B = conversation(1), conversation(2)


def test_a_day_after_its_end_it_is_looked_at_once_more(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {"over": True, "evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [A])
    reconciler.inquiry.last_look = {A: (work(A),)}
    reconciler.clock.advance(86_400)
    reconciler.until(lambda: reconciler.storage.view(A).records)
    assert reconciler.storage.view(A).outcome == "logged"
    assert reconciler.storage.uncounted(accounting.balance).unaccounted == 1
    assert reconciler.storage.row(A)["last_look_at"] is None


def test_a_last_look_waits_for_no_question_about_others() -> None:
    reconciler = ReconcilerOnFakeInquiry(last_look_seconds=0.05, reconcile_seconds=3600.0)
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {"over": True, "evidence": True}
    reconciler.inquiry.last_look = {A: ()}
    reconciler.start()
    eventually(lambda: reconciler.inquiry.about(A, "last"), reconciler.clock)
    reconciler.end()


def test_a_last_look_leaves_the_deadline_of_one_that_is_followed_again(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {"over": True, "evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.closed == [A])
    reconciler.inquiry.live_answers[A] = {"goes_on": True}
    reconciler.inquiry.meanwhile_last = lambda: reconciler.follow(A)
    reconciler.inquiry.last_look = {A: (work(A),)}
    reconciler.clock.advance(86_400)
    reconciler.until(lambda: reconciler.storage.view(A).records)
    assert reconciler.storage.row(A)["deadline_at"] > reconciler.clock.now() + 250_000_000


def follow_and_close(reconciler: ReconcilerOnFakeInquiry, *some: str, seconds: float = 0.0) -> None:
    reconciler.follow(*some)
    reconciler.storage.close_conversations(*some, at=reconciler.clock.now() - round(seconds * 1000))


def test_a_last_look_is_concluded_by_an_answer_that_shows_the_conversation_and_by_nothing_else(
    reconciler: ReconcilerOnFakeInquiry,
) -> None:
    follow_and_close(reconciler, A, B)
    reconciler.inquiry.last_look = {A: ()}
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.row(A)["last_look_at"] is None)
    reconciler.until(lambda: reconciler.storage.row(B)["last_look_at"] > reconciler.clock.now() + 86_000_000)
    reconciler.inquiry.last_look = {B: (work(B),)}
    reconciler.clock.advance(86_400)
    reconciler.until(lambda: reconciler.storage.view(B).records)
    assert reconciler.storage.row(B)["last_look_at"] is None


def test_a_last_look_without_an_answer_is_given_up_when_there_is_nothing_left_to_keep(
    reconciler: ReconcilerOnFakeInquiry,
) -> None:
    follow_and_close(reconciler, A, seconds=86_400 * reconciler.settings.retention_days)
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.row(A)["last_look_at"] is None)
    assert reconciler.inquiry.about(A, "last") == 1


def test_a_last_look_that_fails_is_put_off_and_holds_up_nobody() -> None:
    reconciler = ReconcilerOnFakeInquiry(retry_base_seconds=100.0, retry_max_seconds=300.0)
    follow_and_close(reconciler, A)
    reconciler.inquiry.last_look = NotSent("refused")
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.asked)
    reconciler.follow(B, covered=True)
    reconciler.until(lambda: reconciler.inquiry.about(B, "live"))
    assert reconciler.inquiry.about(A, "last") == 1
    reconciler.until(lambda: reconciler.inquiry.about(A, "last") == 2, step=30)
    reconciler.end()


def test_a_last_look_that_a_wrong_clock_dated_is_taken_now(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.clock.jump(3 * 86_400)
    follow_and_close(reconciler, A)
    reconciler.clock.jump(-3 * 86_400)
    reconciler.inquiry.last_look = {A: ()}
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.row(A)["last_look_at"] is None)


def test_a_last_look_that_shows_something_still_to_be_done_is_taken_again(reconciler: ReconcilerOnFakeInquiry) -> None:
    follow_and_close(reconciler, A)
    reconciler.inquiry.last_look = {A: (work(A),)}
    reconciler.inquiry.incomplete = {A}
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.row(A)["last_look_at"] > reconciler.clock.now() + 86_000_000)
    assert len(reconciler.storage.view(A).records) == 1
    reconciler.inquiry.last_look = {A: (work(A), work(A, "t"))}
    reconciler.inquiry.incomplete.clear()
    reconciler.clock.advance(86_400)
    reconciler.until(lambda: reconciler.storage.row(A)["last_look_at"] is None)
    assert reconciler.storage.row(A)["missed"] == 2


def test_one_that_spoils_a_last_look_of_many_is_looked_at_live(reconciler: ReconcilerOnFakeInquiry) -> None:
    some = ids(50)
    follow_and_close(reconciler, *some)
    reconciler.inquiry.last_look = dict.fromkeys(some, ())
    reconciler.inquiry.bulk_errors[A] = TransientFailure("500")
    reconciler.start()
    reconciler.until(lambda: all(reconciler.storage.row(one)["last_look_at"] is None for one in some))
    assert reconciler.inquiry.count("last") <= 13
    assert reconciler.inquiry.about(A, "last live") == 1


def test_a_last_look_that_is_under_way_is_claimed_for_a_lease(reconciler: ReconcilerOnFakeInquiry) -> None:
    follow_and_close(reconciler, A)
    dates: list[int] = []
    reconciler.inquiry.meanwhile_last = lambda: dates.append(reconciler.storage.row(A)["last_look_at"])
    reconciler.inquiry.last_look = {A: ()}
    begun = reconciler.clock.now()
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.row(A)["last_look_at"] is None)
    (claimed,) = dates
    assert begun + 20_000 <= claimed <= reconciler.clock.now() + 20_000


def test_no_look_is_begun_when_half_of_its_claim_is_over(reconciler: ReconcilerOnFakeInquiry) -> None:
    some = ids(50)
    follow_and_close(reconciler, *some)
    reconciler.inquiry.last_look = dict.fromkeys(some, ())
    # A question about all fails, so that there are several; each takes longer than half of a claim.
    reconciler.inquiry.bulk_errors = {some[0]: TransientFailure("500")}
    left: list[int] = []

    def take_long() -> None:
        _, asked = reconciler.inquiry.asked[-1]
        left.append(min(reconciler.storage.row(one)["last_look_at"] for one in asked) - reconciler.clock.now())
        reconciler.clock.advance(11)

    reconciler.inquiry.meanwhile_last = take_long
    reconciler.start()
    reconciler.until(lambda: all(reconciler.storage.row(one)["last_look_at"] is None for one in some))
    assert min(left) >= 10_000
    assert len(left) <= 13
