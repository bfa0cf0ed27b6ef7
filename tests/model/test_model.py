"""The rules as decided keep every promise in each state that a fault can lead to; each of them is needed."""

import pytest

from tests.model.scenarios import ACCEPTED, KEPT, MISSING, Scenario


def short(scenarios: tuple[Scenario, ...]) -> list[object]:
    return [pytest.param(scenario, id=scenario.name) for scenario in scenarios if not scenario.long]


@pytest.mark.parametrize("scenario", short(KEPT))
def test_the_rules_as_decided_keep_all_promises(scenario: Scenario) -> None:
    found = scenario.run()
    assert found.broken is None, found.trace
    assert found.states > 100


@pytest.mark.parametrize("scenario", short(MISSING))
def test_without_one_of_the_rules_a_promise_is_broken(scenario: Scenario) -> None:
    found = scenario.run()
    assert scenario.broken is not None
    assert (found.broken or "").endswith(scenario.broken), found.trace


@pytest.mark.parametrize("scenario", short(ACCEPTED))
def test_the_accepted_exceptions_are_still_the_known_ones(scenario: Scenario) -> None:
    found = scenario.run()
    assert (found.broken or "kept") == scenario.broken, found.trace
