"""Questions to Genesys: a failure is no answer, and absence in analytics proves nothing."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from genesys_gateway.genesys.analytics import Details
from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.genesys.client import Forbidden, Genesys, NotFound, NoToken, Throttled
from genesys_gateway.genesys.live_view import Conversation, from_answer
from genesys_gateway.reconciliation.availability import Pace, Resting
from genesys_gateway.reconciliation.finding import Finding
from genesys_gateway.reconciliation.inquiry import BulkRefused, Inquiry
from genesys_gateway.runtime.errors import NotSent, PermanentFailure, TransientFailure
from genesys_gateway.storage.statements.reconciliation import Due
from tests.doubles.channels import conversation, quick
from tests.doubles.genesys import session, wrapup_segment
from tests.doubles.genesys_answers import COMPLETE, WRAPUP, agent, answer, call
from tests.doubles.runtime import FakeClock

A, B = conversation(1), conversation(2)


class FakeGenesys:
    """A client whose answers are set by tests; an error is raised."""

    def __init__(self) -> None:
        self.live: Conversation | Exception = Conversation(id=A, ended_at=None, agents=())
        self.details: Sequence[Details] | Exception = ()
        #: "live" or "details" for each call
        self.asked: list[str] = []

    def conversation(self, _: str) -> Conversation:
        self.asked.append("live")
        if isinstance(self.live, Exception):
            raise self.live
        return self.live

    def conversation_details(self, _: Sequence[str]) -> Sequence[Details]:
        self.asked.append("details")
        if isinstance(self.details, Exception):
            raise self.details
        return self.details


@pytest.fixture
def genesys() -> FakeGenesys:
    return FakeGenesys()


@pytest.fixture
def inquiry(genesys: FakeGenesys) -> Inquiry:
    return Inquiry(cast(Genesys, genesys), quick(), FakeClock())


def due(one: str, **changes: Any) -> Due:
    values: dict[str, Any] = {
        "owner": "us",
        "covered_at": None,
        "uncovered_since": 0,
        "in_doubt": True,
        "asked": 0,
        "due_at": 0,
        "deadline_at": 0,
        "unknown_since": None,
    }
    return Due(id=one, **{**values, **changes})


NOW = FakeClock().now()
LONG_AGO = NOW - 10_000_000
WRAPPED_UP = session(wrapups=(wrapup_segment(ended_at=LONG_AGO),))
NOTHING = Finding(asked_at=FakeClock().now(), lag_ms=300_000)


def test_one_without_agents_that_has_ended_is_over(genesys: FakeGenesys, inquiry: Inquiry) -> None:
    genesys.live = Conversation(id=A, ended_at=1, agents=())
    finding = inquiry.live(due(A))
    assert (finding.over, finding.evidence, finding.goes_on, finding.clears_doubt) == (True, True, False, True)
    assert finding.shown


def test_one_that_goes_on_is_not_over(inquiry: Inquiry) -> None:
    finding = inquiry.live(due(A))
    assert (finding.over, finding.goes_on) == (False, True)


#: Refusals of the live view: the error, whether analytics show it, and what is proved: evidence, unknown.
REFUSALS = [
    (NotFound("404"), False, True, True),
    (NotFound("404"), True, True, False),
    (PermanentFailure("410"), True, True, False),
    (PermanentFailure("400"), False, False, False),
    (Forbidden("403"), True, True, False),
    (Forbidden("403"), False, True, False),
    (TransientFailure("500"), True, False, False),
    (TransientFailure("500"), False, False, False),
    (BadAnswer("the answer is no JSON"), True, False, False),
]


@pytest.mark.parametrize(("error", "shown", "evidence", "unknown"), REFUSALS)
def test_where_the_live_view_does_not_answer_analytics_are_asked(
    genesys: FakeGenesys, inquiry: Inquiry, error: Exception, shown: bool, evidence: bool, unknown: bool
) -> None:
    genesys.live = error
    genesys.details = (Details(conversation_id=A, ended_at=None, sessions=(WRAPPED_UP,)),) if shown else ()
    finding = inquiry.live(due(A))
    assert (finding.evidence, finding.unknown, finding.shown, finding.live) == (evidence, unknown, shown, True)
    assert (finding.over, finding.goes_on, finding.clears_doubt) == (False, False, False)
    assert [event.session_id for event in finding.finished] == (["s"] if shown else [])
    assert finding.unanswered == (not evidence)


@pytest.mark.parametrize(
    ("error", "over"), [(NotFound("404"), True), (BadAnswer("no"), True), (Forbidden("403"), False)]
)
def test_analytics_end_a_conversation_that_the_live_view_does_not_show_unless_it_shows_none(
    genesys: FakeGenesys, inquiry: Inquiry, error: Exception, over: bool
) -> None:
    genesys.live = error
    genesys.details = (Details(conversation_id=A, ended_at=LONG_AGO, sessions=(WRAPPED_UP,)),)
    finding = inquiry.live(due(A, covered_at=LONG_AGO, uncovered_since=None))
    assert (finding.over, finding.clears_doubt, finding.known_until) == (over, True, NOW - 300_000)


@pytest.mark.parametrize("error", [NotFound("404"), PermanentFailure("400"), Forbidden("403"), BadAnswer("no")])
def test_if_analytics_fail_as_well_there_is_no_answer(genesys: FakeGenesys, inquiry: Inquiry, error: Exception) -> None:
    genesys.live, genesys.details = error, TransientFailure("503")
    finding = inquiry.live(due(A))
    assert finding == Finding(asked_at=NOW, lag_ms=300_000, live=True)
    assert finding.unanswered


@pytest.mark.parametrize(
    "error", [NoToken("none"), NotSent("refused"), Throttled("429", 9.0), TransientFailure("503", retry_after=9.0)]
)
def test_a_failure_of_both_views_is_raised(genesys: FakeGenesys, inquiry: Inquiry, error: Exception) -> None:
    genesys.live = genesys.details = error
    with pytest.raises(TransientFailure):
        inquiry.bulk([due(A)])
    with pytest.raises(TransientFailure):
        inquiry.live(due(A))
    with pytest.raises(TransientFailure):
        inquiry.last([A])


def test_analytics_answer_for_a_live_view_that_is_down(genesys: FakeGenesys) -> None:
    clock = FakeClock()
    inquiry = Inquiry(cast(Genesys, genesys), quick(), clock)
    genesys.live = TransientFailure("500")
    genesys.details = (Details(conversation_id=A, ended_at=LONG_AGO, sessions=(WRAPPED_UP,)),)
    for _ in range(9):
        finding = inquiry.live(due(A, uncovered_since=NOW))
        assert (len(finding.finished), finding.unanswered) == (1, True)
        clock.advance(10)


def test_a_live_view_that_demands_a_wait_rests_and_analytics_are_asked(genesys: FakeGenesys, inquiry: Inquiry) -> None:
    genesys.live = TransientFailure("503", retry_after=300.0)
    assert inquiry.live(due(A)).unanswered
    with pytest.raises(Resting):
        inquiry.live(due(A))
    inquiry.bulk([due(A)])
    assert genesys.asked == ["live", "details", "details"]


@pytest.mark.parametrize("error", [NotFound("404"), BadAnswer("no")])
def test_a_live_question_asks_no_analytics_while_they_rest(
    genesys: FakeGenesys, inquiry: Inquiry, error: Exception
) -> None:
    genesys.details = TransientFailure("503", retry_after=300.0)
    with pytest.raises(TransientFailure):
        inquiry.bulk([due(A)])
    genesys.live = error
    with pytest.raises(TransientFailure) as refusal:
        inquiry.live(due(A))
    assert not isinstance(refusal.value, Resting)  # the question was asked, so it is put off
    assert genesys.asked == ["details", "live"]


def test_half_an_answer_counts_as_unanswered_only_if_analytics_work_for_others(
    genesys: FakeGenesys, inquiry: Inquiry
) -> None:
    body = answer(agent(1, calls=[call(1, COMPLETE)]), agent(2, calls=[call(2)], callbacks=[call(3)], wrapup=WRAPUP))
    genesys.live, genesys.details = from_answer(body), BadAnswer("no")
    assert inquiry.live(due(A)).unanswered
    genesys.details = NotSent("refused")
    assert not inquiry.live(due(A)).unanswered


def test_what_the_live_view_tells_stands_when_analytics_fail(genesys: FakeGenesys, inquiry: Inquiry) -> None:
    body = answer(agent(1, calls=[call(1, COMPLETE)]), agent(2, calls=[call(2)], callbacks=[call(3)], wrapup=WRAPUP))
    genesys.live = from_answer(body)
    genesys.details = TransientFailure("503")
    finding = inquiry.live(due(A))
    assert [event.participant_id for event in finding.finished] == ["participant-1"]
    assert finding.live
    assert (finding.over, finding.clears_doubt, finding.evidence) == (False, False, False)


def test_analytics_that_may_not_be_asked_prove_nothing(genesys: FakeGenesys, inquiry: Inquiry) -> None:
    genesys.details = Forbidden("403")
    assert inquiry.bulk([due(A), due(B)]) == {A: NOTHING, B: NOTHING}
    assert inquiry.last([A]) == {}


@pytest.mark.parametrize("error", [NotFound("404"), PermanentFailure("400")])
def test_a_refusal_of_a_bulk_question_may_be_for_one_of_its_conversations(
    genesys: FakeGenesys, inquiry: Inquiry, error: Exception
) -> None:
    genesys.details = error
    with pytest.raises(BulkRefused):
        inquiry.bulk([due(A), due(B)])
    with pytest.raises(BulkRefused):
        inquiry.last([A, B])


def test_one_that_analytics_answer_404_for_is_not_in_them(genesys: FakeGenesys, inquiry: Inquiry) -> None:
    genesys.details = NotFound("404")
    assert inquiry.bulk([due(A)]) == {A: NOTHING}


@pytest.mark.parametrize(
    ("ended_at", "wrapups", "complete"),
    [
        (LONG_AGO, (wrapup_segment(ended_at=LONG_AGO),), True),
        (LONG_AGO, (), True),
        (None, (wrapup_segment(ended_at=LONG_AGO),), False),
        (LONG_AGO, (wrapup_segment(ended_at=LONG_AGO), wrapup_segment()), False),
    ],
    ids=["wrapped up", "without after-call work", "no end, or not read whole", "in after-call work"],
)
def test_the_last_answer_is_complete_if_it_shows_an_end_and_nothing_to_be_done(
    genesys: FakeGenesys, inquiry: Inquiry, ended_at: int | None, wrapups: Any, complete: bool
) -> None:
    genesys.details = (Details(conversation_id=A, ended_at=ended_at, sessions=(session(wrapups=wrapups),)),)
    assert inquiry.last([A])[A].complete == complete


@pytest.mark.parametrize(
    ("live", "complete"),
    [
        (Conversation(id=A, ended_at=1, agents=()), True),
        (Conversation(id=A, ended_at=None, agents=()), False),
        (NotFound("404"), None),
        (BadAnswer("no"), None),
    ],
)
def test_the_live_view_can_give_the_last_answer(
    genesys: FakeGenesys, inquiry: Inquiry, live: Any, complete: bool | None
) -> None:
    genesys.live = live
    found = inquiry.last_live(A)
    assert (found and found.complete) == complete


def test_one_that_analytics_do_not_show_gives_a_finding_that_proves_nothing(
    genesys: FakeGenesys, inquiry: Inquiry
) -> None:
    genesys.details = (Details(conversation_id=B, ended_at=None, sessions=()),)
    findings = inquiry.bulk([due(A), due(B)])
    assert findings[A] == NOTHING
    assert (findings[A].shown, findings[B].shown) == (False, True)
    assert set(findings) == {A, B}


@pytest.mark.parametrize(
    ("covered_at", "uncovered_since", "over"),
    [
        (LONG_AGO, None, True),
        (NOW - 1, None, False),
        (None, NOW - 1, False),
        (LONG_AGO, NOW - 1, False),
    ],
    ids=["covered for long", "covered just now", "never covered", "uncovered again"],
)
def test_analytics_prove_an_end_only_of_what_was_covered_while_they_settled(
    genesys: FakeGenesys, inquiry: Inquiry, covered_at: int | None, uncovered_since: int | None, over: bool
) -> None:
    genesys.details = (Details(conversation_id=A, ended_at=LONG_AGO, sessions=(WRAPPED_UP,)),)
    finding = inquiry.bulk([due(A, covered_at=covered_at, uncovered_since=uncovered_since)])[A]
    assert (finding.over, finding.clears_doubt, finding.ended) == (over, over, True)


@pytest.mark.parametrize(
    ("ended_at", "covered_at", "provable_at"),
    [
        (LONG_AGO, LONG_AGO, None),
        (None, LONG_AGO, None),
        (LONG_AGO, None, None),
        (NOW - 1, LONG_AGO, NOW + 299_999),
        (LONG_AGO, NOW - 2, NOW + 299_998),
    ],
)
def test_analytics_tell_when_they_will_prove_the_end_they_show(
    genesys: FakeGenesys, inquiry: Inquiry, ended_at: int | None, covered_at: int | None, provable_at: int | None
) -> None:
    genesys.details = (Details(conversation_id=A, ended_at=ended_at, sessions=(WRAPPED_UP,)),)
    finding = inquiry.bulk([due(A, covered_at=covered_at, uncovered_since=None)])[A]
    assert (finding.provable_at, finding.over) == (
        provable_at,
        provable_at is None and None not in (ended_at, covered_at),
    )


def test_live_questions_are_paced_on_the_long_run_and_saved_up_for_a_few() -> None:
    clock = FakeClock()
    pace = Pace(2.0, clock)
    assert pace.allowance() == 5
    for _ in range(5):
        pace.spend()
    assert (pace.allowance(), pace.seconds_until_next()) == (0, 0.5)
    clock.advance(1.0)
    assert pace.allowance() == 2
    clock.advance(1000)
    assert pace.allowance() == 5
