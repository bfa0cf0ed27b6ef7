"""Names are asked for once, remembered for a day, and forgotten before they fill the memory."""

from typing import cast

import gevent
import pytest

from genesys_gateway.genesys import name_cache as names_module
from genesys_gateway.genesys.client import Genesys
from genesys_gateway.genesys.name_cache import NameCache
from genesys_gateway.runtime.errors import TransientFailure
from tests.doubles.runtime import FakeClock

USER = "8d7f1c52-9c4f-4a4e-8a5b-1f5b6f0a2c11"
DAY, HOUR = 86400, 3600


class Answers:
    """Stands in for Genesys, as far as names go."""

    def __init__(self, **names: str | None) -> None:
        self.names = names
        self.asked: list[str] = []
        self.failing = False

    def user_name(self, user_id: str) -> str | None:
        return self._name(user_id)

    def wrapup_name(self, code: str) -> str | None:
        return self._name(code)

    def _name(self, one: str) -> str | None:
        self.asked.append(one)
        gevent.sleep(0)
        if self.failing:
            raise TransientFailure("not now")
        return self.names.get(one)


class House:
    def __init__(self, **known: str | None) -> None:
        self.clock = FakeClock()
        self.genesys = Answers(**known)
        self.names = NameCache(cast(Genesys, self.genesys), self.clock)


def test_a_name_is_asked_for_once_a_day() -> None:
    house = House(u="Maria Cruz")

    assert [house.names.agent("u"), house.names.agent("u")] == ["Maria Cruz"] * 2
    house.clock.advance(DAY - 1)
    house.names.agent("u")
    assert house.genesys.asked == ["u"]

    house.clock.advance(1)
    house.names.agent("u")
    assert house.genesys.asked == ["u", "u"]


def test_that_there_is_no_name_is_remembered_for_an_hour() -> None:
    house = House()

    assert house.names.wrapup("ININ-WRAP-UP-TIMEOUT") is None
    house.clock.advance(HOUR - 1)
    house.names.wrapup("ININ-WRAP-UP-TIMEOUT")
    assert len(house.genesys.asked) == 1

    house.clock.advance(1)
    house.genesys.names["ININ-WRAP-UP-TIMEOUT"] = "Timeout"
    assert house.names.wrapup("ININ-WRAP-UP-TIMEOUT") == "Timeout"


def test_without_an_id_there_is_nothing_to_ask() -> None:
    house = House()

    assert (house.names.agent(None), house.names.wrapup(None), house.names.wrapup("")) == (None, None, None)
    assert house.genesys.asked == []


def test_an_agent_and_a_code_of_the_same_id_are_two_names() -> None:
    house = House(same="x")
    house.names.agent("same")

    house.names.wrapup("same")

    assert len(house.genesys.asked) == 2


def test_many_who_ask_for_one_name_cost_one_call() -> None:
    house = House(u="Maria Cruz", v="Jose Ramos")

    crowd = [gevent.spawn(house.names.agent, one) for one in "uv" * 50]
    gevent.joinall(crowd)

    assert [one.value for one in crowd] == ["Maria Cruz", "Jose Ramos"] * 50
    assert sorted(house.genesys.asked) == ["u", "v"]


def test_a_failure_is_raised_and_asked_again() -> None:
    house = House(u="Maria Cruz")
    house.genesys.failing = True
    with pytest.raises(TransientFailure):
        house.names.agent("u")

    house.genesys.failing = False

    assert house.names.agent("u") == "Maria Cruz"


def test_known_tells_whether_a_call_would_be_made() -> None:
    house = House(u="Maria Cruz")
    known = house.names.known

    assert known(None, None)
    assert not known("u", None)
    house.names.agent("u")
    assert known("u", None)
    assert not known("u", "code")
    house.names.wrapup("code")
    assert known("u", "code")
    house.clock.advance(HOUR)
    assert not known("u", "code")
    assert house.genesys.asked == ["u", "code"]


def test_the_one_not_asked_for_the_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "MAX_NAMES", 3)
    house = House()
    for one in "abc":
        house.names.agent(one)

    house.names.agent("a")
    house.names.agent("d")

    assert [house.names.known(one, None) for one in "abcd"] == [True, False, True, True]
