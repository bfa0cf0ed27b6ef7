"""The script of chaos: which party breaks when, with one instance and with several."""

from itertools import pairwise
from random import Random

from tests.chaos.script import Planned, draw

_SECONDS = 3600.0


def _plan(database: str, instances: int, seed: int = 5) -> list[Planned]:
    return draw(Random(seed), _SECONDS, database, alone=True, instances=instances)


def test_the_same_seed_gives_the_same_script() -> None:
    assert _plan("postgresql", 2) == _plan("postgresql", 2)
    assert _plan("postgresql", 2) != _plan("postgresql", 2, seed=6)


def test_each_instance_its_clock_and_its_connection_break_by_themselves() -> None:
    plan = _plan("postgresql", 2)

    of_instances = {one.party for one in plan if one.fault.of_an_instance}
    assert of_instances == {f"{party} {number}" for party in ("gateway", "clock", "connection") for number in (1, 2)}
    assert all(one.party == f"{one.fault.party} {one.instance + 1}" for one in plan if one.fault.of_an_instance)
    assert "database" in {one.party for one in plan}


def test_a_party_has_one_fault_at_a_time() -> None:
    plan = _plan("postgresql", 3)

    for party in {one.party for one in plan}:
        mine = [one for one in plan if one.party == party]
        assert all(earlier.end <= later.begin for earlier, later in pairwise(mine))


def test_every_possible_fault_comes() -> None:
    names = {one.fault.name for one in _plan("postgresql", 2)}
    assert {"frozen beyond its lease", "an hour ahead", "an hour behind", "cut", "crashed", "power cut"} <= names


def test_a_single_instance_meets_nothing_that_another_one_has_to_repair() -> None:
    for database in ("sqlite", "postgresql"):
        plan = _plan(database, 1)
        assert not [one for one in plan if one.fault.needs_several]
        assert {one.instance for one in plan} == {0}
        assert "gateway" in {one.party for one in plan}
