"""Which lost instances nothing runs in place of: one newcomer takes one place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_gateway.storage.statements.succession import Life, telling, unreplaced

#: Milliseconds in a unit of the times below.
UNIT = 10_000
NOW = 1000
TIMES = ("renewed_at", "lease_until", "ended_at")


def running(name: str, started_at: float, endpoint: str | None = None) -> Life:
    return life(name, started_at, endpoint=endpoint, renewed_at=NOW - 1, lease_until=NOW + 20)


def lost(name: str, renewed_at: int, endpoint: str | None = None, *, declared: bool = True) -> Life:
    ended_at = renewed_at + 30 if declared else None
    return life(name, 0, endpoint=endpoint, renewed_at=renewed_at, lease_until=renewed_at + 20, ended_at=ended_at)


def left(name: str, ended_at: int, endpoint: str | None = None) -> Life:
    return life(name, 1, endpoint=endpoint, renewed_at=ended_at, lease_until=ended_at, ended_at=ended_at, left=True)


def life(name: str, started_at: float, **facts: Any) -> Life:
    times = {fact: round(at * UNIT) for fact, at in facts.items() if fact in TIMES and at is not None}
    return Life(id=name, started_at=round(started_at * UNIT), **{"ended_at": None, "left": False} | facts | times)


def missing(*lives: Life) -> list[str]:
    return [one.id for one in unreplaced(lives, NOW * UNIT)]


def test_nothing_is_missing_while_all_run_or_have_left() -> None:
    assert missing(running("a", 1), running("b", 2), left("c", 500)) == []


def test_one_is_lost_from_the_end_of_its_lease_whether_that_was_declared_or_not() -> None:
    assert missing(running("a", 1), lost("b", 500)) == ["b"]
    assert missing(running("a", 1), lost("b", 500, declared=False)) == ["b"]
    assert missing(running("a", 1), lost("b", 990, declared=False)) == [], "its lease is not over"


def test_one_that_began_after_its_last_renewal_takes_its_place() -> None:
    assert missing(running("a", 499), lost("b", 500)) == ["b"]
    assert missing(running("a", 1), lost("b", 500), running("c", 501)) == []


def test_one_that_was_started_beside_it_takes_no_place() -> None:
    """Two are started one after the other, and the first is killed before it was seen again."""
    assert missing(lost("a", 500, "first"), running("b", 500.2, "second")) == ["a"]
    assert missing(lost("a", 500, "first"), running("b", 500.3, "second")) == []
    assert missing(lost("a", 500, "first"), running("a2", 500.1, "first")) == []
    assert missing(lost("a", 500), running("b", 500.1, "second")) == [], "it may be the same place"


def test_a_newcomer_takes_one_place_the_one_that_was_lost_first() -> None:
    assert missing(lost("b", 500), lost("c", 400), running("d", 600)) == ["b"]
    assert missing(lost("b", 500), lost("c", 400), running("d", 600), running("e", 700)) == []


def test_a_newcomer_takes_the_place_at_its_endpoint_before_any_other() -> None:
    assert missing(lost("b", 500, "here"), lost("c", 400, "there"), running("d", 600, "here")) == ["c"]


def test_the_successor_of_one_that_left_takes_no_other_place() -> None:
    """One of three is lost; then the others are restarted one after the other."""
    gone = lost("c", 400, "third")

    restarted = [left("a", 500, "first"), running("a2", 510, "first"), left("b", 520, "second")]

    assert missing(gone, *restarted) == ["c"]
    assert missing(gone, *restarted, running("b2", 530, "second")) == ["c"]
    assert missing(gone, *restarted, running("b2", 530, "second"), running("d", 540, "third")) == []


def test_the_successor_of_one_that_left_elsewhere_is_taken_for_a_newcomer() -> None:
    assert missing(lost("c", 400, "third"), left("a", 500, "pod-1"), running("a2", 510, "pod-2")) == []


def test_a_successor_that_was_lost_leaves_its_own_place_empty() -> None:
    assert missing(lost("b", 300), life("b2", 350, endpoint=None, renewed_at=500, lease_until=520)) == ["b2"]


def test_one_that_crashes_again_and_again_at_its_endpoint_is_replaced_by_the_last() -> None:
    first = lost("b", 300, "here")
    second = life("b2", 350, endpoint="here", renewed_at=500, lease_until=520)

    assert missing(first, second) == ["b2"]
    assert missing(first, second, running("b3", 600, "here")) == []


def test_at_a_reload_the_successor_begins_while_the_old_one_is_still_there() -> None:
    assert missing(lost("old", 500, "here"), running("new", 400, "here")) == []
    assert missing(lost("old", 500, "here"), running("new", 400, "there")) == ["old"]


@pytest.mark.parametrize("endpoint", ["here", None])
def test_of_a_long_chain_of_crashes_only_what_tells_something_stays(endpoint: str | None) -> None:
    two_gone = [lost("m", 100, "third"), lost("n", 110, "fourth")]
    chain = [
        life(f"c{n}", 200 + 10 * n, endpoint=endpoint, renewed_at=205 + 10 * n, lease_until=208 + 10 * n)
        for n in range(60)
    ]
    lives = [*two_gone, *chain, running("r", 900, endpoint), left("x", 500)]
    before = missing(*lives)

    kept = telling(lives, NOW * UNIT, most=50)

    assert before
    assert missing(*kept) == before
    assert sum(one.lost(NOW * UNIT) for one in kept) == 50
    assert {"r", "x"} <= {one.id for one in kept}


def test_if_too_many_are_missing_the_latest_stay() -> None:
    lives = [lost(f"l{n}", n) for n in range(1, 61)]

    assert telling(lives, NOW * UNIT, most=50) == lives[10:]
    assert telling(lives, NOW * UNIT, most=60) == lives


ENDPOINTS = st.sampled_from([None, "here", "there"])


@given(
    st.lists(st.tuples(st.integers(1, 900), ENDPOINTS), max_size=5),
    st.lists(st.tuples(st.integers(1, 900), ENDPOINTS), max_size=5),
)
def test_never_more_places_are_filled_than_newcomers_came(
    gone: list[tuple[int, str | None]], came: list[tuple[int, str | None]]
) -> None:
    losses = [lost(f"l{n}", at, there) for n, (at, there) in enumerate(gone)]
    newcomers = [running(f"r{n}", at, there) for n, (at, there) in enumerate(came)]

    found = unreplaced([*losses, *newcomers], NOW * UNIT)

    assert len(found) >= len(losses) - len(newcomers)
    assert set(found) <= set(losses)
    assert unreplaced([*reversed(newcomers), *losses], NOW * UNIT) == found
