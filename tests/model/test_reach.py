"""What the models are to show does happen in them: otherwise their promises would be kept by doing nothing."""

from collections.abc import Iterable

from tests.model import budget, claims, ownership
from tests.model.explorer import explore


class HandedOver(ownership.Ownership):
    """Stops at a hand-over from A to B that left no gap."""

    def broken(self, state: ownership.World) -> str | None:
        left = state.a.process == ownership.DEAD
        return "reached" if left and state.owner == 1 and state.subscribed and not state.gap else None


class Lapsed(ownership.Ownership):
    """Stops when A, whose lease was declared ended, covers again under a new id what B adopted and lost."""

    def broken(self, state: ownership.World) -> str | None:
        return "reached" if state.b.row == ownership.ENDED and state.subscribed and state.owner == 0 else None


class BothHandedOver(budget.Budget):
    """Begins with A covering both conversations; stops when B covers them, and A has left."""

    def initial(self) -> Iterable[budget.World]:
        covering = budget.Instance(places=(True, True), channels=(budget.OPEN, budget.OPEN))
        covered = budget.Conversation(owner=0, subscribed=True)
        yield budget.World((covering, budget.Instance()), (covered, covered), 0)

    def broken(self, state: budget.World) -> str | None:
        broken = super().broken(state)
        covered = all(one == budget.Conversation(owner=1, subscribed=True) for one in state.conversations)
        return broken or ("reached" if covered and state.instances[0].row == budget.LEFT else None)


class Full(budget.Budget):
    """Stops when every channel of the budget is connected."""

    def broken(self, state: budget.World) -> str | None:
        broken = super().broken(state)
        connected = sum(one.channels.count(budget.OPEN) for one in state.instances)
        return broken or ("reached" if connected == budget.BUDGET else None)


class Delivered(claims.Claims):
    """Stops when the second instance has sent what the first one had claimed."""

    def broken(self, state: claims.World) -> str | None:
        broken = super().broken(state)
        return broken or ("reached" if state.stored and state.a.row == claims.LAPSED else None)


def test_a_conversation_is_handed_over_without_a_gap() -> None:
    found = explore(HandedOver(ownership.Rules(faults=0, begins_draining=True)))
    assert found.broken == "reached"
    assert "B commits take" in found.trace


def test_what_a_lapsed_instance_owned_is_adopted_and_covered() -> None:
    found = explore(Lapsed(ownership.Rules(faults=0, planned=False)))
    assert found.broken == "reached"
    assert "A commits declare" in found.trace


def test_both_conversations_are_handed_over_within_the_budget() -> None:
    found = explore(BothHandedOver(budget.Rules(faults=0)))
    assert found.broken == "reached"
    assert [step for step in found.trace if "uncovers" in step] == []


def test_a_hand_over_uses_the_last_channel_of_the_budget() -> None:
    assert explore(Full(budget.Rules(faults=0))).broken == "reached"


def test_a_record_that_a_lapsed_instance_had_claimed_is_delivered() -> None:
    assert explore(Delivered()).broken == "reached"
