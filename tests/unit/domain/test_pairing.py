"""Reports of the same after-call work find each other, one of each kind, in whichever order they came."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_gateway.domain.pairing import APART_MS, Kind, Report, place

SECOND = 1000
Works = dict[str, list[Report]]


def session(name: str, at: int | None, agent: str | None = "a", participant: str | None = None) -> Report:
    """An event that names its session, and a participant of the same number unless another one is given."""
    return Report(
        id=f"session-{name}",
        kind=Kind.SESSION,
        participant_id=participant or f"p-{name}",
        session_id=f"s-{name}",
        user_id=agent,
        event_time=at,
    )


def by_agent(name: str, at: int | None, agent: str | None = "a", **named: Any) -> Report:
    """An event that names agent and time, and perhaps participant or session."""
    bare = Report(
        id=f"agent-{name}", kind=Kind.AGENT, participant_id=None, session_id=None, user_id=agent, event_time=at
    )
    return replace(bare, **named)


def result(name: str, at: int | None, agent: str | None = "a") -> Report:
    """A supportResult."""
    return replace(by_agent(name, at, agent), id=f"result-{name}", kind=Kind.RESULT)


def stored(reports: Iterable[Report]) -> Works:
    """The works that are known after these reports came in this order."""
    works: Works = {}
    for new in reports:
        moves = place(new, works)
        if not moves:
            works[new.id] = [new]
        else:
            assert moves[0][0] == new
        for report, work in moves:
            for reports_of_one in works.values():
                if report in reports_of_one:
                    reports_of_one.remove(report)
            works[work].append(report)
    return works


def together(works: Works) -> set[frozenset[str]]:
    """The ids of the reports of each work."""
    return {frozenset(report.id for report in reports) for reports in works.values()}


KINDS = {"session": session, "agent": by_agent, "result": result}


@pytest.mark.parametrize(
    ("first", "second"), [(one, other) for one in KINDS for other in KINDS if one != other], ids=str
)
@pytest.mark.parametrize(("apart", "works"), [(0, 1), (1, 1), (-APART_MS, 1), (APART_MS, 1), (APART_MS + 1, 2)])
def test_two_kinds_are_one_work_up_to_two_minutes_apart(first: str, second: str, apart: int, works: int) -> None:
    assert len(stored([KINDS[first]("1", 0), KINDS[second]("1", apart)])) == works


@pytest.mark.parametrize("kind", KINDS)
def test_two_reports_of_one_kind_are_two_works(kind: str) -> None:
    assert len(stored([KINDS[kind]("1", 0), KINDS[kind]("2", 0)])) == 2


@pytest.mark.parametrize("other", [session("1", 0, "b"), session("1", 0, None), session("1", None)])
def test_another_agent_or_an_unknown_agent_or_time_is_another_work(other: Report) -> None:
    for order in permutations([other, by_agent("1", 0)]):
        assert len(stored(order)) == 2


def test_the_same_session_of_another_participant_is_another_work() -> None:
    other = replace(session("1", 0, participant="p-other"), id="session-other")

    for order in permutations([session("1", 0), other]):
        assert len(stored(order)) == 2


def test_the_session_that_is_named_outweighs_what_is_nearer() -> None:
    works = stored([result("1", 0), session("2", 300 * SECOND), by_agent("1", 0, session_id="s-2")])

    assert together(works) == {frozenset({"result-1"}), frozenset({"session-2", "agent-1"})}


def test_three_reports_of_one_work_are_one_in_any_order() -> None:
    for order in permutations([result("1", 0), by_agent("1", 100), session("1", 500)]):
        assert len(stored(order)) == 1


def test_the_one_between_joins_what_is_too_far_apart_without_it() -> None:
    works = stored([result("1", 0), by_agent("1", 110 * SECOND), session("1", 220 * SECOND)])

    assert together(works) == {frozenset({"result-1", "agent-1", "session-1"})}


def test_the_nearest_is_taken_and_then_the_nearest_that_is_left() -> None:
    works = stored([session("1", -100), session("2", 99), session("3", 5000), by_agent("1", 0), by_agent("2", 1)])

    assert together(works) == {
        frozenset({"session-2", "agent-1"}),
        frozenset({"session-1", "agent-2"}),
        frozenset({"session-3"}),
    }


def test_of_two_as_near_the_same_is_taken_in_every_process() -> None:
    one, other = session("1", -50), session("2", 50)

    for order in permutations([one, other]):
        assert frozenset({"session-1", "agent-1"}) in together(stored([*order, by_agent("1", 0)]))


def two_works(doubled: Sequence[str], offsets: Sequence[int], apart: int) -> list[Report]:
    """Two works of one agent, each reported by each of these kinds, each kind late by its offset."""
    return [
        KINDS[kind](str(number), number * apart + offset)
        for number in range(2)
        for kind, offset in zip(doubled, offsets, strict=True)
    ]


@pytest.mark.parametrize(
    ("kinds", "offsets", "apart"),
    [
        (("result", "session"), (0, 110), 200),
        (("agent", "session"), (0, 110), 200),
        (("result", "agent"), (0, 110), 200),
        (("session", "result"), (0, 110), 200),
        (("agent", "session"), (0, 0), 60),
        (("agent", "session"), (0, 100), 60),
        (("result", "agent", "session"), (0, 60, 110), 200),
        (("result", "agent", "session"), (0, 0, 1), 60),
        (("result", "agent", "session"), (0, 110, 110), 10),
    ],
    ids=str,
)
def test_two_works_are_two_records_in_whichever_order_they_are_reported(
    kinds: Sequence[str], offsets: Sequence[int], apart: int
) -> None:
    reports = two_works(kinds, [offset * SECOND for offset in offsets], apart * SECOND)

    counts = {len(stored(order)) for order in permutations(reports)}

    assert counts == {2}


def test_a_report_moves_to_another_work_to_make_place_for_a_new_one() -> None:
    works = stored([result("1", 0), result("2", 200 * SECOND), session("1", 110 * SECOND), session("2", 310 * SECOND)])

    assert together(works) == {frozenset({"result-1", "session-1"}), frozenset({"result-2", "session-2"})}


def test_an_own_report_can_move_too_and_its_record_stands_for_another_work() -> None:
    order = [session("1", 110 * SECOND), result("2", 200 * SECOND), result("1", 0), session("2", 310 * SECOND)]

    works = stored(order)

    assert works.keys() == {"session-1", "result-1"}
    assert together(works) == {frozenset({"result-1", "session-1"}), frozenset({"result-2", "session-2"})}


# --- participant and session ---


def test_another_participant_is_another_work_however_near() -> None:
    assert len(stored([by_agent("1", 0, participant_id="p-1"), session("2", 0)])) == 2
    assert len(stored([by_agent("1", 0, participant_id="p-1"), session("1", 0)])) == 1


def test_what_a_counterpart_names_counts_too() -> None:
    works = stored([result("1", 0), by_agent("1", 0, participant_id="p-1"), session("2", 0)])

    assert together(works) == {frozenset({"result-1", "agent-1"}), frozenset({"session-2"})}


def test_the_same_session_is_the_same_work_at_any_time() -> None:
    far = by_agent("1", 3_600_000, session_id="s-1")

    for order in permutations([far, session("1", 0)]):
        assert len(stored(order)) == 1


def test_an_event_of_a_session_that_comes_again_later_is_no_second_work() -> None:
    once, again = by_agent("1", 0, session_id="s-1"), by_agent("2", 3_600_000, session_id="s-1")

    for order in permutations([once, again, session("1", 5)]):
        assert len(stored(order)) == 1


def test_the_one_that_names_the_session_takes_the_place_of_one_that_was_only_near() -> None:
    works = stored([session("1", 0), session("2", 50), by_agent("2", 10), by_agent("1", 90, session_id="s-1")])

    assert together(works) == {frozenset({"session-1", "agent-1"}), frozenset({"session-2", "agent-2"})}


def test_one_that_finds_no_other_place_stays_beside_the_one_that_names_the_session() -> None:
    works = stored([session("1", 0), by_agent("2", 10), by_agent("1", 90, session_id="s-1")])

    assert together(works) == {frozenset({"session-1", "agent-1", "agent-2"})}


# --- any reports at all ---


def greatest_matching(ones: Sequence[int], others: Sequence[int]) -> int:
    """The greatest number of pairs up to two minutes apart, by trying everything."""
    if not ones:
        return 0
    first, rest = ones[0], ones[1:]
    without = greatest_matching(rest, others)
    near = [at for at, other in enumerate(others) if abs(first - other) <= APART_MS]
    return max([without, *(1 + greatest_matching(rest, [*others[:at], *others[at + 1 :]]) for at in near)])


TIMES = st.lists(st.integers(0, 8).map(lambda number: number * 55 * SECOND), max_size=4)


@given(TIMES, TIMES, st.randoms(use_true_random=False))
def test_as_few_works_as_possible_are_made_of_two_kinds(
    results: list[int],
    sessions: list[int],
    random: Random,
) -> None:
    reports = [result(str(number), at) for number, at in enumerate(results)]
    reports += [session(str(number), at) for number, at in enumerate(sessions)]
    random.shuffle(reports)

    works = stored(reports)

    assert len(works) == len(reports) - greatest_matching(results, sessions)
    for one in works.values():
        assert len({report.kind for report in one}) == len(one)
