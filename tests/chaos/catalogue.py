"""The faults: each with its name, the party it hits, and how it ends.

Invariant: a fault that has ended leaves nothing behind that the service does not promise to repair by itself.
"""

import errno
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gevent

from tests.chaos.world import World
from tests.harness import databases

Undo = Callable[[], object]
#: Called with the world and the number of the instance that is hit.
Begin = Callable[[World, int], Undo]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to break something."""

    name: str
    #: the party it hits; each party has one fault at a time
    party: str
    #: begins the fault, and returns what ends it
    begin: Begin
    #: its shortest and longest duration
    seconds: tuple[float, float] = (1.0, 8.0)
    #: the only kind of database it is possible with
    database: str | None = None
    #: whether it needs a disk or a database server of our own
    alone: bool = False
    #: whether it hits one of the instances, each of which then is a party
    of_an_instance: bool = False
    #: whether it is possible only where another instance goes on
    needs_several: bool = False


def _nothing() -> None:
    """Do nothing: the service repairs it by itself."""


def _at_once(name: str, **how: object) -> Begin:
    def begin(world: World, _number: int) -> Undo:
        world.simulator.fault(name, **how)
        return _nothing

    return begin


def _while(name: str, **how: object) -> Begin:
    def begin(world: World, _number: int) -> Undo:
        number = world.simulator.fault(name, **how)["id"]
        return lambda: _switch_off(world, number)

    return begin


def _switch_off(world: World, number: int) -> None:
    on: list[dict[str, Any]] = world.simulator.control("GET", "/faults")["on"]
    if any(fault["id"] == number for fault in on):  # a fault with a count may have ended by itself
        world.simulator.control("DELETE", f"/faults/{number}")


def _mode(mode: str, **how: object) -> Begin:
    def begin(world: World, _number: int) -> Undo:
        world.simulator.set_receiver(mode, **{**how, **world.receiver})
        return lambda: world.simulator.set_receiver("ok", **world.receiver)

    return begin


def _once(action: Callable[[World, int], None]) -> Begin:
    def begin(world: World, number: int) -> Undo:
        action(world, number)
        return _nothing

    return begin


def _frozen(world: World, number: int) -> Undo:
    world.freeze(number)
    return lambda: world.thaw(number)


def _clock_wrong_by(seconds: int) -> Begin:
    def begin(world: World, number: int) -> Undo:
        world.clocks[number].wrong_by(seconds)
        return lambda: world.clocks[number].wrong_by(0)

    return begin


def _full(world: World, _number: int) -> Undo:
    assert world.disk is not None
    filler = world.disk / "filler"
    with filler.open("wb", buffering=0) as file:
        space = os.statvfs(world.disk)
        try:
            os.posix_fallocate(file.fileno(), 0, max(1, space.f_bavail * space.f_bsize - (1 << 20)))
            file.seek(0, os.SEEK_END)
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return lambda: filler.unlink(missing_ok=True)


def _read_only(world: World, _number: int) -> Undo:
    assert world.disk is not None
    # Mode bits restrict neither root nor an open file; this attribute restricts both.
    files = [str(path) for path in _database_files(world.disk)]
    subprocess.run(["chattr", "+i", *files], check=True)
    return lambda: subprocess.run(["chattr", "-i", *files], check=True)


def _database_files(disk: Path) -> list[Path]:
    return [path for path in (disk / "gateway.db", disk / "gateway.db-wal") if path.exists()]


def _ended_sessions(world: World, _number: int) -> Undo:
    def end_them() -> None:
        while True:
            databases.end_sessions(world.database_name, world.server_port)
            gevent.sleep(0.5)

    return gevent.spawn(end_them).kill


def _cut_commits(world: World, number: int) -> Undo:
    def cut_them() -> None:
        while True:
            world.proxies[number].cut_replies_after(b"COMMIT")
            gevent.sleep(0.5)

    return gevent.spawn(cut_them).kill


def _stalled(world: World, number: int) -> Undo:
    world.proxies[number].stall()
    return world.proxies[number].flow


def _cut(world: World, number: int) -> Undo:
    world.proxies[number].cut()
    return world.proxies[number].restore


def _stopped(world: World, _number: int) -> Undo:
    assert world.server is not None
    world.server.stop()
    return world.server.start


def _crashed(world: World, _number: int) -> Undo:
    assert world.server is not None
    world.server.crash()
    return world.server.start


_API = "/api/v2/*"
_SUBSCRIPTIONS = "*/subscriptions"

_instance_fault = partial(Fault, of_an_instance=True)
_among_several = partial(_instance_fault, needs_several=True)

FAULTS = (
    _instance_fault(name="power cut", party="gateway", begin=_once(World.kill_all), seconds=(0.1, 0.5)),
    _instance_fault(name="worker killed", party="gateway", begin=_once(World.kill_worker), seconds=(0.1, 0.5)),
    _instance_fault(name="frozen", party="gateway", begin=_frozen, seconds=(1, 12)),
    _instance_fault(
        name="frozen beyond its lease", party="gateway", begin=_frozen, seconds=(12, 30), needs_several=True
    ),
    _among_several(name="an hour ahead", party="clock", begin=_clock_wrong_by(3600)),
    _among_several(name="an hour behind", party="clock", begin=_clock_wrong_by(-3600)),
    Fault(name="answers 500", party="receiver", begin=_mode("500")),
    Fault(name="answers 429", party="receiver", begin=_mode("429", retryAfter=1)),
    Fault(name="answers 401", party="receiver", begin=_mode("401")),
    Fault(name="is down", party="receiver", begin=_mode("down")),
    Fault(name="hangs", party="receiver", begin=_mode("hang")),
    Fault(name="stores, then cuts", party="receiver", begin=_mode("apply_then_reset")),
    Fault(name="stores, then hangs", party="receiver", begin=_mode("apply_then_hang")),
    Fault(name="stores, then 500", party="receiver", begin=_mode("apply_then_500")),
    Fault(name="dropped", party="sockets", begin=_at_once("socket_drop")),
    Fault(name="closed after notice", party="sockets", begin=_at_once("closing_notice", afterSeconds=6)),
    Fault(name="frozen", party="sockets", begin=_while("freeze"), seconds=(2, 12)),
    Fault(name="refused", party="sockets", begin=_while("refuse_upgrade", status=503)),
    Fault(name="events lost with the sockets", party="sockets", begin=_at_once("evict")),
    Fault(name="events doubled", party="sockets", begin=_while("duplicate_events", times=3, delaySeconds=0.5)),
    Fault(name="events out of order", party="sockets", begin=_while("reorder_events", delaySeconds=3)),
    Fault(name="garbage", party="sockets", begin=_at_once("garbage_frame")),
    Fault(name="huge frame", party="sockets", begin=_at_once("huge_frame")),
    Fault(name="deep frame", party="sockets", begin=_at_once("deep_frame")),
    Fault(name="topics taken", party="sockets", begin=_at_once("no_longer_subscribed")),
    Fault(name="no replies", party="sockets", begin=_while("no_reply")),
    Fault(name="answers 503", party="API", begin=_while("answer", path=_API, status=503)),
    Fault(name="rate storm", party="API", begin=_while("rate_storm", retryAfter=1)),
    Fault(name="hangs", party="API", begin=_while("hang", path=_API)),
    Fault(name="resets", party="API", begin=_while("reset", path=_API)),
    Fault(name="replies lost", party="API", begin=_while("reply_lost", path=_API)),
    Fault(name="subscriptions' replies lost", party="API", begin=_while("reply_lost", path=_SUBSCRIPTIONS)),
    Fault(name="garbage", party="API", begin=_while("garbage_answer", path=_API)),
    Fault(name="slow", party="API", begin=_while("slow", path=_API, delaySeconds=1.5)),
    Fault(name="revoked", party="token", begin=_at_once("revoked_token")),
    Fault(name="login answers 400", party="token", begin=_while("answer", path="/oauth/token", status=400)),
    Fault(name="login hangs", party="token", begin=_while("hang", path="/oauth/token")),
    Fault(name="full", party="disk", begin=_full, database="sqlite", alone=True),
    Fault(name="read-only", party="disk", begin=_read_only, database="sqlite", alone=True),
    Fault(name="sessions ended", party="database", begin=_ended_sessions, database="postgresql"),
    _instance_fault(name="replies to commits cut", party="connection", begin=_cut_commits, database="postgresql"),
    _instance_fault(name="stalls", party="connection", begin=_stalled, database="postgresql"),
    _among_several(name="stalls beyond the lease", party="connection", begin=_stalled, seconds=(12, 25)),
    _among_several(name="cut", party="connection", begin=_cut, seconds=(1, 25)),
    Fault(name="restarted", party="database", begin=_stopped, seconds=(0.5, 4), database="postgresql", alone=True),
    Fault(name="crashed", party="database", begin=_crashed, seconds=(0.5, 4), database="postgresql", alone=True),
)
