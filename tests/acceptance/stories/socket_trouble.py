"""A socket closed at once, after notice, or frozen: covered again in time, and nothing is lost."""

import gevent

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.processes import nap
from tests.harness.simulator import Centre, Line, wait_for
from tests.harness.stage import Stage

SECONDS = 300
_COUNT = 50
_HEARTBEAT_SECONDS = 4


def play(stage: Stage) -> None:
    """The same conversations' worth of wrap-ups around each trouble; heartbeats are made short."""
    centre = stage.centre({"heartbeatSeconds": 3})
    gateway = stage.gateway(centre, {"GATEWAY_HEARTBEAT_SECONDS": _HEARTBEAT_SECONDS}).start()
    _closed(stage, centre, _lines(centre, gateway))
    _notice(stage, centre, _lines(centre, gateway))
    _frozen(stage, centre, _lines(centre, gateway))
    sources = judge.sources(centre.ledger("records"))
    stage.report.did(f"records: {sources['live']} live, {sources['backfill']} recovered by asking")
    judge.nothing_lost_nothing_doubled(stage.report, centre)


def _lines(centre: Centre, gateway: Gateway) -> list[Line]:
    lines = centre.start_many(_COUNT)
    gateway.register_all(lines)
    centre.until_listened(lines)
    return lines


def _closed(stage: Stage, centre: Centre, lines: list[Line]) -> None:
    for deed in ("drop", "close"):
        half = lines[: _COUNT // 2] if deed == "drop" else lines[_COUNT // 2 :]
        before = len(centre.ledger("finished"))
        centre.control("POST", f"/channels/all/{deed}", {"goodbye": True} if deed == "close" else {})
        centre.finish_all(half)
        covered = centre.wait_listened(half, 20)
        took = centre.until_clean(before + len(half), 60)
        figure = f"covered after {covered or -1:.1f} s, all recorded after {took or -1:.1f} s more"
        stage.report.claim(f"socket ended by {deed}, wrap-ups meanwhile: all recorded", took is not None, figure)


def _notice(stage: Stage, centre: Centre, lines: list[Line]) -> None:
    before, sources = len(centre.ledger("finished")), judge.sources(centre.ledger("records"))
    centre.control("POST", "/channels/all/close", {"notice": True, "afterSeconds": 20})

    def wrap_up_slowly() -> None:
        for line in lines:
            centre.finish(line)
            nap(0.5)

    gevent.spawn(wrap_up_slowly).join()
    took = centre.until_clean(before + len(lines), 60)
    after = judge.sources(centre.ledger("records"))
    recovered = after["backfill"] - sources["backfill"]
    held = took is not None and not recovered
    stage.report.claim(
        "closing notice, wrap-ups all through it: all come live", held, f"{recovered} recovered by asking"
    )


def _frozen(stage: Stage, centre: Centre, lines: list[Line]) -> None:
    before = len(centre.ledger("finished"))
    frozen = next(channel["id"] for channel in centre.channels() if channel["connected"] and channel["topics"])
    opened = _opened(centre)
    centre.fault("freeze", channel=frozen, seconds=_HEARTBEAT_SECONDS + 2)
    centre.finish_all(lines)
    noticed = wait_for(lambda: _opened(centre) > opened, 30)
    took = centre.until_clean(before + len(lines), 60)
    bound = _HEARTBEAT_SECONDS + 5
    held = took is not None and noticed is not None and noticed <= bound
    figure = f"another socket after {noticed or -1:.1f} s, all recorded after {took or -1:.1f} s more"
    stage.report.claim(f"socket frozen: noticed within heartbeat + 5 s ({bound} s), all recorded", held, figure)


def _opened(centre: Centre) -> int:
    return sum(entry["event"] == "opened" for entry in centre.ledger("sockets"))
