"""The gateway's clock jumps a day ahead and an hour back: nothing is dead, unresolved or erased."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.processes import nap
from tests.harness.simulator import Centre
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
    centre = stage.centre()
    gateway = stage.gateway(centre, {**_DATES, **wrong_clock}).start()
    for number, (jump, text) in enumerate((("86400", "a day forward"), ("82800", "an hour back")), 1):
        _play_jump(stage, centre, gateway, offset, jump, text, number)
    judge.nothing_lost_nothing_doubled(stage.report, centre)
    judge.one_socket_per_channel(stage.report, centre, most=4)


def _play_jump(stage: Stage, centre: Centre, gateway: Gateway, offset: Path, jump: str, text: str, number: int) -> None:
    delivered, waiting, open_, at_it = (centre.start_many(_COUNT) for _ in range(4))
    everyone = [*delivered, *waiting, *open_, *at_it]
    gateway.register_all(everyone)
    centre.until_listened(everyone)
    before = 4 * _COUNT * (number - 1)
    centre.finish_all(delivered)
    centre.until_clean(before + _COUNT, 20)
    centre.receive("503")
    centre.finish_all(waiting)
    for line in at_it:  # the customer has hung up, the agent writes notes
        centre.play(line.conversation, "end")
    nap(5)
    calls = len(centre.ledger("calls"))
    offset.write_text(jump)
    nap(40)
    calls = len(judge.api_calls(centre.ledger("calls")[calls:]))
    views = [gateway.view(line.conversation) for line in everyone]
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
    took = centre.wait_listened(open_, 20)
    stage.report.claim(f"{text}: open conversations are covered", took is not None, f"after {took or -1:.1f} s more")
    centre.receive("ok")
    centre.finish_all(open_)
    for line in at_it:
        centre.wrap_up(line)
    took = centre.until_clean(before + 4 * _COUNT, 60)
    stage.report.claim(f"{text}: everything is delivered afterwards", took is not None, f"after {took or -1:.1f} s")
