"""A tenth of the full load, which comes and goes: covered and recorded soon, topics given back in time, few calls."""

from dataclasses import replace

from tests.benchmarks.motion.figures import figures
from tests.benchmarks.motion.loads import LOADS, Load
from tests.benchmarks.motion.play import Played, run
from tests.benchmarks.motion.verdict import claim, note_figures
from tests.harness import judge
from tests.harness.stage import Stage

SECONDS = 1800
_SCALE = 0.1


def play(stage: Stage) -> None:
    """1,500 conversations stand, 190 begin and 190 end a minute; 1,900 topics and 98 calls a minute."""
    full = next(load for load in LOADS if load.name == "full")
    load = full.smaller(_SCALE, minutes=stage.scale.of(full=10.0, fast=2.0))
    if stage.scale.of(full=False, fast=True):
        load = _sooner(load)
    played = run(load, stage)
    found = figures(played.ledger, played.window, load.capacity)
    note_figures(stage.report, found)
    claim(stage.report, load, found)
    _claim_subscriptions(stage, played)
    judge.nothing_lost_nothing_doubled(stage.report, played.simulator)
    judge.one_socket_per_channel(stage.report, played.simulator)


def _sooner(load: Load) -> Load:
    """The same with analytics that are believed after a minute, so that the end does not take so long."""
    promise = replace(load.promise, given_back_p99=240.0)
    return replace(load, promise=promise, settle_seconds=60.0)


def _claim_subscriptions(stage: Stage, played: Played) -> None:
    """Calls are scarce the whole time: a call for each conversation would take twice the limit."""
    changes = judge.changes_of_subscriptions(played.ledger.calls)
    under_load = [call["at"] for call in changes if played.window.holds(call["at"])]
    seconds = played.window.minutes * 60
    text = "at most one subscription call a second while calls are scarce"
    stage.report.claim(text, 0 < len(under_load) <= seconds, f"{len(under_load)} in {seconds:.0f} s")
