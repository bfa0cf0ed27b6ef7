"""Questions to Genesys: a failure is no answer, and absence in analytics proves nothing."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from genesys_gateway.genesys.analytics import Details
from genesys_gateway.genesys.client import Forbidden, Genesys, NotFound
from genesys_gateway.genesys.live_view import Conversation, from_answer
from genesys_gateway.genesys.tokens import TokenRefused
from genesys_gateway.reconciliation.inquiry import Finding, Inquiry, Pace
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
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

    def conversation(self, _: str) -> Conversation:
        if isinstance(self.live, Exception):
            raise self.live
        return self.live

    def conversation_details(self, _: Sequence[str]) -> Sequence[Details]:
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
NOTHING = Finding(asked_at=FakeClock().now())


def test_one_without_agents_that_has_ended_is_over(genesys: FakeGenesys, inquiry: Inquiry) -> None:
    genesys.live = Conversation(id=A, ended_at=1, agents=())
    finding = inquiry.live(A)
    assert (finding.over, finding.evidence, finding.goes_on, finding.clears_doubt) == (True, True, False, True)
    assert finding.shown


def test_one_that_goes_on_is_not_over(inquiry: Inquiry) -> None:
    finding = inquiry.live(A)
    assert (finding.over, finding.goes_on) == (False, True)


@pytest.mark.parametrize(
    ("error", "evidence", "unknown"),
    [(NotFound("404"), True, True), (Forbidden("403"), True, False), (PermanentFailure("400"), False, False)],
)
def test_a_refusal_proves_no_end(
    genesys: FakeGenesys, inquiry: Inquiry, error: Exception, evidence: bool, unknown: bool
) -> None:
    genesys.live = error
    finding = inquiry.live(A)
    assert (finding.evidence, finding.unknown) == (evidence, unknown)
    assert (finding.over, finding.goes_on, finding.clears_doubt, finding.shown) == (False, False, False, False)


def test_where_the_live_view_is_forbidden_analytics_tell_what_is_done(genesys: FakeGenesys, inquiry: Inquiry) -> None:
    genesys.live = Forbidden("403")
    genesys.details = (Details(conversation_id=A, ended_at=LONG_AGO, sessions=(WRAPPED_UP,)),)
    finding = inquiry.live(A)
    assert [event.session_id for event in finding.finished] == ["s"]
    assert (finding.evidence, finding.shown) == (True, True)
    assert (finding.over, finding.goes_on, finding.clears_doubt) == (False, False, False)


@pytest.mark.parametrize("error", [TransientFailure("503"), TokenRefused("no assertion")])
def test_a_failure_that_is_not_the_conversations_is_raised(
    genesys: FakeGenesys, inquiry: Inquiry, error: Exception
) -> None:
    genesys.live = genesys.details = error
    with pytest.raises(TransientFailure):
        inquiry.live(A)
    with pytest.raises(TransientFailure):
        inquiry.bulk([due(A)])
    with pytest.raises(TransientFailure):
        inquiry.finished([A])


def test_what_the_live_view_tells_stands_when_analytics_fail(genesys: FakeGenesys, inquiry: Inquiry) -> None:
    body = answer(agent(1, calls=[call(1, COMPLETE)]), agent(2, calls=[call(2)], callbacks=[call(3)], wrapup=WRAPUP))
    genesys.live = from_answer(body)
    genesys.details = TransientFailure("503")
    finding = inquiry.live(A)
    assert [event.participant_id for event in finding.finished] == ["participant-1"]
    assert finding.live
    assert (finding.over, finding.clears_doubt, finding.evidence) == (False, False, False)


@pytest.mark.parametrize("error", [Forbidden("403"), NotFound("404"), PermanentFailure("400")])
def test_analytics_that_refuse_prove_nothing(genesys: FakeGenesys, inquiry: Inquiry, error: Exception) -> None:
    genesys.details = error
    assert inquiry.bulk([due(A), due(B)]) == {A: NOTHING, B: NOTHING}
    assert inquiry.finished([A]) == {}


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
