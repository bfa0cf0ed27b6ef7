"""Which questions a round asks: about which conversations, in which view, in which order."""

from collections.abc import Sequence
from typing import Any

import pytest

from genesys_gateway.reconciliation.finding import Finding
from genesys_gateway.reconciliation.plan import (
    BULK,
    LIVE,
    Calls,
    GroupSizes,
    Plan,
    Undecided,
    date_of_question,
    is_fresh,
    left_to_live_view,
    make_plan,
)
from genesys_gateway.storage.statements.reconciliation import Due
from tests.doubles.channels import conversation, ids

A = conversation(1)
SETTLE_MS = 300_000
PATIENCE_MS = 5_000


def due(one: str = A, **changes: Any) -> Due:
    values: dict[str, Any] = {
        "owner": "us",
        "covered_at": 0,
        "uncovered_since": None,
        "in_doubt": False,
        "asked": 0,
        "due_at": 0,
        "deadline_at": 10**12,
        "unknown_since": None,
    }
    return Due(id=one, **{**values, **changes})


def many(count: int, start: int = 0) -> list[Due]:
    """Conversations that became due one after the other."""
    return [due(one, due_at=number) for number, one in enumerate(ids(count, start), start)]


def plan(
    some: Sequence[Due],
    *,
    doubtful: Sequence[Due] = (),
    undecided: Sequence[Due] = (),
    live: int | None = LIVE,
    bulk: bool = True,
    sizes: GroupSizes | None = None,
    calls: Calls = Calls.PLENTY,
    for_good: bool = False,
    now: int = 0,
) -> Plan:
    return make_plan(
        due=some,
        doubtful=doubtful,
        undecided=[Undecided(about=one, for_good=for_good) for one in undecided],
        live=live,
        bulk=bulk,
        sizes=sizes or GroupSizes(),
        calls=calls,
        now=now,
        patience_ms=PATIENCE_MS,
    )


def asked(made: Plan, *, live: bool) -> list[list[str]]:
    """The conversations of each question of a kind."""
    return [[one.id for one in question.about] for question in made.questions if question.live == live]


def test_a_few_are_asked_about_live_and_many_in_bulk_the_longest_due_first() -> None:
    few, more = plan(many(LIVE)), plan(many(LIVE + 1))
    assert (asked(few, live=True), asked(few, live=False)) == ([[one] for one in ids(LIVE)], [])
    assert (asked(more, live=True), asked(more, live=False)) == ([], [ids(LIVE + 1)])
    assert [len(some) for some in asked(plan(many(120)), live=False)] == [BULK, BULK, 20]
    assert not few.more


def test_doubtful_and_undecided_ones_share_the_live_questions_by_their_dates() -> None:
    doubtful = [due(one, due_at=10 + number + number // 2) for number, one in enumerate(ids(3, 100))]
    undecided = [due(one, due_at=9 + 3 * number) for number, one in enumerate(ids(4, 200))]
    made = plan(many(2, 300), doubtful=doubtful, undecided=undecided)
    wanted = [conversation(number) for number in (200, 100, 101, 201, 102)]
    assert asked(made, live=True) == [[one] for one in wanted]
    assert asked(made, live=False) == [ids(2, 300)]
    assert made.more


def test_one_undecided_that_is_due_again_is_asked_about_as_it_is_now() -> None:
    before, now = due(A, due_at=1), due(A, due_at=3, covered_at=2)
    made = plan([now], undecided=[before], calls=Calls.FEW, now=4)
    assert [question.about for question in made.questions] == [(now,)]


def test_hundreds_in_doubt_that_are_due_later_do_not_delay_one_that_has_ended() -> None:
    doubtful = [due(one, due_at=5000, covered_at=1) for one in ids(200, 100)]

    made = plan([], doubtful=doubtful, undecided=[due(A, due_at=2000)])

    assert asked(made, live=True)[0] == [A]


@pytest.mark.parametrize("others", [0, 20])
def test_one_that_is_in_doubt_and_due_is_asked_about_once(others: int) -> None:
    some = many(others, 100)
    made = plan([due(), *some], doubtful=[due()])
    assert (asked(made, live=True), asked(made, live=False)) == ([[A]], [[one.id for one in some]] if others else [])


@pytest.mark.parametrize("count", [1, 30])
def test_while_analytics_rest_the_live_view_is_asked_and_the_other_way_round(count: int) -> None:
    without_bulk, without_live = plan(many(count), bulk=False), plan(many(count), live=None)
    assert asked(without_bulk, live=False) == []
    assert asked(without_bulk, live=True) == [[one] for one in ids(min(count, LIVE))]
    assert without_bulk.more == (count > LIVE)
    assert asked(without_live, live=False) == [ids(count)]
    assert asked(without_live, live=True) == []


def test_while_both_rest_nothing_is_asked_and_all_are_left() -> None:
    made = plan(many(3), live=None, bulk=False)
    assert (made.questions, made.more) == ((), True)


def failing(some: Sequence[Due], bad: set[str], sizes: GroupSizes, *, timed_out: bool = False) -> list[list[str]]:
    """Ask in bulk until each conversation is answered or left to the live view; returns the questions."""
    left, questions = list(some), []
    while left:
        groups = asked(plan(left, live=None, sizes=sizes), live=False)
        if not groups:
            break
        for group in groups:
            questions.append(group)
            if bad & set(group):
                sizes.failed(group, down=False, timed_out=timed_out)
            else:
                sizes.answered(group)
                left = [one for one in left if one.id not in group]
    assert {one.id for one in left} >= bad
    assert timed_out or len(left) == len(bad)
    return questions


@pytest.mark.parametrize("position", range(50))
def test_one_that_spoils_its_question_is_found_with_few_calls(position: int) -> None:
    sizes = GroupSizes()
    questions = failing(many(50), {conversation(position)}, sizes)
    assert len(questions) <= 1 + 2 * 6
    assert sum(conversation(position) in question for question in questions) <= 7
    assert sizes.most(conversation(position)) == 0

    again = failing(many(50), {conversation(position)}, sizes)
    assert len(again) <= 3  # it is remembered, and at most two others that were tried alone


@pytest.mark.parametrize("position", range(50))
def test_one_that_lets_its_question_time_out_costs_two_time_limits(position: int) -> None:
    bad = conversation(position)
    sizes = GroupSizes()

    questions = failing(many(50), {bad}, sizes, timed_out=True)

    assert sum(bad in question for question in questions) == 2
    assert max(len(question) for question in questions[1:]) == 8
    assert sum(sizes.most(conversation(number)) == 0 for number in range(50)) <= 8


def test_several_that_spoil_their_questions_are_found_too() -> None:
    bad = {conversation(number) for number in (0, 7, 8, 33, 49)}
    assert len(failing(many(50), bad, GroupSizes())) < 60


def test_one_left_to_the_live_view_is_asked_about_live_though_many_are_due() -> None:
    sizes = GroupSizes()
    sizes.failed([A], down=False)
    made = plan(many(120), sizes=sizes)
    assert asked(made, live=True) == [[A]]
    assert all(A not in some for some in asked(made, live=False))
    assert not made.more


def test_when_analytics_are_down_no_conversation_is_the_cause() -> None:
    sizes = GroupSizes()
    some = ids(50)
    sizes.failed(some, down=False)
    sizes.failed(some[:25], down=True)
    assert {sizes.most(one) for one in some} == {BULK}


def test_what_was_found_before_the_last_answer_is_kept_when_analytics_go_down() -> None:
    sizes = GroupSizes()
    sizes.failed([A], down=False)
    sizes.answered(ids(2, 10))
    sizes.failed(ids(2, 20), down=True)
    assert sizes.most(A) == 0


def test_only_so_many_are_remembered() -> None:
    sizes = GroupSizes()
    for start in range(0, 3000, 50):
        sizes.failed(ids(50, start), down=False)
    assert [sizes.most(one) < BULK for one in ids(3000)] == [False] * 1000 + [True] * 2000, "the oldest are forgotten"

    sizes.failed(ids(2), down=True)
    assert {sizes.most(one) for one in ids(3000)} == {BULK}


def test_an_answer_lifts_the_limit_of_several_and_not_of_one_alone() -> None:
    sizes = GroupSizes()
    sizes.failed(ids(3), down=False)
    sizes.answered(ids(1))
    assert sizes.most(conversation(0)) == 2

    sizes.answered(ids(2))
    assert [sizes.most(one) for one in ids(3)] == [BULK, BULK, 2]


def test_the_largest_groups_come_first_and_those_left_to_the_live_view_in_none() -> None:
    sizes = GroupSizes()
    sizes.failed(ids(1), down=False)
    sizes.failed(ids(3, 1), down=False)
    assert list(sizes.groups(ids(6))) == [ids(2, 4), ids(2, 1), ids(1, 3)]


def test_of_those_due_at_the_same_moment_any_may_be_first() -> None:
    made = plan([due(one) for one in ids(LIVE + 1)], bulk=False)
    assert asked(made, live=True) == [[one] for one in ids(LIVE)]


@pytest.mark.parametrize(
    ("one", "finding", "wanted"),
    [
        (due(), {"shown": True}, None),
        (due(), {"shown": True, "ended_at": 1}, True),
        (due(), {"shown": True, "ended_at": 1, "provable_at": 600_000}, False),
        (due(), {"shown": True, "ended_at": 1, "over": True}, False),
        (due(deadline_at=500_000), {"shown": True}, True),
        (due(covered_at=200_000), {"shown": False}, True),
        (due(covered_at=200_001), {"shown": False}, None),
        (due(uncovered_since=1), {"shown": False}, None),
        (due(uncovered_since=1, unknown_since=5), {"shown": False}, True),
        (due(unknown_since=5), {"shown": True}, None),
    ],
    ids=[
        "goes on",
        "ended, and analytics can't tell more",
        "ended, and analytics prove it later",
        "over, but something was newer",
        "past its deadline",
        "should be shown",
        "may be late",
        "uncovered",
        "unknown",
        "known now",
    ],
)
def test_what_analytics_leave_to_the_live_view(one: Due, finding: dict[str, Any], wanted: bool | None) -> None:
    left = left_to_live_view(one, Finding(asked_at=500_000, **finding), SETTLE_MS)
    assert left == (None if wanted is None else Undecided(about=one, for_good=wanted))


@pytest.mark.parametrize(
    ("finding", "changed_at", "at"),
    [
        ({}, 0, 900_000),
        ({"over": True}, 0, 600_000),
        ({"over": True}, 450_000, 550_000),
        ({"provable_at": 550_000}, 0, 550_000),
        ({"provable_at": 950_000}, 0, 900_000),
        ({"provable_at": 400_000}, 0, 500_000),
        ({"provable_at": 590_000, "shows_over": True}, 0, 590_000),
        ({"provable_at": 400_000, "shows_over": True}, 0, 500_000),
        ({"provable_at": 510_000, "shows_over": True}, 430_000, 530_000),
        ({"provable_at": 10**13, "shows_over": True}, 0, 600_000),
    ],
)
def test_the_next_question_comes_when_it_can_prove_the_end(finding: dict[str, Any], changed_at: int, at: int) -> None:
    found = Finding(asked_at=500_000, **finding)
    assert date_of_question(900_000, found, 500_000, settle_ms=100_000, latest_change=changed_at) == at


def ended(count: int, start: int = 0, **changes: Any) -> list[Due]:
    """Conversations that became due after an event, one each second."""
    return [due(one, due_at=1000 * n, has_record=True, **changes) for n, one in enumerate(ids(count, start), start)]


def test_when_calls_become_few_only_those_that_may_have_ended_are_asked_about_live() -> None:
    made = plan([*ended(2), *many(3, 2)], calls=Calls.FEW, now=4_000)

    assert asked(made, live=True) == [[one] for one in ids(2)]
    assert asked(made, live=False) == []
    assert made.waits_ms == 1_002  # the first of the three was due at 2


@pytest.mark.parametrize(("registered_at", "fresh"), [(0, False), (96_000, False), (97_000, True), (200_000, True)])
def test_a_conversation_covered_long_after_its_last_change_had_a_gap(registered_at: int, fresh: bool) -> None:
    assert is_fresh(due(covered_at=99_500, deadline_at=registered_at + 10**6), 10**6) == fresh
    assert not is_fresh(due(covered_at=None), 10**6)


def test_one_that_waits_too_long_for_its_live_question_is_asked_about_in_bulk() -> None:
    some = ended(12)
    made = plan(some, live=2, calls=Calls.FEW, now=11_000)
    assert asked(made, live=True) == [[one.id] for one in some[7:9]]
    assert asked(made, live=False) == [[one.id for one in some[:7]]]


def test_one_asked_about_since_its_event_may_have_ended_no_more_than_any_other() -> None:
    made = plan(ended(1, asked=1), calls=Calls.FEW, now=1)
    assert (made.questions, made.waits_ms) == ((), PATIENCE_MS - 1)


def test_while_calls_are_scarce_only_what_nothing_else_decides_is_asked_about_live() -> None:
    waits, for_good = due(A), due(conversation(2))
    some = plan(ended(1), undecided=[waits], calls=Calls.SCARCE)
    assert asked(some, live=True) == []
    assert asked(plan([], undecided=[for_good], for_good=True, calls=Calls.SCARCE), live=True) == [[for_good.id]]


@pytest.mark.parametrize("calls", [Calls.FEW, Calls.SCARCE])
def test_a_bulk_question_waits_for_others_but_not_for_long(calls: Calls) -> None:
    some = many(BULK + 10)
    early, late = plan(some, calls=calls, now=PATIENCE_MS), plan(some, calls=calls, now=PATIENCE_MS + BULK)
    assert [len(group) for group in asked(early, live=False)] == [BULK]
    assert early.waits_ms == BULK
    assert [len(group) for group in asked(late, live=False)] == [BULK, 10]
    assert late.waits_ms is None


@pytest.mark.parametrize("calls", [Calls.FEW, Calls.SCARCE])
def test_one_that_a_wrong_clock_dated_in_the_future_does_not_wait_for_others(calls: Calls) -> None:
    made = plan([due(A, due_at=10**13)], calls=calls, now=1_000)
    assert (asked(made, live=False), made.waits_ms) == ([[A]], None)


def test_the_halves_of_a_failed_question_do_not_wait_for_others_again() -> None:
    some, sizes = many(BULK), GroupSizes()
    sizes.failed([one.id for one in some], down=False)
    halves = asked(plan(some, calls=Calls.SCARCE, now=0, sizes=sizes), live=False)
    assert [len(group) for group in halves] == [BULK // 2] * 2


def test_while_analytics_rest_scarce_calls_keep_no_one_from_the_live_view() -> None:
    made = plan(many(3), bulk=False, calls=Calls.SCARCE)
    assert asked(made, live=True) == [[one] for one in ids(3)]


def test_a_few_wait_for_their_live_questions_while_calls_are_plenty() -> None:
    made = plan(many(3), live=1)
    assert (asked(made, live=True), asked(made, live=False), made.more) == ([ids(1)], [], True)
