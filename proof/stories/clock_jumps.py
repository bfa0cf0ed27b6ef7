"""The gateway's clock jumps a day ahead and an hour back: nothing is dead, unresolved or erased."""

from pathlib import Path

from proof import judge
from proof.centre import Centre
from proof.children import nap
from proof.gateway import Gateway
from proof.stage import Stage

SECONDS = 300
_LIBRARIES = "*/faketime/libfaketimeMT.so.1"
_COUNT = 30
#: Shorter than the jump, so that the jump passes every date.
_DATES = {"GATEWAY_FOLLOW_DEADLINE_SECONDS": 43_200, "GATEWAY_RETRY_LIMIT_HOURS": 12, "GATEWAY_RETRY_MAX_SECONDS": 10}


def play(stage: Stage) -> None:
    """Records wait for a receiver that is away, conversations are open, when the clock jumps."""
    library = next(Path("/usr/lib").glob(_LIBRARIES), None)
    if library is None:
        stage.report.skip("clock jumps", "libfaketime is not installed (apt-get install faketime)")
        return
    offset = stage.folder / "offset"
    offset.write_text("+0")
    fake = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": 1,
        "FAKETIME_DONT_FAKE_MONOTONIC": 1,
    }
    centre = stage.centre()
    gateway = stage.gateway(centre, {**_DATES, **fake}).start()
    for number, (jump, text) in enumerate((("+86400", "a day forward"), ("+82800", "an hour back")), 1):
        _play_jump(stage, centre, gateway, offset, jump, text, number)
    judge.nothing_lost_nothing_doubled(stage.report, centre)
    judge.one_socket_per_channel(stage.report, centre, most=4)


def _play_jump(stage: Stage, centre: Centre, gateway: Gateway, offset: Path, jump: str, text: str, number: int) -> None:
    delivered, waiting, open_ = (centre.start_many(_COUNT) for _ in range(3))
    everyone = [*delivered, *waiting, *open_]
    gateway.register_all(everyone)
    centre.until_listened(everyone)
    before = 3 * _COUNT * (number - 1)
    centre.finish_all(delivered)
    centre.until_clean(before + _COUNT, 20)
    centre.receive("503")
    centre.finish_all(waiting)
    nap(5)
    calls = len(centre.ledger("calls"))
    offset.write_text(jump)
    nap(40)
    calls = len(judge.api_calls(centre.ledger("calls")[calls:]))
    dead = [one for line in everyone for one in gateway.view(line.conversation)["records"] if one["state"] == "dead"]
    stage.report.claim(f"{text}: no record is dead", not dead, f"{len(dead)} dead")
    views = [gateway.view(line.conversation) for line in everyone]
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
    took = centre.until_clean(before + 3 * _COUNT, 60)
    stage.report.claim(f"{text}: everything is delivered afterwards", took is not None, f"after {took or -1:.1f} s")
