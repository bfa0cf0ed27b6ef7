"""A full channel's socket is killed, frozen, refused with 404: full coverage within heartbeat + 5 s each time."""

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import Centre, Line, wait_for
from tests.harness.stage import Stage

SECONDS = 300
_TOPICS = 1000


def play(stage: Stage) -> None:
    """The heartbeat is at its default of 40 s, or short."""
    heartbeat = 6 if stage.fast else 40
    centre = stage.centre({"heartbeatSeconds": 4} if stage.fast else None)
    gateway = stage.gateway(centre, {"GATEWAY_HEARTBEAT_SECONDS": heartbeat}).start()
    lines = centre.start_many(_TOPICS)
    gateway.register_all(lines)
    centre.until_listened(lines)
    _killed(stage, centre, lines, heartbeat)
    _gone(stage, centre, lines, heartbeat)
    _frozen(stage, centre, gateway, lines, heartbeat)
    centre.finish_all(lines)
    centre.until_clean(_TOPICS, 60)
    judge.nothing_lost_nothing_doubled(stage.report, centre)


def _killed(stage: Stage, centre: Centre, lines: list[Line], heartbeat: int) -> None:
    opened = _opened(centre)
    centre.control("POST", "/channels/all/drop")
    took = wait_for(lambda: _opened(centre) > opened and _all_covered(centre, lines), heartbeat + 30)
    _claim(stage, "killed", took, heartbeat)


def _gone(stage: Stage, centre: Centre, lines: list[Line], heartbeat: int) -> None:
    """The channel itself is no more: its address answers 404, another channel is needed."""
    before = _connected(centre)
    centre.fault("refuse_upgrade", status=404, count=1)
    centre.control("POST", "/channels/all/drop")
    took = wait_for(lambda: not before & _connected(centre) and _all_covered(centre, lines), heartbeat + 30)
    _claim(stage, "refused with 404", took, heartbeat)
    stage.report.claim("refused with 404: on one new channel", len(_connected(centre)) == 1, len(_connected(centre)))


def _frozen(stage: Stage, centre: Centre, gateway: Gateway, lines: list[Line], heartbeat: int) -> None:
    opened = _opened(centre)
    (channel,) = [one["id"] for one in centre.channels() if one["connected"]]
    centre.fault("freeze", channel=channel, seconds=heartbeat + 20)  # one that ends by itself need not be noticed
    noticed = wait_for(lambda: _opened(centre) > opened, heartbeat + 30)
    held = noticed is not None and noticed <= heartbeat + 5
    stage.report.claim("frozen: a new socket within heartbeat + 5 s", held, f"{noticed or -1:.1f} s")
    shown = gateway.until_state(lines[-1].conversation, "subscribed", 10)
    stage.report.claim("frozen: covered again", shown is not None, f"{shown or -1:.1f} s after that")


def _claim(stage: Stage, what: str, took: float | None, heartbeat: int) -> None:
    held = took is not None and took <= heartbeat + 5
    stage.report.claim(f"{what}: full coverage within heartbeat + 5 s ({heartbeat + 5} s)", held, f"{took or -1:.1f} s")


def _all_covered(centre: Centre, lines: list[Line]) -> bool:
    return {line.conversation for line in lines} <= centre.listened()


def _connected(centre: Centre) -> set[str]:
    return {channel["id"] for channel in centre.channels() if channel["connected"]}


def _opened(centre: Centre) -> int:
    return sum(entry["event"] == "opened" for entry in centre.ledger("sockets"))
