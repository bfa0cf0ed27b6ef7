"""What is asked about, when, and what becomes of the events that are found."""

import gevent

from genesys_gateway.reconciliation.plan import BULK, LIVE
from tests.doubles.channels import conversation, ids
from tests.doubles.reconciliation import ReconcilerOnFakeInquiry, work
from tests.doubles.runtime import until

A = conversation(1)


def test_what_is_found_is_stored_as_a_backfill_and_counted(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)
    reconciler.inquiry.live_answers[A] = {"finished": (work(A),), "goes_on": True, "evidence": True}
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.view(A).records)
    assert reconciler.storage.view(A).records[0].source == "backfill"
    assert reconciler.stored == 1
    assert reconciler.value("reconcile_recovered_events_total") == 1
    assert reconciler.value("events_received_total", source="backfill") == 1


def test_what_goes_on_is_asked_about_again_more_and_more_rarely(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, covered=True)
    reconciler.start()
    begun = reconciler.clock.monotonic()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 6, step=120)
    assert 120 + 240 + 480 + 960 + 1920 <= reconciler.clock.monotonic() - begun <= 4000


def test_without_a_topic_it_is_asked_about_as_often_as_analytics_learn(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)
    reconciler.start()
    begun = reconciler.clock.monotonic()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 6, step=60)
    assert reconciler.clock.monotonic() - begun <= 120 + 240 + 3 * 300 + 6 * 60


def test_the_questions_of_a_doubt_make_the_later_ones_no_rarer(reconciler: ReconcilerOnFakeInquiry) -> None:
    some = ids(LIVE + 5)
    reconciler.inquiry.live_answers = {one: {"goes_on": True, "evidence": True, "shown": True} for one in some}
    reconciler.follow(*some, covered=True)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "bulk") >= 10, step=0.1)
    reconciler.inquiry.bulk_answers = {one: {"shown": True, "clears_doubt": True} for one in some}
    reconciler.until(lambda: not any(reconciler.storage.row(one)["in_doubt"] for one in some), step=0.1)
    assert all(reconciler.storage.row(one)["due_at"] <= reconciler.clock.now() + 120_000 for one in some)
    assert [reconciler.storage.row(one)["asked"] for one in some] == [1] * len(some)


def test_an_answer_that_it_goes_on_moves_the_deadline(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, seconds=100.0)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 1)
    reconciler.until(lambda: reconciler.storage.row(A)["deadline_at"] > reconciler.clock.now() + 259_000_000)


def test_a_backfill_does_not_bring_back_an_old_deadline(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, seconds=10.0)
    reconciler.inquiry.live_answers[A] = {"finished": (work(A),)}
    reconciler.inquiry.meanwhile = reconciler.follow
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.view(A).records)
    assert reconciler.storage.row(A)["deadline_at"] > reconciler.clock.now() + 250_000_000


def test_covered_while_it_is_asked_about_it_is_asked_again_at_once(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A)

    def cover(one: str) -> None:
        if reconciler.inquiry.about(one, "live") == 1:
            reconciler.clock.advance(0.001)
            reconciler.storage.cover(one)

    reconciler.inquiry.meanwhile = cover
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 2)
    reconciler.until(lambda: not reconciler.storage.row(A)["in_doubt"])


def test_a_covered_one_in_doubt_is_asked_about_live_at_once(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(*ids(30), covered=True)
    reconciler.start()
    reconciler.until(lambda: all(reconciler.inquiry.about(one, "live") for one in ids(30)))
    reconciler.until(lambda: not reconciler.storage.row(conversation(0))["in_doubt"])


def test_many_are_asked_about_in_bulk(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(*ids(120))
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.asked)
    reconciler.until(lambda: all(reconciler.inquiry.about(one, "bulk") for one in ids(120)))
    sizes = [len(some) for what, some in reconciler.inquiry.asked if what == "bulk"][:3]
    assert sizes == [BULK, BULK, 20]


def test_a_disk_that_refuses_some_findings_loses_none(reconciler: ReconcilerOnFakeInquiry) -> None:
    some = ids(BULK)
    reconciler.inquiry.bulk_answers = {one: {"finished": (work(one),)} for one in some}
    reconciler.inquiry.live_answers = dict(reconciler.inquiry.bulk_answers)
    reconciler.follow(*some)
    reconciler.storage.refuse(1, after=19)  # in the middle
    reconciler.start()

    reconciler.until(lambda: all(len(reconciler.storage.view(one).records) == 1 for one in some), step=0.1)
    assert reconciler.storage.refusals_left == 0


def test_bulk_and_live_answers_of_one_round_count_as_one_question(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(*ids(10))
    reconciler.inquiry.bulk_answers = {one: {"ended_at": 1} for one in ids(10)}
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.count("live"))
    (one,) = next(some for what, some in reconciler.inquiry.asked if what == "live")
    reconciler.until(lambda: reconciler.storage.row(one)["looked_at"] is not None)
    assert reconciler.storage.row(one)["asked"] == 1


def test_a_date_that_a_wrong_clock_set_delays_no_question(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.clock.jump(86_400)
    reconciler.follow(A)
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.row(A)["looked_at"] is not None)
    reconciler.clock.jump(-86_400)
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 2)
    reconciler.until(lambda: reconciler.storage.row(A)["due_at"] <= reconciler.clock.now() + 3_600_000)


def test_an_hour_back_on_the_clock_nobody_is_asked_about_again_and_again(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.follow(A, covered=True)
    reconciler.inquiry.live_answers[A] = {"evidence": True}
    reconciler.clock.jump(-3_600)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live"))
    for _ in range(200):
        reconciler.reconciliation.wake()
        reconciler.clock.advance(0.01)
        gevent.sleep(0.0005)
    assert reconciler.inquiry.about(A, "live") <= 2


def test_a_date_that_another_instance_has_set_is_noticed_within_a_quarter_of_a_lease() -> None:
    reconciler = ReconcilerOnFakeInquiry(lease_seconds=0.04, reconcile_seconds=3600.0)
    reconciler.storage.register(A, due_in=3600.0)
    reconciler.start()
    until(lambda: reconciler.storage.jobs >= 3)  # it looked for what is due
    reconciler.storage.change_all(due_at=reconciler.clock.now())
    until(lambda: reconciler.inquiry.about(A, "live"), seconds=20.0)  # nothing woke it
    reconciler.end()


def test_a_conversation_of_another_instance_is_not_asked_about(reconciler: ReconcilerOnFakeInquiry) -> None:
    reconciler.storage.register(conversation(2), owner="00000000-0000-4000-8000-000000000002")
    reconciler.follow(A)
    reconciler.start()
    reconciler.until(lambda: reconciler.inquiry.about(A, "live") == 3, step=60)
    assert {some for _, some in reconciler.inquiry.asked} == {(A,)}


def test_what_was_taken_over_while_it_was_asked_about_keeps_its_topic_and_its_date(
    reconciler: ReconcilerOnFakeInquiry,
) -> None:
    reconciler.follow(A)
    due_at = reconciler.storage.row(A)["due_at"]
    reconciler.inquiry.live_answers[A] = {"over": True, "evidence": True, "finished": (work(A),)}
    reconciler.inquiry.meanwhile = lambda _: reconciler.storage.change_all(owner="00000000-0000-4000-8000-000000000002")
    reconciler.start()
    reconciler.until(lambda: reconciler.storage.view(A).records)
    assert reconciler.closed == []
    row = reconciler.storage.row(A)
    assert (row["state"], row["asked"]) == ("pending", 0)
    assert row["due_at"] <= max(due_at, reconciler.clock.now() + 60_000)
