"""The side door asks about everyone due, believes only answers, and closes only what an answer proves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import gevent
import pytest

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.reconciliation.inquiry import BULK, Finding, Inquiry, Pace
from genesys_gateway.reconciliation.reconciler import Reconciliation
from genesys_gateway.runtime.errors import StorageUnavailable, TransientFailure
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import conversations, intake
from genesys_gateway.storage.statements.conversations import ConversationView
from genesys_gateway.storage.statements.reconciliation import Due
from genesys_gateway.storage.tables import conversation as conversation_table
from tests.doubles.channels import conversation, eventually, ids, quick
from tests.doubles.runtime import FakeClock, runtime

CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"
OWNER = "00000000-0000-4000-8000-000000000001"


def work(one: str, session: str = "s") -> AcwEvent:
    """An after-call work of a conversation."""
    return AcwEvent(conversation_id=one, participant_id="p", session_id=session, event_time=1)


GOES_ON: dict[str, Any] = {"goes_on": True, "evidence": True, "clears_doubt": True, "shown": True}


class FakeInquiry:
    """Genesys's answers, by conversation; an error stands for a question that failed."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.live_answers: dict[str, dict[str, Any] | Exception] = {}
        self.bulk_answers: dict[str, dict[str, Any]] = {}
        self.bulk_errors: dict[str, Exception] = {}
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.last_look: dict[str, Sequence[AcwEvent]] = {}
        #: called before a live answer is given
        self.meanwhile: Any = lambda one: None

    def live(self, one: str) -> Finding:
        self.asked.append(("live", (one,)))
        gevent.sleep(0)
        asked_at = self._clock.now()
        answer = self.live_answers.get(one, GOES_ON)
        self.meanwhile(one)
        if isinstance(answer, Exception):
            raise answer
        return Finding(asked_at=asked_at, live=True, **answer)

    def bulk(self, due: Sequence[Due]) -> Mapping[str, Finding]:
        some = tuple(one.id for one in due)
        self.asked.append(("bulk", some))
        gevent.sleep(0)
        for one in some:
            if one in self.bulk_errors:
                raise self.bulk_errors[one]
        return {one: Finding(asked_at=self._clock.now(), **self.bulk_answers.get(one, {})) for one in some}

    def finished(self, some: Sequence[str]) -> Mapping[str, Sequence[AcwEvent]]:
        self.asked.append(("last", tuple(some)))
        return self.last_look

    def about(self, one: str, kind: str) -> int:
        return sum(1 for what, some in self.asked if what == kind and one in some)


class House:
    """A reconciliation over a storage in memory."""

    def __init__(self, **changes: Any) -> None:
        self.clock = FakeClock()
        self.settings = quick(**{"reconcile_seconds": 120.0, "quiet_seconds": 60.0, **changes})
        self.storage = Storage("sqlite://", self.clock)
        self.storage.open()
        self.inquiry = FakeInquiry(self.clock)
        self.metrics = Metrics()
        self.closed: list[str] = []
        self.stored = 0
        self.crashes: list[str] = []
        self.reconciliation = Reconciliation(
            self.storage,
            cast(Inquiry, self.inquiry),
            self.settings,
            runtime(self.clock, self.crashes, metrics=self.metrics),
            stored=self._stored,
            closed=self.closed.append,
        )

    def _stored(self) -> None:
        self.stored += 1

    def follow(self, *some: str, covered: bool = False, seconds: float = 259_200.0) -> None:
        """Register, due now."""
        now = self.clock.now()

        def job(connection: Any) -> None:
            for one in some:
                conversations.register(
                    connection,
                    one,
                    CUSTOMER,
                    owner=OWNER,
                    now=now,
                    due_at=now,
                    deadline_at=now + round(seconds * 1000),
                )
            if covered:
                conversations.cover(connection, some, channel_id="c", owner=OWNER, now=now)

        self.storage.run(job)

    def start(self) -> None:
        self.reconciliation.start()

    def until(self, condition: Any, step: float = 0.001) -> None:
        def woken() -> object:
            self.reconciliation.wake()
            return condition()

        eventually(woken, self.clock, step=step)

    def view(self, one: str) -> ConversationView:
        view = self.storage.run(lambda c: conversations.view(c, one))
        assert view is not None
        return view

    def row(self, one: str) -> dict[str, Any]:
        query = conversation_table.select().where(conversation_table.c.id == one)
        return self.storage.run(lambda c: c.execute(query).one()._asdict())

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels) or 0.0

    def end(self) -> None:
        assert self.reconciliation.stop(1.0) == []
        balance = self.storage.run(conversations.balance)
        self.storage.close()
        assert balance.accepted == sum(balance.states.values())
        assert self.crashes == []


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.end()


A, B = conversation(1), conversation(2)


def test_what_is_found_is_stored_as_a_backfill_and_counted(house: House) -> None:
    house.follow(A)
    house.inquiry.live_answers[A] = {"finished": (work(A),), "goes_on": True, "evidence": True}
    house.start()
    house.until(lambda: house.view(A).records)
    assert house.view(A).records[0].source == "backfill"
    assert house.stored == 1
    assert house.value("reconcile_recovered_events_total") == 1
    assert house.value("events_received_total", source="backfill") == 1


def test_the_answer_that_proves_it_over_closes_it_with_all_that_it_names(house: House) -> None:
    house.follow(A)
    house.inquiry.live_answers[A] = {"finished": (work(A), work(A, "t")), "over": True, "evidence": True}
    house.start()
    house.until(lambda: house.closed == [A])
    view = house.view(A)
    assert (view.state, view.outcome, len(view.records)) == ("closed", "logged", 2)


def test_over_with_no_after_call_work_it_is_closed_as_such(house: House) -> None:
    house.follow(A)
    house.inquiry.live_answers[A] = {"over": True, "evidence": True}
    house.start()
    house.until(lambda: house.closed == [A])
    assert house.view(A).outcome == "no_acw"


def test_what_goes_on_is_asked_about_again_more_and_more_rarely(house: House) -> None:
    house.follow(A)
    house.start()
    begun = house.clock.monotonic()
    house.until(lambda: house.inquiry.about(A, "live") == 6, step=5)
    assert 120 + 240 + 480 + 960 + 1920 <= house.clock.monotonic() - begun <= 4000


def test_an_answer_that_it_goes_on_moves_the_deadline(house: House) -> None:
    house.follow(A, seconds=100.0)
    house.start()
    house.until(lambda: house.inquiry.about(A, "live") == 1)
    house.until(lambda: house.row(A)["deadline_at"] > house.clock.now() + 259_000_000)


def test_past_its_deadline_only_an_answer_closes_it(house: House) -> None:
    house.follow(A, seconds=0.0)
    house.inquiry.live_answers[A] = TransientFailure("503")
    house.start()
    house.until(lambda: house.inquiry.about(A, "live") == 3, step=5)
    assert house.view(A).state == "pending"
    house.inquiry.live_answers[A] = {"evidence": True, "unknown": True}
    house.until(lambda: house.closed == [A], step=5)
    assert house.view(A).outcome == "unresolved"
    assert house.value("conversations_unresolved_total") == 1


def test_a_clock_that_jumps_past_a_deadline_closes_nothing_before_the_jump_has_lasted(house: House) -> None:
    house.follow(A)
    house.inquiry.live_answers[A] = {"evidence": True, "shown": True}  # ended, and its agent is still at it
    house.start()
    house.until(lambda: house.inquiry.about(A, "live") == 1)
    house.clock.jump(4 * 86_400)
    house.until(lambda: house.inquiry.about(A, "live") == 5, step=60)
    assert (house.view(A).state, house.closed) == ("pending", [])
    house.until(lambda: house.closed == [A], step=3600)
    assert house.view(A).outcome == "unresolved"


def test_past_its_deadline_with_a_record_it_is_logged_and_no_alarm(house: House) -> None:
    house.follow(A, seconds=0.0)
    house.storage.run(lambda c: intake.put(c, work(A), intake.LIVE, now=0, due_at=0, deadline_at=0))
    house.inquiry.live_answers[A] = {"evidence": True}
    house.start()
    house.until(lambda: house.closed == [A])
    assert house.view(A).outcome == "logged"
    assert house.value("conversations_unresolved_total") == 0


def test_an_answer_that_finds_something_past_the_deadline_counts_as_a_sign_of_life(house: House) -> None:
    house.follow(A, seconds=0.0)
    house.inquiry.live_answers[A] = {"evidence": True, "finished": (work(A),)}
    house.start()
    house.until(lambda: house.view(A).records)
    assert (house.view(A).state, house.closed) == ("pending", [])


def test_registered_again_while_it_is_asked_about_for_the_last_time_it_stays_followed(house: House) -> None:
    house.follow(A, seconds=0.0)
    house.inquiry.live_answers[A] = {"evidence": True}
    house.inquiry.meanwhile = lambda one: house.follow(one) if house.inquiry.about(one, "live") == 1 else None
    house.start()
    house.until(lambda: house.inquiry.about(A, "live") == 2, step=5)
    assert (house.view(A).state, house.closed) == ("pending", [])


def test_registered_again_while_the_answer_that_it_is_over_is_on_its_way_it_stays_followed(house: House) -> None:
    house.follow(A)
    house.inquiry.live_answers[A] = {"over": True, "evidence": True, "finished": (work(A),)}

    def register(one: str) -> None:
        if house.inquiry.about(one, "live") == 1:
            house.clock.advance(1)
            house.follow(one)

    house.inquiry.meanwhile = register
    house.start()
    house.until(lambda: house.view(A).records)
    assert (house.view(A).state, house.closed) == ("pending", [])
    house.until(lambda: house.closed == [A], step=5)


def test_a_backfill_does_not_bring_back_an_old_deadline(house: House) -> None:
    house.follow(A, seconds=10.0)
    house.inquiry.live_answers[A] = {"finished": (work(A),)}
    house.inquiry.meanwhile = house.follow
    house.start()
    house.until(lambda: house.view(A).records)
    assert house.row(A)["deadline_at"] > house.clock.now() + 250_000_000


def test_covered_while_it_is_asked_about_it_is_asked_again_at_once(house: House) -> None:
    house.follow(A)

    def cover(one: str) -> None:
        now = house.clock.now()
        if house.inquiry.about(one, "live") == 1:
            house.storage.run(lambda c: conversations.cover(c, [one], channel_id="c", owner=OWNER, now=now))

    house.inquiry.meanwhile = cover
    house.start()
    house.until(lambda: house.inquiry.about(A, "live") == 2)
    house.until(lambda: not house.row(A)["in_doubt"])


def test_a_covered_one_in_doubt_is_asked_about_live_at_once(house: House) -> None:
    house.follow(*ids(30), covered=True)
    house.start()
    house.until(lambda: all(house.inquiry.about(one, "live") for one in ids(30)))
    house.until(lambda: not house.row(conversation(0))["in_doubt"])


def test_many_are_asked_about_in_bulk(house: House) -> None:
    house.follow(*ids(120))
    house.start()
    house.until(lambda: house.inquiry.asked)
    house.until(lambda: all(house.inquiry.about(one, "bulk") for one in ids(120)))
    sizes = [len(some) for what, some in house.inquiry.asked if what == "bulk"][:3]
    assert sizes == [BULK, BULK, 20]


def test_the_findings_of_one_answer_share_commits_and_a_disk_that_refuses_some_loses_none(house: House) -> None:
    some = ids(BULK)
    house.inquiry.bulk_answers = {one: {"finished": (work(one),)} for one in some}
    house.follow(*some)
    whole, begun, inside, most = house.storage.run, 0, 0, 0

    def run(job: Any) -> Any:
        nonlocal begun, inside, most
        begun, inside = begun + 1, inside + 1
        most = max(most, inside)
        try:
            gevent.sleep(0)
            if begun == 20:
                raise StorageUnavailable("full")
            return whole(job)
        finally:
            inside -= 1

    house.storage.run = run  # type: ignore[method-assign] # it refuses once, in the middle
    house.start()

    house.until(lambda: all(len(house.view(one).records) == 1 for one in some), step=0.1)
    assert most > 10
    assert begun > 20


def test_bulk_and_live_answers_of_one_round_count_as_one_question(house: House) -> None:
    house.follow(*ids(10))
    house.inquiry.bulk_answers = {one: {"ended": True} for one in ids(10)}
    house.start()
    house.until(lambda: any(what == "live" for what, _ in house.inquiry.asked))
    (one,) = next(some for what, some in house.inquiry.asked if what == "live")
    house.until(lambda: house.row(one)["looked_at"] is not None)
    assert house.row(one)["asked"] == 1


def test_what_analytics_show_as_ended_is_closed_by_the_live_view(house: House) -> None:
    house.follow(*ids(8))
    house.inquiry.bulk_answers = {A: {"ended": True, "finished": (work(A),)}}
    house.inquiry.live_answers[A] = {"over": True, "evidence": True}
    house.start()
    house.until(lambda: house.closed == [A])
    assert house.view(A).outcome == "logged"


def test_of_many_that_ended_at_once_none_waits_for_its_next_question(house: House) -> None:
    house.follow(*ids(100))
    house.inquiry.bulk_answers = {one: {"ended": True} for one in ids(100)}
    house.inquiry.live_answers = {one: {"over": True, "evidence": True} for one in ids(100)}
    house.start()
    begun = house.clock.monotonic()
    house.until(lambda: len(house.closed) == 100)
    assert house.clock.monotonic() - begun < 100
    assert len([what for what, _ in house.inquiry.asked if what == "bulk"]) == 2


# --- what analytics show may be as old as they may be late ---

SHOWN_AS_OVER = {"over": True, "ended": True, "clears_doubt": True, "shown": True}


def goes_on(house: House) -> None:
    house.inquiry.live_answers.pop(A)
    house.inquiry.bulk_answers[A] = {"ended": True}
    house.until(lambda: house.row(A)["deadline_at"] > house.clock.now() + 259_190_000)


def is_registered(house: House) -> None:
    house.follow(A)


def has_an_event(house: House) -> None:
    now = house.clock.now()
    house.storage.run(lambda c: intake.put(c, work(A), intake.LIVE, now=now, due_at=now, deadline_at=now + 259_200_000))


def is_looked_at(house: House) -> None:
    """Its second agent is still at it: no end, but no sign of life either."""
    house.storage.run(lambda c: c.execute(conversation_table.update().values(looked_at=house.clock.now())) and None)


@pytest.mark.parametrize("newer", [goes_on, is_registered, has_an_event, is_looked_at])
def test_analytics_close_nothing_of_which_something_newer_was_heard(house: House, newer: Any) -> None:
    some = ids(8)
    for one in some:
        house.inquiry.live_answers[one] = {"evidence": True}
    house.follow(*some, covered=True)
    house.start()
    house.until(lambda: all(house.row(one)["looked_at"] for one in some))
    house.clock.advance(400)
    newer(house)
    house.inquiry.live_answers[A] = {"evidence": True}
    house.inquiry.bulk_answers[A] = SHOWN_AS_OVER
    asked = house.inquiry.about(A, "bulk")

    house.clock.advance(250)
    house.until(lambda: house.inquiry.about(A, "bulk") > asked)
    house.until(lambda: house.inquiry.asked[-1] == ("live", (A,)))
    assert (house.view(A).state, house.closed) == ("subscribed", [])

    house.clock.advance(4000)
    house.until(lambda: house.closed == [A])


def test_a_deadline_that_a_wrong_clock_set_does_not_keep_open_what_is_over(house: House) -> None:
    house.clock.jump(86_400)
    house.follow(A)
    house.clock.jump(-86_400)
    house.storage.run(lambda c: c.execute(conversation_table.update().values(due_at=0)) and None)
    house.inquiry.live_answers[A] = {"over": True, "evidence": True}
    house.start()
    house.until(lambda: house.closed == [A])


def test_a_date_that_a_wrong_clock_set_delays_no_question(house: House) -> None:
    house.clock.jump(86_400)
    house.follow(A)
    house.start()
    house.until(lambda: house.row(A)["looked_at"] is not None)
    house.clock.jump(-86_400)
    house.until(lambda: house.inquiry.about(A, "live") == 2)
    house.until(lambda: house.row(A)["due_at"] <= house.clock.now() + 3_600_000)


def test_an_hour_back_on_the_clock_nobody_is_asked_about_again_and_again(house: House) -> None:
    house.follow(A, covered=True)
    house.inquiry.live_answers[A] = {"evidence": True}
    house.clock.jump(-3_600)
    house.start()
    house.until(lambda: house.inquiry.about(A, "live"))
    for _ in range(200):
        house.reconciliation.wake()
        house.clock.advance(0.01)
        gevent.sleep(0.0005)
    assert house.inquiry.about(A, "live") <= 2


# --- trouble ---


@pytest.mark.parametrize("covered", [False, True])
def test_one_that_can_not_be_asked_about_does_not_hold_up_the_others(house: House, covered: bool) -> None:
    house.follow(A, covered=covered)
    house.clock.advance(0.001)
    house.follow(B, covered=covered)
    house.inquiry.live_answers[A] = TransientFailure("the answer has no usable participants")
    house.inquiry.live_answers[B] = {"over": True, "evidence": True}
    house.start()
    house.until(lambda: house.closed == [B])


def test_one_that_spoils_its_bulk_does_not_hold_up_the_others(house: House) -> None:
    house.follow(*ids(120))
    house.inquiry.bulk_errors[conversation(3)] = TransientFailure("500")
    house.start()
    house.until(lambda: all(house.inquiry.about(one, "bulk") for one in ids(120)))
    house.until(lambda: house.inquiry.about(conversation(3), "bulk") > 2, step=5)


def test_a_failed_question_is_no_answer(house: House) -> None:
    house.follow(A, covered=True, seconds=0.0)
    house.inquiry.live_answers[A] = TransientFailure("503")
    house.start()
    house.until(lambda: house.inquiry.about(A, "live") == 4, step=5)
    row = house.row(A)
    assert (row["state"], row["in_doubt"], row["asked"]) == ("subscribed", True, 0)


def test_when_all_fail_it_waits_longer_each_time_and_then_goes_on() -> None:
    house = House(retry_base_seconds=0.001, retry_max_seconds=0.02)
    house.follow(*ids(4))
    for one in ids(4):
        house.inquiry.live_answers[one] = TransientFailure("503")
    house.start()
    house.until(lambda: len(house.inquiry.asked) >= 3)
    house.inquiry.live_answers.clear()
    house.until(lambda: all(house.inquiry.about(one, "live") > 1 for one in ids(3)), step=5)
    house.end()


def test_a_gap_that_ends_while_questions_fail_is_asked_about_at_once() -> None:
    house = House(retry_base_seconds=0.001, retry_max_seconds=300.0)
    house.follow(*ids(4))
    for one in ids(4):
        house.inquiry.live_answers[one] = TransientFailure("503")
    house.reconciliation._failures = 20  # as after long trouble: it waits for its longest time now
    house.start()
    house.until(lambda: len(house.inquiry.asked) == 3)
    gap = conversation(9)
    house.follow(gap, covered=True)
    house.until(lambda: house.inquiry.about(gap, "live"))
    house.end()


def test_as_long_as_genesys_asks_for_nobody_is_asked_about(house: House) -> None:
    house.follow(A, covered=True)
    house.inquiry.live_answers[A] = TransientFailure("429", retry_after=300.0)
    house.start()
    house.until(lambda: house.inquiry.asked)
    house.follow(B, covered=True)
    for _ in range(50):
        house.reconciliation.wake()
        house.clock.advance(0.1)
        gevent.sleep(0.0005)
    assert house.inquiry.asked == [("live", (A,))]


def test_analytics_that_fail_keep_the_live_view_from_nobody() -> None:
    house = House(retry_base_seconds=100.0, retry_max_seconds=300.0)
    house.inquiry.bulk_errors = {one: TransientFailure("500") for one in ids(200)}
    house.follow(*ids(200))
    gap = conversation(300)
    house.follow(gap, covered=True)
    house.start()
    house.until(lambda: house.inquiry.about(gap, "live"), step=0.01)
    assert len([what for what, _ in house.inquiry.asked if what == "bulk"]) == 3
    house.until(lambda: sum(what == "live" for what, _ in house.inquiry.asked) > 20, step=0.01)
    house.inquiry.bulk_errors.clear()
    house.until(lambda: any(house.inquiry.about(one, "bulk") > 1 for one in ids(200)), step=5)
    house.end()


def test_a_disk_that_refuses_is_waited_for(house: House) -> None:
    house.follow(A)
    run, refusals = house.storage.run, [3]

    def refusing(job: Any) -> Any:
        if refusals[0]:
            refusals[0] -= 1
            raise StorageUnavailable("x", retry_after=0.001)
        return run(job)

    house.storage.run = refusing  # type: ignore[method-assign] # the disk's moods are what is tested
    house.start()
    house.until(lambda: house.inquiry.about(A, "live"))


# --- unknown to Genesys ---


def test_unknown_for_an_hour_it_is_told_once_and_stays_followed(house: House) -> None:
    house.follow(A)
    house.inquiry.live_answers[A] = {"unknown": True, "evidence": True}
    house.start()
    house.until(lambda: house.inquiry.about(A, "live") == 8, step=20)
    told = [item.event for item in house.view(A).timeline].count("unknown_to_genesys")
    assert (told, house.view(A).state) == (1, "pending")
    house.inquiry.live_answers.pop(A)
    house.until(lambda: house.row(A)["unknown_since"] is None, step=20)


def test_how_long_it_may_be_unknown_shrinks_with_the_first_period() -> None:
    house = House(reconcile_seconds=2.0)
    house.follow(A)
    house.inquiry.live_answers[A] = {"unknown": True, "evidence": True}
    begun = house.clock.now()
    house.start()
    house.until(lambda: "unknown_to_genesys" in [item.event for item in house.view(A).timeline], step=1)
    assert 60_000 <= house.clock.now() - begun < 1_200_000
    house.end()


@pytest.mark.parametrize("shown", [False, True])
def test_many_asked_about_in_bulk_do_not_hide_one_that_is_unknown(house: House, shown: bool) -> None:
    some = ids(12)
    house.inquiry.live_answers[A] = {"unknown": True, "evidence": True}
    house.follow(*some, covered=True)
    house.start()
    house.until(lambda: house.row(A)["unknown_since"] is not None)
    house.inquiry.bulk_answers[A] = {"shown": shown}

    for _ in range(3):
        asked = house.inquiry.about(A, "bulk"), house.inquiry.about(A, "live")
        house.storage.run(lambda c: c.execute(conversation_table.update().values(due_at=house.clock.now())) and None)
        house.until(lambda asked=asked: house.inquiry.about(A, "bulk") > asked[0])
        if shown:
            house.until(lambda: house.row(A)["unknown_since"] is None)
        else:
            house.until(lambda asked=asked: house.inquiry.about(A, "live") > asked[1])
        house.clock.advance(2000)

    told = [item.event for item in house.view(A).timeline].count("unknown_to_genesys")
    assert told == (0 if shown else 1)


# --- the last look ---


def test_a_day_after_its_end_it_is_looked_at_once_more(house: House) -> None:
    house.follow(A)
    house.inquiry.live_answers[A] = {"over": True, "evidence": True}
    house.start()
    house.until(lambda: house.closed == [A])
    house.inquiry.last_look = {A: (work(A),)}
    house.clock.advance(86_400)
    house.until(lambda: house.view(A).records)
    assert house.view(A).outcome == "logged"
    assert house.storage.run(conversations.balance).unaccounted == 1
    assert house.row(A)["last_look_at"] is None


def test_a_last_look_waits_for_no_question_about_others() -> None:
    house = House(last_look_seconds=0.05, reconcile_seconds=3600.0)
    house.follow(A)
    house.inquiry.live_answers[A] = {"over": True, "evidence": True}
    house.inquiry.last_look = {A: ()}
    house.start()
    eventually(lambda: house.inquiry.about(A, "last"), house.clock)
    house.end()


def test_a_last_look_leaves_the_deadline_of_one_that_is_followed_again(house: House) -> None:
    house.follow(A)
    house.inquiry.live_answers[A] = {"over": True, "evidence": True}
    house.start()
    house.until(lambda: house.closed == [A])
    house.inquiry.live_answers[A] = {"goes_on": True}
    look = house.inquiry.finished

    def finished(some: Sequence[str]) -> Mapping[str, Sequence[AcwEvent]]:
        house.follow(A)
        return look(some)

    house.inquiry.finished = finished  # type: ignore[method-assign] # the inquiry is a double already
    house.inquiry.last_look = {A: (work(A),)}
    house.clock.advance(86_400)
    house.until(lambda: house.view(A).records)
    assert house.row(A)["deadline_at"] > house.clock.now() + 250_000_000


def closed_long_ago(house: House, *some: str, seconds: float = 0.0) -> None:
    house.follow(*some)
    at = house.clock.now() - round(seconds * 1000)

    def job(connection: Any) -> None:
        for one in some:
            conversations.close(connection, one, without_record=conversations.NO_ACW, now=at, last_look_at=at)

    house.storage.run(job)


def test_a_last_look_is_concluded_by_an_answer_that_shows_the_conversation_and_by_nothing_else(house: House) -> None:
    closed_long_ago(house, A, B)
    house.inquiry.last_look = {A: ()}
    house.start()
    house.until(lambda: house.row(A)["last_look_at"] is None)
    house.until(lambda: house.row(B)["last_look_at"] > house.clock.now() + 86_000_000)
    house.inquiry.last_look = {B: (work(B),)}
    house.clock.advance(86_400)
    house.until(lambda: house.view(B).records)
    assert house.row(B)["last_look_at"] is None


def test_a_last_look_without_an_answer_is_given_up_when_there_is_nothing_left_to_keep(house: House) -> None:
    closed_long_ago(house, A, seconds=86_400 * house.settings.retention_days)
    house.start()
    house.until(lambda: house.row(A)["last_look_at"] is None)
    assert house.inquiry.about(A, "last") == 1


def test_a_last_look_that_fails_is_put_off_and_holds_up_nobody() -> None:
    house = House(retry_base_seconds=100.0, retry_max_seconds=300.0)
    closed_long_ago(house, A)
    finished = house.inquiry.finished

    def failing(some: Sequence[str]) -> Mapping[str, Sequence[AcwEvent]]:
        finished(some)
        raise TransientFailure("503")

    house.inquiry.finished = failing  # type: ignore[method-assign] # the inquiry is a double already
    house.start()
    house.until(lambda: house.inquiry.asked)
    house.follow(B, covered=True)
    house.until(lambda: house.inquiry.about(B, "live"))
    assert house.inquiry.about(A, "last") == 1
    house.until(lambda: house.inquiry.about(A, "last") == 2, step=1)
    house.end()


def test_a_last_look_that_a_wrong_clock_dated_is_taken_now(house: House) -> None:
    house.clock.jump(3 * 86_400)
    closed_long_ago(house, A)
    house.clock.jump(-3 * 86_400)
    house.inquiry.last_look = {A: ()}
    house.start()
    house.until(lambda: house.row(A)["last_look_at"] is None)


# --- the pace of live questions ---


def test_live_questions_are_paced_on_the_long_run_and_saved_up_for_a_few() -> None:
    clock = FakeClock()
    pace = Pace(2.0, clock)
    assert pace.allowance() == 5
    for _ in range(5):
        pace.spend()
    assert (pace.allowance(), pace.seconds()) == (0, 0.5)
    clock.advance(1.0)
    assert pace.allowance() == 2
    clock.advance(1000)
    assert pace.allowance() == 5
