"""The gateway's clock jumps a day ahead and an hour back: nothing is dead, unresolved or erased."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage

SECONDS = 300
_WRONG_CLOCK = Path(__file__).resolve().parents[1] / "wrong_clock"
_COUNT = 30
#: Shorter than the jump, so that the jump passes every date.
_DATES = {"GATEWAY_FOLLOW_DEADLINE_SECONDS": 43_200, "GATEWAY_RETRY_LIMIT_HOURS": 12, "GATEWAY_RETRY_MAX_SECONDS": 10}


def play(stage: Stage) -> None:
    """Records wait for a receiver that is away, conversations are open, when the clock jumps."""
    offset = stage.folder / "offset"
    offset.write_text("0")
    wrong_clock = {"PYTHONPATH": str(_WRONG_CLOCK), "WRONG_CLOCK_FILE": str(offset)}
    simulator = stage.simulator()
    gateway = stage.gateway(simulator, {**_DATES, **wrong_clock}).start()
    for number, (jump, text) in enumerate((("86400", "a day forward"), ("82800", "an hour back")), 1):
        _play_jump(stage, simulator, gateway, offset, jump, text, number)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator, most=4)


def _play_jump(
    stage: Stage, simulator: Simulator, gateway: Gateway, offset: Path, jump: str, text: str, number: int
) -> None:
    delivered, waiting, open_, at_it = (simulator.start_many(_COUNT) for _ in range(4))
    everyone = [*delivered, *waiting, *open_, *at_it]
    gateway.register_all(everyone)
    simulator.until_covered(everyone)
    before = 4 * _COUNT * (number - 1)
    simulator.finish_all(delivered)
    simulator.wait_clean(before + _COUNT, 20)
    simulator.set_receiver("503")
    simulator.finish_all(waiting)
    for session in at_it:  # the customer has hung up, the agent writes notes
        simulator.act(session.conversation, "end")
    sleep(5)
    calls = len(simulator.ledger("calls"))
    offset.write_text(jump)
    sleep(40)
    calls = len(judge.api_calls(simulator.ledger("calls")[calls:]))
    views = [gateway.view(session.conversation) for session in everyone]
    right = datetime.now(UTC) + timedelta(seconds=int(jump))
    steps = [datetime.fromisoformat(step["at"]) for view in views for step in view["timeline"]]
    told = [step for step in steps if abs(step - right) < timedelta(seconds=60)]
    stage.report.claim(f"{text}: so timelines say, which go on", bool(told), f"{len(told)} steps since the jump")
    dead = [one for view in views for one in view["records"] if one["state"] == "dead"]
    stage.report.claim(f"{text}: no record is dead", not dead, f"{len(dead)} dead")
    unresolved = sum(view["outcome"] == "unresolved" for view in views)
    erased = sum(view["customerId"] is None for view in views)
    stage.report.claim(
        f"{text}: none is unresolved or erased", not unresolved and not erased, f"{unresolved}, {erased}"
    )
    stage.report.claim(f"{text}: Genesys is not overrun", calls <= 200, f"{calls} calls in 40 s")
    took = simulator.wait_covered(open_, 20)
    stage.report.claim(f"{text}: open conversations are covered", took is not None, f"after {took or -1:.1f} s more")
    simulator.set_receiver("ok")
    simulator.finish_all(open_)
    for session in at_it:
        simulator.wrap_up(session)
    took = simulator.wait_clean(before + 4 * _COUNT, 60)
    stage.report.claim(f"{text}: everything is delivered afterwards", took is not None, f"after {took or -1:.1f} s")
