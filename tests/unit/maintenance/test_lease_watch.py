"""An instance is suspected when it was seen for a whole lease to renew nothing."""

from math import inf

import pytest

from genesys_gateway.maintenance.lease_watch import LeaseWatch

LEASE = 30.0


@pytest.fixture
def watch() -> LeaseWatch:
    return LeaseWatch(LEASE)


def test_one_that_renews_is_never_suspected(watch: LeaseWatch) -> None:
    for now in range(0, 300, 10):
        watch.look({"a": now}, now)
        assert watch.suspects(now) == []


def test_one_that_renews_nothing_is_suspected_after_a_whole_lease(watch: LeaseWatch) -> None:
    for now in (0.0, 10.0, 20.0, 29.9):
        watch.look({"a": 1, "b": int(now)}, now)
        assert watch.suspects(now) == []
    watch.look({"a": 1, "b": 30}, 30.0)
    assert watch.suspects(30.0) == ["a"]


def test_after_a_gap_of_more_than_half_a_lease_between_two_looks_all_begins_anew(watch: LeaseWatch) -> None:
    watch.look({"a": 1}, 0.0)
    watch.look({"a": 1}, 15.0)
    watch.look({"a": 1}, 30.1)
    assert watch.suspects(30.1) == []
    assert watch.next_suspect_at() == 60.1


def test_one_that_is_gone_is_forgotten(watch: LeaseWatch) -> None:
    watch.look({"a": 1}, 0.0)
    watch.look({}, 10.0)
    watch.look({"a": 1}, 20.0)
    assert watch.suspects(30.0) == []


def test_it_tells_when_the_next_one_becomes_suspect(watch: LeaseWatch) -> None:
    assert watch.next_suspect_at() == inf
    watch.look({"a": 1}, 5.0)
    watch.look({"a": 1, "b": 1}, 10.0)
    assert watch.next_suspect_at() == 35.0
