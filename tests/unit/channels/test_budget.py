"""Places for channels in this process alone."""

from genesys_gateway.channels.budget import OwnBudget


def test_demand_gets_all_places_but_the_last_which_is_for_handovers() -> None:
    budget = OwnBudget(4)
    assert [budget.take(lambda used=used: used, handover=False) for used in (1, 3, 4)] == [True, True, False]  # type: ignore[misc]
    assert [budget.take(lambda used=used: used, handover=True) for used in (4, 5)] == [True, False]  # type: ignore[misc]
    assert budget.attainable == 3
