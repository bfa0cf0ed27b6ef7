"""Traffic of the simulator, on a clock that is advanced by hand: what begins, ends and is wrapped up, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from genesys_gateway.simulator.channels import Channels
from genesys_gateway.simulator.contact_centre import ContactCentre
from genesys_gateway.simulator.errors import ControlError
from genesys_gateway.simulator.faults import Faults
from genesys_gateway.simulator.ledger import Ledger
from genesys_gateway.simulator.options import Options
from genesys_gateway.simulator.traffic import TrafficPlayer
from genesys_gateway.simulator.traffic_plan import TrafficPlan
from tests.doubles.stepped_clock import SteppedClock


@dataclass
class Stage:
    """A player with its contact centre and its clock."""

    clock: SteppedClock = field(default_factory=SteppedClock)
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        channels = Channels(clock=self.clock, options=Options(), ledger=self.ledger, faults=Faults(clock=self.clock))
        self.contact_centre = ContactCentre(channels=channels, ledger=self.ledger)
        self.player = TrafficPlayer(self.clock, self.contact_centre, self.ledger)

    def start(self, **parameters: Any) -> None:
        self.player.start(TrafficPlan.of(parameters))

    def numbers(self, *names: str) -> list[int]:
        found = self.player.numbers()
        return [found[name] for name in names]


def test_a_conversation_begins_ends_and_is_wrapped_up_in_this_order() -> None:
    stage = Stage()
    stage.start(perMinute=60, seconds=1, talkSeconds=100, spread=0, acwSeconds=30)

    stage.clock.let_pass(1)
    assert stage.numbers("begun", "goingOn", "inAcw", "finished") == [1, 1, 0, 0]
    stage.clock.let_pass(100)
    assert stage.numbers("goingOn", "ended", "inAcw", "finished") == [0, 1, 1, 0]
    stage.clock.let_pass(30)
    assert stage.numbers("goingOn", "ended", "inAcw", "finished") == [0, 1, 0, 1]

    (played,) = stage.ledger.played.values()
    assert played.ended == pytest.approx(played.began + 100_000, abs=1)
    assert played.finished == pytest.approx(played.began + 130_000, abs=1)
    assert (played.told, played.registered, played.listened, played.unheard) == (None, None, None, None)


def test_the_wrap_up_that_is_announced_lasted_as_long_as_the_after_call_work() -> None:
    stage = Stage()
    stage.start(perMinute=60, seconds=1, talkSeconds=10, acwSeconds=20)
    stage.clock.let_pass(60)
    (conversation,) = stage.contact_centre.conversations.values()
    (agent,) = conversation.agents
    assert agent.final_wrapup is not None
    assert agent.final_wrapup.duration_ms == pytest.approx(20_000, abs=1)


def test_a_full_contact_centre_stays_full() -> None:
    stage = Stage()
    stage.start(perMinute=600, talkSeconds=120, standing=1200, standingPerSecond=1000, acwSeconds=0)
    stage.clock.let_pass(2)
    for _ in range(12):
        (going_on,) = stage.numbers("goingOn")
        assert 1120 < going_on < 1280
        stage.clock.let_pass(60)


def test_after_its_seconds_nothing_begins_and_what_goes_on_ends() -> None:
    stage = Stage()
    stage.start(perMinute=60, seconds=60, talkSeconds=30)
    stage.clock.let_pass(61)
    assert stage.player.numbers()["playing"] is False
    stage.clock.let_pass(3600)
    assert stage.numbers("begun", "ended", "finished", "goingOn", "inAcw") == [60, 60, 60, 0, 0]


def test_what_was_begun_still_ends_after_a_stop() -> None:
    stage = Stage()
    stage.start(perMinute=60, talkSeconds=30)
    stage.clock.let_pass(60)
    stage.player.stop()
    stage.player.stop()
    stage.clock.let_pass(3600)
    assert stage.numbers("begun", "ended", "finished") == [60, 60, 60]


def test_what_was_begun_and_is_abandoned_goes_on_for_ever() -> None:
    stage = Stage()
    stage.start(perMinute=60, talkSeconds=600)
    stage.clock.let_pass(60)
    stage.player.stop()
    stage.player.stop(abandon=True)
    stage.clock.let_pass(3600)
    assert stage.numbers("begun", "ended", "goingOn") == [60, 0, 60]


def test_lasting_ones_end_only_after_the_stop_spread_over_a_talk() -> None:
    stage = Stage()
    stage.start(perMinute=60, seconds=60, lasting=100, talkSeconds=60, spread=0)
    stage.clock.let_pass(3600)
    assert stage.numbers("playing", "begun", "goingOn") == [True, 160, 100]

    stage.player.stop()
    stage.clock.let_pass(30)
    assert 48 <= stage.numbers("goingOn")[0] <= 52
    stage.clock.let_pass(60)
    assert stage.numbers("playing", "goingOn") == [False, 0]


def test_without_after_call_work_nothing_is_announced() -> None:
    stage = Stage()
    stage.start(perMinute=60, seconds=60, talkSeconds=30, withoutAcw=1)
    stage.clock.let_pass(3600)
    assert stage.numbers("ended", "inAcw", "finished") == [60, 0, 0]
    assert stage.ledger.finished == {}
    assert {played.finished for played in stage.ledger.played.values()} == {None}


def test_agents_of_the_pool_have_names_and_keep_their_ids() -> None:
    ids = []
    for _ in range(2):
        stage = Stage()
        stage.start(perMinute=600, seconds=60, agents=3)
        stage.clock.let_pass(60)
        names = {name: user for user, name in stage.contact_centre.users.items()}
        ids.append([names[f"Agent 00{number}"] for number in (1, 2, 3)])
    assert ids[0] == ids[1]


def test_a_second_traffic_has_to_wait_until_the_first_is_stopped() -> None:
    stage = Stage()
    stage.start(perMinute=60)
    with pytest.raises(ControlError) as refused:
        stage.start(perMinute=60)
    assert refused.value.status == 409
    stage.clock.let_pass(60)
    stage.player.stop()

    stage.start(perMinute=6, seconds=60, talkSeconds=1)
    stage.clock.let_pass(3600)
    assert stage.numbers("begun", "finished") == [6, 6]
    assert len(stage.ledger.finished) == 66


def test_the_same_seed_may_be_played_again() -> None:
    stage = Stage()
    for _ in range(2):
        stage.start(perMinute=60, seconds=60, talkSeconds=1)
        stage.clock.let_pass(120)
    assert len(stage.contact_centre.conversations) == 120


def test_after_a_jump_of_the_clock_it_is_as_if_the_time_had_passed() -> None:
    stage = Stage()
    stage.start(perMinute=60, talkSeconds=60, spread=0, acwSeconds=0)
    stage.clock.jump(3600)
    begun, going_on = stage.numbers("begun", "goingOn")
    assert 3599 <= begun <= 3600
    assert 59 <= going_on <= 61


def test_a_person_may_wrap_up_and_end_a_conversation_of_the_traffic_first() -> None:
    stage = Stage()
    stage.start(perMinute=60, seconds=1, talkSeconds=100, acwSeconds=10)
    stage.clock.let_pass(1)
    (conversation,) = stage.contact_centre.conversations.values()
    (agent,) = conversation.agents
    stage.contact_centre.wrap_up(conversation, agent, None, None, 5)
    stage.contact_centre.end(conversation)
    stage.clock.let_pass(3600)
    assert stage.numbers("ended", "finished", "inAcw") == [1, 1, 0]
    assert [acw.announced for acw in stage.ledger.finished.values()] == [1]


def test_no_record_is_expected_when_nobody_is_told() -> None:
    stage = Stage()
    stage.start(perMinute=60, seconds=60, talkSeconds=1)
    stage.clock.let_pass(3600)
    assert {acw.expected for acw in stage.ledger.finished.values()} == {False}


def test_the_ledger_forgets_the_oldest_conversations() -> None:
    stage = Stage(ledger=Ledger(played_kept=10))
    stage.start(perMinute=60, seconds=60, talkSeconds=1)
    stage.clock.let_pass(3600)
    kept = stage.ledger.parts()["conversations"]()
    newest = list(stage.contact_centre.conversations)[-10:]
    assert [played["conversationId"] for played in kept] == newest


def test_before_any_traffic_all_numbers_are_zero() -> None:
    player = Stage().player
    player.stop()
    assert set(player.numbers().values()) == {False}
    assert player.as_json()["plan"] is None
