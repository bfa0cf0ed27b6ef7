"""Plays one load against the real service, waits until it has settled, and judges it by the simulator's ledger."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import gevent
import orjson

from tests.benchmarks.motion import verdict
from tests.benchmarks.motion.curves import curves
from tests.benchmarks.motion.figures import Ledger, Window, figures
from tests.benchmarks.motion.loads import (
    AFTER_CALL_WORK_SECONDS,
    SPREAD,
    Load,
)
from tests.benchmarks.motion.picture import Mark, draw
from tests.benchmarks.motion.watch import Watch, processor_seconds
from tests.harness import judge
from tests.harness.gateway import BOFE_TOKEN, Gateway
from tests.harness.processes import Process, free_port, python
from tests.harness.report import Report
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import until, wait_for

#: What each call of the API takes.
_CALL_SECONDS = 0.08
_AGENTS = 200
#: How long the end of the load may take to settle, beyond `GATEWAY_ANALYTICS_SETTLE_SECONDS`.
_SETTLE_MORE_SECONDS = 240.0
_LAG_SECONDS, _USUAL_LAG_SECONDS = 240, 10


@dataclass(slots=True)
class Disruptions:
    """Fail sockets and analytics in the middle of a load, and remember when."""

    simulator: Simulator
    begin: int
    marks: list[Mark] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Do it within a load that lasts so long: the first at a third of it, the last at eleven fifteenths."""
        dropped, handed_over = self._fullest()
        self._at(seconds * 5 / 15, "socket dropped", f"/channels/{dropped}/drop")
        self._at(seconds * 6 / 15, "channel handed over", f"/channels/{handed_over}/close", {"notice": True})
        self._lag(seconds * 7 / 15, _LAG_SECONDS)
        self._lag(seconds * 11 / 15, _USUAL_LAG_SECONDS)

    def _at(self, seconds: float, text: str, path: str, body: object = None) -> None:
        self._wait(seconds, text)
        self.simulator.control("POST", path, body)

    def _lag(self, seconds: float, lag: float) -> None:
        self._wait(seconds, f"analytics {lag} s behind")
        self.simulator.control("PATCH", "/settings", {"analyticsLagSeconds": lag})

    def _wait(self, seconds: float, text: str) -> None:
        gevent.sleep(max(0.0, self.begin / 1000 + seconds - time.time()))
        self.marks.append(Mark(at=(time.time() * 1000 - self.begin) / 1000, text=text))

    def _fullest(self) -> list[str]:
        channels = [channel for channel in self.simulator.channels() if channel["connected"]]
        return [one["id"] for one in sorted(channels, key=lambda one: -len(one["topics"]))[:2]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A load that was played and has settled."""

    simulator: Simulator
    ledger: Ledger
    window: Window
    marks: list[Mark]
    watch: Watch
    #: seconds of the processor that the worker used under load
    processor: float


def play(load: Load, stage: Stage, pictures: Path) -> str:
    """Play it, claim in the stage's report what is promised, and write its picture into that folder.

    Returns:
        Its row in the table of all loads.
    """
    report, played = stage.report, run(load, stage)
    found = figures(played.ledger, played.window, load.capacity)
    verdict.note_figures(report, found)
    each, watch = played.processor / max(1, found.conversations) * 1000, played.watch
    report.note(f"the worker: {each:.1f} ms of the processor per conversation, {watch.most_memory:.0f} MB at most")
    report.note(f"delay of its event loop: {watch.worst_lag:.2f} s at most")
    verdict.claim(report, load, found)
    judge.nothing_lost_nothing_doubled(report, played.simulator)
    judge.one_socket_per_channel(report, played.simulator)
    _draw(load, played, pictures, report)
    return verdict.row(load, found)


def run(load: Load, stage: Stage) -> Played:
    """Play it, and wait until every topic is given back and every work is recorded, or for what is promised."""
    simulator = stage.simulator({"callsPerMinute": load.calls})
    simulator.fault("slow", path="/api/v2/*", delaySeconds=_CALL_SECONDS)
    settings = {
        "GATEWAY_CHANNEL_TOPICS": load.topics,
        "GATEWAY_API_RATE_PER_MINUTE": load.calls,
        "GATEWAY_ANALYTICS_SETTLE_SECONDS": f"{load.settle_seconds:g}",
    }
    gateway = stage.gateway(simulator, settings).start()
    bofe, url = start_bofe(stage.folder, gateway)
    watch = Watch(simulator, gateway, stage.report)
    try:
        begin = _start_traffic(load, simulator, url)
        used = processor_seconds(gateway.worker)
        stage.report.note(f"{load.standing:,} stand; now {load.per_minute:g} a minute for {load.minutes:g} minutes")
        marks = _carry_on(load, simulator, begin)
        window = Window(begin=begin, end=round(time.time() * 1000))
        used = processor_seconds(gateway.worker) - used
        _settle(simulator, load, stage.report)
    finally:
        watch.stop()
        bofe.kill()
    ledger = _read(simulator, stage.folder)
    return Played(simulator=simulator, ledger=ledger, window=window, marks=marks, watch=watch, processor=used)


def start_bofe(folder: Path, gateway: Gateway) -> tuple[Process, str]:
    """Start BOFE's part, which registers what the traffic player tells it; returns its process and its URL."""
    port = free_port()
    command = python("-m", "genesys_gateway.simulator", "bofe", "--gateway", gateway.url, "--port", str(port))
    process = Process(command, {"BOFE_TOKEN": BOFE_TOKEN}, folder / "bofe.log")
    until(process.log.read_bytes, 20, "BOFE listens")
    return process, f"http://127.0.0.1:{port}"


def _start_traffic(load: Load, simulator: Simulator, notify: str) -> int:
    """Let all standing conversations begin; returns when that was done, in epoch ms."""
    traffic = {
        "perMinute": load.per_minute,
        "seconds": load.minutes * 60,
        "talkSeconds": load.talk_seconds,
        "spread": SPREAD,
        "acwSeconds": AFTER_CALL_WORK_SECONDS,
        "standing": load.standing,
        "standingPerSecond": load.standing_per_second,
        "agents": _AGENTS,
        "notify": notify,
    }
    simulator.control("POST", "/traffic", traffic)
    gevent.sleep(load.standing_seconds)
    return round(time.time() * 1000)


def _carry_on(load: Load, simulator: Simulator, begin: int) -> list[Mark]:
    """Wait until no more conversations begin; returns what failed meanwhile."""
    seconds, disruptions = load.minutes * 60, Disruptions(simulator, begin)
    if load.troubled:
        disruptions.run(seconds)
    gevent.sleep(max(0.0, begin / 1000 + seconds - time.time()))
    return disruptions.marks


def _settle(simulator: Simulator, load: Load, report: Report) -> None:
    report.note("the load is over; it settles")
    longest = load.settle_seconds + _SETTLE_MORE_SECONDS
    took = wait_for(lambda: _settled(simulator), longest, every=1.0)
    report.note(f"settled after {took:.0f} s" if took is not None else f"not settled within {longest:.0f} s")
    simulator.control("DELETE", "/traffic", {"abandon": True})
    wait_for(lambda: simulator.balance()["clean"], 30, every=2.0)


def _settled(simulator: Simulator) -> bool:
    state = simulator.state()
    return bool(state["listenedTopics"] == 0 and state["records"] >= state["finishedAcw"])


def _read(simulator: Simulator, folder: Path) -> Ledger:
    parts = {part: simulator.ledger(part) for part in ("conversations", "finished", "records", "calls")}
    (folder / "ledger.json").write_bytes(orjson.dumps(parts))
    return Ledger(**parts)


def _draw(load: Load, played: Played, pictures: Path, report: Report) -> None:
    begin, watch = played.window.begin, played.watch
    drawn = curves(played.ledger, begin, max(played.window.end, watch.samples[-1].at))
    drawn = drawn.with_numbers("released (its own count)", watch.released(begin))
    standing = f"{load.standing:,} standing, " if load.standing else ""
    title = f"In motion: {standing}{load.per_minute:,g} new conversations a minute, {load.calls} calls a minute"
    pictures.mkdir(parents=True, exist_ok=True)
    file = pictures / f"motion-{load.name}.svg"
    file.write_text(draw(drawn, load, title, played.marks), encoding="utf-8")
    report.note(f"picture: {file}")
